/* The core for x86-64 with AVX2. */
#include "core.h"
#include "core_bits.h"

#if defined(__x86_64__) || defined(_M_X64)

#if defined(__clang__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt"))), \
                             apply_to = function)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2,lzcnt,popcnt")
#include <immintrin.h>
#else
#include <immintrin.h>
#endif

#include <string.h>

#define PM_ADVANCE pm_advance_avx2
#define PM_ADVANCE_GROUP pm_advance_group_avx2

PM_INLINE __m256i pm_load(const void *from) { return _mm256_loadu_si256((const __m256i *)from); }
PM_INLINE void pm_store(void *to, __m256i values) { _mm256_storeu_si256((__m256i *)to, values); }
PM_INLINE __m128i pm_load_half(const void *from) {
  return _mm_loadu_si128((const __m128i *)from);
}

PM_INLINE uint64_t pm_nonzero_bits(const uint8_t *values) {
  const __m256i zero = _mm256_setzero_si256();
  const uint32_t low = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(pm_load(values), zero));
  const uint32_t high =
      (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(pm_load(values + 32), zero));
  return ~(low | (uint64_t)high << 32);
}

/* Count which of 64 values, of steps `stride` bytes apart, are not zero. */
PM_INLINE void pm_count_block(int32_t *counts, const uint8_t *values, ptrdiff_t stride,
                              int32_t steps, int graded) {
  const __m256i one = _mm256_set1_epi8(1);
  uint8_t sums[PM_BLOCK];
  for (int half = 0; half < 2; half++) {
    const uint8_t *from = values + 32 * half;
    __m256i sum = _mm256_setzero_si256();
    for (int32_t step = 0; step < steps; step++, from += stride)
      sum = _mm256_add_epi8(sum, graded ? _mm256_min_epu8(pm_load(from), one) : pm_load(from));
    pm_store(sums + 32 * half, sum);
  }
  for (int i = 0; i < PM_BLOCK; i += 8, counts += 8) {
    const __m256i eight =
        _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(sums + i)));
    pm_store(counts, _mm256_add_epi32(pm_load(counts), eight));
  }
}

/* 16 weights in 16 bits; behind the last, margins are read. */
PM_INLINE __m256i pm_weights16(const uint8_t *w, const int is_signed) {
  return is_signed ? _mm256_cvtepi8_epi16(pm_load_half(w)) : _mm256_cvtepu8_epi16(pm_load_half(w));
}

/* A run of at most 16 * PM_RUN_VECTORS targets of one source position; see pm_add_position. */
#define PM_RUN_LANES 16
#define PM_RUN_VECTORS 8
typedef __m256i pm_run_mask;

PM_INLINE void pm_mask_run(const int vectors, pm_run_mask *masks, int32_t count) {
  const __m256i lanes =
      _mm256_setr_epi16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (int i = 0; i < vectors; i++)
    masks[i] = _mm256_cmpgt_epi16(_mm256_set1_epi16((int16_t)(count - 16 * i)), lanes);
}

/* Add a run of `fixed` events, or of `n` if that is 0; lanes out of the masks stay as they are. */
PM_INLINE void pm_add_run(const int vectors, const int fixed, const int wide, void *sums,
                          ptrdiff_t target, const uint8_t *w, const uint32_t *at, int32_t n,
                          const pm_run_mask *masks, const int is_signed, int left) {
  __m256i totals[PM_RUN_VECTORS];
  int16_t *sums16 = (int16_t *)sums + target;
  int32_t *sums32 = (int32_t *)sums + target;
  for (int i = 0; i < vectors; i++) totals[i] = _mm256_setzero_si256();
  const int32_t count = fixed ? fixed : n;
  for (int32_t e = 0; e < count; e++) {
    const uint8_t *row = w + at[e];
    for (int i = 0; i < vectors; i++)
      totals[i] = _mm256_add_epi16(totals[i], pm_weights16(row + 16 * i, is_signed));
  }
  const __m128i shift = _mm_cvtsi32_si128(left);
  for (int i = 0; i < vectors; i++) {
    const __m256i total = _mm256_and_si256(totals[i], masks[i]);
    if (!wide) {
      pm_store(sums16 + 16 * i, _mm256_add_epi16(pm_load(sums16 + 16 * i), total));
      continue;
    }
    const __m256i low = _mm256_cvtepi16_epi32(_mm256_castsi256_si128(total));
    const __m256i high = _mm256_cvtepi16_epi32(_mm256_extracti128_si256(total, 1));
    int32_t *to = sums32 + 16 * i;
    pm_store(to, _mm256_add_epi32(pm_load(to), _mm256_sll_epi32(low, shift)));
    pm_store(to + 8, _mm256_add_epi32(pm_load(to + 8), _mm256_sll_epi32(high, shift)));
  }
}

/* Add `count` weights, shifted left, of each of `n` events. */
PM_INLINE void pm_add_all(const int wide, void *sums, const uint8_t *w, const uint32_t *at,
                          int32_t n, int32_t count, int left, const int is_signed) {
  const __m128i shift = _mm_cvtsi32_si128(left);
  pm_run_mask masks[PM_RUN_VECTORS];
  ptrdiff_t done = 0;
  for (; count > 0; count -= 128, done += 128, w += 128) {
    if (wide || !left) {
      pm_mask_run(8, masks, count < 128 ? count : 128);
      if (count > 64)
        pm_add_run(8, 0, wide, sums, done, w, at, n, masks, is_signed, left);
      else if (count > 16)
        pm_add_run(4, 0, wide, sums, done, w, at, n, masks, is_signed, left);
      else
        pm_add_run(1, 0, wide, sums, done, w, at, n, masks, is_signed, left);
      continue;
    }
    for (int i = 0; i < 8 && 16 * i < count; i++) {
      __m256i total = _mm256_setzero_si256();
      for (int32_t e = 0; e < n; e++)
        total = _mm256_add_epi16(total, pm_weights16(w + at[e] + 16 * i, is_signed));
      pm_mask_run(1, masks, count - 16 * i < 16 ? count - 16 * i : 16);
      total = _mm256_and_si256(_mm256_sll_epi16(total, shift), masks[0]);
      int16_t *to = (int16_t *)sums + done + 16 * i;
      pm_store(to, _mm256_add_epi16(pm_load(to), total));
    }
  }
}

PM_INLINE void pm_add16(int16_t *sums, const uint8_t *w, const uint32_t *at, int32_t n,
                        int32_t count, int left, const int is_signed) {
  pm_add_all(0, sums, w, at, n, count, left, is_signed);
}

PM_INLINE void pm_add32(int32_t *sums, const uint8_t *w, const uint32_t *at, int32_t n,
                        int32_t count, int left, const int is_signed) {
  pm_add_all(1, sums, w, at, n, count, left, is_signed);
}

/* Add what up to four windows see, in fours of bytes, times the weights of 8 or 16 lanes. Products
 * of two bytes fit into 16 bits, as values have no more than six. */
#define PM_EACH_ROW(use) use(0) use(1) use(2) use(3)
#define PM_ROW_START(r)                            \
  __m256i a##r = _mm256_setzero_si256(), b##r = a##r; \
  const uint8_t *seen##r = n > r ? rows[r] : NULL;
#define PM_ROW_DOT(sum, values, held)                                                  \
  sum = _mm256_add_epi32(                                                              \
      sum, _mm256_madd_epi16(is_signed ? _mm256_maddubs_epi16(values, held)            \
                                       : _mm256_maddubs_epi16(held, values), ones))
#define PM_ROW_MULTIPLY(r)                          \
  if (n > r) {                                      \
    int32_t four;                                   \
    memcpy(&four, seen##r + offset, 4);             \
    const __m256i values = _mm256_set1_epi32(four); \
    PM_ROW_DOT(a##r, values, first);                \
    if (lanes > 8) PM_ROW_DOT(b##r, values, second); \
  }
#define PM_ROW_END(r)                                                             \
  if (n > r) {                                                                    \
    pm_dot_store(a##r, sums, targets[r], wide, shift);                            \
    if (lanes > 8) pm_dot_store(b##r, sums, targets[r] + 8, wide, shift);         \
  }

PM_INLINE void pm_dot_store(__m256i total, void *sums, ptrdiff_t target, int wide, __m128i shift) {
  total = _mm256_sll_epi32(total, shift);
  if (wide) {
    int32_t *to = (int32_t *)sums + target;
    pm_store(to, _mm256_add_epi32(pm_load(to), total));
  } else {
    int16_t *to = (int16_t *)sums + target;
    const __m256i low = _mm256_and_si256(total, _mm256_set1_epi32(0xffff));
    const __m256i packed = _mm256_packus_epi32(low, low);
    const __m128i eight = _mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 0x08));
    _mm_storeu_si128((__m128i *)(void *)to, _mm_add_epi16(pm_load_half(to), eight));
  }
}

PM_INLINE void pm_dot_block(const int n, const int lanes, const uint8_t *const *rows,
                            const ptrdiff_t *targets, const int32_t *offsets, int32_t quads,
                            const uint8_t *w, void *sums, int wide, int left,
                            const int is_signed) {
  const __m256i ones = _mm256_set1_epi16(1);
  const __m128i shift = _mm_cvtsi32_si128(left);
  PM_EACH_ROW(PM_ROW_START)
  for (int32_t quad = 0; quad < quads; quad++, w += 4 * lanes) {
    const ptrdiff_t offset = offsets[quad];
    const __m256i first = pm_load(w), second = lanes > 8 ? pm_load(w + 32) : first;
    PM_EACH_ROW(PM_ROW_MULTIPLY)
  }
  PM_EACH_ROW(PM_ROW_END)
}

#define PM_DOT(n, lanes, sign)                                                              \
  pm_dot_block(n, lanes, rows + row, onto, offsets, quads, from, sums, wide, left, sign)
#define PM_DOT_CASE(n)                             \
  case n:                                          \
    if (is_signed && width > 8) PM_DOT(n, 16, 1);  \
    else if (is_signed) PM_DOT(n, 8, 1);           \
    else if (width > 8) PM_DOT(n, 16, 0);          \
    else PM_DOT(n, 8, 0);                          \
    break;

static void pm_dot_rows(const uint8_t *const *rows, const ptrdiff_t *targets, int32_t n, int lanes,
                        const int32_t *offsets, int32_t quads, const uint8_t *w, void *sums,
                        int wide, int left, int is_signed) {
  for (int first = 0; first < lanes; first += PM_LANES) {
    const int width = lanes - first < PM_LANES ? lanes - first : PM_LANES;
    const uint8_t *from = w + (ptrdiff_t)first * quads * 4;
    for (int32_t row = 0; row < n; row += 4) {
      ptrdiff_t onto[4];
      const int32_t some = n - row < 4 ? n - row : 4;
      for (int32_t i = 0; i < some; i++) onto[i] = targets[row + i] + first;
      switch (some) {
        PM_DOT_CASE(1)
        PM_DOT_CASE(2)
        PM_DOT_CASE(3)
        default: PM_DOT_CASE(4)
      }
    }
  }
}

/* factor / 4096 of 8 states of 24 bits, rounded towards zero. */
PM_INLINE __m256i pm_keep8(__m256i v, __m256i factor) {
  const __m256i size = _mm256_abs_epi32(v);
  const __m256i high = _mm256_madd_epi16(_mm256_srli_epi32(size, 12), factor);
  const __m256i low = _mm256_madd_epi16(_mm256_and_si256(size, _mm256_set1_epi32(4095)), factor);
  return _mm256_sign_epi32(_mm256_add_epi32(high, _mm256_srli_epi32(low, 12)), v);
}

PM_INLINE void pm_update_eight(const int wide, const int update, const pm_population *p,
                               const int32_t *sums32, const int16_t *sums16, int32_t *current,
                               int32_t *voltage, uint8_t *sent, __m256i factor, __m256i other,
                               __m256i threshold, __m256i bias) {
  const __m256i half = _mm256_set1_epi32(8388608), minus = _mm256_set1_epi32(-8388607);
  const __m256i whole = _mm256_set1_epi32(16777216);
  __m256i u = wide ? pm_load(sums32) : _mm256_cvtepi16_epi32(pm_load_half(sums16));
  __m256i v = pm_load(voltage);
  u = _mm256_sll_epi32(u, _mm_cvtsi32_si128(p->left));
  if (update == PM_CURRENT) u = _mm256_add_epi32(u, pm_keep8(pm_load(current), other));
  if (update >= PM_WRAP) {
    const __m256i high = _mm256_and_si256(_mm256_cmpgt_epi32(u, half), whole);
    const __m256i low = _mm256_and_si256(_mm256_cmpgt_epi32(minus, u), whole);
    u = _mm256_add_epi32(_mm256_sub_epi32(u, high), low);
  }
  if (update == PM_CURRENT) pm_store(current, u);
  if (update != PM_PLAIN) v = pm_keep8(v, factor);
  v = _mm256_add_epi32(_mm256_add_epi32(v, bias), u);
  v = _mm256_min_epi32(_mm256_max_epi32(v, minus), _mm256_set1_epi32(8388607));
  const __m256i spike = _mm256_cmpgt_epi32(v, threshold);
  pm_store(voltage, _mm256_andnot_si256(spike, v));
  const __m128i sixteen = _mm_packs_epi32(_mm256_castsi256_si128(spike),
                                          _mm256_extracti128_si256(spike, 1));
  const __m128i bytes = _mm_and_si128(_mm_packs_epi16(sixteen, sixteen), _mm_set1_epi8(1));
  _mm_storel_epi64((__m128i *)(void *)sent, bytes);
}

#include "core_rest.h"

PM_INLINE void pm_update_block(const int wide, const int update, const int uniform,
                               const pm_population *p, const int32_t *sums32,
                               const int16_t *sums16, int32_t *current, int32_t *voltage,
                               uint8_t *sent, const int16_t *factors, const int32_t *levels,
                               int32_t count) {
  const int32_t *biases = levels + p->period;
  const int16_t *kept = factors + p->period;
  __m256i threshold = _mm256_set1_epi32(levels[0]), bias = _mm256_set1_epi32(biases[0]);
  __m256i factor = _mm256_set1_epi32(kept[0]), other = _mm256_set1_epi32(factors[0]);
  int32_t i = 0;
  for (; i + 8 <= count; i += 8) {
    if (!uniform) {
      threshold = pm_load(levels + i);
      bias = pm_load(biases + i);
      factor = _mm256_cvtepi16_epi32(pm_load_half(kept + i));
      other = _mm256_cvtepi16_epi32(pm_load_half(factors + i));
    }
    pm_update_eight(wide, update, p, wide ? sums32 + i : NULL, wide ? NULL : sums16 + i,
                    current + i, voltage + i, sent + i, factor, other, threshold, bias);
  }
  if (i < count) { /* the last few, in memory of their own */
    pm_rest rest = {0};
    pm_take_rest(&rest, wide, uniform, p, sums32, sums16, current, voltage, factors, levels, i,
                 count);
    pm_update_eight(wide, update, p, rest.sums, rest.small, rest.current, rest.voltage, rest.sent,
                    pm_load(rest.kept), pm_load(rest.current_kept), pm_load(rest.threshold),
                    pm_load(rest.bias));
    pm_put_rest(&rest, update, current, voltage, sent, i, count);
  }
}

/* A group follows synapses once for all its samples from so many quarters of an active sample a
 * source on. */
#define PM_LANE_QUARTERS 40

#include "core_body.h"

#if defined(__clang__)
#pragma clang attribute pop
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif

#endif

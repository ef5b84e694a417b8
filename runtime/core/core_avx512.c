/* The core for x86-64 with AVX-512 (F, BW, DQ, VL, VNNI). */
#include "core.h"
#include "core_bits.h"

#if defined(__x86_64__) || defined(_M_X64)

#if defined(__clang__)
#include <immintrin.h>
#pragma clang attribute push(                                                                   \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,bmi,bmi2,lzcnt,popcnt"))), \
    apply_to = function)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,bmi,bmi2,lzcnt,popcnt,prefer-vector-width=512")
#include <immintrin.h>
#else
#include <immintrin.h>
#endif

#include <string.h>

#define PM_ADVANCE pm_advance_avx512
#define PM_ADVANCE_GROUP pm_advance_group_avx512

PM_INLINE uint64_t pm_nonzero_bits(const uint8_t *values) {
  __m512i block = _mm512_loadu_si512(values);
  return _mm512_test_epi8_mask(block, block);
}

/* Count which of 64 values, of steps `stride` bytes apart, are not zero. */
PM_INLINE void pm_count_block(int32_t *counts, const uint8_t *values, ptrdiff_t stride,
                              int32_t steps, int graded) {
  const __m512i one = _mm512_set1_epi8(1);
  __m512i sum = _mm512_setzero_si512();
  for (int32_t step = 0; step < steps; step++, values += stride) {
    const __m512i sent = _mm512_loadu_si512(values);
    sum = _mm512_add_epi8(sum, graded ? _mm512_min_epu8(sent, one) : sent);
  }
  const __m128i parts[4] = {_mm512_castsi512_si128(sum), _mm512_extracti32x4_epi32(sum, 1),
                            _mm512_extracti32x4_epi32(sum, 2), _mm512_extracti32x4_epi32(sum, 3)};
  for (int i = 0; i < 4; i++, counts += 16)
    _mm512_storeu_si512(counts, _mm512_add_epi32(_mm512_loadu_si512(counts),
                                                 _mm512_cvtepu8_epi32(parts[i])));
}

/* 32 weights in 16 bits; behind the last, margins are read. */
PM_INLINE __m512i pm_weights16(const uint8_t *w, const int is_signed) {
  __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)w);
  return is_signed ? _mm512_cvtepi8_epi16(bytes) : _mm512_cvtepu8_epi16(bytes);
}

PM_INLINE __mmask32 pm_tail32(int32_t count) {
  return count >= 32 ? (__mmask32)0xffffffffu : (__mmask32)((1u << count) - 1u);
}

/* Sum up to 32 * `vectors` weights of `n` events in 16 bits. */
PM_INLINE void pm_sum_block(const int vectors, __m512i *totals, const uint8_t *w,
                            const uint32_t *at, int32_t n, const int is_signed) {
  for (int32_t e = 0; e < n; e++) {
    const uint8_t *row = w + at[e];
    for (int i = 0; i < vectors; i++)
      totals[i] = _mm512_add_epi16(totals[i], pm_weights16(row + 32 * i, is_signed));
  }
}

PM_INLINE void pm_add16_block(const int vectors, int16_t *sums, const uint8_t *w,
                              const uint32_t *at, int32_t n, int32_t count, int left,
                              const int is_signed) {
  __m512i totals[8];
  const __mmask32 last = pm_tail32(count - 32 * (vectors - 1));
  if (left) {
    const __m128i shift = _mm_cvtsi32_si128(left);
    for (int i = 0; i < vectors; i++) totals[i] = _mm512_setzero_si512();
    pm_sum_block(vectors, totals, w, at, n, is_signed);
    for (int i = 0; i < vectors; i++)
      totals[i] = _mm512_add_epi16(_mm512_sll_epi16(totals[i], shift),
                                   _mm512_loadu_si512(sums + 32 * i));
  } else {
    for (int i = 0; i < vectors; i++) totals[i] = _mm512_loadu_si512(sums + 32 * i);
    pm_sum_block(vectors, totals, w, at, n, is_signed);
  }
  for (int i = 0; i < vectors - 1; i++) _mm512_storeu_si512(sums + 32 * i, totals[i]);
  _mm512_mask_storeu_epi16(sums + 32 * (vectors - 1), last, totals[vectors - 1]);
}

PM_INLINE void pm_add32_block(const int vectors, int32_t *sums, const uint8_t *w,
                              const uint32_t *at, int32_t n, int32_t count, int left,
                              const int is_signed) {
  __m512i totals[8];
  const __m128i shift = _mm_cvtsi32_si128(left);
  for (int i = 0; i < vectors; i++) totals[i] = _mm512_setzero_si512();
  pm_sum_block(vectors, totals, w, at, n, is_signed);
  for (int i = 0; i < vectors; i++, sums += 32, count -= 32) {
    __m512i low = _mm512_cvtepi16_epi32(_mm512_castsi512_si256(totals[i]));
    __m512i high = _mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64(totals[i], 1));
    low = _mm512_add_epi32(_mm512_loadu_si512(sums), _mm512_sll_epi32(low, shift));
    high = _mm512_add_epi32(_mm512_loadu_si512(sums + 16), _mm512_sll_epi32(high, shift));
    if (i < vectors - 1) {
      _mm512_storeu_si512(sums, low);
      _mm512_storeu_si512(sums + 16, high);
    } else {
      const uint32_t last = pm_tail32(count);
      _mm512_mask_storeu_epi32(sums, (__mmask16)last, low);
      _mm512_mask_storeu_epi32(sums + 16, (__mmask16)(last >> 16), high);
    }
  }
}

#define PM_BLOCKS(add)                                                                  \
  for (; count > 256; count -= 256, sums += 256, w += 256)                              \
    add(8, sums, w, at, n, 256, left, is_signed);                                       \
  switch ((count + 31) / 32) {                                                          \
    case 1: add(1, sums, w, at, n, count, left, is_signed); break;                      \
    case 2: add(2, sums, w, at, n, count, left, is_signed); break;                      \
    case 3: add(3, sums, w, at, n, count, left, is_signed); break;                      \
    case 4: add(4, sums, w, at, n, count, left, is_signed); break;                      \
    case 5: add(5, sums, w, at, n, count, left, is_signed); break;                      \
    case 6: add(6, sums, w, at, n, count, left, is_signed); break;                      \
    case 7: add(7, sums, w, at, n, count, left, is_signed); break;                      \
    case 8: add(8, sums, w, at, n, count, left, is_signed); break;                      \
    default: break;                                                                     \
  }

/* Add `count` weights, shifted left, of each of `n` events. */
PM_INLINE void pm_add16(int16_t *sums, const uint8_t *w, const uint32_t *at, int32_t n,
                        int32_t count, int left, const int is_signed) {
  PM_BLOCKS(pm_add16_block)
}

PM_INLINE void pm_add32(int32_t *sums, const uint8_t *w, const uint32_t *at, int32_t n,
                        int32_t count, int left, const int is_signed) {
  PM_BLOCKS(pm_add32_block)
}

/* A run of at most 32 * PM_RUN_VECTORS targets of one source position; see pm_add_position. */
#define PM_RUN_LANES 32
#define PM_RUN_VECTORS 8
typedef __mmask32 pm_run_mask;

PM_INLINE void pm_mask_run(const int vectors, pm_run_mask *masks, int32_t count) {
  static const int16_t lanes[32] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                    16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
  const __m512i each = _mm512_loadu_si512(lanes);
  for (int i = 0; i < vectors; i++)
    masks[i] = _mm512_cmplt_epi16_mask(each, _mm512_set1_epi16((int16_t)(count - 32 * i)));
}

/* Add a run of `fixed` events, or of `n` if that is 0; lanes out of the masks stay as they are. */
PM_INLINE void pm_add_run(const int vectors, const int fixed, const int wide, void *sums,
                          ptrdiff_t target, const uint8_t *w, const uint32_t *at, int32_t n,
                          const pm_run_mask *masks, const int is_signed, int left) {
  __m512i totals[PM_RUN_VECTORS];
  int16_t *sums16 = (int16_t *)sums + target;
  int32_t *sums32 = (int32_t *)sums + target;
  for (int i = 0; i < vectors; i++)
    totals[i] = wide ? _mm512_setzero_si512() : _mm512_loadu_si512(sums16 + 32 * i);
  const int32_t count = fixed ? fixed : n;
  for (int32_t e = 0; e < count; e++) {
    const uint8_t *row = w + at[e];
    for (int i = 0; i < vectors; i++) {
      const __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)(row + 32 * i));
      totals[i] = _mm512_add_epi16(totals[i],
                                   is_signed ? _mm512_maskz_cvtepi8_epi16(masks[i], bytes)
                                             : _mm512_maskz_cvtepu8_epi16(masks[i], bytes));
    }
  }
  const __m128i shift = _mm_cvtsi32_si128(left);
  for (int i = 0; i < vectors; i++) {
    if (!wide) {
      _mm512_storeu_si512(sums16 + 32 * i, totals[i]);
      continue;
    }
    __m512i low = _mm512_cvtepi16_epi32(_mm512_castsi512_si256(totals[i]));
    __m512i high = _mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64(totals[i], 1));
    low = _mm512_add_epi32(_mm512_loadu_si512(sums32 + 32 * i), _mm512_sll_epi32(low, shift));
    high =
        _mm512_add_epi32(_mm512_loadu_si512(sums32 + 32 * i + 16), _mm512_sll_epi32(high, shift));
    _mm512_storeu_si512(sums32 + 32 * i, low);
    _mm512_storeu_si512(sums32 + 32 * i + 16, high);
  }
}

/* Add value times weight for each of `n` events; weights of event e start at w + at[e]. */
#define PM_ADD_GRADED
PM_INLINE void pm_add_graded_vectors(void *sums, const int wide, const uint8_t *w,
                                     const uint32_t *at, const uint8_t *values, int32_t n,
                                     int32_t count, int left, const int is_signed) {
  const __m128i shift = _mm_cvtsi32_si128(left);
  for (int32_t lane = 0; lane < count; lane += 32) {
    const __mmask32 inside = pm_tail32(count - lane);
    __m512i low = _mm512_setzero_si512(), high = low;
    for (int32_t e = 0; e < n; e++) {
      const uint8_t *row = w + at[e] + lane;
      if (wide && !is_signed) { /* products of bytes without sign have 16 bits */
        const __m512i value = _mm512_set1_epi32(values[e]);
        const __m128i *from = (const __m128i *)(const void *)row;
        low = _mm512_add_epi32(
            low, _mm512_mullo_epi32(_mm512_cvtepu8_epi32(_mm_loadu_si128(from)), value));
        high = _mm512_add_epi32(
            high, _mm512_mullo_epi32(_mm512_cvtepu8_epi32(_mm_loadu_si128(from + 1)), value));
        continue;
      }
      const __m512i product =
          _mm512_mullo_epi16(pm_weights16(row, is_signed), _mm512_set1_epi16(values[e]));
      if (wide) {
        low = _mm512_add_epi32(low, _mm512_cvtepi16_epi32(_mm512_castsi512_si256(product)));
        high = _mm512_add_epi32(
            high, _mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64(product, 1)));
      } else {
        low = _mm512_add_epi16(low, product);
      }
    }
    if (wide) {
      int32_t *to = (int32_t *)sums + lane;
      low = _mm512_add_epi32(_mm512_loadu_si512(to), _mm512_sll_epi32(low, shift));
      high = _mm512_add_epi32(_mm512_loadu_si512(to + 16), _mm512_sll_epi32(high, shift));
      _mm512_mask_storeu_epi32(to, (__mmask16)inside, low);
      _mm512_mask_storeu_epi32(to + 16, (__mmask16)(inside >> 16), high);
    } else {
      int16_t *to = (int16_t *)sums + lane;
      low = _mm512_add_epi16(_mm512_loadu_si512(to), _mm512_sll_epi16(low, shift));
      _mm512_mask_storeu_epi16(to, inside, low);
    }
  }
}

static void pm_add_graded(void *sums, int wide, const uint8_t *w, const uint32_t *at,
                          const uint8_t *values, int32_t n, int32_t count, int left,
                          int is_signed) {
  if (wide && is_signed)
    pm_add_graded_vectors(sums, 1, w, at, values, n, count, left, 1);
  else if (wide)
    pm_add_graded_vectors(sums, 1, w, at, values, n, count, left, 0);
  else if (is_signed)
    pm_add_graded_vectors(sums, 0, w, at, values, n, count, left, 1);
  else
    pm_add_graded_vectors(sums, 0, w, at, values, n, count, left, 0);
}

/* Add the products of four unsigned and signed bytes to each of 16 sums, or of the lower 8. GCC
 * copies the sums of its own intrinsic from register to register. */
#if defined(__GNUC__)
#define PM_DPBUSD(sum, u, s) __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(u), "v"(s))
#define PM_DPBUSD_HALF(sum, u, s) __asm__("vpdpbusd %t2, %t1, %t0" : "+v"(sum) : "v"(u), "v"(s))
#else
#define PM_DPBUSD(sum, u, s) ((sum) = _mm512_dpbusd_epi32(sum, u, s))
#define PM_DPBUSD_HALF(sum, u, s)                                         \
  ((sum) = _mm512_castsi256_si512(_mm256_dpbusd_epi32(                    \
       _mm512_castsi512_si256(sum), _mm512_castsi512_si256(u), _mm512_castsi512_si256(s))))
#endif

/* Add what `n` windows see, in fours of bytes, times the weights of 8, 16, 24 or 32 lanes. Sums of
 * each row stay in registers, a0 to b7, which arrays would not. */
#define PM_EACH_ROW(use) use(0) use(1) use(2) use(3) use(4) use(5) use(6) use(7)
#define PM_ROW_START(r)                               \
  __m512i a##r = _mm512_setzero_si512(), b##r = a##r; \
  const uint8_t *seen##r = n > r ? rows[r] : NULL;
#define PM_ROW_DOT(sum, u, s, width) \
  if ((width) >= 16) PM_DPBUSD(sum, u, s); else if ((width) == 8) PM_DPBUSD_HALF(sum, u, s)
#define PM_ROW_MULTIPLY(r)                              \
  if (n > r) {                                          \
    int32_t four;                                       \
    memcpy(&four, seen##r + offset, 4);                 \
    const __m512i values = _mm512_set1_epi32(four);     \
    if (is_signed) {                                    \
      PM_ROW_DOT(a##r, values, first, lanes);           \
      PM_ROW_DOT(b##r, values, second, lanes - 16);     \
    } else {                                            \
      PM_ROW_DOT(a##r, first, values, lanes);           \
      PM_ROW_DOT(b##r, second, values, lanes - 16);     \
    }                                                   \
  }
#define PM_ROW_END(r)                                                     \
  if (n > r) {                                                            \
    pm_dot_store(a##r, sums, targets[r], wide, shift, lanes);             \
    if (lanes > 16) pm_dot_store(b##r, sums, targets[r] + 16, wide, shift, lanes - 16); \
  }

PM_INLINE __m512i pm_load_lanes(const uint8_t *w, const int lanes) {
  return lanes >= 16 ? _mm512_loadu_si512(w)
                     : _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)(const void *)w));
}

PM_INLINE void pm_dot_store(__m512i total, void *sums, ptrdiff_t target, int wide, __m128i shift,
                            const int lanes) {
  total = _mm512_sll_epi32(total, shift);
  if (wide && lanes >= 16) {
    int32_t *to = (int32_t *)sums + target;
    _mm512_storeu_si512(to, _mm512_add_epi32(_mm512_loadu_si512(to), total));
  } else if (wide) {
    __m256i *to = (__m256i *)(void *)((int32_t *)sums + target);
    _mm256_storeu_si256(
        to, _mm256_add_epi32(_mm256_loadu_si256(to), _mm512_castsi512_si256(total)));
  } else if (lanes >= 16) {
    __m256i *to = (__m256i *)(void *)((int16_t *)sums + target);
    _mm256_storeu_si256(to,
                        _mm256_add_epi16(_mm256_loadu_si256(to), _mm512_cvtepi32_epi16(total)));
  } else {
    __m128i *to = (__m128i *)(void *)((int16_t *)sums + target);
    const __m128i eight = _mm256_cvtepi32_epi16(_mm512_castsi512_si256(total));
    _mm_storeu_si128(to, _mm_add_epi16(_mm_loadu_si128(to), eight));
  }
}

PM_INLINE void pm_dot_block(const int n, const int lanes, const uint8_t *const *rows,
                            const ptrdiff_t *targets, const int32_t *offsets, int32_t quads,
                            const uint8_t *w, void *sums, int wide, int left,
                            const int is_signed) {
  const uint8_t *next = w + (ptrdiff_t)quads * 64;
  const __m128i shift = _mm_cvtsi32_si128(left);
  PM_EACH_ROW(PM_ROW_START)
  for (int32_t quad = 0; quad < quads; quad++) {
    const ptrdiff_t offset = offsets[quad];
    const __m512i first = pm_load_lanes(w, lanes);
    const __m512i second = lanes > 16 ? pm_load_lanes(next, lanes - 16) : first;
    PM_EACH_ROW(PM_ROW_MULTIPLY)
    w += lanes >= 16 ? 64 : 32;
    next += lanes >= 32 ? 64 : 32;
  }
  PM_EACH_ROW(PM_ROW_END)
}

#define PM_DOT(n, lanes) \
  pm_dot_block(n, lanes, rows, targets, offsets, quads, w, sums, wide, left, is_signed)
#define PM_DOT_LANES(n)                 \
  case n:                               \
    switch (lanes) {                    \
      case 8: PM_DOT(n, 8); break;      \
      case 16: PM_DOT(n, 16); break;    \
      case 24: PM_DOT(n, 24); break;    \
      default: PM_DOT(n, 32); break;    \
    }                                   \
    break;
#define PM_DOT_ROWS(name, sign)                                                                  \
  PM_NOINLINE static void name(const uint8_t *const *rows, const ptrdiff_t *targets, int32_t n,  \
                               int lanes, const int32_t *offsets, int32_t quads,                 \
                               const uint8_t *w, void *sums, int wide, int left) {               \
    const int is_signed = sign;                                                                  \
    switch (n) {                                                                                 \
      PM_DOT_LANES(1)                                                                            \
      PM_DOT_LANES(2)                                                                            \
      PM_DOT_LANES(3)                                                                            \
      PM_DOT_LANES(4)                                                                            \
      PM_DOT_LANES(5)                                                                            \
      PM_DOT_LANES(6)                                                                            \
      PM_DOT_LANES(7)                                                                            \
      PM_DOT_LANES(8)                                                                            \
      default: break;                                                                            \
    }                                                                                            \
  }
PM_DOT_ROWS(pm_dot_signed, 1)
PM_DOT_ROWS(pm_dot_unsigned, 0)

static inline void pm_dot_rows(const uint8_t *const *rows, const ptrdiff_t *targets, int32_t n,
                               int lanes, const int32_t *offsets, int32_t quads, const uint8_t *w,
                               void *sums, int wide, int left, int is_signed) {
  if (is_signed)
    pm_dot_signed(rows, targets, n, lanes, offsets, quads, w, sums, wide, left);
  else
    pm_dot_unsigned(rows, targets, n, lanes, offsets, quads, w, sums, wide, left);
}

/* factor / 4096 of 16 states of 24 bits, rounded towards zero. */
PM_INLINE __m512i pm_keep16(__m512i v, __m512i factor) {
  const __m512i size = _mm512_abs_epi32(v);
  const __m512i high = _mm512_madd_epi16(_mm512_srli_epi32(size, 12), factor);
  const __m512i low =
      _mm512_madd_epi16(_mm512_and_si512(size, _mm512_set1_epi32(4095)), factor);
  const __m512i kept = _mm512_add_epi32(high, _mm512_srli_epi32(low, 12));
  return _mm512_mask_sub_epi32(kept, _mm512_movepi32_mask(v), _mm512_setzero_si512(), kept);
}

#define PM_LOAD32(from) \
  (full ? _mm512_loadu_si512(from) : _mm512_maskz_loadu_epi32(here, from))
#define PM_LOAD16(from)                                                 \
  (full ? _mm256_loadu_si256((const __m256i *)(const void *)(from)) \
        : _mm256_maskz_loadu_epi16(here, from))
#define PM_STORE32(to, values)                          \
  do {                                                  \
    if (full)                                           \
      _mm512_storeu_si512(to, values);                  \
    else                                                \
      _mm512_mask_storeu_epi32(to, here, values);       \
  } while (0)

PM_INLINE void pm_update_block(const int wide, const int update, const int uniform,
                               const pm_population *p, const int32_t *sums32,
                               const int16_t *sums16, int32_t *current, int32_t *voltage,
                               uint8_t *sent, const int16_t *factors, const int32_t *levels,
                               int32_t count) {
  const __m512i lowest = _mm512_set1_epi32(-8388607), highest = _mm512_set1_epi32(8388607);
  const __m512i half = _mm512_set1_epi32(8388608), whole = _mm512_set1_epi32(16777216);
  const __m512i minus_half = _mm512_set1_epi32(-8388608);
  const __m128i left = _mm_cvtsi32_si128(p->left);
  const int32_t *biases = levels + p->period;
  const int16_t *kept = factors + p->period;
  __m512i threshold = _mm512_set1_epi32(levels[0]), bias = _mm512_set1_epi32(biases[0]);
  __m512i factor = _mm512_set1_epi32(kept[0]), other = _mm512_set1_epi32(factors[0]);
  for (int32_t i = 0; i < count; i += 64) {
    __mmask16 spikes[4];
    const int full = count - i >= 64;
    const uint64_t inside = full ? ~UINT64_C(0) : (UINT64_C(1) << (count - i)) - 1;
    for (int k = 0; k < 4; k++) {
      const int32_t at = i + 16 * k;
      const __mmask16 here = (__mmask16)(inside >> (16 * k));
      __m512i u = wide ? _mm512_loadu_si512(sums32 + at)
                       : _mm512_cvtepi16_epi32(
                             _mm256_loadu_si256((const __m256i *)(const void *)(sums16 + at)));
      __m512i v = PM_LOAD32(voltage + at);
      if (!uniform) {
        threshold = PM_LOAD32(levels + at);
        bias = PM_LOAD32(biases + at);
        if (update != PM_PLAIN) factor = _mm512_cvtepi16_epi32(PM_LOAD16(kept + at));
        if (update == PM_CURRENT) other = _mm512_cvtepi16_epi32(PM_LOAD16(factors + at));
      }
      u = _mm512_sll_epi32(u, left);
      if (update == PM_CURRENT)
        u = _mm512_add_epi32(u, pm_keep16(PM_LOAD32(current + at), other));
      if (update >= PM_WRAP) {
        u = _mm512_mask_sub_epi32(u, _mm512_cmpgt_epi32_mask(u, half), u, whole);
        u = _mm512_mask_add_epi32(u, _mm512_cmple_epi32_mask(u, minus_half), u, whole);
      }
      if (update == PM_CURRENT) PM_STORE32(current + at, u);
      if (update != PM_PLAIN) v = pm_keep16(v, factor);
      v = _mm512_add_epi32(_mm512_add_epi32(v, bias), u);
      v = _mm512_min_epi32(_mm512_max_epi32(v, lowest), highest);
      spikes[k] = _mm512_cmpgt_epi32_mask(v, threshold);
      v = _mm512_maskz_mov_epi32((__mmask16)~spikes[k], v);
      PM_STORE32(voltage + at, v);
    }
    const __mmask64 all = _mm512_kunpackd(_mm512_kunpackw(spikes[3], spikes[2]),
                                          _mm512_kunpackw(spikes[1], spikes[0]));
    const __m512i ones = _mm512_maskz_set1_epi8(all, 1);
    if (full)
      _mm512_storeu_si512(sent + i, ones);
    else
      _mm512_mask_storeu_epi8(sent + i, inside, ones);
  }
}

/* A group follows synapses once for all its samples from so many quarters of an active sample a
 * source on. */
#define PM_LANE_QUARTERS 8
#define PM_FOLLOW_LANES

PM_INLINE void pm_lane_step(__m512i *total, const uint8_t *w, const uint16_t *sources,
                            const uint32_t *active, int32_t s, const int is_signed) {
  const int16_t weight = is_signed ? (int8_t)w[s] : w[s];
  *total = _mm512_mask_add_epi16(*total, (__mmask32)active[sources[s]], *total,
                                 _mm512_set1_epi16(weight));
}

PM_INLINE void pm_follow_lanes_signed(int16_t *sums, const int32_t *starts, const uint8_t *w,
                                      const uint16_t *sources, const uint32_t *active,
                                      int32_t targets, int left, const int is_signed) {
  const __m128i shift = _mm_cvtsi32_si128(left);
  for (int32_t i = 0; i < targets; i++, sums += PM_GROUP) {
    __m512i a = _mm512_setzero_si512(), b = a;
    int32_t s = starts[i];
    const int32_t last = starts[i + 1];
    for (; s + 2 <= last; s += 2) {
      pm_lane_step(&a, w, sources, active, s, is_signed);
      pm_lane_step(&b, w, sources, active, s + 1, is_signed);
    }
    if (s < last) pm_lane_step(&a, w, sources, active, s, is_signed);
    a = _mm512_sll_epi16(_mm512_add_epi16(a, b), shift);
    _mm512_storeu_si512(sums, _mm512_add_epi16(_mm512_loadu_si512(sums), a));
  }
}

/* Add to the sums of each target, one lane a sample, the weights of sources that are active. */
static void pm_follow_lanes(int16_t *sums, const int32_t *starts, const uint8_t *w,
                            const uint16_t *sources, const uint32_t *active, int32_t targets,
                            int left, int is_signed) {
  if (is_signed)
    pm_follow_lanes_signed(sums, starts, w, sources, active, targets, left, 1);
  else
    pm_follow_lanes_signed(sums, starts, w, sources, active, targets, left, 0);
}

#include "core_body.h"

#if defined(__clang__)
#pragma clang attribute pop
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif

#endif

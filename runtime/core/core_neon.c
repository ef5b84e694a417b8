/* The core for AArch64 with NEON; core_neon_dot.c compiles it with dot products. */
#include "core.h"
#include "core_bits.h"

#if defined(__aarch64__) || defined(_M_ARM64)

#if defined(PM_DOT_PRODUCTS)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif
#define PM_ADVANCE pm_advance_neon_dot
#define PM_ADVANCE_GROUP pm_advance_group_neon_dot
#else
#define PM_ADVANCE pm_advance_neon
#define PM_ADVANCE_GROUP pm_advance_group_neon
#endif

#include <arm_neon.h>
#include <string.h>

PM_INLINE uint64_t pm_nonzero_bits(const uint8_t *values) {
  static const uint8_t powers[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  const uint8x16_t bit = vld1q_u8(powers);
  uint8x16_t each[4];
  for (int i = 0; i < 4; i++) {
    const uint8x16_t block = vld1q_u8(values + 16 * i);
    each[i] = vandq_u8(vtstq_u8(block, block), bit);
  }
  uint8x16_t sums = vpaddq_u8(vpaddq_u8(each[0], each[1]), vpaddq_u8(each[2], each[3]));
  sums = vpaddq_u8(sums, sums);
  return vgetq_lane_u64(vreinterpretq_u64_u8(sums), 0);
}

/* Count which of 64 values, of steps `stride` bytes apart, are not zero. */
PM_INLINE void pm_count_block(int32_t *counts, const uint8_t *values, ptrdiff_t stride,
                              int32_t steps, int graded) {
  const uint8x16_t one = vdupq_n_u8(1);
  for (int part = 0; part < 4; part++, values += 16, counts += 16) {
    const uint8_t *from = values;
    uint8x16_t sum = vdupq_n_u8(0);
    for (int32_t step = 0; step < steps; step++, from += stride)
      sum = vaddq_u8(sum, graded ? vminq_u8(vld1q_u8(from), one) : vld1q_u8(from));
    const uint16x8_t half[2] = {vmovl_u8(vget_low_u8(sum)), vmovl_u8(vget_high_u8(sum))};
    for (int i = 0; i < 2; i++) {
      int32_t *to = counts + 8 * i;
      vst1q_s32(to, vaddq_s32(vld1q_s32(to),
                              vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(half[i])))));
      vst1q_s32(to + 4, vaddq_s32(vld1q_s32(to + 4),
                                  vreinterpretq_s32_u32(vmovl_u16(vget_high_u16(half[i])))));
    }
  }
}

/* A run of at most 16 * PM_RUN_VECTORS targets of one source position; see pm_add_position. */
#define PM_RUN_LANES 16
#define PM_RUN_VECTORS 8
typedef int16x8x2_t pm_run_mask;

PM_INLINE void pm_mask_run(const int vectors, pm_run_mask *masks, int32_t count) {
  static const int16_t lanes[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  for (int i = 0; i < vectors; i++) {
    const int16x8_t inside = vdupq_n_s16((int16_t)(count - 16 * i));
    masks[i].val[0] = vreinterpretq_s16_u16(vcltq_s16(vld1q_s16(lanes), inside));
    masks[i].val[1] = vreinterpretq_s16_u16(vcltq_s16(vld1q_s16(lanes + 8), inside));
  }
}

/* Add a run of `fixed` events, or of `n` if that is 0; lanes out of the masks stay as they are. */
PM_INLINE void pm_add_run(const int vectors, const int fixed, const int wide, void *sums,
                          ptrdiff_t target, const uint8_t *w, const uint32_t *at, int32_t n,
                          const pm_run_mask *masks, const int is_signed, int left) {
  int16x8_t low[PM_RUN_VECTORS], high[PM_RUN_VECTORS];
  int16_t *sums16 = (int16_t *)sums + target;
  int32_t *sums32 = (int32_t *)sums + target;
  for (int i = 0; i < vectors; i++) low[i] = high[i] = vdupq_n_s16(0);
  const int32_t count = fixed ? fixed : n;
  for (int32_t e = 0; e < count; e++) {
    const uint8_t *row = w + at[e];
    for (int i = 0; i < vectors; i++) {
      const uint8x16_t held = vld1q_u8(row + 16 * i);
      if (is_signed) {
        const int8x16_t weights = vreinterpretq_s8_u8(held);
        low[i] = vaddw_s8(low[i], vget_low_s8(weights));
        high[i] = vaddw_high_s8(high[i], weights);
      } else {
        low[i] = vreinterpretq_s16_u16(
            vaddw_u8(vreinterpretq_u16_s16(low[i]), vget_low_u8(held)));
        high[i] =
            vreinterpretq_s16_u16(vaddw_high_u8(vreinterpretq_u16_s16(high[i]), held));
      }
    }
  }
  const int16x8_t shift16 = vdupq_n_s16((int16_t)left);
  const int32x4_t shift = vdupq_n_s32(left);
  for (int i = 0; i < vectors; i++) {
    const int16x8_t both[2] = {vandq_s16(low[i], masks[i].val[0]),
                               vandq_s16(high[i], masks[i].val[1])};
    for (int k = 0; k < 2; k++) {
      if (!wide) {
        int16_t *to = sums16 + 16 * i + 8 * k;
        vst1q_s16(to, vaddq_s16(vld1q_s16(to), vshlq_s16(both[k], shift16)));
        continue;
      }
      int32_t *to = sums32 + 16 * i + 8 * k;
      const int32x4_t first = vshlq_s32(vmovl_s16(vget_low_s16(both[k])), shift);
      const int32x4_t second = vshlq_s32(vmovl_s16(vget_high_s16(both[k])), shift);
      vst1q_s32(to, vaddq_s32(vld1q_s32(to), first));
      vst1q_s32(to + 4, vaddq_s32(vld1q_s32(to + 4), second));
    }
  }
}

/* Add `count` weights, shifted left, of each of `n` events. */
PM_INLINE void pm_add_all(const int wide, void *sums, const uint8_t *w, const uint32_t *at,
                          int32_t n, int32_t count, int left, const int is_signed) {
  pm_run_mask masks[PM_RUN_VECTORS];
  for (ptrdiff_t done = 0; count > 0; count -= 128, done += 128, w += 128) {
    pm_mask_run(8, masks, count < 128 ? count : 128);
    if (count > 64)
      pm_add_run(8, 0, wide, sums, done, w, at, n, masks, is_signed, left);
    else if (count > 16)
      pm_add_run(4, 0, wide, sums, done, w, at, n, masks, is_signed, left);
    else
      pm_add_run(1, 0, wide, sums, done, w, at, n, masks, is_signed, left);
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

/* Add the products of four bytes of values, no more than six bits each, and of weights. */
PM_INLINE int32x4_t pm_dot(int32x4_t sum, uint8x16_t values, uint8x16_t weights,
                           const int is_signed) {
#if defined(PM_DOT_PRODUCTS)
  if (is_signed)
    return vdotq_s32(sum, vreinterpretq_s8_u8(values), vreinterpretq_s8_u8(weights));
  return vreinterpretq_s32_u32(vdotq_u32(vreinterpretq_u32_s32(sum), values, weights));
#else
  if (is_signed) {
    const int8x16_t v = vreinterpretq_s8_u8(values), w = vreinterpretq_s8_u8(weights);
    const int16x8_t low = vmull_s8(vget_low_s8(v), vget_low_s8(w)), high = vmull_high_s8(v, w);
    return vpadalq_s16(sum, vpaddq_s16(low, high));
  }
  const uint16x8_t low = vmull_u8(vget_low_u8(values), vget_low_u8(weights));
  const uint16x8_t high = vmull_high_u8(values, weights);
  return vreinterpretq_s32_u32(
      vpadalq_u16(vreinterpretq_u32_s32(sum), vpaddq_u16(low, high)));
#endif
}

/* Add what up to four windows see, in fours of bytes, times the weights of 8 or 16 lanes. */
PM_INLINE void pm_dot_block(const int n, const int lanes, const uint8_t *const *rows,
                            const ptrdiff_t *targets, const int32_t *offsets, int32_t quads,
                            const uint8_t *w, void *sums, int wide, int left,
                            const int is_signed) {
  int32x4_t totals[4][4];
  for (int row = 0; row < n; row++)
    for (int i = 0; i < lanes / 4; i++) totals[row][i] = vdupq_n_s32(0);
  for (int32_t quad = 0; quad < quads; quad++, w += 4 * lanes) {
    uint8x16_t held[4];
    for (int i = 0; i < lanes / 4; i++) held[i] = vld1q_u8(w + 16 * i);
    for (int row = 0; row < n; row++) {
      uint32_t four;
      memcpy(&four, rows[row] + offsets[quad], 4);
      const uint8x16_t values = vreinterpretq_u8_u32(vdupq_n_u32(four));
      for (int i = 0; i < lanes / 4; i++)
        totals[row][i] = pm_dot(totals[row][i], values, held[i], is_signed);
    }
  }
  const int32x4_t shift = vdupq_n_s32(left);
  for (int row = 0; row < n; row++)
    for (int i = 0; i < lanes / 4; i++) {
      const int32x4_t total = vshlq_s32(totals[row][i], shift);
      if (wide) {
        int32_t *to = (int32_t *)sums + targets[row] + 4 * i;
        vst1q_s32(to, vaddq_s32(vld1q_s32(to), total));
      } else {
        int16_t *to = (int16_t *)sums + targets[row] + 4 * i;
        vst1_s16(to, vadd_s16(vld1_s16(to), vmovn_s32(total)));
      }
    }
}

#define PM_DOT(n, lanes, sign) \
  pm_dot_block(n, lanes, rows + row, onto, offsets, quads, from, sums, wide, left, sign)
#define PM_DOT_CASE(n)                            \
  case n:                                         \
    if (is_signed && width > 8) PM_DOT(n, 16, 1); \
    else if (is_signed) PM_DOT(n, 8, 1);          \
    else if (width > 8) PM_DOT(n, 16, 0);         \
    else PM_DOT(n, 8, 0);                         \
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

/* factor / 4096 of 4 states of 24 bits, rounded towards zero. */
PM_INLINE int32x4_t pm_keep4(int32x4_t v, int32x4_t factor) {
  const int32x4_t size = vabsq_s32(v);
  const int32x4_t low = vmulq_s32(vandq_s32(size, vdupq_n_s32(4095)), factor);
  const int32x4_t kept = vaddq_s32(vmulq_s32(vshrq_n_s32(size, 12), factor), vshrq_n_s32(low, 12));
  return vbslq_s32(vcltzq_s32(v), vnegq_s32(kept), kept);
}

PM_INLINE void pm_update_four(const int wide, const int update, const pm_population *p,
                              const int32_t *sums32, const int16_t *sums16, int32_t *current,
                              int32_t *voltage, uint8_t *sent, int32x4_t factor, int32x4_t other,
                              int32x4_t threshold, int32x4_t bias) {
  const int32x4_t half = vdupq_n_s32(8388608), minus = vdupq_n_s32(-8388607);
  const int32x4_t whole = vdupq_n_s32(16777216);
  int32x4_t u = wide ? vld1q_s32(sums32) : vmovl_s16(vld1_s16(sums16));
  int32x4_t v = vld1q_s32(voltage);
  u = vshlq_s32(u, vdupq_n_s32(p->left));
  if (update == PM_CURRENT) u = vaddq_s32(u, pm_keep4(vld1q_s32(current), other));
  if (update >= PM_WRAP) {
    const int32x4_t high = vandq_s32(vreinterpretq_s32_u32(vcgtq_s32(u, half)), whole);
    const int32x4_t low = vandq_s32(vreinterpretq_s32_u32(vcltq_s32(u, minus)), whole);
    u = vaddq_s32(vsubq_s32(u, high), low);
  }
  if (update == PM_CURRENT) vst1q_s32(current, u);
  if (update != PM_PLAIN) v = pm_keep4(v, factor);
  v = vaddq_s32(vaddq_s32(v, bias), u);
  v = vminq_s32(vmaxq_s32(v, minus), vdupq_n_s32(8388607));
  const uint32x4_t spike = vcgtq_s32(v, threshold);
  vst1q_s32(voltage, vbicq_s32(v, vreinterpretq_s32_u32(spike)));
  const uint16x4_t narrow = vmovn_u32(spike);
  const uint8x8_t bytes = vand_u8(vmovn_u16(vcombine_u16(narrow, narrow)), vdup_n_u8(1));
  uint32_t four = vget_lane_u32(vreinterpret_u32_u8(bytes), 0);
  memcpy(sent, &four, 4);
}

#include "core_rest.h"

PM_INLINE void pm_update_block(const int wide, const int update, const int uniform,
                               const pm_population *p, const int32_t *sums32,
                               const int16_t *sums16, int32_t *current, int32_t *voltage,
                               uint8_t *sent, const int16_t *factors, const int32_t *levels,
                               int32_t count) {
  const int32_t *biases = levels + p->period;
  const int16_t *kept = factors + p->period;
  int32x4_t threshold = vdupq_n_s32(levels[0]), bias = vdupq_n_s32(biases[0]);
  int32x4_t factor = vdupq_n_s32(kept[0]), other = vdupq_n_s32(factors[0]);
  int32_t i = 0;
  for (; i + 4 <= count; i += 4) {
    if (!uniform) {
      threshold = vld1q_s32(levels + i);
      bias = vld1q_s32(biases + i);
      factor = vmovl_s16(vld1_s16(kept + i));
      other = vmovl_s16(vld1_s16(factors + i));
    }
    pm_update_four(wide, update, p, wide ? sums32 + i : NULL, wide ? NULL : sums16 + i,
                   current + i, voltage + i, sent + i, factor, other, threshold, bias);
  }
  if (i < count) { /* the last few, in memory of their own */
    pm_rest rest = {0};
    pm_take_rest(&rest, wide, uniform, p, sums32, sums16, current, voltage, factors, levels, i,
                 count);
    pm_update_four(wide, update, p, rest.sums, rest.small, rest.current, rest.voltage, rest.sent,
                   vld1q_s32(rest.kept), vld1q_s32(rest.current_kept), vld1q_s32(rest.threshold),
                   vld1q_s32(rest.bias));
    pm_put_rest(&rest, update, current, voltage, sent, i, count);
  }
}

/* A group follows synapses once for all its samples from so many quarters of an active sample a
 * source on. */
#define PM_LANE_QUARTERS 60

#include "core_body.h"

#if defined(PM_DOT_PRODUCTS)
#if defined(__clang__)
#pragma clang attribute pop
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif
#endif

#endif

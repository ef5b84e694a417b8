/* The core in portable C: every compiler and processor, and microcontrollers. */
#include "core.h"
#include "core_bits.h"
#include "pumice_arithmetic.h"

#include <string.h>

#define PM_ADVANCE pm_advance_scalar
#define PM_ADVANCE_GROUP pm_advance_group_scalar
#define PM_RUN_VECTORS 0 /* runs of targets have no vectors of their own */

/* A bit for each of 64 values, 1 where it is not zero. */
PM_INLINE uint64_t pm_nonzero_bits(const uint8_t *values) {
  uint64_t bits = 0;
  for (int byte = 0; byte < 8; byte++, values += 8) {
    uint32_t low = values[0] | (uint32_t)values[1] << 8 | (uint32_t)values[2] << 16 |
                   (uint32_t)values[3] << 24;
    uint32_t high = values[4] | (uint32_t)values[5] << 8 | (uint32_t)values[6] << 16 |
                    (uint32_t)values[7] << 24;
    uint64_t word = low | (uint64_t)high << 32;
    if (!word) continue;
    word |= (word & UINT64_C(0x7f7f7f7f7f7f7f7f)) + UINT64_C(0x7f7f7f7f7f7f7f7f);
    word = (word >> 7) & UINT64_C(0x0101010101010101);
    bits |= ((word * UINT64_C(0x0102040810204080)) >> 56) << (8 * byte);
  }
  return bits;
}

/* Count which of 64 values, of steps `stride` bytes apart, are not zero. */
PM_INLINE void pm_count_block(int32_t *counts, const uint8_t *values, ptrdiff_t stride,
                              int32_t steps, int graded) {
  (void)graded;
  for (int32_t step = 0; step < steps; step++, values += stride)
    for (int i = 0; i < PM_BLOCK; i++) counts[i] += values[i] != 0;
}

/* Add `count` weights, shifted left, of each of `n` events. */
PM_INLINE void pm_add16(int16_t *sums, const uint8_t *w, const uint32_t *at, int32_t n,
                        int32_t count, int left, const int is_signed) {
  for (int32_t e = 0; e < n; e++) {
    const uint8_t *row = w + at[e];
    for (int32_t i = 0; i < count; i++) {
      int32_t weight = is_signed ? (int8_t)row[i] : row[i];
      sums[i] = (int16_t)(sums[i] + (int32_t)((uint32_t)weight << left));
    }
  }
}

PM_INLINE void pm_add32(int32_t *sums, const uint8_t *w, const uint32_t *at, int32_t n,
                        int32_t count, int left, const int is_signed) {
  for (int32_t e = 0; e < n; e++) {
    const uint8_t *row = w + at[e];
    for (int32_t i = 0; i < count; i++) {
      int32_t weight = is_signed ? (int8_t)row[i] : row[i];
      sums[i] = (int32_t)((uint32_t)sums[i] + ((uint32_t)weight << left));
    }
  }
}

/* Add what `n` windows see, in fours of bytes, times the weights of 8, 16, 24 or 32 lanes. */
static void pm_dot_rows(const uint8_t *const *rows, const ptrdiff_t *targets, int32_t n, int lanes,
                        const int32_t *offsets, int32_t quads, const uint8_t *weights, void *sums,
                        int wide, int left, int is_signed) {
  for (int32_t row = 0; row < n; row++) {
    for (int first = 0; first < lanes; first += PM_LANES) {
      const int width = lanes - first < PM_LANES ? lanes - first : PM_LANES;
      const uint8_t *w = weights + (ptrdiff_t)first * quads * 4;
      int32_t totals[PM_LANES] = {0};
      for (int32_t quad = 0; quad < quads; quad++, w += 4 * width) {
        const uint8_t *four = rows[row] + offsets[quad];
        for (int k = 0; k < 4; k++) {
          const int32_t value = four[k];
          if (!value) continue;
          if (is_signed)
            for (int lane = 0; lane < width; lane++)
              totals[lane] += value * (int8_t)w[4 * lane + k];
          else
            for (int lane = 0; lane < width; lane++) totals[lane] += value * w[4 * lane + k];
        }
      }
      const ptrdiff_t target = targets[row] + first;
      for (int lane = 0; lane < width; lane++) {
        uint32_t total = (uint32_t)totals[lane] << left;
        if (wide) {
          int32_t *to = (int32_t *)sums + target + lane;
          *to = (int32_t)((uint32_t)*to + total);
        } else {
          int16_t *to = (int16_t *)sums + target + lane;
          *to = (int16_t)((uint32_t)*to + total);
        }
      }
    }
  }
}

PM_INLINE void pm_update_block(const int wide, const int update, const int uniform,
                               const pm_population *p, const int32_t *sums32,
                               const int16_t *sums16, int32_t *restrict current,
                               int32_t *restrict voltage, uint8_t *restrict sent,
                               const int16_t *factors, const int32_t *levels, int32_t count) {
  const int32_t period = p->period;
  const int left = p->left;
  for (int32_t i = 0; i < count; i++) {
    const int32_t at = uniform ? 0 : i;
    uint32_t sum = (uint32_t)(wide ? sums32[i] : sums16[i]) << left;
    if (update == PM_CURRENT) sum += (uint32_t)pm_decay_32(current[i], factors[at]);
    int32_t u = (int32_t)sum;
    if (update >= PM_WRAP) u = pm_wrap(u);
    if (update == PM_CURRENT) current[i] = u;
    int32_t v = voltage[i];
    if (update != PM_PLAIN) v = pm_decay_32(v, factors[period + at]);
    v = pm_saturate((int32_t)((uint32_t)v + (uint32_t)u + (uint32_t)levels[period + at]));
    const int spike = v > levels[at];
    voltage[i] = spike ? 0 : v;
    sent[i] = (uint8_t)spike;
  }
}

/* A group follows synapses once for all its samples from so many quarters of an active sample a
 * source on. */
#define PM_LANE_QUARTERS 120

#include "core_body.h"

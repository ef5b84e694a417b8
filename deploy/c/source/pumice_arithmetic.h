/* Integer arithmetic of one timestep of the LIF neuron, as runtime/arithmetic.py of pumice defines it.
 *
 *   u = toward_zero(u * (4096 - current_decay), 12) + (a << 6), wrapped once to 24 bits
 *   v = toward_zero(v * (4096 - voltage_decay), 12) + u + bias, clipped to +-(2^23 - 1)
 *   spike = v > threshold << 6;  sent = clip(v >> 6, 1, max_value);  v = 0 where spike
 */
#ifndef PUMICE_ARITHMETIC_H
#define PUMICE_ARITHMETIC_H

#include <stdint.h>

#define PM_STATE_HALF INT32_C(8388608) /* 2^23 */

/* Multiply a state by kept / 4096, rounded towards zero. kept: 0 to 4096. */
static inline int32_t pm_decay(int32_t state, int32_t kept) {
  const uint32_t size = state < 0 ? (uint32_t)0 - (uint32_t)state : (uint32_t)state;
  const int32_t left = (int32_t)(((uint64_t)size * (uint32_t)kept) >> 12);
  return state < 0 ? -left : left;
}

/* The same of a voltage, below 2^23: the product is the upper half of a wider one. */
static inline int32_t pm_decay_voltage(int32_t voltage, int32_t kept) {
  const uint32_t sign = voltage < 0 ? UINT32_MAX : 0, factor = (uint32_t)kept << 11;
  const uint32_t size = (((uint32_t)voltage ^ sign) - sign) << 9;
  const uint32_t left = (uint32_t)(((uint64_t)size * factor) >> 32);
  return (int32_t)((left ^ sign) - sign);
}

/* Wrap a current by 2^24, once, where it left (-2^23, 2^23]. */
static inline int32_t pm_wrap(int32_t current) {
  if (current > PM_STATE_HALF) return current - 2 * PM_STATE_HALF;
  if (current <= -PM_STATE_HALF) return current + 2 * PM_STATE_HALF;
  return current;
}

/* Saturate a voltage at +-(2^23 - 1). */
static inline int32_t pm_saturate(int32_t voltage) {
  if (voltage > PM_STATE_HALF - 1) return PM_STATE_HALF - 1;
  if (voltage < 1 - PM_STATE_HALF) return 1 - PM_STATE_HALF;
  return voltage;
}

/* Shift right, rounding down. */
static inline int32_t pm_shift_right(int32_t x, int32_t bits) {
  return x < 0 ? ~(~x >> bits) : x >> bits;
}

/* Value of a graded spike at voltage v above its threshold. */
static inline int32_t pm_graded(int32_t v, int32_t max_value) {
  const int32_t value = pm_shift_right(v, 6);
  return value < 1 ? 1 : value > max_value ? max_value : value;
}

#endif

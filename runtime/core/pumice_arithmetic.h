/* Integer arithmetic of one timestep, as runtime/arithmetic.py and runtime/plasticity.py of pumice
 * define it; shared by the core of the CPU engine and the firmware. C99, freestanding.
 *
 *   u = toward_zero(u * (4096 - current_decay), 12) + (a << 6), wrapped once to 24 bits
 *   v = toward_zero(v * (4096 - voltage_decay), 12) + u + bias, clipped to +-(2^23 - 1)
 *   spike = v > threshold << 6;  sent = clip(v >> 6, 1, max_value);  v = 0 where spike
 */
#ifndef PUMICE_ARITHMETIC_H
#define PUMICE_ARITHMETIC_H

#include <stdint.h>

#define PM_STATE_HALF INT32_C(8388608) /* 2^23 */
#define PM_ALIGN_BITS 6                /* between weight units and those of the voltage */
#define PM_DECAY_BITS 12

/* Multiply a state by kept / 4096, rounded towards zero. kept: 0 to 4096. For processors that
 * multiply to 64 bits. */
static inline int32_t pm_decay(int32_t state, int32_t kept) {
  const uint32_t size = state < 0 ? (uint32_t)0 - (uint32_t)state : (uint32_t)state;
  const int32_t left = (int32_t)(((uint64_t)size * (uint32_t)kept) >> PM_DECAY_BITS);
  return state < 0 ? -left : left;
}

/* The same by products of 32 bits, of which vectors hold more. */
static inline int32_t pm_decay_32(int32_t state, int32_t kept) {
  const uint32_t size = state < 0 ? (uint32_t)0 - (uint32_t)state : (uint32_t)state;
  const uint32_t left = (size >> PM_DECAY_BITS) * (uint32_t)kept +
                        (((size & 4095u) * (uint32_t)kept) >> PM_DECAY_BITS);
  return (int32_t)(state < 0 ? (uint32_t)0 - left : left);
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
  return current > PM_STATE_HALF    ? current - 2 * PM_STATE_HALF
         : current <= -PM_STATE_HALF ? current + 2 * PM_STATE_HALF
                                     : current;
}

/* The sum of messages modulo 2^24, in [-2^23, 2^23). */
static inline int32_t pm_wrap24(uint32_t sum) {
  return (int32_t)((sum + PM_STATE_HALF) & (2 * PM_STATE_HALF - 1)) - PM_STATE_HALF;
}

/* Clip a voltage from below at `lowest` and from above at 2^23 - 1. */
static inline int32_t pm_clip_voltage(int32_t voltage, int32_t lowest) {
  const int32_t raised = voltage < lowest ? lowest : voltage;
  return raised > PM_STATE_HALF - 1 ? PM_STATE_HALF - 1 : raised;
}

/* Saturate a voltage at +-(2^23 - 1). */
static inline int32_t pm_saturate(int32_t voltage) {
  return pm_clip_voltage(voltage, 1 - PM_STATE_HALF);
}

/* Shift right, rounding down. */
static inline int32_t pm_shift_right(int32_t x, int32_t bits) {
  return x < 0 ? ~(~x >> bits) : x >> bits;
}

/* Value of a graded spike at voltage v above its threshold. */
static inline int32_t pm_graded(int32_t v, int32_t max_value) {
  const int32_t value = pm_shift_right(v, PM_ALIGN_BITS);
  return value < 1 ? 1 : value > max_value ? max_value : value;
}

/* Spikes of one timestep where each subtracts `amount`, above 0: one, and one more for each amount
 * by which the voltage is above its threshold; at most `most`. */
static inline int32_t pm_count_spikes(int32_t v, int32_t threshold, int32_t amount, int32_t most) {
  const int32_t count = 1 + (v - threshold - 1) / amount;
  return count < most ? count : most;
}

/* ---- plasticity ------------------------------------------------------------------------------- */

/* Advance the generator of stochastic rounding. */
static inline uint32_t pm_next_random(uint32_t state) {
  return UINT32_C(1664525) * state + UINT32_C(1013904223);
}

/* Let a trace, 0 to 127, decay to kept / 4096 and add `impulse` for a spike. r: 12 random bits. */
static inline int32_t pm_decay_trace(int32_t trace, int32_t kept, int32_t impulse, int32_t r) {
  const int32_t value = ((trace * kept + r) >> 12) + impulse;
  return value < 127 ? value : 127;
}

/* Weight change of one trace in 1/128, before the shift by the rule's exponent. factor: of the rule,
 * 0 to 7; tag: 0 to 255; room: 0 to 255, what is left to the weight's bound. */
static inline int32_t pm_weight_change(int32_t factor, int32_t tag, int32_t trace, int32_t room) {
  return pm_shift_right(factor * tag * trace * room, 14);
}

/* Add a change in 1/128 to a weight of 8 bits. r: 7 random bits. */
static inline int32_t pm_change_weight(int32_t weight, int32_t change, int32_t r) {
  const int32_t changed = pm_shift_right(weight * 128 + change + r, 7);
  return changed < 0 ? 0 : changed > 255 ? 255 : changed;
}

#endif

/* Event-driven spiking-network core for microcontrollers. C99, freestanding: no library, no
 * allocation, no recursion, no floating point. pumice_config.h selects what the network uses. */
#include "pumice_core.h"

#include "pumice_arithmetic.h"
#include "pumice_config.h"

#if PUMICE_ENCODER
#include "pumice_encoder.h"
#endif
#if PUMICE_PLASTIC
#include "pumice_plasticity.h"
#endif
#ifndef PUMICE_TRACE
#define PUMICE_TRACE 0 /* 1 records currents */
#endif
#if PUMICE_ENCODER || PUMICE_PLASTIC /* these use it */
#define PM_SHARED
#else
#define PM_SHARED static
#endif
#ifndef PUMICE_DSP /* 1 takes the DSP instructions of Arm's Cortex-M4, M7 and later */
#if defined(__GNUC__) && defined(__ARM_FEATURE_DSP) && defined(__ARM_FEATURE_UNALIGNED)
#define PUMICE_DSP 1
#else
#define PUMICE_DSP 0
#endif
#endif
#define PM_READY 0x52454459u
#define PM_TOGETHER 32 /* events whose weights are added in registers: their sums have 16 bits */
#define PM_RUNS (PUMICE_DENSE || PUMICE_CONV)
#define PM_BYTES (PUMICE_SIGNED_BYTES || PUMICE_UNSIGNED_BYTES)
#define PM_IS_SIGNED(c) (PUMICE_SIGNED_BYTES && (!PUMICE_UNSIGNED_BYTES || (c)->is_signed))
#define PM_CONNECTED (PUMICE_DENSE || PUMICE_SPARSE || PUMICE_CONV || PUMICE_POOL)

#define net pumice_network

static uint32_t pm_ready, pm_steps, pm_stopped;
#if PUMICE_HELD
static int32_t pm_held[PUMICE_HELD]; /* logits of the readout rule */
#endif

/* ---- bits ------------------------------------------------------------------------------------ */

#if defined(__GNUC__) && (defined(__ARM_FEATURE_CLZ) || defined(__x86_64__) || defined(__aarch64__))
static inline int32_t pm_lowest_bit(uint32_t bits) { return __builtin_ctz(bits); }
#else
static inline int32_t pm_lowest_bit(uint32_t bits) { /* by a de Bruijn sequence */
  static const uint8_t places[32] = {0,  1,  28, 2,  29, 14, 24, 3,  30, 22, 20, 15, 25, 17, 4,  8,
                                     31, 27, 13, 23, 21, 19, 16, 7,  26, 12, 18, 6,  11, 5,  10, 9};
  return places[((bits & ((uint32_t)0 - bits)) * UINT32_C(0x077CB531)) >> 27];
}
#endif

static const uint32_t *pm_mask(const pm_population *p, int32_t slot) {
  return net.masks + p->mask + slot * p->row;
}

#if PM_CONNECTED
/* Slot of the values that were sent `delay` timesteps ago. */
static int32_t pm_slot(int32_t population, int32_t delay) {
  const int32_t slot = (int32_t)net.slots[population] - delay;
  return slot < 0 ? slot + net.populations[population].slots : slot;
}
#endif

#if PUMICE_MESSAGES
/* Messages of a population that encodes changes, else NULL. */
static const int32_t *pm_messages(const pm_population *p, int32_t slot) {
  return p->kind >= PM_DELTA ? net.states + p->sent + slot * p->neurons : NULL;
}
#endif

/* Index (height, width, channel) of neuron (channel, height, width). */
static int32_t pm_place(const pm_population *p, int32_t neuron) {
  const int32_t positions = p->neurons / p->channels, channel = neuron / positions;
  return (neuron - channel * positions) * p->channels + channel;
}

/* ---- tables ---------------------------------------------------------------------------------- */

PM_SHARED uint32_t pm_crc_byte(uint32_t crc, uint32_t byte) {
  static const uint32_t table[16] = {
      0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u,
      0x4db26158u, 0x5005713cu, 0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu,
      0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu};
  crc = table[(crc ^ byte) & 15u] ^ (crc >> 4);
  return table[(crc ^ (byte >> 4)) & 15u] ^ (crc >> 4);
}

/* CRC-32 of words, least significant byte first, whatever the order of the processor. */
PM_SHARED uint32_t pm_crc_words(uint32_t crc, const int32_t *words, int32_t count) {
  for (int32_t i = 0; i < count; i++) {
    const uint32_t word = (uint32_t)words[i];
    for (uint32_t shift = 0; shift < 32u; shift += 8u)
      crc = pm_crc_byte(crc, (word >> shift) & 255u);
  }
  return crc;
}

/* Check the sizes first: they say how far the tables reach. */
static int pm_intact(void) {
  uint32_t crc = pm_crc_words(0xffffffffu, &net.sizes.population_count,
                              (int32_t)(sizeof net.sizes / sizeof(int32_t)));
  if (~crc != net.sizes_crc) return 0;
  for (int32_t i = 0; i < net.sizes.weights; i++) crc = pm_crc_byte(crc, net.weights[i]);
  for (int32_t i = 0; i < net.sizes.halves; i++) {
    crc = pm_crc_byte(crc, net.halves[i] & 255u);
    crc = pm_crc_byte(crc, (uint32_t)net.halves[i] >> 8);
  }
  crc = pm_crc_words(crc, net.words, net.sizes.words);
  crc = pm_crc_words(crc, (const int32_t *)(const void *)net.populations,
                     net.sizes.population_count * (int32_t)(sizeof(pm_population) / 4u));
  crc = pm_crc_words(crc, (const int32_t *)(const void *)net.projections,
                     net.sizes.projection_count * (int32_t)(sizeof(pm_projection) / 4u));
  crc = pm_crc_words(crc, (const int32_t *)(const void *)net.resets,
                     net.sizes.reset_count * (int32_t)(sizeof(pm_reset) / 4u));
  return ~crc == net.crc;
}

int pumice_init(void) {
  pm_ready = 0;
  if (!pm_intact()) return PUMICE_ERROR_TABLES;
#if PUMICE_ENCODER
  if (!pm_encoder_intact()) return PUMICE_ERROR_TABLES;
#endif
#if PUMICE_PLASTIC
  if (!pm_plasticity_intact()) return PUMICE_ERROR_TABLES;
  pm_plasticity_start();
#endif
  pm_steps = 0;
  pm_ready = PM_READY;
  pumice_reset();
  return PUMICE_OK;
}

#if PUMICE_ENCODER
int pm_is_ready(void) { return pm_ready == PM_READY; }
#endif

void pumice_reset(void) {
  if (pm_ready != PM_READY) return;
#if PUMICE_PLASTIC
  if (pm_steps) pm_plasticity_learn(0); /* from the last spikes of the sample before */
  pm_plasticity_reset();
#endif
#if PUMICE_ENCODER
  pm_encoder_reset();
#endif
  for (int32_t i = 0; i < net.sizes.masks; i++) net.masks[i] = 0;
  for (int32_t i = 0; i < net.sizes.sent; i++) net.sent[i] = 0;
  for (int32_t i = 0; i < net.sizes.states; i++) net.states[i] = 0;
  for (int32_t i = 0; i < net.sizes.scores; i++) net.scores[i] = 0;
#if PUMICE_HELD
  for (int32_t i = 0; i < PUMICE_HELD; i++) pm_held[i] = 0;
#endif
  for (int32_t i = 0; i < net.sizes.population_count; i++) net.slots[i] = 0;
  pm_steps = 0;
  pm_stopped = 0;
}

/* ---- input ----------------------------------------------------------------------------------- */

#if PUMICE_BOUNDED
static int pm_valid(const uint8_t *input) {
  for (int32_t i = 0; i < net.sizes.population_count && net.populations[i].kind == PM_INPUT; i++) {
    const pm_population *p = net.populations + i;
    uint32_t high = 0;
    if (p->max_value == 1)
      for (int32_t n = 0; n < p->neurons; n++) high |= input[n];
    else
      for (int32_t n = 0; n < p->neurons; n++) high = input[n] > high ? input[n] : high;
    if (high > (uint32_t)p->max_value) return 0;
    input += p->neurons;
  }
  return 1;
}
#endif

/* Bring events (channel, height, width) into a bit mask (height, width, channel). */
static void pm_read(int32_t number, const uint8_t *input) {
  const pm_population *p = net.populations + number;
  const int32_t slot = net.slots[number], channels = p->channels;
  const int32_t positions = p->neurons / channels;
  uint32_t *mask = net.masks + p->mask + slot * p->row;
#if PUMICE_GRADED
  uint8_t *sent = p->sent < 0 ? NULL : net.sent + p->sent + slot * p->neurons;
#endif
  for (int32_t i = 0; i < p->row; i++) mask[i] = 0;
  for (int32_t c = 0; c < channels; c++) {
    int32_t n = c;
    for (int32_t i = 0; i < positions; i++, n += channels) {
      while (i + 4 <= positions && !(input[0] | input[1] | input[2] | input[3])) {
        input += 4;
        i += 4;
        n += 4 * channels;
      }
      if (i == positions) break;
      const uint8_t value = *input++;
      if (!value) continue;
      mask[n >> 5] |= UINT32_C(1) << (n & 31);
#if PUMICE_GRADED
      if (sent) sent[n] = value;
#endif
    }
  }
}

/* ---- projections ----------------------------------------------------------------------------- */

#if PM_CONNECTED
/* Add weight * scale modulo 2^32; sums of messages wrap, others stay within 32 bits. */
static inline void pm_mac(int32_t *sum, int32_t weight, int32_t scale) {
  *sum = (int32_t)((uint32_t)*sum + (uint32_t)weight * (uint32_t)scale);
}
#endif

#if PUMICE_PACKED
/* Add weights of fewer than 8 bits, the first in the lowest bits. */
static void pm_add_packed(const pm_projection *c, const uint8_t *w, int32_t *sums, int32_t count,
                          int32_t scale) {
  const uint32_t bits = (uint32_t)c->bits, mask = (UINT32_C(1) << bits) - 1u;
  const int32_t sign = c->is_signed ? (int32_t)(UINT32_C(1) << (bits - 1u)) : 0;
  uint32_t held = 0, filled = 0;
  for (int32_t i = 0; i < count; i++) {
    if (filled < bits) {
      held |= (uint32_t)*w++ << filled;
      filled += 8u;
    }
    pm_mac(sums + i, ((int32_t)(held & mask) ^ sign) - sign, scale);
    held >>= bits;
    filled -= bits;
  }
}
#endif

#if PUMICE_NIBBLES
/* Add weights of 4 bits, two in a byte. */
static void pm_add_nibbles(const pm_projection *c, const uint8_t *w, int32_t *sums, int32_t count,
                           int32_t scale) {
  const int32_t sign = c->is_signed ? 8 : 0;
  for (; count >= 2; count -= 2, sums += 2) {
    const int32_t both = *w++;
    pm_mac(sums, ((both & 15) ^ sign) - sign, scale);
    pm_mac(sums + 1, ((both >> 4) ^ sign) - sign, scale);
  }
  if (count) pm_mac(sums, ((*w & 15) ^ sign) - sign, scale);
}
#endif

/* Add weights of a whole byte, of one type. */
#define PM_DEFINE_ADD(name, type)                                                              \
  static inline void name(const type *restrict w, int32_t *restrict sums, int32_t count,       \
                          int32_t scale) {                                                     \
    for (; count >= 8; count -= 8, w += 8, sums += 8) {                                        \
      pm_mac(sums + 0, w[0], scale);                                                           \
      pm_mac(sums + 1, w[1], scale);                                                           \
      pm_mac(sums + 2, w[2], scale);                                                           \
      pm_mac(sums + 3, w[3], scale);                                                           \
      pm_mac(sums + 4, w[4], scale);                                                           \
      pm_mac(sums + 5, w[5], scale);                                                           \
      pm_mac(sums + 6, w[6], scale);                                                           \
      pm_mac(sums + 7, w[7], scale);                                                           \
    }                                                                                          \
    for (; count > 0; count--) pm_mac(sums++, *w++, scale);                                    \
  }
#if PUMICE_SIGNED_BYTES
PM_DEFINE_ADD(pm_add_signed, int8_t)
#endif
#if PUMICE_UNSIGNED_BYTES
PM_DEFINE_ADD(pm_add_unsigned, uint8_t)
#endif

#if PUMICE_DENSE || PUMICE_CONV
/* Add one run of weights, which begins at a whole byte. */
static inline void pm_add_run(const pm_projection *c, const uint8_t *w, int32_t *sums, int32_t count,
                              int32_t scale) {
#if PUMICE_NIBBLES
  if (c->bits == 4) {
    pm_add_nibbles(c, w, sums, count, scale);
    return;
  }
#endif
#if PUMICE_PACKED
  if (c->bits < 8) {
    pm_add_packed(c, w, sums, count, scale);
    return;
  }
#endif
#if PUMICE_SIGNED_BYTES
  if (!PUMICE_UNSIGNED_BYTES || c->is_signed) {
    pm_add_signed((const int8_t *)w, sums, count, scale);
    return;
  }
#endif
#if PUMICE_UNSIGNED_BYTES
  pm_add_unsigned(w, sums, count, scale);
#endif
  (void)c;
}
#endif

#if PM_RUNS && PM_BYTES && PUMICE_DSP
/* Add two of four bytes, 0 and 2 or 1 and 3, to two sums of 16 bits. */
#define PM_ADD_PAIR(type, sums, bytes) \
  __asm__(type "xtab16 %0, %0, %1" : "+r"(sums) : "r"(bytes))
#define PM_ADD_ODD_PAIR(type, sums, bytes) \
  __asm__(type "xtab16 %0, %0, %1, ror #8" : "+r"(sums) : "r"(bytes))

static inline uint32_t pm_load_word(const uint8_t *bytes) { /* one load, aligned or not */
  uint32_t word;
  __builtin_memcpy(&word, bytes, sizeof word);
  return word;
}

static inline void pm_add_pair(int32_t *sums, uint32_t pair, int32_t scale) {
  pm_mac(sums, (int16_t)(uint16_t)pair, scale);
  pm_mac(sums + 2, (int16_t)(uint16_t)(pair >> 16), scale);
}

#define PM_ADD_EIGHT(type)                               \
  for (int32_t e = 0; e < n; e++) {                      \
    const uint8_t *w = rows[e] + at;                     \
    const uint32_t low = pm_load_word(w), high = pm_load_word(w + 4); \
    PM_ADD_PAIR(type, a, low);                           \
    PM_ADD_ODD_PAIR(type, b, low);                       \
    PM_ADD_PAIR(type, c, high);                          \
    PM_ADD_ODD_PAIR(type, d, high);                      \
  }

/* Add eight weights of each of several events. */
static void pm_add_eight(const uint8_t *const *rows, int32_t n, int32_t at, int is_signed,
                         int32_t *sums, int32_t scale) {
  uint32_t a = 0, b = 0, c = 0, d = 0;
  if (is_signed) {
    PM_ADD_EIGHT("s")
  } else {
    PM_ADD_EIGHT("u")
  }
  pm_add_pair(sums, a, scale);
  pm_add_pair(sums + 1, b, scale);
  pm_add_pair(sums + 4, c, scale);
  pm_add_pair(sums + 5, d, scale);
}
#elif PM_RUNS && PM_BYTES
#define PM_ADD_EIGHT(type)                                     \
  for (int32_t e = 0; e < n; e++) {                            \
    const type *w = (const type *)rows[e] + at;                \
    a += w[0], b += w[1], c += w[2], d += w[3];                \
    f += w[4], g += w[5], h += w[6], i += w[7];                \
  }

/* Add eight weights of each of several events. */
static void pm_add_eight(const uint8_t *const *rows, int32_t n, int32_t at, int is_signed,
                         int32_t *sums, int32_t scale) {
  int32_t a = 0, b = 0, c = 0, d = 0, f = 0, g = 0, h = 0, i = 0;
  if (is_signed) {
    PM_ADD_EIGHT(int8_t)
  } else {
    PM_ADD_EIGHT(uint8_t)
  }
  pm_mac(sums, a, scale), pm_mac(sums + 1, b, scale), pm_mac(sums + 2, c, scale);
  pm_mac(sums + 3, d, scale), pm_mac(sums + 4, f, scale), pm_mac(sums + 5, g, scale);
  pm_mac(sums + 6, h, scale), pm_mac(sums + 7, i, scale);
}
#endif

#if PM_RUNS
/* Add one run of weights of each of several events, from byte `at` of their rows on. */
static void pm_add_runs(const pm_projection *c, const uint8_t *const *rows, int32_t n, int32_t at,
                        int32_t *sums, int32_t scale) {
  int32_t first = 0;
#if PM_BYTES
  if (n > 1 && c->bits == 8)
    for (; first + 8 <= c->count; first += 8)
      pm_add_eight(rows, n, at + first, PM_IS_SIGNED(c), sums + first, scale);
#endif
  if (first == c->count) return;
  for (int32_t e = 0; e < n; e++)
    pm_add_run(c, rows[e] + at + first, sums + first, c->count - first, scale);
}
#endif

#if PUMICE_SPARSE
/* Add the synapses of one source neuron. */
static void pm_add_synapses(const pm_projection *c, int32_t neuron, int32_t *sums, int32_t scale) {
  const int32_t *starts = net.words + c->starts;
#if PUMICE_PLASTIC
  const uint8_t *present = pm_plastic_weights((int32_t)(c - net.projections));
  const uint8_t *weights = present ? present : net.weights + c->weights;
#else
#define weights (net.weights + c->weights)
#endif
  const int32_t bits = c->bits;
  const uint32_t mask = (UINT32_C(1) << bits) - 1u;
  const int32_t sign = c->is_signed ? (int32_t)(UINT32_C(1) << (bits - 1)) : 0;
  for (int32_t s = starts[neuron]; s < starts[neuron + 1]; s++) {
    const uint32_t first = (uint32_t)s * (uint32_t)bits;
    const uint8_t *w = weights + (first >> 3);
    uint32_t weight = (uint32_t)w[0] >> (first & 7u);
    if ((first & 7u) + (uint32_t)bits > 8u) weight |= (uint32_t)w[1] << (8u - (first & 7u));
    const int32_t target =
        c->narrow ? (int32_t)net.halves[c->targets + s] : net.words[c->targets + s];
    pm_mac(sums + target, ((int32_t)(weight & mask) ^ sign) - sign, scale);
  }
#undef weights
}
#endif

#if PUMICE_CONV || PUMICE_POOL
/* Add events of one position and group to the windows that hold them. rows: weights of each, where
 * the connection has any. */
static void pm_add_windows(const pm_projection *c, int32_t position, const uint8_t *const *rows,
                           int32_t n, int32_t *sums, int32_t scale) {
  const int32_t y = position / c->width, x = position - y * c->width + c->padding_x;
  const int32_t columns = c->target_width, outputs = c->target_channels;
  const int32_t kernel_width = c->kernel_width, stride = c->stride_x, dilation = c->dilation_x;
  int32_t at_y = y + c->padding_y;
  for (int32_t j = 0; j < c->kernel_height && at_y >= 0; j++, at_y -= c->dilation_y) {
    const int32_t row = c->stride_y == 1 ? at_y : at_y / c->stride_y;
    if (row >= c->target_height || row * c->stride_y != at_y) continue;
    int32_t *const line = sums + row * columns * outputs;
    int32_t at_x = x;
    for (int32_t k = 0; k < kernel_width && at_x >= 0; k++, at_x -= dilation) {
      const int32_t column = stride == 1 ? at_x : at_x / stride;
      if (column >= columns || column * stride != at_x) continue;
#if PUMICE_CONV
      if (c->kind == PM_CONV) {
        pm_add_runs(c, rows, n, (j * kernel_width + k) * c->pitch, line + column * outputs, scale);
        continue;
      }
#endif
      pm_mac(line + column * outputs, 1, scale);
    }
  }
  (void)rows;
  (void)n;
}
#endif

#if PM_RUNS
/* Events of one position and group that wait to be added together. */
typedef struct {
  const uint8_t *rows[PM_TOGETHER];
  int32_t n, scale, position;
  int32_t *sums;
} pm_batch;

static void pm_deliver(const pm_projection *c, pm_batch *batch) {
#if PUMICE_DENSE
  if (c->kind == PM_DENSE) pm_add_runs(c, batch->rows, batch->n, 0, batch->sums, batch->scale);
#endif
#if PUMICE_CONV
  if (c->kind == PM_CONV)
    pm_add_windows(c, batch->position, batch->rows, batch->n, batch->sums, batch->scale);
#endif
  batch->n = 0;
}
#endif

#if PM_CONNECTED
/* Add the events of a projection's source to the sums of its target. */
static void pm_accumulate(const pm_projection *c, int32_t *sums) {
  const pm_population *source = net.populations + c->source;
  const int32_t slot = pm_slot(c->source, c->delay), channels = c->channels;
  const uint32_t *mask = pm_mask(source, slot);
#if PUMICE_GRADED
  const uint8_t *sent = source->sent < 0 ? NULL : net.sent + source->sent + slot * source->neurons;
#endif
#if PUMICE_MESSAGES
  const int32_t *messages = pm_messages(source, slot);
#endif
#if PM_RUNS
  pm_batch batch;
  int32_t first = 0, beyond = 0; /* sources of the present position and group */
  batch.n = batch.position = 0;
  batch.sums = sums;
  batch.scale = c->scale;
#endif
  for (int32_t word = 0; word < source->row; word++) {
    for (uint32_t bits = mask[word]; bits; bits &= bits - 1u) {
      const int32_t neuron = word * 32 + pm_lowest_bit(bits);
      int32_t scale = c->scale;
#if PUMICE_MESSAGES
      if (messages) {
        const uint32_t message = (uint32_t)messages[neuron];
        scale = (int32_t)((uint32_t)scale * message);
      } else
#endif
      {
#if PUMICE_GRADED
        if (sent) scale *= sent[neuron];
#endif
      }
#if PUMICE_SPARSE
      if (c->kind == PM_SPARSE) {
        pm_add_synapses(c, neuron, sums, scale);
        continue;
      }
#endif
#if PUMICE_POOL
      if (c->kind == PM_POOL) {
        const int32_t position = neuron / channels;
        pm_add_windows(c, position, NULL, 1, sums + (neuron - position * channels), scale);
        continue;
      }
#endif
#if PM_RUNS
      if (batch.n && (neuron >= beyond || batch.n == PM_TOGETHER || scale != batch.scale))
        pm_deliver(c, &batch);
      if (neuron >= beyond) {
        const int32_t group = neuron / c->group_inputs, groups = channels / c->group_inputs;
        batch.position = group / groups;
        batch.sums = sums + (group - batch.position * groups) * c->count;
        first = batch.position * channels;
        beyond = (group + 1) * c->group_inputs;
      }
      batch.scale = scale;
      batch.rows[batch.n++] = net.weights + c->weights + (neuron - first) * c->plane;
#endif
    }
  }
#if PM_RUNS
  if (batch.n) pm_deliver(c, &batch);
#endif
  (void)channels;
}
#endif

#if PUMICE_ROUNDED
/* Add a projection whose sums are shifted right on their own. */
static void pm_accumulate_rounded(const pm_projection *c, int32_t *sums, int32_t neurons,
                                  int32_t unit) {
  for (int32_t i = 0; i < neurons; i++) net.rounded[i] = 0;
  pm_accumulate(c, net.rounded);
  for (int32_t i = 0; i < neurons; i++) sums[i] += pm_shift_right(net.rounded[i], c->shift) * unit;
}
#endif

#if PM_CONNECTED
/* Add all projections into a population; sums that are shifted right count `unit`. */
static void pm_accumulate_all(const pm_population *p, int32_t from, int32_t upto, int32_t *sums,
                              int32_t unit) {
  for (int32_t i = from; i < upto; i++) {
#if PUMICE_ROUNDED
    if (net.projections[i].shift) {
      pm_accumulate_rounded(net.projections + i, sums, p->neurons, unit);
      continue;
    }
#endif
    pm_accumulate(net.projections + i, sums);
  }
  (void)unit;
  (void)p;
}
#endif

/* ---- neurons --------------------------------------------------------------------------------- */

/* Decay voltages and add biases, before sums are added. */
static void pm_leak(const pm_population *p, int32_t *v) {
  const pm_parameter by_kept = p->voltage_kept, by_bias = p->bias;
  const uint16_t *row_kept = net.halves + by_kept.first;
  const int32_t *row_bias = net.words + by_bias.first, *const last = v + p->neurons;
  const int32_t channels = p->channels;
  if (!by_kept.step) { /* one factor for all */
    const int32_t kept = *row_kept;
    for (; v < last; row_bias += by_bias.block) {
      const int32_t *bias = row_bias;
      for (const int32_t *end = v + channels; v < end; bias += by_bias.step, v++)
        *v = pm_decay_voltage(*v, kept) + *bias;
    }
    return;
  }
  for (; v < last; row_kept += by_kept.block, row_bias += by_bias.block) {
    const uint16_t *kept = row_kept;
    const int32_t *bias = row_bias;
    for (const int32_t *end = v + channels; v < end; kept += by_kept.step, bias += by_bias.step, v++)
      *v = pm_decay_voltage(*v, *kept) + *bias;
  }
}

#if PUMICE_LASTING
static void pm_decay_currents(const pm_population *p, int32_t *u) {
  const pm_parameter by = p->current_kept;
  const uint16_t *row = net.halves + by.first;
  const int32_t channels = p->channels, *const last = u + p->neurons;
  for (; u < last; row += by.block) {
    const uint16_t *kept = row;
    for (const int32_t *end = u + channels; u < end; kept += by.step, u++) *u = pm_decay(*u, *kept);
  }
}
#endif

/* Wrap currents and add them to voltages that have leaked. */
#if PUMICE_LASTING || PUMICE_MOMENTARY
static void pm_integrate(const pm_population *p, int32_t *u, int32_t *v) {
  for (int32_t i = 0; i < p->neurons; i++) {
#if PUMICE_SHIFTED
    if (p->shift) u[i] = pm_shift_right(u[i], p->shift) * 64;
#endif
    u[i] = pm_wrap(u[i]);
    v[i] += u[i];
  }
}
#endif

/* Saturate a voltage, fire and reset; return whether it fired. A voltage that saturates above has
 * passed every threshold, and carries the largest value. */
static inline int pm_fire_one(int32_t *v, int32_t level, uint8_t *sent, int32_t max_value) {
  const int32_t voltage = *v;
  if (voltage > level) {
    *v = 0;
#if PUMICE_GRADED
    if (sent) *sent = (uint8_t)pm_graded(voltage, max_value);
#endif
    (void)sent;
    (void)max_value;
    return 1;
  }
  if (voltage < 1 - PM_STATE_HALF) *v = 1 - PM_STATE_HALF;
  return 0;
}

/* Fire the neurons of a population; write the spikes into the present slot. */
static void pm_fire(int32_t number, int32_t *v) {
  const pm_population *p = net.populations + number;
  const int32_t *row = net.words + p->threshold.first, *const last = v + p->neurons;
  const int32_t slot = net.slots[number], step = p->threshold.step, block = p->threshold.block;
  const int32_t max_value = p->max_value;
  uint32_t *mask = net.masks + p->mask + slot * p->row, bits = 0, bit = 1;
  uint8_t *sent = p->sent < 0 ? NULL : net.sent + p->sent + slot * p->neurons;
  if (!step) { /* one threshold for all: whole words first */
    const int32_t level = *row;
    for (const int32_t *const whole = v + (p->neurons & ~31); v < whole;) {
      for (bits = 0, bit = 1; bit; bit <<= 1, v++, sent += sent != NULL)
        if (pm_fire_one(v, level, sent, max_value)) bits |= bit;
      *mask++ = bits;
    }
    bits = 0;
    bit = 1;
  }
  const int32_t *level = row;
  for (int32_t c = 0; v < last; v++, level += step, sent += sent != NULL) {
    if (pm_fire_one(v, *level, sent, max_value)) bits |= bit;
    bit <<= 1;
    if (!bit) {
      *mask++ = bits;
      bits = 0;
      bit = 1;
    }
    if (++c == p->channels) {
      c = 0;
      row += block;
      level = row - step;
    }
  }
  if (bit != 1u) *mask = bits;
}

#if PUMICE_RESETS || PUMICE_MESSAGES || PUMICE_RESONATORS
static int32_t pm_word(const pm_parameter *by, int32_t position, int32_t channel) {
  return net.words[by->first + position * by->block + channel * by->step];
}

#endif

#if PUMICE_RESETS || PUMICE_RESONATORS
static int32_t pm_factor(const pm_parameter *by, int32_t position, int32_t channel) {
  return net.halves[by->first + position * by->block + channel * by->step];
}
#endif

#if PUMICE_RESETS
/* Decay voltages and add biases, but of those that a refractory period holds. */
static void pm_leak_others(const pm_population *p, int32_t *v, const int32_t *waiting) {
  int32_t i = 0;
  for (int32_t position = 0; i < p->neurons; position++)
    for (int32_t channel = 0; channel < p->channels; channel++, i++) {
      const pm_parameter *by = &p->voltage_kept;
      const int32_t kept = net.halves[by->first + position * by->block + channel * by->step];
      if (!waiting[i]) v[i] = pm_decay_voltage(v[i], kept) + pm_word(&p->bias, position, channel);
    }
}

/* Subtract from the voltages what the spikes of the last timestep take off them. */
static void pm_subtract_late(int32_t number, int32_t *v) {
  const pm_population *p = net.populations + number;
  const pm_reset *reset = net.resets + number;
  const int32_t last = (int32_t)net.slots[number] - 1;
  const uint32_t *mask = pm_mask(p, last < 0 ? p->slots - 1 : last);
  for (int32_t word = 0; word < p->row; word++)
    for (uint32_t bits = mask[word]; bits; bits &= bits - 1u) {
      const int32_t n = word * 32 + pm_lowest_bit(bits), position = n / p->channels;
      v[n] -= pm_word(&reset->amount, position, n - position * p->channels);
    }
}

/* Bound, fire and reset one neuron; return the value that it sends. */
static int32_t pm_fire_type(int32_t number, int32_t *v, int32_t position, int32_t channel) {
  const pm_population *p = net.populations + number;
  const pm_reset *reset = net.resets + number;
  const int32_t lowest = pm_word(&reset->lowest, position, channel);
  const int32_t voltage = pm_clip_voltage(*v, lowest);
  const int32_t level = pm_word(&p->threshold, position, channel);
  *v = voltage;
  if (p->kind != PM_SPIKING || voltage <= level) return 0;
  const int32_t amount = pm_word(&reset->amount, position, channel);
  if (reset->kind == PM_RESET_SEVERAL) {
    const int32_t count = pm_count_spikes(voltage, level, amount, p->max_value);
    *v -= count * amount;
    return count;
  }
  if (reset->kind == PM_RESET_VALUE) *v = amount;
  if (reset->kind == PM_RESET_SUBTRACT) *v -= amount;
  return pm_graded(voltage, p->max_value);
}

/* Bound and fire one neuron of an adaptive threshold; return whether it fires. */
static int32_t pm_fire_adaptive(int32_t number, int32_t *v, int32_t *raised, int32_t position,
                                int32_t channel) {
  const pm_population *p = net.populations + number;
  const pm_reset *reset = net.resets + number;
  int32_t *refractory = raised + p->neurons;
  *v = pm_clip_voltage(*v, pm_word(&reset->lowest, position, channel));
  *raised = pm_decay(*raised, pm_factor(&reset->raise_kept, position, channel));
  *refractory = pm_decay(*refractory, pm_factor(&reset->refractory_kept, position, channel));
  const int32_t level = pm_word(&p->threshold, position, channel) + *raised;
  if (*v < level + *refractory) return 0;
  *raised += pm_word(&reset->amount, position, channel);
  *refractory += 2 * level;
  return 1;
}

/* Bound, fire and reset the neurons of a population that is not simply reset to zero. */
static void pm_fire_types(int32_t number, int32_t *v) {
  const pm_population *p = net.populations + number;
  const pm_reset *reset = net.resets + number;
  const int32_t slot = net.slots[number];
  uint32_t *mask = net.masks + p->mask + slot * p->row;
  uint8_t *sent = p->sent < 0 ? NULL : net.sent + p->sent + slot * p->neurons;
  int32_t *waiting = reset->refractory ? net.states + reset->waiting : NULL, i = 0;
  for (int32_t word = 0; word < p->row; word++) mask[word] = 0;
  for (int32_t position = 0; i < p->neurons; position++)
    for (int32_t channel = 0; channel < p->channels; channel++, i++) {
      if (waiting && waiting[i]) {
        waiting[i]--;
        continue;
      }
      const int32_t value =
          reset->kind == PM_RESET_ADAPTIVE
              ? pm_fire_adaptive(number, v + i, net.states + reset->waiting + i, position, channel)
              : pm_fire_type(number, v + i, position, channel);
      if (!value) continue;
      mask[i >> 5] |= UINT32_C(1) << (i & 31);
      if (sent) sent[i] = (uint8_t)value;
      if (waiting) waiting[i] = reset->refractory;
    }
}
#endif

#if PUMICE_MESSAGES
/* Send the change of an activation since the last message, where it reaches the threshold. */
static void pm_encode(int32_t number, int32_t i, int32_t activation, int32_t level) {
  const pm_population *p = net.populations + number;
  const int32_t slot = net.slots[number], delta = activation - net.states[p->voltage + i];
  if ((delta < 0 ? -delta : delta) < level) return;
  const int32_t message = pm_shift_right(delta, 6);
  net.states[p->voltage + i] = activation;
  if (!message) return;
  net.masks[p->mask + slot * p->row + (i >> 5)] |= UINT32_C(1) << (i & 31);
  net.states[p->sent + slot * p->neurons + i] = message;
}

/* Compute one timestep of a population that encodes changes, or that adds up messages. */
static void pm_update_messages(int32_t number) {
  const pm_population *p = net.populations + number;
  uint32_t *mask = net.masks + p->mask + net.slots[number] * p->row;
  int32_t *sums = p->mode == PM_MODULAR ? net.scratch : net.states + p->current, i = 0;
  int32_t *v = net.states + p->voltage;
  for (int32_t word = 0; word < p->row; word++) mask[word] = 0;
  for (int32_t n = 0; n < p->neurons && p->kind != PM_SIGMA_DELTA; n++) sums[n] = 0;
#if PM_CONNECTED
  pm_accumulate_all(p, p->into, p->into_end, sums, 1);
#endif
  for (int32_t position = 0; i < p->neurons; position++)
    for (int32_t channel = 0; channel < p->channels; channel++, i++) {
      const int32_t bias = pm_word(&p->bias, position, channel);
      const int32_t level = pm_word(&p->threshold, position, channel);
      if (p->kind == PM_DELTA) {
        sums[i] = pm_shift_right(sums[i], p->shift) * 4096;
        pm_encode(number, i, sums[i], level);
        continue;
      }
      sums[i] = pm_wrap24((uint32_t)sums[i]);
      if (p->kind == PM_SIGMA_DELTA) {
        pm_encode(number, i, sums[i] + bias < 0 ? 0 : sums[i] + bias, level);
        continue;
      }
      sums[i] = pm_wrap(sums[i]);
      v[i] = pm_saturate(v[i] + sums[i] + bias);
    }
#if PUMICE_TRACE
  for (int32_t n = 0; n < p->neurons; n++) net.traced[p->voltage + n] = sums[n];
#endif
}
#endif

#if PUMICE_RESONATORS
/* Turn, shrink and drive the complex state of one resonate-and-fire neuron; return whether it
 * fires. */
static int pm_resonate(const pm_population *p, int32_t i, int32_t position, int32_t channel) {
  int32_t *real = net.states + p->current + i, *imag = net.states + p->voltage + i;
  const int32_t cosine = pm_factor(&p->current_kept, position, channel);
  const int32_t sine = pm_factor(&p->voltage_kept, position, channel);
  const int32_t level = pm_word(&p->threshold, position, channel), before = *imag;
  const int32_t x = pm_saturate(pm_decay_voltage(*real, cosine) - pm_decay_voltage(before, sine) +
                                net.scratch[i]);
  const int32_t y = pm_saturate(pm_decay_voltage(*real, sine) + pm_decay_voltage(before, cosine) +
                                net.scratch[p->neurons + i]);
  const int resets = p->kind == PM_RF_IZ && y >= level;
  *real = resets ? 0 : x;
  *imag = resets ? level - 1 : y;
  return p->kind == PM_RF_IZ ? resets : x >= level && y >= 0 && before < 0;
}

/* Compute one timestep of a resonate-and-fire population. */
static void pm_update_resonators(int32_t number) {
  const pm_population *p = net.populations + number;
  uint32_t *mask = net.masks + p->mask + net.slots[number] * p->row;
  int32_t i = 0;
  for (int32_t n = 0; n < 2 * p->neurons; n++) net.scratch[n] = 0;
  for (int32_t word = 0; word < p->row; word++) mask[word] = 0;
#if PM_CONNECTED
  pm_accumulate_all(p, p->into, p->steady, net.scratch, 64);
  pm_accumulate_all(p, p->steady, p->into_end, net.scratch + p->neurons, 64);
#endif
  for (int32_t position = 0; i < p->neurons; position++)
    for (int32_t channel = 0; channel < p->channels; channel++, i++)
      if (pm_resonate(p, i, position, channel)) mask[i >> 5] |= UINT32_C(1) << (i & 31);
#if PUMICE_TRACE
  for (int32_t n = 0; n < p->neurons; n++)
    net.traced[p->voltage + n] = net.states[p->current + n];
#endif
}
#endif

/* Compute one timestep of a population. */
static void pm_update(int32_t number) {
  const pm_population *p = net.populations + number;
#if PUMICE_RESONATORS
  if (p->mode == PM_COMPLEX) {
    pm_update_resonators(number);
    return;
  }
#endif
  int32_t *v = net.states + p->voltage, *sums = v;
  (void)sums; /* unused where nothing is connected */
#if PUMICE_MESSAGES
  if (p->kind >= PM_DELTA || p->mode == PM_MODULAR) {
    pm_update_messages(number);
    return;
  }
#endif
#if PUMICE_RESETS
  const pm_reset *reset = net.resets + number;
  const int32_t *waiting = reset->refractory ? net.states + reset->waiting : NULL;
  if (waiting)
    pm_leak_others(p, v, waiting);
  else
#endif
    if (!p->steady)
    pm_leak(p, v);
#if PUMICE_RESETS
  if (reset->kind == PM_RESET_DELAYED) pm_subtract_late(number, v);
#endif
#if PUMICE_TRACE
  int32_t *traced = net.traced + p->voltage;
  for (int32_t i = 0; i < p->neurons; i++) traced[i] = v[i];
#endif
#if PUMICE_MOMENTARY
  if (p->mode == PM_MOMENTARY) {
    sums = net.scratch;
    for (int32_t i = 0; i < p->neurons; i++) sums[i] = 0;
  }
#endif
#if PUMICE_LASTING
  if (p->mode == PM_LASTING) {
    sums = net.states + p->current;
    pm_decay_currents(p, sums);
  }
#endif
#if PM_CONNECTED
  pm_accumulate_all(p, p->into, p->into_end, sums, 64);
#endif
#if PUMICE_LASTING || PUMICE_MOMENTARY
  if (sums != v) pm_integrate(p, sums, v);
#endif
#if PUMICE_TRACE
  for (int32_t i = 0; i < p->neurons; i++) traced[i] = v[i] - traced[i];
#endif
#if PUMICE_RESETS
  for (int32_t i = 0; waiting && i < p->neurons; i++)
    if (waiting[i]) v[i] -= sums[i]; /* the voltage is held */
  if (reset->kind) {
    pm_fire_types(number, v);
    return;
  }
#endif
  if (p->kind == PM_SPIKING)
    pm_fire(number, v);
  else
    for (int32_t i = 0; i < p->neurons; i++) v[i] = pm_saturate(v[i]);
}

/* ---- output ---------------------------------------------------------------------------------- */

static void pm_count_output(void) {
  const pm_population *p = net.populations + net.sizes.output;
  const int32_t slot = net.slots[net.sizes.output];
  const uint32_t *mask = pm_mask(p, slot);
  for (int32_t i = 0; i < net.sizes.scores; i++)
    if (mask[i >> 5] >> (i & 31) & 1u) {
#if PUMICE_GRADED
      if (p->sent >= 0) {
        net.scores[i] += net.sent[p->sent + slot * p->neurons + i];
        continue;
      }
#endif
      net.scores[i]++;
    }
}

static int32_t pm_output_of(int32_t class_index) {
  const pm_population *p = net.populations + net.sizes.output;
  const int32_t place = pm_place(p, class_index);
  return p->kind == PM_INTEGRATOR ? net.states[p->voltage + place] : net.scores[place];
}

#if PUMICE_HELD
/* The largest output of each class so far, or the outputs after the last timestep with an input. */
static void pm_decide(int has_input) {
  for (int32_t i = 0; i < PUMICE_HELD; i++) {
    const int32_t now = pm_output_of(i);
    const int changes = PUMICE_HOLD_MAX ? now > pm_held[i] : has_input;
    if (pm_steps == 1 || changes) pm_held[i] = now;
  }
}
#endif

int32_t pumice_logit(int32_t class_index) {
#if PUMICE_HELD
  return pm_held[class_index];
#else
  return pm_output_of(class_index);
#endif
}

int32_t pumice_prediction(void) {
  int32_t best = 0, highest = pumice_logit(0);
  for (int32_t i = 1; i < net.populations[net.sizes.output].neurons; i++) {
    const int32_t logit = pumice_logit(i);
    if (logit > highest) {
      highest = logit;
      best = i;
    }
  }
  return best;
}

#if PUMICE_EXIT
/* Stop where the margin of the largest logit exceeds the threshold of this timestep. */
static void pm_judge(void) {
  if (pm_steps > (uint32_t)net.sizes.threshold_count) return;
  int32_t first = INT32_MIN, second = INT32_MIN;
  for (int32_t i = 0; i < net.populations[net.sizes.output].neurons; i++) {
    const int32_t logit = pumice_logit(i);
    if (logit > first) {
      second = first;
      first = logit;
    } else if (logit > second) {
      second = logit;
    }
  }
  if (first - second > net.words[net.sizes.thresholds + (int32_t)pm_steps - 1]) pm_stopped = 1;
}
#endif

uint32_t pumice_steps(void) { return pm_steps; }

uint8_t pumice_sent(int32_t population, int32_t neuron) {
  const pm_population *p = net.populations + population;
  const int32_t place = pm_place(p, neuron), slot = net.slots[population];
  if (p->kind == PM_INTEGRATOR || !(pm_mask(p, slot)[place >> 5] >> (place & 31) & 1u)) return 0;
  return p->sent < 0 || p->kind >= PM_DELTA ? 1
                                                : net.sent[p->sent + slot * p->neurons + place];
}

int32_t pumice_message(int32_t population, int32_t neuron) {
  const pm_population *p = net.populations + population;
  const int32_t place = pm_place(p, neuron), slot = net.slots[population];
  if (p->kind < PM_DELTA) return pumice_sent(population, neuron);
  if (!(pm_mask(p, slot)[place >> 5] >> (place & 31) & 1u)) return 0;
  return net.states[p->sent + slot * p->neurons + place];
}

int32_t pumice_voltage(int32_t population, int32_t neuron) {
  const pm_population *p = net.populations + population;
  return p->kind == PM_INPUT ? 0 : net.states[p->voltage + pm_place(p, neuron)];
}

#if PUMICE_TRACE
int32_t pumice_current(int32_t population, int32_t neuron) {
  const pm_population *p = net.populations + population;
  return p->kind == PM_INPUT ? 0 : net.traced[p->voltage + pm_place(p, neuron)];
}
#endif

/* ---- timestep -------------------------------------------------------------------------------- */

int pumice_step(const uint8_t *input, size_t size) {
  if (pm_ready != PM_READY) return PUMICE_ERROR_STATE;
  if (input == NULL || size != (size_t)net.sizes.input) return PUMICE_ERROR_SIZE;
  if (pm_stopped) return PUMICE_STOPPED;
#if PUMICE_BOUNDED
  if (!pm_valid(input)) return PUMICE_ERROR_VALUE;
#endif
#if PUMICE_HELD
  int has_input = 0;
  for (size_t i = 0; i < size; i++) has_input |= input[i] != 0;
#endif
  for (int32_t i = 0; i < net.sizes.population_count; i++) {
    const int32_t next = (int32_t)net.slots[i] + 1;
    net.slots[i] = (uint8_t)(next == net.populations[i].slots ? 0 : next);
  }
  for (int32_t i = 0; i < net.sizes.population_count; i++) {
    if (net.populations[i].kind == PM_INPUT) {
      pm_read(i, input);
      input += net.populations[i].neurons;
    } else {
      pm_update(i);
    }
  }
#if PUMICE_PLASTIC
  if (pm_steps) pm_plasticity_learn(1); /* the spikes before have been delivered */
#endif
  if (pm_steps < UINT32_MAX) pm_steps++;
  if (net.sizes.scores) pm_count_output();
#if PUMICE_HELD
  pm_decide(has_input);
#endif
#if PUMICE_EXIT
  pm_judge();
#endif
  return pm_stopped ? PUMICE_STOPPED : PUMICE_OK;
}

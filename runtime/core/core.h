/* Integer spiking-network core: event-driven and dense execution of compiled tables.
 *
 * C11, freestanding but for memcpy, memset and memmove. It allocates nothing, holds no mutable
 * global state and uses no floating point: the caller provides tables, states and a workspace.
 * One step of a neuron is defined in runtime/arithmetic.py; every result equals the reference
 * engine bit for bit, whichever path or instruction variant computes it.
 *
 * Neurons of a population lie channels last (height, width, channel). A round is a few steps of
 * one population, computed before the next population; its length is bounded by feedback delays.
 */
#ifndef PUMICE_CORE_H
#define PUMICE_CORE_H

#include <stddef.h>
#include <stdint.h>

#define PM_FORMAT 5            /* version of the tables */
#define PM_BLOCK 64            /* values of a population are padded to whole blocks */
#define PM_LANES 16            /* output lanes of a tile of packed weights; of the last, maybe 8 */
#define PM_ROWS 8              /* windows that a product takes at once */
#define PM_MAX_STEPS 16        /* steps in a round */
#define PM_PART_BITS 6         /* bits of a value in one product */
#define PM_PLANES 6            /* of messages: three bytes of positive ones, three of negative ones */
#define PM_MARGIN 512          /* sums behind the last that a vector may touch */
#define PM_WEIGHT_MARGIN 320   /* weights behind the last that a vector may read */

/* A PLANE is what a population before it sends besides: see PM_PLANES. */
enum pm_kind { PM_INPUT, PM_SPIKING, PM_INTEGRATOR, PM_PLANE };
/* How neurons are updated. PLAIN to WRAP: the current does not last, and spikes carry no values;
 * PLAIN, LEAK: it cannot wrap; PLAIN: the voltage does not leak. CURRENT: a current that stays
 * within 24 bits, and spikes without values. GENERAL_VALUES: no current, GENERAL: all else.
 * RF, RF_IZ: resonate-and-fire neurons, which have a second sum; their complex states are currents
 * and voltages. SIGMA_DELTA, DELTA: neurons that send changes as messages of 24 bits; SUM: an integrator of
 * those. */
enum pm_update {
  PM_PLAIN,
  PM_LEAK,
  PM_WRAP,
  PM_CURRENT,
  PM_GENERAL_VALUES,
  PM_GENERAL,
  PM_RF,
  PM_RF_IZ,
  PM_SIGMA_DELTA,
  PM_DELTA,
  PM_SUM
};
/* What a spike does to the voltage. ZERO: sets it to zero, and there is neither a refractory period
 * nor a lower bound of the voltage; the others have levels for all of these. SEVERAL: subtracts as
 * often as the threshold is passed. DELAYED: subtracts in the next step. ADAPTIVE: raises the
 * threshold by the amount, and a refractory value; two more factors keep them. */
enum pm_reset {
  PM_RESET_ZERO,
  PM_RESET_VALUE,
  PM_RESET_SUBTRACT,
  PM_RESET_DELAYED,
  PM_RESET_SEVERAL,
  PM_RESET_ADAPTIVE
};
enum pm_connection { PM_CONV, PM_SPARSE, PM_DEPTHWISE };
enum pm_error { PM_OK, PM_BAD_TABLE, PM_BAD_EVENT, PM_ABANDONED };

/* One population. first: its first neuron among all neurons. stride: bytes of one step of values.
 * history: where its values start in the history of a run, (delay + steps) rows of `stride` bytes.
 * masks: where its bit masks start, (steps) rows of stride / 64 words. period: neurons after which
 * parameters repeat. unit: neurons that threads do not divide. factors, levels: where parameters
 * start. update: an enum pm_update. uniform: whether one threshold, bias and decay hold for all.
 * wide: whether sums have 32 bits, else 16. left: bits that sums are shifted to become currents.
 * into_first, into_last: its incoming projections. past: where a state keeps its last `delay` rows
 * of values. reset: an enum pm_reset; all but ZERO are updated as GENERAL. refractory: steps after
 * a spike in which the voltage is held; further: where, behind the voltages of a state, it keeps
 * what is left of them; of an adaptive threshold first its raise, then the refractory value.
 * imaginary: the first of its incoming projections that adds to the second sum of RF and RF_IZ;
 * into_last where none does. */
typedef struct pm_population {
  int32_t kind, first, neurons, channels, stride, history, masks, delay, period, unit, factors,
      levels, update, uniform, wide, left, max_value, into_first, into_last, past, reset,
      refractory, further, imaginary;
} pm_population;

/* Whether a population is resonate-and-fire: sums of all steps are followed by second ones. */
static inline int pm_resonates(const pm_population *p) {
  return p->update == PM_RF || p->update == PM_RF_IZ;
}

/* States of a population behind the voltages: of refractory periods, or of adaptive thresholds. */
static inline int32_t pm_further(const pm_population *p) {
  return p->reset == PM_RESET_ADAPTIVE ? 2 * p->neurons : p->refractory ? p->neurons : 0;
}

/* One projection. neurons: of its target. left, shift: bits that sums of weights are shifted left,
 * then right. is_signed, negate: how weight bytes are read. graded: whether events carry values.
 * parts: 6-bit parts of a value. dense_from: active sources of a step from which on products are
 * taken, 0 if never. weights: where bytes start; starts, targets: of a sparse matrix by source;
 * rows, columns: kernel taps of each source row and column; plane: weights of one input channel;
 * run: the most targets of a source column, where they are one run in each row, of events without
 * values. twins: later projections whose sources are added before the product, because they have
 * the same weights. by_target: where, in tables, the starts of a sparse matrix by target begin,
 * followed by where its weights and its 16-bit sources begin in theirs; 0 if there is none. narrow:
 * whether targets of a sparse matrix have 16 bits. packed, quads, lanes, offsets, corners, pitch,
 * frame: operands of products. magic: 2^32 / channels, rounded up, 0 where divisions need it. */
typedef struct pm_projection {
  int32_t kind, source, neurons, delay, left, shift, is_signed, negate, graded, parts, dense_from,
      weights, starts, targets, rows, columns, plane, windows, window_columns, channels, height,
      width, groups, group_inputs, group_outputs, kernel_y, kernel_x, stride_y, stride_x, padding_y,
      padding_x, dilation_y, dilation_x, packed, quads, lanes, offsets, corners, pitch, frame,
      twins, narrow, run, by_target;
  uint32_t magic;
} pm_projection;

/* Weights of `count` lanes from `weight` on meet targets from `target` on. */
typedef struct pm_tap {
  int32_t weight, target, count;
} pm_tap;

/* A compiled network. neurons: of all populations. states: voltages and further states. steps:
 * longest round. history: bytes of a run's values, past: of those a state keeps. sums16, sums32:
 * entries of the accumulators. image: bytes of the padded source of a product. output: population
 * that is read; thresholds: of the early exit, by step. crc: what pm_checksum gives. */
typedef struct pm_network {
  const pm_population *populations;
  const pm_projection *projections;
  const uint8_t *weights;
  const int32_t *tables;
  const uint16_t *targets;
  const pm_tap *taps;
  const int16_t *factors;
  const int32_t *levels;
  const int64_t *thresholds;
  size_t weights_size, tables_size, targets_size, taps_size, factors_size, levels_size;
  int32_t population_count, projection_count, threshold_count;
  int32_t neurons, steps, history, past, masks, sums16, sums32, image, output, states;
  uint32_t crc;
} pm_network;

/* State of one sample. current, voltage: of all neurons; behind voltages, further states. past:
 * values that delays still need. clock: steps run, and whether the sample has stopped. score:
 * logits of a spiking output. history: room for the values of a run, which does not outlast it. */
typedef struct pm_state {
  int32_t *current, *voltage;
  uint8_t *past;
  int64_t *clock, *score;
  uint8_t *history;
} pm_state;

/* Input and output of a run. events[p]: (timesteps, batch, neurons) of input p in C order;
 * spikes[p] and voltages[p] likewise, or NULL; currents may be NULL itself. counts: (batch, all
 * neurons), channels last. steps: (batch). */
typedef struct pm_recording {
  int32_t timesteps, batch;
  const uint8_t *const *events;
  uint8_t *const *spikes;
  int32_t *const *voltages;
  int32_t *const *currents;
  int32_t *counts;
  int64_t *steps;
} pm_recording;

/* Part of each population that one thread computes. wait: returns when all parts have called it,
 * 0, or nonzero if one of them never will. */
typedef struct pm_partition {
  int32_t number, parts;
  int (*wait)(void *context);
  void *context;
} pm_partition;

/* Memory of one thread; see pm_workspace_size. */
typedef struct pm_workspace {
  int16_t *sums16;
  int32_t *sums32, *partial;
  uint64_t *masks;
  int32_t *events; /* active neurons by population and step of the round */
  uint8_t *dense;  /* by projection: whether this round takes products */
  uint8_t *image;
} pm_workspace;

#define PM_GROUP 32 /* samples of a group, whose synapses are followed once for all */

/* Advance samples from `sample` on, `count` of them, side by side: states and workspaces of each,
 * and `lanes`, room for pm_group_size bytes, aligned to 64. */
typedef int (*pm_advance_many)(const pm_network *network, const pm_state *states,
                               const pm_recording *recording, const pm_workspace *workspaces,
                               void *lanes, int32_t sample, int32_t count, int fresh);

/* Advance sample `sample` by all timesteps, or until it stops. fresh: start from silence. */
typedef int (*pm_advance)(const pm_network *network, const pm_state *state,
                          const pm_recording *recording, const pm_workspace *workspace,
                          int32_t sample, int fresh, const pm_partition *partition);

/* has_crc: whether processors that support it have an instruction for CRC-32C. */
typedef struct pm_variant {
  const char *name;
  int (*supported)(void);
  int has_crc;
  pm_advance advance;
  pm_advance_many advance_group;
} pm_variant;

/* STDP of one sparse projection, and what it carries from step to step. kept_before, kept_after:
 * what the two traces of a source and of a target keep, in 1/4096. tags: (2, synapses) as listed by
 * source. before, after: traces, (2, sources) and (2, targets). weights: the network's, unsigned. */
typedef struct pm_rule {
  int32_t projection, potentiation, depression, exponent, impulse;
  int32_t kept_before[2], kept_after[2];
  uint32_t seed;
  const uint8_t *tags;
  int32_t *before, *after;
  uint8_t *weights;
} pm_rule;

/* Change traces and weights by the spikes of one step, of all sources and targets. */
void pm_learn(const pm_network *network, pm_rule *rule, const uint8_t *sent,
              const uint8_t *received);

/* Instruction variants compiled into this library, fastest first, ended by a NULL name. */
const pm_variant *pm_variants(void);

/* Shape of weights (group, output, input, row, column); outputs and inputs are those of a group. */
typedef struct pm_kernel {
  int32_t groups, outputs, inputs, height, width;
} pm_kernel;

/* Lay weights out for events: (group, input, row, column, output), each column at its place. */
void pm_lay_by_input(const pm_kernel *kernel, const uint8_t *weights, const int32_t *places,
                     uint8_t *to);

/* Lay these out for products: tiles of PM_LANES outputs, the last of which may have 8, of quads,
 * fours of neighboring inputs. `joined`: the columns of a row are one run with the inputs, else
 * runs are inputs alone; each is padded to whole fours. `laid`: what pm_lay_by_input wrote;
 * `places`: where it put each column. `to` has pm_quads_size bytes. */
void pm_lay_by_quad(const pm_kernel *kernel, const uint8_t *laid, const int32_t *places, int joined,
                    uint8_t *to);
uint64_t pm_quads_size(const pm_kernel *kernel, int joined);

/* Find the largest sums of positive and of negative weights in a row, as magnitudes. */
void pm_extreme_sums(const uint8_t *weights, int32_t rows, int32_t columns, int is_signed,
                     int64_t found[2]);

/* CRC-32C of all tables and sizes but `crc`. instruction: use that of the processor. */
uint32_t pm_checksum(const pm_network *network, int instruction);

/* Check every index of the tables; PM_OK or PM_BAD_TABLE. */
int pm_validate(const pm_network *network);

/* Bytes of a workspace; it must be aligned to 64 bytes. */
size_t pm_workspace_size(const pm_network *network);
size_t pm_group_size(const pm_network *network);
pm_workspace pm_workspace_in(const pm_network *network, void *memory);

#define PM_DECLARE(name)                                                                       \
  int pm_advance_##name(const pm_network *, const pm_state *, const pm_recording *,            \
                        const pm_workspace *, int32_t, int, const pm_partition *);             \
  int pm_advance_group_##name(const pm_network *, const pm_state *, const pm_recording *,      \
                              const pm_workspace *, void *, int32_t, int32_t, int);
PM_DECLARE(scalar)
PM_DECLARE(avx2)
PM_DECLARE(avx512)
PM_DECLARE(neon_dot)
PM_DECLARE(neon)

#endif

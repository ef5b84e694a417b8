/* Body of the core, compiled once for each instruction variant.
 *
 * Before it is included, PM_ADVANCE names the function it defines, and these are defined for the
 * variant: pm_nonzero_bits, pm_add16, pm_add32, pm_dot_rows, pm_update_block, PM_LANE_QUARTERS; and
 * PM_ADD_GRADED, PM_FOLLOW_LANES where it has own versions of those. */
#include <string.h>

#include "pumice_arithmetic.h"

#define PM_CHUNK 128 /* events whose 8-bit weights add up in 16 bits */
#define PM_FEW 16    /* of so many neurons, a spike in a round makes a pass over all worth while */
#define PM_MERGED 2
#define PM_CHARGED 256 /* neurons whose voltages are computed before any of them fires */

static inline int pm_wait(const pm_partition *part) {
  return part->parts > 1 ? part->wait(part->context) : 0;
}

static inline int32_t pm_min(int32_t a, int32_t b) { return a < b ? a : b; }
static inline int32_t pm_max(int32_t a, int32_t b) { return a > b ? a : b; }
static inline int32_t pm_shl(int32_t x, int bits) { return (int32_t)((uint32_t)x << bits); }
static inline int32_t pm_add(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }
static inline int32_t pm_sub(int32_t a, int32_t b) { return (int32_t)((uint32_t)a - (uint32_t)b); }
static inline int32_t pm_mul(int32_t a, int32_t b) { return (int32_t)((uint32_t)a * (uint32_t)b); }

/* Values of a step of this round; earlier ones are negative. */
static inline uint8_t *pm_values(const pm_population *p, const pm_state *state, int32_t step) {
  return state->history + p->history + (ptrdiff_t)(p->delay + step) * p->stride;
}

static inline uint64_t *pm_masks(const pm_population *p, const pm_workspace *ws, int32_t step) {
  return ws->masks + p->masks + (ptrdiff_t)step * (p->stride / PM_BLOCK);
}

/* Write a bit for each value, 1 where it is not zero; return the number of ones. */
static int32_t pm_scan(const uint8_t *values, int32_t stride, uint64_t *masks) {
  int32_t count = 0;
  for (int32_t block = 0; block < stride / PM_BLOCK; block++) {
    uint64_t bits = pm_nonzero_bits(values + (ptrdiff_t)block * PM_BLOCK);
    masks[block] = bits;
    count += pm_popcount(bits);
  }
  return count;
}

/* Neurons of a population in a partition: units are not divided. */
static void pm_bounds(const pm_population *p, const pm_partition *part, int32_t *low,
                      int32_t *high) {
  int64_t units = ((int64_t)p->neurons + p->unit - 1) / p->unit;
  int64_t from = part->number * units / part->parts * p->unit;
  int64_t to = (part->number + 1) * units / part->parts * p->unit;
  *low = (int32_t)(from < p->neurons ? from : p->neurons);
  *high = (int32_t)(to < p->neurons ? to : p->neurons);
}

/* ---- input, output ------------------------------------------------------------------------- */

/* Bring events (channel, height, width) into (height, width, channel) order. */
static void pm_read(const pm_population *p, const uint8_t *events, uint8_t *values) {
  const int32_t channels = p->channels, positions = p->neurons / channels;
  if (positions == 1 || channels == 1) {
    memcpy(values, events, (size_t)p->neurons);
    return;
  }
  if (channels == 2) {
    const uint8_t *second = events + positions;
    for (int32_t i = 0; i < positions; i++) {
      values[2 * i] = events[i];
      values[2 * i + 1] = second[i];
    }
    return;
  }
  memset(values, 0, (size_t)p->neurons);
  for (int32_t c = 0; c < channels; c++) {
    const uint8_t *from = events + (ptrdiff_t)c * positions;
    uint8_t *to = values + c;
    int32_t i = 0;
    for (; i + PM_BLOCK <= positions; i += PM_BLOCK) {
      uint64_t bits = pm_nonzero_bits(from + i);
      while (bits) {
        int32_t at = i + pm_lowest_bit(bits);
        bits &= bits - 1;
        to[(ptrdiff_t)at * channels] = from[at];
      }
    }
    for (; i < positions; i++) to[(ptrdiff_t)i * channels] = from[i];
  }
}

/* Restrict the bits of word `word` to neurons from `low` to before `high`. */
static inline uint64_t pm_clip_bits(uint64_t bits, int32_t word, int32_t low, int32_t high) {
  int32_t first = word * PM_BLOCK;
  if (low > first) bits = low - first < 64 ? bits & (~UINT64_C(0) << (low - first)) : 0;
  if (high < first + 64) bits = high > first ? bits & (~UINT64_C(0) >> (64 - (high - first))) : 0;
  return bits;
}

/* Record the spikes of a step in (channel, height, width) order. */
static void pm_write_spikes(const pm_population *p, const uint8_t *values, const uint64_t *masks,
                            uint8_t *spikes, int32_t low, int32_t high) {
  const uint32_t channels = (uint32_t)p->channels, positions = (uint32_t)p->neurons / channels;
  for (int32_t word = low / PM_BLOCK; word * PM_BLOCK < high; word++) {
    uint64_t bits = pm_clip_bits(masks[word], word, low, high);
    while (bits) {
      uint32_t neuron = (uint32_t)(word * PM_BLOCK + pm_lowest_bit(bits));
      uint32_t position = neuron / channels;
      bits &= bits - 1;
      spikes[(size_t)(neuron - position * channels) * positions + position] = values[neuron];
    }
  }
}

/* Record a state of neurons from `low` to before `high`, whole positions, likewise. */
static void pm_write_state(const pm_population *p, const int32_t *state, int32_t *out, int32_t low,
                           int32_t high) {
  const int32_t channels = p->channels, positions = p->neurons / channels;
  state += p->first;
  if (positions == 1) {
    memcpy(out + low, state + low, (size_t)(high - low) * sizeof *out);
    return;
  }
  for (int32_t c = 0; c < channels; c++)
    for (int32_t i = low / channels; i < high / channels; i++)
      out[(ptrdiff_t)c * positions + i] = state[(ptrdiff_t)i * channels + c];
}

/* Count the spikes of a round. */
static void pm_count(const pm_network *net, int32_t number, const pm_state *state,
                     const pm_workspace *ws, int32_t *counts, int32_t steps, int32_t low,
                     int32_t high) {
  const pm_population *p = net->populations + number;
  const int32_t *events = ws->events + (ptrdiff_t)number * net->steps;
  int64_t total = 0;
  for (int32_t step = 0; step < steps; step++) total += events[step];
  counts += p->first;
  if (total * PM_FEW < p->neurons) {
    for (int32_t step = 0; step < steps; step++) {
      const uint64_t *masks = pm_masks(p, ws, step);
      if (!events[step]) continue;
      for (int32_t word = low / PM_BLOCK; word * PM_BLOCK < high; word++) {
        uint64_t bits = pm_clip_bits(masks[word], word, low, high);
        for (; bits; bits &= bits - 1) counts[word * PM_BLOCK + pm_lowest_bit(bits)]++;
      }
    }
    return;
  }
  const uint8_t *values = pm_values(p, state, 0);
  const ptrdiff_t words = p->stride / PM_BLOCK;
  int32_t i = low;
  for (; i + PM_BLOCK <= high; i += PM_BLOCK) {
    if (!(low % PM_BLOCK)) {
      const uint64_t *masks = pm_masks(p, ws, 0) + i / PM_BLOCK;
      uint64_t any = 0;
      for (int32_t step = 0; step < steps; step++) any |= masks[step * words];
      if (!any) continue;
    }
    pm_count_block(counts + i, values + i, p->stride, steps, p->max_value > 1);
  }
  for (; i < high; i++)
    for (int32_t step = 0; step < steps; step++)
      counts[i] += values[(ptrdiff_t)step * p->stride + i] != 0;
}

/* ---- event-driven path --------------------------------------------------------------------- */

#if !defined(PM_ADD_GRADED)
/* Add value times weight for each of `n` events; weights of event e start at w + at[e]. */
static void pm_add_graded(void *sums, int wide, const uint8_t *w, const uint32_t *at,
                          const uint8_t *values, int32_t n, int32_t count, int left,
                          int is_signed) {
  for (int32_t e = 0; e < n; e++) {
    const uint8_t *row = w + at[e];
    const int32_t value = pm_shl(values[e], left);
    if (wide && is_signed)
      for (int32_t i = 0; i < count; i++)
        ((int32_t *)sums)[i] = pm_add(((int32_t *)sums)[i], pm_mul(value, (int8_t)row[i]));
    else if (wide)
      for (int32_t i = 0; i < count; i++)
        ((int32_t *)sums)[i] = pm_add(((int32_t *)sums)[i], pm_mul(value, row[i]));
    else if (is_signed)
      for (int32_t i = 0; i < count; i++)
        ((int16_t *)sums)[i] = (int16_t)pm_add(((int16_t *)sums)[i], pm_mul(value, (int8_t)row[i]));
    else
      for (int32_t i = 0; i < count; i++)
        ((int16_t *)sums)[i] = (int16_t)pm_add(((int16_t *)sums)[i], pm_mul(value, row[i]));
  }
}
#endif

/* Add `n` events, all of one source position and group, to the targets that their kernel taps
 * reach. */
PM_INLINE void pm_add_events(const pm_network *net, const pm_projection *c, const uint8_t *w,
                             void *sums, int32_t y, int32_t x, const uint32_t *at,
                             const uint8_t *values, int32_t n, const int wide, const int graded,
                             const int is_signed, int32_t low, int32_t high) {
  const int left = c->left, many = c->windows > 1;
  const int32_t *rows = net->tables + c->rows + y, *columns = net->tables + c->columns + x;
  const int one = !many && c->groups == 1;
  for (int32_t r = rows[0]; r < rows[1]; r++) {
    const pm_tap *row = net->taps + r;
    if (many && (row->target < low || row->target >= high)) continue;
    for (int32_t k = columns[0]; k < columns[1]; k++) {
      const pm_tap *column = net->taps + k;
      const uint8_t *from = w + row->weight + column->weight;
      ptrdiff_t target = row->target + column->target;
      int32_t count = column->count;
      if (one) {
        from += low;
        target += low;
        count = high - low;
      }
      if (graded)
        pm_add_graded(wide ? (void *)((int32_t *)sums + target) : (void *)((int16_t *)sums + target),
                      wide, from, at, values, n, count, left, is_signed);
      else if (wide)
        pm_add32((int32_t *)sums + target, from, at, n, count, left, is_signed);
      else
        pm_add16((int16_t *)sums + target, from, at, n, count, left, is_signed);
    }
  }
}

#if PM_RUN_VECTORS
/* Add `n` events of one source position to the one run of targets in each row of windows. */
PM_INLINE void pm_add_rows(const pm_network *net, const pm_projection *c, const uint8_t *w,
                           void *sums, int32_t y, const pm_tap *column, const uint32_t *at,
                           int32_t n, const int vectors, const int fixed, const int wide,
                           const int is_signed, const pm_run_mask *masks, int32_t low,
                           int32_t high) {
  const pm_tap *row = net->taps + net->tables[c->rows + y];
  const pm_tap *last = net->taps + net->tables[c->rows + y + 1];
  const int many = c->windows > 1;
  for (; row < last; row++) {
    if (many && (row->target < low || row->target >= high)) continue;
    pm_add_run(vectors, fixed, wide, sums, (ptrdiff_t)row->target + column->target,
               w + row->weight + column->weight, at, n, masks, is_signed, c->left);
  }
}

PM_INLINE void pm_add_position(const pm_network *net, const pm_projection *c, const uint8_t *w,
                               void *sums, int32_t y, int32_t x, const uint32_t *at, int32_t n,
                               const int vectors, const int wide, const int is_signed,
                               int32_t low, int32_t high) {
  const int32_t *columns = net->tables + c->columns + x;
  const pm_tap *column = net->taps + columns[0];
  pm_run_mask masks[PM_RUN_VECTORS];
  if (columns[0] == columns[1]) return;
  pm_mask_run(vectors, masks, column->count);
  if (n == 1)
    pm_add_rows(net, c, w, sums, y, column, at, n, vectors, 1, wide, is_signed, masks, low, high);
  else if (n == 2)
    pm_add_rows(net, c, w, sums, y, column, at, n, vectors, 2, wide, is_signed, masks, low, high);
  else
    pm_add_rows(net, c, w, sums, y, column, at, n, vectors, 0, wide, is_signed, masks, low, high);
}
#endif

#if PM_RUN_VECTORS
#define PM_ADD_POSITION()                                                                          \
  (vectors ? pm_add_position(net, c, w, to, y, x, at, n, vectors, wide, is_signed, low, high)      \
           : pm_add_events(net, c, w, to, y, x, at, sent, n, wide, graded, is_signed, low, high))
#else
#define PM_ADD_POSITION() \
  pm_add_events(net, c, w, to, y, x, at, sent, n, wide, graded, is_signed, low, high)
#endif

/* Add the weights of active sources; those of one position and group together. */
PM_INLINE void pm_scatter(const pm_network *net, const pm_projection *c, const uint8_t *values,
                          const uint64_t *masks, int32_t words, void *sums, int32_t low,
                          int32_t high, const int wide, const int graded, const int is_signed,
                          const int vectors) {
  (void)vectors;
  uint32_t at[PM_CHUNK];
  uint8_t sent[PM_CHUNK];
  const uint8_t *weights = net->weights + c->weights, *w = weights;
  const int32_t channels = c->channels, across = c->width * channels, size = wide ? 4 : 2;
  const uint32_t plane = (uint32_t)c->plane, magic = c->magic;
  int32_t n = 0, beyond = 0, origin = 0, y = -1, x = 0, row_end = 0;
  char *to = sums;
  const int one = c->windows == 1 && c->groups == 1 && c->height == 1 && c->width == 1;
  if (one) {
    beyond = INT32_MAX;
    y = 0;
  }
  for (int32_t word = 0; word < words; word++) {
    uint64_t bits = masks[word];
    while (bits) {
      int32_t neuron = word * PM_BLOCK + pm_lowest_bit(bits);
      bits &= bits - 1;
      if (neuron >= beyond || n == PM_CHUNK) {
        if (n) PM_ADD_POSITION();
        n = 0;
        if (!one) {
          while (neuron >= row_end) {
            row_end += across;
            y++;
          }
          uint32_t inside = (uint32_t)(neuron - row_end + across);
          x = (int32_t)(magic ? (uint32_t)(((uint64_t)inside * magic) >> 32)
                              : inside / (uint32_t)channels);
          origin = row_end - across + x * channels;
          to = sums;
          if (c->groups > 1) {
            int32_t group = (neuron - origin) / c->group_inputs;
            beyond = origin + (group + 1) * c->group_inputs;
            to += (ptrdiff_t)group * c->group_outputs * size;
          } else {
            beyond = origin + channels;
          }
        }
      }
      at[n] = (uint32_t)(neuron - origin) * plane;
      if (graded) sent[n] = values[neuron];
      n++;
    }
  }
  if (n) PM_ADD_POSITION();
}
#undef PM_ADD_POSITION

/* Add each event along the synapses of its neuron. */
PM_INLINE void pm_follow(const pm_network *net, const pm_projection *c, const uint8_t *values,
                         const uint64_t *masks, int32_t words, void *sums, const int wide,
                         const int narrow, const int is_signed) {
  const int32_t *starts = net->tables + c->starts;
  const uint8_t *w = net->weights + c->weights;
  const uint16_t *near = net->targets + (narrow ? c->targets : 0);
  const int32_t *far = net->tables + (narrow ? 0 : c->targets);
  int32_t *sums32 = sums;
  int16_t *sums16 = sums;
  const int left = c->left;
  for (int32_t word = 0; word < words; word++) {
    for (uint64_t bits = masks[word]; bits; bits &= bits - 1) {
      int32_t neuron = word * PM_BLOCK + pm_lowest_bit(bits);
      int32_t first = starts[neuron], last = starts[neuron + 1];
      const int32_t value = pm_shl(values[neuron], left);
      if (value == 1 && narrow && !wide) {
        int32_t s = first;
        if (bits & (bits - 1)) { /* bring the synapses of the next event near */
          const int32_t *next = starts + word * PM_BLOCK + pm_lowest_bit(bits & (bits - 1));
          for (int32_t ahead = next[0]; ahead < next[1]; ahead += 32) PM_PREFETCH(near + ahead);
          for (int32_t ahead = next[0]; ahead < next[1]; ahead += 64) PM_PREFETCH(w + ahead);
        }
        for (; s + 4 <= last; s += 4) { /* four different targets */
          const int32_t a = near[s], b = near[s + 1], d = near[s + 2], e = near[s + 3];
          const int32_t v = sums16[a] + (is_signed ? (int8_t)w[s] : w[s]);
          const int32_t x = sums16[b] + (is_signed ? (int8_t)w[s + 1] : w[s + 1]);
          const int32_t y = sums16[d] + (is_signed ? (int8_t)w[s + 2] : w[s + 2]);
          const int32_t z = sums16[e] + (is_signed ? (int8_t)w[s + 3] : w[s + 3]);
          sums16[a] = (int16_t)v;
          sums16[b] = (int16_t)x;
          sums16[d] = (int16_t)y;
          sums16[e] = (int16_t)z;
        }
        for (; s < last; s++)
          sums16[near[s]] = (int16_t)(sums16[near[s]] + (is_signed ? (int8_t)w[s] : w[s]));
        continue;
      }
      for (int32_t s = first; s < last; s++) {
        int32_t weight = is_signed ? (int8_t)w[s] : w[s], target = narrow ? near[s] : far[s];
        if (wide)
          sums32[target] = pm_add(sums32[target], pm_mul(value, weight));
        else
          sums16[target] = (int16_t)pm_add(sums16[target], pm_mul(value, weight));
      }
    }
  }
}

/* Add events of a convolution with one input and one output channel a group. */
static void pm_scatter_depthwise(const pm_network *net, const pm_projection *c,
                                 const uint8_t *values, const uint64_t *masks, int32_t words,
                                 void *sums, int wide, int32_t low, int32_t high) {
  const uint8_t *weights = net->weights + c->weights;
  const int32_t *rows = net->tables + c->rows, *columns = net->tables + c->columns;
  const int32_t channels = c->channels, across = c->width * channels, many = c->windows > 1;
  int32_t y = -1, row_end = 0;
  for (int32_t word = 0; word < words; word++) {
    for (uint64_t bits = masks[word]; bits; bits &= bits - 1) {
      int32_t neuron = word * PM_BLOCK + pm_lowest_bit(bits);
      while (neuron >= row_end) {
        row_end += across;
        y++;
      }
      uint32_t inside = (uint32_t)(neuron - row_end + across);
      int32_t x = (int32_t)(c->magic ? (uint32_t)(((uint64_t)inside * c->magic) >> 32)
                                     : inside / (uint32_t)channels);
      int32_t channel = (int32_t)inside - x * channels;
      const int32_t value = pm_shl(values[neuron], c->left);
      const uint8_t *w = weights + (ptrdiff_t)channel * c->plane;
      for (int32_t r = rows[y]; r < rows[y + 1]; r++) {
        const pm_tap *row = net->taps + r;
        if (many && (row->target < low || row->target >= high)) continue;
        for (int32_t k = columns[x]; k < columns[x + 1]; k++) {
          const pm_tap *column = net->taps + k;
          ptrdiff_t target = (ptrdiff_t)row->target + column->target + channel;
          for (int32_t i = 0; i < column->count; i++) {
            uint8_t byte = w[row->weight + column->weight + i];
            int32_t weight = c->is_signed ? (int8_t)byte : byte;
            if (wide)
              ((int32_t *)sums)[target + i] =
                  pm_add(((int32_t *)sums)[target + i], pm_mul(value, weight));
            else
              ((int16_t *)sums)[target + i] =
                  (int16_t)pm_add(((int16_t *)sums)[target + i], pm_mul(value, weight));
          }
        }
      }
    }
  }
}

/* Instances of pm_scatter by the number of vectors of a run; 0 where runs are longer, or several. */
#define PM_SCATTER(vectors)                                                                        \
  PM_NOINLINE static void pm_scatter_##vectors(                                                    \
      const pm_network *net, const pm_projection *c, const uint8_t *values, const uint64_t *masks, \
      int32_t words, void *sums, int wide, int32_t low, int32_t high) {                            \
    switch ((wide != 0) << 1 | (c->is_signed != 0)) {                                              \
      case 0: pm_scatter(net, c, values, masks, words, sums, low, high, 0, 0, 0, vectors); break;  \
      case 1: pm_scatter(net, c, values, masks, words, sums, low, high, 0, 0, 1, vectors); break;  \
      case 2: pm_scatter(net, c, values, masks, words, sums, low, high, 1, 0, 0, vectors); break;  \
      default: pm_scatter(net, c, values, masks, words, sums, low, high, 1, 0, 1, vectors);        \
    }                                                                                              \
  }
PM_SCATTER(0)
#if PM_RUN_VECTORS
PM_SCATTER(1)
PM_SCATTER(2)
PM_SCATTER(3)
PM_SCATTER(4)
PM_SCATTER(5)
PM_SCATTER(6)
PM_SCATTER(7)
PM_SCATTER(8)
#endif

static void pm_scatter_events(const pm_network *net, const pm_projection *c, const uint8_t *values,
                              const uint64_t *masks, int32_t words, void *sums, int wide,
                              int32_t low, int32_t high) {
#if PM_RUN_VECTORS
  switch (!wide && c->left ? 0 : (c->run + PM_RUN_LANES - 1) / PM_RUN_LANES) {
    case 1: pm_scatter_1(net, c, values, masks, words, sums, wide, low, high); return;
    case 2: pm_scatter_2(net, c, values, masks, words, sums, wide, low, high); return;
    case 3: pm_scatter_3(net, c, values, masks, words, sums, wide, low, high); return;
    case 4: pm_scatter_4(net, c, values, masks, words, sums, wide, low, high); return;
    case 5: pm_scatter_5(net, c, values, masks, words, sums, wide, low, high); return;
    case 6: pm_scatter_6(net, c, values, masks, words, sums, wide, low, high); return;
    case 7: pm_scatter_7(net, c, values, masks, words, sums, wide, low, high); return;
    case 8: pm_scatter_8(net, c, values, masks, words, sums, wide, low, high); return;
    default: break;
  }
#endif
  pm_scatter_0(net, c, values, masks, words, sums, wide, low, high);
}

/* Add the events of one step. */
static void pm_add_step(const pm_network *net, const pm_projection *c, const pm_state *state,
                        const pm_workspace *ws, int32_t step, void *sums, int wide, int32_t low,
                        int32_t high) {
  const pm_population *source = net->populations + c->source;
  const int32_t sent = step - c->delay, words = source->stride / PM_BLOCK;
  const uint8_t *values = pm_values(source, state, sent);
  const uint64_t *masks;
  if (sent >= 0) {
    if (!ws->events[(ptrdiff_t)c->source * net->steps + sent]) return;
    masks = pm_masks(source, ws, sent);
  } else {
    uint64_t *found = ws->masks + net->masks;
    if (!pm_scan(values, source->stride, found)) return;
    masks = found;
  }
  if (c->kind == PM_SPARSE) {
    switch ((wide != 0) << 2 | (c->narrow != 0) << 1 | (c->is_signed != 0)) {
      case 0: pm_follow(net, c, values, masks, words, sums, 0, 0, 0); break;
      case 1: pm_follow(net, c, values, masks, words, sums, 0, 0, 1); break;
      case 2: pm_follow(net, c, values, masks, words, sums, 0, 1, 0); break;
      case 3: pm_follow(net, c, values, masks, words, sums, 0, 1, 1); break;
      case 4: pm_follow(net, c, values, masks, words, sums, 1, 0, 0); break;
      case 5: pm_follow(net, c, values, masks, words, sums, 1, 0, 1); break;
      case 6: pm_follow(net, c, values, masks, words, sums, 1, 1, 0); break;
      default: pm_follow(net, c, values, masks, words, sums, 1, 1, 1);
    }
  } else if (c->kind == PM_DEPTHWISE) {
    pm_scatter_depthwise(net, c, values, masks, words, sums, wide, low, high);
  } else if (c->graded) {
    if (wide)
      pm_scatter(net, c, values, masks, words, sums, low, high, 1, 1, c->is_signed, 0);
    else
      pm_scatter(net, c, values, masks, words, sums, low, high, 0, 1, c->is_signed, 0);
  } else {
    pm_scatter_events(net, c, values, masks, words, sums, wide, low, high);
  }
}

/* ---- dense path ---------------------------------------------------------------------------- */

/* Write, or add, one 6-bit part of a source map with its padding to the image. */
static void pm_pad(const pm_projection *c, const uint8_t *values, int part, uint8_t *image,
                   int add) {
  const int32_t width = c->width * c->channels, margin = c->padding_x * c->channels;
  const int32_t pitch = c->pitch;
  const int shift = part * PM_PART_BITS;
  if (!add && c->padding_y) {
    size_t border = (size_t)pitch * (size_t)c->padding_y;
    memset(image, 0, border);
    memset(image + (size_t)pitch * (size_t)(c->padding_y + c->height), 0, border);
  }
  image += (ptrdiff_t)pitch * c->padding_y;
  for (int32_t y = 0; y < c->height; y++, image += pitch, values += width) {
    uint8_t *to = image + margin;
    if (add) {
      for (int32_t i = 0; i < width; i++) to[i] = (uint8_t)(to[i] + values[i]);
      continue;
    }
    if (margin) {
      memset(image, 0, (size_t)margin);
      memset(to + width, 0, (size_t)margin);
    }
    if (c->parts == 1)
      memcpy(to, values, (size_t)width);
    else
      for (int32_t i = 0; i < width; i++)
        to[i] = (uint8_t)((values[i] >> shift) & ((1 << PM_PART_BITS) - 1));
  }
}

/* Multiply windows of `frames` images, each `pitch` bytes apart, with the weights of each group. */
static void pm_multiply(const pm_network *net, const pm_projection *c, const uint8_t *image,
                        ptrdiff_t pitch, int32_t frames, void *sums, int wide, int left,
                        int32_t begin, int32_t end, int32_t low, int32_t high) {
  const int32_t *corners = net->tables + c->corners, *offsets = net->tables + c->offsets;
  const int32_t outputs = c->group_outputs, all = c->groups * outputs, lanes = c->lanes;
  const int32_t windows = end - begin, count = frames * windows;
  const int32_t blocks = (count + PM_ROWS - 1) / PM_ROWS;
  int32_t first_lane = 0, last_lane = lanes;
  if (c->windows == 1 && c->groups == 1) {
    first_lane = low / PM_LANES * PM_LANES;
    last_lane = pm_min((high + PM_LANES - 1) / PM_LANES * PM_LANES, lanes);
  }
  for (int32_t group = 0; group < c->groups; group++) {
    const uint8_t *w = net->weights + c->packed + (ptrdiff_t)group * c->quads * lanes * 4;
    for (int32_t lane = first_lane; lane < last_lane; lane += 2 * PM_LANES) {
      const int taken = (int)pm_min(2 * PM_LANES, last_lane - lane);
      int32_t frame = 0, window = begin, done = 0;
      for (int32_t block = 0; block < blocks; block++) {
        const uint8_t *rows[PM_ROWS];
        ptrdiff_t targets[PM_ROWS];
        int32_t upto = (int32_t)((int64_t)(block + 1) * count / blocks), n = upto - done;
        done = upto;
        for (int32_t row = 0; row < n; row++) {
          rows[row] = image + frame * pitch + corners[window] + (ptrdiff_t)group * c->group_inputs;
          targets[row] = (ptrdiff_t)frame * c->neurons + (ptrdiff_t)window * all +
                         (ptrdiff_t)group * outputs + lane;
          if (++window == end) {
            window = begin;
            frame++;
          }
        }
        pm_dot_rows(rows, targets, n, taken, offsets, c->quads,
                    w + (ptrdiff_t)lane * 4 * c->quads, sums, wide, left, c->is_signed);
      }
    }
  }
}

/* Convolution with one input and one output channel a group, for all windows of a step. */
static void pm_multiply_depthwise(const pm_network *net, const pm_projection *c,
                                  const uint8_t *values, void *sums, int wide, int32_t begin,
                                  int32_t end) {
  const uint8_t *weights = net->weights + c->packed;
  const int32_t channels = c->channels;
  for (int32_t window = begin; window < end; window++) {
    int32_t top = window / c->window_columns * c->stride_y - c->padding_y;
    int32_t left = window % c->window_columns * c->stride_x - c->padding_x;
    for (int32_t j = 0; j < c->kernel_y; j++) {
      int32_t y = top + j * c->dilation_y;
      if (y < 0 || y >= c->height) continue;
      for (int32_t k = 0; k < c->kernel_x; k++) {
        int32_t x = left + k * c->dilation_x;
        if (x < 0 || x >= c->width) continue;
        const uint8_t *w = weights + (ptrdiff_t)(j * c->kernel_x + k) * channels;
        const uint8_t *from = values + (ptrdiff_t)(y * c->width + x) * channels;
        if (wide) {
          int32_t *to = (int32_t *)sums + (ptrdiff_t)window * channels;
          for (int32_t i = 0; i < channels; i++) {
            int32_t weight = c->is_signed ? (int8_t)w[i] : w[i];
            to[i] = pm_add(to[i], pm_shl(from[i] * weight, c->left));
          }
        } else {
          int16_t *to = (int16_t *)sums + (ptrdiff_t)window * channels;
          for (int32_t i = 0; i < channels; i++) {
            int32_t weight = c->is_signed ? (int8_t)w[i] : w[i];
            to[i] = (int16_t)pm_add(to[i], pm_shl(from[i] * weight, c->left));
          }
        }
      }
    }
  }
}

/* Add products of `steps` steps from `first` on, with those of the projection's twins. */
static void pm_multiply_steps(const pm_network *net, const pm_projection *c, const pm_state *state,
                              const pm_workspace *ws, int32_t number, int32_t first, int32_t steps,
                              void *sums, int wide, int32_t low, int32_t high) {
  const pm_population *source = net->populations + c->source;
  const int32_t per_window = c->neurons / c->windows, size = wide ? 4 : 2;
  int32_t begin = low / per_window, end = high / per_window;
  if (c->windows == 1) begin = 0, end = 1;
  if (c->kind == PM_DEPTHWISE) {
    for (int32_t step = 0; step < steps; step++)
      pm_multiply_depthwise(net, c, pm_values(source, state, first + step - c->delay),
                            (char *)sums + (ptrdiff_t)step * c->neurons * size, wide, begin, end);
    return;
  }
  int merged = 0;
  for (int32_t twin = 1; twin <= c->twins; twin++) merged |= ws->dense[number + twin] == PM_MERGED;
  const int copy = c->padding_x || c->padding_y || c->parts > 1 || merged;
  const int32_t together = c->windows < PM_ROWS ? steps : 1;
  for (int32_t step = 0; step < steps; step += together) {
    void *to = (char *)sums + (ptrdiff_t)step * c->neurons * size;
    for (int part = 0; part < c->parts; part++) {
      const uint8_t *image = pm_values(source, state, first + step - c->delay);
      ptrdiff_t pitch = source->stride;
      if (copy) {
        for (int32_t frame = 0; frame < together; frame++) {
          uint8_t *onto = ws->image + (ptrdiff_t)frame * c->frame;
          pm_pad(c, image + frame * pitch, part, onto, 0);
          for (int32_t twin = 1; twin <= c->twins; twin++) {
            const pm_projection *other = c + twin;
            if (ws->dense[number + twin] == PM_MERGED)
              pm_pad(other,
                     pm_values(net->populations + other->source, state,
                               first + step + frame - other->delay),
                     0, onto, 1);
          }
        }
        image = ws->image;
        pitch = c->frame;
      }
      pm_multiply(net, c, image, pitch, together, to, wide, c->left + part * PM_PART_BITS, begin,
                  end, low, high);
    }
  }
}

/* Choose between events and products by the activity of this round, or of the last from later
 * sources. Returns the number of steps whose sums are computed at once: 1, or all. */
static int32_t pm_choose(const pm_network *net, const pm_population *p, const pm_workspace *ws,
                         int32_t steps) {
  int32_t together = 1;
  for (int32_t number = p->into_first; number < p->into_last; number++) {
    const pm_projection *c = net->projections + number;
    ws->dense[number] = 0;
    if (!c->dense_from) continue;
    int64_t total = 0;
    for (int32_t twin = 0; twin <= c->twins; twin++) {
      const int32_t *events = ws->events + (ptrdiff_t)c[twin].source * net->steps;
      for (int32_t step = 0; step < steps; step++) total += events[step];
    }
    ws->dense[number] = total >= (int64_t)c->dense_from * steps;
  }
  for (int32_t number = p->into_first; number < p->into_last; number++) {
    const pm_projection *c = net->projections + number;
    if (ws->dense[number] != 1) continue;
    for (int32_t twin = 1; twin <= c->twins; twin++) {
      ws->dense[number + twin] = PM_MERGED;
    }
    if (c->windows < PM_ROWS && c->kind == PM_CONV) together = steps;
  }
  return together;
}

/* ---- neurons ------------------------------------------------------------------------------- */

#define PM_UPDATE(wide, update, uniform)                                                     \
  pm_update_block(wide, update, uniform, p, sums32, sums16, current, voltage, sent, factors, \
                  levels, count)
#define PM_UPDATE_CASE(update)                          \
  case update:                                          \
    if (p->wide && p->uniform) PM_UPDATE(1, update, 1); \
    else if (p->wide) PM_UPDATE(1, update, 0);          \
    else if (p->uniform) PM_UPDATE(0, update, 1);       \
    else PM_UPDATE(0, update, 0);                       \
    break;

/* One step of neurons whose spikes carry no values and whose currents, if any, stay within 24
 * bits. */
static void pm_update_fast(const pm_population *p, const int32_t *sums32, const int16_t *sums16,
                           int32_t *current, int32_t *voltage, uint8_t *sent,
                           const int16_t *factors, const int32_t *levels, int32_t count) {
  switch (p->update) {
    PM_UPDATE_CASE(PM_PLAIN)
    PM_UPDATE_CASE(PM_LEAK)
    PM_UPDATE_CASE(PM_WRAP)
    PM_UPDATE_CASE(PM_CURRENT)
    default: break;
  }
}

/* One step of `count` neurons by arithmetic.step, in all its generality. */
PM_INLINE void pm_update_all(const int wide, const int no_current, const int keep, int left,
                             int32_t largest, const int32_t *sums32, const int16_t *sums16,
                             int32_t *restrict current, int32_t *restrict voltage,
                             uint8_t *restrict sent, const int16_t *current_factors,
                             const int16_t *voltage_factors, const int32_t *thresholds,
                             const int32_t *biases, int32_t count) {
  for (int32_t i = 0; i < count; i++) {
    int32_t u = pm_shl(wide ? sums32[i] : sums16[i], left);
    if (!no_current) u = pm_add(u, pm_decay_32(current[i], current_factors[i]));
    u = pm_wrap(u);
    if (!no_current || keep) current[i] = u;
    int32_t v = pm_add(pm_add(pm_decay_32(voltage[i], voltage_factors[i]), u), biases[i]);
    v = pm_saturate(v);
    const int32_t value = pm_graded(v, largest);
    const int32_t spike = v > thresholds[i];
    voltage[i] = spike ? 0 : v;
    sent[i] = (uint8_t)(spike ? value : 0);
  }
}

#define PM_UPDATE_ALL(wide, no_current, keep)                                                   \
  pm_update_all(wide, no_current, keep, p->left, p->max_value, sums32, sums16, current, voltage, \
                sent, factors, factors + p->period, levels, levels + p->period, count)

/* The same for any population; `keep` stores currents that do not last as well. */
PM_NOINLINE static void pm_update_general(const pm_population *p, const int32_t *sums32,
                                          const int16_t *sums16, int32_t *current,
                                          int32_t *voltage, uint8_t *sent,
                                          const int16_t *factors, const int32_t *levels,
                                          int32_t count, int keep) {
  const int lasts = p->update == PM_GENERAL || p->update == PM_CURRENT;
  if (lasts && p->wide)
    PM_UPDATE_ALL(1, 0, 0);
  else if (lasts)
    PM_UPDATE_ALL(0, 0, 0);
  else if (keep && p->wide)
    PM_UPDATE_ALL(1, 1, 1);
  else if (keep)
    PM_UPDATE_ALL(0, 1, 1);
  else if (p->wide)
    PM_UPDATE_ALL(1, 1, 0);
  else
    PM_UPDATE_ALL(0, 1, 0);
}

/* Compute currents, and the voltages before spikes of populations that are not reset to zero. */
PM_INLINE void pm_charge(const int wide, const int no_current, const int keep, int32_t late,
                         int left, const int32_t *restrict sums32, const int16_t *restrict sums16,
                         int32_t *restrict current, const int32_t *restrict voltage,
                         int32_t *restrict charged, const int16_t *restrict current_factors,
                         const int16_t *restrict voltage_factors, const int32_t *restrict levels,
                         int32_t period, int32_t count) {
  const int32_t *restrict biases = levels + period, *restrict amounts = biases + period;
  const int32_t *restrict lowest = amounts + period;
  for (int32_t i = 0; i < count; i++) {
    int32_t u = pm_shl(wide ? sums32[i] : sums16[i], left);
    if (!no_current) u = pm_add(u, pm_decay_32(current[i], current_factors[i]));
    u = pm_wrap(u);
    if (!no_current || keep) current[i] = u;
    int32_t v = pm_add(pm_add(pm_decay_32(voltage[i], voltage_factors[i]), u), biases[i]);
    v = pm_add(v, -(amounts[i] & -(int32_t)(voltage[i] > levels[i]) & late));
    charged[i] = pm_clip_voltage(v, lowest[i]);
  }
}

/* Fire and reset; `waiting` holds what is left of refractory periods, where `waits`. */
PM_INLINE void pm_fire(const int reset, const int waits, int32_t refractory, int32_t largest,
                       const int32_t *restrict charged, int32_t *restrict voltage,
                       int32_t *restrict waiting, uint8_t *restrict sent,
                       const int32_t *restrict levels, int32_t period, int32_t count) {
  const int32_t *restrict amounts = levels + 2 * period;
  for (int32_t i = 0; i < count; i++) {
    const int32_t v = charged[i], held = waits ? waiting[i] > 0 : 0;
    const int32_t spike = (v > levels[i]) & !held, mask = -spike;
    int32_t value = pm_graded(v, largest), after = v;
    if (reset == PM_RESET_SEVERAL) {
      if (spike) {
        value = pm_count_spikes(v, levels[i], amounts[i], largest);
        after = v - value * amounts[i];
      }
    } else if (reset == PM_RESET_VALUE) {
      after = (v & ~mask) | (amounts[i] & mask);
    } else if (reset == PM_RESET_SUBTRACT) {
      after = v - (amounts[i] & mask);
    }
    voltage[i] = waits && held ? voltage[i] : after;
    sent[i] = (uint8_t)(value & mask);
    if (waits) waiting[i] = spike ? refractory : waiting[i] - held;
  }
}

/* Fire neurons of an adaptive threshold: a spike raises it, and a refractory value. */
PM_INLINE void pm_adapt(const int32_t *restrict charged, int32_t *restrict voltage,
                        int32_t *restrict raised, int32_t *restrict refractory,
                        uint8_t *restrict sent, const int16_t *restrict factors,
                        const int32_t *restrict levels, int32_t period, int32_t count) {
  const int16_t *restrict raise_factors = factors + 2 * period;
  const int16_t *restrict refractory_factors = factors + 3 * period;
  const int32_t *restrict steps = levels + 2 * period;
  for (int32_t i = 0; i < count; i++) {
    const int32_t raise = pm_decay(raised[i], raise_factors[i]);
    const int32_t wait = pm_decay(refractory[i], refractory_factors[i]);
    const int32_t level = pm_add(levels[i], raise);
    const int32_t spike = charged[i] >= pm_add(level, wait), mask = -spike;
    raised[i] = pm_add(raise, steps[i] & mask);
    refractory[i] = pm_add(wait, pm_shl(level, 1) & mask);
    voltage[i] = charged[i];
    sent[i] = (uint8_t)spike;
  }
}

#define PM_CHARGE(wide, no_current, keep)                                                         \
  pm_charge(wide, no_current, keep, late, p->left, from32, from16,                                \
            current + done, voltage + done, charged, factors + done, factors + p->period + done, \
            levels + done, p->period, some)
#define PM_FIRE(reset)                                                                             \
  (waiting ? pm_fire(reset, 1, p->refractory, p->max_value, charged, voltage + done,               \
                     waiting + done, sent + done, levels + done, p->period, some)                  \
           : pm_fire(reset, 0, 0, p->max_value, charged, voltage + done, NULL, sent + done,        \
                     levels + done, p->period, some))

/* One step of `count` neurons that are not reset to zero, or have a refractory period or a bound. */
PM_NOINLINE static void pm_update_reset(const pm_population *p, const int32_t *sums32,
                                        const int16_t *sums16, int32_t *current, int32_t *voltage,
                                        int32_t *waiting, uint8_t *sent, const int16_t *factors,
                                        const int32_t *levels, int32_t count, int keep) {
  int32_t charged[PM_CHARGED];
  const int lasts = p->update == PM_GENERAL;
  const int32_t late = p->reset == PM_RESET_DELAYED ? -1 : 0;
  for (int32_t done = 0, some; done < count; done += some) {
    some = pm_min(PM_CHARGED, count - done);
    const int32_t *from32 = p->wide ? sums32 + done : NULL;
    const int16_t *from16 = p->wide ? NULL : sums16 + done;
    if (lasts && p->wide)
      PM_CHARGE(1, 0, 0);
    else if (lasts)
      PM_CHARGE(0, 0, 0);
    else if (p->wide && keep)
      PM_CHARGE(1, 1, 1);
    else if (p->wide)
      PM_CHARGE(1, 1, 0);
    else if (keep)
      PM_CHARGE(0, 1, 1);
    else
      PM_CHARGE(0, 1, 0);
    switch (p->reset) {
      case PM_RESET_SUBTRACT: PM_FIRE(PM_RESET_SUBTRACT); break;
      case PM_RESET_DELAYED: PM_FIRE(PM_RESET_DELAYED); break;
      case PM_RESET_SEVERAL: PM_FIRE(PM_RESET_SEVERAL); break;
      case PM_RESET_ADAPTIVE:
        pm_adapt(charged, voltage + done, waiting + done, waiting + p->neurons + done, sent + done,
                 factors + done, levels + done, p->period, some);
        break;
      default: PM_FIRE(PM_RESET_VALUE);
    }
  }
}

static void pm_update(const pm_network *net, const pm_population *p, const pm_state *state,
                      const pm_workspace *ws, ptrdiff_t sums, uint8_t *sent, int32_t low,
                      int32_t high, int keep) {
  const int fast = p->update <= PM_CURRENT && !keep;
  const int16_t *factors = net->factors + p->factors;
  const int32_t *levels = net->levels + p->levels;
  for (int32_t first = low; first < high;) {
    int32_t inside = first % p->period, count = pm_min(p->period - inside, high - first);
    if (p->uniform && fast) count = high - first, inside = 0;
    const int32_t *sums32 = p->wide ? ws->sums32 + sums + first : NULL;
    const int16_t *sums16 = p->wide ? NULL : ws->sums16 + sums + first;
    int32_t *current = state->current + p->first + first;
    int32_t *voltage = state->voltage + p->first + first;
    if (p->reset)
      pm_update_reset(p, sums32, sums16, current, voltage,
                      pm_further(p) ? state->voltage + p->further + first : NULL, sent + first,
                      factors + inside, levels + inside, count, keep);
    else if (fast)
      pm_update_fast(p, sums32, sums16, current, voltage, sent + first, factors + inside,
                     levels + inside, count);
    else
      pm_update_general(p, sums32, sums16, current, voltage, sent + first, factors + inside,
                        levels + inside, count, keep);
    first += count;
  }
}

/* One step of resonate-and-fire neurons: their complex states turn and shrink. */
PM_INLINE void pm_resonate(const int resets, int left, const int32_t *restrict real_sums,
                           const int32_t *restrict imag_sums, int32_t *restrict real,
                           int32_t *restrict imag, uint8_t *restrict sent,
                           const int16_t *restrict sines, const int16_t *restrict cosines,
                           const int32_t *restrict thresholds, int32_t count) {
  for (int32_t i = 0; i < count; i++) {
    const int32_t before = imag[i], threshold = thresholds[i];
    int32_t x = pm_sub(pm_decay_32(real[i], cosines[i]), pm_decay_32(before, sines[i]));
    int32_t y = pm_add(pm_decay_32(real[i], sines[i]), pm_decay_32(before, cosines[i]));
    x = pm_saturate(pm_add(x, pm_shl(real_sums[i], left)));
    y = pm_saturate(pm_add(y, pm_shl(imag_sums[i], left)));
    const int32_t spike = resets ? y >= threshold : (x >= threshold) & (y >= 0) & (before < 0);
    const int32_t mask = resets ? -spike : 0;
    real[i] = x & ~mask;
    imag[i] = (y & ~mask) | (pm_sub(threshold, 1) & mask);
    sent[i] = (uint8_t)spike;
  }
}

PM_NOINLINE static void pm_update_resonators(const pm_network *net, const pm_population *p,
                                             const pm_state *state, const int32_t *real_sums,
                                             const int32_t *imag_sums, uint8_t *sent, int32_t low,
                                             int32_t high) {
  const int16_t *sines = net->factors + p->factors, *cosines = sines + p->period;
  const int32_t *thresholds = net->levels + p->levels;
  int32_t *real = state->current + p->first, *imag = state->voltage + p->first;
  for (int32_t i = low; i < high;) {
    const int32_t at = i % p->period, count = pm_min(p->period - at, high - i);
    if (p->update == PM_RF)
      pm_resonate(0, p->left, real_sums + i, imag_sums + i, real + i, imag + i, sent + i,
                  sines + at, cosines + at, thresholds + at, count);
    else
      pm_resonate(1, p->left, real_sums + i, imag_sums + i, real + i, imag + i, sent + i,
                  sines + at, cosines + at, thresholds + at, count);
    i += count;
  }
}

/* One step of neurons that send changes: their messages go to the planes behind them. */
static void pm_update_messages(const pm_network *net, const pm_population *p,
                               const pm_state *state, const int32_t *sums, int32_t step,
                               int32_t *counts, int32_t low, int32_t high) {
  const int32_t *levels = net->levels + p->levels;
  int32_t *current = state->current + p->first, *voltage = state->voltage + p->first;
  uint8_t *planes[PM_PLANES] = {NULL};
  for (int plane = 0; plane < PM_PLANES && p->update != PM_SUM; plane++)
    planes[plane] = pm_values(p + plane, state, step);
  for (int32_t i = low, at = low % p->period; i < high; i++, at = at + 1 < p->period ? at + 1 : 0) {
    const int32_t a = pm_shl(sums[i], p->left), bias = levels[p->period + at];
    if (p->update == PM_SUM) {
      const int32_t u = pm_wrap24((uint32_t)a);
      current[i] = u == -PM_STATE_HALF ? PM_STATE_HALF : u;
      const int32_t v = pm_add(pm_add(voltage[i], current[i]), bias);
      voltage[i] = pm_saturate(v);
      continue;
    }
    int32_t active;
    if (p->update == PM_DELTA) {
      active = current[i] = pm_shl(a, 2 * PM_ALIGN_BITS);
    } else {
      current[i] = pm_wrap24((uint32_t)pm_add(current[i], a));
      active = pm_max(pm_add(current[i], bias), 0);
    }
    const int32_t delta = pm_sub(active, voltage[i]), size = delta < 0 ? pm_sub(0, delta) : delta;
    const int32_t message = size >= levels[at] ? delta >> PM_ALIGN_BITS : 0;
    if (size >= levels[at]) voltage[i] = active;
    const uint32_t positive = (uint32_t)pm_max(message, 0), negative = (uint32_t)pm_max(-message, 0);
    for (int byte = 0; byte < PM_PLANES / 2; byte++) {
      planes[byte][i] = (uint8_t)(positive >> 8 * byte);
      planes[PM_PLANES / 2 + byte][i] = (uint8_t)(negative >> 8 * byte);
    }
    counts[i] += message != 0;
  }
}

/* ---- rounds -------------------------------------------------------------------------------- */

/* Add up what the projections from `from` to before `upto` bring in `steps` steps from `first` on,
 * to sums from `offset` on. */
static void pm_activate_part(const pm_network *net, const pm_population *p, const pm_state *state,
                             const pm_workspace *ws, int32_t from, int32_t upto, size_t offset,
                             int32_t first, int32_t steps, int32_t low, int32_t high) {
  const int wide = p->wide != 0;
  const size_t size = wide ? 4 : 2, begin = (size_t)low;
  const size_t count = (size_t)(steps - 1) * (size_t)p->neurons + (size_t)(high - low);
  char *sums = (wide ? (char *)ws->sums32 : (char *)ws->sums16) + offset * size;
  memset(sums + begin * size, 0, count * size);
  for (int32_t number = from; number < upto; number++) {
    const pm_projection *c = net->projections + number;
    const int direct = !c->shift && !c->negate;
    void *to = direct ? (void *)sums : (void *)ws->partial;
    if (ws->dense[number] == PM_MERGED) continue;
    if (!direct) memset(ws->partial + begin, 0, count * 4);
    if (ws->dense[number]) {
      pm_multiply_steps(net, c, state, ws, number, first, steps, to, wide, low, high);
    } else {
      for (int32_t step = 0; step < steps; step++)
        pm_add_step(net, c, state, ws, first + step,
                    (char *)to + (size_t)step * (size_t)p->neurons * size, wide, low, high);
    }
    if (!direct) {
      for (size_t i = begin; i < begin + count; i++) {
        int32_t sum = ws->partial[i];
        sum = (c->negate ? (int32_t)(0u - (uint32_t)sum) : sum) >> c->shift;
        ws->sums32[offset + i] = pm_add(ws->sums32[offset + i], sum);
      }
    }
  }
}

/* Add up the activation of `steps` steps from `first` on; the imaginary sums of resonate-and-fire
 * neurons lie behind the real ones, and are added later, since vectors write behind their end. */
static void pm_activate(const pm_network *net, const pm_population *p, const pm_state *state,
                        const pm_workspace *ws, int32_t first, int32_t steps, int32_t low,
                        int32_t high) {
  const int32_t real_last = pm_resonates(p) ? p->imaginary : p->into_last;
  pm_activate_part(net, p, state, ws, p->into_first, real_last, 0, first, steps, low, high);
  if (pm_resonates(p))
    pm_activate_part(net, p, state, ws, p->imaginary, p->into_last,
                     (size_t)steps * (size_t)p->neurons, first, steps, low, high);
}

/* Bring the values that delays need into the history of a run, or back into the state. */
static void pm_move_past(const pm_network *net, const pm_state *state, int back) {
  for (int32_t number = 0; number < net->population_count; number++) {
    const pm_population *p = net->populations + number;
    uint8_t *past = state->past + p->past, *history = state->history + p->history;
    size_t size = (size_t)p->delay * (size_t)p->stride;
    if (size) memcpy(back ? past : history, back ? history : past, size);
  }
}

static void pm_silence(const pm_network *net, const pm_state *state) {
  for (int32_t number = 0; number < net->population_count; number++) {
    const pm_population *p = net->populations + number;
    memset(state->history + p->history, 0, (size_t)p->delay * (size_t)p->stride);
    if (p->kind == PM_INPUT || p->kind == PM_PLANE) continue;
    memset(state->voltage + p->first, 0, (size_t)p->neurons * sizeof *state->voltage);
    memset(state->voltage + p->further, 0, (size_t)pm_further(p) * sizeof *state->voltage);
    if (p->update >= PM_GENERAL || p->update == PM_CURRENT)
      memset(state->current + p->first, 0, (size_t)p->neurons * sizeof *state->current);
  }
  memset(state->clock, 0, 2 * sizeof *state->clock);
  memset(state->score, 0, (size_t)net->populations[net->output].neurons * sizeof *state->score);
}

static inline size_t pm_place(const pm_population *p, const pm_recording *rec, int32_t step,
                              int32_t sample) {
  return ((size_t)step * (size_t)rec->batch + (size_t)sample) * (size_t)p->neurons;
}

/* Record the states of a population's part after a step, where that is asked for. */
static void pm_write_states(const pm_population *p, int32_t number, const pm_state *state,
                            const pm_recording *rec, int32_t step, int32_t sample, int32_t low,
                            int32_t high) {
  const size_t place = pm_place(p, rec, step, sample);
  if (rec->voltages[number])
    pm_write_state(p, state->voltage, rec->voltages[number] + place, low, high);
  if (rec->currents && rec->currents[number])
    pm_write_state(p, state->current, rec->currents[number] + place, low, high);
}

/* Compute a population's values of `steps` steps. */
static void pm_compute(const pm_network *net, int32_t number, const pm_state *state,
                       const pm_recording *rec, const pm_workspace *ws, int32_t sample,
                       int32_t start, int32_t steps, int32_t low, int32_t high) {
  const pm_population *p = net->populations + number;
  const int32_t together = pm_choose(net, p, ws, steps);
  const int keep = rec->currents && rec->currents[number];
  for (int32_t step = 0; step < steps; step++) {
    if (step % together == 0) pm_activate(net, p, state, ws, step, together, low, high);
    const ptrdiff_t sums = (ptrdiff_t)(step % together) * p->neurons;
    if (p->update >= PM_SIGMA_DELTA)
      pm_update_messages(net, p, state, ws->sums32 + sums, step,
                         rec->counts + (size_t)sample * (size_t)net->neurons + p->first, low, high);
    else if (pm_resonates(p))
      pm_update_resonators(net, p, state, ws->sums32 + sums,
                           ws->sums32 + sums + (ptrdiff_t)together * p->neurons,
                           pm_values(p, state, step), low, high);
    else
      pm_update(net, p, state, ws, sums, pm_values(p, state, step), low, high, keep);
    pm_write_states(p, number, state, rec, start + step, sample, low, high);
  }
}

/* Find, count and record the spikes of a population in a round. */
static void pm_publish(const pm_network *net, int32_t number, const pm_state *state,
                       const pm_recording *rec, const pm_workspace *ws, int32_t sample,
                       int32_t start, int32_t steps, int32_t low, int32_t high) {
  const pm_population *p = net->populations + number;
  for (int32_t step = 0; step < steps; step++)
    ws->events[(ptrdiff_t)number * net->steps + step] =
        pm_scan(pm_values(p, state, step), p->stride, pm_masks(p, ws, step));
  if (p->kind != PM_PLANE && p->update < PM_SIGMA_DELTA) /* messages are counted as they are sent */
    pm_count(net, number, state, ws, rec->counts + (size_t)sample * (size_t)net->neurons, steps, low,
           high);
  if (rec->spikes[number])
    for (int32_t step = 0; step < steps; step++)
      pm_write_spikes(p, pm_values(p, state, step), pm_masks(p, ws, step),
                      rec->spikes[number] + pm_place(p, rec, start + step, sample), low, high);
}

/* Keep the last values of a round where delays need them. */
static void pm_shift_history(const pm_network *net, const pm_state *state, int32_t steps) {
  for (int32_t number = 0; number < net->population_count; number++) {
    const pm_population *p = net->populations + number;
    uint8_t *past = state->history + p->history;
    if (p->delay)
      memmove(past, past + (size_t)steps * (size_t)p->stride,
              (size_t)p->delay * (size_t)p->stride);
  }
}

/* Compute `steps` steps of all populations from step `start` on. */
static int pm_round(const pm_network *net, const pm_state *state, const pm_recording *rec,
                    const pm_workspace *ws, int32_t sample, int32_t start, int32_t steps,
                    const pm_partition *part) {
  for (int32_t number = 0; number < net->population_count; number++) {
    const pm_population *p = net->populations + number;
    int32_t low, high;
    pm_bounds(p, part, &low, &high);
    if (p->kind == PM_INPUT) {
      for (int32_t step = part->number; step < steps; step += part->parts)
        pm_read(p, rec->events[number] + pm_place(p, rec, start + step, sample),
                pm_values(p, state, step));
    } else if (p->kind != PM_PLANE && low < high) {
      pm_compute(net, number, state, rec, ws, sample, start, steps, low, high);
    }
    if (pm_wait(part)) return PM_ABANDONED;
    pm_publish(net, number, state, rec, ws, sample, start, steps, low, high);
  }
  if (pm_wait(part)) return PM_ABANDONED;
  if (part->number == 0) pm_shift_history(net, state, steps);
  return pm_wait(part) ? PM_ABANDONED : PM_OK;
}

/* Stop the sample after this step where the margin of its output exceeds the threshold. */
static void pm_judge(const pm_network *net, const pm_state *state) {
  const pm_population *p = net->populations + net->output;
  int64_t *score = state->score, first = INT64_MIN, second = INT64_MIN;
  const uint8_t *values = pm_values(p, state, 0);
  for (int32_t i = 0; i < p->neurons; i++) {
    if (p->kind == PM_INTEGRATOR)
      score[i] = state->voltage[p->first + i];
    else
      score[i] += values[i];
    if (score[i] > first) {
      second = first;
      first = score[i];
    } else if (score[i] > second) {
      second = score[i];
    }
  }
  int64_t step = state->clock[0]++;
  if (step < net->threshold_count) state->clock[1] = first - second > net->thresholds[step];
}

/* Record the states of a stopped sample for all steps from `start` on. */
static void pm_hold(const pm_network *net, const pm_state *state, const pm_recording *rec,
                    int32_t sample, int32_t start) {
  for (int32_t number = 0; number < net->population_count; number++)
    for (int32_t step = start; step < rec->timesteps; step++) {
      const pm_population *p = net->populations + number;
      pm_write_states(p, number, state, rec, step, sample, 0, p->neurons);
    }
}

int PM_ADVANCE(const pm_network *net, const pm_state *state, const pm_recording *rec,
               const pm_workspace *ws, int32_t sample, int fresh, const pm_partition *part) {
  if (part->number == 0) {
    if (fresh)
      pm_silence(net, state);
    else
      pm_move_past(net, state, 0);
  }
  if (pm_wait(part)) return PM_ABANDONED;
  const int64_t before = state->clock[0];
  const int32_t rounds = (rec->timesteps + net->steps - 1) / net->steps;
  const int32_t longest = (rec->timesteps + rounds - 1) / rounds;
  memset(ws->events, 0,
         (size_t)net->population_count * (size_t)net->steps * sizeof *ws->events);
  for (int32_t start = 0; start < rec->timesteps; start += longest) {
    if (state->clock[1]) {
      pm_hold(net, state, rec, sample, start);
      break;
    }
    int error = pm_round(net, state, rec, ws, sample, start,
                         pm_min(longest, rec->timesteps - start), part);
    if (error) return error;
    if (net->threshold_count) pm_judge(net, state);
  }
  if (net->threshold_count) rec->steps[sample] = state->clock[0] - before;
  if (!fresh && part->number == 0) pm_move_past(net, state, 1);
  return PM_OK;
}

/* ---- groups of samples --------------------------------------------------------------------- */

/* Write for each source a bit for each sample, 1 where it was active `sent` steps into the round. */
static void pm_transpose_masks(const pm_network *net, const pm_population *source,
                               const pm_state *states, const pm_workspace *ws, int32_t count,
                               int32_t sent, uint32_t *active) {
  const int32_t words = source->stride / PM_BLOCK;
  memset(active, 0, (size_t)source->stride * sizeof *active);
  for (int32_t k = 0; k < count; k++) {
    const uint64_t *masks;
    if (sent >= 0) {
      masks = pm_masks(source, ws + k, sent);
    } else {
      uint64_t *found = ws[k].masks + net->masks;
      pm_scan(pm_values(source, states + k, sent), source->stride, found);
      masks = found;
    }
    for (int32_t word = 0; word < words; word++)
      for (uint64_t bits = masks[word]; bits; bits &= bits - 1)
        active[word * PM_BLOCK + pm_lowest_bit(bits)] |= UINT32_C(1) << k;
  }
}

#if !defined(PM_FOLLOW_LANES)
/* Add to the sums of each target, one lane a sample, the weights of sources that are active. */
static void pm_follow_lanes(int16_t *sums, const int32_t *starts, const uint8_t *w,
                            const uint16_t *sources, const uint32_t *active, int32_t targets,
                            int left, int is_signed) {
  for (int32_t i = 0; i < targets; i++, sums += PM_GROUP) {
    int16_t totals[PM_GROUP] = {0};
    for (int32_t s = starts[i]; s < starts[i + 1]; s++) {
      const int16_t weight = is_signed ? (int8_t)w[s] : w[s];
      const uint32_t mask = active[sources[s]];
      for (int k = 0; k < PM_GROUP; k++)
        totals[k] = (int16_t)(totals[k] + (weight & -(int16_t)(mask >> k & 1)));
    }
    for (int k = 0; k < PM_GROUP; k++)
      sums[k] = (int16_t)((uint32_t)sums[k] + ((uint32_t)totals[k] << left));
  }
}
#endif

/* Whether a group follows the synapses of a projection once for all its samples. */
static int pm_follows_once(const pm_network *net, const pm_projection *c, const pm_workspace *ws,
                           int32_t count, int32_t steps) {
  const pm_population *source = net->populations + c->source;
  int64_t total = 0;
  if (!c->by_target) return 0;
  for (int32_t k = 0; k < count; k++)
    for (int32_t step = 0; step < steps; step++)
      total += ws[k].events[(ptrdiff_t)c->source * net->steps + step];
  return total * 4 > (int64_t)PM_LANE_QUARTERS * source->neurons * steps;
}

/* Compute a population of a group, step by step where synapses are followed once. */
static void pm_compute_group(const pm_network *net, int32_t number, const pm_state *states,
                             const pm_recording *rec, const pm_workspace *ws, void *lanes,
                             int32_t sample, int32_t count, int32_t start, int32_t steps) {
  const pm_population *p = net->populations + number;
  const int32_t outputs = p->neurons;
  uint32_t *active = lanes;
  int16_t *sums = (int16_t *)(void *)(active + (pm_group_size(net) - PM_BLOCK) /
                                                   (sizeof(uint32_t) + PM_GROUP * sizeof(int16_t)));
  int once = 0, together = 1;
  for (int32_t k = 0; k < count; k++) together = pm_max(together, pm_choose(net, p, ws + k, steps));
  for (int32_t n = p->into_first; together == 1 && n < p->into_last; n++) {
    if (!pm_follows_once(net, net->projections + n, ws, count, steps)) continue;
    once = 1;
    for (int32_t k = 0; k < count; k++) ws[k].dense[n] = PM_MERGED;
  }
  if (!once) {
    for (int32_t k = 0; k < count; k++)
      pm_compute(net, number, states + k, rec, ws + k, sample + k, start, steps, 0, outputs);
    return;
  }
  for (int32_t step = 0; step < steps; step++) {
    memset(sums, 0, (size_t)outputs * PM_GROUP * sizeof *sums);
    for (int32_t n = p->into_first; n < p->into_last; n++) {
      const pm_projection *c = net->projections + n;
      if (!c->by_target || ws->dense[n] != PM_MERGED) continue;
      pm_transpose_masks(net, net->populations + c->source, states, ws, count, step - c->delay,
                         active);
      const int32_t *starts = net->tables + c->by_target;
      pm_follow_lanes(sums, starts, net->weights + starts[outputs + 1],
                      net->targets + starts[outputs + 2], active, outputs, c->left, c->is_signed);
    }
    for (int32_t k = 0; k < count; k++) {
      int16_t *to = ws[k].sums16;
      pm_activate(net, p, states + k, ws + k, step, 1, 0, outputs);
      for (int32_t i = 0; i < outputs; i++)
        to[i] = (int16_t)(to[i] + sums[(ptrdiff_t)i * PM_GROUP + k]);
      pm_update(net, p, states + k, ws + k, 0, pm_values(p, states + k, step), 0, outputs,
                rec->currents && rec->currents[number]);
      pm_write_states(p, number, states + k, rec, start + step, sample + k, 0, outputs);
    }
  }
}

int PM_ADVANCE_GROUP(const pm_network *net, const pm_state *states, const pm_recording *rec,
                     const pm_workspace *ws, void *lanes, int32_t sample, int32_t count,
                     int fresh) {
  const int32_t rounds = (rec->timesteps + net->steps - 1) / net->steps;
  const int32_t longest = (rec->timesteps + rounds - 1) / rounds;
  for (int32_t k = 0; k < count; k++) {
    if (fresh)
      pm_silence(net, states + k);
    else
      pm_move_past(net, states + k, 0);
    memset(ws[k].events, 0,
           (size_t)net->population_count * (size_t)net->steps * sizeof *ws[k].events);
  }
  for (int32_t start = 0; start < rec->timesteps; start += longest) {
    const int32_t steps = pm_min(longest, rec->timesteps - start);
    for (int32_t number = 0; number < net->population_count; number++) {
      const pm_population *p = net->populations + number;
      if (p->kind != PM_INPUT && p->kind != PM_PLANE)
        pm_compute_group(net, number, states, rec, ws, lanes, sample, count, start, steps);
      for (int32_t k = 0; k < count; k++) {
        for (int32_t step = 0; p->kind == PM_INPUT && step < steps; step++)
          pm_read(p, rec->events[number] + pm_place(p, rec, start + step, sample + k),
                  pm_values(p, states + k, step));
        pm_publish(net, number, states + k, rec, ws + k, sample + k, start, steps, 0, p->neurons);
      }
    }
    for (int32_t k = 0; k < count; k++) pm_shift_history(net, states + k, steps);
  }
  for (int32_t k = 0; k < count && !fresh; k++) pm_move_past(net, states + k, 1);
  return PM_OK;
}

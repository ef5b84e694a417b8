/* Validation of tables, workspaces, and the list of instruction variants. */
#include "core.h"

static size_t pm_align(size_t size) { return (size + 127) / 64 * 64; }

static size_t pm_carve(const pm_network *net, char *memory, pm_workspace *ws) {
  size_t used = 0;
  const size_t sizes[7] = {
      ((size_t)net->sums16 + PM_MARGIN) * sizeof(int16_t),
      ((size_t)net->sums32 + PM_MARGIN) * sizeof(int32_t),
      ((size_t)net->sums32 + PM_MARGIN) * sizeof(int32_t),
      (size_t)net->masks * 2 * sizeof(uint64_t),
      (size_t)net->population_count * (size_t)net->steps * sizeof(int32_t),
      (size_t)net->projection_count + 1,
      (size_t)net->image + PM_BLOCK,
  };
  char *parts[7];
  for (int i = 0; i < 7; i++) {
    parts[i] = memory ? memory + used : NULL;
    used += pm_align(sizes[i]);
  }
  if (ws) {
    ws->sums16 = (int16_t *)(void *)parts[0];
    ws->sums32 = (int32_t *)(void *)parts[1];
    ws->partial = (int32_t *)(void *)parts[2];
    ws->masks = (uint64_t *)(void *)parts[3];
    ws->events = (int32_t *)(void *)parts[4];
    ws->dense = (uint8_t *)parts[5];
    ws->image = (uint8_t *)parts[6];
  }
  return used;
}

size_t pm_workspace_size(const pm_network *net) { return pm_carve(net, NULL, NULL); }

size_t pm_group_size(const pm_network *net) {
  int32_t widest = 0;
  for (int32_t i = 0; i < net->population_count; i++)
    if (net->populations[i].stride > widest) widest = net->populations[i].stride;
  return (size_t)widest * (sizeof(uint32_t) + PM_GROUP * sizeof(int16_t)) + PM_BLOCK;
}

pm_workspace pm_workspace_in(const pm_network *net, void *memory) {
  pm_workspace ws;
  pm_carve(net, memory, &ws);
  return ws;
}

/* ---- validation: no table that passes can make a run leave its memory ------------------------- */

static int pm_within(int64_t first, int64_t count, size_t size) {
  return first >= 0 && count >= 0 && first + count <= (int64_t)size;
}

static int pm_between(int64_t value, int64_t low, int64_t high) {
  return value >= low && value <= high;
}

/* Largest sums that the taps of all source rows, or columns, lead to. */
typedef struct {
  int64_t weight, target, end; /* of weights, targets; weights and targets plus count */
  int64_t weight_end;
} pm_reach;

static int pm_check_taps(const pm_network *net, int32_t starts, int32_t count, pm_reach *reach) {
  if (!pm_within(starts, (int64_t)count + 1, net->tables_size)) return 0;
  const int32_t *table = net->tables + starts;
  *reach = (pm_reach){0, 0, 0, 0};
  for (int32_t i = 0; i < count; i++) {
    const int64_t size = (int64_t)table[i + 1] - table[i];
    if (!pm_within(table[i], size, net->taps_size)) return 0;
    for (int32_t k = table[i]; k < table[i + 1]; k++) {
      const pm_tap *tap = net->taps + k;
      if (tap->weight < 0 || tap->target < 0 || tap->count < 0) return 0;
      const int64_t end = (int64_t)tap->target + tap->count;
      const int64_t weight_end = (int64_t)tap->weight + tap->count;
      if (tap->weight > reach->weight) reach->weight = tap->weight;
      if (tap->target > reach->target) reach->target = tap->target;
      if (end > reach->end) reach->end = end;
      if (weight_end > reach->weight_end) reach->weight_end = weight_end;
    }
  }
  return 1;
}

static int pm_check_by_target(const pm_network *net, const pm_projection *c, int32_t sources) {
  if (c->graded || !pm_within(c->by_target, (int64_t)c->neurons + 3, net->tables_size)) return 0;
  const int32_t *starts = net->tables + c->by_target;
  const int32_t weights = starts[c->neurons + 1], listed = starts[c->neurons + 2];
  if (starts[0] < 0) return 0;
  for (int32_t i = 0; i < c->neurons; i++)
    if (starts[i] > starts[i + 1]) return 0;
  const int32_t synapses = starts[c->neurons];
  if (!pm_within(weights, synapses, net->weights_size)) return 0;
  if (!pm_within(listed, synapses, net->targets_size)) return 0;
  for (int32_t s = 0; s < synapses; s++)
    if (net->targets[listed + s] >= sources) return 0;
  return 1;
}

static int pm_check_sparse(const pm_network *net, const pm_projection *c, int32_t sources) {
  if (!pm_within(c->starts, (int64_t)sources + 1, net->tables_size)) return 0;
  const int32_t *starts = net->tables + c->starts;
  if (starts[0] < 0) return 0;
  for (int32_t i = 0; i < sources; i++)
    if (starts[i] > starts[i + 1]) return 0;
  const int32_t synapses = starts[sources];
  if (!pm_within(c->weights, synapses, net->weights_size)) return 0;
  if (!pm_within(c->targets, synapses, c->narrow ? net->targets_size : net->tables_size)) return 0;
  for (int32_t s = 0; s < synapses; s++) {
    const int32_t target =
        c->narrow ? net->targets[c->targets + s] : net->tables[c->targets + s];
    if (target < 0 || target >= c->neurons) return 0;
  }
  return c->dense_from == 0 && (!c->by_target || pm_check_by_target(net, c, sources));
}

static int pm_check_products(const pm_network *net, const pm_projection *c) {
  const int64_t across = (int64_t)c->width + 2 * (int64_t)c->padding_x;
  const int64_t pitch = across * c->channels;
  if (pitch > INT32_MAX) return 0;
  const int64_t frame = pitch * (c->height + 2 * (int64_t)c->padding_y);
  if (frame > INT32_MAX || c->pitch != pitch || c->frame != frame) return 0;
  if (c->lanes % 8 || c->lanes < c->group_outputs || c->lanes >= c->group_outputs + 8) return 0;
  if (c->quads < 1 || !pm_within(c->offsets, c->quads, net->tables_size)) return 0;
  if (!pm_within(c->corners, c->windows, net->tables_size)) return 0;
  const int64_t weights = (int64_t)c->groups * c->quads;
  if (weights > INT32_MAX / 4 / c->lanes || !pm_within(c->packed, weights * c->lanes * 4, net->weights_size))
    return 0;
  int64_t corner = 0, offset = 0;
  for (int32_t i = 0; i < c->windows; i++) {
    const int32_t value = net->tables[c->corners + i];
    if (value < 0) return 0;
    if (value > corner) corner = value;
  }
  for (int32_t i = 0; i < c->quads; i++) {
    const int32_t value = net->tables[c->offsets + i];
    if (value < 0) return 0;
    if (value > offset) offset = value;
  }
  if (corner + offset + (int64_t)(c->groups - 1) * c->group_inputs + 4 > frame + PM_BLOCK / 2)
    return 0;
  const int64_t frames = c->windows < PM_ROWS ? net->steps : 1;
  return frames * frame <= net->image;
}

static int pm_check_windows(const pm_network *net, const pm_projection *c, int32_t sources) {
  pm_reach rows, columns;
  if (c->channels < 1 || c->height < 1 || c->width < 1 || c->windows < 1 || c->groups < 1) return 0;
  if ((int64_t)c->channels * c->height > INT32_MAX ||
      (int64_t)c->channels * c->height * c->width != sources)
    return 0;
  if (c->group_inputs < 1 || (int64_t)c->groups * c->group_inputs != c->channels) return 0;
  if (c->group_outputs < 1 || (int64_t)c->groups * c->group_outputs > c->neurons ||
      (int64_t)c->groups * c->group_outputs * c->windows != c->neurons)
    return 0;
  if (c->window_columns < 1 || c->windows % c->window_columns || c->plane < 0 ||
      !pm_between(c->run, 0, c->neurons))
    return 0;
  if (!pm_between(c->padding_y, 0, 1 << 15) || !pm_between(c->padding_x, 0, 1 << 15)) return 0;
  if (c->magic) { /* rounded up, and exact for all neurons of a row */
    if (c->magic != (uint32_t)(((UINT64_C(1) << 32) + (uint32_t)c->channels - 1) /
                               (uint32_t)c->channels))
      return 0;
    if ((int64_t)c->channels * c->channels > INT64_C(4294967295) / c->width) return 0;
  }
  if (!pm_check_taps(net, c->rows, c->height, &rows)) return 0;
  if (!pm_check_taps(net, c->columns, c->width, &columns)) return 0;
  const int one = c->windows == 1 && c->groups == 1;
  const int64_t events = (int64_t)(c->channels - 1) * c->plane;
  int64_t weights = events + rows.weight + columns.weight_end;
  if (one) weights += c->neurons;
  if (events > UINT32_MAX ||
      !pm_within(c->weights, weights + PM_WEIGHT_MARGIN, net->weights_size))
    return 0;
  if (one && (rows.target || columns.target)) return 0;
  const int64_t last = c->kind == PM_DEPTHWISE ? c->channels - 1
                                               : (int64_t)(c->groups - 1) * c->group_outputs;
  if (!one && rows.target + columns.end + last > c->neurons) return 0;
  if (c->kind == PM_CONV) return pm_check_products(net, c);
  if (c->group_inputs != 1 || c->group_outputs != 1) return 0;
  if (!pm_between(c->kernel_y, 1, 1 << 14) || !pm_between(c->kernel_x, 1, 1 << 14)) return 0;
  if (!pm_between(c->stride_y, 1, 1 << 15) || !pm_between(c->stride_x, 1, 1 << 15)) return 0;
  if (!pm_between(c->dilation_y, 1, 1 << 14) || !pm_between(c->dilation_x, 1, 1 << 14)) return 0;
  if ((int64_t)c->windows / c->window_columns > 1 << 15 || c->window_columns > 1 << 15) return 0;
  return pm_within(c->packed, (int64_t)c->kernel_y * c->kernel_x * c->channels,
                   net->weights_size);
}

/* Whether two projections can share the image of a product. */
static int pm_check_twin(const pm_projection *a, const pm_projection *b) {
  return b->kind == PM_CONV && a->channels == b->channels && a->height == b->height &&
         a->width == b->width && a->padding_y == b->padding_y && a->padding_x == b->padding_x &&
         a->pitch == b->pitch && a->frame == b->frame && a->parts == 1 && b->parts == 1;
}

/* Sums of one step: resonate-and-fire neurons have a second one each. */
static int64_t pm_sums(const pm_population *p) {
  return (pm_resonates(p) ? 2 : 1) * (int64_t)p->neurons;
}

static int pm_check_projection(const pm_network *net, const pm_population *p, int32_t number) {
  const pm_projection *c = net->projections + number;
  if (!pm_between(c->source, 0, net->population_count - 1) || c->neurons != p->neurons) return 0;
  const pm_population *source = net->populations + c->source;
  if (source->kind == PM_INTEGRATOR || !pm_between(c->delay, 0, source->delay)) return 0;
  if (!pm_between(c->parts, 1, 2) || !pm_between(c->shift, 0, 31)) return 0;
  if (!pm_between(c->left, 0, 31 - (c->parts - 1) * PM_PART_BITS)) return 0;
  if ((c->shift || c->negate) && !p->wide) return 0;
  const int32_t last = number < p->imaginary ? p->imaginary : p->into_last;
  if (c->dense_from < 0 || !pm_between(c->twins, 0, last - 1 - number)) return 0;
  for (int32_t twin = 1; twin <= c->twins; twin++)
    if (c->kind != PM_CONV || !pm_check_twin(c, c + twin)) return 0;
  const int64_t frames = c->kind == PM_CONV && c->windows < PM_ROWS ? net->steps : 1;
  if (frames * pm_sums(p) > (p->wide ? net->sums32 : net->sums16)) return 0;
  if (c->by_target && (p->wide || c->kind != PM_SPARSE)) return 0;
  if (c->kind == PM_SPARSE) return pm_check_sparse(net, c, source->neurons);
  if (c->kind != PM_CONV && c->kind != PM_DEPTHWISE) return 0;
  return pm_check_windows(net, c, source->neurons);
}

static int pm_check_parameters(const pm_network *net, const pm_population *p) {
  const int64_t twice = 2 * (int64_t)p->period;
  const int64_t factors = p->reset == PM_RESET_ADAPTIVE ? 2 * twice : twice;
  if (!pm_within(p->factors, factors, net->factors_size)) return 0;
  if (!pm_within(p->levels, p->reset ? 2 * twice : twice, net->levels_size)) return 0;
  if (p->reset && p->kind != PM_INPUT && p->update < PM_GENERAL_VALUES) return 0;
  for (int32_t i = 0; p->reset && i < p->period; i++) {
    const int32_t *levels = net->levels + p->levels + twice + i;
    const int32_t least =
        p->reset == PM_RESET_SEVERAL ? 1 : p->reset == PM_RESET_ADAPTIVE ? 0 : -(1 << 23);
    if (!pm_between(levels[0], least, 1 << 23)) return 0;
    if (p->reset == PM_RESET_ADAPTIVE && levels[-twice] > 1 << 23) return 0;
    if (!pm_between(levels[p->period], 1 - (1 << 23), 0)) return 0;
  }
  for (int64_t i = 0; i < factors; i++)
    if (!pm_between(net->factors[p->factors + i], 0, 4096)) return 0;
  for (int32_t i = 0; i < p->period; i++)
    if (net->levels[p->levels + i] < 0) return 0;
  for (int32_t i = p->period; i < 2 * p->period; i++)
    if (!pm_between(net->levels[p->levels + i], -(1 << 26), 1 << 26)) return 0;
  return 1;
}

/* Whether a population that sends messages has its planes behind it, and 32 bits for its sums. */
static int pm_check_planes(const pm_network *net, int32_t number) {
  const pm_population *p = net->populations + number;
  if (p->kind == PM_PLANE || p->update < PM_SIGMA_DELTA) return 1;
  if (p->update == PM_SUM) return p->kind == PM_INTEGRATOR && p->wide;
  if (p->kind != PM_SPIKING || !p->wide || number > net->population_count - PM_PLANES) return 0;
  for (int32_t plane = 1; plane < PM_PLANES; plane++)
    if (p[plane].kind != PM_PLANE || p[plane].neurons != p->neurons || p[plane].unit != p->unit)
      return 0;
  return 1;
}

static int pm_check_population(const pm_network *net, int32_t number) {
  const pm_population *p = net->populations + number;
  if (!pm_between(p->kind, PM_INPUT, PM_PLANE) || p->neurons < 1) return 0;
  if (p->channels < 1 || p->neurons % p->channels) return 0;
  if (p->stride != (p->neurons + (int64_t)PM_BLOCK - 1) / PM_BLOCK * PM_BLOCK) return 0;
  if (!pm_between(p->delay, 0, 1 << 12) || !pm_between(p->period, 1, p->neurons)) return 0;
  if (p->unit < 1 || !pm_between(p->update, PM_PLAIN, PM_SUM)) return 0;
  if (!pm_between(p->left, 0, 31) || !pm_between(p->max_value, 1, 255)) return 0;
  if (!pm_check_planes(net, number)) return 0;
  if ((p->kind == PM_INPUT || p->kind == PM_PLANE) && p->into_first != p->into_last) return 0;
  if (!pm_between(p->into_first, 0, p->into_last) || p->into_last > net->projection_count)
    return 0;
  if (pm_sums(p) > (p->wide ? net->sums32 : net->sums16) && p->kind != PM_INPUT) return 0;
  if (!pm_between(p->imaginary, p->into_first, p->into_last)) return 0;
  if (pm_resonates(p) ? p->kind != PM_SPIKING || !p->wide || p->reset != PM_RESET_ZERO
                      : p->imaginary != p->into_last)
    return 0;
  if (!pm_between(p->reset, PM_RESET_ZERO, PM_RESET_ADAPTIVE)) return 0;
  if (!pm_between(p->refractory, 0, 255) || (p->refractory && p->reset == PM_RESET_ZERO)) return 0;
  if (p->reset == PM_RESET_ADAPTIVE && (p->refractory || p->kind != PM_SPIKING)) return 0;
  if (pm_further(p) && (p->further < net->neurons ||
                        !pm_within(p->further, pm_further(p), (size_t)net->states)))
    return 0;
  if (!pm_between(p->further, 0, net->states)) return 0;
  return pm_check_parameters(net, p);
}

int pm_validate(const pm_network *net) {
  int64_t first = 0, history = 0, masks = 0, past = 0, further = 0;
  int32_t into = 0; /* every projection is that of one population, and checked with it */
  if (net->population_count < 1 || !pm_between(net->steps, 1, PM_MAX_STEPS)) return PM_BAD_TABLE;
  if (!pm_between(net->output, 0, net->population_count - 1)) return PM_BAD_TABLE;
  if (net->populations[net->output].kind == PM_INPUT) return PM_BAD_TABLE;
  if (net->neurons < 1 || net->states < net->neurons) return PM_BAD_TABLE;
  if (net->sums16 < 0 || net->sums32 < 0 || net->image < 0) return PM_BAD_TABLE;
  if (net->threshold_count && (net->steps != 1 || net->populations[net->output].neurons < 2))
    return PM_BAD_TABLE; /* a margin is that of two neurons */
  for (int32_t i = 0; i < net->population_count; i++) {
    const pm_population *p = net->populations + i;
    if (!pm_check_population(net, i)) return PM_BAD_TABLE;
    if (p->first != first || p->history != history || p->masks != masks || p->past != past)
      return PM_BAD_TABLE;
    if (p->into_first != into) return PM_BAD_TABLE;
    into = p->into_last;
    first += p->neurons;
    history += (int64_t)(p->delay + net->steps) * p->stride;
    masks += (int64_t)net->steps * (p->stride / PM_BLOCK);
    past += (int64_t)p->delay * p->stride;
    further += pm_further(p);
    if (history > INT32_MAX || first > INT32_MAX) return PM_BAD_TABLE;
  }
  if (net->neurons != first || net->history != history) return PM_BAD_TABLE;
  if (into != net->projection_count) return PM_BAD_TABLE;
  if (net->masks != masks || net->past != past || net->states != first + further)
    return PM_BAD_TABLE;
  for (int32_t i = 0; i < net->population_count; i++) {
    const pm_population *p = net->populations + i;
    for (int32_t k = p->into_first; k < p->into_last; k++)
      if (!pm_check_projection(net, p, k)) return PM_BAD_TABLE;
  }
  return PM_OK;
}

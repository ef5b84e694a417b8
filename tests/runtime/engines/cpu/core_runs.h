/* Runs of the C core without Python, with memory of exact sizes: shared by replay_runs.c, which
 * compares recorded runs, and fuzz_tables.c, which damages their tables. */
#ifndef CORE_RUNS_H
#define CORE_RUNS_H

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

enum { TABLES = 10, HEADER_FIELDS = 15 };

typedef struct {
  char *bytes;
  size_t size;
} Array;

/* What a run records; entries are NULL where a population records nothing. */
typedef struct {
  uint8_t **spikes;
  int32_t **voltages, **currents, *counts;
  int64_t *steps;
} Found;

static void *make(size_t count, size_t size) {
  void *memory = calloc(count ? count : 1, size);
  if (!memory) exit(2);
  return memory;
}

/* Read the tables; 0 where their sizes do not fit, as module.c decides. */
static int read_network(const Array *tables, pm_network *net) {
  const int32_t *h = (const int32_t *)(void *)tables[0].bytes;
  if (tables[0].size != 4 * HEADER_FIELDS || h[0] != PM_FORMAT) return 0;
  *net = (pm_network){
      .populations = (const pm_population *)(void *)tables[1].bytes,
      .projections = (const pm_projection *)(void *)tables[2].bytes,
      .weights = (const uint8_t *)tables[3].bytes,
      .tables = (const int32_t *)(void *)tables[4].bytes,
      .targets = (const uint16_t *)(void *)tables[5].bytes,
      .taps = (const pm_tap *)(void *)tables[6].bytes,
      .factors = (const int16_t *)(void *)tables[7].bytes,
      .levels = (const int32_t *)(void *)tables[8].bytes,
      .thresholds = (const int64_t *)(void *)tables[9].bytes,
      .weights_size = tables[3].size,
      .tables_size = tables[4].size / 4,
      .targets_size = tables[5].size / 2,
      .taps_size = tables[6].size / sizeof(pm_tap),
      .factors_size = tables[7].size / 2,
      .levels_size = tables[8].size / 4,
      .population_count = h[1],
      .projection_count = h[2],
      .threshold_count = h[3],
      .neurons = h[4],
      .steps = h[5],
      .history = h[6],
      .past = h[7],
      .masks = h[8],
      .sums16 = h[9],
      .sums32 = h[10],
      .image = h[11],
      .output = h[12],
      .states = h[13],
      .crc = (uint32_t)h[14],
  };
  return h[1] >= 0 && h[2] >= 0 && h[3] >= 0 &&
         tables[1].size == (size_t)h[1] * sizeof(pm_population) &&
         tables[2].size == (size_t)h[2] * sizeof(pm_projection) &&
         tables[9].size == (size_t)h[3] * sizeof(int64_t);
}

static pm_state make_state(const pm_network *net) {
  return (pm_state){
      make((size_t)net->neurons, sizeof(int32_t)),
      make((size_t)net->states, sizeof(int32_t)),
      make((size_t)net->past, 1),
      make(2, sizeof(int64_t)),
      make((size_t)net->populations[net->output].neurons, sizeof(int64_t)),
      make((size_t)net->history + PM_BLOCK, 1),
  };
}

static void free_state(const pm_state *state) {
  free(state->current);
  free(state->voltage);
  free(state->past);
  free(state->clock);
  free(state->score);
  free(state->history);
}

static Found make_found(const pm_network *net, int32_t timesteps, int32_t batch) {
  const size_t count = (size_t)net->population_count;
  Found found = {make(count, sizeof(void *)), make(count, sizeof(void *)),
                 make(count, sizeof(void *)),
                 make((size_t)batch * (size_t)net->neurons, sizeof(int32_t)),
                 make((size_t)batch, sizeof(int64_t))};
  for (size_t i = 0; i < count; i++) {
    const pm_population *p = net->populations + i;
    const size_t size = (size_t)timesteps * (size_t)batch * (size_t)p->neurons;
    if (p->kind == PM_INPUT) continue;
    if (p->kind != PM_INTEGRATOR) found.spikes[i] = make(size, 1);
    if (p->kind == PM_PLANE) continue;
    found.voltages[i] = make(size, sizeof(int32_t));
    found.currents[i] = make(size, sizeof(int32_t));
  }
  for (int32_t i = 0; i < batch; i++) found.steps[i] = timesteps;
  return found;
}

static void free_found(const pm_network *net, const Found *found) {
  for (int32_t i = 0; i < net->population_count; i++) {
    free(found->spikes[i]);
    free(found->voltages[i]);
    free(found->currents[i]);
  }
  free(found->spikes);
  free(found->voltages);
  free(found->currents);
  free(found->counts);
  free(found->steps);
}

static char *align(char *memory) { return memory + (64 - (uintptr_t)memory % 64) % 64; }

/* Run from `first` on, `timesteps` steps, with all arrays moved on to there. */
typedef int (*run_part_of)(const pm_network *, const pm_variant *, const pm_recording *, void *);

static int run_from(const pm_network *net, const pm_variant *variant, const Array *events,
                    const Found *found, int32_t first, int32_t timesteps, int32_t batch,
                    run_part_of run, void *context) {
  const size_t count = (size_t)net->population_count;
  const uint8_t **given = make(count, sizeof *given);
  Found part = {make(count, sizeof(void *)), make(count, sizeof(void *)),
                make(count, sizeof(void *)), found->counts, found->steps};
  for (size_t i = 0; i < count; i++) {
    const size_t at = (size_t)first * (size_t)batch * (size_t)net->populations[i].neurons;
    if (net->populations[i].kind == PM_INPUT) given[i] = (const uint8_t *)events[i].bytes + at;
    if (found->spikes[i]) part.spikes[i] = found->spikes[i] + at;
    if (found->voltages[i]) part.voltages[i] = found->voltages[i] + at;
    if (found->currents[i]) part.currents[i] = found->currents[i] + at;
  }
  const pm_recording recording = {timesteps,     batch,         given,        part.spikes,
                                  part.voltages, part.currents, found->counts, found->steps};
  const int error = run(net, variant, &recording, context);
  free(given);
  free(part.spikes);
  free(part.voltages);
  free(part.currents);
  return error;
}

/* ---- all samples one after the other, on threads that share each --------------------------- */

typedef struct {
  const pm_network *net;
  const pm_variant *variant;
  const pm_recording *recording;
  const pm_state *state;
  int64_t *counter;
  int32_t number, parts;
  int error;
} Thread;

static int wait_for_all(void *context) {
  Thread *thread = context;
  const int64_t arrived = __atomic_fetch_add(thread->counter, 1, __ATOMIC_SEQ_CST);
  const int64_t last = (arrived / thread->parts + 1) * thread->parts;
  while (__atomic_load_n(thread->counter, __ATOMIC_SEQ_CST) < last) sched_yield();
  return 0;
}

static void *run_thread(void *context) {
  Thread *thread = context;
  char *memory = make(pm_workspace_size(thread->net) + 64, 1);
  const pm_workspace ws = pm_workspace_in(thread->net, align(memory));
  const pm_partition part = {thread->number, thread->parts, wait_for_all, thread};
  for (int32_t sample = 0; sample < thread->recording->batch; sample++)
    thread->error |= thread->variant->advance(thread->net, thread->state, thread->recording, &ws,
                                              sample, 1, &part);
  free(memory);
  return NULL;
}

/* context: the number of threads, at most 16. */
static int run_threads(const pm_network *net, const pm_variant *variant,
                       const pm_recording *recording, void *context) {
  const int32_t parts = *(const int32_t *)context;
  const pm_state state = make_state(net);
  Thread threads[16];
  pthread_t ids[16];
  int64_t counter = 0;
  int error = 0;
  for (int32_t i = 0; i < parts; i++) {
    threads[i] = (Thread){net, variant, recording, &state, &counter, i, parts, 0};
    if (i && pthread_create(&ids[i], NULL, run_thread, &threads[i])) exit(2);
  }
  run_thread(&threads[0]);
  for (int32_t i = 0; i < parts; i++) {
    if (i) pthread_join(ids[i], NULL);
    error |= threads[i].error;
  }
  free_state(&state);
  return error;
}

/* ---- samples that continue from their states, and groups ------------------------------------ */

/* context: a state of each sample. */
static int run_states(const pm_network *net, const pm_variant *variant,
                      const pm_recording *recording, void *context) {
  const pm_state *states = context;
  char *memory = make(pm_workspace_size(net) + 64, 1);
  const pm_workspace ws = pm_workspace_in(net, align(memory));
  const pm_partition alone = {0, 1, NULL, NULL};
  int error = 0;
  for (int32_t sample = 0; sample < recording->batch; sample++)
    error |= variant->advance(net, states + sample, recording, &ws, sample, 0, &alone);
  free(memory);
  return error;
}

/* context: a state of each sample, of at most PM_GROUP. */
static int run_group(const pm_network *net, const pm_variant *variant,
                     const pm_recording *recording, void *context) {
  const size_t size = pm_workspace_size(net);
  char *memory = make((size_t)recording->batch * size + 64, 1);
  char *lanes = make(pm_group_size(net) + 64, 1);
  pm_workspace spaces[PM_GROUP];
  for (int32_t i = 0; i < recording->batch; i++)
    spaces[i] = pm_workspace_in(net, align(memory) + (size_t)i * size);
  const int error = variant->advance_group(net, context, recording, spaces, align(lanes), 0,
                                           recording->batch, 0);
  free(memory);
  free(lanes);
  return error;
}

/* Run all samples cut into two parts, in a group if `together`. */
static int run_cut(const pm_network *net, const pm_variant *variant, const Array *events,
                   const Found *found, int32_t timesteps, int32_t batch, int32_t cut,
                   int together) {
  pm_state states[PM_GROUP];
  int error = 0;
  if (batch > PM_GROUP) return 0;
  for (int32_t i = 0; i < batch; i++) states[i] = make_state(net);
  const run_part_of run = together ? run_group : run_states;
  if (cut) error |= run_from(net, variant, events, found, 0, cut, batch, run, states);
  int64_t *before = make((size_t)batch, sizeof *before);
  if (cut) memcpy(before, found->steps, (size_t)batch * sizeof *before);
  for (int32_t i = 0; i < batch; i++) found->steps[i] = timesteps - cut;
  error |= run_from(net, variant, events, found, cut, timesteps - cut, batch, run, states);
  for (int32_t i = 0; i < batch; i++) {
    if (cut) found->steps[i] += net->threshold_count ? before[i] : cut;
    free_state(states + i);
  }
  free(before);
  return error;
}

#endif

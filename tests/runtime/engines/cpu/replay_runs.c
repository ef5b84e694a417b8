/* Replay recorded runs in every instruction variant: `replay FILE [THREADS]`, for emulators and
 * sanitizers. Threads share each sample, with the barrier of module.c.
 *
 * The file is written by record_runs.py: for each run, arrays as a 64-bit size and that many bytes:
 * the shape, ten tables, then for each population events, spikes and voltages (or nothing), counts
 * and steps. Prints how many runs were equal; exits with 1 where one was not. */
#include "core.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  char *bytes;
  size_t size;
} Array;

static Array read_array(FILE *file) {
  uint64_t size = 0;
  Array array = {NULL, 0};
  if (fread(&size, sizeof size, 1, file) != 1) return array;
  array.bytes = calloc(size + 64, 1);
  array.size = (size_t)size;
  if (!array.bytes || fread(array.bytes, 1, array.size, file) != array.size) exit(2);
  return array;
}

static int differs(const char *name, const char *variant, const void *found, Array wanted) {
  if (!wanted.size || !memcmp(found, wanted.bytes, wanted.size)) return 0;
  fprintf(stderr, "%s: %s differ\n", variant, name);
  return 1;
}

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

static void *run_part(void *context) {
  Thread *thread = context;
  char *memory = calloc(pm_workspace_size(thread->net) + 64, 1);
  const pm_workspace ws =
      pm_workspace_in(thread->net, memory + (64 - (uintptr_t)memory % 64) % 64);
  const pm_partition part = {thread->number, thread->parts, wait_for_all, thread};
  for (int32_t sample = 0; sample < thread->recording->batch; sample++)
    if (thread->variant->advance(thread->net, thread->state, thread->recording, &ws, sample, 1,
                                 &part))
      thread->error = 1;
  free(memory);
  return NULL;
}

static int replay(const pm_network *net, const pm_variant *variant, const int32_t *shape,
                  const Array *events, const Array *spikes, const Array *voltages, Array counts,
                  Array steps, int32_t parts) {
  const size_t count = (size_t)net->population_count, samples = (size_t)shape[0] * (size_t)shape[1];
  const uint8_t **given = calloc(count, sizeof *given);
  uint8_t **sent = calloc(count, sizeof *sent);
  int32_t **levels = calloc(count, sizeof *levels);
  const size_t neurons = (size_t)net->neurons;
  int wrong = 0;
  for (size_t i = 0; i < count; i++) {
    const size_t size = samples * (size_t)net->populations[i].neurons;
    given[i] = (const uint8_t *)events[i].bytes;
    sent[i] = spikes[i].size ? calloc(size, 1) : NULL;
    levels[i] = voltages[i].size ? calloc(size, 4) : NULL;
  }
  int32_t *counted = calloc((size_t)shape[1] * neurons, 4);
  int64_t *ran = calloc((size_t)shape[1], 8);
  for (int32_t i = 0; i < shape[1]; i++) ran[i] = shape[0];
  const pm_recording recording = {shape[0], shape[1], given, sent, levels, NULL, counted, ran};
  const pm_state state = {
      calloc(neurons, 4),
      calloc(neurons, 4),
      calloc((size_t)net->past + 1, 1),
      calloc(2, 8),
      calloc((size_t)net->populations[net->output].neurons, 8),
      calloc((size_t)net->history + PM_BLOCK, 1),
  };
  Thread threads[16];
  pthread_t ids[16];
  int64_t counter = 0;
  for (int32_t i = 0; i < parts; i++) {
    threads[i] = (Thread){net, variant, &recording, &state, &counter, i, parts, 0};
    if (i && pthread_create(&ids[i], NULL, run_part, &threads[i])) exit(2);
  }
  run_part(&threads[0]);
  for (int32_t i = 0; i < parts; i++) {
    if (i) pthread_join(ids[i], NULL);
    wrong |= threads[i].error;
  }
  for (size_t i = 0; i < count; i++) {
    wrong |= differs("spikes", variant->name, sent[i], spikes[i]);
    wrong |= differs("voltages", variant->name, levels[i], voltages[i]);
    free(sent[i]);
    free(levels[i]);
  }
  wrong |= differs("counts", variant->name, counted, counts);
  wrong |= differs("steps", variant->name, ran, steps);
  free(given);
  free(sent);
  free(levels);
  free(counted);
  free(ran);
  free(state.current);
  free(state.voltage);
  free(state.past);
  free(state.clock);
  free(state.score);
  free(state.history);
  return wrong;
}

int main(int argc, char **argv) {
  FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
  int runs = 0, wrong = 0, used = 0;
  const int32_t threads = argc > 2 ? atoi(argv[2]) : 1;
  if (!file || threads < 1 || threads > 16) return 2;
  for (;; runs++) {
    Array shape = read_array(file), tables[10];
    if (!shape.bytes) break;
    for (int i = 0; i < 10; i++) tables[i] = read_array(file);
    const int32_t *h = (const int32_t *)(void *)tables[0].bytes;
    const pm_network net = {
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
        .crc = (uint32_t)h[13],
    };
    const size_t count = (size_t)net.population_count;
    Array *arrays = calloc(3 * count, sizeof *arrays);
    for (size_t i = 0; i < 3 * count; i++) arrays[i] = read_array(file);
    Array counts = read_array(file), steps = read_array(file);
    for (const pm_variant *v = pm_variants(); v->name; v++)
      if (v->supported() && pm_checksum(&net, v->has_crc) != net.crc) {
        fprintf(stderr, "run %d: %s: the checksum differs\n", runs, v->name);
        wrong++;
      }
    if (pm_validate(&net) != PM_OK) {
      fprintf(stderr, "run %d: tables are refused\n", runs);
      wrong++;
    } else {
      used = 0;
      for (const pm_variant *v = pm_variants(); v->name; v++) {
        if (!v->supported()) continue;
        used++;
        wrong += replay(&net, v, (const int32_t *)(void *)shape.bytes, arrays, arrays + count,
                        arrays + 2 * count, counts, steps,
                        net.threshold_count ? 1 : threads);
      }
    }
    for (size_t i = 0; i < 3 * count; i++) free(arrays[i].bytes);
    for (int i = 0; i < 10; i++) free(tables[i].bytes);
    free(arrays);
    free(shape.bytes);
    free(counts.bytes);
    free(steps.bytes);
  }
  printf("%d runs, %d variants:", runs, used);
  for (const pm_variant *v = pm_variants(); v->name; v++)
    if (v->supported()) printf(" %s", v->name);
  printf("; %d wrong\n", wrong);
  fclose(file);
  return wrong != 0;
}

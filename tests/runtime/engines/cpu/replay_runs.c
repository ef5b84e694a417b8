/* Replay recorded runs in every instruction variant: `replay FILE [THREADS]`, for emulators and
 * sanitizers. Every run is taken whole, by threads that share each sample with the barrier of
 * module.c; cut into two at every step; and as a group of samples.
 *
 * The file is written by record_runs.py: for each run, arrays as a 64-bit size and that many bytes:
 * the shape, ten tables, then for each population events, spikes, voltages and currents (or
 * nothing), counts and steps. Prints how many runs were equal; exits with 1 where one was not. */
#include "core_runs.h"

static Array read_array(FILE *file) {
  uint64_t size = 0;
  Array array = {NULL, 0};
  if (fread(&size, sizeof size, 1, file) != 1) return array;
  array.bytes = make((size_t)size, 1);
  array.size = (size_t)size;
  if (fread(array.bytes, 1, array.size, file) != array.size) exit(2);
  return array;
}

typedef struct {
  int32_t timesteps, batch;
  const Array *events, *spikes, *voltages, *currents;
  Array counts, steps;
} Run;

static int differs(const char *name, const char *variant, const void *found, Array wanted) {
  if (!wanted.size || !memcmp(found, wanted.bytes, wanted.size)) return 0;
  fprintf(stderr, "%s: %s differ\n", variant, name);
  return 1;
}

/* Compare what was found and free it. */
static int settle(const pm_network *net, const char *variant, const Run *run, const Found *found,
                  int error) {
  int wrong = error != 0;
  for (int32_t i = 0; i < net->population_count; i++) {
    wrong |= differs("spikes", variant, found->spikes[i], run->spikes[i]);
    wrong |= differs("voltages", variant, found->voltages[i], run->voltages[i]);
    wrong |= differs("currents", variant, found->currents[i], run->currents[i]);
  }
  wrong |= differs("counts", variant, found->counts, run->counts);
  wrong |= differs("steps", variant, found->steps, run->steps);
  free_found(net, found);
  return wrong;
}

static int replay(const pm_network *net, const pm_variant *variant, const Run *run,
                  int32_t threads) {
  const int together = !net->threshold_count && run->batch <= PM_GROUP;
  Found found = make_found(net, run->timesteps, run->batch);
  int error = run_from(net, variant, run->events, &found, 0, run->timesteps, run->batch,
                       run_threads, &threads);
  int wrong = settle(net, variant->name, run, &found, error);
  for (int group = 0; group <= together; group++)
    for (int32_t cut = 0; cut < run->timesteps; cut++) {
      found = make_found(net, run->timesteps, run->batch);
      error = run_cut(net, variant, run->events, &found, run->timesteps, run->batch, cut, group);
      wrong |= settle(net, variant->name, run, &found, error);
    }
  return wrong;
}

/* Replay one run whose tables were read. */
static int replay_all(const pm_network *net, const Run *run, int32_t threads) {
  int wrong = 0;
  for (const pm_variant *v = pm_variants(); v->name; v++) {
    if (!v->supported()) continue;
    if (pm_checksum(net, v->has_crc) != net->crc) {
      fprintf(stderr, "%s: the checksum differs\n", v->name);
      wrong = 1;
    }
    wrong |= replay(net, v, run, net->threshold_count ? 1 : threads);
  }
  return wrong;
}

int main(int argc, char **argv) {
  FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
  int runs = 0, wrong = 0;
  const int32_t threads = argc > 2 ? atoi(argv[2]) : 1;
  if (!file || threads < 1 || threads > 16) return 2;
  for (;; runs++) {
    Array shape = read_array(file), tables[TABLES];
    if (!shape.bytes) break;
    for (int i = 0; i < TABLES; i++) tables[i] = read_array(file);
    pm_network net;
    if (!read_network(tables, &net) || pm_validate(&net) != PM_OK) {
      fprintf(stderr, "run %d: tables are refused\n", runs);
      return 1;
    }
    const size_t count = (size_t)net.population_count;
    Array *arrays = make(4 * count, sizeof *arrays);
    for (size_t i = 0; i < 4 * count; i++) arrays[i] = read_array(file);
    const Array counts = read_array(file), steps = read_array(file);
    const int32_t *sizes = (const int32_t *)(void *)shape.bytes;
    const Run run = {sizes[0],           sizes[1],           arrays, arrays + count,
                     arrays + 2 * count, arrays + 3 * count, counts, steps};
    wrong += replay_all(&net, &run, threads);
    for (size_t i = 0; i < 4 * count; i++) free(arrays[i].bytes);
    for (int i = 0; i < TABLES; i++) free(tables[i].bytes);
    free(arrays);
    free(shape.bytes);
    free(counts.bytes);
    free(steps.bytes);
  }
  printf("%d runs:", runs);
  for (const pm_variant *v = pm_variants(); v->name; v++)
    if (v->supported()) printf(" %s", v->name);
  printf("; %d wrong\n", wrong);
  fclose(file);
  return wrong != 0;
}

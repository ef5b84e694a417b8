/* Fuzz the tables of the C core with libFuzzer: what pm_validate accepts has to run without leaving
 * its memory, in every instruction variant, whole, cut, in a group and on two threads, and learn.
 * Run it by fuzz.sh.
 *
 * An input is the ten tables, each as a 64-bit size and that many bytes. The mutator changes
 * integers and keeps sizes; the checksum is written anew, as an attacker would. */
#include "core_runs.h"

enum { STEPS = 5, BATCH = 3, LARGEST = 1 << 18 };

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t limit);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t limit, unsigned seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Where each table lies in an input; 0 where it is cut short. */
static int find_tables(const uint8_t *data, size_t size, size_t *starts, size_t *sizes) {
  size_t at = 0;
  for (int i = 0; i < TABLES; i++) {
    uint64_t count;
    if (size - at < sizeof count) return 0;
    memcpy(&count, data + at, sizeof count);
    at += sizeof count;
    if (count > size - at) return 0;
    starts[i] = at;
    sizes[i] = (size_t)count;
    at += (size_t)count;
  }
  return 1;
}

static uint32_t draw(uint32_t *seed, uint32_t below) {
  *seed = *seed * 1664525u + 1013904223u;
  return (uint32_t)(((uint64_t)*seed * below) >> 32);
}

/* Change up to three integers, most often of the header and of the rows of fields. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t limit, unsigned seed) {
  static const int likely[] = {0, 1, 1, 1, 2, 2, 2, 2, 3, 4, 4, 5, 5, 6, 7, 8, 9};
  static const size_t widths[TABLES] = {4, 4, 4, 1, 4, 2, 4, 2, 4, 8};
  size_t starts[TABLES], sizes[TABLES];
  if (!find_tables(data, size, starts, sizes)) return LLVMFuzzerMutate(data, size, limit);
  uint32_t random = seed;
  for (uint32_t changes = 1 + draw(&random, 3); changes; changes--) {
    const int table = likely[draw(&random, sizeof likely / sizeof *likely)];
    const size_t width = widths[table], count = sizes[table] / width;
    if (!count) continue;
    uint8_t *at = data + starts[table] + draw(&random, (uint32_t)count) * width;
    const uint8_t *other = data + starts[table] + draw(&random, (uint32_t)count) * width;
    uint64_t value = 0;
    memcpy(&value, at, width);
    switch (draw(&random, 8)) {
      case 0: value++; break;
      case 1: value--; break;
      case 2: value ^= UINT64_C(1) << draw(&random, (uint32_t)(8 * width)); break;
      case 3: value = 0; break;
      case 4: value = UINT64_MAX >> (65 - 8 * width); break;
      case 5: value = 0 - value; break;
      case 6: memcpy(&value, other, width); break;
      default: LLVMFuzzerMutate(at, width, width); continue;
    }
    memcpy(at, &value, width);
  }
  return size;
}

/* Let a copy of the weights of each sparse projection learn from random spikes. */
static void learn_accepted(const pm_network *net) {
  uint8_t *weights = make(net->weights_size, 1);
  uint32_t random = net->crc;
  for (int32_t number = 0; number < net->projection_count; number++) {
    const pm_projection *c = net->projections + number;
    if (c->kind != PM_SPARSE || c->is_signed) continue;
    const size_t sources = (size_t)net->populations[c->source].neurons;
    const size_t targets = (size_t)c->neurons;
    const size_t tag_count = 2 * (size_t)net->tables[c->starts + (int32_t)sources];
    uint8_t *tags = make(tag_count, 1), *sent = make(sources, 1), *received = make(targets, 1);
    int32_t *before = make(2 * sources, sizeof *before), *after = make(2 * targets, sizeof *after);
    for (size_t i = 0; i < tag_count; i++) tags[i] = (uint8_t)draw(&random, 256);
    memcpy(weights, net->weights, net->weights_size);
    pm_rule rule = {
        number, (int32_t)draw(&random, 8), (int32_t)draw(&random, 8),
        (int32_t)draw(&random, 10), (int32_t)draw(&random, 128),
        {(int32_t)draw(&random, 4096), 4095}, {(int32_t)draw(&random, 4096), 4095}, random, tags,
        before, after, weights,
    };
    for (int step = 0; step < STEPS; step++) {
      for (size_t i = 0; i < sources; i++) sent[i] = (uint8_t)draw(&random, 2);
      for (size_t i = 0; i < targets; i++) received[i] = (uint8_t)draw(&random, 2);
      pm_learn(net, &rule, sent, received);
    }
    free(tags), free(sent), free(received), free(before), free(after);
  }
  free(weights);
}

/* Run what was accepted, with events of all values. */
static void run_accepted(const pm_network *net) {
  const size_t count = (size_t)net->population_count;
  const int together = !net->threshold_count;
  Array *events = make(count, sizeof *events);
  for (size_t i = 0; i < count; i++) {
    events[i].size = STEPS * BATCH * (size_t)net->populations[i].neurons;
    events[i].bytes = make(events[i].size, 1);
    uint32_t random = (uint32_t)i;
    for (size_t k = 0; k < events[i].size; k++) {
      const uint32_t value = draw(&random, 512);
      events[i].bytes[k] = value < 256 ? (char)value : 0;
    }
  }
  for (const pm_variant *v = pm_variants(); v->name; v++) {
    if (!v->supported()) continue;
    Found found = make_found(net, STEPS, BATCH);
    int32_t threads = net->threshold_count ? 1 : 2;
    run_from(net, v, events, &found, 0, STEPS, BATCH, run_threads, &threads);
    for (int group = 0; group <= together; group++)
      run_cut(net, v, events, &found, STEPS, BATCH, 2, group);
    free_found(net, &found);
  }
  for (size_t i = 0; i < count; i++) free(events[i].bytes);
  free(events);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  size_t starts[TABLES], sizes[TABLES];
  Array tables[TABLES];
  pm_network net;
  if (!find_tables(data, size, starts, sizes)) return 0;
  for (int i = 0; i < TABLES; i++) {
    tables[i] = (Array){make(sizes[i], 1), sizes[i]};
    memcpy(tables[i].bytes, data + starts[i], sizes[i]);
  }
  if (read_network(tables, &net)) {
    net.crc = pm_checksum(&net, 0);
    if (pm_validate(&net) == PM_OK && net.states <= LARGEST && net.history <= LARGEST &&
        net.sums16 <= LARGEST && net.sums32 <= LARGEST && net.image <= LARGEST) {
      run_accepted(&net);
      learn_accepted(&net);
    }
  }
  for (int i = 0; i < TABLES; i++) free(tables[i].bytes);
  return 0;
}

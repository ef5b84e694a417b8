/* Plasticity (STDP) in integers, as runtime/plasticity.py of pumice defines it. C99, freestanding: no
 * library, no allocation, no recursion, no floating point. */
#include "pumice_plasticity.h"

#include "pumice_arithmetic.h"
#include "pumice_core.h"

#define net pumice_network
#define plastic pumice_plasticity

int pm_plasticity_intact(void) {
  uint32_t crc = pm_crc_words(0xffffffffu, &plastic.sizes.rule_count,
                              (int32_t)(sizeof plastic.sizes / sizeof(int32_t)));
  if (~crc != plastic.sizes_crc) return 0;
  for (int32_t i = 0; i < plastic.sizes.tags; i++) crc = pm_crc_byte(crc, plastic.tags[i]);
  crc = pm_crc_words(crc, (const int32_t *)(const void *)plastic.rules,
                     plastic.sizes.rule_count * (int32_t)(sizeof(pm_rule) / 4u));
  return ~crc == plastic.crc;
}

void pm_plasticity_start(void) {
  for (int32_t k = 0; k < plastic.sizes.rule_count; k++) {
    const pm_rule *rule = plastic.rules + k;
    const uint8_t *from = net.weights + net.projections[rule->projection].weights;
    for (int32_t s = 0; s < rule->synapses; s++) plastic.weights[rule->weights + s] = from[s];
    plastic.seeds[k] = (uint32_t)rule->seed;
  }
}

void pm_plasticity_reset(void) {
  for (int32_t i = 0; i < plastic.sizes.traces; i++) plastic.traces[i] = 0;
}

const uint8_t *pm_plastic_weights(int32_t projection) {
  for (int32_t k = 0; k < plastic.sizes.rule_count; k++)
    if (plastic.rules[k].projection == projection)
      return plastic.weights + plastic.rules[k].weights;
  return NULL;
}

/* Spikes of a population, `delay` timesteps ago, as a bit mask. */
static const uint32_t *pm_spikes(int32_t population, int32_t delay) {
  const pm_population *p = net.populations + population;
  const int32_t slot = (int32_t)net.slots[population] - delay;
  return net.masks + p->mask + (slot < 0 ? slot + p->slots : slot) * p->row;
}

static uint32_t pm_spike(const uint32_t *mask, int32_t neuron) {
  return mask[neuron >> 5] >> (neuron & 31) & 1u;
}

static void pm_decay_traces(uint8_t *traces, const int32_t *kept, const uint32_t *mask,
                            int32_t neurons, int32_t impulse, int32_t r) {
  for (int trace = 0; trace < 2; trace++, traces += neurons)
    for (int32_t i = 0; i < neurons; i++) {
      const int32_t added = pm_spike(mask, i) ? impulse : 0;
      traces[i] = (uint8_t)pm_decay_trace(traces[i], kept[trace], added, r);
    }
}

/* A synapse at work: its rule, tags, and the traces and spikes of its ends. */
typedef struct {
  const pm_rule *rule;
  const uint8_t *tags, *before, *after; /* of a synapse, and of its source and target */
  int32_t sources, targets;
  uint32_t sent, received;
} pm_synapse;

static int32_t pm_change(const pm_synapse *at, int32_t w) {
  const pm_rule *rule = at->rule;
  int32_t change = 0;
  for (int32_t trace = 0; trace < 2; trace++) {
    const int32_t tag = at->tags[trace * rule->synapses];
    if (at->received)
      change += pm_weight_change(rule->potentiation, tag, at->before[trace * at->sources], 255 - w);
    if (at->sent)
      change += pm_weight_change(-rule->depression, tag, at->after[trace * at->targets], w);
  }
  return change * (int32_t)(UINT32_C(1) << (uint32_t)rule->exponent);
}

static void pm_learn(const pm_rule *rule, const uint32_t *sent, const uint32_t *received,
                     int32_t r) {
  const pm_projection *c = net.projections + rule->projection;
  const int32_t *starts = net.words + c->starts;
  uint8_t *weights = plastic.weights + rule->weights;
  pm_synapse at = {rule, NULL, NULL, NULL, net.populations[rule->source].neurons,
                   net.populations[rule->target].neurons, 0, 0};
  for (int32_t j = 0; j < at.sources; j++) {
    at.sent = pm_spike(sent, j);
    at.before = plastic.traces + rule->before + j;
    for (int32_t s = starts[j]; s < starts[j + 1]; s++) {
      const int32_t i =
          c->narrow ? (int32_t)net.halves[c->targets + s] : net.words[c->targets + s];
      at.received = pm_spike(received, i);
      if (!at.sent && !at.received) continue;
      at.after = plastic.traces + rule->after + i;
      at.tags = plastic.tags + rule->tags + s;
      weights[s] = (uint8_t)pm_change_weight(weights[s], pm_change(&at, weights[s]), r);
    }
  }
}

void pm_plasticity_learn(int32_t delay) {
  for (int32_t k = 0; k < plastic.sizes.rule_count; k++) {
    const pm_rule *rule = plastic.rules + k;
    const uint32_t seed = pm_next_random(plastic.seeds[k]);
    const uint32_t *sent = pm_spikes(rule->source, delay);
    const uint32_t *received = pm_spikes(rule->target, delay);
    const int32_t r = (int32_t)(seed >> 20);
    plastic.seeds[k] = seed;
    pm_decay_traces(plastic.traces + rule->before, rule->kept_before, sent,
                    net.populations[rule->source].neurons, rule->impulse, r);
    pm_decay_traces(plastic.traces + rule->after, rule->kept_after, received,
                    net.populations[rule->target].neurons, rule->impulse, r);
    pm_learn(rule, sent, received, (int32_t)(seed >> 13 & 127u));
  }
}

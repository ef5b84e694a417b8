/* Integer STDP of sparse projections; the equations are those of runtime/plasticity.py. */
#include "core.h"
#include "pumice_arithmetic.h"

/* Let two traces decay and add where there was a spike. */
static void pm_decay_traces(int32_t *traces, const int32_t *kept, const uint8_t *spikes,
                            int32_t neurons, int32_t impulse, int32_t r) {
  for (int trace = 0; trace < 2; trace++, traces += neurons)
    for (int32_t i = 0; i < neurons; i++)
      traces[i] = pm_decay_trace(traces[i], kept[trace], spikes[i] ? impulse : 0, r);
}

static int32_t pm_change(const pm_rule *rule, const int32_t *tags, const int32_t *x,
                         const int32_t *y, int sent, int received, int32_t w) {
  int32_t change = 0;
  for (int trace = 0; trace < 2; trace++) {
    if (received) change += pm_weight_change(rule->potentiation, tags[trace], x[trace], 255 - w);
    if (sent) change += pm_weight_change(-rule->depression, tags[trace], y[trace], w);
  }
  return change * (1 << rule->exponent);
}

void pm_learn(const pm_network *net, pm_rule *rule, const uint8_t *sent, const uint8_t *received) {
  const pm_projection *c = net->projections + rule->projection;
  const int32_t sources = net->populations[c->source].neurons, targets = c->neurons;
  const int32_t *starts = net->tables + c->starts;
  const int32_t synapses = starts[sources];
  rule->seed = pm_next_random(rule->seed);
  const int32_t r = (int32_t)(rule->seed >> 20), r_weight = (int32_t)(rule->seed >> 13 & 0x7f);
  pm_decay_traces(rule->before, rule->kept_before, sent, sources, rule->impulse, r);
  pm_decay_traces(rule->after, rule->kept_after, received, targets, rule->impulse, r);
  uint8_t *weights = rule->weights + c->weights;
  for (int32_t j = 0; j < sources; j++) {
    const int32_t x[2] = {rule->before[j], rule->before[sources + j]};
    for (int32_t s = starts[j]; s < starts[j + 1]; s++) {
      const int32_t i = c->narrow ? net->targets[c->targets + s] : net->tables[c->targets + s];
      if (!sent[j] && !received[i]) continue;
      const int32_t y[2] = {rule->after[i], rule->after[targets + i]};
      const int32_t tags[2] = {rule->tags[s], rule->tags[synapses + s]};
      const int32_t change = pm_change(rule, tags, x, y, sent[j], received[i], weights[s]);
      weights[s] = (uint8_t)pm_change_weight(weights[s], change, r_weight);
    }
  }
}

/* Integer STDP of sparse projections; the equations are those of runtime/plasticity.py. */
#include "core.h"

/* Let two traces decay and add where there was a spike; at most 127. */
static void pm_decay_traces(int32_t *traces, const int32_t *kept, const uint8_t *spikes,
                            int32_t neurons, int32_t impulse, int32_t r) {
  for (int trace = 0; trace < 2; trace++, traces += neurons)
    for (int32_t i = 0; i < neurons; i++) {
      const int32_t value = ((traces[i] * kept[trace] + r) >> 12) + (spikes[i] ? impulse : 0);
      traces[i] = value < 127 ? value : 127;
    }
}

static int32_t pm_change(const pm_rule *rule, const int32_t *tags, const int32_t *x,
                         const int32_t *y, int sent, int received, int32_t w, int32_t r) {
  int64_t moved = 0;
  for (int trace = 0; trace < 2; trace++) {
    const int64_t tag = tags[trace];
    if (received)
      moved += ((rule->potentiation * tag * x[trace] * (255 - w)) >> 14) *
               (INT64_C(1) << rule->exponent);
    if (sent)
      moved += ((-rule->depression * tag * y[trace] * w) >> 14) * (INT64_C(1) << rule->exponent);
  }
  const int64_t changed = ((int64_t)w * 128 + moved + r) >> 7;
  return changed < 0 ? 0 : changed > 255 ? 255 : (int32_t)changed;
}

void pm_learn(const pm_network *net, pm_rule *rule, const uint8_t *sent, const uint8_t *received) {
  const pm_projection *c = net->projections + rule->projection;
  const int32_t sources = net->populations[c->source].neurons, targets = c->neurons;
  const int32_t *starts = net->tables + c->starts;
  const int32_t synapses = starts[sources];
  rule->seed = 1664525u * rule->seed + 1013904223u;
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
      weights[s] = (uint8_t)pm_change(rule, tags, x, y, sent[j], received[i], weights[s], r_weight);
    }
  }
}

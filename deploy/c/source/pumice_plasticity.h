/* Plasticity (STDP): synapses whose weights, in RAM, change while the network runs. */
#ifndef PUMICE_PLASTICITY_H
#define PUMICE_PLASTICITY_H

#include <stdint.h>

/* Plastic synapses of one projection, from a source to a target that are populations. weights: first
 * among plastic weights, of `synapses`, by source neuron and then by target neuron, neurons in
 * (height, width, channel) order. tags: first among tags, two of each synapse. before, after: first
 * among traces, two of each neuron of the source and of the target. kept_before, kept_after: what
 * traces keep in a timestep, in 1/4096. seed: first state of the generator. The other fields are
 * those of runtime/plasticity.py of pumice. */
typedef struct {
  int32_t projection, source, target, weights, synapses, tags, before, after, potentiation,
      depression, exponent, impulse, kept_before[2], kept_after[2], seed;
} pm_rule;

typedef struct {
  int32_t rule_count, tags, weights, traces;
} pm_plasticity_sizes;

typedef struct {
  const pm_rule *rules;
  const uint8_t *tags;
  uint8_t *weights;  /* present weights, in RAM: keep and restore them to go on after a restart */
  uint8_t *traces;
  uint32_t *seeds;   /* state of each rule's generator */
  pm_plasticity_sizes sizes;
  uint32_t sizes_crc, crc; /* CRC-32 of the sizes; of the sizes and the tables */
} pm_plasticity;

extern const pm_plasticity pumice_plasticity;

int pm_plasticity_intact(void);
void pm_plasticity_start(void); /* weights and generators as exported */
void pm_plasticity_reset(void); /* traces before a sample */

/* Change weights by the spikes of `delay` timesteps ago. */
void pm_plasticity_learn(int32_t delay);

/* Present weights of a projection, or NULL where they are constant. */
const uint8_t *pm_plastic_weights(int32_t projection);

uint32_t pm_crc_byte(uint32_t crc, uint32_t byte);
uint32_t pm_crc_words(uint32_t crc, const int32_t *words, int32_t count);

#endif

/* Tables, buffers and interface of the firmware core. C99, freestanding; allocates nothing. */
#ifndef PUMICE_CORE_H
#define PUMICE_CORE_H

#include <stddef.h>
#include <stdint.h>

enum pumice_status {
  PUMICE_OK = 0,           /* a timestep was computed */
  PUMICE_STOPPED = 1,      /* the sample stopped early: further timesteps change nothing */
  PUMICE_ERROR_SIZE = -1,  /* the input is not of the network's size, or NULL */
  PUMICE_ERROR_VALUE = -2, /* an input value exceeds what its population takes */
  PUMICE_ERROR_TABLES = -3,/* the tables are damaged: their CRC-32 differs */
  PUMICE_ERROR_STATE = -4  /* pumice_init has not succeeded */
};

/* Check the CRC-32 of the tables and reset; call once before all else. */
int pumice_init(void);

/* Return to zero state, before each sample. */
void pumice_reset(void);

/* Advance by one timestep. input: a byte for each input neuron, (channel, height, width) order, the
 * input populations one after another: 0, 1, or the value of a graded event. An error changes no
 * state. Returns PUMICE_STOPPED in and after the timestep in which an early exit stops the sample. */
int pumice_step(const uint8_t *input, size_t size);

/* Predicted class so far: the largest logit, the first of ties. */
int32_t pumice_prediction(void);

/* Logit of a class: voltage of an integrator in 1/64 of a weight unit, else spikes so far; with the
 * readout rule "max" the largest so far, with "length" the one after the last timestep with an input. */
int32_t pumice_logit(int32_t class_index);

/* Timesteps that the sample has run. */
uint32_t pumice_steps(void);

/* Value that a neuron, in (channel, height, width) order, sent in the last timestep; 0 if none. */
uint8_t pumice_sent(int32_t population, int32_t neuron);

/* Message that a neuron of kind delta or sigma_delta sent in the last timestep, in 1/4096 of 1; of
 * others what pumice_sent returns. */
int32_t pumice_message(int32_t population, int32_t neuron);

/* Membrane voltage of a neuron, in 1/64 of a weight unit. */
int32_t pumice_voltage(int32_t population, int32_t neuron);

/* ---- what the tables hold ---------------------------------------------------------------------- */

/* RF, RF_IZ: resonate-and-fire neurons. From DELTA on: neurons that send messages. */
enum { PM_INPUT, PM_SPIKING, PM_INTEGRATOR, PM_RF, PM_RF_IZ, PM_DELTA, PM_SIGMA_DELTA };
enum { PM_DENSE, PM_SPARSE, PM_CONV, PM_POOL };
/* DIRECT: no current that lasts and none that wraps: sums go to the voltage. MOMENTARY: a current
 * of one timestep, in the scratch buffer. LASTING: a current of its own; of kinds DELTA and
 * SIGMA_DELTA the activation, or the sum, and the voltage is what was sent. MODULAR: a current of
 * one timestep, which is the sum of messages modulo 2^24. COMPLEX: the current is the real part of a
 * state, the voltage its imaginary part; both sums are in the scratch buffer, the kept parts are the
 * cosine and the sine, and projections from `steady` on add to the imaginary sum. */
enum { PM_DIRECT, PM_MOMENTARY, PM_LASTING, PM_MODULAR, PM_COMPLEX };
/* What a spike does to the voltage. ZERO: sets it to zero, and there is neither a refractory period
 * nor a lower bound of the voltage. SEVERAL: subtracts as often as the threshold is passed. DELAYED:
 * subtracts in the next timestep. ADAPTIVE: raises the threshold by the amount, and a refractory
 * value by twice the threshold. */
enum {
  PM_RESET_ZERO,
  PM_RESET_VALUE,
  PM_RESET_SUBTRACT,
  PM_RESET_DELAYED,
  PM_RESET_SEVERAL,
  PM_RESET_ADAPTIVE
};

/* Parameter of neuron (position, channel): table[first + position * block + channel * step]. */
typedef struct {
  int32_t first, step, block;
} pm_parameter;

/* Neurons lie (height, width, channel). slots: timesteps kept, the longest delay and one more. row:
 * words of a bit mask. mask: first word among all masks. sent: first byte among graded values, or
 * -1; of kinds DELTA and SIGMA_DELTA the first of their messages among states. voltage, current: first among states. shift: of the only projection. steady: no leak and no
 * bias. */
typedef struct {
  int32_t kind, neurons, channels, max_value, slots, row, mask, sent, mode, voltage, current, shift,
      steady, into, into_end;
  pm_parameter current_kept, voltage_kept, threshold, bias;
} pm_population;

/* What spikes of a population do. refractory: timesteps after a spike in which the voltage is held.
 * waiting: first among states of what is left of them, or of the raises of thresholds, and behind
 * them the refractory values. lowest: bound of the voltage. raise_kept, refractory_kept: factors of
 * an adaptive threshold in a timestep. */
typedef struct {
  int32_t kind, refractory, waiting;
  pm_parameter amount, lowest, raise_kept, refractory_kept;
} pm_reset;

/* scale: what weights are multiplied by. shift: bits that sums are shifted right. bits, is_signed:
 * of packed weights. weights: first byte. pitch: bytes of a run of `count` weights, which share
 * source, kernel row and column. plane: bytes of one source channel. channels: of a position of the
 * source, all of them of a dense connection. starts, targets: of sparse connections. */
typedef struct {
  int32_t kind, source, delay, scale, shift, bits, is_signed, weights, pitch, plane, count, starts,
      targets, narrow, channels, width, group_inputs, target_height, target_width, target_channels,
      kernel_height, kernel_width, stride_y, stride_x, padding_y, padding_x, dilation_y, dilation_x;
} pm_projection;

/* Entries of every table and buffer. reset_count: 0, or that of the populations. output: population that is read. thresholds: first word of the
 * early exit's. */
typedef struct {
  int32_t population_count, projection_count, weights, halves, words, masks, sent, states, scores,
      input, output, thresholds, threshold_count, reset_count;
} pm_sizes;

typedef struct {
  const pm_population *populations;
  const pm_projection *projections;
  const pm_reset *resets;
  const uint8_t *weights;
  const uint16_t *halves;
  const int32_t *words;
  uint32_t *masks;   /* spikes of all populations and timesteps kept */
  uint8_t *sent;     /* values of graded ones */
  int32_t *states;   /* voltages and currents */
  int32_t *scratch;  /* currents of one timestep */
  int32_t *rounded;  /* sums that are shifted right */
  int32_t *scores;   /* spikes of the output */
  uint8_t *slots;    /* present slot of each population */
  int32_t *traced;   /* currents of all neurons, where PUMICE_TRACE is set */
  pm_sizes sizes;
  uint32_t sizes_crc, crc; /* CRC-32 of the sizes; of the sizes and the tables */
} pm_network;

extern const pm_network pumice_network;

/* Synaptic current of a neuron; only where PUMICE_TRACE is set. */
int32_t pumice_current(int32_t population, int32_t neuron);

#endif

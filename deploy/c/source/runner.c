/* Run a network on recorded events, and record what it does.
 *
 * input.bin: timesteps, samples, what to record (32 bits each); then the input of each timestep, raw
 * where PUMICE_RAW is set: 1 for bytes, 2 for a waveform of 16 bits.
 * output.bin: the status of pumice_init; for each timestep 1, the clock's ticks and the prediction,
 * 32 bits each, of raw input the ticks of the encoder and the events, and what is recorded; 0 after
 * each sample; at last the bytes of stack used, and where PUMICE_PLASTIC is 1 the learned weights. */
#include "port.h"
#include "pumice_core.h"
#include "pumice_encoder.h"
#include "pumice_plasticity.h"

#ifndef PUMICE_TRACE
#define PUMICE_TRACE 0
#endif
#ifndef PUMICE_RAW
#define PUMICE_RAW 0
#endif
#ifndef PUMICE_PLASTIC
#define PUMICE_PLASTIC 0
#endif
#define RECORD_SPIKES 1u /* and voltages of integrators */
#define RECORD_STATES 2u
#define BUFFER 1024

extern uint8_t events[]; /* as many as the network takes */
#if PUMICE_RAW == 2
typedef int16_t pm_raw;
#elif PUMICE_RAW
typedef uint8_t pm_raw;
#endif
#if PUMICE_RAW
extern pm_raw raw[]; /* as many as the encoder takes */
#endif
static uint8_t buffer[BUFFER];
static size_t buffered;

static int flush(void) {
  const size_t size = buffered;
  buffered = 0;
  return size ? port_write(buffer, size) : 0;
}

static int put_byte(uint32_t byte) {
  buffer[buffered++] = (uint8_t)byte;
  return buffered == BUFFER ? flush() : 0;
}

static int put_word(uint32_t word) {
  int failed = 0;
  for (uint32_t shift = 0; shift < 32u; shift += 8u) failed |= put_byte((word >> shift) & 255u);
  return failed;
}

static int record(uint32_t what) {
  int failed = 0;
  for (int32_t i = 0; i < pumice_network.sizes.population_count; i++) {
    const pm_population *p = pumice_network.populations + i;
    if (p->kind == PM_INPUT) continue;
    if (p->kind == PM_DELTA || p->kind == PM_SIGMA_DELTA)
      for (int32_t n = 0; n < p->neurons; n++) failed |= put_word((uint32_t)pumice_message(i, n));
    if (p->kind == PM_SPIKING || p->kind == PM_RF || p->kind == PM_RF_IZ)
      for (int32_t n = 0; n < p->neurons; n++) failed |= put_byte(pumice_sent(i, n));
    if (p->kind == PM_INTEGRATOR || (what & RECORD_STATES))
      for (int32_t n = 0; n < p->neurons; n++) failed |= put_word((uint32_t)pumice_voltage(i, n));
#if PUMICE_TRACE
    if (what & RECORD_STATES)
      for (int32_t n = 0; n < p->neurons; n++) failed |= put_word((uint32_t)pumice_current(i, n));
#endif
  }
  return failed;
}

/* Read the input of a timestep and encode it, for the ticks returned; 0 where that succeeded. */
static int read_events(uint32_t *ticks) {
#if PUMICE_RAW
  const size_t count = (size_t)pumice_encoder.sizes.raw;
  if (port_read(raw, count * sizeof raw[0])) return 3;
  const uint32_t before = port_ticks();
#if PUMICE_RAW == 2
  const int status = pumice_encode_waveform(raw, count, events);
#else
  const int status = pumice_encode_values(raw, count, events);
#endif
  *ticks = port_ticks() - before;
  return status < 0 ? 4 : 0;
#else
  *ticks = 0;
  return port_read(events, (size_t)pumice_network.sizes.input) ? 3 : 0;
#endif
}

static int record_events(uint32_t ticks) {
  int failed = 0;
#if PUMICE_RAW
  failed |= put_word(ticks);
  for (int32_t i = 0; i < pumice_network.sizes.input; i++) failed |= put_byte(events[i]);
#endif
  (void)ticks;
  return failed;
}

static int run_sample(uint32_t timesteps, uint32_t what) {
  const size_t size = (size_t)pumice_network.sizes.input;
  int status = PUMICE_OK;
  pumice_reset();
  for (uint32_t step = 0; step < timesteps; step++) {
    uint32_t encoding;
    const int unread = read_events(&encoding);
    if (unread) return unread;
    if (status == PUMICE_STOPPED) continue;
    const uint32_t before = port_ticks();
    status = pumice_step(events, size);
    const uint32_t ticks = port_ticks() - before;
    if (status < 0) return 4;
    int failed = put_word(1) | put_word(ticks) | put_word((uint32_t)pumice_prediction());
    failed |= record_events(encoding);
    if (what) failed |= record(what);
    if (failed) return 5;
  }
  return put_word(0);
}

static int record_weights(void) {
  int failed = 0;
#if PUMICE_PLASTIC
  pumice_reset(); /* ends the last sample */
  for (int32_t i = 0; i < pumice_plasticity.sizes.weights; i++)
    failed |= put_byte(pumice_plasticity.weights[i]);
#endif
  return failed;
}

int main(void) {
  uint32_t header[3];
  if (port_open() || port_read(header, sizeof header)) return 2;
  const int status = pumice_init();
  int failed = put_word((uint32_t)status);
  for (uint32_t sample = 0; sample < header[1] && status == PUMICE_OK && !failed; sample++)
    failed = run_sample(header[0], header[2]);
  if (!failed) failed = put_word(port_stack_used()) | record_weights() | flush();
  return port_close() | failed;
}

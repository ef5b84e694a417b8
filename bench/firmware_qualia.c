/* Run code that qualia-codegen generated on random events; for bench/firmware.py. */
#include "port.h"

#include "model.c"

#ifndef TIMESTEPS
#define TIMESTEPS 8
#endif

static input_t input;
static output_t output;

#ifdef QUALIA_RUNNER
int main(void) {
  uint32_t record[TIMESTEPS], random = 1;
  if (port_open()) return 2;
  for (int step = 0; step < TIMESTEPS; step++) {
    for (int32_t i = 0; i < MODEL_INPUT_DIMS; i++) {
      random = random * 1664525u + 1013904223u;
      ((MODEL_INPUT_NUMBER_T *)input)[i] = random >> 30 == 0 ? 1 << MODEL_INPUT_SCALE_FACTOR : 0;
    }
    const uint32_t before = port_ticks();
    cnn(input, output);
    record[step] = port_ticks() - before;
  }
  return port_write(record, sizeof record) | port_close();
}
#else
int start(void);
int start(void) {
  cnn(input, output);
  reset();
  return (int)output[0];
}
#endif

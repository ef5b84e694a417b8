/* Example: classify a waveform, raw int16 samples of this machine's byte order on standard input, and
 * print the prediction:  tail -c +45 seven.wav | ./example
 * What ends earlier goes on with silence, and rows of a series with the mean.
 *
 * On a microcontroller, fill `samples` from the microphone and leave out the printing. */
#include <stdio.h>

#include "pumice.h"

#ifdef PUMICE_TIMESTEPS
#define TIMESTEPS PUMICE_TIMESTEPS
#else
#define TIMESTEPS 10
#endif

static int16_t samples[PUMICE_RAW_SIZE];
static uint8_t events[PUMICE_INPUT_SIZE];

int main(void) {
  if (pumice_init() != PUMICE_OK) {
    printf("the tables are damaged\n");
    return 1;
  }
  for (int step = 0; step < TIMESTEPS; step++) {
    const size_t count = fread(samples, sizeof samples[0], PUMICE_RAW_SIZE, stdin);
    for (size_t i = count; i < PUMICE_RAW_SIZE; i++) samples[i] = PUMICE_PADDING(i);
    int status = pumice_encode_waveform(samples, PUMICE_RAW_SIZE, events);
    if (status == PUMICE_OK) status = pumice_step(events, sizeof events);
    if (status < 0) {
      printf("error %d\n", status);
      return 1;
    }
    if (status == PUMICE_STOPPED) break;
  }
  printf("class %ld after %lu timesteps, logit %ld\n", (long)pumice_prediction(),
         (unsigned long)pumice_steps(), (long)pumice_logit(pumice_prediction()));
  return 0;
}

/* Example: run a network on random events and print its prediction.
 *
 * On a microcontroller, fill `events` from the sensor and leave out the printing. */
#include <stdio.h>

#include "pumice.h"

#define TIMESTEPS 10

static uint8_t events[PUMICE_INPUT_SIZE];

int main(void) {
  uint32_t random = 1;
  if (pumice_init() != PUMICE_OK) {
    printf("the tables are damaged\n");
    return 1;
  }
  for (int step = 0; step < TIMESTEPS; step++) {
    for (size_t i = 0; i < sizeof events; i++) {
      random = random * 1664525u + 1013904223u;
      events[i] = random >> 28 == 0; /* one in sixteen */
    }
    const int status = pumice_step(events, sizeof events);
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

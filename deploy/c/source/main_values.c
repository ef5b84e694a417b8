/* Example: encode and classify values, and print the prediction.
 *
 * On a microcontroller, fill `values` from the sensor and leave out the printing. */
#include <stdio.h>

#include "pumice.h"

#define TIMESTEPS 10

static uint8_t values[PUMICE_RAW_SIZE], events[PUMICE_INPUT_SIZE];

int main(void) {
  if (pumice_init() != PUMICE_OK) {
    printf("the tables are damaged\n");
    return 1;
  }
  for (int step = 0; step < TIMESTEPS; step++) {
    for (size_t i = 0; i < sizeof values; i++) values[i] = (uint8_t)(i % 2);
    int status = pumice_encode_values(values, sizeof values, events);
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

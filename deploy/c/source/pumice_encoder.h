/* Encoders: from a waveform or a time series, or from values of one byte, to the input of pumice_step. */
#ifndef PUMICE_ENCODER_H
#define PUMICE_ENCODER_H

#include <stddef.h>
#include <stdint.h>

/* Encode what a sensor gives for one timestep. events: as many bytes as pumice_step takes. Call it
 * once for each timestep, before pumice_step; pumice_reset returns it to its initial state. An error
 * changes nothing. A network has one of the two functions, see pumice.h. The first takes waveform
 * samples, or the rows of a time series: the features of the first row, then those of the next. */
int pumice_encode_waveform(const int16_t *samples, size_t size, uint8_t *events);
int pumice_encode_values(const uint8_t *values, size_t size, uint8_t *events);

/* ---- what the tables hold ---------------------------------------------------------------------- */

/* raw: entries that a timestep takes. values: entries that a spike code takes. bits, timesteps,
 * threshold: of a spike code. The others: of a filter bank, as runtime/encoders/log_mel.py of pumice
 * names them; before: samples of a window before its hop; shift: of powers. Of a standardization
 * windows are rows of a timestep, and bands features. */
typedef struct {
  int32_t raw, values, bits, timesteps, threshold, hop, windows, span, before, size, shift, bands,
      bins, peak_decay, peak_floor, max_value;
} pm_encoder_sizes;

typedef struct {
  const int16_t *window, *sine, *edges;
  const uint8_t *weight;
  const int32_t *scale, *offset, *mean;
  int16_t *history;   /* the last samples of the timestep before */
  int32_t *spectrum;  /* of one window */
  int32_t *levels;    /* of the bands of one window */
  uint8_t *frame;     /* values of a timestep, where a spike code follows a filter bank */
  uint8_t *reference; /* of a delta code */
  pm_encoder_sizes sizes;
  uint32_t sizes_crc, crc; /* CRC-32 of the sizes; of the sizes and the tables */
} pm_encoder;

extern const pm_encoder pumice_encoder;

int pm_is_ready(void); /* pumice_init has succeeded */
int pm_encoder_intact(void);
void pm_encoder_reset(void);
uint32_t pm_crc_byte(uint32_t crc, uint32_t byte);
uint32_t pm_crc_words(uint32_t crc, const int32_t *words, int32_t count);

#endif

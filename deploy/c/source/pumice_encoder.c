/* Encoders in fixed point: log-mel filter bank, standardization, rate, latency and delta code. C99, freestanding: no
 * library, no allocation, no recursion, no floating point. runtime/encoders of pumice defines every
 * integer; pumice_config.h selects what the network uses. */
#include "pumice_encoder.h"

#include "pumice_arithmetic.h"
#include "pumice_config.h"
#include "pumice_core.h"

#define enc pumice_encoder

static uint32_t pm_encoded; /* timesteps */
#if PUMICE_MEL
static int32_t pm_peak;
#endif

/* ---- tables ---------------------------------------------------------------------------------- */

#if PUMICE_MEL
static uint32_t pm_crc_halves(uint32_t crc, const int16_t *halves, int32_t count) {
  for (int32_t i = 0; i < count; i++) {
    const uint32_t half = (uint32_t)halves[i];
    crc = pm_crc_byte(pm_crc_byte(crc, half & 255u), half >> 8 & 255u);
  }
  return crc;
}
#endif

int pm_encoder_intact(void) {
  const int32_t count = (int32_t)(sizeof enc.sizes / sizeof(int32_t));
  uint32_t crc = pm_crc_words(0xffffffffu, &enc.sizes.raw, count);
  if (~crc != enc.sizes_crc) return 0;
#if PUMICE_MEL
  crc = pm_crc_halves(crc, enc.window, enc.sizes.span);
  crc = pm_crc_halves(crc, enc.sine, 3 * enc.sizes.size / 4 + 1);
  crc = pm_crc_halves(crc, enc.edges, enc.sizes.bands + 2);
  for (int32_t i = 0; i < enc.sizes.bins; i++) crc = pm_crc_byte(crc, enc.weight[i]);
  crc = pm_crc_words(crc, enc.scale, enc.sizes.bands);
  crc = pm_crc_words(crc, enc.offset, enc.sizes.bands);
#elif PUMICE_STANDARDIZE
  crc = pm_crc_words(crc, enc.scale, enc.sizes.bands);
  crc = pm_crc_words(crc, enc.mean, enc.sizes.bands);
#endif
  return ~crc == enc.crc;
}

void pm_encoder_reset(void) {
  pm_encoded = 0;
#if PUMICE_MEL
  pm_peak = enc.sizes.peak_floor;
  for (int32_t i = 0; i < enc.sizes.before; i++) enc.history[i] = 0;
#endif
}

/* ---- spectrum -------------------------------------------------------------------------------- */

#if PUMICE_MEL
/* Products of two numbers and sines, in 1/16384, rounded. */
static inline int32_t pm_turn(int32_t a, int32_t c, int32_t b, int32_t s) {
  const int64_t sum = (int64_t)a * c + (int64_t)b * s + 8192;
  return (int32_t)(uint32_t)((uint64_t)sum >> 14);
}

/* Window the samples up to `end` of this timestep, and put pairs of them in bit-reversed order. */
static void pm_load(const int16_t *samples, int32_t end) {
  const int32_t half = enc.sizes.size / 2, span = enc.sizes.span, start = end - span;
  int32_t place = 0;
  for (int32_t n = 0; n < half; n++) {
    int32_t *z = enc.spectrum + 2 * place;
    for (int32_t i = 0; i < 2; i++) {
      const int32_t k = 2 * n + i, at = start + k;
      int32_t x = 0;
      if (k < span) {
        x = at < 0 ? enc.history[enc.sizes.before + at] : samples[at];
        x = pm_shift_right(x * enc.window[k] + 2048, 12);
      }
      z[i] = x;
    }
    int32_t bit = half / 2; /* count from the highest bit down */
    while (place & bit) {
      place -= bit;
      bit /= 2;
    }
    place += bit;
  }
}

/* Fast Fourier transform of the pairs, as complex numbers. */
static void pm_transform(void) {
  const int32_t half = enc.sizes.size / 2, quarter = enc.sizes.size / 4;
  for (int32_t width = 1; width < half; width *= 2) {
    for (int32_t j = 0; j < width; j++) {
      const int32_t q = j * (half / width), c = enc.sine[q + quarter], s = enc.sine[q];
      for (int32_t k = j; k < half; k += 2 * width) {
        int32_t *a = enc.spectrum + 2 * k, *b = a + 2 * width;
        int32_t re = b[0], im = b[1];
        if (j) { /* else c = 1, s = 0 */
          re = pm_turn(b[0], c, b[1], s);
          im = pm_turn(b[1], c, b[0], -s);
        }
        b[0] = a[0] - re;
        b[1] = a[1] - im;
        a[0] += re;
        a[1] += im;
      }
    }
  }
}

/* Power of a bin of the spectrum of the sequence. */
static uint64_t pm_power(int32_t k) {
  const int32_t half = enc.sizes.size / 2, mask = half - 1;
  const int32_t c = enc.sine[k + enc.sizes.size / 4], s = enc.sine[k];
  const int32_t *z = enc.spectrum + 2 * (k & mask), *w = enc.spectrum + 2 * ((half - k) & mask);
  const int32_t o_re = z[0] - w[0], o_im = z[1] + w[1];
  const int32_t re = z[0] + w[0] + pm_turn(o_im, c, o_re, -s);
  const int32_t im = z[1] - w[1] + pm_turn(o_re, -c, o_im, -s);
  return (uint64_t)((int64_t)re * re + (int64_t)im * im) >> enc.sizes.shift;
}

/* ---- levels ---------------------------------------------------------------------------------- */

/* Logarithm to base 2, in 1/256. */
static int32_t pm_level(uint64_t energy) {
  /* 256 log2(1 + m / 256), rounded */
  static const uint8_t table[256] = {
        0,   1,   3,   4,   6,   7,   9,  10,  11,  13,  14,  16,  17,  18,  20,  21,
       22,  24,  25,  26,  28,  29,  30,  32,  33,  34,  36,  37,  38,  40,  41,  42,
       44,  45,  46,  47,  49,  50,  51,  52,  54,  55,  56,  57,  59,  60,  61,  62,
       63,  65,  66,  67,  68,  69,  71,  72,  73,  74,  75,  77,  78,  79,  80,  81,
       82,  84,  85,  86,  87,  88,  89,  90,  92,  93,  94,  95,  96,  97,  98,  99,
      100, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 116, 117,
      118, 119, 120, 121, 122, 123, 124, 125, 126, 127, 128, 129, 130, 131, 132, 133,
      134, 135, 136, 137, 138, 139, 140, 141, 142, 143, 144, 145, 146, 147, 148, 149,
      150, 151, 152, 153, 154, 155, 155, 156, 157, 158, 159, 160, 161, 162, 163, 164,
      165, 166, 167, 168, 169, 169, 170, 171, 172, 173, 174, 175, 176, 177, 178, 178,
      179, 180, 181, 182, 183, 184, 185, 185, 186, 187, 188, 189, 190, 191, 192, 192,
      193, 194, 195, 196, 197, 198, 198, 199, 200, 201, 202, 203, 203, 204, 205, 206,
      207, 208, 208, 209, 210, 211, 212, 212, 213, 214, 215, 216, 216, 217, 218, 219,
      220, 220, 221, 222, 223, 224, 224, 225, 226, 227, 228, 228, 229, 230, 231, 231,
      232, 233, 234, 234, 235, 236, 237, 238, 238, 239, 240, 241, 241, 242, 243, 244,
      244, 245, 246, 247, 247, 248, 249, 249, 250, 251, 252, 252, 253, 254, 255, 255,
  };
  if (energy == 0) energy = 1;
  uint32_t left = (uint32_t)(energy >> 32);
  int32_t exponent = left ? 32 : 0;
  if (!left) left = (uint32_t)energy;
  for (int32_t bits = 16; bits; bits /= 2)
    if (left >> bits) {
      left >>= bits;
      exponent += bits;
    }
  const uint64_t mantissa = exponent >= 8 ? energy >> (exponent - 8) : energy << (8 - exponent);
  return 256 * exponent + table[mantissa & 255u];
}

/* Levels of all bands; returns the largest. */
static int32_t pm_measure_bands(void) {
  const int32_t first = enc.edges[0];
  uint64_t risen = 0;
  int32_t loudest = 0;
  for (int32_t s = 0; s <= enc.sizes.bands; s++) {
    uint64_t rise = 0, total = 0;
    for (int32_t k = enc.edges[s]; k < enc.edges[s + 1]; k++) {
      const uint64_t power = pm_power(k);
      rise += power * enc.weight[k - first];
      total += power;
    }
    if (s) {
      const int32_t level = pm_level(risen + (total << 8) - rise);
      enc.levels[s - 1] = level;
      if (level > loudest) loudest = level;
    }
    risen = rise;
  }
  return loudest;
}

/* Values of a timestep, (band, window). */
static void pm_mel(const int16_t *samples, uint8_t *values) {
  for (int32_t w = 0; w < enc.sizes.windows; w++) {
    pm_load(samples, (w + 1) * enc.sizes.hop);
    pm_transform();
    const int32_t loudest = pm_measure_bands();
    int32_t reference = 0;
    if (enc.sizes.peak_decay >= 0) {
      reference = pm_peak - enc.sizes.peak_decay;
      if (reference < enc.sizes.peak_floor) reference = enc.sizes.peak_floor;
      if (reference < loudest) reference = loudest;
      pm_peak = reference;
    }
    for (int32_t b = 0; b < enc.sizes.bands; b++) {
      int32_t x = (enc.levels[b] - reference) * enc.scale[b] + enc.offset[b];
      x = pm_shift_right(x, 16);
      if (x < 0) x = 0;
      if (x > enc.sizes.max_value) x = enc.sizes.max_value;
      values[b * enc.sizes.windows + w] = (uint8_t)x;
    }
  }
}

/* Keep the last samples for the windows of the next timestep. */
static void pm_keep(const int16_t *samples) {
  const int32_t before = enc.sizes.before, raw = enc.sizes.raw;
  for (int32_t i = 0; i < before; i++) {
    const int32_t at = raw - before + i;
    enc.history[i] = at < 0 ? enc.history[i + raw] : samples[at];
  }
}
#endif

/* ---- standardization -------------------------------------------------------------------------- */

#if PUMICE_STANDARDIZE
/* Positive and negative parts of the features of each row, (2 features, row). */
static void pm_standardize(const int16_t *samples, uint8_t *values) {
  const int32_t rows = enc.sizes.windows, features = enc.sizes.bands, largest = enc.sizes.max_value;
  for (int32_t r = 0; r < rows; r++)
    for (int32_t f = 0; f < features; f++) {
      const int32_t change = samples[r * features + f] - enc.mean[f];
      const int64_t product = (int64_t)change * enc.scale[f] + 32768;
      const int64_t high = (int64_t)largest << 16;
      int32_t x = largest;
      if (product < -high)
        x = -largest;
      else if (product < high)
        x = (int32_t)(product < 0 ? ~(~product >> 16) : product >> 16);
      values[f * rows + r] = (uint8_t)(x > 0 ? x : 0);
      values[(features + f) * rows + r] = (uint8_t)(x < 0 ? -x : 0);
    }
}
#endif

/* ---- spike codes ----------------------------------------------------------------------------- */

#if PUMICE_RATE
static void pm_rate(const uint8_t *values, uint8_t *events) {
  for (int32_t i = 0; i < enc.sizes.values; i++) {
    const uint32_t value = values[i], bits = (uint32_t)enc.sizes.bits;
    const uint32_t now = value * pm_encoded >> bits, next = value * (pm_encoded + 1u) >> bits;
    events[i] = next > now;
  }
}
#endif

#if PUMICE_LATENCY
static void pm_latency(const uint8_t *values, uint8_t *events) {
  const uint32_t bits = (uint32_t)enc.sizes.bits, largest = (UINT32_C(1) << bits) - 1u;
  for (int32_t i = 0; i < enc.sizes.values; i++) {
    const uint32_t value = values[i];
    const uint32_t moment = (largest - value) * (uint32_t)enc.sizes.timesteps >> bits;
    events[i] = value != 0 && moment == pm_encoded;
  }
}
#endif

#if PUMICE_DELTA
static void pm_delta(const uint8_t *values, uint8_t *events) {
  const int32_t count = enc.sizes.values, threshold = enc.sizes.threshold;
  for (int32_t i = 0; i < count; i++) {
    const int32_t value = values[i], change = pm_encoded ? value - enc.reference[i] : 0;
    events[i] = change >= threshold;
    events[i + count] = -change >= threshold;
    if (!pm_encoded || change >= threshold || -change >= threshold) enc.reference[i] = values[i];
  }
}
#endif

#if PUMICE_RATE || PUMICE_LATENCY || PUMICE_DELTA
static void pm_code(const uint8_t *values, uint8_t *events) {
#if PUMICE_RATE
  pm_rate(values, events);
#elif PUMICE_LATENCY
  pm_latency(values, events);
#else
  pm_delta(values, events);
#endif
}
#endif

/* ---- interface ------------------------------------------------------------------------------- */

#if PUMICE_MEL || PUMICE_STANDARDIZE
int pumice_encode_waveform(const int16_t *samples, size_t size, uint8_t *events) {
  if (!pm_is_ready()) return PUMICE_ERROR_STATE;
  if (samples == NULL || events == NULL || size != (size_t)enc.sizes.raw) return PUMICE_ERROR_SIZE;
#if PUMICE_DELTA
  uint8_t *values = enc.frame;
#else
  uint8_t *values = events;
#endif
#if PUMICE_MEL
  pm_mel(samples, values);
  pm_keep(samples);
#else
  pm_standardize(samples, values);
#endif
#if PUMICE_DELTA
  pm_code(values, events);
#endif
  pm_encoded++;
  return PUMICE_OK;
}
#else
int pumice_encode_values(const uint8_t *values, size_t size, uint8_t *events) {
  if (!pm_is_ready()) return PUMICE_ERROR_STATE;
  if (values == NULL || events == NULL || size != (size_t)enc.sizes.raw) return PUMICE_ERROR_SIZE;
#if PUMICE_RATE || PUMICE_LATENCY
  for (int32_t i = 0; i < enc.sizes.raw; i++)
    if (values[i] >> enc.sizes.bits) return PUMICE_ERROR_VALUE;
#endif
  pm_code(values, events);
  pm_encoded++;
  return PUMICE_OK;
}
#endif

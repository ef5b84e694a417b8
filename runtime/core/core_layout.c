/* Layouts of weights for events and for products, and the largest sums they lead to. */
#include "core.h"

#include <string.h>

#define PM_SUMMED 4096 /* weights whose sum has 32 bits */
#define PM_TILE 64     /* bytes of a row of a square that stays near the processor */

/* Exchange the bytes of pairs of words: those of `high` in the first, of `low` in the second. */
static inline void pm_exchange(uint64_t *first, uint64_t *second, int bits, uint64_t low) {
  const uint64_t changed = ((*first >> bits) ^ *second) & low;
  *first ^= changed << bits;
  *second ^= changed;
}

/* Transpose 8 rows of 8 bytes: byte i of `from` row k becomes byte k of the row at to[i]. */
static void pm_transpose_eight(const uint8_t *from, size_t pitch, uint8_t *const to[8]) {
  uint64_t rows[8] = {0};
  for (int k = 0; k < 8; k++, from += pitch)
    for (int i = 0; i < 8; i++) rows[k] |= (uint64_t)from[i] << (8 * i);
  for (int k = 0; k < 4; k++)
    pm_exchange(&rows[k], &rows[k + 4], 32, UINT64_C(0x00000000ffffffff));
  for (int k = 0; k < 8; k += k % 2 ? 3 : 1)
    pm_exchange(&rows[k], &rows[k + 2], 16, UINT64_C(0x0000ffff0000ffff));
  for (int k = 0; k < 8; k += 2)
    pm_exchange(&rows[k], &rows[k + 1], 8, UINT64_C(0x00ff00ff00ff00ff));
  for (int i = 0; i < 8; i++)
    for (int k = 0; k < 8; k++) to[i][k] = (uint8_t)(rows[i] >> (8 * k));
}

/* Transpose `taps` columns of `outputs` rows; column i goes to to[i], from `low` on. */
static void pm_transpose(const uint8_t *from, size_t pitch, size_t low, size_t outputs,
                         uint8_t *const *to, size_t taps) {
  for (size_t i = 0; i < taps; i += 8) {
    const size_t columns = taps - i < 8 ? taps - i : 8;
    size_t output = 0;
    for (; columns == 8 && output + 8 <= outputs; output += 8) {
      uint8_t *rows[8];
      for (size_t k = 0; k < 8; k++) rows[k] = to[i + k] + low + output;
      pm_transpose_eight(from + output * pitch + i, pitch, rows);
    }
    for (; output < outputs; output++)
      for (size_t k = 0; k < columns; k++) to[i + k][low + output] = from[output * pitch + i + k];
  }
}

void pm_lay_by_input(const pm_kernel *k, const uint8_t *weights, const int32_t *places,
                     uint8_t *to) {
  const size_t outputs = (size_t)k->outputs, width = (size_t)k->width;
  const size_t taps = (size_t)k->inputs * (size_t)k->height * width;
  for (int32_t group = 0; group < k->groups; group++, weights += outputs * taps, to += outputs * taps)
    for (size_t first = 0; first < taps; first += PM_TILE) {
      const size_t count = taps - first < PM_TILE ? taps - first : PM_TILE;
      uint8_t *rows[PM_TILE];
      for (size_t i = 0; i < count; i++) {
        const size_t column = (first + i) % width;
        rows[i] = to + (first + i - column + (size_t)places[column]) * outputs;
      }
      for (size_t low = 0; low < outputs; low += PM_TILE) {
        const size_t some = outputs - low < PM_TILE ? outputs - low : PM_TILE;
        pm_transpose(weights + low * taps + first, taps, low, some, rows, count);
      }
    }
}

/* How weights meet inputs in fours: `runs` runs of `run` inputs each. */
typedef struct {
  size_t runs, run, fours, lanes;
} pm_quads;

static pm_quads pm_count_quads(const pm_kernel *k, int joined) {
  const size_t height = (size_t)k->height, width = (size_t)k->width, inputs = (size_t)k->inputs;
  pm_quads q = {joined ? height : height * width, joined ? width * inputs : inputs, 0,
                ((size_t)k->outputs + 7) / 8 * 8};
  q.fours = (q.run + 3) / 4;
  return q;
}

uint64_t pm_quads_size(const pm_kernel *k, int joined) {
  const pm_quads q = pm_count_quads(k, joined);
  return (uint64_t)k->groups * q.runs * q.fours * 4 * q.lanes;
}

/* Write 4 bytes for each lane, one from each row; `count` lanes of `tile` have weights. */
static void pm_lay_four(const uint8_t *const rows[4], size_t count, size_t tile, uint8_t *to) {
  if (count == PM_LANES) {
    for (size_t lane = 0; lane < PM_LANES; lane++) {
      to[4 * lane] = rows[0][lane];
      to[4 * lane + 1] = rows[1][lane];
      to[4 * lane + 2] = rows[2][lane];
      to[4 * lane + 3] = rows[3][lane];
    }
    return;
  }
  memset(to, 0, 4 * tile);
  for (size_t lane = 0; lane < count; lane++)
    for (size_t row = 0; row < 4; row++) to[4 * lane + row] = rows[row][lane];
}

void pm_lay_by_quad(const pm_kernel *k, const uint8_t *laid, const int32_t *places, int joined,
                    uint8_t *to) {
  static const uint8_t none[PM_LANES] = {0};
  const pm_quads q = pm_count_quads(k, joined);
  const size_t outputs = (size_t)k->outputs, inputs = (size_t)k->inputs, width = (size_t)k->width;
  const size_t plane = (size_t)k->height * width;
  for (int32_t group = 0; group < k->groups; group++, laid += inputs * plane * outputs)
    for (size_t first = 0; first < q.lanes; first += PM_LANES) {
      const size_t tile = q.lanes - first < PM_LANES ? q.lanes - first : PM_LANES;
      const size_t count = outputs - first < tile ? outputs - first : tile;
      for (size_t run = 0; run < q.runs; run++) {
        size_t place = 0, input = 0, x = joined ? 0 : run % width;
        const size_t y = joined ? run : run / width;
        for (size_t four = 0; four < q.fours; four++, to += 4 * tile) {
          const uint8_t *rows[4] = {none, none, none, none};
          for (int i = 0; i < 4 && place < q.run; i++, place++) {
            const size_t at = input * plane + y * width + (size_t)places[x];
            rows[i] = laid + at * outputs + first;
            if (++input == inputs) {
              input = 0;
              x++;
            }
          }
          pm_lay_four(rows, count, tile, to);
        }
      }
    }
}

void pm_extreme_sums(const uint8_t *weights, int32_t rows, int32_t columns, int is_signed,
                     int64_t found[2]) {
  found[0] = found[1] = 0;
  for (int32_t row = 0; row < rows; row++) {
    int64_t positive = 0, negative = 0;
    for (int32_t column = 0, count; column < columns; column += count, weights += count) {
      int32_t sum = 0, size = 0;
      count = columns - column < PM_SUMMED ? columns - column : PM_SUMMED;
      for (int32_t i = 0; i < count; i++) {
        const int32_t weight = is_signed ? (int8_t)weights[i] : weights[i];
        sum += weight;
        size += weight < 0 ? -weight : weight;
      }
      positive += (size + sum) / 2;
      negative += (size - sum) / 2;
    }
    if (positive > found[0]) found[0] = positive;
    if (negative > found[1]) found[1] = negative;
  }
}

/* CRC-32C (Castagnoli) of the tables, by the processor's instruction where there is one. */
#include "core.h"

#include <string.h>

#define PM_POLYNOMIAL UINT32_C(0x82f63b78) /* reflected */

typedef uint32_t (*pm_crc)(uint32_t crc, const uint8_t *bytes, size_t size);

/* Eight bytes at a time, by tables made for this call. */
static uint32_t pm_crc_portable(uint32_t crc, const uint8_t *bytes, size_t size) {
  uint32_t table[8][256];
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; bit++) value = value >> 1 ^ (value & 1 ? PM_POLYNOMIAL : 0);
    table[0][i] = value;
  }
  for (int k = 1; k < 8; k++)
    for (int i = 0; i < 256; i++)
      table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 255];
  for (; size >= 8; size -= 8, bytes += 8) {
    uint32_t next = table[3][bytes[4]] ^ table[2][bytes[5]] ^ table[1][bytes[6]] ^ table[0][bytes[7]];
    for (int k = 0; k < 4; k++) next ^= table[7 - k][(crc >> 8 * k & 255) ^ bytes[k]];
    crc = next;
  }
  for (; size; size--) crc = crc >> 8 ^ table[0][(crc ^ *bytes++) & 255];
  return crc;
}

#if defined(__x86_64__) || defined(_M_X64)
#include <nmmintrin.h>
#define PM_CRC_WORD(crc, word) (uint32_t)_mm_crc32_u64(crc, word)
#define PM_CRC_BYTE(crc, byte) _mm_crc32_u8(crc, byte)
#if defined(__GNUC__) || defined(__clang__)
#define PM_CRC_TARGET __attribute__((target("sse4.2")))
#else
#define PM_CRC_TARGET
#endif
#elif defined(__aarch64__) || defined(_M_ARM64)
#if defined(__clang__)
#include <arm_acle.h>
#define PM_CRC_TARGET __attribute__((target("crc")))
#elif defined(_MSC_VER)
#include <intrin.h>
#define PM_CRC_TARGET
#else
#include <arm_acle.h>
#define PM_CRC_TARGET __attribute__((target("+crc")))
#endif
#define PM_CRC_WORD(crc, word) __crc32cd(crc, word)
#define PM_CRC_BYTE(crc, byte) __crc32cb(crc, byte)
#endif

#if defined(PM_CRC_WORD)
PM_CRC_TARGET static uint32_t pm_crc_processor(uint32_t crc, const uint8_t *bytes, size_t size) {
  for (; size >= 8; size -= 8, bytes += 8) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    crc = PM_CRC_WORD(crc, word);
  }
  for (; size; size--) crc = PM_CRC_BYTE(crc, *bytes++);
  return crc;
}
#endif

uint32_t pm_checksum(const pm_network *net, int instruction) {
  const int32_t header[] = {
      PM_FORMAT,   net->population_count, net->projection_count, net->threshold_count,
      net->neurons, net->steps,           net->history,          net->past,
      net->masks,  net->sums16,           net->sums32,           net->image,
      net->output, net->states,
  };
  const struct {
    const void *bytes;
    size_t size;
  } parts[] = {
      {header, sizeof header},
      {net->populations, (size_t)net->population_count * sizeof *net->populations},
      {net->projections, (size_t)net->projection_count * sizeof *net->projections},
      {net->weights, net->weights_size},
      {net->tables, net->tables_size * sizeof *net->tables},
      {net->targets, net->targets_size * sizeof *net->targets},
      {net->taps, net->taps_size * sizeof *net->taps},
      {net->factors, net->factors_size * sizeof *net->factors},
      {net->levels, net->levels_size * sizeof *net->levels},
      {net->thresholds, (size_t)net->threshold_count * sizeof *net->thresholds},
  };
  pm_crc run = pm_crc_portable;
#if defined(PM_CRC_WORD)
  if (instruction) run = pm_crc_processor;
#else
  (void)instruction;
#endif
  uint32_t crc = UINT32_MAX;
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (parts[i].size) crc = run(crc, parts[i].bytes, parts[i].size);
  return ~crc;
}

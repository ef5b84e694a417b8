/* Instruction variants that this library has, and what the processor supports. */
#include "core.h"

static int pm_always(void) { return 1; }

#if defined(__x86_64__) || defined(_M_X64)
#define PM_X86 1
#if defined(_MSC_VER)
#include <immintrin.h>
#include <intrin.h>
static void pm_cpuid(unsigned leaf, unsigned subleaf, unsigned found[4]) {
  int values[4];
  __cpuidex(values, (int)leaf, (int)subleaf);
  for (int i = 0; i < 4; i++) found[i] = (unsigned)values[i];
}
static unsigned pm_xcr0(void) { return (unsigned)_xgetbv(0); }
#else
#include <cpuid.h>
static void pm_cpuid(unsigned leaf, unsigned subleaf, unsigned found[4]) {
  __cpuid_count(leaf, subleaf, found[0], found[1], found[2], found[3]);
}
static unsigned pm_xcr0(void) {
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}
#endif

/* Whether all of these bits of leaf 1 ECX, leaf 7 EBX and leaf 7 ECX are set, and the system keeps
 * these registers. */
static int pm_has(unsigned one, unsigned seven_b, unsigned seven_c, unsigned registers) {
  unsigned found[4];
  pm_cpuid(0, 0, found);
  if (found[0] < 7) return 0;
  pm_cpuid(1, 0, found);
  if (!(found[2] & 1u << 27) || (found[2] & one) != one) return 0;
  if ((pm_xcr0() & registers) != registers) return 0;
  pm_cpuid(7, 0, found);
  return (found[1] & seven_b) == seven_b && (found[2] & seven_c) == seven_c;
}

/* POPCNT, AVX; BMI1, AVX2, BMI2. */
static int pm_has_avx2(void) {
  return pm_has(1u << 23 | 1u << 28, 1u << 3 | 1u << 5 | 1u << 8, 0, 0x6);
}

/* With AVX-512 F, DQ, BW, VL; VNNI. */
static int pm_has_avx512(void) {
  return pm_has_avx2() && pm_has(0, 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31, 1u << 11, 0xe6);
}
#endif

#if defined(__aarch64__) || defined(_M_ARM64)
#define PM_ARM 1
#if defined(__linux__)
#include <sys/auxv.h>
static int pm_has_dot(void) { return (getauxval(AT_HWCAP) & 1ul << 20) != 0; }
#elif defined(__APPLE__)
static int pm_has_dot(void) { return 1; }
#elif defined(_WIN32)
#include <windows.h>
static int pm_has_dot(void) { return IsProcessorFeaturePresent(43) != 0; }
#else
static int pm_has_dot(void) { return 0; }
#endif
#endif

const pm_variant *pm_variants(void) {
  static const pm_variant variants[] = {
#if defined(PM_X86)
      {"avx512", pm_has_avx512, 1, pm_advance_avx512, pm_advance_group_avx512},
      {"avx2", pm_has_avx2, 1, pm_advance_avx2, pm_advance_group_avx2},
#endif
#if defined(PM_ARM)
      {"neon-dot", pm_has_dot, 1, pm_advance_neon_dot, pm_advance_group_neon_dot},
      {"neon", pm_always, 0, pm_advance_neon, pm_advance_group_neon},
#endif
      {"scalar", pm_always, 0, pm_advance_scalar, pm_advance_group_scalar},
      {NULL, NULL, 0, NULL, NULL},
  };
  return variants;
}

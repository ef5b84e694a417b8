/* Bit operations and inlining, by compiler. */
#ifndef PUMICE_CORE_BITS_H
#define PUMICE_CORE_BITS_H

#include <stdint.h>

#if defined(__GNUC__) || defined(__clang__)
#define PM_INLINE static inline __attribute__((always_inline))
#define PM_NOINLINE __attribute__((noinline))
#define PM_PREFETCH(from) __builtin_prefetch(from)
static inline int32_t pm_popcount(uint64_t bits) { return __builtin_popcountll(bits); }
static inline int32_t pm_lowest_bit(uint64_t bits) { return __builtin_ctzll(bits); }
#elif defined(_MSC_VER)
#include <intrin.h>
#define PM_INLINE static __forceinline
#define PM_NOINLINE __declspec(noinline)
#define PM_PREFETCH(from) ((void)(from))
static inline int32_t pm_popcount(uint64_t bits) {
  bits -= (bits >> 1) & UINT64_C(0x5555555555555555);
  bits = (bits & UINT64_C(0x3333333333333333)) + ((bits >> 2) & UINT64_C(0x3333333333333333));
  bits = (bits + (bits >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
  return (int32_t)((bits * UINT64_C(0x0101010101010101)) >> 56);
}
static inline int32_t pm_lowest_bit(uint64_t bits) {
  unsigned long at;
#if defined(_M_X64) || defined(_M_ARM64)
  _BitScanForward64(&at, bits);
  return (int32_t)at;
#else
  if ((uint32_t)bits) {
    _BitScanForward(&at, (uint32_t)bits);
    return (int32_t)at;
  }
  _BitScanForward(&at, (uint32_t)(bits >> 32));
  return (int32_t)at + 32;
#endif
}
#else
#define PM_INLINE static inline
#define PM_NOINLINE
#define PM_PREFETCH(from) ((void)(from))
static inline int32_t pm_popcount(uint64_t bits) {
  int32_t count = 0;
  for (; bits; bits &= bits - 1) count++;
  return count;
}
static inline int32_t pm_lowest_bit(uint64_t bits) {
  int32_t at = 0;
  for (; !(bits & 1); bits >>= 1) at++;
  return at;
}
#endif

#endif

/* The core for AArch64 with NEON and dot products. */
#define PM_DOT_PRODUCTS
#include "core_neon.c"

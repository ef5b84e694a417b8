/* Port to QEMU's `virt` machine with a 32-bit RISC-V processor. */
#include "port.h"

/* The three instructions of a call are not compressed, and lie in one page. */
long semihosting(long operation, const void *request);

__asm__(
    ".section .text.semihosting, \"ax\"\n.option push\n.option norvc\n.option norelax\n"
    ".balign 16\n.globl semihosting\nsemihosting:\n"
    "slli x0, x0, 0x1f\nebreak\nsrai x0, x0, 7\nret\n.option pop\n.previous\n");

#include "port_semihosting.h"

void start_in_c(void);

void start_in_c(void) {
  paint_stack();
  leave(main());
}

__asm__(
    ".section .start, \"ax\"\n.globl start\nstart:\n"
    "la sp, stack_top\nla t0, bss_start\nla t1, bss_end\n"
    "1: bgeu t0, t1, 2f\nsw x0, 0(t0)\naddi t0, t0, 4\nj 1b\n"
    "2: call start_in_c\n.previous\n");

uint32_t port_ticks(void) {
  uint32_t count;
  __asm__ volatile("csrr %0, minstret" : "=r"(count));
  return count;
}

/* Port to QEMU's MPS2 boards: Cortex-M4 (mps2-an386) and Cortex-M7 (mps2-an500). */
#include "port.h"

static long semihosting(long operation, const void *request) {
  register long r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = request;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

#include "port_semihosting.h"

#define TIMER ((volatile uint32_t *)0x40000000) /* CMSDK APB timer 0, 25 MHz, counts down */

extern uint32_t data_start[], data_end[], data_load[], bss_start[], bss_end[];

void start(void);
void fault(void);

void start(void) {
#ifdef __ARM_FP
  *(volatile uint32_t *)0xe000ed88 |= 0xf00000u; /* switch the floating-point unit on */
#endif
  const uint32_t *from = data_load;
  for (uint32_t *to = data_start; to < data_end; to++) *to = *from++;
  for (uint32_t *to = bss_start; to < bss_end; to++) *to = 0;
  TIMER[1] = TIMER[2] = 0xffffffffu;
  TIMER[0] = 1;
  paint_stack();
  leave(main());
}

void fault(void) { leave(120); }

uint32_t port_ticks(void) { return 0xffffffffu - TIMER[1]; }

/* Stack pointer and handlers; the linker script defines stack_entry as the top of the stack. */
extern void stack_entry(void);

__attribute__((section(".vectors"), used)) static void (*const vectors[16])(void) = {
    stack_entry, start, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, fault, 0, fault, fault};

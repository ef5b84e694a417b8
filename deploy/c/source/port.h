/* Files, clock and exit of the machine that the runner runs on. */
#ifndef PORT_H
#define PORT_H

#include <stddef.h>
#include <stdint.h>

/* Open `input.bin` for reading and `output.bin` for writing; 0 where both are open. */
int port_open(void);
int port_read(void *bytes, size_t size); /* 0 where all were read */
int port_write(const void *bytes, size_t size);
int port_close(void);

uint32_t port_ticks(void);      /* clock; the unit is the port's */
uint32_t port_stack_used(void); /* bytes, 0 where unknown */

#endif

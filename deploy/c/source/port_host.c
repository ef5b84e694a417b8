/* Port to a machine with an operating system. */
#include <stdio.h>

#include "port.h"

static FILE *input, *output;

int port_open(void) {
  input = fopen("input.bin", "rb");
  output = fopen("output.bin", "wb");
  return !(input && output);
}

int port_read(void *bytes, size_t size) { return fread(bytes, 1, size, input) != size; }
int port_write(const void *bytes, size_t size) { return fwrite(bytes, 1, size, output) != size; }
int port_close(void) { return fclose(input) | fclose(output); }
uint32_t port_ticks(void) { return 0; }
uint32_t port_stack_used(void) { return 0; }

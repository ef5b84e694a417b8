/* Files by semihosting, and a painted stack; the port defines semihosting() and includes this. */
#include "port.h"

#define SYS_OPEN 0x01
#define SYS_CLOSE 0x02
#define SYS_WRITE 0x05
#define SYS_READ 0x06
#define SYS_EXIT_EXTENDED 0x20
#define APPLICATION_EXIT 0x20026
#define PAINT 0x5aa5c33cu

extern uint32_t stack_bottom[], stack_top[];
extern int main(void);

static long input, output;

/* Compilers may call these for copies and for zeros. */
void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);

void *memcpy(void *to, const void *from, size_t size) {
  for (size_t i = 0; i < size; i++) ((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
  return to;
}

void *memset(void *to, int value, size_t size) {
  for (size_t i = 0; i < size; i++) ((uint8_t *)to)[i] = (uint8_t)value;
  return to;
}

static long open_file(const char *name, long mode, long length) {
  const long request[3] = {(long)name, mode, length};
  return semihosting(SYS_OPEN, request);
}

static int transfer(long operation, long file, const void *bytes, size_t size) {
  const long request[3] = {file, (long)bytes, (long)size};
  return semihosting(operation, request) != 0;
}

int port_open(void) {
  input = open_file("input.bin", 1, 9);
  output = open_file("output.bin", 5, 10);
  return input < 0 || output < 0;
}

int port_read(void *bytes, size_t size) { return transfer(SYS_READ, input, bytes, size); }
int port_write(const void *bytes, size_t size) { return transfer(SYS_WRITE, output, bytes, size); }

int port_close(void) {
  const long first[1] = {input}, second[1] = {output};
  return semihosting(SYS_CLOSE, first) | semihosting(SYS_CLOSE, second) ? 1 : 0;
}

/* Paint the stack below the caller. */
static void paint_stack(void) {
  uint32_t mark = 0;
  const uintptr_t end = (uintptr_t)&mark - 64;
  for (volatile uint32_t *word = stack_bottom; (uintptr_t)word < end; word++) *word = PAINT;
}

uint32_t port_stack_used(void) {
  const uint32_t *word = stack_bottom;
  while (word < stack_top && *word == PAINT) word++;
  return (uint32_t)((stack_top - word) * 4);
}

static void leave(int status) {
  const long request[2] = {APPLICATION_EXIT, status};
  semihosting(SYS_EXIT_EXTENDED, request);
  for (;;) {
  }
}

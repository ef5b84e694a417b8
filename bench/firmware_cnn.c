/* A dense int8 convolutional network in plain C, of the shape of a spiking one: the baseline of
 * bench/firmware.py, whose generated cnn_layers.h lists its layers. Activations lie (height, width,
 * channel), weights (output, kernel row, kernel column, input); ReLU and a shift between layers. */
#include "port.h"

typedef struct {
  int32_t kernel, stride, padding, height, width, inputs, outputs, out_height, out_width, shift;
  const int8_t *weights;
  const int32_t *biases;
} cnn_layer;

#include "cnn_layers.h"

static int8_t first[CNN_BUFFER], second[CNN_BUFFER];

static int8_t requantize(int32_t sum, int32_t shift) {
  sum >>= shift;
  return (int8_t)(sum < 0 ? 0 : sum > 127 ? 127 : sum);
}

static void run_layer(const cnn_layer *layer, const int8_t *in, int8_t *out) {
  const int32_t size = layer->kernel * layer->kernel * layer->inputs;
  for (int32_t y = 0; y < layer->out_height; y++) {
    for (int32_t x = 0; x < layer->out_width; x++) {
      const int32_t top = y * layer->stride - layer->padding;
      const int32_t left = x * layer->stride - layer->padding;
      for (int32_t o = 0; o < layer->outputs; o++) {
        const int8_t *w = layer->weights + o * size;
        int32_t sum = layer->biases[o];
        for (int32_t j = 0; j < layer->kernel; j++) {
          if (top + j < 0 || top + j >= layer->height) continue;
          for (int32_t k = 0; k < layer->kernel; k++) {
            if (left + k < 0 || left + k >= layer->width) continue;
            const int8_t *a = in + ((top + j) * layer->width + left + k) * layer->inputs;
            const int8_t *b = w + (j * layer->kernel + k) * layer->inputs;
            for (int32_t i = 0; i < layer->inputs; i++) sum += a[i] * b[i];
          }
        }
        *out++ = requantize(sum, layer->shift);
      }
    }
  }
}

int cnn_run(const int8_t *input);

int cnn_run(const int8_t *input) {
  const int8_t *from = input;
  int8_t *to = first;
  for (int32_t i = 0; i < CNN_LAYERS; i++) {
    run_layer(layers + i, from, to);
    from = to;
    to = to == first ? second : first;
  }
  int best = 0;
  for (int i = 1; i < CNN_CLASSES; i++)
    if (from[i] > from[best]) best = i;
  return best;
}

#ifdef CNN_RUNNER
int main(void) {
  static int8_t input[CNN_INPUT];
  uint32_t record[2] = {0, 0};
  if (port_open() || port_read(input, sizeof input)) return 2;
  const uint32_t before = port_ticks();
  record[1] = (uint32_t)cnn_run(input);
  record[0] = port_ticks() - before;
  return port_write(record, sizeof record) | port_close();
}
#else
int start(void);
int start(void) { return cnn_run(first); }
#endif

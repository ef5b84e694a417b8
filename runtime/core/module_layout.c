/* Binding of the layouts: bytes of weights in, bytes laid out for the core. */
#include "module.h"

/* Two or three buffers that belong together. */
typedef struct {
  Py_buffer held[3];
  int count;
} Buffers;

static void *hold(Buffers *buffers, PyObject *object, int writable) {
  Py_buffer *found = &buffers->held[buffers->count];
  if (PyObject_GetBuffer(object, found, writable ? PyBUF_WRITABLE : PyBUF_SIMPLE)) return NULL;
  buffers->count++;
  return found->buf;
}

static PyObject *let_go(Buffers *buffers, const char *error) {
  for (int i = 0; i < buffers->count; i++) PyBuffer_Release(&buffers->held[i]);
  if (error) PyErr_SetString(PyExc_ValueError, error);
  if (error || PyErr_Occurred()) return NULL;
  return Py_NewRef(Py_None);
}

/* Whether the first buffer holds weights of this shape, and the second numbers of columns. */
static int fits(const pm_kernel *k, const Buffers *buffers) {
  const int32_t sizes[5] = {k->groups, k->outputs, k->inputs, k->height, k->width};
  const int32_t *columns = buffers->held[1].buf;
  int64_t size = 1;
  for (int i = 0; i < 5; i++) {
    if (sizes[i] < 1 || size > INT32_MAX / sizes[i]) return 0;
    size *= sizes[i];
  }
  if (buffers->held[0].len != size || buffers->held[1].len != 4 * (Py_ssize_t)k->width) return 0;
  for (int32_t i = 0; i < k->width; i++)
    if (columns[i] < 0 || columns[i] >= k->width) return 0;
  return 1;
}

const char pm_lay_by_input_doc[] =
    "lay_by_input(weights, shape, places, to)\n\n"
    "Write weights (group, output, input, row, column) as (group, input, row, column, output), with\n"
    "each column at its place (int32).";

PyObject *pm_py_lay_by_input(PyObject *self, PyObject *args) {
  PyObject *weights, *columns, *to;
  pm_kernel k;
  Buffers buffers = {.count = 0};
  (void)self;
  if (!PyArg_ParseTuple(args, "O(iiiii)OO", &weights, &k.groups, &k.outputs, &k.inputs, &k.height,
                        &k.width, &columns, &to))
    return NULL;
  const uint8_t *from = hold(&buffers, weights, 0);
  const int32_t *places = from ? hold(&buffers, columns, 0) : NULL;
  uint8_t *laid = places ? hold(&buffers, to, 1) : NULL;
  if (!laid) return let_go(&buffers, NULL);
  if (!fits(&k, &buffers) || buffers.held[2].len != buffers.held[0].len)
    return let_go(&buffers, "lay_by_input: the shape does not fit the arrays");
  Py_BEGIN_ALLOW_THREADS;
  pm_lay_by_input(&k, from, places, laid);
  Py_END_ALLOW_THREADS;
  return let_go(&buffers, NULL);
}

const char pm_lay_by_quad_doc[] =
    "lay_by_quad(laid, shape, places, joined, to)\n\n"
    "Write what lay_by_input wrote by tile of 16 outputs, in fours of neighboring inputs, zeros where\n"
    "there are none. places: where columns are (int32). joined: columns are one run with the inputs.";

PyObject *pm_py_lay_by_quad(PyObject *self, PyObject *args) {
  PyObject *laid, *order, *to;
  pm_kernel k;
  int joined;
  Buffers buffers = {.count = 0};
  (void)self;
  if (!PyArg_ParseTuple(args, "O(iiiii)OpO", &laid, &k.groups, &k.outputs, &k.inputs, &k.height,
                        &k.width, &order, &joined, &to))
    return NULL;
  const uint8_t *from = hold(&buffers, laid, 0);
  const int32_t *places = from ? hold(&buffers, order, 0) : NULL;
  uint8_t *quads = places ? hold(&buffers, to, 1) : NULL;
  if (!quads) return let_go(&buffers, NULL);
  if (!fits(&k, &buffers) || (uint64_t)buffers.held[2].len != pm_quads_size(&k, joined))
    return let_go(&buffers, "lay_by_quad: the shape does not fit the arrays");
  Py_BEGIN_ALLOW_THREADS;
  pm_lay_by_quad(&k, from, places, joined, quads);
  Py_END_ALLOW_THREADS;
  return let_go(&buffers, NULL);
}

const char pm_extreme_sums_doc[] =
    "extreme_sums(weights, rows, signed) -> (highest, lowest)\n\n"
    "Magnitudes of the largest sums of positive and of negative weights in a row of bytes.";

PyObject *pm_py_extreme_sums(PyObject *self, PyObject *args) {
  PyObject *weights;
  int rows, is_signed;
  Buffers buffers = {.count = 0};
  int64_t found[2];
  (void)self;
  if (!PyArg_ParseTuple(args, "Oip", &weights, &rows, &is_signed)) return NULL;
  const uint8_t *from = hold(&buffers, weights, 0);
  if (!from) return let_go(&buffers, NULL);
  const Py_ssize_t size = buffers.held[0].len;
  if (rows < 1 || size % rows || size > INT32_MAX)
    return let_go(&buffers, "extreme_sums: the rows do not fit the weights");
  Py_BEGIN_ALLOW_THREADS;
  pm_extreme_sums(from, rows, (int32_t)(size / rows), is_signed, found);
  Py_END_ALLOW_THREADS;
  if (!let_go(&buffers, NULL)) return NULL;
  return Py_BuildValue("LL", (long long)found[0], (long long)found[1]);
}

/* What the parts of the binding share. */
#ifndef PUMICE_MODULE_H
#define PUMICE_MODULE_H

#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "core.h"

PyObject *pm_py_lay_by_input(PyObject *self, PyObject *args);
PyObject *pm_py_lay_by_quad(PyObject *self, PyObject *args);
PyObject *pm_py_extreme_sums(PyObject *self, PyObject *args);

extern const char pm_lay_by_input_doc[], pm_lay_by_quad_doc[], pm_extreme_sums_doc[];

#endif

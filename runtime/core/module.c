/* Python binding of the core by the stable ABI (abi3, Python 3.11 and later).
 *
 * load(arrays) -> network, a capsule that keeps the tables alive; their CRC and indices are checked
 * variants() -> names of the instruction variants of this processor, fastest first
 * workspace_size(network) -> bytes of one thread's workspace
 * advance(network, variant, ...) -> runs samples without the GIL; see `advance_doc` */
#include "module.h"

#if defined(_WIN32)
#include <windows.h>
static void yield_thread(void) { SwitchToThread(); }
#else
#include <sched.h>
static void yield_thread(void) { sched_yield(); }
#endif

#if defined(_MSC_VER)
static int64_t fetch_add(int64_t *at) { return InterlockedExchangeAdd64(at, 1); }
static int64_t load_shared(int64_t *at) { return InterlockedCompareExchange64(at, 0, 0); }
#else
static int64_t fetch_add(int64_t *at) { return __atomic_fetch_add(at, 1, __ATOMIC_SEQ_CST); }
static int64_t load_shared(int64_t *at) { return __atomic_load_n(at, __ATOMIC_SEQ_CST); }
#endif

#define ARRAYS 10
#define LOOKS 1000 /* at a barrier, before the processor is left to others */
#define CAPSULE "pumice.runtime.core.network"

typedef struct {
  pm_network network;
  Py_buffer buffers[ARRAYS];
  int held;
  unsigned supported; /* bit k: variant k; to ask a processor takes long on a virtual machine */
} Loaded;

static void release(Loaded *loaded) {
  for (int i = 0; i < loaded->held; i++) PyBuffer_Release(&loaded->buffers[i]);
  PyMem_Free(loaded);
}

static void destroy(PyObject *capsule) {
  Loaded *loaded = PyCapsule_GetPointer(capsule, CAPSULE);
  if (loaded) release(loaded);
}

static Loaded *loaded_of(PyObject *capsule) { return PyCapsule_GetPointer(capsule, CAPSULE); }

/* Point the network at the tables; 0 where their sizes do not fit or their format is another. */
static int point(Loaded *loaded) {
  const Py_buffer *b = loaded->buffers;
  pm_network *n = &loaded->network;
  const int32_t *header = b[0].buf;
  if (b[0].len != 15 * 4 || header[0] != PM_FORMAT) return 0;
  n->population_count = header[1];
  n->projection_count = header[2];
  n->threshold_count = header[3];
  n->neurons = header[4];
  n->steps = header[5];
  n->history = header[6];
  n->past = header[7];
  n->masks = header[8];
  n->sums16 = header[9];
  n->sums32 = header[10];
  n->image = header[11];
  n->output = header[12];
  n->states = header[13];
  n->crc = (uint32_t)header[14];
  n->populations = b[1].buf;
  n->projections = b[2].buf;
  n->weights = b[3].buf;
  n->tables = b[4].buf;
  n->targets = b[5].buf;
  n->taps = b[6].buf;
  n->factors = b[7].buf;
  n->levels = b[8].buf;
  n->thresholds = b[9].buf;
  n->weights_size = (size_t)b[3].len;
  n->tables_size = (size_t)b[4].len / 4;
  n->targets_size = (size_t)b[5].len / 2;
  n->taps_size = (size_t)b[6].len / sizeof(pm_tap);
  n->factors_size = (size_t)b[7].len / 2;
  n->levels_size = (size_t)b[8].len / 4;
  if (n->population_count < 0 || n->projection_count < 0 || n->threshold_count < 0) return 0;
  return (size_t)b[1].len == (size_t)n->population_count * sizeof(pm_population) &&
         (size_t)b[2].len == (size_t)n->projection_count * sizeof(pm_projection) &&
         (size_t)b[9].len == (size_t)n->threshold_count * 8;
}

/* Hold the arrays, and ask what the processor supports; NULL with an error set. */
static Loaded *hold(PyObject *arrays) {
  if (!PyTuple_Check(arrays) || PyTuple_Size(arrays) != ARRAYS) {
    PyErr_SetString(PyExc_TypeError, "core: needs a tuple of 10 arrays");
    return NULL;
  }
  Loaded *loaded = PyMem_Calloc(1, sizeof *loaded);
  if (!loaded) return (Loaded *)(void *)PyErr_NoMemory();
  for (; loaded->held < ARRAYS; loaded->held++)
    if (PyObject_GetBuffer(PyTuple_GetItem(arrays, loaded->held), &loaded->buffers[loaded->held],
                           PyBUF_C_CONTIGUOUS)) {
      release(loaded);
      return NULL;
    }
  for (int k = 0; pm_variants()[k].name; k++)
    if (pm_variants()[k].supported()) loaded->supported |= 1u << k;
  if (point(loaded)) return loaded;
  release(loaded);
  PyErr_SetString(PyExc_ValueError, "core: the tables are damaged or of another version");
  return NULL;
}

static uint32_t checksum_of(const Loaded *loaded) {
  int instruction = 0;
  for (int k = 0; pm_variants()[k].name; k++)
    instruction |= loaded->supported >> k & 1 && pm_variants()[k].has_crc;
  return pm_checksum(&loaded->network, instruction);
}

static PyObject *checksum(PyObject *self, PyObject *arrays) {
  (void)self;
  Loaded *loaded = hold(arrays);
  if (!loaded) return NULL;
  const uint32_t crc = checksum_of(loaded);
  release(loaded);
  return PyLong_FromUnsignedLong(crc);
}

static PyObject *load(PyObject *self, PyObject *arrays) {
  (void)self;
  Loaded *loaded = hold(arrays);
  if (!loaded) return NULL;
  const char *error = NULL;
  if (checksum_of(loaded) != loaded->network.crc)
    error = "core: the tables have changed since they were compiled: their CRC-32C differs";
  else if (pm_validate(&loaded->network) != PM_OK)
    error = "core: the tables are damaged: an index is out of range";
  PyObject *capsule = error ? NULL : PyCapsule_New(loaded, CAPSULE, destroy);
  if (!capsule) release(loaded);
  if (error) PyErr_SetString(PyExc_ValueError, error);
  return capsule;
}

static PyObject *variants(PyObject *self, PyObject *ignored) {
  (void)self;
  (void)ignored;
  PyObject *names = PyList_New(0);
  for (const pm_variant *v = pm_variants(); names && v->name; v++) {
    if (!v->supported()) continue;
    PyObject *name = PyUnicode_FromString(v->name);
    if (!name || PyList_Append(names, name)) Py_CLEAR(names);
    Py_XDECREF(name);
  }
  if (!names) return NULL;
  PyObject *tuple = PyList_AsTuple(names);
  Py_DECREF(names);
  return tuple;
}

static PyObject *workspace_size(PyObject *self, PyObject *capsule) {
  (void)self;
  Loaded *loaded = loaded_of(capsule);
  return loaded ? PyLong_FromSize_t(pm_workspace_size(&loaded->network)) : NULL;
}

/* A barrier of spinning threads; a negative counter means that one of them will never come. */
typedef struct {
  int64_t *counter;
  int32_t parts;
} Barrier;

static int wait_for_all(void *context) {
  Barrier *barrier = context;
  const int64_t arrived = fetch_add(barrier->counter);
  const int64_t last = (arrived / barrier->parts + 1) * barrier->parts;
  if (arrived < 0) return 1;
  for (int64_t looks = 0;; looks++) {
    int64_t now = load_shared(barrier->counter);
    if (now < 0) return 1;
    if (now >= last) return 0;
    if (looks > LOOKS) yield_thread();
  }
}

typedef struct {
  Py_buffer *views;
  Py_ssize_t count, limit;
} Views;

/* The memory of `object`, which must have `size` bytes, or NULL for None where that may be. */
static void *view(Views *views, PyObject *object, size_t size, int writable, const char *name) {
  Py_buffer *found = &views->views[views->count];
  if (views->count == views->limit) {
    PyErr_SetString(PyExc_SystemError, "advance: too many arrays");
    return NULL;
  }
  if (PyObject_GetBuffer(object, found, writable ? PyBUF_WRITABLE : PyBUF_SIMPLE)) return NULL;
  views->count++;
  if ((size_t)found->len < size) {
    PyErr_Format(PyExc_ValueError, "advance: %s has %zd bytes, needs %zu", name, found->len, size);
    return NULL;
  }
  return found->buf;
}

/* Pointers of a tuple of arrays, one for each population, NULL where there is None. */
static int view_all(Views *views, PyObject *tuple, const pm_network *net, size_t samples,
                    size_t item, int writable, const char *name, void **pointers) {
  if (!PyTuple_Check(tuple) || PyTuple_Size(tuple) != net->population_count) {
    PyErr_Format(PyExc_TypeError, "advance: %s needs one entry for each population", name);
    return -1;
  }
  for (int32_t i = 0; i < net->population_count; i++) {
    PyObject *object = PyTuple_GetItem(tuple, i);
    pointers[i] = NULL;
    if (object == Py_None) continue;
    size_t size = samples * (size_t)net->populations[i].neurons * item;
    if (!(pointers[i] = view(views, object, size, writable, name))) return -1;
  }
  return 0;
}

static const pm_variant *find_variant(const Loaded *loaded, const char *name) {
  const pm_variant *variants = pm_variants();
  for (int k = 0; variants[k].name; k++) {
    const char *a = variants[k].name, *b = name;
    while (*a && *a == *b) a++, b++;
    if (*a == *b && loaded->supported & 1u << k) return &variants[k];
  }
  return NULL;
}

static const char advance_doc[] =
    "advance(network, variant, state, workspace, shape, recording, fresh, counter, part)\n\n"
    "Run samples. state: (current, voltage, past, clock, score, history), a row of each for each\n"
    "sample or, if `fresh`, for one; history is that of one sample. shape: (timesteps, batch).\n"
    "recording: (events, spikes, voltages, currents, counts, steps), the first four with an array\n"
    "or None for each population. counter: int64 (1,), zero, shared by all threads of a run.\n"
    "part: (number, parts). Of one part, threads take samples from the counter; of several, each\n"
    "computes its part of every sample.";

static PyObject *advance(PyObject *self, PyObject *args) {
  PyObject *capsule, *state[6], *memory, *events, *spikes, *voltages, *currents,
      *counts, *steps, *counter;
  const char *name;
  int timesteps, batch, fresh, number, parts;
  (void)self;
  if (!PyArg_ParseTuple(args, "Os(OOOOOO)O(ii)(OOOOOO)pO(ii)", &capsule, &name, &state[0],
                        &state[1], &state[2], &state[3], &state[4], &state[5], &memory, &timesteps,
                        &batch, &events, &spikes, &voltages, &currents, &counts, &steps, &fresh,
                        &counter, &number, &parts))
    return NULL;
  Loaded *loaded = loaded_of(capsule);
  if (!loaded) return NULL;
  const pm_network *net = &loaded->network;
  const pm_variant *run = find_variant(loaded, name);
  if (!run || timesteps < 1 || batch < 1 || parts < 1 || number < 0 || number >= parts ||
      (parts > 1 && net->threshold_count)) {
    PyErr_SetString(PyExc_ValueError, "advance: unsupported variant, shape or part");
    return NULL;
  }
  const size_t rows = fresh ? 1 : (size_t)batch, samples = (size_t)timesteps * (size_t)batch;
  const size_t neurons = (size_t)net->neurons, count = (size_t)net->population_count;
  const size_t outputs = (size_t)net->populations[net->output].neurons;
  const size_t kept = (size_t)net->states;
  Views views = {NULL, 0, 4 * (Py_ssize_t)count + 16};
  void **pointers = PyMem_Calloc(4 * count, sizeof *pointers);
  views.views = PyMem_Calloc((size_t)views.limit, sizeof *views.views);
  PyObject *result = NULL;
  if (!pointers || !views.views) {
    PyErr_NoMemory();
    goto done;
  }
  int32_t *current = view(&views, state[0], rows * neurons * 4, 1, "current");
  if (!current) goto done;
  int32_t *voltage = view(&views, state[1], rows * kept * 4, 1, "voltage");
  if (!voltage) goto done;
  uint8_t *past = view(&views, state[2], rows * (size_t)net->past, 1, "past");
  if (!past) goto done;
  int64_t *clock = view(&views, state[3], rows * 16, 1, "clock");
  if (!clock) goto done;
  int64_t *score = view(&views, state[4], rows * outputs * 8, 1, "score");
  if (!score) goto done;
  uint8_t *history = view(&views, state[5], (size_t)net->history + PM_BLOCK, 1, "history");
  if (!history) goto done;
  char *room = view(&views, memory, pm_workspace_size(net) + 64, 1, "workspace");
  if (!room) goto done;
  int32_t *counted = view(&views, counts, (size_t)batch * neurons * 4, 1, "counts");
  if (!counted) goto done;
  int64_t *ran = view(&views, steps, (size_t)batch * 8, 1, "steps");
  if (!ran) goto done;
  int64_t *shared = view(&views, counter, 8, 1, "counter");
  if (!shared) goto done;
  if (view_all(&views, events, net, samples, 1, 0, "events", pointers)) goto done;
  if (view_all(&views, spikes, net, samples, 1, 1, "spikes", pointers + count)) goto done;
  if (view_all(&views, voltages, net, samples, 4, 1, "voltages", pointers + 2 * count)) goto done;
  if (view_all(&views, currents, net, samples, 4, 1, "currents", pointers + 3 * count)) goto done;
  for (size_t i = 0; i < count; i++)
    if (net->populations[i].kind == PM_INPUT && !pointers[i]) {
      PyErr_SetString(PyExc_ValueError, "advance: an input has no events");
      goto done;
    }
  const pm_recording recording = {
      timesteps, batch, (const uint8_t *const *)pointers, (uint8_t *const *)(pointers + count),
      (int32_t *const *)(pointers + 2 * count), (int32_t *const *)(pointers + 3 * count), counted,
      ran,
  };
  const pm_workspace ws = pm_workspace_in(net, room + (64 - (uintptr_t)room % 64) % 64);
  Barrier barrier = {shared, parts};
  const pm_partition part = {number, parts, wait_for_all, &barrier};
  int error = PM_OK;
  Py_BEGIN_ALLOW_THREADS;
  for (int64_t sample = -1; error == PM_OK;) {
    sample = parts == 1 ? fetch_add(shared) : sample + 1;
    if (sample < 0 || sample >= batch) break;
    const size_t row = fresh ? 0 : (size_t)sample;
    const pm_state one = {current + row * neurons, voltage + row * kept,
                          past + row * (size_t)net->past, clock + 2 * row, score + row * outputs,
                          history};
    error = run->advance(net, &one, &recording, &ws, (int32_t)sample, fresh, &part);
  }
  Py_END_ALLOW_THREADS;
  result = PyLong_FromLong(error);
done:
  for (Py_ssize_t i = 0; i < views.count; i++) PyBuffer_Release(&views.views[i]);
  PyMem_Free(views.views);
  PyMem_Free(pointers);
  return result;
}

static PyObject *group_size(PyObject *self, PyObject *capsule) {
  (void)self;
  Loaded *loaded = loaded_of(capsule);
  return loaded ? PyLong_FromSize_t(pm_group_size(&loaded->network)) : NULL;
}

static const char advance_group_doc[] =
    "advance_group(network, variant, state, workspace, lanes, shape, recording, fresh, counter,\n"
    "limit)\n\n"
    "Run samples in groups of up to `limit`, at most 32, whose synapses are followed once for all; as `advance`, but with\n"
    "a row of `history` and of `workspace` for each sample of a group, a state of 32 samples if\n"
    "`fresh`, and `lanes`, of group_size bytes.";

static PyObject *advance_group(PyObject *self, PyObject *args) {
  PyObject *capsule, *state[6], *memory, *extra, *events, *spikes, *voltages, *currents, *counts,
      *steps, *counter;
  const char *name;
  int timesteps, batch, fresh, limit;
  (void)self;
  if (!PyArg_ParseTuple(args, "Os(OOOOOO)OO(ii)(OOOOOO)pOi", &capsule, &name, &state[0], &state[1],
                        &state[2], &state[3], &state[4], &state[5], &memory, &extra, &timesteps,
                        &batch, &events, &spikes, &voltages, &currents, &counts, &steps, &fresh,
                        &counter, &limit))
    return NULL;
  Loaded *loaded = loaded_of(capsule);
  if (!loaded) return NULL;
  const pm_network *net = &loaded->network;
  const pm_variant *run = find_variant(loaded, name);
  if (!run || timesteps < 1 || batch < 1 || limit < 1 || limit > PM_GROUP || net->threshold_count) {
    PyErr_SetString(PyExc_ValueError, "advance_group: unsupported variant, shape or early exit");
    return NULL;
  }
  const size_t rows = fresh ? PM_GROUP : (size_t)batch;
  const size_t samples = (size_t)timesteps * (size_t)batch;
  const size_t neurons = (size_t)net->neurons, count = (size_t)net->population_count;
  const size_t outputs = (size_t)net->populations[net->output].neurons;
  const size_t kept = (size_t)net->states;
  const size_t history_size = ((size_t)net->history + 2 * PM_BLOCK - 1) / PM_BLOCK * PM_BLOCK;
  const size_t size = pm_workspace_size(net);
  Views views = {NULL, 0, 4 * (Py_ssize_t)count + 16};
  void **pointers = PyMem_Calloc(4 * count, sizeof *pointers);
  views.views = PyMem_Calloc((size_t)views.limit, sizeof *views.views);
  PyObject *result = NULL;
  if (!pointers || !views.views) {
    PyErr_NoMemory();
    goto done;
  }
  int32_t *current = view(&views, state[0], rows * neurons * 4, 1, "current");
  if (!current) goto done;
  int32_t *voltage = view(&views, state[1], rows * kept * 4, 1, "voltage");
  if (!voltage) goto done;
  uint8_t *past = view(&views, state[2], rows * (size_t)net->past, 1, "past");
  if (!past) goto done;
  int64_t *clock = view(&views, state[3], rows * 16, 1, "clock");
  if (!clock) goto done;
  int64_t *score = view(&views, state[4], rows * outputs * 8, 1, "score");
  if (!score) goto done;
  uint8_t *history = view(&views, state[5], PM_GROUP * history_size, 1, "history");
  if (!history) goto done;
  char *room = view(&views, memory, PM_GROUP * size + 64, 1, "workspace");
  if (!room) goto done;
  char *lanes = view(&views, extra, pm_group_size(net) + 64, 1, "lanes");
  if (!lanes) goto done;
  int32_t *counted = view(&views, counts, (size_t)batch * neurons * 4, 1, "counts");
  if (!counted) goto done;
  int64_t *ran = view(&views, steps, (size_t)batch * 8, 1, "steps");
  if (!ran) goto done;
  int64_t *shared = view(&views, counter, 8, 1, "counter");
  if (!shared) goto done;
  if (view_all(&views, events, net, samples, 1, 0, "events", pointers)) goto done;
  if (view_all(&views, spikes, net, samples, 1, 1, "spikes", pointers + count)) goto done;
  if (view_all(&views, voltages, net, samples, 4, 1, "voltages", pointers + 2 * count)) goto done;
  if (view_all(&views, currents, net, samples, 4, 1, "currents", pointers + 3 * count)) goto done;
  for (size_t i = 0; i < count; i++)
    if (net->populations[i].kind == PM_INPUT && !pointers[i]) {
      PyErr_SetString(PyExc_ValueError, "advance_group: an input has no events");
      goto done;
    }
  const pm_recording recording = {
      timesteps, batch, (const uint8_t *const *)pointers, (uint8_t *const *)(pointers + count),
      (int32_t *const *)(pointers + 2 * count), (int32_t *const *)(pointers + 3 * count), counted,
      ran,
  };
  char *first = room + (64 - (uintptr_t)room % 64) % 64;
  char *aligned = lanes + (64 - (uintptr_t)lanes % 64) % 64;
  int error = PM_OK;
  Py_BEGIN_ALLOW_THREADS;
  while (error == PM_OK) {
    pm_state states[PM_GROUP];
    pm_workspace workspaces[PM_GROUP];
    const int64_t sample = fetch_add(shared) * limit;
    if (sample < 0 || sample >= batch) break;
    const int32_t some = (int32_t)(batch - sample < limit ? batch - sample : limit);
    for (int32_t k = 0; k < some; k++) {
      const size_t row = fresh ? (size_t)k : (size_t)(sample + k);
      states[k] = (pm_state){current + row * neurons, voltage + row * kept,
                             past + row * (size_t)net->past, clock + 2 * row, score + row * outputs,
                             history + (size_t)k * history_size};
      workspaces[k] = pm_workspace_in(net, first + (size_t)k * size);
    }
    error = run->advance_group(net, states, &recording, workspaces, aligned, (int32_t)sample, some,
                               fresh);
  }
  Py_END_ALLOW_THREADS;
  result = PyLong_FromLong(error);
done:
  for (Py_ssize_t i = 0; i < views.count; i++) PyBuffer_Release(&views.views[i]);
  PyMem_Free(views.views);
  PyMem_Free(pointers);
  return result;
}

static const char learn_doc[] =
    "learn(network, variant, state, workspace, timesteps, batch, events, none, counts, rules)\n\n"
    "Run the samples one after the other, each from silence, and let the rules change the weights\n"
    "of the tables. state: as of `advance`, of one sample. events: an array or None for each\n"
    "population. rules: (parameters int64 (10,), tags, before, after, sent, received) for each:\n"
    "projection, potentiation, depression, exponent, impulse, four decays and the seed, which is\n"
    "changed; traces; and room for the spikes of a step.";

typedef struct {
  pm_rule rule;
  int64_t *parameters;
  uint8_t *sent, *received;
  size_t sources, targets;
} Learner;

static int view_rule(Views *views, PyObject *tuple, const pm_network *net, uint8_t *weights,
                     Learner *learner) {
  PyObject *parts[6];
  if (!PyArg_ParseTuple(tuple, "OOOOOO", &parts[0], &parts[1], &parts[2], &parts[3], &parts[4],
                        &parts[5]))
    return -1;
  int64_t *p = view(views, parts[0], 80, 1, "parameters");
  if (!p) return -1;
  const int64_t number = p[0];
  if (number < 0 || number >= net->projection_count ||
      net->projections[number].kind != PM_SPARSE || net->projections[number].is_signed) {
    PyErr_SetString(PyExc_ValueError, "learn: the projection has no plastic weights");
    return -1;
  }
  const pm_projection *c = net->projections + number;
  learner->parameters = p;
  learner->sources = (size_t)net->populations[c->source].neurons;
  learner->targets = (size_t)c->neurons;
  const size_t synapses = (size_t)net->tables[c->starts + (int32_t)learner->sources];
  uint8_t *tags = view(views, parts[1], 2 * synapses, 0, "tags");
  if (!tags) return -1;
  int32_t *before = view(views, parts[2], 8 * learner->sources, 1, "before");
  if (!before) return -1;
  int32_t *after = view(views, parts[3], 8 * learner->targets, 1, "after");
  if (!after) return -1;
  if (!(learner->sent = view(views, parts[4], learner->sources, 1, "sent"))) return -1;
  if (!(learner->received = view(views, parts[5], learner->targets, 1, "received"))) return -1;
  for (int i = 1; i < 9; i++)
    if (p[i] < 0 || p[i] > (i < 3 ? 7 : i == 3 ? 9 : i == 4 ? 127 : 4095)) {
      PyErr_SetString(PyExc_ValueError, "learn: a parameter does not fit its register");
      return -1;
    }
  learner->rule = (pm_rule){
      (int32_t)p[0], (int32_t)p[1], (int32_t)p[2], (int32_t)p[3], (int32_t)p[4],
      {(int32_t)p[5], (int32_t)p[6]}, {(int32_t)p[7], (int32_t)p[8]}, (uint32_t)p[9],
      tags, before, after, weights,
  };
  return 0;
}

/* Run one sample step by step: spikes are delivered, one step later, before they teach. */
static int learn_sample(const pm_network *net, pm_advance run, const pm_state *state,
                        const pm_recording *whole, const pm_workspace *ws, int32_t sample,
                        Learner *learners, Py_ssize_t count, const uint8_t **given) {
  static const pm_partition alone = {0, 1, NULL, NULL};
  for (Py_ssize_t k = 0; k < count; k++) {
    pm_rule *rule = &learners[k].rule;
    for (size_t i = 0; i < 2 * learners[k].sources; i++) rule->before[i] = 0;
    for (size_t i = 0; i < 2 * learners[k].targets; i++) rule->after[i] = 0;
  }
  for (int32_t i = 0; i < net->neurons; i++) state->current[i] = 0;
  for (int32_t i = 0; i < net->states; i++) state->voltage[i] = 0;
  for (int32_t i = 0; i < net->past; i++) state->past[i] = 0;
  state->clock[0] = state->clock[1] = 0;
  for (int32_t i = 0; i < net->populations[net->output].neurons; i++) state->score[i] = 0;
  for (int32_t t = 0; t <= whole->timesteps; t++) {
    if (t < whole->timesteps) {
      pm_recording now = *whole;
      now.timesteps = now.batch = 1;
      now.events = given;
      for (int32_t i = 0; i < net->population_count; i++) {
        size_t place = ((size_t)t * (size_t)whole->batch + (size_t)sample);
        given[i] = whole->events[i];
        if (given[i]) given[i] += place * (size_t)net->populations[i].neurons;
      }
      if (run(net, state, &now, ws, 0, 0, &alone) != PM_OK) return PM_ABANDONED;
    }
    for (Py_ssize_t k = 0; k < count; k++) {
      Learner *learner = &learners[k];
      if (t) pm_learn(net, &learner->rule, learner->sent, learner->received);
      const pm_projection *c = net->projections + learner->rule.projection;
      const pm_population *target = NULL, *source = net->populations + c->source;
      for (int32_t i = 0; i < net->population_count; i++) {
        const pm_population *p = net->populations + i;
        if (p->into_first <= learner->rule.projection && learner->rule.projection < p->into_last)
          target = p;
      }
      if (!target) return PM_BAD_TABLE;
      const uint8_t *sent =
          state->history + source->history + (size_t)source->delay * (size_t)source->stride;
      const uint8_t *received =
          state->history + target->history + (size_t)target->delay * (size_t)target->stride;
      for (size_t i = 0; i < learner->sources; i++) learner->sent[i] = sent[i];
      for (size_t i = 0; i < learner->targets; i++) learner->received[i] = received[i];
    }
  }
  return PM_OK;
}

static PyObject *learn(PyObject *self, PyObject *args) {
  PyObject *capsule, *state[6], *memory, *events, *rules, *nothing, *counts;
  const char *name;
  int timesteps, batch;
  (void)self;
  if (!PyArg_ParseTuple(args, "Os(OOOOOO)OiiOOOO", &capsule, &name, &state[0], &state[1], &state[2],
                        &state[3], &state[4], &state[5], &memory, &timesteps, &batch, &events,
                        &nothing, &counts, &rules))
    return NULL;
  Loaded *loaded = loaded_of(capsule);
  if (!loaded) return NULL;
  const pm_network *net = &loaded->network;
  const pm_variant *run = find_variant(loaded, name);
  if (!run || timesteps < 1 || batch < 1 || !PyTuple_Check(rules) ||
      loaded->buffers[3].readonly) {
    PyErr_SetString(PyExc_ValueError, "learn: unsupported variant, shape, rules or tables");
    return NULL;
  }
  const size_t count = (size_t)net->population_count, neurons = (size_t)net->neurons;
  const Py_ssize_t number = PyTuple_Size(rules);
  Views views = {NULL, 0, 3 * (Py_ssize_t)count + 8 + 6 * number};
  void **pointers = PyMem_Calloc(4 * count, sizeof *pointers);
  Learner *learners = PyMem_Calloc((size_t)number + 1, sizeof *learners);
  views.views = PyMem_Calloc((size_t)views.limit, sizeof *views.views);
  PyObject *result = NULL;
  if (!pointers || !views.views || !learners) {
    PyErr_NoMemory();
    goto done;
  }
  int32_t *current = view(&views, state[0], neurons * 4, 1, "current");
  if (!current) goto done;
  int32_t *voltage = view(&views, state[1], (size_t)net->states * 4, 1, "voltage");
  if (!voltage) goto done;
  uint8_t *past = view(&views, state[2], (size_t)net->past, 1, "past");
  if (!past) goto done;
  int64_t *clock = view(&views, state[3], 16, 1, "clock");
  if (!clock) goto done;
  size_t outputs = (size_t)net->populations[net->output].neurons;
  int64_t *score = view(&views, state[4], outputs * 8, 1, "score");
  if (!score) goto done;
  uint8_t *history = view(&views, state[5], (size_t)net->history + PM_BLOCK, 1, "history");
  if (!history) goto done;
  char *room = view(&views, memory, pm_workspace_size(net) + 64, 1, "workspace");
  if (!room) goto done;
  int32_t *counted = view(&views, counts, neurons * 4 + 8, 1, "counts");
  if (!counted) goto done;
  const size_t samples = (size_t)timesteps * (size_t)batch;
  if (view_all(&views, events, net, samples, 1, 0, "events", pointers)) goto done;
  if (view_all(&views, nothing, net, samples, 1, 1, "spikes", pointers + count)) goto done;
  for (size_t i = 0; i < count; i++)
    if (net->populations[i].kind == PM_INPUT && !pointers[i]) {
      PyErr_SetString(PyExc_ValueError, "learn: an input has no events");
      goto done;
    }
  for (Py_ssize_t k = 0; k < number; k++)
    if (view_rule(&views, PyTuple_GetItem(rules, k), net, loaded->buffers[3].buf, &learners[k]))
      goto done;
  int64_t ran = 0;
  const pm_recording recording = {
      timesteps, batch, (const uint8_t *const *)pointers, (uint8_t *const *)(pointers + count),
      (int32_t *const *)(pointers + 2 * count), NULL, counted, &ran,
  };
  const pm_state one = {current, voltage, past, clock, score, history};
  const pm_workspace ws = pm_workspace_in(net, room + (64 - (uintptr_t)room % 64) % 64);
  int error = PM_OK;
  Py_BEGIN_ALLOW_THREADS;
  for (int32_t sample = 0; sample < batch && error == PM_OK; sample++)
    error = learn_sample(net, run->advance, &one, &recording, &ws, sample, learners, number,
                         (const uint8_t **)(pointers + 3 * count));
  Py_END_ALLOW_THREADS;
  for (Py_ssize_t k = 0; k < number; k++) learners[k].parameters[9] = learners[k].rule.seed;
  result = PyLong_FromLong(error);
done:
  for (Py_ssize_t i = 0; i < views.count; i++) PyBuffer_Release(&views.views[i]);
  PyMem_Free(views.views);
  PyMem_Free(pointers);
  PyMem_Free(learners);
  return result;
}

static PyMethodDef methods[] = {
    {"load", load, METH_O, "load(arrays) -> network: check the tables, keep them alive."},
    {"checksum", checksum, METH_O, "checksum(arrays) -> CRC-32C of all but the one in the header."},
    {"variants", variants, METH_NOARGS, "variants() -> names of instruction variants."},
    {"workspace_size", workspace_size, METH_O, "workspace_size(network) -> bytes."},
    {"advance", advance, METH_VARARGS, advance_doc},
    {"advance_group", advance_group, METH_VARARGS, advance_group_doc},
    {"group_size", group_size, METH_O, "group_size(network) -> bytes."},
    {"learn", learn, METH_VARARGS, learn_doc},
    {"lay_by_input", pm_py_lay_by_input, METH_VARARGS, pm_lay_by_input_doc},
    {"lay_by_quad", pm_py_lay_by_quad, METH_VARARGS, pm_lay_by_quad_doc},
    {"extreme_sums", pm_py_extreme_sums, METH_VARARGS, pm_extreme_sums_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_core", "The C core of the CPU engine.", 0, methods, NULL, NULL, NULL,
    NULL,
};

PyMODINIT_FUNC PyInit__core(void) { return PyModuleDef_Init(&definition); }

/* Starts the interpreter in which the adapter's book is made. PYTHON names it. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <dlfcn.h>
#include "matching_engine_api.h"
#include "adapter.h"

static void fail(const char *what)
{
    PyErr_Print();
    fprintf(stderr, "cea-exchange: %s\n", what);
    exit(1);
}

void engine_init(uint64_t seed, const me_transport_t *transport, void *report_sink)
{
    PyConfig config;
    (void)seed;
    /* The interpreter's extension modules look for its symbols among the global ones. */
    if (dlopen(LIBPYTHON, RTLD_NOW | RTLD_GLOBAL) == NULL)
        fail(dlerror());
    PyImport_AppendInittab("adapter", PyInit_adapter);
    PyConfig_InitPythonConfig(&config);
    PyConfig_SetBytesString(&config, &config.executable, PYTHON);
    PyConfig_SetBytesString(&config, &config.program_name, PYTHON);
    config.install_signal_handlers = 0;
    if (PyStatus_Exception(Py_InitializeFromConfig(&config)))
        fail("the interpreter does not start");
    PyConfig_Clear(&config);
    if (PyImport_ImportModule("adapter") == NULL || adapter_open(transport, report_sink) < 0)
        fail("the book can't be made");
}

void engine_shutdown(void)
{
    adapter_close();
}

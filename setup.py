"""Build of the C core of the CPU engine, by the stable ABI: one wheel for Python 3.11 and later.

No processor flags: variants for instruction sets are chosen when the core is loaded. Where there is
no compiler the installation goes on, and the other engines run.
"""

import os
from typing import Any

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

FOLDER = "runtime/core"
SOURCES = (
    "core",
    "core_avx2",
    "core_avx512",
    "core_checksum",
    "core_cpu",
    "core_layout",
    "core_learn",
    "core_neon",
    "core_neon_dot",
    "core_scalar",
    "module",
    "module_layout",
)
HEADERS = ("core", "core_bits", "core_body", "core_rest", "module", "pumice_arithmetic")
FLAGS = ["/std:c11"] if os.name == "nt" else ["-std=c11", "-O3", "-fvisibility=hidden", "-g0"]


class BuildCore(build_ext):
    """Puts the core in its place by a rename: a process that loads it never meets a part of it."""

    def copy_file(self, infile: Any, outfile: Any, *args: Any, **options: Any) -> Any:
        """Copy to a temporary name first."""
        temporary = f"{outfile}.part"
        copied = super().copy_file(infile, temporary, *args, **options)
        os.replace(temporary, outfile)
        return outfile, copied[1]


setup(
    cmdclass={"build_ext": BuildCore},
    ext_modules=[
        Extension(
            "pumice.runtime.engines.cpu._core",
            [f"{FOLDER}/{name}.c" for name in SOURCES],
            depends=[f"{FOLDER}/{name}.h" for name in HEADERS],
            define_macros=[("Py_LIMITED_API", "0x030B0000")],
            extra_compile_args=FLAGS,
            py_limited_api=True,
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)

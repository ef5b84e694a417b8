"""Build the core in place: `python runtime/core/build.py [--sanitize address,undefined]`.

Writes `runtime/engines/cpu/_core.abi3.so`, one file for Python 3.11 and later.
"""

import argparse
from pathlib import Path

from setuptools import Distribution, Extension  # type: ignore[import-untyped]
from setuptools.command.build_ext import build_ext  # type: ignore[import-untyped]

FOLDER = Path(__file__).parent
SOURCES = (
    "core",
    "core_cpu",
    "core_scalar",
    "core_avx2",
    "core_avx512",
    "core_neon",
    "core_neon_dot",
    "core_learn",
    "module",
)
FLAGS = ["-std=c11", "-O3", "-fvisibility=hidden", "-g0"]


def main() -> None:
    """Compile the extension into the package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sanitize", default="", help="address,undefined or thread")
    given = parser.parse_args()
    sanitize = [f"-fsanitize={given.sanitize}", "-fno-sanitize-recover", "-g", "-O0"]
    extra = sanitize if given.sanitize else []
    extension = Extension(
        "_core",
        [str(FOLDER / f"{name}.c") for name in SOURCES if (FOLDER / f"{name}.c").exists()],
        define_macros=[("Py_LIMITED_API", "0x030B0000")],
        extra_compile_args=FLAGS + extra,
        extra_link_args=extra,
        py_limited_api=True,
    )
    command = build_ext(Distribution({"name": "core", "ext_modules": [extension]}))
    command.build_lib = str(FOLDER.parent / "engines" / "cpu")
    command.build_temp = str(FOLDER.parent.parent / "build" / (given.sanitize or "core"))
    command.ensure_finalized()
    command.run()


if __name__ == "__main__":
    main()

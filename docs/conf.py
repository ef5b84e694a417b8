"""Sphinx configuration; `make docs` builds the site in `docs/_build/html`."""

import os
import sys
import tempfile
from importlib import metadata
from pathlib import Path

# Notebooks run without the user's IPython profile, and their kernels log errors only.
PROFILE = Path(tempfile.mkdtemp(prefix="pumice-docs-")) / "profile_default"
PROFILE.mkdir()
(PROFILE / "ipython_kernel_config.py").write_text(
    "c = get_config()\nc.Application.log_level = 40\n"
)
os.environ["IPYTHONDIR"] = str(PROFILE.parent)
# Idle threads of one OpenMP runtime otherwise spin against those of another, in every notebook.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("PYTHONWARNINGS", "ignore:IProgress not found")  # of tqdm, in a notebook
sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "pumice"
author = "The pumice authors"
copyright = "The pumice authors"
release = version = metadata.version("pumice")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "myst_nb",
    "sphinx_copybutton",
    "benchmark_tables",
    "docstrings",
    "generated_pages",
    "mathml",
]
exclude_patterns = ["_build", "_ext"]
nitpicky = True
# External types are not linked, since the build uses no network; of pumice's own, those without a
# page are private to a module.
nitpick_ignore_regex = [("py:.*", ".*")]
suppress_warnings = ["mystnb.unknown_mime_type"]

# Markdown and notebooks. PUMICE_DOCS_EXECUTE=off skips the code cells.
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "fieldlist"]
myst_heading_anchors = 3
nb_execution_mode = os.environ.get("PUMICE_DOCS_EXECUTE", "force")
if nb_execution_mode == "off":
    suppress_warnings.append("myst-nb.lexer")  # the kernel would name the language
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_execution_show_tb = True
nb_output_stderr = "remove-warn"  # a warning of a cell is a warning of the build
nb_merge_streams = True
myst_fence_as_directive: list[str] = []

# Python API.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
add_module_names = False

html_theme = "furo"
html_math_renderer = "mathml"
smartquotes = False  # `--json` stays as it is typed
html_title = f"pumice {version}"
html_static_path = ["_static"]
html_css_files = ["pumice.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#1f5d8a",
        "color-brand-content": "#1f5d8a",
    },
    "dark_css_variables": {
        "color-brand-primary": "#7fbde8",
        "color-brand-content": "#7fbde8",
    },
}
pygments_style = "default"
pygments_dark_style = "github-dark"
copybutton_exclude = ".linenos, .gp, .go"

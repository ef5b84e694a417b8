"""Lines of the user's code, outside of torch, the neuron libraries and pumice."""

import os
import sys
import traceback
from typing import Any

LIBRARIES = ("torch", "snntorch", "spikingjelly", "sinabs", "norse")
OWN_FOLDER = os.path.dirname(__file__)


def place() -> str:
    """File and line of the user's code that runs, outside of torch and the neuron libraries."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        folder = module.split(".")
        if folder[0] not in LIBRARIES and not module.startswith("pumice.") and folder[0]:
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return "in a library"


def user_line(error: BaseException) -> str:
    """File and line of the user's code that an exception passed through."""
    foreign = (OWN_FOLDER, *(f"/site-packages/{name}/" for name in LIBRARIES))
    lines = traceback.extract_tb(error.__traceback__)
    own = [line for line in lines if not any(each in line.filename for each in foreign)]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else "in a library"

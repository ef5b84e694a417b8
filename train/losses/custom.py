"""Losses of the user's own, by `FILE.py:NAME` or `PACKAGE.MODULE:NAME`."""

from functools import cache
from typing import Any

import torch
from torch import Tensor

from ...runtime.errors import NetworkError
from ..user_code import check_code, load_attribute, wrap_errors
from .options import CustomLossOptions


def custom_loss(options: CustomLossOptions, logits: Tensor, labels: Tensor) -> Tensor:
    """Compute the user's loss of `logits` (timesteps, batch, classes) and `labels`.

    Raises:
        NetworkError: The code fails, or returns no single number.
        FileError: The file of the code does not exist.
    """
    name = options.function
    function = _load(name)
    with wrap_errors(name):
        loss = function(logits, labels, **options.options)
    if not (isinstance(loss, Tensor) and loss.numel() == 1 and torch.is_floating_point(loss)):
        found = tuple(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
        raise NetworkError(f"{name}: returns {found}, needs a tensor of one number")
    return loss.reshape(())


@cache
def _load(name: str) -> Any:
    """The function; executes its file once."""
    check_code(name)
    function = load_attribute(name)
    if not callable(function):
        raise NetworkError(f"{name}: is {type(function).__name__}, needs a function")
    return function

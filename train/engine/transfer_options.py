"""Options of transfer learning: table `[transfer]` of a recipe. Imports no torch."""

from pathlib import Path

from ...runtime.config import Options


class TransferOptions(Options):
    """Weights to start from, and layers that are not trained.

    - `weights`: a training or pretraining run, or its `.safetensors` file; its layers give their
      weights to those of the same name.
    - `skip`: layers that keep their initial weights, as names or patterns such as "stage4.*"; the
      read-out of other classes is "output".
    - `freeze`: layers that are not trained, likewise: their weights and batch norm statistics stay.
    """

    weights: Path | None = None
    skip: tuple[str, ...] = ()
    freeze: tuple[str, ...] = ()

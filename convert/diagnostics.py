"""Diagnostics of a model import: which layers are supported, and how each is converted."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..runtime.errors import PumiceError
from ..runtime.text_table import TextTable

Support = Literal["exact", "approximate", "unsupported"]


class UnsupportedLayerError(Exception):
    """A layer that cannot be converted: the reason, and the remedy."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason, remedy)
        self.reason, self.remedy = reason, remedy


@dataclass(frozen=True)
class LayerDiagnostic:
    """Diagnostic of one layer of a model.

    Attributes:
        node: Name of the layer, or of the node of its graph.
        kind: Its type in the model's own terms.
        support: `exact`, `approximate` or `unsupported`.
        conversion: What the layer is converted to.
        reason: Why it is approximate or unsupported.
        remedy: What to change.
    """

    node: str
    kind: str
    support: Support
    conversion: str = ""
    reason: str = ""
    remedy: str = ""

    @property
    def message(self) -> str:
        """The diagnostic as the text of an error."""
        return f"{self.node}: {'; '.join(part for part in (self.reason, self.remedy) if part)}"

    @property
    def details(self) -> str:
        """Conversion, reason and remedy in one line."""
        return "; ".join(part for part in (self.conversion, self.reason, self.remedy) if part)


@dataclass(frozen=True, repr=False)
class CompatibilityReport:
    """Diagnostics of all layers of `model`, in the model's order; prints as a table.

    Attributes:
        model: Name of the model.
        diagnostics: One per layer.
        carried_percent: Percentage of the weights other than zero that stay so in integers; None
            where the model holds integers already.
        changed_percent: Percentage of the spikes on a drawn input that the integers change; None
            for integers, large networks, and networks that do not spike on it.
    """

    model: str
    diagnostics: tuple[LayerDiagnostic, ...]
    carried_percent: float | None = None
    changed_percent: float | None = None

    def __str__(self) -> str:
        """Format as a table of text, one line for each layer, and a summary."""
        return str(self._table())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self._table()._repr_html_()

    def _table(self) -> TextTable:
        rows = tuple(
            (each.node, each.kind, each.support, each.details) for each in self.diagnostics
        )
        columns = ("node", "kind", "support", "conversion, or reason and remedy")
        return TextTable(columns, rows, footer=self.summary)

    @property
    def summary(self) -> str:
        """Percentage of layers, weights and spikes that the conversion keeps, in one line."""
        text = f"{self.model}: {self.supported_percent:.0f} % supported"
        if self.unsupported:
            text += f", {len(self.unsupported)} unsupported"
        if self.carried_percent is not None:
            text += f", {self.carried_percent:.1f} % of weights carried"
        if self.changed_percent is not None:
            text += f", {self.changed_percent:.1f} % of spikes changed on a drawn input"
        return text

    @property
    def supported_percent(self) -> float:
        """Percentage of the layers that can be converted, exactly or approximately."""
        supported = len(self.diagnostics) - len(self.unsupported)
        return 100.0 * supported / max(len(self.diagnostics), 1)

    @property
    def unsupported(self) -> tuple[LayerDiagnostic, ...]:
        """The layers that prevent a conversion."""
        return tuple(each for each in self.diagnostics if each.support == "unsupported")

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {**asdict(self), "supported_percent": self.supported_percent}


def raise_if_unsupported(
    diagnostics: Iterable[LayerDiagnostic], error: type[PumiceError], who: str = ""
) -> None:
    """Raise `error` for the first unsupported layer, with the number of further ones."""
    unsupported = [each for each in diagnostics if each.support == "unsupported"]
    if unsupported:
        others = len(unsupported) - 1
        more = f" (and {others} more, see pumice check)" if others else ""
        raise error(f"{who}{': ' if who else ''}{unsupported[0].message}{more}")

"""What a reader finds in a model: of every node, whether it can be carried over, and how."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..runtime.errors import PumiceError

Support = Literal["exact", "approximate", "unsupported"]


class UnsupportedLayerError(Exception):
    """A layer that cannot be converted: the reason, and the remedy."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason, remedy)
        self.reason, self.remedy = reason, remedy


@dataclass(frozen=True)
class LayerDiagnostic:
    """One node of a model: `rule` says how it is carried over.

    Where it is `approximated` or `refused`, `reason` says why and `mend` what to change.
    """

    node: str
    kind: str
    support: Support
    conversion: str = ""
    reason: str = ""
    remedy: str = ""

    @property
    def message(self) -> str:
        """The finding as an error would put it."""
        return f"{self.node}: {'; '.join(part for part in (self.reason, self.remedy) if part)}"


@dataclass(frozen=True)
class CompatibilityReport:
    """The findings of a whole `model`, in its own order."""

    model: str
    diagnostics: tuple[LayerDiagnostic, ...]

    @property
    def supported_percent(self) -> float:
        """How many of a hundred nodes can be carried over, exactly or not."""
        carried = sum(finding.support != "unsupported" for finding in self.diagnostics)
        return 100.0 * carried / max(len(self.diagnostics), 1)

    @property
    def unsupported(self) -> tuple[LayerDiagnostic, ...]:
        """What stands in the way."""
        return tuple(finding for finding in self.diagnostics if finding.support == "unsupported")

    def to_dict(self) -> dict[str, Any]:
        """Return the report as values that JSON can hold."""
        return {**asdict(self), "supported_percent": self.supported_percent}


def raise_if_unsupported(
    findings: Iterable[LayerDiagnostic], error: type[PumiceError], who: str = ""
) -> None:
    """Raise `error` with the first refusal among `findings`, and the number of further ones."""
    refused = [finding for finding in findings if finding.support == "unsupported"]
    if refused:
        more = f" (and {len(refused) - 1} more, see pumice check)" if len(refused) > 1 else ""
        raise error(f"{who}{': ' if who else ''}{refused[0].message}{more}")

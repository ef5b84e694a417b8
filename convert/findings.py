"""What a reader finds in a model: of every node, whether it can be carried over, and how."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..runtime.errors import PumiceError

Verdict = Literal["fine", "approximated", "refused"]


@dataclass(frozen=True)
class Finding:
    """One node of a model: `rule` says how it is carried over.

    Where it is `approximated` or `refused`, `reason` says why and `mend` what to change.
    """

    node: str
    kind: str
    verdict: Verdict
    rule: str = ""
    reason: str = ""
    mend: str = ""

    @property
    def line(self) -> str:
        """The finding as an error would put it."""
        return f"{self.node}: {'; '.join(part for part in (self.reason, self.mend) if part)}"


@dataclass(frozen=True)
class Report:
    """The findings of a whole `model`, in its own order."""

    model: str
    findings: tuple[Finding, ...]

    @property
    def percentage(self) -> float:
        """How many of a hundred nodes can be carried over, exactly or not."""
        carried = sum(finding.verdict != "refused" for finding in self.findings)
        return 100.0 * carried / max(len(self.findings), 1)

    @property
    def refused(self) -> tuple[Finding, ...]:
        """What stands in the way."""
        return tuple(finding for finding in self.findings if finding.verdict == "refused")

    def plain(self) -> dict[str, Any]:
        """Return the report as values that JSON can hold."""
        return {**asdict(self), "percentage": self.percentage}


def check_none_refused(
    findings: Iterable[Finding], error: type[PumiceError], who: str = ""
) -> None:
    """Raise `error` with the first refusal among `findings`, and the number of further ones."""
    refused = [finding for finding in findings if finding.verdict == "refused"]
    if refused:
        more = f" (and {len(refused) - 1} more, see pumice check)" if len(refused) > 1 else ""
        raise error(f"{who}{': ' if who else ''}{refused[0].line}{more}")

"""The proof that nothing changed: one network, one input, all engines, every value compared."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .divergence import Divergence as Divergence
from .divergence import first_divergence
from .errors import EngineError
from .events import Events, validate_events
from .files import network_digest
from .network import Network
from .trace import Record, Trace

PACKAGES = ("pumice", "numpy", "numba", "onnxruntime", "lava-nc")


class RunFunction(Protocol):
    """What runs a network: any function of this form."""

    def __call__(self, network: Network, events: Events, record: Record = "all") -> Trace:
        """Run `network` on `events`, uint8 (timesteps, batch, *input shape), from silence."""


@dataclass(frozen=True)
class EngineResult:
    """What came of one engine: the values compared, and what was wrong, if anything.

    `spikes` and `values` count the spikes and the voltages and counts that were compared.
    `failure` is the one-line error of an engine that did not finish, else empty.
    """

    engine: str
    spikes: int = 0
    values: int = 0
    divergence: Divergence | None = None
    failure: str = ""

    @property
    def passed(self) -> bool:
        """Whether every value was the reference's."""
        return self.divergence is None and not self.failure


@dataclass(frozen=True)
class VerificationReport:
    """The outcome of one comparison; it names exactly what was compared.

    `network` and `events` are SHA-256 digests; `versions` those of the packages that may have
    taken part. Every engine but `reference` has a verdict, in the order they ran.
    """

    network: str
    events: str
    timesteps: int
    samples: int
    reference: str
    results: tuple[EngineResult, ...]
    versions: Mapping[str, str]

    @property
    def passed(self) -> bool:
        """Whether at least one engine was compared, and all agreed."""
        return bool(self.results) and all(verdict.passed for verdict in self.results)


def verify(
    network: Network, events: Events, engines: Mapping[str, RunFunction]
) -> VerificationReport:
    """Run all `engines` on the same `events` and compare them with the first of them.

    Compared are every spike of every population, the counts, and the voltages of integrators at
    every step. An engine that fails is recorded and does not stop the others. Raises `EngineError`
    where the events do not fit, fewer than two engines are given or the first one fails.
    """
    if len(engines) < 2:
        raise EngineError(f"conform: {len(engines)} engines, needs the reference and one more")
    given = validate_events(network, events)
    (reference, first), *others = engines.items()
    expected = first(network, given, "all")
    return VerificationReport(
        network_digest(network),
        _events_digest(given),
        expected.timesteps,
        expected.batch,
        reference,
        tuple(_compare_engine(network, given, expected, name, run) for name, run in others),
        package_versions(PACKAGES),
    )


def package_versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Return the versions of those `packages` that are installed; imports none of them."""
    versions = {}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _compare_engine(
    network: Network, events: Events, expected: Trace, name: str, run: RunFunction
) -> EngineResult:
    try:
        found = run(network, events, "all")
        divergence = first_divergence(network, expected, found, name)
    except Exception as error:  # an engine may fail in any way: that is what the verdict says
        lines = str(error).strip().splitlines() or [""]
        return EngineResult(name, failure=f"{type(error).__name__}: {lines[0]}")
    spikes = sum(array.size for array in expected.spikes.values())
    others = (*expected.counts.values(), *expected.voltages.values())
    return EngineResult(name, spikes, sum(array.size for array in others), divergence)


def _events_digest(events: Mapping[str, NDArray[np.uint8]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(events):
        digest.update(f"{name} {events[name].shape} ".encode() + events[name].tobytes())
    return digest.hexdigest()

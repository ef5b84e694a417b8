"""Verification: run one network on all engines and compare every value, bit for bit."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .divergence import Divergence as Divergence
from .divergence import first_divergence
from .engines.registry import RunFunction as RunFunction
from .engines.registry import get_engine, select_engines
from .engines.run import plain_network, raw_option, run_on
from .errors import EngineError, MissingPackage
from .events import Events, as_events
from .files import network_digest
from .network import Network
from .program import Program
from .trace import Record, Trace

PACKAGES = ("pumice", "numpy", "onnxruntime", "lava-nc")


@dataclass(frozen=True)
class EngineResult:
    """Comparison of one engine with the reference.

    Attributes:
        engine: Name of the engine.
        spikes: Number of spike values compared.
        values: Number of other values compared: counts, voltages, currents.
        divergence: First value that differs, if any.
        failure: One-line error of an engine that did not finish, else empty.
    """

    engine: str
    spikes: int = 0
    values: int = 0
    divergence: Divergence | None = None
    failure: str = ""

    @property
    def passed(self) -> bool:
        """True where every value equals that of the reference."""
        return self.divergence is None and not self.failure


@dataclass(frozen=True, repr=False)
class VerificationReport:
    """Outcome of a verification, naming exactly what was compared; prints one line per engine.

    Attributes:
        network: SHA-256 of the network.
        events: SHA-256 of the events.
        timesteps: Number of timesteps.
        samples: Number of samples.
        reference: Name of the engine that the others are compared with.
        results: One for each other engine, in the order they ran.
        versions: Versions of the installed packages that may have taken part.
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
        """True where at least one engine was compared, and all equal the reference."""
        return bool(self.results) and all(result.passed for result in self.results)

    def __str__(self) -> str:
        """Format as one line for each engine."""
        outcome = "passed" if self.passed else "failed"
        lines = [
            f"{outcome}: {self.samples} samples of {self.timesteps} timesteps, "
            f"compared with the {self.reference} engine"
        ]
        for each in self.results:
            if each.passed:
                compared = f"{each.spikes:,} spikes and {each.values:,} other values"
                lines.append(f"  {each.engine}: identical in {compared}")
            else:
                lines.append(f"  {each.engine}: {each.failure or each.divergence}")
        return "\n".join(lines)

    __repr__ = __str__


def verify(
    network: Network | Program,
    inputs: Any,
    engines: Mapping[str, RunFunction] | Sequence[str] | str | None = None,
    record: Record = "all",
) -> VerificationReport:
    """Run `network` on several engines and compare all of them with the first.

    Compared are every spike of every population, the counts, and the voltages of integrators at
    every timestep. An engine that fails is recorded and does not stop the others.

    Args:
        network: Network, or a program, which Lava runs with a process for each slice.
        inputs: Events, as `run` takes them; of what `pumice.encode` returns, the firmware encodes
            the raw input, and the events are compared too.
        engines: Names of engines to compare with "reference", as a sequence or separated by
            commas; or functions by name, the reference first. All that are installed by default.
        record: "states" also compares every current and voltage, of engines that record them.

    Raises:
        EngineError: Events that do not fit, fewer than two engines, or a reference that fails.
        MissingPackage: A named engine lacks a package.
    """
    plain = plain_network(network, "verify")
    if not isinstance(engines, Mapping):
        engines = {name: _bind_engine(network, name, inputs) for name in select_engines(engines)}
    if len(engines) < 2:
        named = ", ".join(engines) or "no engine"
        raise EngineError(f"verify: {named} alone, needs the reference and one more")
    events = as_events(plain, inputs)
    (reference, first), *others = engines.items()
    expected = first(plain, events, record)
    return VerificationReport(
        network_digest(plain),
        _events_digest(events),
        expected.timesteps,
        expected.batch,
        reference,
        tuple(_compare_engine(plain, events, expected, *other, record) for other in others),
        package_versions(PACKAGES),
    )


def _bind_engine(model: Network | Program, name: str, inputs: Any) -> RunFunction:
    """Load an engine by name; one that takes programs gets the program."""
    engine = get_engine(name)
    if engine.missing_packages():  # an error here, neither a failure of the engine nor a fallback
        raise MissingPackage(engine.missing_message())

    def run_engine(network: Network, events: Events, record: Record = "all") -> Trace:
        return run_on(engine, model, events, record, **raw_option(engine, inputs))

    return run_engine


def package_versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Look up the versions of the `packages` that are installed; imports none of them."""
    versions = {}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _compare_engine(
    network: Network, events: Events, expected: Trace, name: str, run: RunFunction, record: Record
) -> EngineResult:
    try:
        actual = run(network, events, record)
        divergence = first_divergence(network, expected, actual, name)
    except Exception as error:  # an engine may fail in any way: the result reports it
        lines = str(error).strip().splitlines() or [""]
        return EngineResult(name, failure=f"{type(error).__name__}: {lines[0]}")
    spikes = sum(array.size for array in expected.spikes.values())
    others = (
        *expected.counts.values(),
        *expected.voltages.values(),
        *expected.currents.values(),
    )
    return EngineResult(name, spikes, sum(array.size for array in others), divergence)


def _events_digest(events: Mapping[str, NDArray[np.uint8]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(events):
        digest.update(f"{name} {events[name].shape} ".encode() + events[name].tobytes())
    return digest.hexdigest()

import csv
import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import EVENTS, NETWORK, CommandResult, pumice

from bench import shapes
from pumice.deploy.cost.estimate import estimate_cost
from pumice.deploy.placement.place import place
from pumice.deploy.targets.target import read_target
from pumice.runtime import write_network
from pumice.runtime.engines.reference import run

UNITS = {"p": 1e-12, "n": 1e-9, "µ": 1e-6, "m": 1e-3, "": 1.0}
KEYS = {"hops along x": "hop_x", "hops along y": "hop_y", "messages": "message", "spikes": "spike"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> CommandResult:
    """Output of `pumice profile` for a network of the demo's shape on Loihi 1, Loihi 2 and CMOS."""
    folder = tmp_path_factory.mktemp("profile")
    random = np.random.default_rng(2)
    events = (random.random((8, 3, 2, 16, 16)) < 0.1).astype(np.uint8)
    np.savez(folder / "events.npz", events=events)
    write_network(folder / "demo.pumice", shapes.conv_net((2, 16, 16), (1, 2), 128))
    return pumice("profile", folder / "demo.pumice", "--events", folder / "events.npz")


def tables(out: str, ending: str) -> dict[tuple[str, str], list[list[str]]]:
    """Parse the tables whose title ends with `ending`, by target and model, as rows of cells."""
    parsed = {}
    for block in out.split("\n\n"):
        title = re.match(rf"(Loihi 1|Loihi 2|CMOS)[^\n]*\((\w+), \w+\): {ending}\n", block)
        if title:
            lines = [re.split(r"  +", line.strip()) for line in block.splitlines()]
            start = next(k for k, cells in enumerate(lines) if cells[0] == "operation") + 2
            rows = [cells for cells in lines[start:] if len(cells) > 1]
            parsed[title[1], title[2]] = rows
    return parsed


def number(text: str) -> float:
    """Parse "1,234.5", "23.6 pJ" or "1.234 µs" into SI units."""
    digits, _, unit = text.partition(" ")
    return float(digits.replace(",", "")) * UNITS[unit[:-1]]


def constants(name: str) -> Any:
    """Read the TOML file of a target without pumice's models."""
    return tomllib.loads(resources.files("pumice.deploy.targets").joinpath(name).read_text())


FILES = {"Loihi 1": "loihi1.toml", "Loihi 2": "loihi2.toml", "CMOS": "cmos45.toml"}


def constant(kind: str, target: str, model: str, operation: str) -> float:
    """Look up the constant that a row is multiplied by."""
    prices = constants(FILES[target])[kind][model]
    key = KEYS.get(operation, operation.replace(" ", "_").removesuffix("s"))
    price = prices[key] if key in prices else prices["operation"]
    return float(price["value"]) * UNITS[price["unit"][0].replace("u", "µ")]


def test_every_energy_is_count_times_constant(demo: CommandResult) -> None:
    parsed = tables(demo.out, "energy per inference")
    assert len(parsed) == 6
    for (target, model), rows in parsed.items():
        total = 0.0
        for operation, count, each, energy in rows[:-1]:
            price = constant("energy", target, model, operation)
            assert number(each) == pytest.approx(price)
            assert number(energy) == pytest.approx(number(count) * price, rel=5.1e-4)
            total += number(count) * price
        *_, printed = rows[-1]
        error = constants(FILES[target])["energy"][model].get("error", {"value": 0})["value"] / 100
        value, _, unit = printed.rpartition(" ")  # "38.83 to 49.12 µJ"
        ends = [number(f"{end} {unit}") for end in value.split(" to ")]
        assert ends[0] == pytest.approx(total * (1 - error), rel=5.1e-4)
        assert ends[-1] == pytest.approx(total * (1 + error), rel=5.1e-4)


def test_every_longest_step_is_count_times_constant(demo: CommandResult) -> None:
    parsed = tables(demo.out, "time")
    assert len(parsed) == 4
    for (target, model), rows in parsed.items():
        total = 0.0
        for operation, count, each, time in rows[:-1]:
            price = constant("time", target, model, operation)
            assert number(each) == pytest.approx(price)
            assert number(time) == pytest.approx(number(count) * price, rel=5.1e-4)
            total += number(count) * price
        error = constants(FILES[target])["time"][model].get("error", {"value": 0})["value"] / 100
        assert number(rows[-1][-1]) == pytest.approx(total * (1 + error), rel=5.1e-4)


def test_the_break_even_follows_from_the_prices(demo: CommandResult) -> None:
    lines = re.findall(
        r"ANN baseline: ([\d,]+) multiply-accumulates x ([\d.]+) pJ = (\S+ .J)\. "
        r".* at (\S+) operations .* (\S+)\.\n",
        demo.out,
    )
    assert len(lines) == 6
    operations = re.search(r"([\d,.]+) synaptic operations", demo.out)
    assert operations
    for connections, product, artificial, _, here in lines:
        assert number(artificial) == pytest.approx(
            number(connections) * float(product) * 1e-12, rel=5.1e-4
        )
        expected = number(operations[1]) / number(connections)
        assert float(here) == pytest.approx(expected, rel=5.1e-4)
    products = [float(product) for _, product, _, _, _ in lines]
    sums = [23.6, 35.5, 23.6, 35.5, 0.9, 0.1]
    assert products == [4.6] * 5 + [0.3]
    assert [float(line[3]) for line in lines] == pytest.approx(
        [product / each for product, each in zip(products, sums, strict=True)], rel=1e-3
    )


def test_cores_and_lower_bound_are_those_of_the_placement(demo: CommandResult) -> None:
    network = shapes.conv_net((2, 16, 16), (1, 2), 128)
    for name in ("loihi1", "loihi2"):
        row = re.search(rf"^{name} +(\d+) +(\d+) +1 ", demo.out, re.MULTILINE)
        assert row and int(row[1]) == len(place(network, read_target(name)).cores)
        assert int(row[2]) <= int(row[1])


def test_tables_fit_60_columns(demo: CommandResult) -> None:
    rules = [line for line in demo.out.splitlines() if line.startswith("\u2500")]
    assert len(rules) > 15 and max(map(len, rules)) <= 60


def test_the_json_document_has_the_values_of_the_library(network: Path, events: Path) -> None:
    options = ("--target", "loihi1", "--json")
    document = pumice("profile", network, "--events", events, *options).document
    trace = run(NETWORK, EVENTS, "all")
    target = read_target("loihi1")
    cost = estimate_cost(NETWORK, trace, target, place(NETWORK, target))
    (loihi,) = document["targets"]
    assert [each["total"] for each in loihi["energy"]] == [list(b.total) for b in cost.energies]
    assert loihi["placement"]["cores"] == 1 and loihi["placement_error"] is None
    assert len(loihi["energy_by_step"]["davies2018"]) == 5
    assert document["spikes_per_inference"] > 0
    assert "SynapticOperations" in document["neurobench"]


def test_csv_rows_add_up_to_their_totals(network: Path, events: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    assert pumice("profile", network, "--events", events, "--csv", path).status == 0
    with path.open() as opened:
        rows = list(csv.DictReader(opened))
    for model in ("davies2018", "float32", "int8"):
        lines = [r for r in rows if r["model"] == model and r["section"] == "energy"]
        for target in {row["target"] for row in lines}:
            own = [row for row in lines if row["target"] == target]
            sums = ("total", "ANN baseline")
            items = [float(row["max"]) for row in own if row["item"] not in sums]
            total = next(float(row["max"]) for row in own if row["item"] == "total")
            assert sum(items) == pytest.approx(total)
            for row in own:
                if row["count_max"]:
                    product = float(row["count_max"]) * float(row["price_max"])
                    assert float(row["max"]) == pytest.approx(product)


def test_exceeded_capacity_is_reported_with_exit_code_1(
    network: Path, events: Path, tmp_path: Path
) -> None:
    """NETWORK has 31 neurons; a chip of one core with 30 lacks one."""
    text = resources.files("pumice.deploy.targets").joinpath("loihi1.toml").read_text()
    small = tmp_path / "small.toml"
    for old, new in (
        ("neurons = { value = 1024", "neurons = { value = 30"),
        ("chips = { value = 768", "chips = { value = 1"),
        ("cores = { value = 128", "cores = { value = 1"),
        ('"Loihi 1"', '"Small"'),
    ):
        text = text.replace(old, new, 1)
    small.write_text(text)
    options = ("--target", small, "--target", "cmos45")
    result = pumice("profile", network, "--events", events, *options)
    assert result.status == 1
    error = "network: 31 neurons, but the 1 cores of loihi1 hold 30: 1 too"
    assert f"Small cannot hold the network. {error}" in result.out
    assert "use fewer channels or a lower resolution" in result.out
    assert "CMOS at 45 nm, floating point" in result.out
    document = pumice("profile", network, "--events", events, *options, "--json").document
    assert "1 too many" in document["targets"][0]["placement_error"]


def test_the_host_is_timed_on_request(network: Path, events: Path) -> None:
    options = ("--target", "cmos45", "--host")
    result = pumice("profile", network, "--events", events, *options)
    assert re.search(r"inference +\S+ .s +\S+ .s +\S+ .s", result.out)
    host = pumice("profile", network, "--events", events, *options, "--json").document["host"]
    assert host["runs"] == 100 and len(host["inference"]) == 3


@pytest.mark.lava
def test_lava_processes_are_timed_on_request(network: Path, events: Path) -> None:
    options = ("--target", "cmos45", "--lava")
    out = pumice("profile", network, "--events", events, *options).out
    assert re.search(r"^conv +LIFReset +\S+ .s +\S+ .s$", out, re.MULTILINE)
    assert re.search(r"^second +(Delayed)?Dense +\S+ .s +\S+ .s$", out, re.MULTILINE)


def test_the_report_is_written_as_html_on_request(
    network: Path, events: Path, tmp_path: Path
) -> None:
    page = tmp_path / "out.html"
    pumice("profile", network, "--events", events, "--html", page)
    assert page.read_text().startswith("<!doctype html>")
    absent = tmp_path / "absent" / "out.html"
    assert pumice("profile", network, "--events", events, "--html", absent).status == 2


def test_an_unknown_target_is_an_error(network: Path, events: Path) -> None:
    result = pumice("profile", network, "--events", events, "--target", "loihi9")
    assert result.status == 2 and "did you mean 'loihi2'" in result.err

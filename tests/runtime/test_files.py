import errno
import hashlib
import json
import os
import random
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save

from pumice.runtime import (
    Conv,
    Dense,
    Network,
    Population,
    Projection,
    Sparse,
    SumPool,
    network_digest,
    read_network,
    read_program,
    write_network,
)
from pumice.runtime.engines import reference
from pumice.runtime.errors import FileError
from pumice.runtime.files import atomic_write
from pumice.runtime.input_file import LFS_POINTER


def example(threshold: int = 20, **values: Any) -> Network:
    """A network that holds each kind of connection and of parameter."""
    random = np.random.default_rng(5)
    return Network(
        (
            Population("in", (2, 6, 6), kind="input", value_bits=3),
            Population("conv", (4, 3, 3), voltage_decay=[1, 2, 3, 4], threshold=threshold),
            Population("pool", (4, 1, 1), bias=random.integers(-9, 9, (4, 1, 1)), bias_exponent=3),
            Population("out", (3,), kind="integrator"),
        ),
        (
            Projection(
                "first",
                "in",
                "conv",
                Conv(random.integers(-9, 9, (4, 1, 3, 3)) * 2, (2, 2), (1, 1), (1, 1), 2),
                weight_exponent=-1,
            ),
            Projection("second", "conv", "pool", SumPool((3, 3), (3, 3), weight=7)),
            Projection("third", "pool", "out", Dense(np.arange(12).reshape(3, 4)), delay=2),
            Projection(
                "skip",
                "conv",
                "out",
                Sparse(np.array([4, -6]), np.array([0, 2]), np.array([35, 1]), (3, 36)),
            ),
        ),
        **{"output": "out", "provenance": {"seed": 3, "digests": ["a", "b"]}, **values},
    )


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a good file."""
    path = tmp_path_factory.mktemp("whole") / "net.pumice"
    write_network(path, example())
    return path.read_bytes()


def refusal(path: Path, content: bytes) -> str:
    """Error of reading `content`, which is one line and names the file."""
    path.write_bytes(content)
    with pytest.raises(FileError) as caught:
        read_network(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message


def test_a_network_round_trips(tmp_path: Path) -> None:
    write_network(tmp_path / "net.pumice", example())
    again = read_network(tmp_path / "net.pumice")
    assert again == example()
    assert again.provenance == {"seed": 3, "digests": ["a", "b"]}
    assert network_digest(again) == network_digest(example())


def test_equal_networks_give_equal_files(tmp_path: Path, content: bytes) -> None:
    write_network(tmp_path / "again.pumice", example())
    assert (tmp_path / "again.pumice").read_bytes() == content


@pytest.mark.parametrize(("limit", "step", "bits"), [(127, 2, 8), (7, 32, 4), (1, 64, 2)])
def test_weights_take_the_bits_that_they_have(
    tmp_path: Path, limit: int, step: int, bits: int
) -> None:
    weights = step * np.random.default_rng(0).integers(-limit, limit + 1, (100, 1000))
    populations = (Population("in", (1000,), kind="input"), Population("out", (100,)))
    network = Network(populations, (Projection("p", "in", "out", Dense(weights)),))
    path = tmp_path / "net.pumice"
    write_network(path, network)
    assert 0 < path.stat().st_size - weights.size * bits // 8 < 2000
    assert read_network(path) == network


def test_equal_weights_are_stored_once_and_shared_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shared, other = (Conv(2 * rng.integers(-99, 99, (8, 8, 3, 3)), padding=(1, 1)) for _ in "ab")
    strided = Conv(shared.weights, padding=(1, 1), dilation=(1, 1), stride=(2, 2))
    populations = (
        Population("in", (8, 4, 4), kind="input"),
        *(Population(name, (8, 4, 4), threshold=500) for name in "ab"),
        Population("c", (8, 2, 2), threshold=500),
    )
    projections = (
        Projection("p", "in", "a", shared),
        Projection("q", "in", "b", shared),
        Projection("r", "a", "b", other),
        Projection("s", "b", "c", strided),
    )
    network = Network(populations, projections)
    path = tmp_path / "net.pumice"
    write_network(path, network)
    again = read_network(path)
    assert again == network and network_digest(again) == network_digest(network)
    p, q, r, s = (projection.connection for projection in again.projections)
    assert p is q and p is not r and p is not s
    with safe_open(path, framework="np") as file:
        assert sorted(n for n in file.keys() if "weights" in n) == [  # noqa: SIM118
            "p/projection.weights",
            "r/projection.weights",
        ]
    write_network(tmp_path / "again.pumice", again)
    assert (tmp_path / "again.pumice").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    "packed",
    [
        None,
        {"p/projection.weight": {}},
        {"p/projection.weights": {"shape": [1, 2]}},
        {"p/projection.weights": {"same": "x"}},
    ],
)
def test_an_invalid_packing_is_a_one_line_error(tmp_path: Path, packed: Any) -> None:
    wrong = graph() | {"format": 3, "packed": packed}
    refusal(tmp_path / "wrong.pumice", sign(wrong, WEIGHTS))


def test_the_digest_depends_on_the_computation_and_not_on_provenance() -> None:
    assert network_digest(example(provenance={"seed": 4})) == network_digest(example())
    assert network_digest(example(threshold=21)) != network_digest(example())
    assert network_digest(example(output="pool")) != network_digest(example())


def test_a_file_truncated_anywhere_is_a_one_line_error(tmp_path: Path, content: bytes) -> None:
    header = 8 + int.from_bytes(content[:8], "little")
    edges = {0, 1, 7, 8, 9, header - 1, header, header + 1, len(content) - 1}
    for cut in sorted(edges | set(range(10, len(content), 97))):
        refusal(tmp_path / "cut.pumice", content[:cut])


def test_a_flipped_bit_is_a_one_line_error(tmp_path: Path, content: bytes) -> None:
    chance = random.Random(1)
    bits = [chance.randrange(8 * len(content)) for _ in range(500)] + list(range(64))
    for bit in bits:
        turned = bytearray(content)
        turned[bit // 8] ^= 1 << bit % 8
        refusal(tmp_path / "turned.pumice", bytes(turned))


def test_trailing_bytes_are_rejected(tmp_path: Path, content: bytes) -> None:
    refusal(tmp_path / "long.pumice", content + b"\0")


@pytest.mark.parametrize("content", [b"", b"\0" * 64, b"PK\x03\x04" * 99, b"{}" * 99, b"\xff" * 99])
def test_a_file_of_another_kind_is_rejected(tmp_path: Path, content: bytes) -> None:
    assert "is truncated or no .pumice file" in refusal(tmp_path / "other.pumice", content)


def test_a_safetensors_file_without_a_network_is_rejected(tmp_path: Path) -> None:
    assert "holds no pumice network" in refusal(tmp_path / "w.safetensors", save({"a": np.ones(3)}))


@pytest.mark.parametrize("name", ["absent.pumice", "a" * 300])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileError, match="no such file"):
        read_network(tmp_path / name)


def test_a_folder_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is a folder; name a file in it"):
        read_network(tmp_path)


def sign(graph: Any, arrays: dict[str, Any] | None = None) -> bytes:
    """A file with a valid digest of any graph."""
    tensors = {} if arrays is None else arrays
    header = graph if isinstance(graph, str) else json.dumps(graph)
    digest = hashlib.sha256(header.encode())
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"{name} {array.dtype} {array.shape} ".encode() + array.tobytes())
    return save(tensors, {"pumice": f"{digest.hexdigest()} {header}"})


def graph() -> dict[str, Any]:
    return {
        "format": 2,
        "output": "out",
        "provenance": {},
        "populations": [
            {"name": "in", "shape": [2], "kind": "input"},
            {"name": "out", "shape": [1], "kind": "cuba", "threshold": 5},
        ],
        "projections": [
            {
                "name": "p",
                "source": "in",
                "target": "out",
                "connection": {"kind": "dense"},
                "weight_exponent": 1,
                "delay": 0,
            }
        ],
    }


WEIGHTS = {"p/projection.weights": np.array([[1, 2]], np.int16)}


def test_a_graph_signed_by_hand_is_read(tmp_path: Path) -> None:
    (tmp_path / "net.pumice").write_bytes(sign(graph(), WEIGHTS))
    assert read_network(tmp_path / "net.pumice").population("out").threshold == 5


Place = tuple[str | int, ...]
REQUIRED: list[Place] = [
    ("format",),
    ("output",),
    ("provenance",),
    ("populations",),
    ("populations", 0, "name"),
    ("populations", 0, "shape"),
    ("projections",),
    ("projections", 0, "name"),
    ("projections", 0, "source"),
    ("projections", 0, "target"),
    ("projections", 0, "connection"),
    ("projections", 0, "connection", "kind"),
]
TYPED: list[Place] = [
    *REQUIRED,
    ("populations", 0),
    ("populations", 0, "shape", 0),
    ("populations", 0, "kind"),
    ("populations", 0, "bias_exponent"),
    ("populations", 1, "threshold"),
    ("projections", 0),
    ("projections", 0, "weight_exponent"),
    ("projections", 0, "delay"),
]
WRONG = [None, "x", "", 0.5, -1.5, [None], {"a": 1}, float("nan"), float("inf"), 10**30]


def parent_of(place: Place, graph: Any) -> Any:
    for key in place[:-1]:
        graph = graph[key]
    return graph


@pytest.mark.parametrize("place", TYPED, ids=str)
def test_json_of_the_wrong_type_is_a_one_line_error(tmp_path: Path, place: Place) -> None:
    for value in WRONG:
        if place == ("provenance",) and value == {"a": 1}:
            continue
        wrong = graph()
        parent_of(place, wrong)[place[-1]] = value
        refusal(tmp_path / "wrong.pumice", sign(wrong, WEIGHTS))


@pytest.mark.parametrize("place", REQUIRED, ids=str)
def test_a_missing_key_is_a_one_line_error(tmp_path: Path, place: Place) -> None:
    wrong = graph()
    del parent_of(place, wrong)[place[-1]]
    refusal(tmp_path / "wrong.pumice", sign(wrong, WEIGHTS))


def test_format_1_is_read_with_its_digest_and_runs_as_before() -> None:
    """Written by the release that had format 1, with what it computed of these events."""
    path = Path(__file__).parent / "data" / "format-1.pumice"
    network, program = read_network(path), read_program(path)
    assert network_digest(network) == (
        "0bbfe07c9c85eaba8625f44dfca258ec93e1b24d746f908ed2fd14f23c16d21f"
    )
    assert program.network == network and len(program.cores) == 2
    assert network.provenance["recipe"]["data"] == {
        "name": "digits-events",
        "timesteps": 8,
        "values": "grey",
    }
    events = (np.random.default_rng(1).random((6, 4, 2, 6, 6)) < 0.3).astype(np.uint8)
    trace = reference.run(network, events)
    assert trace.steps.tolist() == [2, 2, 2, 2]
    assert sum(int(counts.sum()) for counts in trace.counts.values()) == 630
    assert trace.voltages["readout"][-1].sum() == 42902


def test_neuron_types_round_trip_and_plain_neurons_have_the_digest_of_old_files(
    tmp_path: Path,
) -> None:
    def build(**values: Any) -> Network:
        neurons = Population("a", (2,), threshold=5, **values)
        dense = Projection("w", "in", "a", Dense(np.ones((2, 1))))
        return Network((Population("in", (1,), "input"), neurons), (dense,))

    def keys(network: Network) -> set[str]:
        network.save(tmp_path / "a.pumice")
        assert read_network(tmp_path / "a.pumice") == network
        with safe_open(tmp_path / "a.pumice", framework="np") as file:
            graph = json.loads(file.metadata()["pumice"].partition(" ")[2])
            names = {name.rpartition(".")[2] for name in file.keys()}  # noqa: SIM118
        return names | set(graph["populations"][1])

    plain = build()
    assert (
        network_digest(plain) == "41224a0cb310396ecc1816b955fd4716e5d2ce22253305edaff2c10dbaa65025"
    )
    assert not keys(plain) & {"reset", "reset_value", "refractory", "max_spikes", "min_voltage"}
    for values in (
        {"reset": "value", "reset_value": [1, 2]},
        {"reset": "subtract", "reset_value": 3, "max_spikes": 7},
        {"reset": "delayed_subtract", "reset_value": 3},
        {"refractory": 2},
        {"min_voltage": [-5, -131072]},
        {"kind": "integrator", "align_bits": 0},
    ):
        assert set(values) <= keys(build(**values))
        assert network_digest(build(**values)) != network_digest(plain)


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "1", "[" * 100_000, '{"format": 4}'])
def test_a_header_without_a_graph_is_rejected(tmp_path: Path, text: str) -> None:
    assert "holds an invalid network" in refusal(tmp_path / "a.pumice", sign(text))


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"p/projection.weights": np.array([[0.5, 2]])},
        {"p/projection.weights": np.array([1, 2], np.int16)},
        {"p/projection.weight": np.array([[1, 2]], np.int16)},
        {**WEIGHTS, "out/population.threshold": np.array(3)},  # given twice
        {**WEIGHTS, "other/population.threshold": np.array(3)},
    ],
)
def test_unexpected_arrays_are_rejected(tmp_path: Path, arrays: dict[str, Any]) -> None:
    assert "holds an invalid net" in refusal(tmp_path / "a.pumice", sign(graph(), arrays))


def test_an_unknown_key_is_rejected(tmp_path: Path) -> None:
    wrong = graph()
    wrong["populations"][1]["treshold"] = 3
    assert "treshold" in refusal(tmp_path / "wrong.pumice", sign(wrong, WEIGHTS))


def test_a_provenance_that_is_not_json_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="the provenance cannot be written as JSON"):
        write_network(tmp_path / "net.pumice", example(provenance={"seed": np.int64(3)}))
    assert list(tmp_path.iterdir()) == []


def test_the_old_file_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_write(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    with atomic_write(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_written_file_has_default_permissions(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    write_network(tmp_path / "net.pumice", example())
    rights = [path.stat().st_mode for path in tmp_path.iterdir()]
    assert rights[0] == rights[1]


@pytest.mark.parametrize("failing", ["write_bytes", "replace"])
def test_a_failed_write_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, failing, full)
    with pytest.raises(FileError, match="net.pumice: cannot be written: No space left on device"):
        write_network(tmp_path / "net.pumice", example())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_or_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="cannot be written: No such file or directory"):
        write_network(tmp_path / "absent" / "net.pumice", example())
    with pytest.raises(FileError, match="cannot be written: Not a directory"):
        write_network(tmp_path / "file" / "net.pumice", example())


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "net.pumice").mkdir()
    with pytest.raises(FileError, match="is a folder; name a file in it"):
        write_network(tmp_path / "net.pumice", example())
    assert [path.name for path in tmp_path.iterdir()] == ["net.pumice"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 kB."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here (needs root)")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_disk_that_is_really_full_leaves_the_old_file_alone(small_disk: Path) -> None:
    path = small_disk / "net.pumice"
    path.write_text("old")
    with pytest.raises(FileError, match="net.pumice: cannot be written: No space left on device"):
        write_network(path, example(provenance={"notes": "x" * 20_000}))
    assert list(small_disk.iterdir()) == [path] and path.read_text() == "old"


CRAFTED: dict[str, tuple[dict[str, Any], str]] = {
    "population": (
        {"populations": [{"shape": [2**31 - 1]}, {"shape": [2**31 - 1]}]},
        "has 2147483647 neurons, needs at most",
    ),
    "image": (
        {"populations": [{"shape": [2**10, 2**10, 2**10]}, {}]},
        "has 1073741824 neurons, needs at most",
    ),
    "dilation": (
        {"projections": [{"connection": {"kind": "conv", "dilation": [2**31, 1]}}]},
        "dilation is [2147483648, 1], needs two integers from 1 to 32768",
    ),
    "padding": (
        {"projections": [{"connection": {"kind": "conv", "padding": [0, 10**30]}}]},
        "padding is [0, 1000000000000000000000000000000], needs two integers from 0",
    ),
    "kernel": (
        {"projections": [{"connection": {"kind": "sum_pool", "kernel": [10**20, 1]}}]},
        "kernel is [100000000000000000000, 1], needs two integers from 1",
    ),
    "synapses": (
        {"projections": [{"connection": {"kind": "sparse", "shape": [3, 2**40]}}]},
        "shape is [3, 1099511627776], needs two integers from 1",
    ),
}


@pytest.mark.parametrize("name", CRAFTED)
def test_impossible_sizes_under_a_valid_checksum_are_an_error(name: str, tmp_path: Path) -> None:
    changes, message = CRAFTED[name]
    graph: dict[str, Any] = {
        "format": 2,
        "output": "out",
        "provenance": {},
        "populations": [
            {"name": "in", "shape": [1, 4, 4], "kind": "input"},
            {"name": "out", "shape": [1, 4, 4]},
        ],
        "projections": [
            {"name": "p", "source": "in", "target": "out", "connection": {"kind": "conv"}}
        ],
    }
    for part, values in changes.items():
        for entry, changed in zip(graph[part], values, strict=True):
            entry.update(changed)
    kind = graph["projections"][0]["connection"]["kind"]
    tensors: dict[str, Any] = {"p/projection.weights": np.ones((1, 1, 1, 1), np.int16)}
    if kind == "sum_pool":
        graph["projections"][0]["connection"].update(stride=[1, 1], weight=1)
        tensors = {"in/population.bias": np.zeros((), np.int32)}
    if kind == "sparse":
        indices = np.zeros(1, np.int32)
        tensors = {"p/projection.weights": np.ones(1, np.int16)}
        tensors |= {f"p/projection.{key}": indices for key in ("rows", "columns")}
    write_with_checksum(tmp_path / "a.pumice", graph, tensors)
    with pytest.raises(FileError) as caught:
        read_network(tmp_path / "a.pumice")
    assert message in str(caught.value) and "\n" not in str(caught.value)


def write_with_checksum(path: Path, graph: Any, tensors: dict[str, Any]) -> None:
    header = json.dumps(graph, sort_keys=True)
    digest = hashlib.sha256(header.encode())
    for name, array in sorted(tensors.items()):
        digest.update(f"{name} {array.dtype} {array.shape} ".encode() + array.tobytes())
    path.write_bytes(save(tensors, {"pumice": f"{digest.hexdigest()} {header}"}))


def test_git_lfs_pointer_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.pumice").write_bytes(LFS_POINTER + b"v1\noid sha256:0\nsize 12345\n")
    with pytest.raises(FileError, match=r"a.pumice: is a Git LFS pointer, .*: git lfs pull$"):
        read_network(tmp_path / "a.pumice")


def test_a_symbolic_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    link.symlink_to(target)
    for content in ("first", "second"):  # dangling, then not
        with atomic_write(link) as temporary:
            temporary.write_text(content)
        assert link.is_symlink() and target.read_text() == content
    assert list((tmp_path / "folder").iterdir()) == [target]


def test_a_pipe_receives_the_content_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    with atomic_write(pipe) as temporary:
        temporary.write_bytes(b"content")
    assert reader.communicate()[0] == b"content"
    assert pipe.is_fifo() and list(tmp_path.iterdir()) == [pipe]


def test_a_character_device_stays() -> None:
    with atomic_write("/dev/null") as temporary:
        temporary.write_text("content")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_folder_or_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is a folder; name a file in it"), atomic_write(tmp_path):
        pass
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        with pytest.raises(FileError, match="is a special file"), atomic_write(tmp_path / "socket"):
            pass
    assert (tmp_path / "socket").is_socket()


def test_a_loop_of_links_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(FileError, match="cannot be written"), atomic_write(tmp_path / "loop"):
        pass
    assert (tmp_path / "loop").is_symlink()


def test_standard_output_that_is_a_file_is_not_replaced(tmp_path: Path) -> None:
    code = (
        "from pumice.runtime.files import atomic_write\n"
        "with atomic_write('/dev/stdout') as temporary: temporary.write_text('content')"
    )
    out = tmp_path / "out"
    out.touch()
    inode = out.stat().st_ino
    with out.open("w") as file:
        subprocess.run([sys.executable, "-c", code], stdout=file, check=True)
    assert out.read_text() == "content" and out.stat().st_ino == inode

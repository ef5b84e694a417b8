"""Every command and code block of README and documentation runs as it is written.

The quick tests run some blocks in this process. Those of `pytest -m slow` run the shell blocks of
every page in the order of the page, in a folder of their own; long commands get settings that make
them short (`documents.SHORT`). Code cells are executed by `make docs`, recipes (`toml`) are
validated in test_docs.py.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from command import pumice
from documents import (
    DOCUMENTS,
    EPOCHS,
    ROOT,
    SHELLS,
    Block,
    digits_model,
    provide_files,
    read_blocks,
    run_shell,
    select_blocks,
    shell_environment,
    shorten,
)
from firmware import skip_without_tools

import pumice as pm

README = ROOT / "README.md"
NOT_RUN = {
    "CONTRIBUTING.md": ["takes half an hour, and is what CI runs"],
    "docs/howto/lava-and-loihi.md": ["installs packages"],
    "docs/howto/own-data.md": ["needs the files of N-MNIST"],
    "docs/howto/several-devices.md": [
        "needs two GPUs", "needs four GPUs", "needs a cluster with SLURM", "needs four GPUs",
        "needs the files of ImageNet and a cluster with SLURM",
    ],
    "docs/howto/streams.md": ["waits for events from a socket"],
    "docs/tutorials/without-labels.md": [
        "needs the files of Fashion-MNIST", "needs the Free Spoken Digit Dataset",
    ],
}  # fmt: skip
KINDS = {
    "sh": "run here", "python": "run here", "c": "compiled here", "toml": "test_docs.py",
    "{code-cell}": "make docs", "%%bash": "make docs", "{toctree}": "make docs", "text": "output",
}  # fmt: skip
TOOLS = ("c++", "cmake", "gcc", "git", "make", "pip", "pumice", "python", "srun", "torchrun")
QUICK = ("docs/howto/reports.md",)


def pages_with(*kinds: str) -> list[Path]:
    return [
        page
        for page in DOCUMENTS
        if any(block.kind in kinds and not block.reason for block in read_blocks(page))
    ]


def test_the_blocks_that_are_not_run_are_few_and_say_why() -> None:
    marked: dict[str, list[str]] = {}
    for page in DOCUMENTS:
        for block in read_blocks(page):
            if block.reason:
                marked.setdefault(page.relative_to(ROOT).as_posix(), []).append(block.reason)
    assert marked == NOT_RUN


def test_every_marker_stands_before_a_block() -> None:
    for page in DOCUMENTS:
        markers = re.findall(r"<!-- not run", page.read_text(encoding="utf-8"))
        assert len(markers) == sum(1 for block in read_blocks(page) if block.reason), page


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_blocks_are_of_a_kind_that_is_tested(page: Path) -> None:
    for block in read_blocks(page):
        assert block.kind in KINDS, block.name
        if block.kind == "text":
            words = [line.split()[0] for line in block.text.splitlines() if line.strip()]
            assert not set(words) & set(TOOLS), f"{block.name}: a command; use sh"


def test_the_parser_finds_blocks_and_their_markers(tmp_path: Path) -> None:
    page = ROOT / "page.md"
    text = (
        "# T\n\n```sh\npumice doctor\n```\n\n<!-- not run: needs a robot -->\n```python\nx = 1\n"
        "```\n\n```{code-cell}\n:tags: [hide]\n%%bash\nls\n```\n\n````text\n```\n````\n"
    )
    read = Path.read_text
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "read_text", lambda path, **_: text if path == page else read(path))
        blocks = list(read_blocks(page))
    assert blocks == [
        Block(page, "sh", "pumice doctor\n", 3, ""),
        Block(page, "python", "x = 1\n", 8, "needs a robot"),
        Block(page, "%%bash", "ls\n", 12, ""),
        Block(page, "text", "```\n", 18, ""),
    ]
    assert blocks[0].name == "page.md:3"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("pumice doctor", "pumice doctor"),
        ("pumice train --resume -o x", "pumice train --resume -o x"),
        (
            "pumice train-hrsnn a --search  # b",
            r"pumice train-hrsnn a --search --set search.*  # b",
        ),
        ("pumice train a  # b", r"pumice train a --set training.epochs=3 .*  # b"),
    ],
)
def test_long_commands_are_shortened(command: str, expected: str) -> None:
    assert re.fullmatch(expected, shorten(command))


@pytest.mark.parametrize("page", QUICK)
def test_commands_of_some_pages_run(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for block in read_blocks(ROOT / page):
        if block.kind in SHELLS and not block.reason:
            provide_files(block.text, tmp_path)
            for line in block.text.splitlines():
                verb, *words = shlex.split(line, comments=True)
                assert verb == "pumice"
                result = pumice(*words)
                assert result.status == 0, f"{line}\n{result.err}"


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", pages_with(*SHELLS), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_the_shell_blocks_of_a_page_run_in_order(page: Path, tmp_path: Path) -> None:
    environment = shell_environment(tmp_path / "environment")
    folder = tmp_path / "work"
    folder.mkdir()
    for block in read_blocks(page):
        if block.kind in SHELLS and not block.reason and "git clone" not in block.text:
            provide_files(block.text, folder)
            run_shell(block.text, folder, environment)


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", pages_with("python"), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_the_python_blocks_of_a_page_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = [block for block in read_blocks(page) if block.kind == "python" and not block.reason]
    names: dict[str, object] = {"pm": pm}
    if not any("model =" in block.text or "net =" in block.text for block in blocks):
        names["model"], names["data"] = digits_model()
    for block in blocks:
        if "cortex-m" in block.text:
            skip_without_tools("cortex-m")
            skip_without_tools("riscv")
        provide_files(block.text, tmp_path)
        exec(re.sub(r"\bepochs=\d+", f"epochs={EPOCHS}", block.text), names)


@pytest.mark.parametrize("block", select_blocks("c"), ids=lambda block: block.name)
def test_c_blocks_compile(block: Block, tmp_path: Path) -> None:
    skip_without_tools("c")
    network = "spoken-digits.pumice" if "waveform" in block.text else "model.pumice"
    provide_files(network, tmp_path)
    pm.load(tmp_path / network).to_c(tmp_path / "firmware")
    code = block.text.replace('#include "pumice.h"\n', "")
    (tmp_path / "block.c").write_text(
        '#include "pumice.h"\nvoid fault(void);\nvoid read_sensor(uint8_t *);\nvoid act(int);\n'
        "void block(const int16_t *samples, uint8_t *events);\n"
        "void block(const int16_t *samples, uint8_t *events) {\n(void)samples; (void)events;\n{\n"
        f"{code}}}}}\n"
    )
    flags = ["-std=c99", "-Wall", "-Werror", "-Wno-unused-value", "-fsyntax-only", "-Ifirmware"]
    run = subprocess.run(
        ["gcc", *flags, "block.c"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.slow
def test_the_installation_of_the_readme_works_as_written(tmp_path: Path) -> None:
    """Clones this repository and installs it twice, as the README says; needs a package index."""
    (block,) = (block for block in read_blocks(README) if "git clone" in block.text)
    text = block.text.replace("<this repository>", shlex.quote(str(ROOT)))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    commands = f"{text}\npumice --version\npumice doctor\ncd .. && pumice recipes"
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=tmp_path,
        env=environment | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "digits-events" in run.stdout

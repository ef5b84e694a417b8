"""Spoken digits on a microcontroller: waveform in, digit out.

    python examples/spoken_digits/spoken_digits.py FOLDER [--out OUT] [--engine cortex-m]

FOLDER holds recordings DIGIT_SPEAKER_NUMBER.wav, such as those of the Free Spoken Digit Dataset.
Trains the recipe `spoken-digits`, quantizes and exports it, verifies that the firmware computes the
same spikes from the waveform on, and classifies test recordings on an emulated microcontroller.
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import pumice as pm

TEST_NUMBERS = range(5)  # recordings of each speaker and digit that are held out
VERIFIED = 4  # recordings


def main(arguments: Sequence[str] | None = None) -> float:
    """Run all stages; returns the fraction of recordings that the device classifies correctly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("spoken-digits"))
    parser.add_argument("--engine", default="cortex-m", choices=("cortex-m", "riscv", "c"))
    parser.add_argument("--recordings", type=int, default=50, help="number to classify there")
    parser.add_argument("--set", action="append", default=[], help="TABLE.KEY=VALUE of the recipe")
    options = parser.parse_args(arguments)

    recipe = pm.load_recipe("spoken-digits", [f"data.folder={options.folder}", *options.set])
    net = pm.convert(pm.train(recipe))
    options.out.mkdir(parents=True, exist_ok=True)
    net.save(options.out / "spoken-digits.pumice")
    net.to_c(options.out / "firmware")
    print(net.summary())

    files, labels = held_out(options.folder)
    spaced = np.linspace(0, len(files) - 1, min(options.recordings, len(files))).astype(int)
    chosen = [files[k] for k in spaced]
    report = pm.verify(net, pm.encode(net, chosen[:VERIFIED]), engines=options.engine)
    print(report)
    if not report.passed:
        raise SystemExit(1)

    trace = pm.run(net, pm.encode(net, chosen), engine=options.engine, record="output")
    right = trace.predictions == np.array(labels)[spaced]
    print(f"{options.engine}: {right.sum()} of {len(chosen)} held-out recordings correct")
    return float(right.mean())


def held_out(folder: Path) -> tuple[list[Path], list[int]]:
    """Recordings that the recipe does not train on, with their digits."""
    files, labels = [], []
    for path in sorted(folder.glob("*.wav")):
        match = re.fullmatch(r"(\d)_\w+_(\d+)\.wav", path.name)
        if match and int(match[2]) in TEST_NUMBERS:
            files.append(path)
            labels.append(int(match[1]))
    return files, labels


if __name__ == "__main__":
    main()

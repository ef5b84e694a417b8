"""Divide samples into parts: as given, or by fraction, group, fold or time."""

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import DataError
from .split import stratified_split
from .split_options import SplitOptions

Indices = NDArray[np.int64]
Parts = dict[str, Indices]  # indices of the samples of "train", "test" and perhaps "validation"


def divide(
    labels: NDArray[np.int64],
    options: SplitOptions,
    seed: int,
    given: Mapping[str, Indices] | None = None,
    groups: Sequence[str] | None = None,
    order: Indices | None = None,
) -> tuple[Parts, str]:
    """Divide samples by `options`: indices of each part, ascending, and a description.

    Args:
        labels: Classes of the samples, int64 (samples,).
        options: How to divide.
        seed: Seed of what is drawn.
        given: Parts that the data has.
        groups: Group of each sample, where there are groups.
        order: Indices of the samples in order of time; by default as they are.

    Raises:
        DataError: There are no such parts or groups, or a part would be empty.
    """
    by = options.by
    if by == "auto":
        by = "given" if given else "fraction"
    if by == "given":
        if not given:
            raise DataError('split.by = "given": the data has no parts; choose another split')
        return {name: np.asarray(part) for name, part in given.items()}, "as given"
    if by == "group" or (by == "fold" and groups is not None):
        parts, how = _divide_groups(groups, options, seed)
    elif by == "fraction":
        parts, how = _divide_fraction(labels, options, seed)
    else:
        order = np.arange(len(labels)) if order is None else order
        parts, how = _divide_classes(labels, options, seed, order)
    parts = {name: np.sort(part) for name, part in parts.items()}
    for name, part in parts.items():
        if not len(part):
            raise DataError(f"split.by = {by!r}: leaves no {name} samples of {len(labels)}")
    return parts, how


def natural_order(names: Sequence[str]) -> Indices:
    """Indices that sort names with numbers by their values: "take 2" before "take 10"."""
    keys = [
        [int(part) if place % 2 else part for place, part in enumerate(re.split(r"(\d+)", name))]
        for name in names
    ]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), np.int64)


def _divide_fraction(
    labels: NDArray[np.int64], options: SplitOptions, seed: int
) -> tuple[Parts, str]:
    """Draw as many samples of each class as the fraction of the smallest class."""

    def draw(fraction: float, pool: Indices) -> tuple[Indices, Indices, int]:
        per_class = max(1, round(fraction * int(np.bincount(labels).min())))
        rest, drawn = stratified_split(labels[pool], per_class, seed)
        return pool[rest], pool[drawn], per_class

    train, test, count = draw(options.test, np.arange(len(labels)))
    parts, how = {"train": train, "test": test}, f"{count} of each class held out, seed {seed}"
    if options.validation:
        parts["train"], parts["validation"], count = draw(options.validation, train)
        how += f", {count} for validation"
    return parts, how


def _divide_groups(
    groups: Sequence[str] | None, options: SplitOptions, seed: int
) -> tuple[Parts, str]:
    """Keep the samples of a group in one part."""
    if groups is None:
        raise DataError('split.by = "group": needs split.pattern, which finds a sample\'s group')
    names = [str(name) for name in np.unique(groups)]
    drawn = [names[k] for k in np.random.default_rng(seed).permutation(len(names))]
    if options.folds:
        if options.folds > len(names):
            raise DataError(f"split.folds = {options.folds}: there are {len(names)} groups")
        test = drawn[options.fold :: options.folds]
    else:
        count = max(1, round(options.test * len(names)))
        test = list(options.test_groups) or drawn[:count]
    rest = [name for name in drawn if name not in test]
    count = math.ceil(options.validation * len(names))
    validation = list(options.validation_groups) or rest[:count]
    unknown = sorted({*test, *validation} - {*names})
    if unknown:
        raise DataError(f"split: no group {unknown[0]!r}; there are {', '.join(names[:20])}")
    member = np.asarray(groups)
    chosen = {"test": test, "validation": validation}
    parts = {name: np.flatnonzero(np.isin(member, each)) for name, each in chosen.items() if each}
    parts = {"train": np.flatnonzero(~np.isin(member, test + validation)), **parts}
    how = "; ".join(f"{name} groups {', '.join(sorted(each))}" for name, each in chosen.items()
                    if each)  # fmt: skip
    return parts, how


def _divide_classes(
    labels: NDArray[np.int64], options: SplitOptions, seed: int, order: Indices
) -> tuple[Parts, str]:
    """Take a fold or the last samples of each class, drawn or in order of time."""
    generator = np.random.default_rng(seed)
    timed = options.by == "time"
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))

    def cut(members: Indices) -> Parts:
        ranked = members[np.argsort(rank[members])]
        ranked = ranked if timed else generator.permutation(ranked)
        if options.folds:
            test = np.array_split(ranked, options.folds)[options.fold]
        else:
            test = ranked[len(ranked) - math.ceil(options.test * len(ranked)) :]
        rest = ranked[~np.isin(ranked, test)]
        kept = len(rest) - math.ceil(options.validation * len(ranked))
        return {"train": rest[:kept], "test": test, "validation": rest[kept:]}

    cuts = [cut(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    names = ("train", "test", *(("validation",) if options.validation else ()))
    parts = {name: np.concatenate([each[name] for each in cuts]) for name in names}
    what = f"fold {options.fold} of {options.folds}" if options.folds else f"last {options.test:g}"
    return parts, f"{what} of each class, {'in order of time' if timed else f'seed {seed}'}"


def follow(parts: Parts, kept: NDArray[np.int64]) -> Parts:
    """Parts after samples were left out: positions in `kept` of those that are still there."""
    return {name: np.searchsorted(kept, part[np.isin(part, kept)]) for name, part in parts.items()}

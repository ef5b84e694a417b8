"""Split of the samples into training, test and validation: table `[data.split]` of a recipe."""

from typing import Literal

from pydantic import Field, model_validator

from ...runtime.config import Options

SplitBy = Literal["auto", "given", "fraction", "group", "fold", "time"]


class SplitOptions(Options):
    """Division of samples into training, test and optional validation samples.

    - `by`: "given" takes the parts that the data has; "fraction" draws the same number of samples
      of each class; "group" keeps the samples of a group, such as a speaker, in one part; "fold"
      takes one of `folds` drawn parts of each class for test; "time" takes the last samples of
      each class, or, with `folds`, one of as many consecutive blocks. "auto": "given" where there
      are parts, else "fraction".
    - `test`, `validation`: fractions of the samples of a class, or of the groups.
    - `pattern`: regular expression whose first group is the group of a sample, in the path of its
      file.
    - `test_groups`, `validation_groups`: groups of each part; without `test_groups` a fraction of
      the groups is drawn.
    - `folds`, `fold`: number of folds, and the one for test, from 0.
    """

    by: SplitBy = "auto"
    test: float = Field(default=0.2, gt=0, lt=1)
    validation: float = Field(default=0.0, ge=0, lt=1)
    pattern: str | None = None
    test_groups: tuple[str, ...] = ()
    validation_groups: tuple[str, ...] = ()
    folds: int = Field(default=0, ge=0)
    fold: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _check(self) -> "SplitOptions":
        if self.by == "fold" and self.folds < 2:
            raise ValueError(f'by = "fold" needs folds of 2 or more, but folds is {self.folds}')
        if self.folds and self.fold >= self.folds:
            raise ValueError(f"fold is {self.fold}, needs less than folds = {self.folds}")
        if self.test + self.validation >= 1:
            raise ValueError("test and validation leave no training samples")
        return self

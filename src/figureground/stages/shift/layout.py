"""Which picture has which number: the order of a composition's samples, and the group each of them belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from figureground.core.errors import InputError
from figureground.stages.shift.plan import TOLERATED, check_rho, context_order, group_counts

SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What is settled about one sample before it is composed."""

    split: str
    number: int
    """Counts the samples of the split from 0."""
    row: int
    """Number of the class."""
    column: int
    """Number of the context."""

    @property
    def id(self) -> str:
        """The sample's id, such as `train_000000`."""
        return f"{self.split}_{self.number:06d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """All samples in order: training, validation, test.

    Training sample n is of class n modulo the number of classes, whatever rho; its context follows `context_order`. Validation and test
    go around all groups, so that the first n samples are the same however many follow, and know nothing of rho or of training.
    """

    classes: int
    contexts: int
    homes: tuple[int, ...]
    """Number of the context that each class is tied to."""
    rho: float
    train: int
    """Training samples in all."""
    val: int
    """Validation samples in each group."""
    test: int
    """Test samples in each group."""
    seed: int

    def __post_init__(self) -> None:
        check_rho(self.rho)
        if min(self.train, self.val, self.test) < 0 or not len(self):
            raise InputError(f"there must be samples; got train {self.train}, val {self.val}, test {self.test}. Give one of them")

    def __len__(self) -> int:
        return self.train + (self.val + self.test) * self.groups

    @property
    def groups(self) -> int:
        """Number of groups of class and context."""
        return self.classes * self.contexts

    def per_class(self, row: int) -> int:
        """Training samples of a class: as many of each as can be, the first ones one more."""
        return self.train // self.classes + (row < self.train % self.classes)

    @property
    def reached(self) -> float:
        """The part of the training samples that truly stands in the context of its class; NaN without any."""
        if not self.train:
            return float("nan")
        tables = (
            group_counts(self.per_class(row), rho=self.rho, contexts=self.contexts, own=[home])[0, home]
            for row, home in enumerate(self.homes)
        )
        return float(sum(tables) / self.train)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should be told: that whole samples do not give the rho asked for, and the next number of them that does."""
        if not abs(self.reached - self.rho) > TOLERATED:
            return ()
        step = self.classes * Fraction(self.rho).limit_denominator(1000).denominator
        enough = -(-self.train // step) * step
        return (f"rho = {self.rho:g} becomes {self.reached:.3f} with {self.train} training samples; --train {enough} meets it",)

    def place(self, index: int) -> Place:
        """Split, number and group of a sample; an index outside [0, len) raises `InputError`."""
        if not 0 <= index < len(self):
            raise InputError(f"`index` must be in [0, {len(self)}); got {index}")
        if index < self.train:
            within, row = divmod(index, self.classes)
            order = _order(self.per_class(row), self.rho, self.contexts, self.homes[row], row, self.seed)
            return Place(split="train", number=index, row=row, column=int(order[within]))
        number = index - self.train
        split = "val" if number < self.val * self.groups else "test"
        number -= 0 if split == "val" else self.val * self.groups
        row, column = divmod(number % self.groups, self.contexts)
        return Place(split=split, number=number, row=row, column=column)


@lru_cache(maxsize=64)
def _order(per_class: int, rho: float, contexts: int, home: int, row: int, seed: int) -> np.ndarray:
    return context_order(per_class, rho=rho, contexts=contexts, home=home, row=row, seed=seed).astype(np.int32)

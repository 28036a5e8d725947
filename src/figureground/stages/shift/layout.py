"""Which picture has which number: the order of a composition's samples, and the group each of them belongs to."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from math import gcd

from figureground.core.errors import InputError
from figureground.stages.shift.dial import Dial
from figureground.stages.shift.plan import EVEN, check_rho, check_val_rho

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

    Training follows a `Dial`, and so does validation where it is tied, too. Otherwise validation goes around all groups, as the test always
    does, so that the first n samples are the same however many follow. No split knows anything of another.
    """

    classes: int
    contexts: int
    homes: tuple[tuple[int, ...], ...]
    """For each class the numbers of the contexts it is tied to."""
    rho: float
    train: int
    """Training samples in all."""
    val: int
    """Validation samples in each group; where validation is tied, as many as that makes in all."""
    test: int
    """Test samples in each group."""
    seed: int
    val_rho: float = EVEN
    """The rho of validation; `EVEN` = every group alike."""

    def __post_init__(self) -> None:
        check_rho(self.rho)
        check_val_rho(self.val_rho)
        if min(self.train, self.val, self.test) < 0 or not len(self):
            raise InputError(f"there must be samples; got train {self.train}, val {self.val}, test {self.test}. Give one of them")

    def __len__(self) -> int:
        return self.train + (self.val + self.test) * self.groups

    @property
    def groups(self) -> int:
        """Number of groups of class and context."""
        return self.classes * self.contexts

    def dial(self, split: str) -> Dial | None:
        """How a split is tied; None where all its groups are alike."""
        if split == "train":
            rho, count = self.rho, self.train
        elif split == "val" and self.val_rho != EVEN:
            rho, count = self.val_rho, self.val * self.groups
        else:
            return None
        return Dial(
            classes=self.classes,
            contexts=self.contexts,
            homes=self.homes,
            rho=rho,
            count=count,
            seed=self.seed,
            stream=SPLITS.index(split),
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should be told: that whole samples do not give the rho asked for, and the next number of them that does."""
        told = []
        if (train := self.dial("train")) and train.missed:
            enough = _next_multiple(self.train, self.classes * _denominator(self.rho))
            told.append(f"rho = {self.rho:g} becomes {train.reached:.3f} with {self.train} training samples; --train {enough} meets it")
        if (val := self.dial("val")) and val.missed:
            step = _denominator(self.val_rho)
            enough = _next_multiple(self.val, step // gcd(step, self.contexts))
            asked = f"val_rho = {self.val_rho:g}"
            told.append(f"{asked} becomes {val.reached:.3f} with {val.count} validation samples; --val {enough} meets it")
        return tuple(told)

    def place(self, index: int) -> Place:
        """Split, number and group of a sample; an index outside [0, len) raises `InputError`."""
        if not 0 <= index < len(self):
            raise InputError(f"`index` must be in [0, {len(self)}); got {index}")
        ends = (self.train, self.train + self.val * self.groups)
        split = SPLITS[bisect_right(ends, index)]
        number = index - (0, *ends)[SPLITS.index(split)]
        dial = self.dial(split)
        row, column = dial.group(number) if dial else divmod(number % self.groups, self.contexts)
        return Place(split=split, number=number, row=row, column=column)

    def turn(self, place: Place) -> int:
        """Counts the samples of a class in a tied split, or those of a group in another, where a figure stands in every context."""
        return place.number // (self.classes if self.dial(place.split) else self.groups)


def _denominator(rho: float) -> int:
    return Fraction(rho).limit_denominator(1000).denominator


def _next_multiple(count: int, step: int) -> int:
    return -(-count // step) * step

"""Where everything of a loop stands: the directory of each artifact, by round and model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from figureground.loops.recipe import TARGET
from figureground.runs.artifact import is_artifact

_MOST = 1002
"""Above the number of any round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundPlaces:
    """The directories of one round."""

    folder: Path
    number: int
    """Of the round, from 1; a re-test has the number after that of the last round before it."""
    retest: bool = False
    """Nothing is learned from it."""

    @property
    def plan(self) -> Path:
        """What the round began with."""
        return self.folder / "plan.json"

    @property
    def queue(self) -> Path:
        """Samples by discrepancy: whom people rate, and whom the test set is drawn from."""
        return self.folder / "queue"

    @property
    def selection(self) -> Path:
        """Samples by another selector, where one was asked for."""
        return self.folder / "selection"

    @property
    def ratings(self) -> Path:
        """Labels: what people think of the queue."""
        return self.folder / "ratings"

    @property
    def test(self) -> Path:
        """The choice of the test set, a ranking without models."""
        return self.folder / "test"

    @property
    def work(self) -> Path:
        """Data set of the samples that need masks."""
        return self.folder / "work"

    @property
    def labels(self) -> Path:
        """Labels: the masks of these samples."""
        return self.folder / "labels"

    @property
    def asked_for_ratings(self) -> bool:
        """Whether somebody may have rated already."""
        return _was_asked(self.ratings)

    @property
    def asked_for_masks(self) -> bool:
        """Whether somebody may have drawn a mask already."""
        return _was_asked(self.labels)

    @property
    def learned(self) -> Path:
        """Labels: those of the masks that are learned from."""
        return self.folder / "learned"

    @property
    def repaired(self) -> Path:
        """Weights of the target after the round."""
        return self.folder / "repaired"

    @property
    def before(self) -> Path:
        """Ranking on the test set, with the target as it was."""
        return self.folder / "ranking"

    @property
    def after(self) -> Path:
        """The same with the repaired target."""
        return self.folder / "ranking-after"

    @property
    def gain(self) -> Path:
        """The repaired target against what it was, on the same samples."""
        return self.folder / "gain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The directories of a loop."""

    out: Path

    def round(self, number: int) -> RoundPlaces:
        """Those of a round, from 1."""
        return RoundPlaces(folder=self.out / f"round-{number}", number=number)

    def retest(self, version: int) -> RoundPlaces:
        """Those of the re-test of a version of the target. It is no round, so that more rounds may follow it."""
        return RoundPlaces(folder=self.out / f"retest-{version}", number=version + 1, retest=True)

    def rounds(self, count: int, *, retest: bool) -> list[RoundPlaces]:
        """Those of so many rounds, and of the re-test of the last version."""
        return [*(self.round(n) for n in range(1, count + 1)), *([self.retest(count)] if retest else [])]

    def before(self, here: RoundPlaces) -> list[RoundPlaces]:
        """Those of all rounds before one, and of re-tests between them that were begun, in the order in which they came."""
        found = [one for n in range(1, here.number + 1) for one in (self.retest(n - 1), self.round(n))]
        return [one for one in found[: found.index(here)] if not one.retest or one.plan.exists()]

    def predictions(self, model: str) -> Path:
        """What a model sees in the pool."""
        return self.out / "predictions" / model

    def measured(self, model: str, data: str) -> Path:
        """Predictions and audit of a model on `validation` or `audit`."""
        return self.out / data / model

    def others(self, here: RoundPlaces) -> list[RoundPlaces]:
        """Those of all rounds and re-tests on disk but one."""
        found = [one for n in range(1, _MOST) for one in (self.retest(n - 1), self.round(n)) if one.folder.exists()]
        return [one for one in found if one.folder != here.folder]

    @property
    def report(self) -> Path:
        """The artifact with the report."""
        return self.out / "report"


def _was_asked(labels: Path) -> bool:
    return is_artifact(labels) or Path(f"{labels}.sqlite").exists()


def version_name(version: int) -> str:
    """Name of the target after so many repairs, on disk."""
    return f"{TARGET}-{version}"

"""A loop as values: rounds, models, gains, verdicts and examples, as the report shows them. None and empty stand for what is not there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from figureground.report.reading import Measure
from figureground.runs.artifact import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """One model in the ranking on one test set."""

    model: str
    is_target: bool
    place: int | None
    miou: Measure
    perron: Measure
    thurstone: Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Stability:
    """How soon the order of the models is what it is on the whole test set."""

    level: float | None
    stable_from: int | None
    spearman: tuple[float | None, ...]
    """One for each number of first samples, from 1 on; None where it is undefined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A ranking with its stability; empty where there is none yet."""

    ranking: tuple[Ranked, ...]
    stability: Stability | None

    @property
    def target(self) -> Ranked | None:
        """The row of the target."""
        return next((row for row in self.ranking if row.is_target), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round: what people did, what was learned, and where the models stand on its fresh test set."""

    number: int
    is_retest: bool
    """Nothing is learned from it: it only tests what the round before learned."""
    repaired: bool
    selector: str
    lr: float | None
    limit: float | None
    """What the validation mIoU may lose, a fraction."""
    counts: Mapping[str, int | None]
    seconds: Mapping[str, float | None]
    """Time that people took, by kind of work."""
    validation_before: Measure
    validation_after: Measure
    validation_change: Measure
    before: Standing
    """With the target as it was before the repair of this round."""
    after: Standing
    """With the repaired target, on the same test set."""
    test_change: Measure
    """mIoU of the repaired target minus that of the one before, paired by sample."""

    @property
    def test_set(self) -> str:
        """`T1` is the test set of round 1."""
        return f"T{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetResult:
    """One model on one set."""

    name: str
    miou: Measure
    samples: int | None
    place: int | None
    version: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model on all sets; T0 is the original validation set."""

    name: str
    is_target: bool
    sets: Mapping[str, SetResult]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """IoU of one class by the first and the last version of the target."""

    name: str
    set: str
    before: Measure
    after: Measure
    change: Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRow:
    """The four verdicts of one version of the target on one group of samples."""

    set: str
    group: str
    version: int
    samples: int | None
    rates: Mapping[str, Measure]
    flipped_change: Measure
    """Of the flipped part, from the first version, on the same pictures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A sample before and after; its picture lies in the artifact."""

    id: str
    round: int | None
    class_name: str
    file: str
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopArtifact:
    """All rounds of one target."""

    directory: Path
    manifest: Manifest
    failures: tuple[Mapping[str, Any], ...]
    """Samples that were left out, each with problem and remedy."""
    name: str
    sentence: str
    state: str
    why: str
    classes: tuple[str, ...]
    rounds: tuple[Round, ...]
    models: tuple[Model, ...]
    validation: Mapping[int, Measure]
    """mIoU on the validation set by version of the target; version 0 is the target as it was given."""
    forgetting: Mapping[int, Measure]
    """Version -> change of its mIoU on the validation data from the first version, on the same pictures."""
    gains: tuple[Gain, ...]
    verdicts: tuple[VerdictRow, ...]
    examples: tuple[Example, ...]
    counts: Mapping[str, int | None]
    """Labels of all rounds together."""
    seconds: float | None
    """Time that people took, all rounds together."""
    by_oracle: bool
    """Known truth answered instead of people, in some round at least."""

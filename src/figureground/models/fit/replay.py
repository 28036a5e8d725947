"""What a repair adds to a training: which samples it mixes, what it costs to forget, and which weights are kept."""

from __future__ import annotations

import dataclasses
from typing import Any

from figureground.models.fit.distil import Distillation, KeptLogits
from figureground.models.fit.evaluate import Validation
from figureground.models.fit.mixture import Mixture
from figureground.models.fit.samples import TrainData

LABELLED = "labelled_"
"""Stands before the names of figures on labelled samples, where they are beside those of the validation."""
_ROUNDING = 1e-12


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replay:
    """How labelled samples and training samples are learned together, and which weights may be kept."""

    mixture: Mixture
    judged: TrainData
    """Labelled samples by whose mIoU epochs are compared."""
    before: Validation
    """Of the model before, on the original validation samples."""
    before_judged: Validation
    """Of the model before, on `judged`."""
    limit: float
    """Most mIoU on the validation samples that kept weights may have lost, at least 0."""
    distillation: Distillation | None = None
    kept: KeptLogits | None = None
    """Logits of the model before; beside `distillation`."""

    def lost(self, figures: Validation) -> float:
        """What this model lacks of the mIoU that the model before had on the validation samples; below 0 = gained."""
        return self.before.miou - figures.miou

    def allows(self, figures: Validation) -> bool:
        """True where no more was lost than the limit."""
        return self.lost(figures) <= self.limit + _ROUNDING

    def identity(self) -> list[Any]:
        """What must be the same for a state to be gone on from, as plain values."""
        distilled = dataclasses.asdict(self.distillation) if self.distillation else None
        return [dataclasses.asdict(self.mixture), len(self.judged), self.before.miou, self.before_judged.miou, self.limit, distilled]


def labelled_figures(judged: Validation | None) -> dict[str, float]:
    """The figures on labelled samples under names of their own; none where there are none."""
    if judged is None:
        return {}
    return {f"{LABELLED}{name}": value for name, value in judged.figures().items() if name != "worst_group_flipped"}  # no groups are known

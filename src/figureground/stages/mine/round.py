"""One round of mining: whose samples are compared, by which models, and what quotas they fill."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from figureground.data.pool import Pool
from figureground.stages.mine.groups import Group
from figureground.stages.mine.models import Contender
from figureground.stages.mine.options import MineOptions


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Round:
    """What is mined, and by what quotas."""

    pool: Pool
    models: tuple[Contender, ...]
    """The target, then the rivals."""
    options: MineOptions
    bounds: np.ndarray
    """float64 [classes, 2], least and most part of the picture."""
    groups: tuple[Group, ...]

    @property
    def rivals(self) -> list[str]:
        """Names of the rivals."""
        return [model.name for model in self.models[1:]]

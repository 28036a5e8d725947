"""The two masks of a picture: tight, what is cut out, and loose, the hole that is filled; and the gates that keep bad ones away."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from figureground.core.types import ClassTable
from figureground.data.grids import Thresholds, to_pixels
from figureground.stages.swap.options import InfillOptions

FULL = "full-loose"
"""Of `GATES`: too little ground is left to fill from."""
_GUIDE_EPS = 1e-3
_GRABCUT_ROUNDS = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FigureMasks:
    """Of one picture."""

    tight: np.ndarray
    """bool [height, width]."""
    loose: np.ndarray
    """bool [height, width]; all of `tight` is in it."""
    gates: tuple[str, ...]
    """Reasons of `GATES` that speak against one of them."""

    @property
    def cut(self) -> bool:
        """Whether the figure may be cut out and set on other grounds."""
        return not {"no-mask", "empty-tight", "small", "large"} & set(self.gates)

    @property
    def ground(self) -> bool:
        """Whether the picture without its figure may serve as a background."""
        return not {"no-mask", "empty-loose", FULL, "small"} & set(self.gates)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskQuality:
    """How good masks are by the truth; NaN where that has no figure, or nothing is cut out."""

    iou: float = math.nan
    """Of what is cut out and the true figure."""
    kept: float = math.nan
    """Part of the true figure that is cut out."""
    hidden: float = math.nan
    """Part of all that is true figure, of any class, that the hole takes away."""
    leakage: float = math.nan
    """Part of what is cut out that is true ground."""


def figure_masks(chances: np.ndarray | None, picture: np.ndarray, *, thresholds: Thresholds, options: InfillOptions) -> FigureMasks:
    """Both masks at the size of a picture, and what speaks against them.

    tight = P(background) < tight, loose = P(background) < loose, each pixel taking its patch (nearest); with `refine` edges follow the
    picture. The loose mask is then widened by `grow` px.

    Args:
        chances: P(background), float [rows, columns] of patches or pixels; None = nothing is known.
        picture: uint8 [height, width, 3].
        thresholds: the two bounds.
        options: `refine`, `grow`, the range of coverage and `filled_high` are looked at.
    """
    if chances is None:
        nothing = np.zeros(picture.shape[:2], bool)
        return FigureMasks(tight=nothing, loose=nothing, gates=("no-mask",))
    wide = to_pixels(chances, (picture.shape[0], picture.shape[1]))
    tight, loose = wide < thresholds.tight, wide < thresholds.loose
    patches = chances.shape != picture.shape[:2]
    if patches and options.refine == "guided":
        tight, loose = _guided(chances, picture, thresholds)
    elif patches and options.refine == "grabcut" and tight.any() and not loose.all():
        tight = _grabcut(tight, loose, picture)
    found = bool(loose.any())
    if options.grow and found:
        loose = cv2.dilate(loose.view(np.uint8), np.ones((2 * options.grow + 1,) * 2, np.uint8)).astype(bool)
    return FigureMasks(tight=tight, loose=loose, gates=_gates(tight, loose, found, options))


def _gates(tight: np.ndarray, loose: np.ndarray, found: bool, options: InfillOptions) -> tuple[str, ...]:
    coverage, gates = float(tight.mean()), []
    if not coverage:
        gates.append("empty-tight")
    elif coverage < options.coverage_low:
        gates.append("small")
    elif coverage > options.coverage_high:
        gates.append("large")
    if not found:
        gates.append("empty-loose")
    elif loose.all() or float(loose.mean()) > options.filled_high:
        gates.append(FULL)
    return tuple(gates)


def mask_quality(masks: FigureMasks, truth: np.ndarray, figure: np.ndarray, classes: ClassTable) -> MaskQuality:
    """How good the masks of a picture are; void pixels do not count.

    Args:
        masks: at the size of the truth.
        truth: class ids [height, width].
        figure: bool [height, width], the true figure of the sample.
        classes: say which ids are ground and void.
    """
    counted = np.ones(truth.shape, bool) if classes.ignore is None else truth != classes.ignore
    tight, ground = masks.tight & counted, truth == classes.background
    both, either = int((tight & figure).sum()), int((tight | figure).sum())
    things = counted & ~ground
    return MaskQuality(
        iou=_part(both, either),
        kept=_part(both, int(figure.sum())),
        hidden=_part(int((masks.loose & things).sum()), int(things.sum())),
        leakage=_part(int((tight & ground).sum()), int(tight.sum())),
    )


def _part(some: int, all_of: int) -> float:
    return some / all_of if all_of else math.nan


def _guided(chances: np.ndarray, picture: np.ndarray, thresholds: Thresholds) -> tuple[np.ndarray, np.ndarray]:
    """P(background) smoothed along the edges of the picture, then the two bounds; loose keeps all that it had in blocks.

    Source: the guided filter of He, Sun and Tang 2010 with the grey picture as guide and a window of one patch to each side.
    """
    height, width = picture.shape[:2]
    blocks = to_pixels(chances, (height, width)).astype(np.float32)
    guide = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    side = 2 * max(2, round(max(height / chances.shape[0], width / chances.shape[1]))) + 1
    means = [cv2.blur(one, (side, side)) for one in (guide, blocks, guide * guide, guide * blocks)]
    slope = (means[3] - means[0] * means[1]) / (means[2] - means[0] ** 2 + _GUIDE_EPS)
    level = means[1] - slope * means[0]
    smooth = cv2.blur(slope, (side, side)) * guide + cv2.blur(level, (side, side))
    loose = blocks < thresholds.loose
    return (smooth < thresholds.tight) & loose, loose


def _grabcut(tight: np.ndarray, loose: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """The figure that GrabCut finds inside the loose mask, beginning with the tight one; that one where it finds none.

    Source: Rother, Kolmogorov and Blake 2004, as in OpenCV.
    """
    labels = np.where(tight, cv2.GC_PR_FGD, np.where(loose, cv2.GC_PR_BGD, cv2.GC_BGD)).astype(np.uint8)
    cv2.setRNGSeed(0)  # the generator that OpenCV draws its first clusters from is the thread's
    try:
        cv2.grabCut(picture[..., ::-1].copy(), labels, None, np.zeros((1, 65)), np.zeros((1, 65)), _GRABCUT_ROUNDS, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    except cv2.error:
        return tight  # too few pixels of one kind for its clusters
    found = (labels == cv2.GC_PR_FGD) | (labels == cv2.GC_FGD)
    return found if found.any() else tight

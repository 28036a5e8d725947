"""An annotator who knows the truth and chooses and renames: which actions of the mask screen bring a layer to a mean IoU.

The layer starts as the target's map, the page as it is when it is opened: Pick, the own layer shown, a brush of 25 pixels that does not
snap; which class is in hand is not known. Each turn takes the action that brings the most mean IoU for its clicks and keys. A key pressed
with Shift or Alt is one; to move the pointer, to zoom and to hover cost nothing. What an action costs:

- rename: a class key while the pointer is on a region of the map shown paints that region with the class: 1. A figure: 1 (with Alt).
  The class is in hand then. A class without a key (beyond the first 18): a click on the region and one on its name: 2. To ground: 1;
- take: a click on a region of a map shown paints it as it is there: 1. The whole map: 1. While the layer is shown, what most models see: 1;
- tidy: 1. Refine, a key while the pointer is on a figure of the layer, which fits its border to the picture: 1;
- a polygon: a click a corner and 1 to close it;
- a brush stroke, plain or by superpixels: 1. Ground is painted by the right button, whatever class is in hand.

Before it, where it is not so already: a key to show another map (the layer, a model or a vote), a key for another tool, a key to snap or
not, a key or a click in the list for another class in hand, a click on the slider for another brush size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np

from figureground.review.effort.operations import named, polygon, refined, speck, stroke, tidied
from figureground.review.effort.score import VALUES, Score, gains, mean_iou, score_of
from figureground.review.effort.strokes import best_strokes
from figureground.review.layers import VOID
from figureground.review.regions import Pieces, figures, regions

LAYER = -1
"""The source that is the layer itself."""
KEYED = 18
"""Classes beside background that have a key."""
KINDS = ("rename", "take", "map", "tidy", "refine", "brush", "snap", "polygon")
REFINED = 3
"""Figures, the largest ones, of which fitting the border is tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the screen offers beside renaming regions of the layer."""

    whole: bool = True
    """Take whole maps."""
    figure: bool = True
    """Rename whole figures."""
    tidy: bool = True
    refine: bool = True
    """Fit borders to the picture."""
    brush: bool = True
    snap: bool = True
    """Strokes by superpixels."""
    polygon: bool = True
    legs: int = 1
    """Straight legs of one stroke: 1 = each leg is counted as a stroke, more = a stroke by free hand counts as one."""
    most: int = 60
    """Actions after which a picture is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """What is set on the page: keys are needed to change it."""

    source: int = LAYER
    tool: str = "pick"
    """Pick, brush or polygon."""
    snaps: bool = False
    value: int = -1
    """The class; -1 = not known."""
    diameter: int = 25


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Action:
    """One thing done, with the keys before it."""

    kind: str
    words: str
    cost: int
    hovered: bool
    """A key on a hovered region: a page without hover would need a click more."""
    hand: Hand
    at: tuple[tuple[float, float], ...]
    """Where, (x, y): a pixel of the region or figure, the path of the stroke, the corners."""
    layer: np.ndarray
    """uint8 [height, width] after it."""
    miou: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Work:
    """The actions on a picture, and the mean IoU before the first."""

    start: float
    actions: tuple[Action, ...] = ()

    @property
    def miou(self) -> float:
        """The mean IoU after the last action."""
        return self.actions[-1].miou if self.actions else self.start

    def cost(self, mark: float, *, hover: int = 0) -> int | None:
        """Clicks and keys until the mean IoU is `mark`, each key on a hovered region counted `hover` more; None = not reached."""
        spent = 0
        if self.start >= mark:
            return 0
        for one in self.actions:
            spent += one.cost + hover * one.hovered
            if one.miou >= mark:
                return spent
        return None


@dataclass(slots=True, kw_only=True, eq=False)
class _Desk:
    """What does not change while a picture is worked on."""

    truth: np.ndarray
    models: Sequence[np.ndarray]
    most: int | None
    picture: np.ndarray | None
    segments: np.ndarray | None
    tools: Tools
    background: int
    cut: list[tuple[Pieces, Pieces]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cut = [(regions(m), figures(m, background=self.background)) for m in self.models]


def pick_and_rename(
    truth: np.ndarray,
    target: np.ndarray,
    rivals: Sequence[np.ndarray],
    *,
    most: int | None = None,
    picture: np.ndarray | None = None,
    segments: np.ndarray | None = None,
    mark: float = 0.95,
    tools: Tools | None = None,
    background: int = 0,
) -> Work:
    """The work of the annotator on one picture.

    Two plans are tried, from the target's map and from the whole map of a rival that picks bring farthest, and the cheaper is kept.

    Args:
        truth: uint8 [height, width], class places, 255 = void.
        target: the map that the layer starts from, likewise.
        rivals: further maps, likewise: those of other models, and `votes` on all of them.
        most: place in `rivals` of the vote of most models, which one key takes while the layer is shown; None = there is none.
        picture: uint8 [height, width, 3], RGB; None = no borders fitted to it.
        segments: superpixels of the picture; None = no strokes by them.
        mark: mean IoU at which the work ends.
        tools: what the screen offers; default everything.
        background: the class place that is ground.
    """
    desk = _Desk(
        truth=truth,
        models=(target, *rivals),
        most=None if most is None else most + 1,
        picture=picture,
        segments=segments,
        tools=tools or Tools(),
        background=background,
    )
    score = float(score_of(truth, target).miou())
    plans = [_worked(desk, Work(start=score), target, mark)]
    if rivals and desk.tools.whole and plans[0].actions:
        other = max(range(1, len(desk.models)), key=lambda m: _promise(desk, m, mark))
        plans.append(_worked(desk, Work(start=score, actions=(_whole(desk, other, Hand(), score),)), desk.models[other], mark))
    return min(
        plans, key=lambda work: (cost is None, cost or 0, -work.miou) if (cost := work.cost(mark)) is not None else (True, 0, -work.miou)
    )


def _promise(desk: _Desk, model: int, mark: float) -> float:
    """The mean IoU of a model's map after its best three picks and renames."""
    few = replace(desk.tools, brush=False, snap=False, polygon=False, whole=False, tidy=False, refine=False, most=3)
    less = _Desk(
        truth=desk.truth, models=(desk.models[model],), most=None, picture=None, segments=None, tools=few, background=desk.background
    )
    start = float(score_of(desk.truth, desk.models[model]).miou())
    return _worked(less, Work(start=start), desk.models[model], mark).miou


def _worked(desk: _Desk, work: Work, layer: np.ndarray, mark: float) -> Work:
    """Actions, the best for its cost first, until the mark, the end of all gain, or too many."""
    hand = work.actions[-1].hand if work.actions else Hand()
    while work.miou < mark and sum(one.cost for one in work.actions) < desk.tools.most:
        now = work.miou
        best = max(_offers(desk, layer, hand, mark), key=lambda one: (min(one.miou, mark) - now) / one.cost, default=None)
        if best is None or best.miou <= now:
            break
        work = Work(start=work.start, actions=(*work.actions, best))
        layer, hand = best.layer, best.hand
    return work


def _offers(desk: _Desk, layer: np.ndarray, hand: Hand, mark: float) -> Iterator[Action]:
    """For each kind of action the best there is."""
    score = score_of(desk.truth, layer)
    now = float(score.miou())
    yield from _picks(desk, layer, hand, score, mark)
    if desk.tools.whole and len(desk.models) > 1:
        for model in range(len(desk.models)):
            yield _whole(desk, model, hand, now)
    if desk.tools.tidy and (regions(layer).area < speck(layer.shape)).any():
        tidy = tidied(layer, speck(layer.shape))
        yield _action(desk, "tidy", "specks and holes removed", 1, hand, tidy)
    if desk.tools.refine and desk.picture is not None:
        yield from _refined(desk, desk.picture, layer, hand)
    if desk.tools.brush or desk.tools.snap or desk.tools.polygon:
        yield from _painted(desk, layer, hand, score, mark)


def _action(
    desk: _Desk, kind: str, words: str, cost: int, hand: Hand, layer: np.ndarray, *, at: Sequence[Any] = (), hovered: bool = False
) -> Action:
    miou = mean_iou(desk.truth, layer)
    return Action(kind=kind, words=words, cost=cost, hovered=hovered, hand=hand, at=tuple(at), layer=layer, miou=miou)


def _whole(desk: _Desk, model: int, hand: Hand, now: float) -> Action:
    """The key that takes a model's whole map, after the key that shows it; the vote of most models need not be shown."""
    direct = model == desk.most and hand.source == LAYER
    after = hand if direct else replace(hand, source=model)
    words = "whole map of most models taken" if direct else f"whole map of model {model} taken"
    return _action(desk, "map", words, 1 if direct else 1 + (hand.source != model), after, desk.models[model])


def _refined(desk: _Desk, picture: np.ndarray, layer: np.ndarray, hand: Hand) -> Iterator[Action]:
    """The keys that fit the borders of the largest figures of the layer."""
    found = figures(layer, background=desk.background)
    for figure in np.argsort(-found.area, kind="stable")[:REFINED].tolist():
        after = refined(layer, picture, found, figure, background=desk.background)
        yield _action(desk, "refine", "border of a figure fitted", 1, hand, after, at=[found.first(figure)], hovered=True)


def _picks(desk: _Desk, layer: np.ndarray, hand: Hand, score: Score, mark: float) -> Iterator[Action]:
    """The best rename or take of each source."""
    values = np.flatnonzero(score.truth).tolist()
    for source in range(LAYER, len(desk.models)):
        if source == LAYER:
            cuts = (regions(layer), figures(layer, background=desk.background))
        else:
            cuts = desk.cut[source]
        keys = (hand.source != source) + (hand.tool != "pick")
        for pieces, whole in ((cuts[0], False), (cuts[1], True)):
            if not len(pieces) or (whole and not desk.tools.figure):
                continue
            found = gains(score, pieces.number, len(pieces), truth=desk.truth, layer=layer, values=np.array(values))
            piece, k = np.unravel_index(int(np.minimum(found, mark).argmax()), found.shape)
            value = values[int(k)]
            taken = not whole and source != LAYER and value == pieces.value[piece]
            what = f"{'figure' if whole else 'region'} of {'the layer' if source == LAYER else f'model {source}'}"
            words = f"{what} taken: {value}" if taken else f"{what} named {value}"
            clicks = taken or value == desk.background or _keyless(desk, value)
            after = replace(hand, source=source, tool="pick", value=hand.value if taken or value == desk.background else value)
            cost = keys + 1 + (not taken and _keyless(desk, value))
            painted, at = named(layer, pieces, int(piece), value), [pieces.first(int(piece))]
            yield _action(desk, "take" if taken else "rename", words, cost, after, painted, at=at, hovered=not clicks)


def _keyless(desk: _Desk, value: int) -> bool:
    """Whether a class is named in the list alone: those beside background have keys in their order."""
    return value != desk.background and value - (value > desk.background) >= KEYED


def _painted(desk: _Desk, layer: np.ndarray, hand: Hand, score: Score, mark: float) -> Iterator[Action]:
    """The best stroke of each kind and the best polygon, for each class that some pixels still want."""
    wrong = (layer != desk.truth) & (desk.truth != VOID)
    wanted = np.bincount(desk.truth[wrong], minlength=VALUES)
    for value in np.argsort(-wanted)[:3].tolist():
        if not wanted[value]:
            continue
        error = (wrong & (desk.truth == value)).astype(np.uint8)
        worth = _worth(desk.truth, layer, score, value)
        yield from _strokes(desk, layer, hand, value, error, worth)
        if desk.tools.polygon:
            for corners in _outlines(error):
                cost = len(corners) + 1 + (hand.value != value) + (hand.tool != "polygon")
                after = replace(hand, tool="polygon", value=value)
                words = f"polygon of {len(corners)} corners: {value}"
                yield _action(desk, "polygon", words, cost, after, polygon(layer, corners, value=value), at=corners.tolist())


def _strokes(desk: _Desk, layer: np.ndarray, hand: Hand, value: int, error: np.ndarray, worth: np.ndarray) -> Iterator[Action]:
    """The best strokes that paint a class, plain and by superpixels."""
    ground = value == desk.background
    for kind, segments in (("brush", None), ("snap", desk.segments)):
        if not (desk.tools.brush if kind == "brush" else desk.tools.snap and segments is not None):
            continue
        snaps = kind == "snap"
        for one in best_strokes(error, worth, segments if snaps else None, legs=desk.tools.legs):
            changed = (hand.tool != "brush", hand.snaps != snaps, hand.diameter != one.diameter, not ground and hand.value != value)
            after = replace(hand, tool="brush", snaps=snaps, diameter=one.diameter, value=hand.value if ground else value)
            painted = stroke(layer, one.path, diameter=one.diameter, value=value, segments=segments)
            yield _action(desk, kind, f"{kind} stroke of {one.diameter} px: {value}", 1 + sum(changed), after, painted, at=one.path)


def _worth(truth: np.ndarray, layer: np.ndarray, score: Score, value: int) -> np.ndarray:
    """float32 [height, width]: what setting a pixel to a value adds to the mean IoU, to first order."""
    union = np.maximum(score.truth + score.layer - score.both, 1).astype(np.float64)
    hit, spare = (union + score.both) / union**2, -score.both / union**2
    leave = -spare[layer] - np.where(truth == layer, hit[layer], 0.0)
    found = spare[value] + np.where(truth == value, hit[value], 0.0) + leave
    return np.where((truth == VOID) | (layer == value), 0.0, found).astype(np.float32)


def _outlines(error: np.ndarray) -> Iterator[np.ndarray]:
    """Polygons of the largest missing piece at several tolerances."""
    n, labels, stats, _ = cv2.connectedComponentsWithStats(error, connectivity=8)
    if n < 2:
        return
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    contours, _ = cv2.findContours((labels == largest).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    contour = max(contours, key=len)
    reach = float(np.sqrt(stats[largest, cv2.CC_STAT_AREA]))
    for share in (0.02, 0.04, 0.08, 0.15, 0.3):
        corners = cv2.approxPolyDP(contour, share * reach, True)[:, 0] + 0.5
        if len(corners) >= 3:
            yield corners

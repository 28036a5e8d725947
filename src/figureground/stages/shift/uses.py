"""How often each figure and each scene of a pasted composition is used, and the refusal of what would use one too often."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from figureground.core.errors import InputError
from figureground.stages.shift.dial import Dial
from figureground.stages.shift.layout import SPLITS, Layout
from figureground.stages.shift.placing import PasteDraw, scene_slots

Uses = dict[str, dict[str, dict[str, int]]]
"""Class or context -> split -> how many figures or scenes there are, and of how many pictures one is part at least and at most."""


def figure_uses(draw: PasteDraw) -> Uses:
    """How often the figures of each class are used; a split that has none is left out."""
    layout = draw.layout
    out: Uses = {}
    for row, name in enumerate(draw.classes):
        out[name] = {}
        for split in SPLITS:
            if not (there := len(draw.figures[split][row])):
                continue
            if dial := layout.dial(split):
                out[name][split] = _uses(there, dial.per_class(row))
            else:
                told = _uses(there, getattr(layout, split))  # of one group; the same figures stand in every context
                out[name][split] = {**told, **{key: told[key] * layout.contexts for key in ("least", "most")}}
    return out


def scene_uses(draw: PasteDraw) -> Uses:
    """How often the scenes of each context are used; a split that has none is left out."""
    layout = draw.layout
    out: Uses = {}
    for column, name in enumerate(draw.contexts):
        out[name] = {}
        for split in SPLITS:
            if not (there := len(draw.scenes[split][column])):
                continue
            if dial := layout.dial(split):
                times = scene_times(dial, column, there)
                out[name][split] = {"there": there, "least": int(times.min()), "most": int(times.max())}
            else:
                out[name][split] = _uses(there, getattr(layout, split) * layout.classes)
    return out


def scene_times(dial: Dial, column: int, scenes: int) -> np.ndarray:
    """In how many pictures of a tied split each scene of a context stands, int64 [scenes]."""
    slots = [slots[placed == column] for slots, placed in (scene_slots(dial, row) for row in range(dial.classes))]
    return np.bincount(np.concatenate(slots) % scenes, minlength=scenes)


def _uses(there: int, pictures: int) -> dict[str, int]:
    return {"there": there, "least": pictures // there, "most": -(-pictures // there)}


def check_uses(draw: PasteDraw, most: int) -> None:
    """Raise `InputError` where a figure or scene would have to be used more often than `most` times; 0 = any number.

    In a tied split all its pictures count, in another those of one group for a figure, and those of one context for a scene.
    """
    if not most:
        return
    for row, name in enumerate(draw.classes):
        for split in SPLITS:
            _check_figures(draw, row, split, f"class '{name}' has {len(draw.figures[split][row])} figures", most)
    for column, name in enumerate(draw.contexts):
        for split in SPLITS:
            _check_scenes(draw, column, split, f"context '{name}' has {len(draw.scenes[split][column])} scenes", most)


def _check_figures(draw: PasteDraw, row: int, split: str, what: str, most: int) -> None:
    layout, room = draw.layout, most * len(draw.figures[split][row])
    dial, asked = layout.dial(split), getattr(layout, split)
    if (dial.per_class(row) if dial else asked) <= room:
        return
    if split == "train":
        raise _too_few(what, split, most, room * layout.classes + row, asked)
    raise _too_few(what, split, most, room // layout.contexts if dial else room, asked)


def _check_scenes(draw: PasteDraw, column: int, split: str, what: str, most: int) -> None:
    layout, scenes = draw.layout, len(draw.scenes[split][column])
    dial, asked = layout.dial(split), getattr(layout, split)
    if dial:
        if scene_times(dial, column, scenes).max(initial=0) > most:
            raise _too_few(what, split, most, _largest(layout, split, column, scenes, most), asked)
    elif asked * layout.classes > most * scenes:
        raise _too_few(what, split, most, most * scenes // layout.classes, asked)


def _largest(layout: Layout, split: str, column: int, scenes: int, most: int) -> int:
    """The largest number of samples of a tied split, as it is asked for, with which no scene is used too often."""
    low, high = 0, getattr(layout, split)  # enough for `low`, not for `high`
    while high - low > 1:
        middle = (low + high) // 2
        dial = replace(layout, **{split: middle}).dial(split)
        if dial and scene_times(dial, column, scenes).max() > most:
            high = middle
        else:
            low = middle
    return low


def _too_few(what: str, split: str, most: int, largest: int, asked: int) -> InputError:
    return InputError(
        f"{what} for {split}, each to be used at most {most} times (`uses`): enough for `{split}` = {largest}; got {asked}. "
        f"Ask for {largest}, bring more, or raise `uses`"
    )

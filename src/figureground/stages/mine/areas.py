"""The content constraint: how much of a picture a class must take for a sample to count as one of that class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from figureground.core.errors import InputError
from figureground.core.types import ClassTable, LabelSource, batch_of
from figureground.data.faults import some
from figureground.data.spec import nearest
from figureground.metrics.discrepancy import class_areas, class_places

RULES = ("quartiles", "sd")


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaRule:
    """What `area` says."""

    rule: str | None
    """`quartiles` or `sd` of the training masks, or None where the text gives the bounds of every class."""
    every: tuple[float, float]
    """Bounds of the classes of which nothing else is known."""
    single: Mapping[str, tuple[float, float]]
    """Bounds of classes that are named."""


def area_rule(texts: Sequence[str], classes: ClassTable) -> AreaRule:
    """The rule that options give: `quartiles`, `sd`, `LOW,HIGH` and `CLASS=LOW,HIGH`, later ones winning.

    Raises:
        InputError: another text, an unknown class, or bounds that are not 0 <= LOW <= HIGH <= 1.
    """
    rule, every = "quartiles", (0.0, 1.0)
    chosen: str | None = rule
    single: dict[str, tuple[float, float]] = {}
    for text in texts:
        name, equals, span = text.rpartition("=")
        if text in RULES:
            chosen, every = text, (0.0, 1.0)
        elif not equals:
            chosen, every = None, _bounds(text)
        else:
            if name not in classes.names or classes.id_of(name) == classes.background:
                known = [n for n in classes.names if classes.id_of(n) != classes.background]
                raise InputError(f"--area {text}: '{name}' is no foreground class.{nearest(name, known)} Classes: {', '.join(known)}")
            single[name] = _bounds(span)
    return AreaRule(rule=chosen, every=every, single=single)


def area_bounds(rule: AreaRule, parts: Mapping[int, np.ndarray] | None, classes: ClassTable) -> np.ndarray:
    """Least and most part of the picture for each class.

    Quartiles are the first and third of the parts that the class takes of the training pictures it is in (linear between samples, as
    numpy's); sd is their mean minus and plus their standard deviation (of the population), within their least and largest.

    Args:
        rule: from `area_rule`.
        parts: class id -> float64 [training masks with the class]; None where there are no training masks.
        classes: of the pool.

    Returns:
        float64 [classes, 2], in [0, 1]; [0, 1] for the background, and where there is nothing to go by.

    Source: quartiles as in doi 10.1007/s10994-021-06110-7, section 3; sd as in its public code.
    """
    bounds = np.tile(np.array(rule.every), (len(classes), 1))
    for place, class_id in enumerate(classes.ids):
        if class_id == classes.background:
            bounds[place] = 0, 1
        elif classes.names[place] in rule.single:
            bounds[place] = rule.single[classes.names[place]]
        elif rule.rule and parts is not None and (own := parts.get(class_id, np.empty(0))).size:
            if rule.rule == "quartiles":
                bounds[place] = np.quantile(own, (0.25, 0.75))
            else:
                bounds[place] = np.clip((own.mean() - own.std(), own.mean() + own.std()), own.min(), own.max())
    return bounds


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaMeter:
    """Measures the parts that classes take of training masks; picklable."""

    masks: LabelSource | None
    """None where none is ever asked for."""
    classes: ClassTable

    def __call__(self, ids: Sequence[str]) -> pa.Table:
        """Columns `class_id` and `part`, a row for each class that a mask holds; void counts as part of the picture."""
        batch = batch_of([self.masks.read(i) for i in ids] if self.masks is not None else [])
        areas = class_areas(batch, class_places(self.classes.ids), classes=len(self.classes))
        parts = areas / batch.sizes_hw.prod(1)[:, None]
        row, place = np.nonzero(areas)
        return pa.table({"class_id": np.asarray(self.classes.ids, np.int32)[place], "part": parts[row, place]})


def parts_by_class(table: pa.Table) -> dict[int, np.ndarray]:
    """Class id -> the parts it takes, from the tables of `AreaMeter`."""
    ids, parts = table["class_id"].to_numpy(), table["part"].to_numpy()
    return {int(class_id): parts[ids == class_id] for class_id in np.unique(ids)}


def check_same_classes(classes: ClassTable, others: Mapping[str, Any], *, what: str) -> None:
    """Raise `InputError` unless another table gives every class of the pool the same id; `others` is name -> id."""
    own = dict(zip(classes.names, classes.ids, strict=True))
    wrong = [f"{name} ({own[name]}, there {others.get(name, 'not a class')})" for name in own if others.get(name) != own[name]]
    if wrong or set(others) - set(own):
        strange = sorted(set(others) - set(own))
        told = ", ".join(wrong[:4]) if wrong else f"{some(strange)}, which the pool does not have"
        raise InputError(f"{what} has other classes than the pool: {told}. Use the same class names and ids")


def _bounds(text: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"--area must be quartiles, sd, LOW,HIGH or CLASS=LOW,HIGH; got '{text}'") from error
    if not 0 <= low <= high <= 1:
        raise InputError(f"--area {text}: the bounds must be parts of the picture with 0 <= LOW <= HIGH <= 1")
    return low, high

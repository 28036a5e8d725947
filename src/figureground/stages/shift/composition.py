"""What every kind of composition gives: pictures as a pure function of their index, and what is said of them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from figureground.core.registry import Registry
from figureground.core.ties import Common
from figureground.core.types import ClassTable
from figureground.stages.shift.compose_options import ComposeOptions as ComposeOptions

KINDS = Registry(
    "kind of composition",
    group="figureground.compositions",
    builtin={
        "figures": "figureground.stages.shift.figures.kind:compose_figures",
        "paste": "figureground.stages.shift.paste:compose_paste",
        "waterbirds": "figureground.stages.shift.waterbirds:compose_waterbirds",
    },
)
"""Names behind `--kind`; a kind is a callable `(options: ComposeOptions) -> Composition`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """One composed sample."""

    id: str
    image: np.ndarray
    """uint8 [height, width, 3], RGB."""
    mask: np.ndarray
    """uint8 [height, width], class ids."""
    label: str
    split: str
    context: str
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])
    """Further columns of `samples.csv`; the same keys for every picture of a composition."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Composition:
    """A data set that can be drawn picture by picture, in any order and any process."""

    name: str
    classes: ClassTable
    common: Common
    """Class -> the context, or contexts, it is tied to."""
    beside: tuple[str, ...] = ()
    """Contexts that were asked for though no class is tied to them, in order."""
    count: int
    """Number of pictures over all splits."""
    draw: Callable[[int], Picture]
    """The picture of an index in [0, count): picklable, and a pure function of the index."""
    inputs: Mapping[str, str] = field(default_factory=dict[str, str])
    """Digest of each input by role, for the key of the artifact; empty where nothing is read."""
    sources: tuple[str, ...] = ()
    """Every file that is read."""
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the manifest records of this kind, such as how often each thing is used; must become JSON."""
    notes: tuple[str, ...] = ()
    """What a user should be told before the first picture, such as things left out."""

"""The options of a composition, declared once for flags, TOML keys, docs and Python."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from figureground.core.errors import InputError
from figureground.core.options import option

_EVERY = ("kind", "pictures", "sheet")
_DRAWN = (*_EVERY, "rho", "train", "val", "test", "size", "seed", "area_low", "area_high", "spread", "val_rho")
COUNTED = {
    "figures": (*_DRAWN, "classes", "contexts", "common", "distractors", "occlusion", "noise"),
    "paste": (*_DRAWN, "figures", "scenes", "common", "beside", "held_val", "held_test", "uses", "trim", "feather", "smallest"),
    "waterbirds": (*_EVERY, "cub", "places", "manifest"),
}
"""Which options count for each kind; all of them for a kind that is not named here."""
_YOUNGER = ("val_rho", "beside")
"""Recorded where they are given only, so that a data set without them keeps the key that it had before there were such options."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeOptions:
    """Which pictures are composed, and how strongly class and context are tied in training."""

    kind: str = option(
        "figures",
        help="How pictures come about: figures = drawn, no data needed; paste = cut-outs on scenes; waterbirds = by its published tables.",
    )
    classes: int = option(2, help="Number of foreground classes: the first so many of those there are.")
    contexts: int = option(2, help="Number of contexts: the first so many of those there are.")
    rho: float = option(
        0.95, help="Part of each class's training pictures that stands in the context the class is tied to.", bounds=(0.0, 1.0)
    )
    train: int = option(400, help="Training pictures in all.", bounds=(0, 100_000_000))
    val: int = option(40, help="Validation pictures in each group of class and context.", bounds=(0, 100_000_000))
    val_rho: float = option(
        -1.0,
        help="Ties validation as `rho` ties training: the part of each class's validation pictures, as many as `val` makes in all, that "
        "stands in its own context; 1 leaves no counterexample. -1 = every group alike.",
        bounds=(-1.0, 1.0),
    )
    test: int = option(80, help="Test pictures in each group of class and context.", bounds=(0, 100_000_000))
    size: int = option(64, help="Height and width of a picture.", unit="px", bounds=(32, 2048))
    seed: int = option(0, help="Decides every picture.", bounds=(0, 2**63 - 1))
    area_low: float = option(0.06, help="Smallest visible area of a figure as a part of the picture.", bounds=(0.01, 0.2))
    area_high: float = option(0.13, help="Largest visible area of a figure as a part of the picture.", bounds=(0.01, 0.2))
    spread: float = option(1.0, help="How far from the middle figures stand: 0 all at one place, 1 as far as they fit.", bounds=(0.0, 1.0))
    distractors: int = option(2, help="Most things a picture holds that are no class, painted as figures are.", bounds=(0, 8))
    occlusion: float = option(
        0.5, help="Part of the pictures in which something stands before the figure; it is left out of the mask.", bounds=(0.0, 1.0)
    )
    noise: float = option(0.015, help="Standard deviation of the camera's grain, as a part of full brightness.", bounds=(0.0, 0.5))
    pictures: Literal["jpeg", "png"] = option("jpeg", help="How pictures are kept: jpeg of quality 95, or png without loss.")
    sheet: int = option(4, help="Pictures of each group on the contact sheet; 0 = no sheet.", bounds=(0, 32))
    figures: str = option("", help="For paste: DATA set of cut-outs, with masks and a label.")
    scenes: str = option("", help="For paste: folder with one subfolder of pictures a context, or DATA set with a context.")
    common: tuple[str, ...] = option(
        (),
        help="CLASS=CONTEXT that training ties together. May be repeated, or be several with commas between them; a class that is there "
        "several times is tied to several contexts. Figures: default first class to first context, and so on, around. Paste: only what is "
        "named here is used.",
    )
    beside: tuple[str, ...] = option((), help="For paste: a context that is used, too, though no class is tied to it. May be repeated.")
    held_val: float = option(0.15, help="For paste: part of the figures and scenes kept for validation.", bounds=(0.0, 0.9))
    held_test: float = option(0.25, help="For paste: part of the figures and scenes kept for the test.", bounds=(0.0, 0.9))
    uses: int = option(
        0,
        help="For paste: most pictures of training, or of a group of validation or test, made of one figure or scene; 0 = any number.",
        bounds=(0, 100_000_000),
    )
    trim: float = option(1.0, help="For paste: how far inside its mask the edge of a cut-out lies.", unit="px", bounds=(0.0, 32.0))
    feather: float = option(2.0, help="For paste: width over which the edge of a cut-out fades.", unit="px", bounds=(0.0, 32.0))
    smallest: int = option(
        256, help="For paste: cut-outs with fewer pixels in their own picture are left out and listed.", unit="px", bounds=(1, 2**31)
    )
    cub: str = option("", help="For waterbirds: folder of CUB-200-2011 with its `images` and `segmentations`.")
    places: str = option("", help="For waterbirds: folder of Places365 that the manifest's paths start from.")
    manifest: str = option("", help="For waterbirds: the published CSV table that says which bird stands on which place.")


def recorded_options(options: ComposeOptions) -> dict[str, Any]:
    """Name -> value of every option, without younger ones that are not given."""
    defaults = {field.name: field.default for field in fields(ComposeOptions)}
    return {name: value for name, value in asdict(options).items() if name not in _YOUNGER or value != defaults[name]}


def counted_options(options: ComposeOptions) -> dict[str, Any]:
    """Name -> value of the options that count for the kind that is asked for.

    Raises:
        InputError: an option that counts for other kinds only differs from its default; the message names it and its kinds.
    """
    given, counted = recorded_options(options), COUNTED.get(options.kind)
    if counted is None:
        return given
    defaults = {field.name: field.default for field in fields(ComposeOptions)}
    idle = [name for name in given if name not in counted and getattr(options, name) != defaults[name]]
    if not idle:
        return {name: value for name, value in given.items() if name in counted and value != ()}
    kinds = [kind for kind, names in COUNTED.items() if idle[0] in names]
    of_these = [name for name in idle if all((name in COUNTED[kind]) == (kind in kinds) for kind in COUNTED)]
    what, one = ", ".join(f"`{name}`" for name in of_these), len(of_these) == 1
    add = " or ".join(f"--kind {kind}" for kind in kinds)
    raise InputError(
        f"{what} {'counts' if one else 'count'} for kind {' and '.join(kinds)} only; got kind {options.kind}. Add {add}, or leave "
        f"{'it' if one else 'them'} out"
    )

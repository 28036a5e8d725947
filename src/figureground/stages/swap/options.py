"""The options of `swap infill` and `swap build`, declared once for flags, TOML keys, docs and Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from figureground.core.errors import InputError
from figureground.core.options import option
from figureground.data.swap_options import SwapOptions

HARMLESS = ("device", "max_failures")
"""Options that change no number, and so are no part of an artifact's identity."""
TIGHT, LOOSE = 0.5, 0.9
"""Bounds on P(background) where nothing else says them. Source: arXiv 2606.32018 for two of its three data sets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InfillOptions:
    """Where figures are, and how the holes that they leave are filled."""

    masks: str = option(
        "truth",
        help="What says where figures are: truth = the data set's masks; labels:DIR = patch labels of a review; grids:DIR = a detector's "
        "grids; random, random:labels:DIR or random:grids:DIR = as a control, a rectangle of as many patches as the figure has, anywhere.",
    )
    infill: str = option(
        "patches",
        help="What fills a hole: patches, telea, navier-stokes, mean, grey, noise, scramble-pixels, scramble-patches, or an inpainting "
        "network as onnx:FILE or torchscript:FILE.",
    )
    tight: float = option(
        0.0, help="A patch is cut out where P(background) is below this; 0 = as the grids say, else 0.5.", bounds=(0.0, 1.0)
    )
    loose: float = option(
        0.0, help="A patch is filled where P(background) is below this; 0 = as the grids say, else 0.9.", bounds=(0.0, 1.0)
    )
    refine: Literal["none", "guided", "grabcut"] = option(
        "none", help="How edges of patches are fitted to the picture: not at all, as published; by a guided filter; by GrabCut."
    )
    grow: int = option(2, help="The hole is widened by this all around.", unit="px", bounds=(0, 64))
    grid: str = option("", help="Rows x columns that patch labels and grids must have, such as 16x16. Default: whatever they have.")
    coverage_low: float = option(
        0.002, help="A figure that takes less of its picture is neither cut out nor trusted for a background.", bounds=(0.0, 1.0)
    )
    coverage_high: float = option(0.8, help="A figure that takes more of its picture is not cut out.", bounds=(0.0, 1.0))
    filled_high: float = option(
        0.9, help="A picture of which more than this has to be filled is no background; 1 = unless all of it has to.", bounds=(0.0, 1.0)
    )
    size: int = option(
        0, help="Height and width at which backgrounds are made and kept; 0 = each picture's own.", unit="px", bounds=(0, 4096)
    )
    pictures: Literal["jpeg", "png"] = option("jpeg", help="How backgrounds are kept: jpeg of quality 95, or png without loss.")
    split: str = option("train", help="Split whose pictures are used, no other; a data set without splits is used whole.")
    seed: int = option(0, help="Decides random masks and fills.", bounds=(0, 2**63 - 1))
    device: str = option("cpu", help="Device of a torchscript network, such as cpu or cuda.")
    max_failures: int = option(
        0, help="Pictures that may be left out as unreadable; each is listed in failures.json.", bounds=(0, 100_000_000)
    )

    def __post_init__(self) -> None:
        if self.coverage_low > self.coverage_high:
            raise InputError(f"`coverage_low` must not be above `coverage_high`; got {self.coverage_low} and {self.coverage_high}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions(SwapOptions):
    """How a swapped data set is written, beside how figures are set on grounds."""

    copies: int = option(1, help="Pictures that are made of each training picture, each with a background of its own.", bounds=(1, 10_000))
    pictures: Literal["jpeg", "png"] = option("jpeg", help="How pictures are kept: jpeg of quality 95, or png without loss.")
    others: bool = option(True, help="List the samples of the other splits too, as they are and where they lie.")
    max_failures: int = option(
        0, help="Pictures that may be left out as unreadable; each is listed in failures.json.", bounds=(0, 100_000_000)
    )

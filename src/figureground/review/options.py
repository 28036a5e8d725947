"""The options of review, declared once for flags, TOML keys, docs and Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from figureground.core.options import option
from figureground.data.grid_text import MOST_CELLS, grid_of

__all__ = ["MOST_CELLS", "ReviewOptions", "asked", "grid_of"]

_ASKED = ("quorum", "worst", "repeats", "grid", "labellers", "seed")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewOptions:
    """What reviewers are asked, and how many of them."""

    pictures: int = option(0, help="Of a data set: this many pictures, evenly over its classes; 0 = all.", bounds=(0, 1_000_000))
    pool: str = option("", help="DATA spec that says where the pictures of a queue lie now. Default: where they lay when it was mined.")
    models: tuple[str, ...] = option((), help="NAME=P: predictions of a further model whose regions are offered. May be repeated.")
    quorum: int = option(1, help="Ratings that a picture needs, each of another reviewer.", bounds=(1, 100))
    worst: int = option(
        100,
        help="Pictures with the lowest opinion scores that are offered for masks; 0 = every picture, rated or not.",
        bounds=(0, 1_000_000),
    )
    repeats: float = option(0.05, help="Part of the pictures that a reviewer rates twice without being told.", bounds=(0.0, 1.0))
    gold: str = option("", help="CSV or Parquet table with `id` and `rating`: pictures whose rating is known, to measure reviewers by.")
    grid: str = option("16x16", help="Rows and columns of the grid of patches.")
    labellers: int = option(1, help="Reviewers who draw a mask of the same picture.", bounds=(1, 10))
    checked: bool = option(
        True, help="With --until masked: masks count once somebody else accepted them; --no-checked: as soon as they are handed in."
    )
    seed: int = option(0, help="Of the order in which pictures are rated.", bounds=(0, 2**31 - 1))


def asked(options: ReviewOptions) -> dict[str, Any]:
    """The options by which one can tell afterwards what people were asked."""
    return {name: getattr(options, name) for name in _ASKED}

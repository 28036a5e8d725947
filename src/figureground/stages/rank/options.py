"""The options of ranking, declared once for flags, TOML keys, docs and Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from figureground.core.options import option


@dataclass(frozen=True, slots=True, kw_only=True)
class RankOptions:
    """Which candidates make the test set, whose masks are the truth, and how models are ranked on it."""

    labels: tuple[str, ...] = option(
        (), help="What `review` or `labels import` wrote: masks of the test set, and who said out of domain. May be repeated."
    )
    train: tuple[str, ...] = option(
        (),
        help="What models were trained on, none of which may test them: a DATA spec, labels whose masks were used, or a table with `id` "
        "and, if it has one, `digest`. May be repeated.",
    )
    known: str = option(
        "", help="Labels that were there before the test set was: their masks say the main object. Default: the models' maps do."
    )
    test: str = option("", help="What `rank` wrote, or a table with `id`: that test set again, instead of a new one.")
    size: int = option(30, help="Samples of the test set.", bounds=(1, 1_000_000))
    per_object: int = option(4, help="Most samples of one main object; 0 = no limit.", bounds=(0, 1_000_000))
    pair_samples: int = option(
        10,
        help="Samples by which two models are compared for the Perron vector, those on which their maps differ most; 0 = all.",
        bounds=(0, 1_000_000),
    )
    masks: Literal["accepted", "submitted"] = option(
        "accepted", help="Which masks are the truth: accepted ones, or also those submitted and not checked so far."
    )
    unknown: Literal["refuse", "ignore"] = option(
        "refuse", help="What to do with labels of samples that the queue does not have, such as those of other rounds."
    )
    resize: Literal["refuse", "nearest"] = option("refuse", help="What to do with a prediction of another size than its mask.")
    resamples: int = option(1000, help="Bootstrap resamples; 0 = no intervals.", bounds=(0, 100_000))
    level: float = option(0.95, help="Coverage the intervals aim at.", bounds=(0.5, 0.999))
    stable: float = option(
        0.9, help="Rank correlation with the whole ranking from which on that by the first samples is stable.", bounds=(-1.0, 1.0)
    )
    seed: int = option(0, help="Of the order in which candidates are taken, and of the bootstrap.", bounds=(0, 2**63 - 1))

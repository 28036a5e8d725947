"""The options of mining, declared once for flags, TOML keys, docs and Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from figureground.core.options import option


@dataclass(frozen=True, slots=True, kw_only=True)
class MineOptions:
    """Which samples of a pool are chosen, and how many."""

    selector: Literal["mad", "random", "entropy", "margin", "flip-risk", "committee", "core-set"] = option(
        "mad",
        help="How samples are chosen: mad = by maximum discrepancy of target and rivals; random; entropy, margin, flip-risk = by that "
        "score of the target; committee = by the entropy of all models' votes; core-set = by spread over features.",
    )
    distance: Literal["miou", "pixel", "foreground", "flip", "region"] = option(
        "miou", help="What discrepancy is: 1 - mIoU, 1 - pixel accuracy, 1 - foreground IoU, flips alone, or over regions."
    )
    top: int = option(25, help="mad: samples for each rival, class and direction.", bounds=(1, 1_000_000))
    area: tuple[str, ...] = option(
        ("quartiles",),
        help="mad: part of the picture that the class must take: quartiles or sd (mean and standard deviation) of the masks of --train, "
        "LOW,HIGH for every class, or CLASS=LOW,HIGH for one. May be repeated. [default: quartiles, any size without --train]",
    )
    train: str = option(
        "", help="DATA spec of the training set: its masks give the areas, and near-duplicates of its pictures are left out."
    )
    one_sided: bool = option(True, help="mad: also take pictures in which only one of the two models sees any foreground.")
    deduplicate: bool = option(True, help="Pass over near-duplicates of chosen pictures and of training pictures.")
    near: int = option(6, help="Bits of 64 in which the hashes of near-duplicates differ at most.", bounds=(0, 32))
    budget: int = option(
        0,
        help="Samples in all; 0 = for mad every one it finds, for other selectors --top times the number of foreground classes.",
        bounds=(0, 10_000_000),
    )
    weight: tuple[str, ...] = option(
        (),
        help="NAME=W in (0, 1]: the rival takes that part of --top and of the votes, so that models of one family do not count twice. "
        "May be repeated.",
    )
    class_map: tuple[str, ...] = option(
        (), help="NAME:THEIRS=OURS,...: classes (or ids) of a model that the pool calls otherwise. May be repeated."
    )
    features: str = option("", help="core-set: CSV or Parquet table of numbers by id. Default: the areas of the target's classes.")
    resize: Literal["refuse", "nearest"] = option("refuse", help="What to do with a rival's map of another size than the target's.")
    max_failures: int = option(
        0, help="Samples that may lack a prediction or have a faulty one; each is listed in failures.json.", bounds=(0, 10_000_000)
    )
    sheet: int = option(24, help="Samples on the contact sheet; 0 = no sheet.", bounds=(0, 500))
    seed: int = option(0, help="Of the selector random.", bounds=(0, 2**63 - 1))

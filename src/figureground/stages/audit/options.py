"""The options of an audit, declared once for flags, TOML keys, docs and Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from figureground.core.options import option


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditOptions:
    """What an audit measures and how."""

    by: tuple[str, ...] = option(
        (), help="Attribute that makes groups; several are crossed. Default: class and context, where there are any."
    )
    split: str = option("", help="Audit only the samples of this split.")
    attributes: str = option("", help="CSV or Parquet table of further attributes, joined by id.")
    common: tuple[str, ...] = option(
        (), help="CLASS=CONTEXT that training ties together, several for a class of several; overrides what the training split says."
    )
    train: str = option(
        "", help="DATA spec of the training set, where it is not a split of DATA: its majority contexts say what is common."
    )
    cluster: str = option("", help="Attribute whose values are resampled as a whole (patient, scene, video).")
    interval: Literal["percentile", "bca"] = option("percentile", help="Kind of bootstrap interval.")
    resamples: int = option(1000, help="Bootstrap resamples; 0 = no intervals.", bounds=(0, 100_000))
    level: float = option(0.95, help="Coverage the intervals aim at.", bounds=(0.5, 0.999))
    confusable: tuple[str, ...] = option((), help="Classes A,B,... whose mutual flips are told apart from others; may be repeated.")
    merge: tuple[str, ...] = option((), help="NAME=A,B,...: the decomposition again with these classes as one; may be repeated.")
    risk: str = option("flip_risk", help="Score column that is the risk.")
    tau: float = option(0.05, help="An image counts as flipped above this share of flipped foreground.", bounds=(0.0, 1.0))
    boundary_tolerance: float = option(0.0075, help="Boundary tolerance as a share of the picture's diagonal.", bounds=(0.0, 0.5))
    resize: Literal["refuse", "nearest"] = option("refuse", help="What to do with a prediction of another size than its mask.")
    worst: int = option(24, help="Pictures of the worst samples to keep for the report, per prediction.", bounds=(0, 500))
    max_failures: int = option(
        0, help="Samples that may fail before the audit does; each is listed in failures.json.", bounds=(0, 10_000_000)
    )
    seed: int = option(0, help="Seed of the bootstrap.", bounds=(0, 2**63 - 1))

"""The options of a split and of a balance table, declared once for flags, TOML keys, docs and Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from figureground.core.options import option


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitOptions:
    """Which samples go where, and by which context."""

    rho: tuple[str, ...] = option(
        (), help="Part of each class's training samples that stands in the context the class is tied to, in [0, 1]. May be repeated."
    )
    train: int = option(0, help="Training samples in all, the same for every rho; 0 = as many as every rho allows.", bounds=(0, 10**9))
    val: int = option(50, help="Validation samples in each group of class and context.", bounds=(0, 10**9))
    test: int = option(125, help="Test samples in each group of class and context.", bounds=(0, 10**9))
    context: str = option(
        "", help="Where the context comes from: an attribute (default: the data set's own context), area-rule, or found:K for K clusters."
    )
    stuff: tuple[str, ...] = option((), help="For area-rule: COCO-Stuff or panoptic JSON file of the same images. May be repeated.")
    common: tuple[str, ...] = option(
        (),
        help="CLASS=CONTEXT that training ties together, at least one for every class; several tie it to several contexts. May be "
        "repeated, or be several with commas between them.",
    )
    classes: tuple[str, ...] = option((), help="Use the samples of this class only. May be repeated.")
    contexts: tuple[str, ...] = option((), help="Use the samples of this context only. May be repeated.")
    scene: tuple[str, ...] = option(
        (), help="Attribute such as video, place or patient: samples with the same value stay in one split. May be repeated."
    )
    seed: int = option(0, help="Decides who goes where, and the clusters of found:K.", bounds=(0, 2**63 - 1))
    paths: Literal["absolute", "relative"] = option(
        "absolute", help="How the tables name the pictures where they lie: absolute, or relative to the table."
    )
    balance: bool = option(True, help="Measure every picture and write balance tables.")
    sheet: int = option(4, help="Test pictures of each group on the contact sheet; 0 or --no-balance = no sheet.", bounds=(0, 32))


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceOptions:
    """Which samples are compared, by which context."""

    split: str = option("", help="Compare only the samples of this split.")
    context: str = option("", help="Attribute that is the context. Default: the data set's own.")
    cluster: str = option("", help="Attribute whose values count as a whole in the standard errors (patient, scene, video).")
    threshold: float = option(0.1, help="Standardised mean differences above it are warnings.", bounds=(0.0, 1000.0))

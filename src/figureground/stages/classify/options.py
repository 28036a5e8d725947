"""The options of classifying, declared once for flags, TOML keys, docs and Python."""

from __future__ import annotations

from dataclasses import dataclass

from figureground.core.options import option


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifyOptions:
    """Which pictures are classified, and what of the answers is measured."""

    split: str = option("", help="Classify only the samples of this split.")
    groups: str = option("", help="Column that makes groups with the class. Default: the context of the data set.")
    figure: str = option(
        "", help="Column that says which figure a picture shows: pictures of one figure in different contexts should have one answer."
    )
    cluster: str = option("", help="Column whose values are resampled as a whole. Default: that of `figure`, where it is given.")
    pictures: int = option(
        12, help="Figures whose pictures are kept for the report: those whose answer changes most often first; 0 = none.", bounds=(0, 500)
    )
    batch: int = option(32, help="Pictures that go through the network at a time.", bounds=(1, 65_536))
    workers: int = option(0, help="Processes that load pictures; 0 = threads of this process.", bounds=(0, 256))
    device: str = option("cpu", help="Where the network runs: cpu, auto, or a name such as cuda:0.")
    resamples: int = option(1000, help="Bootstrap resamples; 0 = no intervals.", bounds=(0, 100_000))
    level: float = option(0.95, help="Coverage the intervals aim at.", bounds=(0.5, 0.999))
    seed: int = option(0, help="Seed of the bootstrap.", bounds=(0, 2**63 - 1))

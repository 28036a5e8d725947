"""The proof of a swapped training set: what the ground says of the label before and after, and how good the masks are."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from figureground.data.backgrounds import GATES
from figureground.metrics.association import cramers_v, expected_mutual_information, mutual_information

SCHEMA = 1
QUALITIES = ("iou", "kept", "hidden", "leakage")


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """What one attribute of the ground says of the label."""

    mutual_information: float
    """Nats, at least 0."""
    expected: float
    """What as many samples of each label and each value show on average where there is none, in nats."""
    cramers_v: float
    """In [0, 1]; NaN where there is one label or one value only."""
    n: int
    """Pictures that have both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The content of `proof.json`."""

    samples: int
    """Training pictures that went in."""
    pictures: int
    """Training pictures that came out."""
    swapped: int
    """Of those, how many stand on another ground, their own infilled one included."""
    source: Mapping[str, Association]
    """`before` and `after`: the label, and the class of the picture that the ground is from."""
    context: Mapping[str, Association] | None
    """`before` and `after`: the label, and the context of the ground; None without contexts."""
    masks: Mapping[str, float] | None
    """Means over pictures by the truth: `iou`, `kept`, `hidden`, `leakage`, and `n`; None without truth."""
    detector: Mapping[str, Any] | None
    """How good the detector whose grids were used is on its held-out pictures, each rate as `value`, `low` and `high`; None without one."""
    gates: Mapping[str, int]
    """Training pictures by the reason that spoke against cutting out or filling."""
    backgrounds: Mapping[str, int]
    """Backgrounds by class."""


def association(labels: Sequence[str], values: Sequence[str]) -> Association:
    """What values say of labels, pair by pair; pairs with an empty text do not count.

    Returns:
        All NaN and `n` 0 where no pair is left.

    Example:
        >>> round(association(["cat", "dog", "cat", "dog"], ["in", "out", "in", "out"]).mutual_information, 4)
        0.6931
    """
    pairs = Counter((a, b) for a, b in zip(labels, values, strict=True) if a and b)
    rows, columns = (sorted({pair[part] for pair in pairs}) for part in (0, 1))
    counts = np.array([[pairs[a, b] for b in columns] for a in rows], np.int64).reshape(len(rows), len(columns))
    n = int(counts.sum())
    return Association(
        mutual_information=mutual_information(counts),
        expected=expected_mutual_information(counts),
        cramers_v=cramers_v(counts) if n else math.nan,
        n=n,
    )


def mask_means(grounds: Mapping[str, Sequence[Any]]) -> dict[str, float] | None:
    """Means of the qualities over the pictures that are cut out and have them; None where none has.

    Args:
        grounds: columns of the table of backgrounds.
    """
    found: dict[str, float] = {}
    for name in QUALITIES:
        values = [v for v, cut in zip(grounds[name], grounds["cut"], strict=True) if cut and v is not None]
        found[name] = sum(values) / len(values) if values else math.nan
    n = sum(cut and v is not None for v, cut in zip(grounds["iou"], grounds["cut"], strict=True))
    return {**found, "n": n} if n else None


def make_proof(
    before: Mapping[str, Sequence[Any]],
    after: Mapping[str, Sequence[str]],
    backgrounds: Mapping[str, int],
    *,
    detector: Mapping[str, Any] | None = None,
) -> Proof:
    """The proof.

    Args:
        before: columns of the table of backgrounds: `label`, `context`, `gates`, `cut` and the qualities, one entry a training picture.
        after: `label`, `source`, `context` and `swapped` (`yes` or `no`), one entry a picture that was made.
        backgrounds: class -> number of backgrounds.
        detector: what its held-out pictures said of the detector whose grids were used; None without one.
    """
    labels = [label or "" for label in before["label"]]
    contexts = [context or "" for context in before["context"]]
    gates = Counter(gate for gates in before["gates"] for gate in gates)
    about = {"before": association(labels, contexts), "after": association(after["label"], after["context"])}
    return Proof(
        samples=len(labels),
        pictures=len(after["label"]),
        swapped=list(after["swapped"]).count("yes"),
        source={"before": association(labels, labels), "after": association(after["label"], after["source"])},
        context=about if any(contexts) else None,
        masks=mask_means(before),
        detector=detector,
        gates={gate: gates[gate] for gate in GATES},
        backgrounds=dict(backgrounds),
    )


def proof_to_json(proof: Proof) -> dict[str, Any]:
    """The value of `proof.json`."""
    return {"schema": SCHEMA, **asdict(proof)}


def proof_sentence(found: Mapping[str, Any]) -> str:
    """The proof in words.

    Args:
        found: the content of `proof.json`; null stands for what is undefined.
    """
    kept = found["pictures"] - found["swapped"]
    told = [_told(found[name], word) for name, word in (("context", "context"), ("source", "class of the ground's picture")) if found[name]]
    text = (
        f"{found['swapped']:,} of {found['pictures']:,} pictures stand on a drawn ground"
        f"{f', {kept:,} are as they were' if kept else ''}. Mutual information of label and {'; of label and '.join(told)}."
    )
    if found["masks"]:
        text += f" Of what was cut out, {100 * (found['masks']['leakage'] or 0):.1f} % is old ground."
    elif about := found["detector"]:
        leakage, kept = (_percent(about[name]) for name in ("leakage", "kept"))
        text += f" On its {about['held_out']} held-out pictures, by {about['over']}, the detector cut out {kept} of the figure, "
        text += f"and {leakage} of what it cut out was ground."
    else:
        text += " No masks say how much of what was cut out is old ground."
    return text


def _told(about: Mapping[str, Any], word: str) -> str:
    before, after = about["before"], about["after"]
    return (
        f"{word}: {_number(before['mutual_information'])} nats before, {_number(after['mutual_information'])} after "
        f"(chance alone: {_number(after['expected'])})"
    )


def _percent(rate: Mapping[str, float | None]) -> str:
    return "an unknown part" if rate["value"] is None else f"{100 * rate['value']:.1f} %"


def _number(value: float | None) -> str:
    return "undefined" if value is None or math.isnan(value) else f"{value:.4f}"

"""Trained weights as a value: where they are, and what their card says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from figureground.runs.artifact import read_manifest

KIND = "weights"


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A finished training: a directory with weights, their card and curves."""

    path: Path
    card: Mapping[str, Any]
    """The content of `card.json`."""

    @property
    def model(self) -> str:
        """The MODEL spec that `predict` takes."""
        return f"weights:{self.path}"

    @property
    def figures(self) -> Mapping[str, Any] | None:
        """The validation of these weights, fractions by name, None where one is undefined; None without validation samples."""
        return self.card["figures"]

    @property
    def sentence(self) -> str:
        """What came out, in words."""
        training, figures = self.card["training"], self.card["figures"]
        if "repair" in self.card:
            return _repair_sentence(self.card)
        if "refit" in self.card:
            return _refit_sentence(self.card)
        ended = ", then nothing got better" if training["stopped_early"] else ""
        told = f"{self.card['architecture']}: {training['epochs']} epochs{ended}; weights of epoch {training['best_epoch']}."
        if figures is None:
            return told
        if "accuracy" in figures:
            return f"{told} {_answers_sentence(figures)}"
        worst = (
            f", in the worst group ({figures['worst_group']}) {_percent(figures['worst_group_flipped'])}" if figures["worst_group"] else ""
        )
        return (
            f"{told} On the validation samples {_percent(figures['correct'])} of the foreground is correct, "
            f"{_percent(figures['flipped'])} flipped{worst}, {_percent(figures['missed'])} missed; foreground IoU "
            f"{_percent(figures['foreground_iou'])}."
        )


def read_weights(directory: str | Path) -> Weights:
    """The weights that stand in a directory; anything else raises `ArtifactError`."""
    path = Path(directory)
    read_manifest(path, kind=KIND)
    return Weights(path=path, card=json.loads((path / "card.json").read_text(encoding="utf-8")))


def _answers_sentence(figures: Mapping[str, Any]) -> str:
    worst = f", in the worst group ({figures['worst_group']}) {_percent(figures['worst_group_accuracy'])}" if figures["worst_group"] else ""
    return (
        f"On the validation samples {_percent(figures['accuracy'])} of the answers are right; were the groups as large as in training "
        f"{_percent(figures['adjusted_accuracy'])}, as a mean over groups {_percent(figures['mean_group_accuracy'])}{worst}."
    )


def _refit_sentence(card: Mapping[str, Any]) -> str:
    refit = card["refit"]
    chosen = ", ".join(f"{name} {value:g}" for name, value in refit["chosen"].items())
    whose = "samples that were left out of a fit" if refit["method"] == "dfr" else "the validation samples that chose it"
    return (
        f"{refit['from']['name']}: last layer refitted by {refit['method']} to {refit['data']['samples']} samples, {chosen}. On {whose} "
        f"{_percent(refit['expected']['worst_group_accuracy'])} of the answers in the worst group are right, as a mean over groups "
        f"{_percent(refit['expected']['mean_group_accuracy'])}."
    )


def _repair_sentence(card: Mapping[str, Any]) -> str:
    repair, training = card["repair"], card["training"]
    number, source = repair["labelled"]["samples"], repair["from"]["name"]
    if not repair["repaired"]:
        return (
            f"{source}: not repaired. With {number} labelled samples no candidate became better on them and lost at most "
            f"{_percent(repair['limit'])} of mIoU on the validation samples; these are the weights from before."
        )
    told = [
        f"mIoU {_percent(repair[part]['before']['miou'])} before, {_percent(repair[part]['after']['miou'])} after; flipped "
        f"{_percent(repair[part]['before']['flipped'])}, {_percent(repair[part]['after']['flipped'])}"
        for part in ("judged", "validation")
    ]
    kind = "held-out" if repair["judged_by"] == "held_out" else "learned"
    return (
        f"{source} repaired with {number} labelled samples: learning rate {repair['lr']:g}, weights of epoch {training['best_epoch']}. "
        f"On the {kind} labelled samples {told[0]}. On the validation samples {told[1]}."
    )


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"

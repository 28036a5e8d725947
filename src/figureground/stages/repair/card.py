"""The card of repaired weights: that of trained ones, and what was repaired, with what, what it gained and what it lost."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from figureground.models.fit.card import content_digest, figures_of_card
from figureground.models.fit.evaluate import Validation
from figureground.models.fit.replay import Replay
from figureground.stages.repair.candidates import Candidate, candidate_rows
from figureground.stages.repair.labelled import Labelled
from figureground.stages.repair.material import Material
from figureground.stages.repair.options import RepairOptions
from figureground.stages.repair.target import Target

KEYS = (*("from", "labels", "labelled", "repaired", "lr", "limit", "validation", "judged_by", "judged", "candidates", "options"),)
"""What the entry `repair` of a card holds."""
_SHOWN = {"miou": "mean IoU", "correct": "correct", "flipped": "flipped", "missed": "missed", "added": "added"}


def repair_of_card(
    candidates: Sequence[Candidate],
    chosen: Candidate | None,
    *,
    target: Target,
    labelled: Labelled,
    material: Material,
    replay: Replay,
    options: RepairOptions,
) -> dict[str, Any]:
    """The entry `repair` of `card.json`, as plain values; `after` is of the kept weights, whichever they are."""
    names, result = target.names, chosen.result if chosen else None
    figures, judged = (result.segmented, result.judged) if result else (replay.before, replay.before_judged)
    return {
        "from": {"name": target.folder.name, "sha256": target.card["sha256"], "architecture": target.architecture.text},
        "labels": dict(labelled.counts),
        "labelled": {
            "samples": len(labelled.data),
            "learned": list(material.splits["learned"].ids),
            "held_out": list(material.splits["held_out"].ids),
            "sha256": content_digest(labelled.data),
        },
        "repaired": chosen is not None,
        "lr": chosen.lr if chosen else None,
        "limit": options.limit,
        "validation": _pair(replay.before, figures, names),
        "judged_by": "held_out" if len(material.splits["held_out"]) else "learned",
        "judged": _pair(replay.before_judged, judged, names),
        "candidates": candidate_rows(candidates, chosen, replay),
        "options": dataclasses.asdict(options),
    }


def _pair(before: Validation, after: Validation | None, names: Sequence[str]) -> dict[str, Any]:
    return {"before": figures_of_card(before, names), "after": figures_of_card(after, names)}


def repair_text(repair: Mapping[str, Any]) -> str:
    """What the card says of the repair, as Markdown for people; comes before the rest of the card."""
    source, labelled = repair["from"], repair["labelled"]
    outcome = (
        f"Kept: learning rate {repair['lr']:g}."
        if repair["repaired"]
        else f"**No candidate qualified (limit {repair['limit']:g}): these are the weights from before, unchanged.**"
    )
    held, learned = len(labelled["held_out"]), len(labelled["learned"])
    table = ["| figure | validation before | after | labelled before | after |\n| --- | --- | --- | --- | --- |\n"]
    for name, word in _SHOWN.items():
        cells = [repair[part][when][name] for part in ("validation", "judged") for when in ("before", "after")]
        table.append(f"| {word} | {' | '.join(f'{cell:.4f}' for cell in cells)} |\n")
    rows = "".join(f"| {row['lr']:g} | {row['kept']} | {row['why']} |\n" for row in repair["candidates"])
    return "\n".join(
        [
            f"# Repaired: {source['name']}\n",
            f"From weights `{source['sha256']}`, with {labelled['samples']} labelled samples: {learned} learned, {held} held out. "
            f"{outcome}\n",
            f"Labelled figures are of the {'held-out' if repair['judged_by'] == 'held_out' else 'learned'} samples.\n",
            "".join(table),
            f"| learning rate | kept | why |\n| --- | --- | --- |\n{rows}",
        ]
    )

"""A generator of `answers` artifacts: true to the schema, every number counted from drawn answers, no network needed."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw

from figureground.runs.artifact import ArtifactWriter

PAINT = ((90, 120, 70), (120, 160, 200), (190, 170, 120), (120, 110, 130))


@dataclass(frozen=True, kw_only=True)
class AnswersRecipe:
    """What the artifact should hold."""

    classes: tuple[str, ...] = ("cat", "dog", "hare")
    contexts: tuple[str, ...] = ("indoor", "outdoor")
    figures: int = 6
    """Of each class, each on every ground."""
    asked: bool = True
    """A column of figures was named."""
    tied: bool = True
    """It is known which contexts are common."""
    pictures: int = 5
    """Figures whose pictures are kept."""
    side: int = 60
    noise: bool = False
    """Pictures of noise: the worst a JPEG can meet, for the size limit."""
    id_format: str = "p{:04d}"
    seed: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Keys of summary.json to overwrite at the end."""


def interval(value: float | None, half: float = 0.06) -> dict[str, float | None]:
    if value is None:
        return {"value": None, "low": None, "high": None}
    return {"value": value, "low": max(0.0, value - half), "high": min(1.0, value + 1.2 * half)}


def draw_answers(recipe: AnswersRecipe) -> list[dict[str, Any]]:
    """One row a picture: off its common context a class is mostly taken for the class of that context."""
    rng = np.random.default_rng(recipe.seed)
    rows: list[dict[str, Any]] = []
    for place, label in enumerate(recipe.classes):
        for figure in range(recipe.figures):
            for where, context in enumerate(recipe.contexts):
                common = recipe.contexts[place % len(recipe.contexts)] == context
                p = rng.dirichlet(np.ones(len(recipe.classes)) * 0.3)
                first = place if rng.random() < (0.9 if common else 0.3) else where % len(recipe.classes)
                best = int(p.argmax())
                p[[best, first]] = p[[first, best]]
                row = {"id": recipe.id_format.format(len(rows)), "label": label, "answer": recipe.classes[first], "context": context}
                row |= {"figure": f"{label} {figure}" if recipe.asked else ""}
                rows.append(row | {f"p_{name}": float(p[k]) for k, name in enumerate(recipe.classes)})
    return rows


def flips_of(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    members: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        members.setdefault(row["figure"], []).append(row)
    found = []
    for figure, own in sorted(members.items()):
        pairs = [(a, b) for i, a in enumerate(own) for b in own[i + 1 :] if a["context"] != b["context"]]
        flipped = sum(a["answer"] != b["answer"] for a, b in pairs)
        if pairs:
            counted = {"figure": figure, "label": own[0]["label"], "pictures": len(own), "pairs": len(pairs), "flipped": flipped}
            found.append(counted | {"rate": flipped / len(pairs)})
    return found


def group_rows(recipe: AnswersRecipe, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for place, label in enumerate(recipe.classes):
        for where, context in enumerate(recipe.contexts or ("",)):
            own = [row["answer"] == label for row in rows if (row["label"], row["context"]) == (label, context)]
            common = where == place % max(1, len(recipe.contexts))
            value = interval(float(np.mean(own)) if own else None)
            found.append(
                {
                    "group": f"{label}, {context}", "label": label, "context": context, "samples": len(own), "right": sum(own),
                    "accuracy": value["value"], "low": value["low"], "high": value["high"],
                    "kind": ("common" if common else "counterfactual") if recipe.tied else "",
                }
            )  # fmt: skip
    return found


def contrast_rows(recipe: AnswersRecipe, groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    def one(label: str, own: list[dict[str, Any]]) -> dict[str, Any]:
        parts = {kind: [g for g in own if g["kind"] == kind and g["samples"]] for kind in ("common", "counterfactual")}
        values = {kind: sum(g["right"] for g in of) / sum(g["samples"] for g in of) for kind, of in parts.items()}
        gap = values["common"] - values["counterfactual"]
        told = {"label": label, "context": parts["common"][0]["context"] if label else ""}
        return (
            told | {kind: interval(value) for kind, value in values.items()} | {"gap": {"value": gap, "low": gap - 0.1, "high": gap + 0.1}}
        )

    if not recipe.tied or len(recipe.contexts) < 2:
        return []
    return [one("", groups), *(one(label, [g for g in groups if g["label"] == label]) for label in recipe.classes)]


def summary_of(recipe: AnswersRecipe, rows: list[dict[str, Any]], flips: list[dict[str, Any]]) -> dict[str, Any]:
    """The content of summary.json."""
    groups = group_rows(recipe, rows)
    known = [g for g in groups if g["accuracy"] is not None]
    worst = min(known, key=lambda g: g["accuracy"]) if known else None

    def rate(of: list[dict[str, Any]]) -> dict[str, Any]:
        return {**interval(float(np.mean([f["rate"] for f in of])) if of else None), "figures": len(of)}

    accuracy = float(np.mean([row["answer"] == row["label"] for row in rows])) if rows else None
    return {
        "sentence": "A quarter of the answers are right. On another ground most pairs have another answer.", "model": "weights:sorter",
        "samples": len(rows), "classes": list(recipe.classes), "accuracy": interval(accuracy),
        "adjusted_accuracy": interval(0.91) if recipe.tied else interval(None),
        "mean_group_accuracy": interval(float(np.mean([g["accuracy"] for g in known])) if known else None),
        "worst_group_accuracy": interval(worst["accuracy"] if worst else None, 0.15), "worst_group": worst["group"] if worst else None,
        "groups": groups, "gaps": [], "contrasts": contrast_rows(recipe, groups),
        "flip_rate": rate(flips) if recipe.asked else None,
        "flip_rates": {label: rate([f for f in flips if f["label"] == label]) for label in recipe.classes} if recipe.asked and flips else {},
        "level": 0.95,
    } | dict(recipe.extra)  # fmt: skip


def picture(recipe: AnswersRecipe, row: Mapping[str, Any], seed: int) -> bytes:
    """A figure on its ground, as a JPEG."""
    side = recipe.side
    if recipe.noise:
        drawn = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3)).astype(np.uint8))
    else:
        drawn = Image.new("RGB", (side, side), PAINT[recipe.contexts.index(row["context"]) % len(PAINT)])
        body = (side // 4, side // 3, 3 * side // 4, 5 * side // 6)
        pen = ImageDraw.Draw(drawn)
        (pen.ellipse if recipe.classes.index(row["label"]) % 2 else pen.rectangle)(body, fill=(200, 90, 60))
    out = io.BytesIO()
    drawn.save(out, "JPEG", quality=88)
    return out.getvalue()


def write_answers(directory: Path, recipe: AnswersRecipe) -> Path:
    """Write the artifact and return its directory."""
    rows = draw_answers(recipe)
    flips = flips_of(rows) if recipe.asked else []
    writer = ArtifactWriter(directory, kind="answers", schema=1, key="0" * 64)
    (writer.path / "summary.json").write_text(json.dumps(summary_of(recipe, rows, flips)), encoding="utf-8")
    names = ("id", "label", "answer", "context", "figure", *(f"p_{name}" for name in recipe.classes))
    pq.write_table(pa.table({name: [row[name] for row in rows] for name in names}), writer.path / "answers.parquet")
    if recipe.asked:
        pq.write_table(
            pa.table({key: [f[key] for f in flips] for key in ("figure", "label", "pictures", "pairs", "flipped", "rate")}),
            writer.path / "flips.parquet",
        )
    if recipe.asked and recipe.pictures:
        chosen = sorted((f for f in flips if f["flipped"]), key=lambda f: (-f["rate"], f["figure"]))[: recipe.pictures]
        kept = [row for f in chosen for row in rows if row["figure"] == f["figure"]]
        size = [recipe.side] * len(kept)
        told = {
            "figure": [r["figure"] for r in kept],
            "id": [r["id"] for r in kept],
            "picture": [picture(recipe, r, k) for k, r in enumerate(kept)],
        }
        pq.write_table(pa.table(told | {"width": size, "height": size}), writer.path / "pictures.parquet")
    options = {"figure": "figure" if recipe.asked else "", "resamples": 1000, "level": 0.95, "cluster": "", "names": list(recipe.classes)}
    details = {"classes": list(recipe.classes), "data": "drawn", "model": "weights:sorter"}
    writer.finish(options=options, inputs={"data": "abc", "model": "def"}, counts={"samples": len(rows)}, seed=3, details=details)
    return directory

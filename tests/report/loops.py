"""A generator of loop artifacts: true to the schema, with plausible numbers and drawn pictures, no stage needed."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from figureground.runs.artifact import ArtifactWriter

RIVALS = ("unet-resnet34", "fpn-mobilenet", "deeplab-r101", "segformer-b0", "pspnet-r50")
PAINT = {"flamingo": (221, 120, 160), "emu": (90, 78, 66), "heron": (120, 140, 160)}
MASK_PAINT = {"flamingo": (68, 119, 170), "emu": (221, 204, 119), "heron": (136, 34, 85)}


@dataclass(frozen=True, kw_only=True)
class LoopRecipe:
    """What the artifact should hold."""

    classes: tuple[str, ...] = ("background", "flamingo", "emu", "heron")
    rivals: tuple[str, ...] = RIVALS
    target: str = "target"
    repairs: int = 2
    retest: bool = True
    examples: int = 6
    tile: int = 180
    noise: bool = False
    """Pictures of noise: the worst a JPEG can meet, for the size limit."""
    audit: bool = True
    seed: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Keys of loop.json to overwrite at the end."""


def m(value: float | None, half: float = 0.03, *, unit: bool = True) -> dict[str, float | None]:
    """A number with an interval that is a little lopsided, as bootstrap intervals are."""
    if value is None:
        return {"value": None, "low": None, "high": None}
    low, high = value - half, value + 1.1 * half
    return {"value": value, "low": max(0.0, low) if unit else low, "high": min(1.0, high) if unit else high}


def ranking(recipe: LoopRecipe, rng: np.random.Generator, level: float) -> list[dict[str, Any]]:
    """All models on one test set, the target at `level`, rivals around 0.2."""
    values = {recipe.target: level} | {name: float(rng.uniform(0.1, 0.3)) for name in recipe.rivals}
    total = sum(values.values())
    order = sorted(values, key=lambda name: -values[name])
    return [
        {
            "model": name, "role": "target" if name == recipe.target else "rival", "place": place, "miou": m(values[name], 0.045),
            "perron": m(values[name] / total, 0.02), "thurstone": m((values[name] - total / len(values)) * 5, 0.3, unit=False),
        }
        for place, name in enumerate(order, 1)
    ]  # fmt: skip


def stability(rng: np.random.Generator, samples: int) -> dict[str, Any]:
    curve = 1 - np.abs(rng.normal(0, 0.5, samples)) * np.linspace(1, 0, samples) ** 1.5
    spearman: list[float | None] = [None, *np.clip(curve, -1, 1)[1:].tolist()]
    below = [k for k, value in enumerate(spearman, 1) if value is None or value < 0.9]
    return {"level": 0.9, "stable_from": below[-1] + 1 if below else 1, "spearman": spearman}


def one_round(recipe: LoopRecipe, number: int, rng: np.random.Generator, *, retest: bool) -> dict[str, Any]:
    start, end = 0.18 + 0.07 * (number - 1), 0.3 + 0.08 * (number - 1)
    kept = 0.789 - 0.004 * (number - 1)
    before = ranking(recipe, np.random.default_rng(number), start)
    after = ranking(recipe, np.random.default_rng(number), end)
    return {
        "round": number, "retest": retest, "selector": "mad", "queued": 120, "rated": 120, "ratings": 240, "vetoed": 3,
        "learned": 0 if retest else 40, "tested": 30, "masks": 30 if retest else 70,
        "seconds": {"ratings": 600.0, "masks": 1900.0 if retest else 4200.0, "checks": 300.0},
        "repaired": not retest, "lr": None if retest else 0.001, "limit": None if retest else 0.02,
        "validation": None if retest else {"before": m(kept, 0.012), "after": m(kept - 0.004, 0.012), "change": m(-0.004, 0.005, unit=False)},
        "ranking": before, "after": None if retest else after, "test_change": None if retest else m(end - start, 0.035, unit=False),
        "stability": {"before": stability(rng, 30), "after": None if retest else stability(rng, 30)},
    }  # fmt: skip


def models(recipe: LoopRecipe, rounds: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The table of sets, from the rankings of the rounds; the last rival is predictions only, so it has no T0."""
    found = []
    for place, name in enumerate((recipe.target, *recipe.rivals)):
        target = place == 0
        sets = [
            {"set": "T0", "miou": m(0.789 - 0.008 * place, 0.012), "samples": 200, "place": place + 1, "version": 0 if target else None}
        ]
        for version, one in enumerate(rounds):
            row = next(row for row in one["ranking"] if row["model"] == name)
            sets.append(
                {
                    "set": f"T{one['round']}",
                    "miou": row["miou"],
                    "samples": 30,
                    "place": row["place"],
                    "version": version if target else None,
                }
            )
        predictions_only = place == len(recipe.rivals) > 1
        found.append({"model": name, "role": "target" if target else "rival", "sets": sets[1:] if predictions_only else sets})
    return found


def verdicts(recipe: LoopRecipe, versions: int) -> list[dict[str, Any]]:
    found = []
    for name in ("audit", "validation") if recipe.audit else ("validation",):
        for group, samples, flip in (("all", 100, 0.19), ("common", 60, 0.05), ("counterfactual", 40, 0.41)):
            for version in range(versions):
                flipped = flip * 0.6**version
                missed = 0.08 + 0.005 * version
                rates = {"correct": 1 - flipped - missed, "flipped": flipped, "missed": missed, "added": 0.021 + 0.004 * version}
                change = {"flipped": m(flipped - flip, 0.03 if version else 0.0, unit=False)}
                row = {"set": name, "group": group, "version": version, "samples": samples, "change": change}
                found.append(row | {k: m(v, 0.02) for k, v in rates.items()})
    return found


def gains(recipe: LoopRecipe) -> list[dict[str, Any]]:
    found = []
    for name, step in (("audit", 0.12), ("validation", -0.006), ("tests", 0.2)):
        for place, one in enumerate(recipe.classes):
            change = step / (1 + place)
            found.append(
                {
                    "class": one,
                    "set": name,
                    "before": m(0.5 + 0.05 * place),
                    "after": m(0.5 + 0.05 * place + change),
                    "change": m(change, 0.04, unit=False),
                }
            )
    return found


def loop_numbers(recipe: LoopRecipe) -> dict[str, Any]:
    """The content of loop.json."""
    rng = np.random.default_rng(recipe.seed)
    rounds = [one_round(recipe, 1 + k, rng, retest=False) for k in range(recipe.repairs)]
    if recipe.retest:
        rounds.append(one_round(recipe, len(rounds) + 1, rng, retest=True))
    together = {key: sum(one[key] for one in rounds) for key in ("ratings", "masks", "learned", "tested", "vetoed")}
    front = recipe.classes[1:]
    examples = [
        {"id": f"p-{k:04d}", "round": 1 + k % max(1, recipe.repairs), "class": front[k % len(front)], "file": f"examples/{k:02d}.jpg", "before": 0.31 + 0.02 * k, "after": 0.92 - 0.03 * k}
        for k in range(recipe.examples)
    ]  # fmt: skip
    return {
        "name": "birds", "state": "finished", "why": None, "classes": list(recipe.classes), "rounds": rounds, "models": models(recipe, rounds),
        "sentence": "On fresh test sets the repaired target gains 12 points of mean IoU and rises from 2nd to 1st of 6; on the old validation set it loses 0.8 points. Flips in counterfactual groups fall from 41 to 15 % of the foreground.",
        "validation": [
            {"version": k, "miou": m(0.789 - 0.004 * k, 0.012), "change": m(-0.004 * k, 0.005 if k else 0.0, unit=False)}
            for k in range(recipe.repairs + 1)
        ],
        "gains": gains(recipe), "verdicts": verdicts(recipe, recipe.repairs + 1), "examples": examples,
        "labels": together | {"seconds": float(sum(sum(one["seconds"].values()) for one in rounds))},
    } | dict(recipe.extra)  # fmt: skip


def example_picture(kind: str, *, tile: int, noise: bool, seed: int) -> bytes:
    """Picture, mask, before and after side by side, as a JPEG."""
    rng = np.random.default_rng(seed)
    paint, label = PAINT.get(kind, (200, 120, 60)), MASK_PAINT.get(kind, (68, 119, 170))
    wrong = next(colour for colour in MASK_PAINT.values() if colour != label)
    sheet = Image.new("RGB", (4 * tile, tile * 3 // 4), (255, 255, 255))
    x, y, r = (int(rng.integers(low * tile, high * tile)) // 100 for low, high in ((35, 60), (30, 45), (14, 22)))
    body, neck, head = (
        (x - r, y, x + r, y + int(1.3 * r)),
        (x + r // 2, y - r, x + r // 2 + r // 3, y + r // 2),
        (x + r // 3, y - r - r // 3, x + r, y - r + r // 4),
    )
    for place, (ground, figure) in enumerate([((116, 160, 190), paint), ((0, 0, 0), label), ((0, 0, 0), wrong), ((0, 0, 0), label)]):
        one = Image.new("RGB", (tile, tile * 3 // 4), ground)
        draw = ImageDraw.Draw(one)
        if place == 0:
            draw.rectangle((0, tile // 2, tile, tile), fill=(134, 150, 92))
        for part in (body, head):
            draw.ellipse(part, fill=figure)
        draw.rectangle(neck, fill=figure)
        if place == 2:
            draw.ellipse((x - r, y, x, y + int(1.3 * r)), fill=label)
        if noise:
            one = Image.fromarray(rng.integers(0, 256, (tile * 3 // 4, tile, 3)).astype(np.uint8))
        sheet.paste(one, (place * tile, 0))
    out = io.BytesIO()
    sheet.save(out, "JPEG", quality=88)
    return out.getvalue()


def write_loop(directory: Path, recipe: LoopRecipe) -> Path:
    """Write the artifact and return its directory."""
    numbers = loop_numbers(recipe)
    writer = ArtifactWriter(directory, kind="loop", schema=1, key="0" * 64)
    (writer.path / "loop.json").write_text(json.dumps(numbers), encoding="utf-8")
    (writer.path / "examples").mkdir()
    for k in range(recipe.examples):
        kind = recipe.classes[1:][k % (len(recipe.classes) - 1)]
        picture = example_picture(kind, tile=recipe.tile, noise=recipe.noise, seed=recipe.seed + k)
        (writer.path / "examples" / f"{k:02d}.jpg").write_bytes(picture)
    options = {
        "rounds": recipe.repairs,
        "mine": {"top": 60, "per_class": 5},
        "repair": {"lr": [0.001, 0.0005], "limit": 0.02},
        "engine": None,
    }
    writer.finish(options=options, inputs={"pool": "abc", "target": "def"}, counts={"rounds": recipe.repairs}, seed=7)
    return directory

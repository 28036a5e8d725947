"""A generator of audit artifacts: true to the schema, every number counted from random joint counts, no stage needed."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from tests.report.loops import LoopRecipe, write_loop
from tests.report.replies import AnswersRecipe, write_answers

VERDICT_RGB = {"correct": (0, 158, 115), "flipped": (213, 94, 0), "missed": (127, 127, 127), "added": (204, 121, 167)}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What the artifact should hold."""

    predictions: int = 1
    classes: tuple[str, ...] = ("background", "cat", "dog")
    contexts: tuple[str, ...] = ("indoor", "outdoor")
    samples: int = 60
    worst: int = 24
    risk: bool = True
    groups: bool = True
    gaps: bool = True
    pictures: bool = True
    noise: bool = False
    """Pictures of noise: the worst a JPEG can meet, for the size limit."""
    seed: int = 0
    id_format: str = "sample_{:04d}"
    names: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)
    """Keys of each prediction's numbers to overwrite at the end."""


def ratio(part: float, whole: float) -> float | None:
    return None if whole == 0 else float(part) / float(whole)


def spread(value: float | None, width: float = 0.03) -> dict[str, float | None]:
    """A value with an interval around it."""
    if value is None:
        return {"value": None, "low": None, "high": None}
    return {"value": value, "low": max(0.0, value - width), "high": min(1.0, value + width)}


def draw_counts(recipe: Recipe, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Joint counts [samples, K, K], label [samples] in 1..K-1, context [samples]."""
    k = len(recipe.classes)
    label = rng.integers(1, k, recipe.samples) if k > 1 else np.zeros(recipe.samples, int)
    context = rng.integers(0, len(recipe.contexts), recipe.samples)
    counts = np.zeros((recipe.samples, k, k), np.int64)
    for i, (c, s) in enumerate(zip(label, context, strict=True)):
        odd = (c + s) % 2
        flip, miss = rng.beta(1 + 2 * odd, 5), rng.beta(1, 9)
        figure, total = int(rng.integers(4_000, 40_000)), 90_000
        flipped, missed = int(figure * flip * (1 - miss)), int(figure * miss)
        other = c % (k - 1) + 1 if k > 2 else c
        added = int(rng.integers(0, 4_000))
        counts[i, 0, 0], counts[i, 0, c] = total - figure - added, added
        counts[i, c, 0] += missed
        counts[i, c, other] += flipped
        counts[i, c, c] += figure - flipped - missed
    return counts, label, context


def parts(counts: np.ndarray) -> dict[str, int]:
    """Pixels of each verdict in a [K, K] table whose background is 0."""
    front = counts[1:, 1:]
    correct = int(np.trace(front))
    return {
        "correct": correct,
        "flipped": int(front.sum()) - correct,
        "missed": int(counts[1:, 0].sum()),
        "added": int(counts[0, 1:].sum()),
        "foreground": int(counts[1:].sum()),
        "background": int(counts[0].sum()),
    }


def rates(p: dict[str, int]) -> dict[str, Any]:
    return {word: spread(ratio(p[word], p["background" if word == "added" else "foreground"])) for word in VERDICT_RGB}


def overlap(counts: np.ndarray) -> dict[str, Any]:
    k = len(counts)
    inter, union = np.diag(counts), counts.sum(0) + counts.sum(1) - np.diag(counts)
    iou = [ratio(inter[c], union[c]) for c in range(k)]
    known = [v for v in iou if v is not None]
    p = parts(counts)
    front = ratio(p["correct"] + p["flipped"], p["foreground"] + p["added"])
    return {
        "iou": iou,
        "macro": float(np.mean(known)) if known else None,
        "foreground_iou": front,
        "micro": ratio(inter.sum(), union.sum()),
    }


def group_rows(recipe: Recipe, counts: np.ndarray, label: np.ndarray, context: np.ndarray) -> list[dict[str, Any]]:
    rows = []
    for by in (("class", "context"), ("class",), ("context",)):
        values = np.stack([label if name == "class" else context for name in by], 1)
        for key in np.unique(values, axis=0):
            member = (values == key).all(1)
            names = {n: (recipe.classes[v] if n == "class" else recipe.contexts[v]) for n, v in zip(by, key, strict=True)}
            p, o = parts(counts[member].sum(0)), overlap(counts[member].sum(0))
            kind = ("counterfactual" if sum(key) % 2 else "common") if len(by) == 2 else None
            rows.append(
                {
                    "by": list(by), "attributes": names, "samples": int(member.sum()), "few": bool(member.sum() < 20), "kind": kind,
                    "pixels": {"foreground": p["foreground"]}, "rates": rates(p), "iou": dict(zip(recipe.classes, o["iou"], strict=True)),
                    "foreground_iou": spread(o["foreground_iou"]),
                }
            )  # fmt: skip
    return rows


def gap_numbers(recipe: Recipe, groups: list[dict[str, Any]]) -> dict[str, Any]:
    joint = [g for g in groups if len(g["by"]) == 2]
    iou = []
    for name in recipe.classes[1:]:
        own = [g for g in joint if g["attributes"]["class"] == name]
        common = [g for g in own if g["kind"] == "common" and g["iou"][name] is not None]
        rare = [g for g in own if g["kind"] == "counterfactual" and g["iou"][name] is not None]
        if not (common and rare):
            continue
        value = common[0]["iou"][name] - float(np.mean([g["iou"][name] for g in rare]))
        entry = {"class": name, "common": common[0]["attributes"], "counterfactual": [g["attributes"] for g in rare]}
        iou.append(entry | {"value": value, "low": value - 0.05, "high": value + 0.05})
    worst = max(joint, key=lambda g: g["rates"]["flipped"]["value"] or 0.0)
    flip = float(np.mean([g["rates"]["flipped"]["value"] or 0 for g in joint if g["kind"] == "counterfactual"] or [0.0])) - 0.1
    return {
        "iou": iou,
        "flip": {"value": flip, "low": flip - 0.04, "high": flip + 0.04},
        "worst_group": {"attributes": worst["attributes"], **spread(worst["rates"]["flipped"]["value"], 0.08)},
    }


def risk_numbers(risk: np.ndarray, flip: np.ndarray, *, unscored: int) -> dict[str, Any]:
    order = np.argsort(risk, kind="stable")
    n, bins = len(order), min(10, len(order))
    cuts = [order[i * n // bins : (i + 1) * n // bins] for i in range(bins)]
    deciles = [{"n": len(c), "risk": float(risk[c].mean()), "flip": float(flip[c].mean())} for c in cuts]
    curve = np.cumsum(flip[order]) / np.arange(1, n + 1)
    share = ratio(float(flip[cuts[-1]].sum()), float(flip.sum()))
    scores = {"auroc": 0.871, "spearman": 0.61, "aurc": float(curve.mean()), "eaurc": 0.021, "augrc": 0.034}
    return {
        "column": "flip_risk", "n_scored": n, "n_unscored": unscored, "deciles": deciles, "top_decile_share": share, "oracle_share": 0.4,
        "tau": 0.1, "intervals": {"resamples": 100, "auroc": {"value": 0.871, "low": 0.8, "high": 0.93}}, "curve": {"coverage": ((np.arange(n) + 1) / n).tolist(), "risk": curve.tolist()}, **scores,
        "rivals": {"one_minus_max_probability": {**scores, "auroc": 0.79}, "entropy": {**scores, "auroc": None, "spearman": -0.02}},
    }  # fmt: skip


@cache
def thumbnails(*, noise: bool, pictures: bool, seed: int) -> dict[str, bytes | None]:
    """Four encoded thumbnails of one sample."""
    rng = np.random.default_rng(seed)
    h, w = (320, 320) if noise else (200, 300)
    y, x = np.mgrid[:h, :w]
    cy, cx, r = rng.integers(60, h - 60), rng.integers(80, w - 80), rng.integers(30, 60)
    figure = (y - cy) ** 2 + (x - cx) ** 2 < r * r
    found = (y - cy + 6) ** 2 + (x - cx - 8) ** 2 < r * r
    base = rng.integers(90, 200, 3)
    shade = rng.integers(0, 256, (h, w, 3)) if noise else base + (y * 40 // h + x * 20 // w)[..., None]
    picture = np.clip(np.where(figure[..., None], 255 - shade, shade), 0, 255).astype(np.uint8)
    grey = np.repeat((picture.mean(2) * 0.5 + 110).astype(np.uint8)[..., None], 3, 2)
    grey[figure & found & (x < cx)], grey[figure & found & (x >= cx)] = VERDICT_RGB["flipped"], VERDICT_RGB["correct"]
    grey[figure & ~found], grey[~figure & found] = VERDICT_RGB["missed"], VERDICT_RGB["added"]
    truth, predicted = figure.astype(np.uint8), np.where(found, 1 + (x < cx), 0).astype(np.uint8)
    shown = encode(picture, "JPEG") if pictures else None
    return {"picture": shown, "truth": encode_labels(truth), "predicted": encode_labels(predicted), "flips": encode(grey, "JPEG")} | {
        "width": w, "height": h
    }  # fmt: skip


def encode(pixels: np.ndarray, kind: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, quality=80)
    return out.getvalue()


def encode_labels(labels: np.ndarray) -> bytes:
    picture = Image.fromarray(labels, "P")
    picture.putpalette([255, 255, 255, 68, 119, 170, 221, 204, 119])
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def prediction_numbers(recipe: Recipe, name: str, seed: int) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    """The JSON numbers of one prediction and its table rows."""
    rng = np.random.default_rng(seed)
    counts, label, context = draw_counts(recipe, rng)
    total, k = counts.sum(0), len(recipe.classes)
    p, o = parts(total), overlap(total)
    flip = np.array([ratio(parts(c)["flipped"], parts(c)["foreground"]) for c in counts], float)
    risk = np.clip(flip + rng.normal(0, 0.08, len(flip)), 0, 1)
    risk[rng.random(len(risk)) < 0.05] = np.nan
    scored = np.isfinite(risk) & np.isfinite(flip)
    ids = [recipe.id_format.format(i) for i in range(recipe.samples)]
    rows = [
        {
            "prediction": name, "id": ids[i], "label": recipe.classes[label[i]], "split": "test", "context": recipe.contexts[context[i]],
            "height": 300, "width": 300, "pixels": 90_000, "ignored": 0, **parts(counts[i]), "flip_fraction": none_if_nan(flip[i]),
            "foreground_iou": overlap(counts[i])["foreground_iou"], "boundary_f": 0.8, "confused": confused_words(recipe.classes, counts[i]),
            "risk": none_if_nan(risk[i]) if recipe.risk else None, "image": "pictures/" + ids[i] + ".jpg",
        }
        for i in range(recipe.samples)
    ]  # fmt: skip
    order = np.argsort(-np.nan_to_num(flip), kind="stable")[: recipe.worst]
    worst = [
        {"prediction": name, "id": ids[i], **thumbnails(noise=recipe.noise, pictures=recipe.pictures, seed=seed + place % 16)}
        for place, i in enumerate(order)
    ]
    flips = [
        {"truth": recipe.classes[a], "predicted": recipe.classes[b], "pixels": int(total[a, b]), "rate": ratio(total[a, b], total[a].sum()), "share": ratio(total[a, b], p["flipped"])}
        for a in range(1, k) for b in range(1, k) if a != b and total[a, b]
    ]  # fmt: skip
    groups = group_rows(recipe, counts, label, context) if recipe.groups and k > 1 else []
    class_rows = [
        {"name": recipe.classes[c], "pixels": int(total[c].sum()), "correct": ratio(total[c, c], total[c].sum()), "missed": ratio(total[c, 0], total[c].sum()), "flipped": ratio(total[c, 1:].sum() - total[c, c], total[c].sum())}
        for c in range(1, k)
    ]  # fmt: skip
    numbers = {
        "prediction": name, "samples": recipe.samples,
        "pixels": {"counted": int(total.sum()), "ignored": 1200, "foreground": p["foreground"], "background": p["background"]},
        "rates": rates(p), "flip_image_mean": spread(none_if_nan(np.nanmean(flip)) if np.isfinite(flip).any() else None) | {"samples": int(np.isfinite(flip).sum())},
        "conditional_flip": spread(ratio(p["flipped"], p["flipped"] + p["correct"])),
        "iou": {n: spread(v) | {"present": v is not None} for n, v in zip(recipe.classes, o["iou"], strict=True)},
        "miou": {"micro": spread(o["micro"]), "macro": spread(o["macro"]), "macro-imagewise": spread(o["macro"])},
        "dice": {"macro": spread(o["macro"])}, "accuracy": {"micro": spread(ratio(np.trace(total), total.sum()))},
        "foreground_iou": spread(o["foreground_iou"]), "boundary_f": spread(0.74) | {"tolerance": 0.0075},
        "classes": class_rows, "flips": sorted(flips, key=lambda f: -f["pixels"]),
        "by": ["class", "context"] if recipe.groups else [], "groups": groups, "gaps": gap_numbers(recipe, groups) if recipe.gaps and groups else {"iou": [], "flip": None, "worst_group": None},
        "risk": risk_numbers(risk[scored], flip[scored], unscored=int((~scored).sum())) if recipe.risk and scored.any() else None,
        "sentence": f"{name}: some of the {recipe.classes[-1]} pixels outdoors are called something else.", "notes": ["3 samples have no foreground."],
    }  # fmt: skip
    return numbers | recipe.extra, {"samples": rows, "worst": worst, "regions": region_rows(recipe, name, rng, ids)}


def region_rows(recipe: Recipe, name: str, rng: np.random.Generator, ids: list[str]) -> list[dict[str, Any]]:
    rows = []
    for i, sample in enumerate(ids):
        area, flipped = int(rng.integers(500, 9_000)), float(rng.random())
        verdict = "flipped" if flipped > 0.6 else "mixed" if flipped > 0.4 else "correct"
        part = {"correct": int(area * (1 - flipped)), "flipped": int(area * flipped), "missed": 0, "added": 0}
        rows.append(
            {
                "prediction": name,
                "id": sample,
                "side": "truth",
                "region": 0,
                "class": recipe.classes[1 + i % max(1, len(recipe.classes) - 1)] if len(recipe.classes) > 1 else "background",
                "area": area,
                **part,
                "verdict": verdict,
                "top": 1,
                "left": 2,
                "bottom": 90,
                "right": 80,
                "risk": None,
            }
        )
    return rows  # fmt: skip


def confused_words(classes: tuple[str, ...], counts: np.ndarray) -> str:
    off = counts.copy()
    np.fill_diagonal(off, 0)
    off[0], off[:, 0] = 0, 0
    a, b = divmod(int(off.argmax()), len(classes))
    return f"{classes[a]} > {classes[b]}" if off[a, b] else ""


def none_if_nan(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def write(directory: Path, recipe: Recipe) -> Path:
    """Write the artifact and return its directory."""
    directory.mkdir(parents=True, exist_ok=True)
    names = recipe.names or tuple(f"network {chr(97 + i)}" for i in range(recipe.predictions))
    made = {name: prediction_numbers(recipe, name, recipe.seed + i) for i, name in enumerate(names)}
    dataset = {
        "name": "generated",
        "classes": list(recipe.classes),
        "background": 0,
        "ignore": 255,
        "colours": [f"#{(17 + 31 * i) % 256:02x}{(90 + 57 * i) % 256:02x}aa" for i in range(len(recipe.classes))],
    }
    interval = {"method": "percentile", "level": 0.95, "resamples": 1000, "cluster": None}
    if len(names) == 1:
        audit: dict[str, Any] = {"dataset": dataset, "interval": interval, **made[names[0]][0]}
    else:
        pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
        audit = {
            "dataset": dataset,
            "interval": interval,
            "predictions": {n: m[0] for n, m in made.items()},
            "differences": [row for a, b in pairs for row in difference(a, b, made)],
        }
    (directory / "audit.json").write_text(json.dumps(audit, ensure_ascii=False), encoding="utf-8")
    for table in ("samples", "worst", "regions"):
        pq.write_table(pa.Table.from_pylist([row for m in made.values() for row in m[1][table]]), directory / f"{table}.parquet")
    manifest = {
        "kind": "audit",
        "schema": 1,
        "key": "0" * 64,
        "created": "2025-01-02T03:04:05+00:00",
        "options": {"by": "class,context", "resamples": 1000},
        "seed": 7,
        "versions": {"figureground": "0.1.0"},
        "inputs": {"dataset": "abc"},
        "counts": {"samples": recipe.samples},
        "failures": 1,
        "details": {},
    }
    fault = {
        "code": "truncated",
        "problem": "the file ends early",
        "remedy": "Copy it again",
        "sample": "broken_1",
        "file": "masks/broken_1.png",
    }
    (directory / "failures.json").write_text(json.dumps([fault]), encoding="utf-8")
    (directory / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return directory


def difference(a: str, b: str, made: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for metric in ("flipped", "correct", "missed", "added", "foreground_iou"):
        one, two = (
            made[n][0]["foreground_iou"]["value"] if metric == "foreground_iou" else made[n][0]["rates"][metric]["value"] for n in (a, b)
        )
        value = None if one is None or two is None else one - two
        rows.append(
            {
                "a": a,
                "b": b,
                "metric": metric,
                "value": value,
                "low": None if value is None else value - 0.01,
                "high": None if value is None else value + 0.01,
            }
        )
    return rows


@pytest.fixture(scope="session")
def make_audit(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`make_audit(predictions=3, ...)` writes an artifact and returns its directory."""
    return lambda **wanted: write(tmp_path_factory.mktemp("audit"), Recipe(**wanted))


@pytest.fixture(scope="session")
def make_loop(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`make_loop(repairs=1, ...)` writes a loop artifact and returns its directory."""
    return lambda **wanted: write_loop(tmp_path_factory.mktemp("loop") / "loop", LoopRecipe(**wanted))


@pytest.fixture(scope="session")
def make_answers(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`make_answers(figures=2, ...)` writes an `answers` artifact and returns its directory."""
    return lambda **wanted: write_answers(tmp_path_factory.mktemp("answers") / "answers", AnswersRecipe(**wanted))

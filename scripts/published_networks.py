"""Writes docs/results/published-networks.md: the audit of six published networks on real pictures, every figure measured here.

python scripts/published_networks.py DATA, where DATA holds `voc21` and `predictions/<network>/voc21{/,.csv}`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import figureground
from figureground.runs.executor import available_cores

PAGE = Path(__file__).resolve().parents[1] / "docs" / "results" / "published-networks.md"

TEXT = """# Six published networks on real pictures

<!-- Written by scripts/published_networks.py; every figure is from the run it describes. -->

Six small networks trained on PASCAL VOC 2012 and COCO (ESPNetv2 and DiCENet, three widths each, by their authors) are audited on {samples}
photographs whose masks use the 21 VOC classes: cats outdoors (296), flamingos and emus (120), and COCO pictures (200). Their flip-risk was
stored when they were run: the entropy over the 20 foreground classes, divided by ln 20, mean over the predicted foreground.

```bash
python scripts/published_networks.py DATA
```

## Right regions, wrong labels

Every network finds about as much foreground as the others and misnames a fifth to a quarter of it. In percent, with 95 % intervals
({resamples} bootstrap resamples over pictures, seed {seed}).

| network | correct | flipped | missed | added | foreground IoU | mean IoU |
| --- | --- | --- | --- | --- | --- | --- |
{rates}

## Cats outdoors against the rest

The group `cat` x `outdoor` is the worst of the large ones for all six. The last column is its interval whichever group is the worst
(simultaneous over the groups of at least 20 pictures).

| network | cats outdoors: flipped | called (of all cat pixels) | people outdoors: flipped | people indoors: flipped | worst group |
| --- | --- | --- | --- | --- | --- |
{cats}

## Which animals are taken for which

The six most common flips of the network that is correct most often, {best}.

| truth | called | of the truth class | of all flipped pixels |
| --- | --- | --- | --- |
{flips}

## Do the networks differ?

Paired differences of the flipped share, in percentage points: row minus column, on the same pictures with the same resamples. **Bold** where
the interval excludes 0.

| | {names} |
| --- |{rule}
{pairs}

## How well the risk finds the flips without labels

AUROC for "more than {tau:.0%} of the foreground is flipped", rank correlation with the flipped share, and the part of all flipping that the
tenth of pictures with the highest risk holds (chance: 10 %). Entropy over all classes and one minus the largest probability stand beside it
on the same pictures.

| network | AUROC of flip-risk | AUROC of entropy | AUROC of 1 - max | Spearman | top tenth | pictures with a score |
| --- | --- | --- | --- | --- | --- | --- |
{risk}

Flip-risk tells flipped pictures from others far better than chance and than its rivals, but the pictures it ranks highest are not the most
flipped ones: the top tenth holds little more than a tenth of the flipping. A network that is sure of the wrong name has a low risk.

## What to keep in mind

In the pictures of cats, flamingos and emus only the animal is outlined, so other things in them count as background, and *added* is too high
there. {left_out} of {samples} pictures lack a class or a context and are in none of the crossed groups. A picture's class is the one declared
for it, else its only one.
"""


def percent(rate: dict[str, float], digits: int = 1) -> str:
    return f"{100 * rate['value']:.{digits}f} ({100 * rate['low']:.{digits}f}-{100 * rate['high']:.{digits}f})"


def number(interval: dict[str, float]) -> str:
    return f"{interval['value']:.2f} ({interval['low']:.2f}-{interval['high']:.2f})"


def group(one: dict[str, Any], **attributes: str) -> dict[str, Any]:
    return next(g for g in one["groups"] if g["attributes"] == attributes)


def row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def cats_row(name: str, one: dict[str, Any]) -> str:
    cats = group(one, **{"class": "cat", "context": "outdoor"})
    called = ", ".join(f"{flip['predicted']} {100 * flip['rate']:.1f}" for flip in cats["flips"][:3])
    people = [group(one, **{"class": "person", "context": context})["rates"]["flipped"] for context in ("outdoor", "indoor")]
    return row(name, percent(cats["rates"]["flipped"]), called, *map(percent, people), percent(one["gaps"]["worst_group"]))


def risk_row(name: str, risk: dict[str, Any]) -> str:
    rivals = [f"{risk['rivals'][rival]['auroc']:.2f}" for rival in ("entropy", "one_minus_max_probability")]
    ends = risk["intervals"]
    top = f"{100 * risk['top_decile_share']:.1f} %"
    return row(name, number(ends["auroc"]), *rivals, number(ends["spearman"]), top, f"{risk['n_scored']}")


def pair_rows(names: list[str], differences: list[dict[str, Any]]) -> list[str]:
    found = {(d["a"], d["b"]): d for d in differences if d["metric"] == "flipped"}
    rows = []
    for place, a in enumerate(names[:-1]):
        cells = []
        for b in names[1:]:
            d = found.get((a, b)) if names.index(b) > place else None
            text = f"{100 * d['value']:+.1f} ({100 * d['low']:+.1f} to {100 * d['high']:+.1f})" if d else ""
            cells.append(f"**{text}**" if d and d["low"] * d["high"] > 0 else text)
        rows.append(row(a, *cells))
    return rows


def page(summary: dict[str, Any]) -> str:
    found: dict[str, Any] = summary["predictions"]
    names = list(found)
    best = max(names, key=lambda n: found[n]["rates"]["correct"]["value"])
    first = found[names[0]]
    left_out = next(note.split(" ")[0] for note in first["notes"] if "lack a value" in note)
    parts = ("correct", "flipped", "missed", "added")
    return TEXT.format(
        samples=first["samples"],
        resamples=summary["interval"]["resamples"],
        seed=summary["interval"]["seed"],
        rates="\n".join(
            row(n, *(percent(one["rates"][p]) for p in parts), percent(one["foreground_iou"]), percent(one["miou"]["macro"]))
            for n, one in found.items()
        ),
        cats="\n".join(cats_row(n, one) for n, one in found.items()),
        best=best,
        flips="\n".join(
            row(f["truth"], f["predicted"], f"{100 * f['rate']:.1f} %", f"{100 * f['share']:.1f} %") for f in found[best]["flips"][:6]
        ),
        names=" | ".join(names[1:]),
        rule=" --- |" * (len(names) - 1),
        pairs="\n".join(pair_rows(names, summary["differences"])),
        tau=first["risk"]["tau"],
        risk="\n".join(risk_row(n, one["risk"]) for n, one in found.items()),
        left_out=left_out,
    )


def main() -> None:
    data = Path(sys.argv[1])
    networks = sorted(p.name for p in (data / "predictions").iterdir() if p.is_dir())
    specs = [f"{n}=png:{data}/predictions/{n}/voc21?scores={data}/predictions/{n}/voc21.csv" for n in networks]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "audit"
        summary = figureground.audit(str(data / "voc21"), specs, out=out, workers=available_cores()).summary
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(dict(summary)), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()

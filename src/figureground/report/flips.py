"""Which class is taken for which: the flip matrix, the most confused pairs, and the regions to look at first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from figureground.report import words
from figureground.report.reading import Measure, PredictionAudit, measure, number

MATRIX_CLASSES, PAIRS, REGIONS = 12, 10, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A part of the truth pixels of one class."""

    kind: str
    """correct (the diagonal), flipped, missed or empty (no truth pixel in the row)."""
    predicted: str
    share: float | None
    pixels: int

    @property
    def depth(self) -> float:
        """Strength of the tint in [0, 1]; the root makes small shares visible."""
        return min(1.0, self.share or 0.0) ** 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixRow:
    """Where the truth pixels of one class went; the shares sum to 1."""

    name: str
    pixels: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlipMatrix:
    """Truth in rows, prediction in columns, foreground only, and the missed part at the end."""

    columns: tuple[str, ...]
    rows: tuple[MatrixRow, ...]
    classes: int
    """Foreground classes in all."""
    missed: bool = True
    """The last column is the missed part."""

    @property
    def part(self) -> bool:
        """Some classes are not shown."""
        return len(self.rows) < self.classes


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One confused pair."""

    truth: str
    predicted: str
    rate: float | None
    """Of the truth pixels of the class."""
    pixels: int
    share: float | None
    """Of all flipped pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRow:
    """The decomposition and IoU of one class."""

    name: str
    ground: bool
    """The background: it has an IoU and no parts."""
    pixels: int | None
    """Truth pixels; None for the background."""
    parts: Mapping[str, Measure]
    iou: Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Relabelled:
    """The decomposition with several classes counted as one."""

    name: str
    classes: str
    parts: Mapping[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusable:
    """Flips inside declared sets of confusable classes, and across them; fractions of foreground truth."""

    sets: tuple[str, ...]
    within: float | None
    across: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Regions:
    """Connected regions of truth by majority verdict, and the largest flipped ones."""

    verdicts: tuple[tuple[str, int], ...]
    total: int
    largest: tuple[Mapping[str, object], ...]

    @property
    def mixed(self) -> bool:
        """Some region has no majority, so that the word needs explaining."""
        return any(verdict == "mixed" for verdict, _ in self.verdicts)


def flip_matrix(prediction: PredictionAudit) -> FlipMatrix:
    """The matrix over the most confused classes, in class order; the rest of a row stands under "other classes"."""
    totals = {str(row.get("name")): row for row in prediction.rows("classes")}
    names = list(totals)
    pixels = {(str(f.get("truth")), str(f.get("predicted"))): int(number(f.get("pixels")) or 0) for f in prediction.rows("flips")}
    weight = dict.fromkeys(names, 0)
    for (truth, predicted), n in pixels.items():
        for name in (truth, predicted):
            weight[name] = weight.get(name, 0) + n
    most = set(sorted(names, key=lambda name: (-weight[name], names.index(name)))[:MATRIX_CLASSES])
    shown = [name for name in names if name in most]
    rest = len(shown) < len(names)
    rows = tuple(_matrix_row(name, totals[name], shown, pixels, rest=rest) for name in shown)
    return FlipMatrix(columns=(*shown, *(["other classes"] if rest else []), "missed"), rows=rows, classes=len(names))


def _matrix_row(
    name: str, total: Mapping[str, object], shown: list[str], pixels: Mapping[tuple[str, str], int], *, rest: bool
) -> MatrixRow:
    whole = int(number(total.get("pixels")) or 0)
    parts = {verdict: round((number(total.get(verdict)) or 0.0) * whole) for verdict in ("correct", "flipped", "missed")}

    def cell(kind: str, predicted: str, n: int) -> Cell:
        return Cell(kind=kind if whole else "empty", predicted=predicted, share=n / whole if whole else None, pixels=n)

    cells = [
        cell("correct", name, parts["correct"]) if other == name else cell("flipped", other, pixels.get((name, other), 0))
        for other in shown
    ]
    if rest:
        named = sum(c.pixels for c in cells if c.kind == "flipped")
        cells.append(cell("flipped", "other classes", max(0, parts["flipped"] - named)))
    return MatrixRow(name=name, pixels=whole, cells=(*cells, cell("missed", "background", parts["missed"])))


def confused_pairs(prediction: PredictionAudit) -> tuple[Pair, ...]:
    """The pairs with most flipped pixels."""
    return tuple(
        Pair(
            truth=str(flip.get("truth")),
            predicted=str(flip.get("predicted")),
            rate=number(flip.get("rate")),
            pixels=int(number(flip.get("pixels")) or 0),
            share=number(flip.get("share")),
        )
        for flip in prediction.rows("flips")[:PAIRS]
    )


def class_rows(prediction: PredictionAudit) -> tuple[ClassRow, ...]:
    """One row a class with its IoU, in the order of the artifact."""
    iou = prediction.mapping("iou")
    found = {str(row.get("name")): row for row in prediction.rows("classes")}
    return tuple(
        ClassRow(
            name=name,
            ground=name not in found,
            pixels=int(number(found[name].get("pixels")) or 0) if name in found else None,
            parts={verdict: measure(found.get(name, {}).get(verdict)) for verdict in ("correct", "flipped", "missed")},
            iou=measure(iou.get(name)),
        )
        for name in dict.fromkeys([*found, *iou])
    )


def relabelled(prediction: PredictionAudit) -> tuple[Relabelled, ...]:
    """One entry for each declared merge of classes."""
    return tuple(
        Relabelled(
            name=str(row.get("name")),
            classes=words.listing([str(name) for name in row.get("classes") or ()], most=12),
            parts={verdict: number((row.get("rates") or {}).get(verdict)) for verdict in words.VERDICTS},
        )
        for row in prediction.rows("merged")
    )


def confusable(prediction: PredictionAudit) -> Confusable | None:
    """Flips within and across the declared sets; None where none is declared."""
    found = prediction.mapping("confusable")
    if not found:
        return None
    sets = tuple(words.listing([str(name) for name in names], most=12) for names in found.get("sets") or ())
    return Confusable(sets=sets, within=number(found.get("within")), across=number(found.get("across")))


def regions(prediction: PredictionAudit) -> Regions:
    """Verdicts of the truth regions, and the flipped ones with the most flipped pixels."""
    table = prediction.regions
    if not {"side", "verdict", "flipped"} <= set(table.column_names) or table.num_rows == 0:
        return Regions(verdicts=(), total=0, largest=())
    table = table.filter(pc.field("side") == "truth")
    counted = {row["values"]: row["counts"] for row in table.column("verdict").value_counts().to_pylist()}
    known = [verdict for verdict in ("correct", "mixed", "flipped", "missed") if verdict in counted]
    order = [*known, *sorted(v for v in counted if v not in known and v is not None)]
    flipped = table.filter(pc.field("verdict") == "flipped")
    flipped = flipped.sort_by([("flipped", "descending"), ("id", "ascending"), ("region", "ascending")]).slice(0, REGIONS)
    return Regions(verdicts=tuple((v, counted[v]) for v in order), total=table.num_rows, largest=tuple(_region_rows(flipped)))


def _region_rows(table: pa.Table) -> list[Mapping[str, object]]:
    return [row | {"share": row["flipped"] / row["area"] if row.get("area") else None} for row in table.to_pylist()]

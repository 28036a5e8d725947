"""The contact sheet: the worst samples as pictures, within the size that the page may have."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from figureground.report import words
from figureground.report.reading import PredictionAudit, number

CARD_TEXT = 3_000
"""Characters that a card may take besides its pictures."""
VIEWS = {
    "picture": "Picture",
    "truth": "Truth",
    "predicted": "Prediction",
    "flips": "Verdicts",
}
FORMATS = ((b"\x89PNG", "image/png"), (b"\xff\xd8", "image/jpeg"), (b"RIFF", "image/webp"))


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One thumbnail; without `source` the artifact has no such picture."""

    title: str
    source: str | None
    alt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One of the worst samples."""

    rank: int
    id: str
    group: str
    confused: tuple[str, str] | None
    """Truth and prediction of the largest flip; None where nothing is flipped."""
    views: tuple[View, ...]
    width: int
    height: int
    parts: Mapping[str, float | None]
    """Fractions by verdict: of foreground truth, added of background truth."""
    foreground_iou: float | None
    risk: float | None

    @property
    def pair(self) -> tuple[View, ...]:
        """What shows the finding best: the picture, or the truth where there is none, and the verdicts."""
        known = {view.title: view for view in self.views if view.source}
        first = known.get("Picture", known.get("Truth"))
        return tuple(view for view in (first, known.get("Verdicts")) if view is not None)

    @property
    def confusion(self) -> str:
        """`cat called dog`, or the empty text."""
        return " called ".join(self.confused) if self.confused else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactSheet:
    """The worst samples, most flipped first."""

    cards: tuple[Card, ...]
    available: int
    """Pictures in the artifact; more than cards where the page would grow too big."""
    groups: tuple[str, ...]
    classes: tuple[str, ...]
    """Classes that the cards name, in order of name."""
    has_risk: bool


def contact_sheet(prediction: PredictionAudit, *, budget: int, by: Sequence[str]) -> ContactSheet:
    """The cards of one prediction, as many of the worst as `budget` characters allow, one of them shown twice."""
    rows = _sample_rows(prediction)
    cards: list[Card] = []
    spent = twice = 0
    for rank, worst in enumerate(prediction.worst.to_pylist(), 1):
        card = _card(rank, worst, rows.get(worst["id"], {}), by)
        pictures = sum(len(view.source or "") for view in card.views)
        spent, twice = spent + pictures + CARD_TEXT, max(twice, pictures)
        if spent + twice > budget:
            break
        cards.append(card)
    groups = sorted({card.group for card in cards if card.group})
    return ContactSheet(
        cards=tuple(cards),
        available=prediction.worst.num_rows,
        groups=tuple(groups),
        classes=tuple(sorted({name for card in cards for name in card.confused or ()})),
        has_risk=any(card.risk is not None for card in cards),
    )


def _sample_rows(prediction: PredictionAudit) -> dict[str, Mapping[str, Any]]:
    samples = prediction.samples
    if prediction.worst.num_rows == 0 or samples.num_rows == 0:
        return {}
    chosen = samples.filter(pc.field("id").isin(prediction.worst.column("id").combine_chunks()))
    return {row["id"]: row for row in chosen.to_pylist()}


def _card(rank: int, worst: Mapping[str, Any], row: Mapping[str, Any], by: Sequence[str]) -> Card:
    name = str(worst["id"])
    known = {attribute: _attribute(row, attribute) for attribute in by}
    return Card(
        rank=rank,
        id=name,
        group=words.group_name(known) if any(known.values()) else "",
        confused=words.confused_pair(row.get("confused")),
        views=tuple(View(title=title, source=data_url(worst.get(key)), alt=f"{title}: {name}") for key, title in VIEWS.items()),
        width=int(number(worst.get("width")) or 320),
        height=int(number(worst.get("height")) or 240),
        parts={word: _share(row, word) for word in words.VERDICTS},
        foreground_iou=number(row.get("foreground_iou")),
        risk=number(row.get("risk")),
    )


def _attribute(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name, row.get("label") if name == "class" else None)
    return "" if value is None else str(value)


def _share(row: Mapping[str, Any], verdict: str) -> float | None:
    part, whole = number(row.get(verdict)), number(row.get("background" if verdict == "added" else "foreground"))
    return part / whole if part is not None and whole else None


def data_url(content: bytes | None) -> str | None:
    """A picture as an address that holds it; None for what is no PNG, JPEG or WebP."""
    kind = next((mime for start, mime in FORMATS if content and content.startswith(start)), None)
    return None if content is None or kind is None else f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"

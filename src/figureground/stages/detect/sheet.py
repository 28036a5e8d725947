"""A sheet of held-out pictures: what was labelled, what the detector says, and what would be cut out and filled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from matplotlib import colormaps
from PIL import Image, ImageDraw, ImageFont

from figureground.data.grids import Thresholds, to_pixels
from figureground.stages.detect.measure import RATES, counts_of, rates_of

PAPER, INK, QUIET = (250, 249, 246), (48, 48, 52), (110, 110, 116)
TIGHT, LOOSE = (0x00, 0x72, 0xB2), (0xE6, 0x9F, 0x00)
"""Colours of the outlines, those of the lines of `curve.svg`."""
SIDE_PX, GAP_PX, TEXT_PX, LINE_PX = 168, 8, 15, 2
HEADS = ("picture", "labelled figure", "P(background)", "cut out, filled")
PARTS = ("best", "middle", "worst")
LONGEST = 22
"""Characters of an id that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Example:
    """A held-out picture with its labels and its grid."""

    id: str
    picture: np.ndarray
    """uint8 [height, width, 3], RGB."""
    figure: np.ndarray
    """bool [rows, columns], the labels."""
    background: np.ndarray
    """float32 [rows, columns], P(background)."""
    part: str
    """One of `PARTS`."""
    rates: Mapping[str, float]
    """By the names of `RATES`, over the patches of this picture alone; NaN for 0 / 0."""


def example_parts(ids: Sequence[str], ious: Sequence[float], *, most: int) -> tuple[tuple[str, str], ...]:
    """Pictures to show with the part each is of, best first: so many of the best, of those in the middle, and of the worst.

    Args:
        ids: of the pictures.
        ious: of their figures; a picture without, since nothing is labelled or called figure, is not shown.
        most: of each part.

    Example:
        >>> example_parts("abcdefg", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7], most=1)
        (('g', 'best'), ('d', 'middle'), ('a', 'worst'))
    """
    known = [(name, iou) for name, iou in zip(ids, ious, strict=True) if not np.isnan(iou)]
    order = [name for name, _ in sorted(known, key=lambda one: (-one[1], one[0]))]
    if len(order) <= 3 * most:
        parts = np.array_split(np.arange(len(order)), 3)
    else:
        start = (len(order) - most) // 2
        parts = [range(most), range(start, start + most), range(len(order) - most, len(order))]
    return tuple((order[place], word) for word, places in zip(PARTS, parts, strict=True) for place in places)


def picture_rates(figure: np.ndarray, background: np.ndarray, thresholds: Thresholds) -> dict[str, float]:
    """`RATES` over the patches of one picture."""
    return dict(zip(RATES, rates_of(counts_of(figure, background, thresholds)).tolist(), strict=True))


def detector_sheet(examples: Sequence[Example], thresholds: Thresholds) -> np.ndarray:
    """One row a picture, uint8 [height, width, 3] RGB; the same numbers for the same arguments.

    Args:
        examples: at least one, in the order of the rows.
        thresholds: bounds of what is cut out and filled.
    """
    wide, words = SIDE_PX + GAP_PX, 13 * TEXT_PX
    head, foot = 2 * TEXT_PX, 4 * TEXT_PX
    sheet = Image.new("RGB", (GAP_PX + len(HEADS) * wide + words, head + len(examples) * wide + foot), PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(TEXT_PX)
    for column, name in enumerate(HEADS):
        pen.text((GAP_PX + column * wide, head / 2), name, INK, font, anchor="lm")
    for row, example in enumerate(examples):
        top = head + row * wide
        if row and example.part != examples[row - 1].part:
            pen.line((GAP_PX, top - GAP_PX / 2, sheet.width - GAP_PX, top - GAP_PX / 2), fill=QUIET, width=1)
        for column, panel in enumerate(_panels(example, thresholds)):
            sheet.paste(Image.fromarray(panel), (GAP_PX + column * wide, top))
        _caption(pen, example, (GAP_PX + len(HEADS) * wide + GAP_PX, top))
    _legend(sheet, thresholds, top=head + len(examples) * wide + GAP_PX)
    return np.asarray(sheet)


def _panels(example: Example, thresholds: Thresholds) -> tuple[np.ndarray, ...]:
    """Picture, labels, heat and outlines, each uint8 [height, width, 3] of one size that fits into the cell."""
    scale = SIDE_PX / max(example.picture.shape[:2])
    height, width = (max(1, round(side * scale)) for side in example.picture.shape[:2])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    picture = cv2.resize(example.picture, (width, height), interpolation=way)
    background = to_pixels(example.background, (height, width))
    labelled = to_pixels(example.figure.astype(np.float32), (height, width)) > 0.5
    dimmed = (0.25 * cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None] + 175).astype(np.uint8).repeat(3, 2)
    return picture, np.where(labelled[..., None], picture, dimmed), heat_of(background), _outlined(picture, background, thresholds)


def heat_of(background: np.ndarray) -> np.ndarray:
    """Colours of P(background), uint8 [..., 3]: 0 is bright, 1 is dark."""
    return (np.asarray(colormaps["viridis_r"](np.clip(background, 0.0, 1.0)))[..., :3] * 255).round().astype(np.uint8)


def _outlined(picture: np.ndarray, background: np.ndarray, thresholds: Thresholds) -> np.ndarray:
    """The paled picture with an outline inside what is cut out and one around what is filled, so that both are seen where they are one."""
    out = (0.65 * picture + 0.35 * 255).astype(np.uint8)
    tight, loose = background < thresholds.tight, background < thresholds.loose
    kernel = np.ones((2 * LINE_PX + 1, 2 * LINE_PX + 1), np.uint8)
    border = np.pad(np.zeros([max(0, side - 2 * LINE_PX) for side in loose.shape], bool), LINE_PX, constant_values=True)
    border = border[: loose.shape[0], : loose.shape[1]]  # of a panel thinner than both lines
    around = cv2.dilate(loose.astype(np.uint8), kernel).astype(bool) & ~loose
    out[around | (loose & border)] = LOOSE
    tight &= ~border  # what is cut out is filled, too: there the other line runs along the border
    inside = cv2.erode(tight.astype(np.uint8), kernel).astype(bool)
    out[tight & ~inside] = TIGHT
    return out


def caption_of(example: Example) -> tuple[str, ...]:
    """The lines beside a row: part, id and rates; a rate of nothing is a dash."""
    name = example.id if len(example.id) <= LONGEST else f"\u2026{example.id[1 - LONGEST :]}"
    rates = {"IoU": "mask_iou", "leaked": "leakage", "covered": "coverage"}
    return (example.part, name, *(f"{word} {_percent(example.rates[key])}" for word, key in rates.items()))


def _caption(pen: ImageDraw.ImageDraw, example: Example, at: tuple[float, float]) -> None:
    for place, text in enumerate(caption_of(example)):
        colour = QUIET if place == 1 else INK
        pen.text((at[0], at[1] + place * 1.45 * TEXT_PX), text, colour, ImageFont.load_default(TEXT_PX))


def _legend(sheet: Image.Image, thresholds: Thresholds, *, top: float) -> None:
    """What the outlines and the colours mean."""
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(TEXT_PX - 2)
    left, middle = GAP_PX, top + TEXT_PX / 2
    for colour, text in ((TIGHT, f"tight: cut out below {thresholds.tight:g}"), (LOOSE, f"loose: filled below {thresholds.loose:g}")):
        pen.rectangle((left, middle - 4, left + 18, middle + 4), outline=colour, width=3)
        pen.text((left + 26, middle), text, INK, font, anchor="lm")
        left += 26 + pen.textlength(text, font) + 3 * GAP_PX
    pen.text((left, middle), "P(background): 0", INK, font, anchor="lm")
    left += pen.textlength("P(background): 0", font) + GAP_PX
    bar = heat_of(np.linspace(0, 1, 96))[None].repeat(10, 0)
    sheet.paste(Image.fromarray(bar), (round(left), round(middle) - 5))
    pen.text((left + 96 + GAP_PX, middle), "1", INK, font, anchor="lm")
    said = "IoU: of the figure at one half; leaked: of what is cut out; covered: of the figure, filled; over patches."
    pen.text((GAP_PX, middle + 1.7 * TEXT_PX), said, QUIET, font, anchor="lm")


def _percent(rate: float) -> str:
    return "-" if np.isnan(rate) else f"{100 * rate:.1f} %"

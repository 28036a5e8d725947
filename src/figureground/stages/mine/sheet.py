"""The contact sheet of a queue: each sample as a picture, as the target sees it and as the rival does."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from figureground.core.errors import FormatError
from figureground.core.types import ClassTable, LabelRuns
from figureground.data.labelmap import resize_nearest
from figureground.data.pixels import read_picture
from figureground.stages.mine.queue import Queued

PAPER, INK, FAINT, FRAME = (250, 249, 246), (48, 48, 52), (110, 110, 116), (176, 176, 178)
_SIDE, _GAP, _LINE = 168, 8, 16
_TEXT, _HEADLINE = 12, 15
_NAMED = 3
"""Classes that a caption names."""

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Card:
    """One sample on the sheet."""

    title: str
    reason: str
    """Why it was chosen, in a line."""
    names: Sequence[str]
    """Of the target, and of the rival where there is one."""
    picture: np.ndarray
    """uint8 [height, width, 3], RGB."""
    maps: tuple[LabelRuns, ...]
    """Theirs."""


def cards_of(queued: Sequence[Queued], images: Mapping[str, str], names: Sequence[str], classes: ClassTable, *, most: int) -> list[Card]:
    """The first of a queue as cards, as far as their pictures can be read.

    Args:
        queued: best first.
        images: id -> picture.
        names: of the target and of the rivals.
        classes: of the pool.
        most: how many cards.
    """
    cards: list[Card] = []
    for rank, one in enumerate(queued, start=1):
        if len(cards) >= most:
            break
        if one.chosen.id not in images:
            continue
        try:
            picture = read_picture(images[one.chosen.id], sample=one.chosen.id)
        except FormatError:
            continue
        shown = [0] if one.rival is None else [0, one.rival + 1]
        cards.append(
            Card(
                title=f"{rank}. {one.chosen.id}",
                reason=_reason(one, names, classes),
                names=[names[place] for place in shown],
                picture=picture,
                maps=tuple(one.maps[place] for place in shown),
            )
        )
    return cards


def _reason(one: Queued, names: Sequence[str], classes: ClassTable) -> str:
    """Such as `discrepancy 0.71: NAME sees cat on 12 % of the picture, OTHER sees it on 3 %`."""
    if one.rival is None:
        return f"score {one.score:.3g}"
    worth, pair = f"discrepancy {one.discrepancy:.2f}", (names[0], names[one.rival + 1])
    if one.direction is None or one.class_id is None:
        return worth
    seer, other = (0, 1) if one.direction == "target" else (1, 0)
    there = "no foreground" if one.one_sided else f"it on {100 * one.areas[other]:.0f} %"
    own = f"{classes.name_of(one.class_id)} on {100 * one.areas[seer]:.0f} % of the picture"
    return f"{worth}: {pair[seer]} sees {own}, {pair[other]} sees {there}"


def _seen(label_map: LabelRuns, classes: ClassTable) -> list[int]:
    """The foreground classes of a map, largest first, as places in the class table."""
    areas = np.bincount(label_map.values, weights=label_map.lengths)
    order = [i for i in sorted(range(areas.size), key=lambda i: (-areas[i], i)) if areas[i] and i != classes.background]
    return [classes.ids.index(i) for i in order[:_NAMED]]


def queue_sheet(cards: Sequence[Card], classes: ClassTable, colours: np.ndarray, *, caption: str) -> np.ndarray:
    """Cards in columns, best first in reading order.

    Args:
        cards: at least one.
        classes: of the maps.
        colours: uint8 [classes, 3], RGB of each class in the order of the table.
        caption: a line above.

    Returns:
        uint8 [height, width, 3], RGB.
    """
    wide, across = 3 * _SIDE + 2 * _GAP, 1 if len(cards) < 3 else 2
    small = [_thumbnail(card.picture) for card in cards]
    rows = [range(first, min(first + across, len(cards))) for first in range(0, len(cards), across)]
    heights = [max(small[place].shape[0] for place in row) + 3 * _LINE + 3 * _GAP for row in rows]
    margin, top = 3 * _GAP, 2 * _LINE + 2 * _GAP
    sheet = Image.new("RGB", (across * (wide + margin) + margin, top + sum(heights) + _GAP), PAPER)
    ImageDraw.Draw(sheet).text((margin, _GAP), fitted(caption, sheet.width - 2 * margin, font_of(_HEADLINE)), INK, font_of(_HEADLINE))
    for row, height in zip(rows, heights, strict=True):
        for column, place in enumerate(row):
            _draw_card(sheet, cards[place], small[place], (margin + column * (wide + margin), top), classes, colours)
        top += height
    return np.asarray(sheet)


def _draw_card(
    sheet: Image.Image, card: Card, small: np.ndarray, corner: tuple[int, int], classes: ClassTable, colours: np.ndarray
) -> None:
    """Two lines, the picture and the maps side by side, and below each map what it shows."""
    pen, font, (left, top) = ImageDraw.Draw(sheet), font_of(_TEXT), corner
    wide = 3 * _SIDE + 2 * _GAP
    pen.text((left, top), fitted(card.title, wide, font), INK, font)
    pen.text((left, top + _LINE), fitted(card.reason, wide, font), FAINT, font)
    shown = [small, *(overlay(small, m, classes, colours) for m in card.maps)]
    for column, picture in enumerate(shown):
        x, y = left + column * (_SIDE + _GAP), top + 2 * _LINE + 4
        high, across = picture.shape[:2]
        sheet.paste(Image.fromarray(picture), (x, y))
        pen.rectangle((x - 1, y - 1, x + across, y + high), outline=FRAME)
        if column:
            _draw_caption(pen, (x, y + high + 3), card.names[column - 1], _seen(card.maps[column - 1], classes), classes, colours)


def _draw_caption(
    pen: ImageDraw.ImageDraw, corner: tuple[int, int], name: str, places: Sequence[int], classes: ClassTable, colours: np.ndarray
) -> None:
    """The model's name, and a swatch and the name of each class it sees, as far as there is room."""
    font, (x, y) = font_of(_TEXT), corner
    end, swatch = x + _SIDE, _TEXT - 3
    text = fitted(f"{name}:", _SIDE * 2 // 3 if places else _SIDE // 2, font)
    pen.text((x, y), text, FAINT, font)
    at = x + round(font.getlength(text)) + 5
    if not places:
        pen.text((at, y), fitted("no foreground", end - at, font), FAINT, font)
    for place in places:
        if end - at < swatch + 4 + font.getlength("..."):
            return
        pen.rectangle((at, y + 3, at + swatch - 1, y + 2 + swatch), fill=tuple(colours[place].tolist()), outline=FRAME)
        word = fitted(classes.names[place], end - at - swatch - 4, font)
        pen.text((at + swatch + 4, y), word, FAINT, font)
        at += swatch + 4 + round(font.getlength(word)) + 6


def overlay(picture: np.ndarray, label_map: LabelRuns, classes: ClassTable, colours: np.ndarray) -> np.ndarray:
    """The picture with its classes in colour; their borders are white within and dark without, so that they show on any ground."""
    dense = resize_nearest(label_map, (picture.shape[0], picture.shape[1])).dense()
    table = np.zeros((int(dense.max()) + 1, 3), np.float32)
    for class_id, colour in zip(classes.ids, colours, strict=True):
        if class_id < len(table):
            table[class_id] = colour
    figure = dense != classes.background
    mixed = picture * 0.75 + 60
    mixed[figure] = 0.4 * picture[figure] + 0.6 * table[dense[figure]]
    edge = cv2.morphologyEx(dense, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    mixed[edge & figure], mixed[edge & ~figure] = 255, 70
    return mixed.clip(0, 255).astype(np.uint8)


def _thumbnail(picture: np.ndarray) -> np.ndarray:
    scale = _SIDE / max(picture.shape[:2])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


@lru_cache(maxsize=4)
def font_of(size: int) -> Font:
    """DejaVu Sans, which matplotlib brings and which has most alphabets; Pillow's own font where that is not there."""
    found = find_spec("matplotlib")  # only looked for: its import would take longer than the sheet
    file = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf" if found and found.origin else None
    return ImageFont.truetype(str(file), size) if file and file.is_file() else ImageFont.load_default(size)


def fitted(text: str, width: float, font: Font) -> str:
    """The text as the font can write it, cut where it is too wide for its place; a letter that the font lacks is its number, `[4E2D]`."""
    shown = "".join(c if _has(c, font) else f"[{ord(c):04X}]" for c in unicodedata.normalize("NFC", text[:400]))
    if font.getlength(shown) <= width:
        return shown
    while shown and font.getlength(shown + "...") > width:
        shown = shown[:-1]
    return shown + "..."


@lru_cache(maxsize=4096)
def _has(letter: str, font: Font) -> bool:
    """Whether a font has a letter: what it lacks is drawn as the same box as a number that is no letter."""
    if unicodedata.category(letter)[0] == "C":
        return False  # line breaks and the like
    own, box = (_drawn(one, font) for one in (letter, "\U0010ffff"))
    return letter.isspace() or own.shape != box.shape or not np.array_equal(own, box)


def _drawn(letter: str, font: Font) -> np.ndarray:
    """A letter as pixels, cut to its box."""
    left, top, right, bottom = (round(edge) for edge in font.getbbox(letter))
    tile = Image.new("L", (max(1, right - left), max(1, bottom - top)))
    ImageDraw.Draw(tile).text((-left, -top), letter, 255, font)
    return np.asarray(tile)

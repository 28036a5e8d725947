"""The contact sheet of a queue: each sample as a picture, as the target sees it and as the rival does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from figureground.core.errors import FormatError
from figureground.core.types import ClassTable, LabelRuns
from figureground.data.labelmap import resize_nearest
from figureground.data.pixels import read_picture
from figureground.stages.mine.queue import Queued

PAPER, INK, FAINT = (250, 249, 246), (48, 48, 52), (110, 110, 116)
_SIDE, _GAP, _LINE = 168, 8, 15


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Card:
    """One sample on the sheet."""

    title: str
    captions: Sequence[str]
    """Below the picture, the target's map and the rival's."""
    picture: np.ndarray
    """uint8 [height, width, 3], RGB."""
    maps: tuple[LabelRuns, ...]
    """The target's, and the rival's where there is one."""


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
        worth = f"discrepancy {one.discrepancy:.2f}" if one.rival is not None else f"score {one.score:.3g}"
        cards.append(
            Card(
                title=f"{rank}. {one.chosen.id}: {worth}",
                captions=("", *(f"{names[place]}: {_sees(one.maps[place], classes)}" for place in shown)),
                picture=picture,
                maps=tuple(one.maps[place] for place in shown),
            )
        )
    return cards


def _sees(label_map: LabelRuns, classes: ClassTable) -> str:
    """The foreground classes of a map, largest first."""
    areas = np.bincount(label_map.values, weights=label_map.lengths)
    order = [i for i in sorted(range(areas.size), key=lambda i: (-areas[i], i)) if areas[i] and i != classes.background]
    return ", ".join(classes.name_of(i) for i in order[:3]) or "no foreground"


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
    wide, high = 3 * _SIDE + 2 * _GAP, _SIDE + 2 * _LINE + 3 * _GAP
    across = 1 if len(cards) < 3 else 2
    down = -(-len(cards) // across)
    sheet = Image.new("RGB", (across * (wide + 3 * _GAP) + 3 * _GAP, down * high + 2 * _LINE + 3 * _GAP), PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(_LINE - 3)
    pen.text((3 * _GAP, _GAP), caption, INK, ImageFont.load_default(_LINE))
    for place, card in enumerate(cards):
        left, top = 3 * _GAP + place % across * (wide + 3 * _GAP), 2 * _LINE + 2 * _GAP + place // across * high
        pen.text((left, top), _fitted(card.title, wide, font), INK, font)
        small = _thumbnail(card.picture)
        shown = [small, *(overlay(small, m, classes, colours) for m in card.maps)]
        for column, (picture, text) in enumerate(zip(shown, card.captions, strict=False)):
            x = left + column * (_SIDE + _GAP)
            thumbnail = Image.fromarray(picture)
            sheet.paste(thumbnail, (x + (_SIDE - thumbnail.width) // 2, top + _LINE + 2 + (_SIDE - thumbnail.height) // 2))
            pen.text((x, top + _LINE + _SIDE + 4), _fitted(text, _SIDE, font), FAINT, font)
    return np.asarray(sheet)


def overlay(picture: np.ndarray, label_map: LabelRuns, classes: ClassTable, colours: np.ndarray) -> np.ndarray:
    """The picture with its classes in colour and their borders in white; the background stays, a little paler."""
    dense = resize_nearest(label_map, (picture.shape[0], picture.shape[1])).dense()
    table = np.zeros((int(dense.max()) + 1, 3), np.float32)
    for class_id, colour in zip(classes.ids, colours, strict=True):
        if class_id < len(table):
            table[class_id] = colour
    figure = dense != classes.background
    mixed = picture * 0.75 + 60
    mixed[figure] = 0.4 * picture[figure] + 0.6 * table[dense[figure]]
    edge = cv2.morphologyEx(dense, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    mixed[edge] = 255
    return mixed.clip(0, 255).astype(np.uint8)


def _thumbnail(picture: np.ndarray) -> np.ndarray:
    scale = _SIDE / max(picture.shape[:2])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def _fitted(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The text, cut where it is wider than its place."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."

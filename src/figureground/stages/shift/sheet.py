"""A contact sheet: classes down, contexts across, a few pictures of each group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from figureground.core.ties import Common, own_contexts

PAPER, INK, FRAME = (250, 249, 246), (48, 48, 52), (206, 96, 52)
_LARGEST_PX = 128
"""Side of a thumbnail, at most."""


def contact_sheet(
    groups: Mapping[tuple[str, str], Sequence[np.ndarray]],
    *,
    classes: Sequence[str],
    contexts: Sequence[str],
    common: Common,
    caption: str,
) -> np.ndarray:
    """Pictures of each group in a block, with names at the edges; the groups that training ties together are framed.

    Args:
        groups: (class, context) -> its pictures, uint8 [height, width, 3]; a group without any stays empty.
        classes: rows of the sheet, at least one.
        contexts: columns of the sheet, at least one.
        common: class -> the context, or contexts, it is tied to.
        caption: a line below.

    Returns:
        uint8 [height, width, 3], RGB.
    """
    pictures = [picture for some in groups.values() for picture in some]
    side = min(_LARGEST_PX, max((max(p.shape[:2]) for p in pictures), default=_LARGEST_PX))
    across = max(1, int(np.ceil(np.sqrt(max((len(some) for some in groups.values()), default=1)))))
    down = max(1, -(-max((len(some) for some in groups.values()), default=1) // across))
    gap, text = max(2, side // 32), max(11, side // 8)
    margin = max(len(name) for name in classes) * text * 6 // 10 + 3 * gap
    wide, high = across * (side + gap) + 3 * gap, down * (side + gap) + 3 * gap
    sheet = Image.new("RGB", (margin + wide * len(contexts) + gap, 2 * text + high * len(classes) + 2 * text + gap), PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(text)
    for column, context in enumerate(contexts):
        pen.text((margin + column * wide + wide / 2, text), context, INK, font, anchor="mm")
    for row, name in enumerate(classes):
        top = 2 * text + row * high
        pen.text((margin - 2 * gap, top + high / 2), name, INK, font, anchor="rm")
        for column, context in enumerate(contexts):
            left = margin + column * wide
            if context in own_contexts(common, name):
                pen.rectangle((left, top, left + wide - 2 * gap, top + high - 2 * gap), outline=FRAME, width=max(1, gap // 2))
            for place, picture in enumerate(groups.get((name, context), ())):
                thumbnail = Image.fromarray(_fitted(picture, side))
                sheet.paste(thumbnail, (left + gap + place % across * (side + gap), top + gap + place // across * (side + gap)))
    pen.text((gap * 2, sheet.height - text), caption, INK, ImageFont.load_default(max(10, text * 7 // 8)), anchor="lm")
    return np.asarray(sheet)


def _fitted(picture: np.ndarray, side: int) -> np.ndarray:
    """The picture with its longer side as long as a thumbnail."""
    scale = side / max(picture.shape[:2])
    if scale == 1:
        return picture
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)

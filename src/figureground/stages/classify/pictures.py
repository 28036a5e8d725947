"""Small pictures of the figures whose answer changes with the ground, so that the report needs no other file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import cv2
import numpy as np
import pyarrow as pa

from figureground.data.dataset import Dataset
from figureground.data.pixels import read_picture
from figureground.metrics.flips import FigureFlips
from figureground.stages.classify.answered import Answered

SIDE_PX = 224
"""Longest side of a picture that is kept."""
MOST = 8
"""Pictures of one figure, at most."""
PICTURES = pa.schema(
    [("figure", pa.string()), ("id", pa.string()), ("picture", pa.binary()), ("width", pa.int32()), ("height", pa.int32())]
)


def flipped_figures(flips: Sequence[FigureFlips], answered: Answered, *, most: int) -> tuple[str, ...]:
    """Figures with an answer that changes, those with the largest part of changed pairs first, of equal ones those answered surest.

    How sure is the probability of the least sure answer to a picture of the figure.
    """
    sure: dict[str, float] = {}
    for figure, probability in zip(answered.figures, answered.probabilities.max(1), strict=True):
        sure[figure] = min(sure.get(figure, 1.0), float(probability))
    flipped = sorted((f for f in flips if f.flipped), key=lambda f: (-f.rate, -sure[f.figure], f.figure))
    return tuple(f.figure for f in flipped[:most])


def kept_pictures(flips: Sequence[FigureFlips], answered: Answered, dataset: Dataset, *, most: int) -> pa.Table:
    """The pictures of some figures as JPEG, at most `MOST` of each, by context; figures in the order of `flipped_figures`.

    Raises:
        FormatError: a picture that can no longer be read.
    """
    rows = [
        {"figure": figure, **_row(dataset, answered.ids[place])}
        for figure in flipped_figures(flips, answered, most=most)
        for place in _shown(answered, figure)
    ]
    return pa.Table.from_pylist(rows, PICTURES)


def _shown(answered: Answered, figure: str) -> list[int]:
    """Places of its pictures with a context; of more than `MOST`, one of each context and answer comes before a second."""
    own = [place for place, name in enumerate(answered.figures) if name == figure and answered.contexts[place]]
    own.sort(key=lambda place: (answered.contexts[place], answered.ids[place]))
    answers, seen, turns = answered.answers, Counter[tuple[str, str]](), {}
    for place in own:
        kind = answered.contexts[place], answers[place]
        turns[place] = seen[kind]
        seen[kind] += 1
    first = set(sorted(own, key=lambda place: turns[place])[:MOST])
    return [place for place in own if place in first]


def _row(dataset: Dataset, sample: str) -> dict[str, object]:
    picture = read_picture(dataset.sample(sample).image or "", sample=sample)
    scale = min(1.0, SIDE_PX / max(picture.shape[:2]))
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    return {
        "id": sample,
        "picture": _jpeg(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)),
        "width": width,
        "height": height,
    }


def _jpeg(picture: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()

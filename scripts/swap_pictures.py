"""Draws docs/assets/infill.jpg: pictures, the holes that their figures leave, and what every infill makes of them.

python scripts/swap_pictures.py DATA ID:CLASS,CLASS ... --network FILE.pt

DATA is any data set with masks; the classes named are the figure. The network is what small_inpainter.py wrote. The committed picture shows COCO's
000000000086 (person,motorcycle), 000000000471 (bus) and 000000007281 (person,horse), and a network trained on scenes6. A drawn picture
is always shown.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from figureground.data.dataset import open_dataset
from figureground.data.pixels import read_picture
from figureground.stages.shift.figures.picture import draw_picture
from figureground.stages.shift.figures.placing import Manner
from figureground.stages.swap.fill import FILLS, filled, open_fill

OUT = Path("docs/assets/infill.jpg")
SIDE, EDGE_PX, HEAD_PX, GROW_PX = 160, 4, 18, 3
ORDER = ("patches", "telea", "navier-stokes", "mean", "grey", "noise", "scramble-pixels", "scramble-patches")


def chosen(spec: str, names: list[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The middle square of each named picture, and its figure."""
    data = open_dataset(spec)
    assert data.masks is not None
    for name in names:
        sample_id, _, classes = name.partition(":")
        picture = read_picture(str(data.sample(sample_id).image))
        figure = np.isin(data.masks.read(sample_id).dense(), [data.classes.id_of(one) for one in classes.split(",")])
        side = min(figure.shape)
        top, left = ((length - side) // 2 for length in figure.shape)
        cut = np.s_[top : top + side, left : left + side]
        small = cv2.resize(figure[cut].astype(np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
        yield cv2.resize(picture[cut], (SIDE, SIDE), interpolation=cv2.INTER_AREA), small.astype(bool)


def drawn() -> tuple[np.ndarray, np.ndarray]:
    """A picture of the generator."""
    made = draw_picture("duck", "shore", size=SIDE, key=(3, 0), manner=Manner(area_low=0.12, area_high=0.16))
    return made.image, made.figure.astype(bool)


def row(picture: np.ndarray, figure: np.ndarray, network: str, seed: int) -> np.ndarray:
    """Picture, hole and every infill side by side."""
    hole = cv2.dilate(figure.astype(np.uint8), np.ones((2 * GROW_PX + 1,) * 2, np.uint8)).astype(bool)
    cells = [picture, np.where(hole[..., None], np.uint8(255), picture // 2)]
    cells += [filled(picture, hole, open_fill(name), np.random.default_rng(seed))[0] for name in (*ORDER, network)]
    return np.concatenate([np.pad(cell, [(0, EDGE_PX), (0, EDGE_PX), (0, 0)], constant_values=255) for cell in cells], axis=1)


def head() -> np.ndarray:
    """The names over the columns."""
    names = ("picture", "hole", *ORDER, "a small network")
    strip = np.full((HEAD_PX, len(names) * (SIDE + EDGE_PX), 3), 255, np.uint8)
    for place, name in enumerate(names):
        at = (place * (SIDE + EDGE_PX) + 2, HEAD_PX - 6)
        cv2.putText(strip, name, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (40, 40, 40), 1, cv2.LINE_AA)
    return strip


def main() -> None:
    assert set(ORDER) == set(FILLS.names())
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("pictures", nargs="+")
    parser.add_argument("--network", required=True)
    given = parser.parse_args()
    pairs = [*chosen(given.data, given.pictures), drawn()]
    sheet = np.concatenate([head(), *(row(*pair, f"torchscript:{given.network}", seed) for seed, pair in enumerate(pairs))])
    OUT.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(OUT), sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main()

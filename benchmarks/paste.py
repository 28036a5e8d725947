"""Setting cut-outs on scenes, against decoding the two pictures that a composite is made of.

    python -m benchmarks.paste [--quick]

Compositing begins with decoded arrays and ends with an array: the cut-out at its drawn size, the scene at the size of the picture, the sum
of both. "With cutting out" also makes the soft edge from the mask; "with encoding" also makes the JPEG and the PNG of the result. The peer
decodes the JPEG of the figure's picture and that of the scene with OpenCV, from memory; masks are on neither side. Real animals and scenes
where they are beside the project, and made-up ones of the sizes of CUB and Places.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from benchmarks.results import Row, duration, of_ratio, tell, write_rows, write_skipped
from benchmarks.timing import ratio, take_turns

from figureground.data.cutout import HALF, Cutout, composite, cover, cut_out, resize_cutout, soft_edge
from figureground.data.dataset import open_dataset
from figureground.data.write import jpeg_bytes, png_bytes
from figureground.stages.shift.placing import drawn_size

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
TARGET = 1.0
"""For composites that have no more pixels than the two pictures; of larger ones the time is reported."""
AREA = (0.06, 0.13)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A figure and a scene, as files and decoded."""

    files: tuple[np.ndarray, np.ndarray]
    """uint8 [bytes] of the JPEG of each."""
    rgb: np.ndarray
    alpha: np.ndarray
    """uint8, 255 where the figure is."""
    cutout: Cutout
    scene: np.ndarray
    area: float
    mirror: bool


def main() -> None:
    """Measures free placing on real pictures and the recipe of Waterbirds, and writes rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    if DATA.is_dir():
        pairs = real_pairs(16 if given.quick else 120)
        for size in (96, 128, 256):
            tell(f"paste: animals on scenes, {size} x {size}")
            write_rows(placing(pairs, size, target=TARGET if size <= 128 else None, quick=given.quick))
    else:
        write_skipped("paste", "the folder of real pictures is not beside the project")
    tell("paste: the recipe of Waterbirds")
    write_rows(birds(quick=given.quick))


def real_pairs(number: int) -> list[Pair]:
    """Animals and scenes in turn."""
    dataset = open_dataset(str(DATA / "animals4"))
    scenes = sorted((DATA / "scenes6").rglob("*.jpg"))
    rng = np.random.default_rng(0)
    assert dataset.masks is not None
    pairs = []
    for sample in [dataset.samples[i] for i in rng.permutation(len(dataset))[:number]]:
        figure = dataset.masks.read(sample.id).dense() > 0
        files = (read(sample.image or ""), read(str(scenes[rng.integers(len(scenes))])))
        pairs.append(pair(files, figure, area=rng.uniform(*AREA), mirror=bool(rng.integers(2))))
    return pairs


def pair(files: tuple[np.ndarray, np.ndarray], figure: np.ndarray, *, area: float, mirror: bool) -> Pair:
    rgb, scene = decoded(files[0]), decoded(files[1])
    cutout = cut_out(rgb, soft_edge(figure, trim_px=1, feather_px=2))
    return Pair(files=files, rgb=rgb, alpha=figure * np.uint8(255), cutout=cutout, scene=scene, area=area, mirror=mirror)


def read(path: str) -> np.ndarray:
    return np.frombuffer(Path(path).read_bytes(), np.uint8)


def decoded(file: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(cv2.imdecode(file, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def placing(pairs: Sequence[Pair], size: int, *, target: float | None, quick: bool) -> list[Row]:
    """Free placing at one size of the picture."""

    def paste(one: Pair) -> tuple[np.ndarray, np.ndarray]:
        return placed(one, one.cutout, size)

    def cut_and_paste(one: Pair) -> tuple[np.ndarray, np.ndarray]:
        rows, columns = np.flatnonzero(one.alpha.any(axis=1)), np.flatnonzero(one.alpha.any(axis=0))
        box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        return placed(one, cut_out(one.rgb[box], soft_edge(one.alpha[box], trim_px=1, feather_px=2)), size)

    for one in pairs[:3]:  # or nothing is measured
        for a, b in zip(paste(one), cut_and_paste(one), strict=True):
            if not np.array_equal(a, b):
                raise SystemExit("cutting out beforehand changes the composite")
    sides = {"paste": paste, "cut": cut_and_paste, "encode": cut_and_paste}
    return measured(f"free placing, {size} x {size}", "animals on scenes", pairs, sides, target=target, quick=quick)


def placed(one: Pair, cutout: Cutout, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Composite and mask with the figure in the middle."""
    height, width = drawn_size(cutout, area=one.area, size=size)
    rgb, alpha = resize_cutout(cutout, (height, width), mirror=one.mirror)
    top, left = (size - height) // 2, (size - width) // 2
    mask = np.zeros((size, size), np.uint8)
    mask[top : top + height, left : left + width][alpha > HALF] = 1
    return composite(rgb, alpha, cover(one.scene, (size, size)), top=top, left=left), mask


def birds(*, quick: bool) -> list[Row]:
    """A bird of 500 x 375 px on a place of 256 x 256 px: photographs' worth of noise, so that files are as large as real ones."""
    rng = np.random.default_rng(0)
    pairs = []
    for _ in range(4 if quick else 16):
        files = tuple(np.frombuffer(jpeg_bytes(photograph(rng, size), 90), np.uint8) for size in ((375, 500), (256, 256)))
        y, x = np.mgrid[:375, :500]
        figure = ((y - 190) / 90) ** 2 + ((x - 250) / 140) ** 2 < 1
        pairs.append(pair((files[0], files[1]), figure, area=AREA[0], mirror=False))

    def paste(one: Pair) -> tuple[np.ndarray, np.ndarray]:
        out = composite(one.rgb, one.alpha, cover(one.scene, one.alpha.shape))
        return out, np.where(one.alpha > HALF, np.uint8(1), np.uint8(0))

    sides = {"paste": paste, "encode": paste}
    what, on = "the recipe of Waterbirds, 500 x 375", "made-up birds and places of 256 x 256"
    return measured(what, on, pairs, sides, target=TARGET, quick=quick)


def photograph(rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
    """Soft shapes with some grain."""
    coarse = cv2.resize(rng.integers(0, 256, (24, 24, 3), np.uint8), size_hw[::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(coarse + rng.normal(0, 8, (*size_hw, 3)), 0, 255).astype(np.uint8)


Paste = Callable[[Pair], tuple[np.ndarray, np.ndarray]]


def measured(what: str, on: str, pairs: Sequence[Pair], sides: Mapping[str, Paste], *, target: float | None, quick: bool) -> list[Row]:
    """Rows of compositing alone, with cutting out, and with encoding."""
    turns = {name: itertools.count() for name in ("decode", *sides)}

    def take(name: str) -> Pair:
        return pairs[next(turns[name]) % len(pairs)]

    def decode() -> None:
        for file in take("decode").files:
            decoded(file)

    def encode() -> None:
        image, mask = sides["encode"](take("encode"))
        jpeg_bytes(image)
        png_bytes(mask)

    calls: dict[str, Callable[[], object]] = {name: lambda name=name: sides[name](take(name)) for name in sides}
    seconds = take_turns({**calls, "encode": encode, "decode": decode}, rounds=3 if quick else 9, least_s=0.05 if quick else 0.5)
    words = {"paste": ("compositing", target), "cut": ("with cutting out", None), "encode": ("with encoding", None)}
    return [
        Row(
            benchmark="paste",
            what=f"{label}: {what}",
            on=f"{on}, one core",
            peer="decoding both pictures",
            kind="times the peer",
            target=aim,
            ours=duration(seconds[name].median),
            theirs=duration(seconds["decode"].median),
            **of_ratio(ratio(seconds[name], seconds["decode"])),
        )
        for name, (label, aim) in words.items()
        if name in seconds
    ]


if __name__ == "__main__":
    main()

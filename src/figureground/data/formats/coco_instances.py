"""COCO instances drawn into label maps: polygons, run-length codes as text or numbers, crowd regions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from pycocotools import mask as coco_mask

from figureground.core.errors import FormatError
from figureground.core.types import ClassTable, LabelRuns
from figureground.data.faults import refusal
from figureground.data.labelmap import encode_runs
from figureground.data.sources import absent_map

_MOST_CHARACTERS = 7  # 35 bits: more than any image has pixels, and sums stay far from overflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One annotated region."""

    category: int
    crowd: bool
    polygons: tuple[tuple[float, ...], ...]
    """x, y, x, y, ... of each outline in pixels; empty where `counts` says the region."""
    counts: str | tuple[int, ...] | None
    """Column-major run lengths, ground first, as COCO's text code or as numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnMasks:
    """Masks drawn when they are read; smaller instances lie on larger ones, crowd regions below all."""

    instances: Mapping[str, tuple[Instance, ...]]
    sizes: Mapping[str, tuple[int, int]]
    classes: ClassTable
    crowd: str
    """`ignore`, `class` or `skip`."""
    file: str

    def read(self, sample_id: str) -> LabelRuns:
        """The mask of a sample; an unknown sample or an annotation that cannot be drawn raises `FormatError`."""
        if sample_id not in self.instances:
            raise absent_map(sample_id, "mask")
        size_hw = self.sizes[sample_id]
        regions = [
            (not one.crowd, region.sum(), number, one, region)
            for number, one in enumerate(self.instances[sample_id])
            if not (one.crowd and self.crowd == "skip") and one.category in self.classes.ids
            for region in [draw_region(one, size_hw, file=self.file, sample=sample_id)]
        ]
        label_map = np.full(size_hw, self.classes.background, self.classes.dtype)
        for _, _, _, one, region in sorted(regions, key=lambda item: (item[0], -item[1], item[2])):
            void = one.crowd and self.crowd == "ignore" and self.classes.ignore is not None
            label_map[region] = self.classes.ignore if void else one.category
        return encode_runs(label_map)

    def stamps(self, ids: Iterable[str]) -> Iterator[str]:
        """The choice of crowd; the regions stand in the file itself."""
        return (self.crowd for _ in ids)


def read_instance(
    annotation: Mapping[str, Any], categories: frozenset[int], size_hw: tuple[int, int], *, file: str, sample: str
) -> Instance:
    """One annotation as an instance; a category that the file does not list, or no region, raises `FormatError`."""
    category, shape = annotation.get("category_id"), annotation.get("segmentation")
    if type(category) is not int or category not in categories:
        raise _bad(f"an annotation has the category {str(category)[:20]!r}, which the file does not list", file, sample)
    crowd = annotation.get("iscrowd", 0) in (1, True)
    if isinstance(shape, list):
        return Instance(category=category, crowd=crowd, polygons=tuple(_outline(p, size_hw, file, sample) for p in shape), counts=None)
    if isinstance(shape, dict):
        if shape.get("size") != list(size_hw):
            raise refusal(
                "size-mismatch",
                f"a run-length code is for size {str(shape.get('size'))[:30]} and the image is {list(size_hw)}",
                "Export the annotations again for these images",
                file=file,
                sample=sample,
            )
        counts = shape.get("counts")
        if isinstance(counts, str):
            return Instance(category=category, crowd=crowd, polygons=(), counts=counts)
        if isinstance(counts, list) and all(type(n) is int for n in counts):
            return Instance(category=category, crowd=crowd, polygons=(), counts=tuple(counts))
    raise _bad("an annotation's `segmentation` is neither polygons nor a run-length code", file, sample)


def draw_region(instance: Instance, size_hw: tuple[int, int], *, file: str, sample: str) -> np.ndarray:
    """The pixels of an instance, bool [height, width]; a code that does not fill the image raises `FormatError`.

    Polygons are filled as pycocotools fills them, so areas agree with the published ones.
    """
    height, width = size_hw
    counts = instance.counts
    if counts is None:
        if not instance.polygons:
            return np.zeros(size_hw, bool)
        polygons: Any = [list(p) for p in instance.polygons]
        merged: Any = coco_mask.merge(cast("Any", coco_mask.frPyObjects(polygons, height, width)))
        counts = str(merged["counts"], "ascii")  # its own decoder warns under numpy 2
    lengths = (
        _text_counts(counts, file, sample) if isinstance(counts, str) else np.array([max(-1, min(n, 2**40)) for n in counts], np.int64)
    )
    if (lengths < 0).any() or int(lengths.sum()) != height * width:
        raise _bad(f"a run-length code does not fill the {height * width} pixels of its image", file, sample)
    figure = np.arange(lengths.size) % 2 == 1
    return np.repeat(figure, lengths).reshape(width, height).T


def _text_counts(text: str, file: str, sample: str) -> np.ndarray:
    """Run lengths int64 [runs] from COCO's text code: 5 bits a character, differences to the run two before.

    Source: the format that pycocotools writes as `counts`; checked against it in the tests.
    """
    bits = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero((bits & 32) == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    if not bits.size or (bits < 0).any() or (bits > 63).any() or not ends.size or ends[-1] != bits.size - 1:
        raise _bad("a run-length text is cut short or holds characters that the code does not have", file, sample)
    sizes = ends - starts + 1
    if sizes.max() > _MOST_CHARACTERS:
        raise _bad("a run-length text holds a number that no image needs", file, sample)
    place = np.arange(bits.size) - np.repeat(starts, sizes)
    lengths = np.add.reduceat((bits & 31) << (5 * place), starts)
    lengths -= np.where(bits[ends] & 16, np.int64(1) << (5 * sizes), 0)
    lengths[1::2] = lengths[1::2].cumsum()
    lengths[2::2] = lengths[2::2].cumsum()
    return lengths


def _outline(points: object, size_hw: tuple[int, int], file: str, sample: str) -> tuple[float, ...]:
    """One polygon, checked to be numbers in pairs that lie on or near the image (pycocotools trusts what it gets)."""
    if not isinstance(points, list) or len(points) < 6 or len(points) % 2:
        raise _bad("a polygon is not a list of at least three x, y pairs", file, sample)
    if any(type(v) not in (int, float) for v in points):
        raise _bad("a polygon holds something else than numbers", file, sample)
    reach = max(size_hw)
    if any(not -reach <= v <= 2 * reach for v in points):
        raise _bad("a polygon lies far outside its image", file, sample)
    return tuple(map(float, points))


def _bad(problem: str, file: str, sample: str) -> FormatError:
    return refusal("bad-annotation", problem, "Correct the annotation, or export the file again", file=file, sample=sample)

"""COCO panoptic annotations: a PNG of segment numbers and a list that gives each segment its category."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from figureground.core.errors import FormatError
from figureground.core.types import ClassTable, LabelRuns
from figureground.data import paths
from figureground.data.faults import refusal
from figureground.data.masks import decode_png, packed_runs
from figureground.data.sources import absent_map, joined


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One segment: the number its pixels have, and what it is."""

    number: int
    """R + 256 G + 65536 B of its pixels; 0 is no segment."""
    category: int
    crowd: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PanopticMasks:
    """Masks from panoptic PNGs; pixels of no segment are background."""

    files: Mapping[str, str]
    segments: Mapping[str, tuple[Segment, ...]]
    classes: ClassTable
    crowd: str
    """`ignore`, `class` or `skip`."""

    def read(self, sample_id: str) -> LabelRuns:
        """The mask of a sample; a faulty PNG or a pixel of a segment that is not listed raises `FormatError`."""
        if sample_id not in self.files:
            raise absent_map(sample_id, "mask")
        file = self.files[sample_id]
        parts, colours = decode_png(paths.read_bytes(file, sample=sample_id), file, sample=sample_id)
        if colours.ndim != 3 or colours.shape[2] != 3 or colours.dtype != np.uint8:
            raise refusal(
                "unsupported-mask",
                f"a panoptic PNG has 8-bit RGB colours; got {parts.channels} of {parts.depth} bits",
                "Bring the panoptic PNG",
                file=file,
                sample=sample_id,
            )
        numbers, lengths = packed_runs(colours[:, :, ::-1])  # blue is the highest byte of a segment number
        table = {0: self.classes.background, **{s.number: self._class_id(s) for s in self.segments[sample_id]}}
        known, place = np.unique(numbers, return_inverse=True)
        if strange := [n for n in known.tolist() if n not in table]:
            raise refusal(
                "bad-annotation",
                f"the PNG holds the segment {strange[0]}, which `segments_info` does not list",
                "Bring the PNG and the JSON that belong together",
                file=file,
                sample=sample_id,
            )
        values = np.array([table[n] for n in known.tolist()], self.classes.dtype)[place]
        return joined(values, lengths, size_hw=colours.shape[:2])

    def stamps(self, ids: Iterable[str]) -> Iterator[str]:
        """Size and time of change of each PNG, with the choice of crowd."""
        return (f"{self.crowd}:{paths.stamp(self.files[i]) if i in self.files else 'absent'}" for i in ids)

    def _class_id(self, segment: Segment) -> int:
        if segment.crowd and self.crowd == "ignore" and self.classes.ignore is not None:
            return self.classes.ignore
        dropped = segment.category not in self.classes.ids or (segment.crowd and self.crowd == "skip")
        return self.classes.background if dropped else segment.category


def read_segments(
    annotations: Sequence[Mapping[str, Any]], categories: frozenset[int], *, file: str, sample: str
) -> tuple[str, tuple[Segment, ...]]:
    """File name of the PNG and the segments of one image; anything but one complete entry raises `FormatError`."""
    if len(annotations) != 1:
        raise _bad(f"the image has {len(annotations)} panoptic annotations and needs one", file, sample)
    name, found = annotations[0].get("file_name"), annotations[0].get("segments_info")
    if not isinstance(name, str) or not name or not isinstance(found, list):
        raise _bad("a panoptic annotation needs `file_name` and `segments_info`", file, sample)
    segments = []
    for one in found:
        number, category = (one.get("id"), one.get("category_id")) if isinstance(one, dict) else (None, None)
        if type(number) is not int or not 0 < number < 2**24:
            raise _bad(f"a segment has the id {str(number)[:20]!r}", file, sample)
        if type(category) is not int or category not in categories:
            raise _bad(f"a segment has the category {str(category)[:20]!r}, which the file does not list", file, sample)
        segments.append(Segment(number=number, category=category, crowd=one.get("iscrowd", 0) in (1, True)))
    if len({s.number for s in segments}) != len(segments):
        raise _bad("two segments have one id", file, sample)
    return name, tuple(segments)


def _bad(problem: str, file: str, sample: str) -> FormatError:
    return refusal("bad-annotation", problem, "Correct the annotation, or export the file again", file=file, sample=sample)

"""Values that cross rooms: the classes of a data set, a sample, and a label map as runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from figureground.core.errors import InputError

MAX_CLASS_ID = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassTable:
    """Names and ids of the classes, in id order, with the two special settings `background` and `ignore`."""

    names: tuple[str, ...]
    ids: tuple[int, ...] = ()
    """Class id of each name; empty means 0, 1, 2, ... Never includes `ignore`."""
    background: int = 0
    """The id that is ground, not figure."""
    ignore: int | None = 255
    """The id of void pixels, which are never counted; None = there are none."""
    colours: tuple[tuple[int, int, int], ...] | None = None
    """RGB of each class where masks are colour-coded, in the order of `names`; None = masks hold ids."""
    ignore_colour: tuple[int, int, int] | None = None
    """RGB of void pixels in colour-coded masks."""

    def __post_init__(self) -> None:
        if not self.ids:
            object.__setattr__(self, "ids", tuple(range(len(self.names))))
        check_class_table(self)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def dtype(self) -> np.dtype:
        """uint8 where every id (and `ignore`) fits, else uint16."""
        return np.dtype(np.uint8 if max(*self.ids, self.ignore or 0) <= 255 else np.uint16)

    @property
    def foreground(self) -> tuple[int, ...]:
        """Ids of the classes that are figure, in order."""
        return tuple(i for i in self.ids if i != self.background)

    def name_of(self, class_id: int) -> str:
        """The name of a class id; `KeyError` free: an unknown id raises `InputError`."""
        if class_id not in self.ids:
            raise InputError(f"class id {class_id} is not one of {_short(self.ids)}")
        return self.names[self.ids.index(class_id)]

    def id_of(self, name: str) -> int:
        """The id of a class name; an unknown name raises `InputError`."""
        if name not in self.names:
            raise InputError(f"class '{name}' is not one of {_short(self.names)}")
        return self.ids[self.names.index(name)]


def check_class_table(table: ClassTable) -> None:
    """Raise `InputError` where names, ids, background, ignore or colours contradict one another."""
    if not table.names:
        raise InputError("a class table needs at least one class; give `names` in id order")
    if len(table.ids) != len(table.names):
        raise InputError(f"`ids` must have one id per name; got {len(table.ids)} ids for {len(table.names)} names")
    if len(set(table.names)) != len(table.names) or len(set(table.ids)) != len(table.ids):
        raise InputError("class names and class ids must be unique")
    if bad := [i for i in table.ids if not 0 <= i <= MAX_CLASS_ID]:
        raise InputError(f"class ids must be in [0, {MAX_CLASS_ID}]; got {bad[0]}")
    if table.background not in table.ids:
        raise InputError(f"`background` = {table.background} is not one of the class ids {_short(table.ids)}")
    if table.ignore is not None and table.ignore in table.ids:
        raise InputError(
            f"`ignore` = {table.ignore} is also the id of class '{table.names[table.ids.index(table.ignore)]}'; "
            "`ignore` marks void pixels and must be no class. Choose another `ignore`, or none"
        )
    if table.ignore is not None and not 0 <= table.ignore <= MAX_CLASS_ID:
        raise InputError(f"`ignore` must be in [0, {MAX_CLASS_ID}] or none; got {table.ignore}")
    if table.colours is not None and len(table.colours) != len(table.names):
        raise InputError(f"`colours` must have one RGB per class; got {len(table.colours)} for {len(table.names)} names")
    if table.colours is not None and len(set(table.colours)) != len(table.colours):
        raise InputError("`colours` must be unique, or a colour would stand for two classes")


def _short(values: Sequence[object], most: int = 12) -> str:
    shown = ", ".join(str(v) for v in values[:most])
    return f"[{shown}, ... {len(values)} in all]" if len(values) > most else f"[{shown}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One image with an id, and what is known of it."""

    id: str
    image: str | None = None
    """Path or fsspec URL of the picture; None where the annotations suffice."""
    mask: str | None = None
    """Path or URL of the mask file; None where there is none or where it is drawn from annotations."""
    label: str | None = None
    """Name of the class of the sample, where it has one."""
    split: str | None = None
    size_hw: tuple[int, int] | None = None
    """Declared height and width in pixels, where the annotations say so."""
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])
    """Every further column of the table; an empty cell is the empty string."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelRuns:
    """A label map as row-major runs: `values[i]` stands `lengths[i]` times, rows joined end to end; they fill it exactly."""

    height: int
    width: int
    values: np.ndarray
    """uint8 or uint16 [runs]; neighbours differ."""
    lengths: np.ndarray
    """uint32 [runs], each at least 1, together height * width."""

    def __post_init__(self) -> None:
        if self.values.ndim != 1 or self.values.shape != self.lengths.shape or self.values.size == 0:
            raise InputError(f"a label map needs as many values as lengths; got {self.values.shape} and {self.lengths.shape}")
        if (filled := int(self.lengths.sum(dtype=np.int64))) != self.height * self.width:
            raise InputError(f"run lengths must fill {self.height} x {self.width} pixels; they sum to {filled}")

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.height, self.width

    def dense(self) -> np.ndarray:
        """The label map pixel by pixel: [height, width] in the dtype of `values`."""
        return np.repeat(self.values, self.lengths).reshape(self.height, self.width)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, LabelRuns)
            and self.size_hw == other.size_hw
            and np.array_equal(self.values, other.values)
            and np.array_equal(self.lengths, other.lengths)
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunBatch:
    """Label maps of many samples, the runs of each behind those of the one before it."""

    sizes_hw: np.ndarray
    """int64 [samples, 2], height and width in pixels."""
    values: np.ndarray
    """uint16 [runs], class ids."""
    lengths: np.ndarray
    """uint32 [runs], pixels."""
    offsets: np.ndarray
    """int64 [samples + 1]: the runs of sample i stand from `offsets[i]` to `offsets[i + 1]`."""

    def __len__(self) -> int:
        return len(self.sizes_hw)

    def map_of(self, place: int) -> LabelRuns:
        """The label map of one sample, its values as uint8 where they fit."""
        runs = slice(self.offsets[place], self.offsets[place + 1])
        values = self.values[runs]
        small = values.size == 0 or values.max() <= 255
        height, width = (int(n) for n in self.sizes_hw[place])
        return LabelRuns(height=height, width=width, values=values.astype(np.uint8) if small else values, lengths=self.lengths[runs])


def batch_of(maps: Sequence[LabelRuns | None]) -> RunBatch:
    """Label maps one behind the other as a batch; what is None has size 0 x 0 and no runs."""
    found = [m for m in maps if m is not None]
    return RunBatch(
        sizes_hw=np.array([(0, 0) if m is None else m.size_hw for m in maps], np.int64).reshape(len(maps), 2),
        values=np.concatenate([np.empty(0, np.uint16), *(m.values for m in found)]).astype(np.uint16),
        lengths=np.concatenate([np.empty(0, np.uint32), *(m.lengths for m in found)]).astype(np.uint32),
        offsets=np.cumsum([0, *(0 if m is None else m.values.size for m in maps)]),
    )


class LabelSource(Protocol):
    """Where label maps come from, masks and predictions alike; picklable, so that worker processes can read."""

    def read(self, sample_id: str) -> LabelRuns:
        """The label map of a sample; a fault raises `FormatError`."""
        ...

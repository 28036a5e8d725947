"""Label maps as row-major runs: exact encoding and decoding, and their Parquet columns.

Label maps are constant almost everywhere, so what follows costs by the number of runs and not by the number of pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
from numba import njit

from figureground.core.errors import InputError
from figureground.core.types import ClassTable, LabelRuns

RUN_FIELDS = (
    pa.field("height", pa.int32(), nullable=False),
    pa.field("width", pa.int32(), nullable=False),
    pa.field("values", pa.list_(pa.uint16()), nullable=False),
    pa.field("lengths", pa.list_(pa.uint32()), nullable=False),
)


def encode_runs(label_map: np.ndarray) -> LabelRuns:
    """The runs of a dense label map.

    Args:
        label_map: uint8 or uint16 [height, width]; any memory layout.

    Raises:
        InputError: another dtype or number of axes, or an axis of length 0.
    """
    if label_map.ndim != 2 or label_map.dtype not in (np.uint8, np.uint16) or 0 in label_map.shape:
        raise InputError(
            f"`label_map` must be uint8 or uint16 [height, width] without an empty axis; got {label_map.dtype} {list(label_map.shape)}"
        )
    flat = np.ascontiguousarray(label_map).reshape(-1)
    words = flat[: flat.size - flat.size % (8 // flat.itemsize)].view(np.uint64)
    room = 1024 + flat.size // 64
    values, lengths = np.empty(room, flat.dtype), np.empty(room, np.uint32)
    count = _fill_runs(flat, words, values, lengths)
    if count > room:  # rare: a map in many pieces; the first pass told how many
        values, lengths = np.empty(count, flat.dtype), np.empty(count, np.uint32)
        _fill_runs(flat, words, values, lengths)
    return LabelRuns(height=label_map.shape[0], width=label_map.shape[1], values=values[:count].copy(), lengths=lengths[:count].copy())


def decode_runs(runs: LabelRuns) -> np.ndarray:
    """The dense label map of runs: [height, width] in the dtype of `runs.values`."""
    return runs.dense()


def check_runs(runs: LabelRuns) -> None:
    """Raise `InputError` unless the runs are canonical: none is empty and neighbours differ (that they fill the map is always so)."""
    if not runs.lengths.all():
        raise InputError("run lengths must be at least 1; leave empty runs out")
    if (runs.values[1:] == runs.values[:-1]).any():
        raise InputError("neighbouring runs must differ in value; join them")


def runs_to_columns(maps: Sequence[LabelRuns]) -> list[pa.Array]:
    """Arrow columns `height, width, values, lengths`, one row a label map, in the order of `RUN_FIELDS`."""
    offsets = np.cumsum([0, *(m.values.size for m in maps)]).astype(np.int32)
    values = np.concatenate([m.values for m in maps]).astype(np.uint16) if maps else np.empty(0, np.uint16)
    lengths = np.concatenate([m.lengths for m in maps]).astype(np.uint32) if maps else np.empty(0, np.uint32)
    return [
        pa.array([m.height for m in maps], pa.int32()),
        pa.array([m.width for m in maps], pa.int32()),
        pa.ListArray.from_arrays(offsets, values),
        pa.ListArray.from_arrays(offsets, lengths),
    ]


def columns_to_runs(table: pa.Table | pa.RecordBatch) -> Iterable[LabelRuns]:
    """The label maps of a table with the columns `height, width, values, lengths`, in row order."""
    heights, widths = table["height"].to_pylist(), table["width"].to_pylist()
    values, lengths = table["values"], table["lengths"]
    for row in range(table.num_rows):
        run_values = values[row].values.to_numpy(zero_copy_only=False)
        run_lengths = lengths[row].values.to_numpy(zero_copy_only=False)
        if run_values.dtype == np.uint16 and (run_values.size == 0 or run_values.max() <= 255):
            run_values = run_values.astype(np.uint8)
        yield LabelRuns(height=heights[row], width=widths[row], values=run_values, lengths=run_lengths)


def resize_nearest(runs: LabelRuns, size_hw: tuple[int, int]) -> LabelRuns:
    """The label map at another size: each new pixel takes the old one under its centre (PIL's NEAREST, torch's nearest-exact).

    Args:
        runs: the label map.
        size_hw: new height and width in pixels, each at least 1.

    Raises:
        InputError: a size below 1.
    """
    height, width = size_hw
    if height < 1 or width < 1:
        raise InputError(f"`size_hw` must be at least 1 x 1 pixel; got {height} x {width}")
    rows = (2 * np.arange(height) + 1) * runs.height // (2 * height)
    columns = (2 * np.arange(width) + 1) * runs.width // (2 * width)
    return encode_runs(decode_runs(runs)[rows[:, None], columns])


def figure_of(mask: np.ndarray, label: str | None, classes: ClassTable) -> np.ndarray:
    """The pixels of a picture's figure.

    Args:
        mask: label map [height, width].
        label: class of the picture.
        classes: of the label map.

    Returns:
        bool [height, width]: the class of the label, all else being ground; without a label, or with that of the background, every class
        but the background. Void is no figure.

    Raises:
        InputError: a label that is no class.
    """
    if label and (own := classes.id_of(label)) != classes.background:
        return mask == own
    ground = mask == classes.background
    return ~ground if classes.ignore is None else ~ground & (mask != classes.ignore)


@njit(cache=True, nogil=True)
def _fill_runs(flat: np.ndarray, words: np.ndarray, values: np.ndarray, lengths: np.ndarray) -> int:  # pragma: no cover - compiled
    """Number of runs; writes as many as there is room for. Skips eight equal bytes at a time."""
    per_word = 8 if flat.itemsize == 1 else 4
    ones = np.uint64(0x0101010101010101) if flat.itemsize == 1 else np.uint64(0x0001000100010001)
    current, start, count = flat[0], 0, 0
    broadcast = np.uint64(current) * ones
    for w in range(words.size + 1):
        if w < words.size and words[w] == broadcast:
            continue
        for i in range(w * per_word, (w + 1) * per_word if w < words.size else flat.size):
            if flat[i] != current:
                if count < values.size:
                    values[count] = current
                    lengths[count] = i - start
                current, start = flat[i], i
                count += 1
        broadcast = np.uint64(current) * ones
    if count < values.size:
        values[count] = current
        lengths[count] = flat.size - start
    return count + 1

"""One label-map file read into runs: index PNG of any depth, colour-coded PNG and NPY, each fault said the same way."""

from __future__ import annotations

import io
import tokenize
import warnings
from functools import lru_cache
from typing import Literal

import numpy as np

from figureground.core.errors import FormatError
from figureground.core.types import MAX_CLASS_ID, ClassTable, LabelRuns
from figureground.data import paths
from figureground.data.faults import refusal, some
from figureground.data.labelmap import encode_runs
from figureground.data.png import GREY, PALETTE, SIGNATURE, PngError, PngParts, read_png

Role = Literal["mask", "prediction"]
NPY_MAGIC = b"\x93NUMPY"
JPEG_MAGIC = b"\xff\xd8\xff"


def read_mask(path: str, classes: ClassTable, *, sample: str | None = None, role: Role = "mask") -> LabelRuns:
    """The label map of one file, checked against the class table.

    PNG of grey or palette type holds class ids (the palette is never applied; 1, 2 and 4 bit values are not scaled), unless
    `classes.colours` declares the masks colour-coded: then each pixel's RGB decides. NPY holds integers [height, width].

    Args:
        path: local path or fsspec URL; the content decides the format, not the suffix.
        classes: the declared classes; `ignore` is allowed in masks and refused in predictions.
        sample: id for messages.
        role: what the file is, for checks and messages.

    Returns:
        Runs in `classes.dtype`.

    Raises:
        FormatError: any fault of the file, of its numbers or of its colours.
    """
    data = paths.read_bytes(path, sample=sample)
    if data.startswith(SIGNATURE):
        parts, numbers = decode_png(data, path, sample=sample)
        if classes.colours is not None:
            return _from_colours(_rgb(parts, numbers, path, sample, role), classes, path, sample, role)
        return check_ids(_index_runs(parts, numbers, path, sample, role), classes, sample=sample, file=path, role=role)
    if data.startswith(NPY_MAGIC):
        return _from_array(_read_npy(data, path, sample), classes, path, sample, role)
    raise _not_a_label_map(data, path, sample, role)


def read_numbers(path: str, *, sample: str | None = None, role: Role = "mask") -> LabelRuns:
    """The numbers of a label-map file as they stand, without a class table; raises `FormatError` for a faulty or colour file."""
    data = paths.read_bytes(path, sample=sample)
    if data.startswith(SIGNATURE):
        parts, numbers = decode_png(data, path, sample=sample)
        return _index_runs(parts, numbers, path, sample, role)
    if data.startswith(NPY_MAGIC):
        return encode_runs(_whole_numbers(_read_npy(data, path, sample), path, sample))
    raise _not_a_label_map(data, path, sample, role)


def decode_png(data: bytes, path: str, *, sample: str | None = None) -> tuple[PngParts, np.ndarray]:
    """The raw numbers of a PNG; damage raises `FormatError`."""
    try:
        return read_png(data)
    except PngError as error:
        code = "truncated-file" if error.truncated else "corrupt-file"
        raise refusal(code, f"the PNG file is damaged: {error}", "Write it again from its source", file=path, sample=sample) from error


def runs_from_array(array: np.ndarray, classes: ClassTable, *, sample: str | None = None, role: Role = "mask") -> LabelRuns:
    """The runs of an integer or bool array [height, width], checked like a file; raises `FormatError`."""
    return _from_array(np.asarray(array), classes, None, sample, role)


def check_ids(runs: LabelRuns, classes: ClassTable, *, sample: str | None, file: str | None, role: Role = "mask") -> LabelRuns:
    """The same label map in `classes.dtype`, after a look that each of its values is a class id (or `ignore` in a mask).

    Raises:
        FormatError: `unknown-class-id`, `binary-mask` or `ignore-in-prediction`.
    """
    known = _known_ids(classes, role)
    values = runs.values
    if int(values.max()) >= known.size or not known[values].all():
        raise _wrong_ids(np.unique(values).tolist(), classes, file, sample, role)
    if values.dtype == classes.dtype:
        return runs
    return LabelRuns(height=runs.height, width=runs.width, values=values.astype(classes.dtype), lengths=runs.lengths)


def binary_remedy(classes: ClassTable, figure: int) -> str:
    """What to do about a figure mask, `figure` being the value that stands for the figure in it."""
    other = " with another `ignore`" if figure == classes.ignore else ""
    return f"Write the class id instead of {figure}, or declare `ids = [{classes.background}, {figure}]`{other}"


def _index_runs(parts: PngParts, numbers: np.ndarray, path: str, sample: str | None, role: Role) -> LabelRuns:
    if parts.colour_type not in (GREY, PALETTE):
        raise _colours_undeclared(path, sample, role)
    return encode_runs(numbers)


def _from_array(array: np.ndarray, classes: ClassTable, path: str | None, sample: str | None, role: Role) -> LabelRuns:
    if array.ndim == 3 and array.shape[2] in (3, 4) and array.dtype == np.uint8 and array.size:
        if classes.colours is None:
            raise _colours_undeclared(path, sample, role)
        return _from_colours(_opaque(array, path, sample, role), classes, path, sample, role)
    return check_ids(encode_runs(_whole_numbers(array, path, sample)), classes, sample=sample, file=path, role=role)


def _whole_numbers(array: np.ndarray, path: str | None, sample: str | None) -> np.ndarray:
    """A label map of any integer or bool type as uint8 or uint16."""
    if array.ndim != 2 or array.size == 0 or array.dtype.kind not in "biu":
        raise refusal(
            "unsupported-mask",
            f"a label map must be whole numbers [height, width]; got {array.dtype} {list(array.shape)}",
            "Save class ids as uint8 or uint16; take the argmax of scores first",
            file=path,
            sample=sample,
        )
    if array.dtype in (np.uint8, np.uint16):
        return array
    low, high = int(array.min()), int(array.max())
    if low < 0 or high > MAX_CLASS_ID:
        raise refusal(
            "unknown-class-id",
            f"the label map holds {low if low < 0 else high}, and class ids go from 0 to {MAX_CLASS_ID}",
            "Write void pixels as the ignore value, and class ids as uint8 or uint16",
            file=path,
            sample=sample,
        )
    return array.astype(np.uint8 if high <= 255 else np.uint16)


def _rgb(parts: PngParts, numbers: np.ndarray, path: str, sample: str | None, role: Role) -> np.ndarray:
    """Colours uint8 [height, width, 3] of a PNG of any type."""
    if parts.depth == 16 or (parts.depth < 8 and parts.colour_type == GREY):
        raise refusal(
            "unsupported-mask",
            f"a colour-coded {role} must have 8 bits a channel; got {parts.depth}",
            "Save it as 8-bit RGB",
            file=path,
            sample=sample,
        )
    if parts.palette is not None and parts.colour_type == PALETTE:
        if int(numbers.max()) >= len(parts.palette):
            raise refusal(
                "corrupt-file", "a pixel points beyond the palette", "Write the file again from its source", file=path, sample=sample
            )
        return parts.palette[numbers]
    if parts.channels <= 2:
        grey = numbers if numbers.ndim == 2 else numbers[:, :, 0]
        return np.repeat(grey[:, :, None], 3, axis=2)
    return _opaque(numbers, path, sample, role)


def _opaque(colours: np.ndarray, path: str | None, sample: str | None, role: Role) -> np.ndarray:
    if colours.shape[2] == 4 and (colours[:, :, 3] != 255).any():
        raise refusal(
            "unsupported-mask",
            f"a colour-coded {role} has transparent pixels, whose class is not said",
            "Save it as RGB without transparency",
            file=path,
            sample=sample,
        )
    return colours[:, :, :3]


def packed_runs(colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Runs of a colour image uint8 [height, width, 3]: 0xRRGGBB as uint32 [runs], and lengths uint32 [runs]."""
    wide = colours.astype(np.uint32)
    packed = ((wide[:, :, 0] << 16) | (wide[:, :, 1] << 8) | wide[:, :, 2]).reshape(-1)
    starts = np.concatenate([[0], np.flatnonzero(packed[1:] != packed[:-1]) + 1])
    return packed[starts], np.diff(starts, append=packed.size).astype(np.uint32)


def _from_colours(colours: np.ndarray, classes: ClassTable, path: str | None, sample: str | None, role: Role) -> LabelRuns:
    """Runs by colour; only the first pixel of each run is looked up."""
    packed, lengths = packed_runs(colours)
    keys, ids = _colour_keys(classes)
    found = np.searchsorted(keys, packed).clip(max=keys.size - 1)
    if (wrong := keys[found] != packed).any():
        unknown = [f"#{key:06x}" for key in np.unique(packed[wrong]).tolist()]
        raise refusal(
            "unknown-colour",
            f"the {role} holds {'the colour' if len(unknown) == 1 else 'the colours'} {some(unknown)}, which no class has",
            f"Add it to `colours` (or `ignore_colour`), or correct the {role}",
            file=path,
            sample=sample,
        )
    runs = LabelRuns(height=colours.shape[0], width=colours.shape[1], values=ids[found], lengths=lengths)
    return check_ids(runs, classes, sample=sample, file=path, role=role)


@lru_cache(maxsize=64)
def _colour_keys(classes: ClassTable) -> tuple[np.ndarray, np.ndarray]:
    """Packed colours in order, and the class id of each."""
    table = dict(zip(classes.colours or (), classes.ids, strict=True))
    if classes.ignore_colour is not None and classes.ignore is not None:
        table.setdefault(classes.ignore_colour, classes.ignore)
    pairs = sorted(((r << 16) | (g << 8) | b, i) for (r, g, b), i in table.items())
    return np.array([key for key, _ in pairs], np.uint32), np.array([i for _, i in pairs], classes.dtype)


@lru_cache(maxsize=64)
def _known_ids(classes: ClassTable, role: Role) -> np.ndarray:
    """bool, True at each allowed value; as long as the largest one needs."""
    allowed = set(classes.ids) | ({classes.ignore} if role == "mask" and classes.ignore is not None else set())
    known = np.zeros(max(allowed) + 1, bool)
    known[sorted(allowed)] = True
    return known


def _wrong_ids(present: list[int], classes: ClassTable, path: str | None, sample: str | None, role: Role) -> FormatError:
    unknown = [i for i in present if i not in classes.ids and i != (classes.ignore if role == "mask" else None)]
    if role == "prediction" and classes.ignore in unknown:
        return refusal(
            "ignore-in-prediction",
            f"the prediction holds the ignore value {classes.ignore}",
            "A prediction must name a class at every pixel: write the argmax over the classes",
            file=path,
            sample=sample,
        )
    if unknown == [255] and set(present) <= {0, 255}:
        return refusal(
            "binary-mask",
            f"the {role} holds only 0 and 255, as a figure mask does, and 255 is no class id",
            binary_remedy(classes, 255),
            file=path,
            sample=sample,
        )
    shown = ", ".join(str(i) for i in unknown[:5]) + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else "")
    return refusal(
        "unknown-class-id",
        f"the {role} holds {shown}, which {'is no class id' if len(unknown) == 1 else 'are no class ids'}",
        f"Declare the class, or `ignore`, or correct the {role}; the {len(classes)} class ids are {min(classes.ids)} to {max(classes.ids)}",
        file=path,
        sample=sample,
    )


def _colours_undeclared(path: str | None, sample: str | None, role: Role) -> FormatError:
    if role == "prediction":
        problem, remedy = "the prediction is a colour image, and class ids are expected", "Save class ids as a grey or palette PNG"
    else:
        problem = "the mask is a colour image and no colour table is declared"
        remedy = "Declare `colours` (one RGB per class), or save class ids as a grey or palette PNG"
    return refusal("rgb-mask", problem, remedy, file=path, sample=sample)


def _not_a_label_map(data: bytes, path: str, sample: str | None, role: Role) -> FormatError:
    if data.startswith(JPEG_MAGIC):
        return refusal(
            "jpeg-mask",
            f"the {role} is a JPEG image, whose compression changes class ids",
            "Export the mask again as PNG; a JPEG cannot be mended",
            file=path,
            sample=sample,
        )
    if SIGNATURE.startswith(data) or NPY_MAGIC.startswith(data):
        return refusal(
            "truncated-file", f"the file ends after {len(data)} bytes", "Write it again from its source", file=path, sample=sample
        )
    suffix = paths.leaf(path).rpartition(".")[2].lower()
    if suffix in ("png", "npy"):
        return refusal(
            "corrupt-file", f"the content is no {suffix.upper()} file", "Write it again from its source", file=path, sample=sample
        )
    return refusal("unsupported-mask", "a label map must be a PNG or NPY file", "Convert it to PNG without loss", file=path, sample=sample)


def _read_npy(data: bytes, path: str, sample: str | None) -> np.ndarray:
    """The array of an NPY file; objects are never unpickled, and a header that promises more than there is allocates nothing."""
    stream = io.BytesIO(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a damaged header can look like one of Python 2, about which numpy warns
            version = np.lib.format.read_magic(stream)
            reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = reader(stream)
    except (
        ValueError,
        OSError,
        EOFError,
        SyntaxError,
        TypeError,
        KeyError,
        MemoryError,
        OverflowError,
        RecursionError,
        tokenize.TokenError,
    ) as error:
        raise refusal(
            "corrupt-file",
            f"the NPY header cannot be read ({str(error)[:80]})",
            "Save the array again with numpy.save",
            file=path,
            sample=sample,
        ) from error
    return _npy_body(data[stream.tell() :], shape, fortran, dtype, path, sample)


def _npy_body(body: bytes, shape: tuple[int, ...], fortran: bool, dtype: np.dtype, path: str, sample: str | None) -> np.ndarray:
    if dtype.hasobject or dtype.kind not in "biuf" or any(not isinstance(n, int) or n < 0 for n in shape):
        raise refusal(
            "unsupported-mask",
            f"a label map must be whole numbers [height, width]; got {dtype} {list(shape)}",
            "Save class ids as uint8 or uint16; take the argmax of scores first",
            file=path,
            sample=sample,
        )
    count = 1
    for n in shape:
        count *= n
    if count * dtype.itemsize > len(body):
        raise refusal(
            "truncated-file",
            f"the array should have {count * dtype.itemsize} bytes and has {len(body)}",
            "Save it again with numpy.save",
            file=path,
            sample=sample,
        )
    array = np.frombuffer(body, dtype, count=count).reshape(shape, order="F" if fortran else "C")
    return array.astype(dtype.newbyteorder("=")) if not dtype.isnative else array

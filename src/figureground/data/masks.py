"""Mask and prediction files read into runs: index PNG, 16-bit PNG, colour-coded PNG and NPY, each fault said the same way."""

from __future__ import annotations

import hashlib
import io
import tokenize
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, Protocol

import numpy as np

from figureground.core.errors import FormatError, InputError
from figureground.core.types import MAX_CLASS_ID, ClassTable, LabelRuns
from figureground.data import paths
from figureground.data.faults import refusal, some
from figureground.data.labelmap import encode_runs
from figureground.data.png import GREY, PALETTE, SIGNATURE, PngError, PngParts, read_png

Role = Literal["mask", "prediction"]
NPY_MAGIC = b"\x93NUMPY"
JPEG_MAGIC = b"\xff\xd8\xff"


class StampedSource(Protocol):
    """A `LabelSource` that can also say whether its files changed."""

    def read(self, sample_id: str) -> LabelRuns:
        """The label map of a sample; a fault raises `FormatError`."""
        ...

    def stamps(self, ids: Iterable[str]) -> Iterator[str]:
        """One short text per sample that changes when its label map does."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskFiles:
    """Label maps that lie in one file a sample."""

    files: Mapping[str, str]
    """Sample id -> path or URL."""
    classes: ClassTable
    role: Role = "mask"
    labels: Mapping[str, str] = field(default_factory=dict)
    """Sample id -> declared class name, so that a 0/255 mask can be told from one that is void on purpose."""

    def read(self, sample_id: str) -> LabelRuns:
        """The label map of a sample; an absent or faulty file raises `FormatError`."""
        if sample_id not in self.files:
            raise absent_map(sample_id, self.role)
        runs = read_mask(self.files[sample_id], self.classes, sample=sample_id, role=self.role)
        if self.role == "mask" and self.labels.get(sample_id):
            check_labelled(runs, self.classes, label=self.labels[sample_id], sample=sample_id, file=self.files[sample_id])
        return runs

    def stamps(self, ids: Iterable[str]) -> Iterator[str]:
        """Size and time of change of each file."""
        return (paths.stamp(self.files[i]) if i in self.files else "absent" for i in ids)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapsInMemory:
    """Label maps that are held as runs."""

    maps: Mapping[str, LabelRuns]
    role: Role = "mask"

    def read(self, sample_id: str) -> LabelRuns:
        """The label map of a sample; an absent one raises `FormatError`."""
        if sample_id not in self.maps:
            raise absent_map(sample_id, self.role)
        return self.maps[sample_id]

    def stamps(self, ids: Iterable[str]) -> Iterator[str]:
        """A digest of each label map."""
        for i in ids:
            runs = self.maps[i]
            content = runs.values.astype(np.uint16).tobytes() + runs.lengths.tobytes()
            yield f"{runs.size_hw}:{hashlib.sha256(content).hexdigest()}"


def absent_map(sample_id: str, role: Role) -> FormatError:
    """The refusal of a sample whose label map is nowhere."""
    if role == "prediction":
        return refusal("missing-prediction", "there is no prediction for this sample", "Predict it, or leave the sample out", sample=sample_id)
    return refusal("missing-mask", "the sample has no mask", "Name its mask file, or leave the sample out", sample=sample_id)


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
        return _from_png(data, classes, path, sample, role)
    if data.startswith(NPY_MAGIC):
        return _from_array(_read_npy(data, path, sample), classes, path, sample, role)
    raise _not_a_label_map(data, path, sample)


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


def check_labelled(runs: LabelRuns, classes: ClassTable, *, label: str, sample: str, file: str | None) -> None:
    """Raise `FormatError` if a sample of a foreground class has a mask of nothing but background and ignore.

    Such a mask is what a 0/255 figure mask looks like when 255 is `ignore`: every figure pixel would silently not count.
    """
    if classes.ignore is None or label not in classes.names or classes.id_of(label) == classes.background:
        return
    present = set(np.unique(runs.values).tolist())
    if classes.ignore in present and present <= {classes.background, classes.ignore}:
        raise refusal(
            "binary-mask",
            f"the sample is labelled '{label}' but its mask holds only {classes.background} and the ignore value {classes.ignore}, "
            "as a figure mask does",
            _binary_remedy(classes),
            file=file,
            sample=sample,
        )


def _binary_remedy(classes: ClassTable) -> str:
    top = classes.ignore if classes.ignore is not None else 255
    return f"Write the class id instead of {top}, or declare `ids = [0, {top}]` with another `ignore`"


def _from_png(data: bytes, classes: ClassTable, path: str, sample: str | None, role: Role) -> LabelRuns:
    try:
        parts, numbers = read_png(data)
    except PngError as error:
        code = "truncated-file" if error.truncated else "corrupt-file"
        raise refusal(code, f"the PNG file is damaged: {error}", "Write it again from its source", file=path, sample=sample) from error
    if classes.colours is not None:
        return _from_colours(_rgb(parts, numbers, path, sample), classes, path, sample, role)
    if parts.colour_type not in (GREY, PALETTE):
        raise _colours_undeclared(path, sample)
    return check_ids(encode_runs(numbers), classes, sample=sample, file=path, role=role)


def _from_array(array: np.ndarray, classes: ClassTable, path: str | None, sample: str | None, role: Role) -> LabelRuns:
    if array.ndim == 3 and array.shape[2] in (3, 4) and array.dtype == np.uint8 and array.size:
        if classes.colours is None:
            raise _colours_undeclared(path, sample)
        return _from_colours(_opaque(array, path, sample), classes, path, sample, role)
    if array.ndim != 2 or array.size == 0 or array.dtype.kind not in "biu":
        raise refusal(
            "unsupported-mask",
            f"a label map must be whole numbers [height, width]; got {array.dtype} {list(array.shape)}",
            "Save class ids as uint8 or uint16; take the argmax of scores first",
            file=path,
            sample=sample,
        )
    if array.dtype not in (np.uint8, np.uint16):
        low, high = int(array.min()), int(array.max())
        if low < 0 or high > MAX_CLASS_ID:
            raise _wrong_ids(np.unique(array).tolist(), classes, path, sample, role)
        array = array.astype(np.uint8 if high <= 255 else np.uint16)
    return check_ids(encode_runs(array), classes, sample=sample, file=path, role=role)


def _rgb(parts: PngParts, numbers: np.ndarray, path: str, sample: str | None) -> np.ndarray:
    """Colours uint8 [height, width, 3] of a PNG of any type."""
    if parts.depth == 16 or (parts.depth < 8 and parts.colour_type == GREY):
        raise refusal(
            "unsupported-mask",
            f"a colour-coded mask must have 8 bits a channel; got {parts.depth}",
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
    return _opaque(numbers, path, sample)


def _opaque(colours: np.ndarray, path: str | None, sample: str | None) -> np.ndarray:
    if colours.shape[2] == 4 and (colours[:, :, 3] != 255).any():
        raise refusal(
            "unsupported-mask",
            "a colour-coded mask has transparent pixels, whose class is not said",
            "Save it as RGB without transparency",
            file=path,
            sample=sample,
        )
    return colours[:, :, :3]


def _from_colours(colours: np.ndarray, classes: ClassTable, path: str | None, sample: str | None, role: Role) -> LabelRuns:
    """Runs by colour; only the first pixel of each run is looked up."""
    wide = colours.astype(np.uint32)
    packed = ((wide[:, :, 0] << 16) | (wide[:, :, 1] << 8) | wide[:, :, 2]).reshape(-1)
    starts = np.concatenate([[0], np.flatnonzero(packed[1:] != packed[:-1]) + 1])
    keys, ids = _colour_keys(classes)
    found = np.searchsorted(keys, packed[starts]).clip(max=keys.size - 1)
    if (wrong := keys[found] != packed[starts]).any():
        unknown = [f"#{key:06x}" for key in np.unique(packed[starts][wrong]).tolist()]
        raise refusal(
            "unknown-colour",
            f"the mask holds the colours {some(unknown)}, which no class has",
            "Add them to `colours` (or `ignore_colour`), or correct the mask",
            file=path,
            sample=sample,
        )
    lengths = np.diff(starts, append=packed.size).astype(np.uint32)
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
            _binary_remedy(classes),
            file=path,
            sample=sample,
        )
    shown = ", ".join(str(i) for i in unknown[:5]) + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else "")
    return refusal(
        "unknown-class-id",
        f"the {role} holds {shown}, which {'is no class id' if len(unknown) == 1 else 'are no class ids'}",
        f"Declare the class, or `ignore`, or correct the {role}; the {len(classes)} class ids go from {min(classes.ids)} to {max(classes.ids)}",
        file=path,
        sample=sample,
    )


def _colours_undeclared(path: str | None, sample: str | None) -> FormatError:
    return refusal(
        "rgb-mask",
        "the mask is a colour image and no colour table is declared",
        "Declare `colours` (one RGB per class), or save class ids as a grey or palette PNG",
        file=path,
        sample=sample,
    )


def _not_a_label_map(data: bytes, path: str, sample: str | None) -> FormatError:
    if data.startswith(JPEG_MAGIC):
        return refusal(
            "jpeg-mask",
            "the mask is a JPEG image, whose compression changes class ids",
            "Export the mask again as PNG; a JPEG cannot be mended",
            file=path,
            sample=sample,
        )
    if SIGNATURE.startswith(data) or NPY_MAGIC.startswith(data):
        return refusal("truncated-file", f"the file ends after {len(data)} bytes", "Write it again from its source", file=path, sample=sample)
    suffix = paths.leaf(path).rpartition(".")[2].lower()
    if suffix in ("png", "npy"):
        return refusal(
            "corrupt-file", f"the content is no {suffix.upper()} file", "Write it again from its source", file=path, sample=sample
        )
    return refusal(
        "unsupported-mask", "a label map must be a PNG or NPY file", "Convert it to PNG without loss", file=path, sample=sample
    )


def _read_npy(data: bytes, path: str, sample: str | None) -> np.ndarray:
    """The array of an NPY file; objects are never unpickled, and a header that promises more than there is allocates nothing."""
    stream = io.BytesIO(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a damaged header can look like one of Python 2, about which numpy warns
            version = np.lib.format.read_magic(stream)
            reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = reader(stream)
    except (ValueError, OSError, EOFError, SyntaxError, TypeError, KeyError, MemoryError, OverflowError, RecursionError, tokenize.TokenError) as error:
        raise refusal(
            "corrupt-file", f"the NPY header cannot be read ({str(error)[:80]})", "Save the array again with numpy.save", file=path, sample=sample
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


def maps_in_memory(arrays: Mapping[str, np.ndarray], classes: ClassTable, *, role: Role = "mask") -> MapsInMemory:
    """Arrays by sample id as a source; a key that is no text raises `InputError`, a faulty array `FormatError`."""
    if bad := [key for key in arrays if not isinstance(key, str)]:
        raise InputError(f"sample ids must be texts; got {bad[0]!r}. Use str(id)")
    return MapsInMemory(maps={i: runs_from_array(a, classes, sample=i, role=role) for i, a in arrays.items()}, role=role)

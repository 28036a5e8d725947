"""Writing a data set in the project's own form, so that `open_dataset` reads back what was given."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from figureground.core.errors import InputError
from figureground.core.ties import Common, own_contexts
from figureground.core.types import ClassTable, Sample
from figureground.core.whole_file import write_atomically

TABLE_NAME, TOML_NAME = "samples.csv", "dataset.toml"
_OWN = ("id", "image", "mask", "label", "split")


def write_table_and_toml(
    folder: Path,
    *,
    name: str,
    classes: ClassTable,
    samples: Sequence[Sample],
    common: Common,
    label: str | None = "label",
    context: str | None = "context",
) -> None:
    """Writes `samples.csv` and `dataset.toml` into a folder that is there, each whole or not at all.

    The columns are `id, image, mask, <label>, split`, then every attribute in the order in which it first appears; a sample without one
    gets an empty cell.

    Args:
        folder: where both files go; meant to be the directory of an artifact in the making.
        name: name of the data set.
        classes: written to `[classes]` with ids and colours where they are not the default ones.
        samples: at least one, with unique ids that are not empty; `image` and `mask` are written as they are, so give them relative to
            `folder`, absolute, or as URLs. `size_hw` is not kept.
        common: class -> the context, or contexts, that training ties it to; may be empty.
        label: column of `Sample.label`; None = no such column.
        context: attribute that holds the context; None = there is none.

    Raises:
        InputError: no sample, an id twice or empty, an attribute whose name a table cannot hold or that is one of the fixed columns, a
            context that no sample has as an attribute, `common` for what is no class, or text that is not Unicode.
    """
    columns = _attribute_columns(samples, label)
    _check(samples, columns, classes, common, context)
    head = ["id", "image", "mask", *([label] if label else []), "split", *columns]
    lines = (
        [s.id, s.image or "", s.mask or "", *([s.label or ""] if label else []), s.split or "", *(s.attributes.get(c, "") for c in columns)]
        for s in samples
    )
    table = "".join(",".join(map(_cell, line)) + "\n" for line in (head, *lines))
    document = _toml(name, classes, common, label=label, context=context)
    contents = [(folder / file, _utf8(text, folder / file)) for file, text in ((TABLE_NAME, table), (TOML_NAME, document))]
    for path, content in contents:
        write_atomically(path, content)


def png_bytes(label_map: np.ndarray) -> bytes:
    """A label map, uint8 or uint16 [height, width], as a grey PNG that holds its values unchanged.

    Raises:
        InputError: another shape or dtype, or no pixel.
    """
    if label_map.ndim != 2 or label_map.dtype not in (np.uint8, np.uint16) or not label_map.size:
        raise InputError(f"`label_map` must be uint8 or uint16 [height, width]; got {label_map.dtype} {list(label_map.shape)}")
    return _encoded(".png", label_map, [])


def png_rgb_bytes(rgb: np.ndarray) -> bytes:
    """A picture, uint8 [height, width, 3] RGB, as a PNG without loss; another shape or dtype raises `InputError`."""
    return _encoded(".png", _bgr(rgb), [])


def jpeg_bytes(rgb: np.ndarray, quality: int = 95) -> bytes:
    """A picture, uint8 [height, width, 3] RGB, as a JPEG of a quality in [1, 100]; another shape or dtype raises `InputError`."""
    if not 1 <= quality <= 100:
        raise InputError(f"`quality` must be in [1, 100]; got {quality}")
    return _encoded(".jpg", _bgr(rgb), [cv2.IMWRITE_JPEG_QUALITY, quality])


def _bgr(rgb: np.ndarray) -> np.ndarray:
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or not rgb.size:
        raise InputError(f"`rgb` must be uint8 [height, width, 3]; got {rgb.dtype} {list(rgb.shape)}")
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)


def _encoded(suffix: str, pixels: np.ndarray, settings: list[int]) -> bytes:
    return cv2.imencode(suffix, np.ascontiguousarray(pixels), settings)[1].tobytes()


def _attribute_columns(samples: Sequence[Sample], label: str | None) -> list[str]:
    """Every attribute in the order of its first appearance; the label's own column is written from `Sample.label`."""
    return [column for column in dict.fromkeys(key for sample in samples for key in sample.attributes) if column != label]


def _check(samples: Sequence[Sample], columns: list[str], classes: ClassTable, common: Common, context: str | None) -> None:
    if not samples:
        raise InputError("`samples` must hold at least one sample: a table without rows is no data set")
    ids = [sample.id for sample in samples]
    if "" in ids or len(set(ids)) != len(ids):
        wrong = "" if "" in ids else Counter(ids).most_common(1)[0][0]
        raise InputError(f"each sample needs an id of its own; got '{wrong}' {'for one' if not wrong else 'twice'}")
    for column in columns:
        if column in _OWN or not column or column != column.strip():
            raise InputError(f"an attribute cannot be called '{column}': choose a name other than {', '.join(_OWN)}, without outer blanks")
    if context is not None and context not in columns:
        raise InputError(f"`context` = '{context}' is no attribute of these samples; they have {', '.join(columns) or 'none'}")
    if absent := [name for name in common if name not in classes.names]:
        raise InputError(f"`common` names '{absent[0]}', which is no class; there are {', '.join(classes.names)}")


def _cell(text: str) -> str:
    """A CSV cell, in quotes where it must be."""
    return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in ',"\r\n') else text


def _toml(name: str, classes: ClassTable, common: Common, *, label: str | None, context: str | None) -> str:
    lines = [f"name = {_text(name)}", "", "[classes]", f"names = {_texts(classes.names)}"]
    if classes.ids != tuple(range(len(classes))):
        lines.append(f"ids = {list(classes.ids)}")
    lines += [f"background = {classes.background}", f"ignore = {_text('none') if classes.ignore is None else classes.ignore}"]
    if classes.colours is not None:
        lines.append(f"colours = {[list(colour) for colour in classes.colours]}")
    if classes.ignore_colour is not None:
        lines.append(f"ignore_colour = {list(classes.ignore_colour)}")
    lines += ["", "[samples]", f"table = {_text(TABLE_NAME)}", "", "[attributes]"]
    lines += [f"{key} = {_text(column)}" for key, column in (("label", label), ("context", context)) if column is not None]
    several = {name: own_contexts(common, name) for name in common}
    pairs = ", ".join(f"{_text(name)} = {_text(own[0]) if len(own) == 1 else _texts(own)}" for name, own in several.items())
    return "\n".join([*lines, "", "[groups]", f"common = {{{pairs}}}", ""])


def _text(value: str) -> str:
    """A TOML basic string: a JSON string with the one sign escaped that JSON leaves and TOML does not allow."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _texts(values: Iterable[str]) -> str:
    return f"[{', '.join(map(_text, values))}]"


def _utf8(text: str, path: Path) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(f"{path}: {error.object[error.start : error.end]!r} is no Unicode text. Rename what bears it") from error

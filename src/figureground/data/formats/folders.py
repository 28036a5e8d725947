"""A folder of label maps, with or without a folder of pictures: the least that can be audited."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np

from figureground.core.errors import InputError
from figureground.core.types import ClassTable, Sample
from figureground.data import paths
from figureground.data.dataset import Dataset
from figureground.data.map_folder import map_files, picture_files
from figureground.data.masks import read_numbers
from figureground.data.sources import mask_files
from figureground.data.spec import check_keys, listed

OPTIONS = ("masks", "images", "classes", "colours", "background", "ignore", "ignore_colour", "unlabelled")
_LOG = logging.getLogger(__name__)


def open_folders(where: str, options: Mapping[str, str]) -> Dataset:
    """Label maps `<id>.png` or `<id>.npy` of a folder as a data set; ids may hold `/`.

    Options:
        masks: sub-folder of the label maps; default `masks` if there is one, else the folder itself.
        images: sub-folder of the pictures; default `images` if there is one, else none.
        classes: names in id order (`background,cat,dog`) or their number (`3`). Without it every map is read once, and the ids that
            stand in them become classes called `class 1`, `class 2`, ...; that is said in the log.
        colours: one `#rrggbb` per class where masks are colour-coded; `ignore_colour` for void pixels.
        background: id of the ground, default 0.
        ignore: value of void pixels, default 255, or `none`.
        unlabelled: `skip` leaves out pictures without a mask; by default each is a fault.

    Raises:
        InputError: an unknown option or a wrong value.
        FormatError: a fault of the folder.
    """
    check_keys(options, OPTIONS, where=where)
    masks = map_files(_sub_folder(where, options, "masks") or where)
    image_folder = _sub_folder(where, options, "images")
    pictures = picture_files(image_folder) if image_folder else {}
    if options.get("unlabelled", "fault") not in ("skip", "fault"):
        raise InputError(f"`unlabelled` must be skip or fault; got '{options['unlabelled']}'")
    ids = sorted(masks) if options.get("unlabelled") == "skip" else sorted(masks.keys() | pictures.keys())
    classes = _declared(options) if "classes" in options else _scanned(masks, options)
    samples = tuple(Sample(id=i, image=pictures.get(i), mask=masks.get(i), attributes={}) for i in ids)
    return Dataset(name=paths.leaf(where), classes=classes, samples=samples, masks=mask_files(samples, classes))


def _sub_folder(where: str, options: Mapping[str, str], key: str) -> str | None:
    if key in options:
        return paths.join(where, options[key])
    usual = paths.join(where, key)
    return usual if paths.is_folder(usual) else None


def _declared(options: Mapping[str, str]) -> ClassTable:
    names = listed(options, "classes") or []
    background = _number(options, "background", 0) or 0
    if len(names) == 1 and names[0].isdecimal():
        names = ["background" if i == background else f"class {i}" for i in range(int(names[0][:6]))]
    colours = listed(options, "colours")
    return ClassTable(
        names=tuple(names),
        background=background,
        ignore=_number(options, "ignore", 255),
        colours=None if colours is None else tuple(_colour(c) for c in colours),
        ignore_colour=_colour(options["ignore_colour"]) if "ignore_colour" in options else None,
    )


def _scanned(masks: Mapping[str, str], options: Mapping[str, str]) -> ClassTable:
    """The class table of the ids that stand in the maps, all of them read once."""
    background, ignore = _number(options, "background", 0) or 0, _number(options, "ignore", 255)
    found = {background}
    for sample_id, path in masks.items():
        found.update(np.unique(read_numbers(path, sample=sample_id).values).tolist())
    ids = sorted(found - {ignore})
    _LOG.warning(
        "no class names were given: the ids %s in %d label maps are called 'class <id>'; name them with ?classes=", ids, len(masks)
    )
    names = tuple("background" if i == background else f"class {i}" for i in ids)
    return ClassTable(names=names, ids=tuple(ids), background=background, ignore=ignore)


def _number(options: Mapping[str, str], key: str, default: int) -> int | None:
    text = options.get(key, str(default))
    if text == "none" and key == "ignore":
        return None
    if not text.isdecimal() or len(text) > 5:
        raise InputError(f"`{key}` must be a class id{' or none' if key == 'ignore' else ''}; got '{text}'")
    return int(text)


def _colour(text: str) -> tuple[int, int, int]:
    digits = text.removeprefix("#")
    if len(digits) != 6 or any(c not in "0123456789abcdefABCDEF" for c in digits):
        raise InputError(f"a colour must be #rrggbb; got '{text}'")
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)

"""Folders of pictures by class and context: the least that a classifier can be trained and audited on."""

from __future__ import annotations

from collections.abc import Mapping

from figureground.core.errors import InputError
from figureground.core.types import ClassTable, Sample
from figureground.data import paths
from figureground.data.dataset import Dataset
from figureground.data.faults import refusal
from figureground.data.map_folder import picture_files
from figureground.data.spec import check_keys, listed

GROUND = "background"
"""Name of the ground in the class table, which no folder may have."""


def open_classes(where: str, options: Mapping[str, str]) -> Dataset:
    """Pictures in folders whose names say what they show: `cat/indoor/001.jpg` is a cat indoors.

    A sample's id is its path below the folder without the suffix. There are no masks.

    Options:
        levels: what the folders say from the top down, `class` and perhaps `context`, `split` or any other column; default
            `class,context`. Folders below these are part of the id alone.

    Raises:
        InputError: an unknown option, or levels without a class or with a name twice.
        FormatError: no such folder, no pictures, a picture that lies too high, or a class called background.
    """
    check_keys(options, ("levels",), where=where)
    levels = tuple(listed(options, "levels") or ("class", "context"))
    if "class" not in levels or len(set(levels)) != len(levels) or {"id", "label", "image", "mask"} & set(levels):
        raise InputError(f"{where}: `levels` must name `class` and other columns once each, such as class,context; got {','.join(levels)}")
    pictures = picture_files(where)
    if not pictures:
        raise refusal(
            "bad-layout", "the folder holds no pictures", f"Name a folder with pictures in folders {'/'.join(levels)}", file=where
        )
    samples = tuple(_sample(sample_id, image, levels) for sample_id, image in sorted(pictures.items()))
    names = sorted({s.label for s in samples if s.label})
    if GROUND in names:
        raise refusal(
            "bad-layout", f"a class is called {GROUND}, which is the name of the ground", "Give the folder another name", file=where
        )
    return Dataset(
        name=paths.leaf(where),
        classes=ClassTable(names=(GROUND, *names)),
        samples=samples,
        masks=None,
        label_attribute="class",
        context_attribute="context" if "context" in levels else None,
    )


def _sample(sample_id: str, image: str, levels: tuple[str, ...]) -> Sample:
    folders = sample_id.split("/")[:-1]
    if len(folders) < len(levels):
        raise refusal(
            "bad-layout",
            f"the picture lies {len(folders)} folders deep, and `levels` names {len(levels)}: {', '.join(levels)}",
            "Put it into its folders, or name fewer `levels`",
            file=image,
            sample=sample_id,
        )
    said = dict(zip(levels, folders, strict=False))
    more = {name: value for name, value in said.items() if name not in ("class", "split")}
    return Sample(id=sample_id, image=image, label=said["class"], split=said.get("split"), attributes=more)

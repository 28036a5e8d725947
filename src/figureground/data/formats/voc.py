"""PASCAL VOC segmentation: palette PNG masks in `SegmentationClass`, lists in `ImageSets/Segmentation`."""

from __future__ import annotations

from collections.abc import Mapping

from figureground.core.types import ClassTable, Sample
from figureground.data import paths
from figureground.data.dataset import Dataset
from figureground.data.faults import refusal
from figureground.data.map_folder import map_files
from figureground.data.sources import mask_files
from figureground.data.spec import check_keys
from figureground.data.tables import check_unique

VOC_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
_LISTS = "ImageSets/Segmentation"


def open_voc(where: str, options: Mapping[str, str]) -> Dataset:
    """The segmentation part of a PASCAL VOC year, with its 21 classes, 255 void.

    The folder is the year (`VOCdevkit/VOC2012`) or one that holds a single year. The lists say which samples there are and give the split;
    `trainval` counts only where `train` or `val` does not name the sample. Without lists every mask is a sample.

    Raises:
        InputError: an option is given (this kind has none of its own).
        FormatError: the folder is not laid out like this, or a list names a sample twice.
    """
    check_keys(options, (), where=where)
    root = _year_folder(where)
    masks = map_files(paths.join(root, "SegmentationClass"), suffix=".png")
    lists = _lists(root)
    splits = _splits(lists) if lists else dict.fromkeys(masks, None)
    classes = ClassTable(names=VOC_CLASSES)
    samples = tuple(
        Sample(id=i, image=paths.join(root, f"JPEGImages/{i}.jpg"), mask=masks.get(i), split=split, attributes={})
        for i, split in splits.items()
    )
    files = tuple(paths.join(root, f"{_LISTS}/{name}.txt") for name in lists)
    return Dataset(name=paths.leaf(root), classes=classes, samples=samples, masks=mask_files(samples, classes), files=files)


def _year_folder(where: str) -> str:
    if paths.is_folder(paths.join(where, "SegmentationClass")):
        return where
    years = [y for y in ("VOC2012", "VOC2011", "VOC2010", "VOC2009", "VOC2008", "VOC2007") if paths.is_folder(paths.join(where, y))]
    if len(years) == 1:
        return _year_folder(paths.join(where, years[0]))
    if not paths.exists(where):
        raise refusal("missing-file", "there is no such folder", "Correct the path, or bring the data here", file=where)
    problem = f"it holds {' and '.join(years)}" if years else "it has no folder SegmentationClass"
    raise refusal(
        "bad-layout", f"the folder is no VOC year: {problem}", "Name the folder of one year, such as VOCdevkit/VOC2012", file=where
    )


def _lists(root: str) -> dict[str, list[str]]:
    """Name of each list -> its ids; the plain lists first, so that they win over `trainval`."""
    folder = paths.join(root, _LISTS)
    if not paths.is_folder(folder):
        return {}
    names = [item.removesuffix(".txt") for item in paths.list_files(folder) if item.endswith(".txt")]
    lists = {}
    for name in sorted(names, key=lambda n: (n == "trainval", n)):
        path = paths.join(folder, f"{name}.txt")
        lists[name] = [line.split()[0] for line in paths.read_text(path).splitlines() if line.strip()]
        check_unique(lists[name], file=path)
    return lists


def _splits(lists: Mapping[str, list[str]]) -> dict[str, str | None]:
    splits: dict[str, str | None] = {}
    for name, ids in lists.items():
        for i in ids:
            splits.setdefault(i, name)
    return splits

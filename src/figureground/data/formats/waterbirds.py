"""Waterbirds with masks: `metadata.csv` gives bird, place and split of each picture."""

from __future__ import annotations

from collections.abc import Mapping

from figureground.core.types import ClassTable, Sample
from figureground.data import paths
from figureground.data.dataset import Dataset
from figureground.data.faults import refusal
from figureground.data.sources import mask_files
from figureground.data.spec import check_keys
from figureground.data.tables import TextTable, check_samples, check_unique, read_table

CLASSES = ClassTable(names=("background", "landbird", "waterbird"))
COMMON = {"landbird": "land", "waterbird": "water"}
_CODES = {
    "y": {"0": "landbird", "1": "waterbird"},
    "place": {"0": "land", "1": "water"},
    "split": {"0": "train", "1": "val", "2": "test"},
}


def open_waterbirds(where: str, options: Mapping[str, str]) -> Dataset:
    """Waterbirds or Waterbirds-Seg: the metadata table, or the folder that holds it (or its `images` folder).

    A sample's id is its picture's path without the suffix, as its mask and its predictions are called. Classes: 0 background, 1 landbird,
    2 waterbird; context: `place`, land or water; landbirds on land and waterbirds on water are common.

    Options:
        masks: folder of masks laid out like the pictures; default `masks` beside the table or beside its folder. Without any the samples
            and groups are known but nothing can be measured.
        images: folder of the pictures; default the folder of the table.

    Raises:
        InputError: an unknown option.
        FormatError: a faulty table, or a code other than 0/1 (split 0/1/2).
    """
    check_keys(options, ("masks", "images"), where=where)
    table = read_table(_table_path(where))
    for column in ("img_filename", *_CODES):
        table.require(column)
    check_samples(table)
    folder = paths.parent(table.file)
    mask_folder = _mask_folder(folder, options.get("masks"))
    image_folder = paths.join(folder, options["images"]) if "images" in options else folder
    samples = _samples(table, image_folder, mask_folder)
    return Dataset(
        name=paths.stem(table.file) if where.endswith(".csv") else paths.leaf(where),
        classes=CLASSES,
        samples=samples,
        masks=mask_files(samples, CLASSES),
        label_attribute="y",
        context_attribute="place",
        common=COMMON,
        files=(table.file,),
    )


def _table_path(where: str) -> str:
    if not paths.is_folder(where):
        return where
    candidates = [paths.join(where, "metadata.csv"), paths.join(where, "images/metadata.csv")]
    return next((c for c in candidates if paths.exists(c)), candidates[0])


def _mask_folder(folder: str, given: str | None) -> str | None:
    if given is not None:
        return paths.join(folder, given) if paths.is_folder(paths.join(folder, given)) else given
    candidates = [paths.join(folder, "masks"), paths.join(paths.parent(folder), "masks")]
    return next((c for c in candidates if paths.is_folder(c)), None)


def _samples(table: TextTable, image_folder: str, mask_folder: str | None) -> tuple[Sample, ...]:
    ids = [row["img_filename"].rpartition(".")[0] or row["img_filename"] for row in table.rows]
    check_unique(ids, file=table.file)
    kept = [c for c in table.columns if c not in ("img_filename", "mask", *_CODES)]
    samples = []
    for sample_id, row in zip(ids, table.rows, strict=True):
        named = {column: _decoded(row, column, sample_id, table.file) for column in _CODES}
        image = paths.join(image_folder, row["img_filename"])
        mask = paths.join(mask_folder, row.get("mask") or f"{sample_id}.png") if mask_folder else None
        if mask is None and row.get("mask"):
            mask = paths.join(paths.parent(table.file), row["mask"])
        samples.append(
            Sample(
                id=sample_id,
                image=image if mask_folder or paths.exists(image) else None,
                mask=mask,
                label=named["y"],
                split=named["split"],
                attributes={"place": named["place"], **{c: row[c] for c in kept}},
            )
        )
    return tuple(samples)


def _decoded(row: Mapping[str, str], column: str, sample_id: str, file: str) -> str:
    codes = _CODES[column]
    if row[column] not in codes:
        raise refusal(
            "bad-table",
            f"`{column}` is '{row[column]}' and must be one of {', '.join(f'{code} ({name})' for code, name in codes.items())}",
            "Bring the published table",
            file=file,
            sample=sample_id,
        )
    return codes[row[column]]

"""Oxford-IIIT Pet: trimaps with a border class, species and breeds from the published lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from figureground.core.types import ClassTable, LabelRuns, Sample
from figureground.data import paths
from figureground.data.dataset import Dataset
from figureground.data.faults import refusal
from figureground.data.masks import read_numbers
from figureground.data.sources import absent_map, relabelled
from figureground.data.spec import check_keys, chosen
from figureground.data.tables import check_unique

FIGURE, GROUND, BORDER = 1, 2, 3
_SPECIES = {"1": "cat", "2": "dog"}
_LISTS = ("trainval", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trimaps:
    """Masks read from trimaps: figure becomes the sample's class, the border what was chosen."""

    files: Mapping[str, str]
    class_ids: Mapping[str, int]
    border: str

    def read(self, sample_id: str) -> LabelRuns:
        """The mask of a sample; a faulty trimap raises `FormatError`."""
        if sample_id not in self.files:
            raise absent_map(sample_id, "mask")
        file = self.files[sample_id]
        runs = read_numbers(file, sample=sample_id)
        if wrong := set(np.unique(runs.values).tolist()) - {FIGURE, GROUND, BORDER}:
            raise refusal(
                "unknown-class-id",
                f"the trimap holds {min(wrong)}, and trimaps hold 1 (figure), 2 (ground) and 3 (border)",
                "Bring the trimap of the published set",
                file=file,
                sample=sample_id,
            )
        figure = self.class_ids[sample_id]
        border = {"ignore": 255, "foreground": figure, "background": 0}[self.border]
        return relabelled(runs, np.array([0, figure, 0, border], np.uint8))

    def stamps(self, ids: Iterable[str]) -> Iterator[str]:
        """Size and time of change of each trimap, with the choice of border."""
        return (f"{self.border}:{paths.stamp(self.files[i])}" for i in ids)


def open_pets(where: str, options: Mapping[str, str]) -> Dataset:
    """The Oxford-IIIT Pet set: `images/`, `annotations/trimaps/`, `annotations/list.txt`, `trainval.txt`, `test.txt`.

    Options:
        border: what the trimap's border class counts as: `ignore` (default), `foreground` or `background`.
        classes: `species` (default: cat, dog) or `breed` (37 breeds).

    The attributes `species` and `breed` are there in both cases; the label is the class.

    Raises:
        InputError: an unknown option or choice.
        FormatError: a list that is absent or crooked.
    """
    check_keys(options, ("border", "classes"), where=where)
    by = chosen(options, "classes", ("species", "breed"), default="species")
    border = chosen(options, "border", ("ignore", "foreground", "background"), default="ignore")
    annotations = paths.join(where, "annotations")
    rows = _rows(paths.join(annotations, "list.txt"))
    classes = _class_table(rows, by)
    splits, files = _splits(annotations)
    samples = tuple(
        Sample(
            id=i,
            image=paths.join(where, f"images/{i}.jpg"),
            mask=paths.join(annotations, f"trimaps/{i}.png"),
            label=row[by],
            split=splits.get(i),
            attributes={"species": row["species"], "breed": row["breed"]},
        )
        for i, row in rows.items()
    )
    masks = Trimaps(
        files={s.id: s.mask for s in samples if s.mask},
        class_ids={s.id: classes.id_of(s.label or "") for s in samples},
        border=border,
    )
    return Dataset(
        name=paths.leaf(where),
        classes=classes,
        samples=samples,
        masks=masks,
        label_attribute=by,
        files=(paths.join(annotations, "list.txt"), *files),
    )


def _rows(path: str) -> dict[str, dict[str, str]]:
    """Id -> species, breed and breed number of `list.txt`: lines of id, class id, species, breed id."""
    lines = [line.split() for line in paths.read_text(path).splitlines() if line.strip() and not line.startswith("#")]
    for number, line in enumerate(lines, start=1):
        if len(line) != 4 or line[2] not in _SPECIES or not (line[1].isascii() and line[1].isdigit() and len(line[1]) < 5 and int(line[1])):
            raise refusal(
                "bad-table",
                f"entry {number} is not `ID CLASS-ID SPECIES BREED-ID` with numbers from 1 and species 1 or 2",
                "Bring the list of the published set",
                file=path,
            )
    check_unique([line[0] for line in lines], file=path)
    return {i: {"species": _SPECIES[species], "breed": _breed(i), "number": number} for i, number, species, _ in lines}


def _breed(sample_id: str) -> str:
    """`Egyptian_Mau_12` is an Egyptian Mau."""
    return sample_id.rpartition("_")[0].replace("_", " ") or sample_id


def _class_table(rows: Mapping[str, Mapping[str, str]], by: str) -> ClassTable:
    if by == "species":
        return ClassTable(names=("background", "cat", "dog"))
    numbers = {int(row["number"]): row["breed"] for row in rows.values()}
    ordered = sorted(numbers)
    return ClassTable(names=("background", *(numbers[n] for n in ordered)), ids=(0, *ordered))


def _splits(annotations: str) -> tuple[dict[str, str], list[str]]:
    splits: dict[str, str] = {}
    files = [path for name in _LISTS if paths.exists(path := paths.join(annotations, f"{name}.txt"))]
    for path in files:
        for line in paths.read_text(path).splitlines():
            if line.strip() and not line.startswith("#"):
                splits.setdefault(line.split()[0], paths.stem(path))
    return splits, files

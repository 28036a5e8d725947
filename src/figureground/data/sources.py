"""Where label maps come from: one file a sample, or memory. Each source can say whether its maps changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from figureground.core.errors import FormatError, InputError
from figureground.core.types import ClassTable, LabelRuns, Sample
from figureground.data import paths
from figureground.data.faults import refusal, written_size
from figureground.data.masks import Role, binary_remedy, read_mask, runs_from_array
from figureground.data.pictures import check_picture_size


class StampedSource(Protocol):
    """A `LabelSource` that can also say whether its files changed."""

    def read(self, sample_id: str) -> LabelRuns:
        """The label map of a sample; a fault raises `FormatError`."""
        ...

    def stamps(self, ids: Iterable[str]) -> Iterator[str]:
        """One short text per sample that changes when its label map does."""
        ...


def file_of(source: object, sample_id: str) -> str | None:
    """The file that holds the label map of a sample; None where the source has no files, or does not know the sample."""
    known = getattr(source, "file_of", None)
    return known(sample_id) if known is not None else None


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
        file = self.files[sample_id]
        runs = read_mask(file, self.classes, sample=sample_id, role=self.role)
        if label := self.labels.get(sample_id):
            check_labelled(runs, self.classes, label=label, sample=sample_id, file=file)
        return runs

    def file_of(self, sample_id: str) -> str | None:
        """The file of a sample, None for one that has none."""
        return self.files.get(sample_id)

    def stamps(self, ids: Iterable[str]) -> Iterator[str]:
        """Size and time of change of each file."""
        return (paths.stamp(self.files[i]) if i in self.files else "absent" for i in ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeChecked:
    """Any source of masks, each compared in size with what its annotation says and with the head of its picture."""

    source: StampedSource
    samples: Mapping[str, Sample]

    def read(self, sample_id: str) -> LabelRuns:
        """The label map of a sample; another size than declared, or than a local picture, raises `FormatError`."""
        runs = self.source.read(sample_id)
        sample = self.samples.get(sample_id)
        if sample is None:
            return runs
        if sample.size_hw and sample.size_hw != runs.size_hw:
            raise refusal(
                "size-mismatch",
                f"the mask is {written_size(runs.size_hw)} and its annotation says {written_size(sample.size_hw)}",
                "Bring the mask and the annotation that belong together",
                file=sample.mask,
                sample=sample_id,
            )
        if sample.image and not paths.is_url(sample.image):
            check_picture_size(sample.image, runs.size_hw, sample=sample_id, file=sample.mask)
        return runs

    def stamps(self, ids: Iterable[str]) -> Iterator[str]:
        """Those of the source; pictures do not count."""
        return self.source.stamps(ids)


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
        return refusal(
            "missing-prediction", "there is no prediction for this sample", "Predict it, or leave the sample out", sample=sample_id
        )
    return refusal("missing-mask", "the sample has no mask", "Name its mask file, or leave the sample out", sample=sample_id)


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
            binary_remedy(classes, classes.ignore),
            file=file,
            sample=sample,
        )


def maps_in_memory(arrays: Mapping[str, np.ndarray], classes: ClassTable, *, role: Role = "mask") -> MapsInMemory:
    """Arrays by sample id as a source; a key that is no text raises `InputError`, a faulty array `FormatError`."""
    if bad := [key for key in arrays if not isinstance(key, str)]:
        raise InputError(f"sample ids must be texts; got {bad[0]!r}. Use str(id)")
    return MapsInMemory(maps={i: runs_from_array(a, classes, sample=i, role=role) for i, a in arrays.items()}, role=role)


def relabelled(runs: LabelRuns, table: np.ndarray) -> LabelRuns:
    """The label map with each value v replaced by `table[v]`, neighbours that become equal joined."""
    return joined(table[runs.values], runs.lengths, size_hw=runs.size_hw)


def joined(values: np.ndarray, lengths: np.ndarray, *, size_hw: tuple[int, int]) -> LabelRuns:
    """Runs from values [runs] and lengths [runs] whose neighbours may be equal."""
    first = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    height, width = size_hw
    return LabelRuns(height=height, width=width, values=values[first], lengths=np.add.reduceat(lengths, first).astype(np.uint32))


def mask_files(samples: Iterable[Sample], classes: ClassTable) -> MaskFiles | None:
    """The masks that samples name, with their labels to check against; None if no sample names one."""
    kept = [s for s in samples if s.mask]
    if not kept:
        return None
    files, labels = {s.id: s.mask for s in kept if s.mask}, {s.id: s.label for s in kept if s.label}
    return MaskFiles(files=files, classes=classes, labels=labels)

"""A data set: classes, samples and where their masks come from, opened from a spec or made from arrays."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from figureground.core.errors import FormatError, InputError
from figureground.core.registry import Registry
from figureground.core.ties import Common, Tie, join_ties
from figureground.core.types import ClassTable, Sample
from figureground.data import paths
from figureground.data.faults import refusal, some
from figureground.data.sources import SizeChecked, StampedSource, file_of, maps_in_memory
from figureground.data.spec import listed, nearest, parse_part, parse_spec, rows_of_part
from figureground.data.tables import read_table, unique_ids

FORMATS = Registry(
    "kind of data set",
    group="figureground.formats",
    builtin={
        "own": "figureground.data.formats.own:open_own",
        "folders": "figureground.data.formats.folders:open_folders",
        "pets": "figureground.data.formats.pets:open_pets",
        "voc": "figureground.data.formats.voc:open_voc",
        "coco": "figureground.data.formats.coco:open_coco",
        "waterbirds": "figureground.data.formats.waterbirds:open_waterbirds",
        "classes": "figureground.data.formats.classes:open_classes",
        "spawrious": "figureground.data.formats.spawrious:open_spawrious",
    },
)
_SHARED_OPTIONS = ("attributes", "common", "part", "split")
_OWN_NAMES = ("class", "label", "context", "split")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Samples with what is known of them; masks are read one at a time when asked for."""

    name: str
    classes: ClassTable
    samples: tuple[Sample, ...]
    masks: StampedSource | None
    """None where the data set has no masks at all."""
    label_attribute: str | None = None
    """Column that holds the class of a sample."""
    context_attribute: str | None = None
    """Column that holds the context (scene, place) of a sample."""
    common: Common = field(default_factory=dict[str, Tie])
    """Class name -> context value, or values, that training ties it to, where that was declared; may be empty."""
    files: tuple[str, ...] = ()
    """The small files that define the data set: tables, TOML, JSON."""
    left_out: frozenset[str] = frozenset()
    """Ids of samples that a selection removed, so that their predictions are no surprise."""
    _by_id: Mapping[str, Sample] = field(init=False, repr=False)
    _names: Mapping[str, None] = field(init=False, repr=False)
    """Names that `attribute` understands, in order."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_id", {s.id: s for s in self.samples})
        object.__setattr__(self, "_names", dict.fromkeys((*_OWN_NAMES, *(n for s in self.samples for n in s.attributes))))
        if len(self._by_id) != len(self.samples):
            twice = [i for i, n in Counter(s.id for s in self.samples).items() if n > 1]
            raise refusal("duplicate-id", f"the ids {some(twice)} stand for more than one sample", "Give each sample its own id")
        check_id_texts(self._by_id)

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids in order."""
        return tuple(s.id for s in self.samples)

    @property
    def attributes(self) -> tuple[str, ...]:
        """Names that `attribute` understands and that at least one sample has a value for."""
        columns = dict.fromkeys(name for s in self.samples for name in s.attributes)
        return tuple(n for n in dict.fromkeys((*_OWN_NAMES, *columns)) if any(self.attribute(s, n) for s in self.samples))

    def sample(self, sample_id: str) -> Sample:
        """The sample of an id; an unknown id raises `InputError`."""
        if sample_id not in self._by_id:
            raise InputError(f"there is no sample '{sample_id}' in {self.name}.{nearest(sample_id, self._by_id)}")
        return self._by_id[sample_id]

    def attribute(self, sample: Sample, name: str) -> str:
        """The value of an attribute, empty where the sample has none.

        Args:
            sample: one of the samples.
            name: `class` or `label`, `context`, `split`, or a column.

        Raises:
            InputError: no sample has such an attribute.
        """
        if name in ("class", "label"):
            return sample.label or ""
        if name == "split":
            return sample.split or ""
        if name == "context" and self.context_attribute:
            return sample.attributes.get(self.context_attribute, "")
        if name in sample.attributes:
            return sample.attributes[name]
        if name not in self._names:
            known = self._names
            raise InputError(f"{self.name} has no attribute `{name}`.{nearest(name, known)} Known: {', '.join(known)}")
        return ""

    def group_counts(self, attributes: Sequence[str]) -> dict[tuple[str, ...], int]:
        """Number of samples by the values of some attributes, in order of the values; no value counts as the empty text."""
        counts = Counter(tuple(self.attribute(s, name) for name in attributes) for s in self.samples)
        return dict(sorted(counts.items()))

    def select(self, *, split: str | None = None, ids: Iterable[str] | None = None) -> Dataset:
        """The data set of some samples only, in their order.

        Args:
            split: keep the samples of this split.
            ids: keep these samples.

        Raises:
            InputError: an id or split that no sample has.
        """
        wanted = None if ids is None else {self.sample(i).id for i in ids}
        splits = {s.split for s in self.samples if s.split}
        if split is not None and split not in splits:
            raise InputError(f"{self.name} has no split '{split}'. Known: {', '.join(sorted(splits)) or 'none'}")
        kept = tuple(s for s in self.samples if (split is None or s.split == split) and (wanted is None or s.id in wanted))
        return replace(self, samples=kept, left_out=self.left_out | (frozenset(self.ids) - {s.id for s in kept}))

    def join(self, table_path: str) -> Dataset:
        """The data set with the columns of an attribute table (CSV or Parquet with an `id` column) beside its own.

        Samples without a row get empty values; `label` and `split` columns fill in what the data set does not say itself.

        Raises:
            FormatError: a faulty table, a row for an id that the data set does not have, or a label that is no class.
            InputError: a column that the data set already has.
        """
        table = read_table(table_path)
        rows = dict(zip(unique_ids(table), table.rows, strict=True))
        if unknown := [i for i in rows if i not in self._by_id and i not in self.left_out]:
            raise refusal(
                "unknown-sample",
                f"{len(unknown)} of {len(rows)} rows are for ids that the data set does not have: {some(unknown)}",
                "Correct the ids (they are texts: leading zeros count), or remove the rows",
                file=table_path,
            )
        columns = [c for c in table.columns if c not in ("id", "label", "split")]
        if taken := [c for c in columns if any(c in s.attributes for s in self.samples)]:
            raise InputError(f"{table_path}: {self.name} already has a column `{taken[0]}`. Rename one of the two")
        samples = tuple(_joined(s, rows.get(s.id, {}), columns) for s in self.samples)
        check_labels(samples, self.classes, file=table_path)
        context = self.context_attribute or ("context" if "context" in columns else None)
        return replace(self, samples=samples, context_attribute=context, files=(*self.files, table_path))

    def every_file(self) -> Iterator[str]:
        """Paths and URLs of all that is read: the defining files, pictures and masks; what is held in memory has none."""
        yield from self.files
        source = self.masks.source if isinstance(self.masks, SizeChecked) else self.masks
        for sample in self.samples:
            yield from filter(None, (sample.image, sample.mask, file_of(source, sample.id)))

    def fingerprint(self) -> str:
        """sha256 over classes, samples, the content of the defining files, and size and time of change of every mask file."""
        digest = hashlib.sha256()
        digest.update(repr((self.name, self.classes, self.label_attribute, self.context_attribute, sorted(self.common.items()))).encode())
        for s in self.samples:
            digest.update(repr((s.id, s.label, s.split, s.size_hw, sorted(s.attributes.items()))).encode())
        for file in self.files:
            digest.update(hashlib.sha256(paths.read_bytes(file)).digest())
        if self.masks is not None:
            for text in self.masks.stamps(self.ids):
                digest.update(text.encode() + b"\n")
        return digest.hexdigest()


def open_dataset(spec: str) -> Dataset:
    """The data set that a spec names: `KIND:WHERE?key=value`, or a directory with a `dataset.toml`, or that file.

    Every kind understands `?attributes=TABLE` (see `Dataset.join`), `?split=NAME` (see `Dataset.select`),
    `?common=cat:indoor,dog:outdoor` (the context that training ties each class to; a class that stands there several times is tied to
    several) and `?part=2/8` (the second of eight parts of the samples in their order, so that several runs can share the work); the other
    options belong to the kind.

    Raises:
        InputError: an unknown kind or option, or a plain path that is no data set.
        FormatError: a fault in the files.
    """
    parsed = parse_spec(str(spec))
    paths.check_name(parsed.where)
    own = {key: value for key, value in parsed.options.items() if key not in _SHARED_OPTIONS}
    part = parse_part(parsed.options["part"]) if "part" in parsed.options else None
    kind = parsed.kind or "own"
    at_once = kind == "own" and part is not None and "attributes" not in parsed.options  # then the rest of the table is not even read
    dataset: Dataset = FORMATS.resolve(kind)(parsed.where, {**own, "part": parsed.options["part"]} if at_once else own)
    if not dataset.samples:
        raise no_samples(dataset)
    if part is not None and not at_once:
        dataset = part_of(dataset, *part)
    if dataset.masks is not None:
        dataset = replace(dataset, masks=SizeChecked(source=dataset.masks, samples={s.id: _size_only(s) for s in dataset.samples}))
    if "attributes" in parsed.options:
        dataset = dataset.join(parsed.options["attributes"])
    if "common" in parsed.options:
        dataset = replace(dataset, common=_common(parsed.options, dataset.classes))
    if "split" in parsed.options:
        dataset = dataset.select(split=parsed.options["split"])
    return dataset


def picture_fingerprint(dataset: Dataset) -> str:
    """sha256 over ids, and place, size and times of change of every picture; see `paths.strict_stamp`."""
    lines = (f"{s.id}\t{paths.strict_stamp(s.image) if s.image else 'none'}" for s in dataset.samples)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def part_of(dataset: Dataset, number: int, count: int) -> Dataset:
    """One of `count` parts of a data set, consecutive samples, as many in each as can be; an empty part raises `InputError`."""
    rows = rows_of_part(len(dataset), number, count, what=dataset.name)
    return dataset.select(ids=dataset.ids[rows.start : rows.stop])


def no_samples(dataset: Dataset) -> FormatError:
    """The refusal of a data set without a single sample."""
    return refusal(
        "bad-layout",
        "the data set has no samples",
        "Name a folder, list or table that holds some",
        file=dataset.files[0] if dataset.files else dataset.name,
    )


def _size_only(sample: Sample) -> Sample:
    """What the size check needs of a sample, so that little travels to worker processes."""
    return Sample(id=sample.id, image=sample.image, mask=sample.mask, size_hw=sample.size_hw, attributes={})


def _common(options: Mapping[str, str], classes: ClassTable) -> dict[str, Tie]:
    pairs = [pair.partition(":") for pair in listed(options, "common") or []]
    for name, colon, context in pairs:
        classes.id_of(name)
        if not colon or not context:
            raise InputError(f"`common` must be class:context pairs such as cat:indoor,dog:outdoor; got '{options['common']}'")
    return join_ties((name, context) for name, _, context in pairs)


def dataset_from_arrays(
    masks: Mapping[str, np.ndarray],
    *,
    classes: Sequence[str] | ClassTable,
    background: int = 0,
    ignore: int | None = 255,
    attributes: Mapping[str, Mapping[str, str]] | None = None,
    name: str = "arrays",
) -> Dataset:
    """A data set of label maps in memory.

    Args:
        masks: sample id -> integer array [height, width].
        classes: class names in id order, or a class table (then `background` and `ignore` are its own).
        background: class id of the ground.
        ignore: value of void pixels, or None.
        attributes: sample id -> column -> value; the columns `label` and `split` are understood.
        name: name of the data set.

    Raises:
        InputError: no masks, or attributes of an id that has no mask.
        FormatError: a mask with a value that is no class id, or a label that is no class.
    """
    if not masks:
        raise InputError("`masks` must hold at least one label map by sample id; got none")
    table = classes if isinstance(classes, ClassTable) else ClassTable(names=tuple(classes), background=background, ignore=ignore)
    given = attributes or {}
    if unknown := [i for i in given if i not in masks]:
        raise InputError(f"`attributes` has ids without a mask: {some(unknown)}. Remove them, or add their masks")
    columns = list(dict.fromkeys(c for row in given.values() for c in row if c not in ("label", "split")))
    samples = tuple(_joined(Sample(id=i, attributes={}), given.get(i, {}), columns) for i in masks)
    check_labels(samples, table, file=None)
    has_context = any("context" in s.attributes for s in samples)
    return Dataset(
        name=name,
        classes=table,
        samples=samples,
        masks=maps_in_memory(masks, table),
        label_attribute="label" if any(s.label for s in samples) else None,
        context_attribute="context" if has_context else None,
    )


def check_id_texts(ids: Iterable[str]) -> None:
    """Raise the `bad-encoding` fault for an id that is no Unicode text, as half of an escaped pair in a JSON file is."""
    for i in ids:
        try:
            i.encode()
        except UnicodeEncodeError as error:
            raise refusal("bad-encoding", "the id is no Unicode text", "Give it another", sample=paths.printable(i)) from error


def check_labels(samples: Iterable[Sample], classes: ClassTable, *, file: str | None) -> None:
    """Raise the `unknown-label` fault for the first label that is no class name."""
    for s in samples:
        if s.label and s.label not in classes.names:
            raise refusal(
                "unknown-label",
                f"the label '{s.label}' is not one of the {len(classes)} class names",
                f"Correct it, or add the class.{nearest(s.label, classes.names)}",
                file=file,
                sample=s.id,
            )


def _joined(sample: Sample, row: Mapping[str, str], columns: list[str]) -> Sample:
    return replace(
        sample,
        label=sample.label or row.get("label") or None,
        split=sample.split or row.get("split") or None,
        attributes={**sample.attributes, **{c: str(row.get(c, "")) for c in columns}},
    )

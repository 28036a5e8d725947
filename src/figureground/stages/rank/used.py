"""Which samples of a queue models were trained on: those of one id, and those of one picture, whatever it is called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from figureground.data.dataset import open_dataset
from figureground.data.labels import KIND, read_labels
from figureground.data.same_pictures import PictureDigests, byte_length
from figureground.data.tables import read_table, unique_ids
from figureground.runs.artifact import is_artifact, read_manifest
from figureground.runs.progress import Reporter

_TABLES = (".csv", ".tsv", ".parquet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """Samples that something was trained on."""

    where: str
    """As it was named."""
    images: Mapping[str, str | None]
    """Id -> picture, where it is known."""
    digests: Mapping[str, str]
    """Digest of a picture's content -> id, where a table gives it."""
    files: tuple[str, ...]


def read_trained(spec: str) -> Trained:
    """The samples that a `--train` names: a table with `id` and maybe `digest`, labels, or a DATA spec.

    Raises:
        ArtifactError: an artifact that is neither labels nor a data set.
        InputError: no data set.
        FormatError: a fault in the files.
    """
    if spec.endswith(_TABLES):
        table = read_table(spec)
        ids = unique_ids(table)
        digests = {row["digest"]: i for i, row in zip(ids, table.rows, strict=True) if row.get("digest")}
        return Trained(where=spec, images=dict.fromkeys(ids), digests=digests, files=(spec,))
    folder = Path(spec)
    if is_artifact(folder) and read_manifest(folder).kind == KIND:
        masks = read_labels(folder).masks
        files = tuple(str(path) for path in folder.iterdir())
        return Trained(where=spec, images={mask.id: mask.image for mask in masks}, digests={}, files=files)
    dataset = open_dataset(spec)
    return Trained(where=spec, images={s.id: s.image for s in dataset.samples}, digests={}, files=dataset.files)


def used_for_training(images: Mapping[str, str | None], trained: Sequence[Trained], *, reporter: Reporter) -> dict[str, str]:
    """Id -> how it was used for training, in words, of the candidates that were.

    A candidate was used where its id, or its picture byte for byte, is among what was trained on. Of the training pictures only those as
    long as a candidate's are read.

    Args:
        images: candidate id -> picture, None where there is none.
        trained: what was trained on.
        reporter: told how many pictures could not be compared.
    """
    found = {i: f"used for training: its id is in {one.where}" for one in reversed(trained) for i in images if i in one.images}
    pictures = {i: image for i, image in images.items() if image and i not in found and byte_length(image) is not None}
    sizes, digests = {byte_length(image) for image in pictures.values()}, PictureDigests()
    for one in trained:
        named = {digests.of(image): i for i, image in one.images.items() if image and byte_length(image) in sizes} | dict(one.digests)
        named.pop(None, None)
        for i, image in pictures.items() if named else ():
            if (digest := digests.of(image)) in named:
                found.setdefault(i, f"used for training: its picture is that of '{named[digest]}' in {one.where}")
    bare = [i for i in images if i not in found and (i not in pictures or digests.failed(pictures[i]))]
    if trained and bare:
        count = f"{len(bare)} candidates have" if len(bare) > 1 else f"candidate '{bare[0]}' has"
        reporter.say(f"note: {count} no picture that can be read, so that only the id tells whether training used it")
    return found


def every_file(trained: Iterable[Trained]) -> Iterable[str]:
    """Paths of what is read, for the check that nothing is written over it."""
    for one in trained:
        yield from one.files
        yield from filter(None, one.images.values())

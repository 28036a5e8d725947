"""What people said of the candidates: who called one out of domain, and the masks that are the truth."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from figureground.core.errors import FormatError, InputError
from figureground.core.types import ClassTable, LabelRuns
from figureground.data.faults import refusal
from figureground.data.labels import GivenMask, Labels, MaskStatus, read_labels

MASK_STATUSES: Mapping[str, tuple[MaskStatus, ...]] = {"accepted": ("accepted",), "submitted": ("accepted", "submitted")}
"""What each choice of `masks` takes, the best first."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """What several labels say together."""

    vetoed: frozenset[str]
    """Ids of samples that somebody called out of domain."""
    masks: Mapping[str, GivenMask]
    """Id -> mask that counts as the truth."""
    unchecked: frozenset[str]
    """Ids of samples that have a mask, but none that counts."""
    ignore: int | None
    """The value of void pixels."""
    files: tuple[str, ...]


def read_truth(
    labels: Sequence[str], classes: ClassTable, known: Collection[str], *, masks: str, unknown: Literal["refuse", "ignore"]
) -> Truth:
    """What some labels say of the samples of a queue.

    Args:
        labels: directories that `review` or `labels import` wrote.
        classes: of the queue, which must be theirs.
        known: ids of the queue's samples.
        masks: key of `MASK_STATUSES`. Of several that count for a sample an accepted one is taken first, then the one changed last.
        unknown: what to do with labels of other samples.

    Raises:
        ArtifactError: a directory without labels.
        InputError: labels of other classes, or of more than one value for void.
        FormatError: a table that cannot be read, or labels of samples that the queue does not have.
    """
    read = [(where, read_labels(where)) for where in labels]
    for where, one in read:
        check_classes(where, one.classes, classes)
        if unknown == "refuse":
            _check_known(where, one, known)
    voids = {one.classes.ignore: where for where, one in read}
    if len(voids) > 1:
        told = ", ".join(f"{value} in {where}" for value, where in voids.items())
        raise InputError(f"--labels: void pixels must have one value in all of them; got {told}. Write them again with one `ignore`")
    merged = _merged([one for _, one in read], classes)
    vetoed = {r.id for r in merged.ratings if r.out_of_domain and r.withdrawn is None} | {o.id for o in merged.opinions if o.vetoed}
    best = merged.best_masks(*MASK_STATUSES[masks])
    drawn = {mask.id for mask in merged.masks if mask.status != "draft" or mask.actions}
    return Truth(
        vetoed=frozenset(vetoed & set(known)),
        masks={i: mask for i, mask in best.items() if i in known},
        unchecked=frozenset((drawn - set(best)) & set(known)),
        ignore=next(iter(voids), classes.ignore),
        files=tuple(str(file) for where, _ in read for file in Path(where).iterdir()),
    )


def check_classes(where: str, theirs: ClassTable, ours: ClassTable) -> None:
    """Raise `InputError` unless labels have the classes of the queue, by name and id, and the same background."""
    if (theirs.names, theirs.ids, theirs.background) == (ours.names, ours.ids, ours.background):
        return
    pairs = zip(theirs.names, theirs.ids, strict=True)
    own = dict(zip(ours.names, ours.ids, strict=True))
    odd = next((f"'{name}' ({i}; in the queue {own.get(name, 'not there')})" for name, i in pairs if own.get(name) != i), None)
    absent = next((f"'{name}' of the queue is missing" for name in ours.names if name not in theirs.names), None)
    told = odd or absent or f"the background is {theirs.background}, in the queue {ours.background}"
    raise InputError(f"{where}: the classes differ from those of the queue: {told}. Give labels of the pool that the queue is from")


def digest_of(maps: Mapping[str, LabelRuns]) -> str:
    """sha256 over label maps by id, run for run."""
    digest = hashlib.sha256()
    for i, runs in maps.items():
        digest.update(f"{i}\t{runs.size_hw}\n".encode() + runs.values.astype("<u2").tobytes() + runs.lengths.astype("<u4").tobytes())
    return digest.hexdigest()


def _check_known(where: str, labels: Labels, known: Collection[str]) -> None:
    told = {"ratings": labels.ratings, "opinions": labels.opinions, "masks": labels.masks}
    for table, rows in told.items():
        if strange := sorted({row.id for row in rows} - set(known)):
            raise _unknown(where, table, strange)


def _unknown(where: str, table: str, strange: Sequence[str]) -> FormatError:
    return refusal(
        "unknown-sample",
        f"{len(strange)} samples of the labels are not in the queue",
        "Give labels of this queue, or take only what is said of its samples with --unknown ignore",
        file=str(Path(where) / f"{table}.parquet"),
        sample=strange[0],
    )


def _merged(read: Sequence[Labels], classes: ClassTable) -> Labels:
    """Several labels as one; void pixels keep the value they have, which is no class in any of them."""
    if not read:
        return Labels(classes=classes, ratings=(), opinions=(), patches=(), masks=(), checks=(), reviewers=())
    return replace(
        read[0],
        ratings=tuple(row for one in read for row in one.ratings),
        opinions=tuple(row for one in read for row in one.opinions),
        masks=tuple(row for one in read for row in one.masks),
    )

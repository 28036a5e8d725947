"""The data of a loop, opened and compared before anything is done: classes that differ, and pictures that are on two sides."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from figureground.core.errors import InputError
from figureground.core.types import ClassTable
from figureground.data import paths
from figureground.data.dataset import Dataset, open_dataset
from figureground.data.faults import some
from figureground.data.same_pictures import PictureDigests, byte_length
from figureground.loops.recipe import Recipe
from figureground.stages.repair.target import choose_split


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Material:
    """The data sets of a loop."""

    pool: Dataset
    """Without the pictures of the training data."""
    train: Dataset
    val: Dataset
    """The samples that are validated on."""
    audit: Dataset | None
    trained_on: tuple[str, ...]
    """Samples of the pool that were left out, since they are training pictures."""


def open_material(recipe: Recipe) -> Material:
    """The data sets of a recipe.

    Raises:
        InputError: classes that differ, a pool without pictures, or validation or audit pictures that are in the pool: test sets and
            training come from there.
        FormatError: a fault in the files.
    """
    pool, train, val = (open_dataset(spec) for spec in (recipe.pool, recipe.train, recipe.val))
    audit = open_dataset(recipe.audit) if recipe.audit else None
    for role, other in (("train", train), ("val", val), ("audit", audit)):
        if other is not None:
            _check_classes(role, other, pool)
    if bare := [s.id for s in pool.samples if not s.image]:
        raise InputError(f"{pool.name}: {len(bare)} of {len(pool)} samples of the pool have no picture, such as '{bare[0]}'")
    options = recipe.repair_options()
    val = choose_split(val, options.val_split, "[repair] val_split")
    for role, other in (("validation", val), ("audit", audit)):
        if other is not None and (shared := shared_pictures(pool, other)):
            told = ", ".join(f"'{own}' is '{theirs}'" for own, theirs in list(shared.items())[:3])
            raise InputError(
                f"{len(shared)} pictures of the pool are {role} pictures: {told}. Test sets and training come from the pool, so "
                f"these would say nothing any more. Leave them out of the pool, or give another `{'val' if other is val else 'audit'}`"
            )
    learned = choose_split(train, options.train_split, "[repair] train_split")
    if shared := shared_pictures(val, learned):
        raise InputError(
            f"{len(shared)} validation pictures are training pictures, such as '{next(iter(shared))}'. What is replayed cannot say "
            "what was forgotten: give another `val`, or another `val_split` in [repair]"
        )
    if audit is not None and (shared := shared_pictures(audit, learned)):
        raise InputError(
            f"{len(shared)} audit pictures are training pictures, such as '{next(iter(shared))}'. What is replayed says nothing of flips: "
            "give another `audit`"
        )
    used = tuple(shared_pictures(pool, learned))
    left = pool.select(ids=[i for i in pool.ids if i not in set(used)]) if used else pool
    if not len(left):
        raise InputError(f"{pool.name}: every picture of the pool is a training picture, so nothing is left to mine. Give another `pool`")
    return Material(pool=left, train=train, val=val, audit=audit, trained_on=used)


def class_lines(classes: ClassTable) -> list[str]:
    """Names, ids and background of classes, to be compared with those a round began with."""
    return [f"{name} = {i}{' (background)' if i == classes.background else ''}" for name, i in zip(classes.names, classes.ids, strict=True)]


def shared_pictures(pool: Dataset, other: Dataset) -> dict[str, str]:
    """Id in the pool -> id in another data set, of pictures that are the same byte for byte; only files of equal length are read."""
    own, theirs = images_of(pool), images_of(other)
    lengths = {byte_length(image) for image in own.values()} & {byte_length(image) for image in theirs.values()} - {None}
    digests = PictureDigests()

    def read(images: Mapping[str, str]) -> dict[str, str]:
        known = {i: digests.of(image) for i, image in images.items() if byte_length(image) in lengths}
        return {i: digest for i, digest in known.items() if digest}

    by_digest = {digest: i for i, digest in read(theirs).items()}
    return {i: by_digest[digest] for i, digest in read(own).items() if digest in by_digest}


def pool_digest(pool: Dataset) -> str:
    """sha256 over ids and names of the pictures of the pool, wherever they lie."""
    return hashlib.sha256("\n".join(f"{s.id}\t{paths.leaf(s.image or '')}" for s in pool.samples).encode()).hexdigest()


def _check_classes(role: str, other: Dataset, pool: Dataset) -> None:
    if class_lines(other.classes) != class_lines(pool.classes):
        odd = Counter(class_lines(other.classes))
        odd.subtract(class_lines(pool.classes))
        differing = [line for line, count in odd.items() if count]
        raise InputError(
            f"`{role}` and `pool` differ in their classes: {some(differing) if differing else 'the same ones in another order'}. "
            "All data of a loop have one table of classes"
        )


def images_of(dataset: Dataset) -> Mapping[str, str]:
    """Id -> picture."""
    return {s.id: s.image for s in dataset.samples if s.image}

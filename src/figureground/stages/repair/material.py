"""What a repair learns from and is judged by, opened and compared before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from figureground.core.errors import InputError
from figureground.data.dataset import Dataset
from figureground.data.faults import some
from figureground.models.fit.samples import TrainData, train_data
from figureground.stages.repair.labelled import Labelled, hold_out, join_data, picture_digest
from figureground.stages.repair.options import RepairOptions
from figureground.stages.repair.target import Target, check_classes, choose_split


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Material:
    """The samples of a repair by role."""

    splits: Mapping[str, Dataset]
    """`train` (replayed), `val` and `labelled`, and of the last `learned` and `held_out`, which may be empty of samples."""
    train: TrainData
    """Learned samples, and behind them training samples."""
    learned: int
    """Number of the former."""
    val: TrainData
    judged: TrainData
    """Held-out labelled samples; the learned ones where none is held out."""
    notes: tuple[str, ...]


def open_splits(data: Dataset, val: Dataset, *, target: Target, options: RepairOptions) -> dict[str, Dataset]:
    """Training and validation samples.

    Raises:
        InputError: other classes than the network's, or a split that is not there.
    """
    found = {"train": choose_split(data, options.train_split, "--train-split"), "val": choose_split(val, options.val_split, "--val-split")}
    for role, split in found.items():
        check_classes(target, split.classes, what=f"{split.name} ({'--data' if role == 'train' else '--val'})")
    return found


def gather(splits: Mapping[str, Dataset], labelled: Labelled, *, target: Target, options: RepairOptions, stride_px: int) -> Material:
    """All samples as they are read, after what they may not share was looked for.

    Raises:
        InputError: the validation shares pictures with labelled or training samples, or nothing is left to replay.
        FormatError: a labelled picture or mask that cannot be read, or that differ in size.
    """
    digests = {role: _digests(split) for role, split in {**splits, "labelled": labelled.data}.items()}
    _refuse_shared(digests, "labelled", "labelled", "Leave them out of the labels, or validate on others")
    _refuse_shared(digests, "train", "replayed", "Give --data and --val two sets, or splits, that share none")
    own, notes = digests["labelled"], list(labelled.notes)
    relabelled = [sample for sample, digest in digests["train"].items() if digest in own.values()]
    replayed = splits["train"].select(ids=[i for i in splits["train"].ids if i not in set(relabelled)]) if relabelled else splits["train"]
    if relabelled:
        notes.append(f"training samples that were labelled anew, whose masks count no more: {some(relabelled)}")
    if not len(replayed) and options.share < 1:
        raise InputError(f"{splits['train'].name}: nothing is left to replay, every training sample was labelled anew. Give --share 1")
    out = hold_out(labelled.data.ids, part=options.held_out, seed=options.seed)
    parts = {"learned": labelled.data.select(ids=[i for i in labelled.data.ids if i not in out]), "held_out": labelled.data.select(ids=out)}
    told = {"size": target.size, "norm": target.norm, "stride_px": stride_px}
    whole = train_data(labelled.data, **told)
    for index in range(len(whole)):
        whole.read(index)  # they are few: what is wrong with them is told before anything is trained
    if not out:
        notes.append("no labelled sample is held out: epochs are compared by those that are learned")
    learned, val = train_data(parts["learned"], **told), train_data(splits["val"], **told)
    return Material(
        splits={**splits, "train": replayed, "labelled": labelled.data, **parts},
        train=join_data(learned, train_data(replayed, **told) if len(replayed) else None),
        learned=len(learned),
        val=val,
        judged=train_data(parts["held_out"], **told) if out else learned,
        notes=tuple(notes),
    )


def _digests(dataset: Dataset) -> dict[str, str]:
    return {s.id: picture_digest(s.image, sample=s.id) for s in dataset.samples if s.image}


def _refuse_shared(digests: Mapping[str, Mapping[str, str]], role: str, word: str, remedy: str) -> None:
    theirs = {digest: sample for sample, digest in digests[role].items()}
    shared: Sequence[str] = [sample for sample, digest in digests["val"].items() if digest in theirs]
    if shared:
        raise InputError(
            f"{len(shared)} validation samples have pictures that are also {word}: {some(list(shared))}. What is learned from cannot say "
            f"what was forgotten. {remedy}"
        )

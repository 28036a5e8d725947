"""The same counts at a coarser labelling: confusable sets and merged classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from figureground.core.errors import InputError
from figureground.core.types import ClassTable
from figureground.metrics.decompose import coarsen, confusable_flips, decompose
from figureground.stages.audit.options import AuditOptions
from figureground.stages.audit.table import SampleTable


def confusable_summary(table: SampleTable, options: AuditOptions) -> dict[str, Any] | None:
    """Flips within the declared sets of confusable classes and across them; None where no set is declared."""
    if not options.confusable:
        return None
    sets = [_class_ids(text, table.classes, "confusable") for text in options.confusable]
    found = confusable_flips(table.counts(), sets, background=table.classes.background)
    return {"sets": [text.split(",") for text in options.confusable], "within": found.within_rate, "across": found.cross_rate}


def merged_summary(table: SampleTable, options: AuditOptions) -> list[dict[str, Any]]:
    """The decomposition with each declared set of classes as one class. Merging can only turn flipped into correct."""
    out = []
    for text in options.merge:
        name, equals, members = text.partition("=")
        if not equals:
            raise InputError(f"`merge` must be NAME=A,B,...; got '{text}'")
        ids = _class_ids(members, table.classes, "merge")
        parts = decompose(
            coarsen(table.counts(), dict.fromkeys(ids, ids[0]), background=table.classes.background), background=table.classes.background
        )
        rates = {"correct": parts.correct_rate, "flipped": parts.flipped_rate, "missed": parts.missed_rate, "added": parts.added_rate}
        out.append({"name": name, "classes": members.split(","), "rates": rates})
    return out


def check_relabelling(classes: ClassTable, options: AuditOptions) -> None:
    """Raise `InputError` before anything is measured where a set names an unknown class, the background, or one class alone."""
    for text in options.confusable:
        _class_ids(text, classes, "confusable")
    for text in options.merge:
        _class_ids(text.partition("=")[2], classes, "merge")


def _class_ids(text: str, classes: ClassTable, option: str) -> Sequence[int]:
    ids = [classes.id_of(name.strip()) for name in text.split(",") if name.strip()]
    if len(set(ids)) < 2 or len(set(ids)) != len(ids) or classes.background in ids:
        raise InputError(f"`{option}` needs at least two different foreground classes, parted by commas; got '{text}'")
    return ids

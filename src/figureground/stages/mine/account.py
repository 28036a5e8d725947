"""What a mining round tells beside its queue: how quotas were filled, who was passed over or left out and why, and what is odd."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from figureground.core.errors import Fault, check_failures, may_leave_out
from figureground.data.faults import make_fault, some
from figureground.runs.progress import Reporter
from figureground.stages.mine.choose import Choice
from figureground.stages.mine.models import Contender
from figureground.stages.mine.passage import Tally
from figureground.stages.mine.queue import group_words
from figureground.stages.mine.round import Round

GROUP_SCHEMA = pa.schema(
    [
        ("rival", pa.string()),
        ("direction", pa.string()),
        ("class", pa.string()),
        ("one_sided", pa.bool_()),
        ("area_low", pa.float64()),
        ("area_high", pa.float64()),
        ("seen", pa.int64()),
        ("fitting", pa.int64()),
        ("quota", pa.int64()),
        ("filled", pa.int64()),
    ]
)


def left_out(mined: Round, tally: Tally, reporter: Reporter) -> list[Fault]:
    """The samples that were not compared, with the reason.

    Those that a prediction left out itself come first, and are no error.

    Raises:
        FormatError: more others than `max_failures`.
    """
    told: list[Fault] = []
    missing: list[Fault] = []
    strangers, chosen_out = 0, mined.pool.dataset.left_out if mined.pool.dataset is not None else frozenset()
    for sample_id, where in sorted(tally.unmatched.items()):
        if 0 not in where:
            strangers += sample_id not in chosen_out
            continue
        absent = [model for place, model in enumerate(mined.models, start=1) if place not in where]
        lacking = next((model for model in absent if sample_id not in model.stream.failed), None)
        if lacking is None:
            told.append(absent[0].stream.failed[sample_id])
        else:
            missing.append(_missing(sample_id, lacking))
    faults = [*tally.faults, *missing]
    with may_leave_out():
        check_failures(faults, mined.options.max_failures)
    if strangers:
        reporter.say(f"note: {strangers} predictions are of samples that the pool does not have")
    if told:
        reporter.say(f"note: {len(told)} samples could not be predicted and are left out; failures.json lists them")
    return [*told, *faults]


def say_notes(mined: Round, tally: Tally, parts: Mapping[int, Any] | None, reporter: Reporter) -> None:
    """Tells of rivals that are the target, of samples that a selector cannot see, and of classes without training masks or samples.

    Args:
        mined: the round.
        tally: what was gone through.
        parts: class id -> areas in training masks; None where they give no bounds.
        reporter: told.
    """
    for apart, name in zip(tally.apart.tolist(), mined.rivals, strict=False):
        if not apart and tally.samples:
            reporter.say(f"warning: '{name}' never disagrees with the target: is it the same model?")
    if tally.unscored:
        reporter.say(f"note: {tally.unscored} samples have no score for --selector {mined.options.selector} and are not looked at")
    classes = mined.pool.classes
    seen = {group.class_id for group, n in zip(mined.groups, tally.seen.tolist(), strict=True) if n}
    by_class = any(group.class_id is not None for group in mined.groups)
    if tally.samples and by_class and (unseen := [classes.name_of(k) for k in classes.foreground if k not in seen]):
        reporter.say(f"note: no model sees {some(unseen)} in any sample")
    if parts is not None:
        free = [classes.name_of(k) for k in classes.foreground if k not in parts and k in seen]
        if free := [name for name in free if mined.bounds[classes.names.index(name)].tolist() == [0, 1]]:
            reporter.say(f"note: no training mask has {some(free)}: figures of any size are taken, or say --area {free[0]}=LOW,HIGH")


def group_table(mined: Round, tally: Tally, choice: Choice) -> pa.Table:
    """One row a quota: who may fill it, from how many, and how far it was filled."""
    classes, rivals = mined.pool.classes, mined.rivals
    rows = []
    for g, group in enumerate(mined.groups):
        low, high = (None, None) if group.class_id is None else mined.bounds[classes.ids.index(group.class_id)].tolist()
        rows.append(
            {
                "rival": None if group.rival is None else rivals[group.rival],
                "direction": group.direction,
                "class": None if group.class_id is None else classes.name_of(group.class_id),
                "one_sided": group.one_sided,
                "area_low": low,
                "area_high": high,
                "seen": int(tally.seen[g]),
                "fitting": int(tally.fitting[g]),
                "quota": group.quota,
                "filled": int(choice.filled[g]),
            }
        )
    return pa.Table.from_pylist(rows, GROUP_SCHEMA)


def passed_over(choice: Choice) -> str:
    """CSV of the samples whose turn came and who were not taken, with the reason."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(["id", "why"])
    writer.writerows(sorted(choice.refused.items()))
    return sink.getvalue()


def details(mined: Round, tally: Tally, choice: Choice, *, training_pictures: int) -> dict[str, Any]:
    """What the manifest says of the round."""
    classes, filled = mined.pool.classes, int(choice.filled.sum())
    near = sum(why.startswith("near-duplicate") for why in choice.refused.values())
    return {
        "pool": mined.pool.name,
        "classes": list(classes.names),
        "ids": list(classes.ids),
        "background": classes.background,
        "ignore": classes.ignore,
        "target": mined.models[0].name,
        "rivals": [{"name": model.name, "weight": model.weight} for model in mined.models[1:]],
        "areas": dict(zip(classes.names, mined.bounds.tolist(), strict=True)),
        "groups": len(mined.groups),
        "bound": sum(group.quota for group in mined.groups),
        "places": filled,
        "duplicates": filled - len(choice.chosen),
        "several": sum(bool(one.others) for one in choice.chosen),
        "near_duplicates": near,
        "unreadable": len(choice.refused) - near,
        "training_pictures": training_pictures,
        "unscored": tally.unscored,
        "empty": [group_words(g, mined.rivals, classes) for g, n in zip(mined.groups, tally.seen.tolist(), strict=True) if not n],
    }


def _missing(sample_id: str, model: Contender) -> Fault:
    return make_fault(
        "missing-prediction",
        f"there is no prediction for this sample in '{model.name}'",
        "Predict it, or leave the sample out of the pool",
        sample=sample_id,
        file=model.stream.where,
    )

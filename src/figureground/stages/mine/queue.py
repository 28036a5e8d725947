"""The queue on disk: one row a sample with the reason and both label maps, so that a page can show it without any model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from figureground.core.errors import FormatError
from figureground.core.types import ClassTable, LabelRuns, batch_of
from figureground.data import paths
from figureground.data.faults import refusal
from figureground.data.labelmap import RUN_FIELDS, resize_nearest, runs_to_columns
from figureground.data.prediction_stream import Rows
from figureground.data.sources import joined
from figureground.metrics.discrepancy import Distance
from figureground.runs.executor import available_cores
from figureground.stages.mine.choose import Chosen
from figureground.stages.mine.compare import Comparison, compare
from figureground.stages.mine.groups import Group
from figureground.stages.mine.models import Contender

QUEUE_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        ("rank", pa.int32()),
        ("score", pa.float64()),
        ("class", pa.string()),
        ("rival", pa.string()),
        ("direction", pa.string()),
        ("reason", pa.string()),
        ("also", pa.list_(pa.string())),
        ("image", pa.string()),
        ("discrepancy", pa.float64()),
        ("target_area", pa.float64()),
        ("rival_area", pa.float64()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("target_values", pa.list_(pa.uint16())),
        ("target_lengths", pa.list_(pa.uint32())),
        ("rival_values", pa.list_(pa.uint16())),
        ("rival_lengths", pa.list_(pa.uint32())),
    ]
)
MAPS_SCHEMA = pa.schema([pa.field("id", pa.string(), nullable=False), pa.field("model", pa.string(), nullable=False), *RUN_FIELDS])
"""Of `maps.parquet`: what every model saw."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Queued:
    """A chosen sample with all that is told of it."""

    chosen: Chosen
    score: float
    rival: int | None
    """Number of the rival that is shown beside the target."""
    class_id: int | None
    direction: str | None
    one_sided: bool
    discrepancy: float
    """Of the target and that rival; NaN without one."""
    areas: tuple[float, float]
    """Part of the picture that the class takes in the target's map and in the rival's; NaN without a class or rival."""
    maps: tuple[LabelRuns, ...]
    """Of the target and all rivals, of one size and with the pool's class ids."""


def read_queued(
    chosen: Sequence[Chosen],
    table: pa.Table,
    groups: Sequence[Group],
    models: Sequence[Contender],
    *,
    classes: ClassTable,
    distance: Distance,
) -> list[Queued]:
    """The label maps of the chosen samples, and what the reason says, worked out from them.

    Args:
        chosen: in order.
        table: candidates with their places, as `passage.go_through` leaves them.
        groups: the quotas by which they were chosen.
        models: the target, then the rivals.
        classes: of the pool.
        distance: what discrepancy is.
    """
    rows = table.take(pa.array([one.row for one in chosen], pa.int64()))
    with ThreadPoolExecutor(available_cores()) as threads:
        maps = list(threads.map(lambda place: _maps_of(rows, models[place], place, classes), range(len(models))))
    scores = rows["score"].to_pylist()
    maps = [maps[0], *(_of_one_size(own, maps[0]) for own in maps[1:])]
    found = compare([batch_of(own) for own in maps], np.ones(len(chosen), bool), classes=classes, distance=distance)
    return [
        _queued(one, score, groups[one.group], tuple(own[place] for own in maps), found, place, classes=classes)
        for place, (one, score) in enumerate(zip(chosen, scores, strict=True))
    ]


def queue_table(
    queued: Sequence[Queued],
    groups: Sequence[Group],
    models: Sequence[Contender],
    images: Mapping[str, str],
    *,
    classes: ClassTable,
    selector: str,
) -> pa.Table:
    """The rows of `queue.parquet`, best first."""
    rivals = [model.name for model in models[1:]]
    rows = []
    for rank, one in enumerate(queued, start=1):
        shown = one.maps[0], None if one.rival is None else one.maps[one.rival + 1]
        runs = [None if m is None else runs_to_columns([m]) for m in shown]
        values = [None if r is None else r[2][0].as_py() for r in runs]
        lengths = [None if r is None else r[3][0].as_py() for r in runs]
        rows.append(
            {
                "id": one.chosen.id,
                "rank": rank,
                "score": one.score,
                "class": None if one.class_id is None else classes.name_of(one.class_id),
                "rival": None if one.rival is None else rivals[one.rival],
                "direction": one.direction,
                "reason": reason(one, models[0].name, rivals, classes=classes, selector=selector),
                "also": [group_words(groups[g], rivals, classes) for g in one.chosen.others],
                "image": paths.absolute(image) if (image := images.get(one.chosen.id)) else None,
                "discrepancy": _or_none(one.discrepancy),
                "target_area": _or_none(one.areas[0]),
                "rival_area": _or_none(one.areas[1]),
                "height": one.maps[0].height,
                "width": one.maps[0].width,
                "target_values": values[0],
                "target_lengths": lengths[0],
                "rival_values": values[1],
                "rival_lengths": lengths[1],
            }
        )
    return pa.Table.from_pylist(rows, QUEUE_SCHEMA)


def maps_table(queued: Sequence[Queued], models: Sequence[Contender]) -> pa.Table:
    """The rows of `maps.parquet`: sample by sample, the target first."""
    ids = pa.array([one.chosen.id for one in queued for _ in one.maps], pa.string())
    names = pa.array([model.name for one in queued for model, _ in zip(models, one.maps, strict=True)], pa.string())
    return pa.Table.from_arrays([ids, names, *runs_to_columns([m for one in queued for m in one.maps])], schema=MAPS_SCHEMA)


def reason(one: Queued, target: str, rivals: Sequence[str], *, classes: ClassTable, selector: str) -> str:
    """One sentence that says why a sample is in the queue."""
    if selector != "mad" or one.rival is None or one.direction is None:
        return f"chosen by {selector}, score {one.score:.3g}"
    names = (target, rivals[one.rival]) if one.direction == "target" else (rivals[one.rival], target)
    area = one.areas[0 if one.direction == "target" else 1]
    what = "nothing" if one.class_id is None else classes.name_of(one.class_id)
    other = "sees no foreground" if one.one_sided else "disagrees"
    return f"{names[0]} sees {what} on {100 * area:.3g} % of the picture, {names[1]} {other}: discrepancy {one.discrepancy:.2f}"


def group_words(group: Group, rivals: Sequence[str], classes: ClassTable) -> str:
    """A group in words: `rival NAME, class cat, by the target`."""
    if group.rival is None:
        return "all"
    what = "one-sided" if group.one_sided or group.class_id is None else f"class {classes.name_of(group.class_id)}"
    return f"rival {rivals[group.rival]}, {what}, by the {group.direction}"


def _queued(
    chosen: Chosen, score: float, group: Group, maps: tuple[LabelRuns, ...], found: Comparison, row: int, *, classes: ClassTable
) -> Queued:
    parts, apart = found.parts[:, row], found.distances[:, row]
    rival = group.rival if group.rival is not None else int(np.argmax(apart)) if apart.size else None
    seer = 0 if group.direction in (None, "target") else (rival or 0) + 1
    class_id = group.class_id if group.class_id is not None else _largest(parts[seer], classes)
    areas = (float("nan"), float("nan"))
    if class_id is not None:
        place = classes.ids.index(class_id)
        areas = float(parts[0, place]), float(parts[rival + 1, place]) if rival is not None else float("nan")
    return Queued(
        chosen=chosen,
        score=score,
        rival=rival,
        class_id=class_id,
        direction=group.direction,
        one_sided=group.one_sided,
        discrepancy=float("nan") if rival is None else float(apart[rival]),
        areas=areas,
        maps=maps,
    )


def _of_one_size(maps: Sequence[LabelRuns], target: Sequence[LabelRuns]) -> list[LabelRuns]:
    return [m if m.size_hw == t.size_hw else resize_nearest(m, t.size_hw) for m, t in zip(maps, target, strict=True)]


def _largest(parts: np.ndarray, classes: ClassTable) -> int | None:
    """The foreground class that takes most of a map, the first of them; None where there is no foreground."""
    figure = [place for place, class_id in enumerate(classes.ids) if class_id != classes.background]
    best = max(figure, key=lambda place: (parts[place], -place), default=None)
    return None if best is None or parts[best] == 0 else classes.ids[best]


def _maps_of(rows: pa.Table, model: Contender, place: int, classes: ClassTable) -> list[LabelRuns]:
    """One model's maps of the rows of a table of candidates, in order, with the pool's class ids."""
    ids = tuple(rows["id"].to_pylist())
    where = list(zip(rows[f"file_{place}"].to_pylist(), rows[f"group_{place}"].to_pylist(), strict=True))
    parts = {part: number for number, part in enumerate(dict.fromkeys(where))}
    part, row = np.array([parts[one] for one in where], np.int32), rows[f"row_{place}"].to_numpy().astype(np.int32)
    read = model.stream.reader.read(ids, Rows(parts=tuple(parts), part=part, row=row))
    if read.faults:
        raise FormatError(read.faults[0])
    batch = model.model.translated(read.batch)
    found = []
    for number, i in enumerate(ids):
        one = batch.map_of(number)
        if not set(np.unique(one.values).tolist()) <= set(classes.ids):
            raise refusal("corrupt-file", f"the map of '{model.name}' changed while it was read", "Run the same command again", sample=i)
        found.append(joined(one.values.astype(classes.dtype), one.lengths, size_hw=one.size_hw))
    return found


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value

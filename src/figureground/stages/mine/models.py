"""The target and its rivals as mining takes them: their predictions, their classes in the pool's words, and their weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from figureground.core.errors import InputError
from figureground.core.types import MAX_CLASS_ID, ClassTable
from figureground.data.faults import some
from figureground.data.prediction_stream import PredictionStream
from figureground.data.spec import nearest
from figureground.stages.mine.measure import Model


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contender:
    """A model of the round."""

    stream: PredictionStream
    weight: float
    table: np.ndarray | None
    """uint16 [65536]: its class ids -> the pool's, where they differ."""

    @property
    def name(self) -> str:
        """What it is called."""
        return self.stream.name

    @property
    def model(self) -> Model:
        """What worker processes need of it."""
        return Model(name=self.name, reader=self.stream.reader, table=self.table)


def contenders(
    streams: Sequence[PredictionStream], classes: ClassTable, *, weights: Sequence[str], maps: Sequence[str]
) -> tuple[Contender, ...]:
    """The target, which comes first, and its rivals.

    Args:
        streams: their predictions, with distinct names.
        classes: of the pool.
        weights: texts `NAME=W`; 1 where nothing is said.
        maps: texts `NAME:THEIRS=OURS,...`.

    Raises:
        InputError: two models of one name, a weight or map of a model that is not there, or classes that are not those of the pool.
    """
    names = [stream.name for stream in streams]
    if len(set(names)) != len(names):
        raise InputError(f"the models must have distinct names; got {', '.join(names)}. Give one as NAME=SPEC")
    given, renamed = _weights(weights, names[1:]), class_maps(maps, names)
    tables = [_id_table(stream, classes, renamed.get(stream.name)) for stream in streams]
    return tuple(Contender(stream=s, weight=given.get(s.name, 1.0), table=t) for s, t in zip(streams, tables, strict=True))


def class_maps(texts: Sequence[str], names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Model -> its class (name or id) -> class of the pool, from texts `NAME:THEIRS=OURS,...`."""
    found: dict[str, dict[str, str]] = {}
    for text in texts:
        name, colon, rest = text.partition(":")
        pairs = [pair.partition("=") for pair in rest.split(",") if pair.strip()]
        if not colon or not pairs or not all(theirs and ours for theirs, _, ours in pairs):
            raise InputError(f"--class-map must be NAME:THEIRS=OURS,...; got '{text}'")
        if name not in names:
            raise InputError(f"--class-map {text}: there is no model '{name}'.{nearest(name, names)} Models: {', '.join(names)}")
        found.setdefault(name, {}).update({theirs.strip(): ours.strip() for theirs, _, ours in pairs})
    return found


def _weights(texts: Sequence[str], rivals: Sequence[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for text in texts:
        name, _, number = text.rpartition("=")
        if name not in rivals:
            raise InputError(f"--weight {text}: there is no rival '{name}'.{nearest(name, rivals)} Rivals: {', '.join(rivals) or 'none'}")
        try:
            found[name] = float(number)
        except ValueError as error:
            raise InputError(f"--weight must be NAME=W with W in (0, 1]; got '{text}'") from error
        if not 0 < found[name] <= 1:
            raise InputError(f"--weight must be NAME=W with W in (0, 1]; got '{text}'")
    return found


def _id_table(stream: PredictionStream, classes: ClassTable, renamed: Mapping[str, str] | None) -> np.ndarray | None:
    """Their ids -> ours; None where they are the same."""
    details = (stream.manifest or {}).get("details", {})
    theirs = dict(zip(details.get("classes", ()), details.get("ids", ()), strict=False))
    ours = dict(zip(classes.names, classes.ids, strict=True))
    if not theirs and not renamed:
        return None  # a folder of label maps says nothing of its classes: their ids are the pool's
    pairs: dict[int, int] = {}
    strange: list[str] = []
    wanted = dict(renamed or {})
    for name, class_id in (theirs or {str(i): i for i in ours.values()}).items():
        target = wanted.pop(name, wanted.pop(str(class_id), name if theirs else classes.name_of(class_id)))
        if target in ours:
            pairs[class_id] = ours[target]
        else:
            strange.append(name)
    for key, target in wanted.items():  # ids that no table lists
        if target not in ours or not key.isdigit() or theirs:
            raise InputError(f"--class-map {stream.name}:{key}={target}: {_unknown(key, target, ours, theirs)}")
        pairs[int(key)] = ours[target]
    if strange:
        raise InputError(
            f"'{stream.name}' knows classes that the pool does not have: {some(strange)}. Say what they are with "
            f"--class-map {stream.name}:{strange[0]}=CLASS, or predict with a model of the pool's classes"
        )
    if all(a == b for a, b in pairs.items()):
        return None
    table = np.full(MAX_CLASS_ID + 1, next(i for i in range(MAX_CLASS_ID, -1, -1) if i not in classes.ids), np.uint16)
    table[list(pairs)] = list(pairs.values())
    return table


def _unknown(key: str, target: str, ours: Mapping[str, int], theirs: Mapping[str, int]) -> str:
    if target not in ours:
        return f"the pool has no class '{target}'.{nearest(target, ours)} Classes: {', '.join(ours)}"
    return f"the model has no class '{key}'.{nearest(key, theirs)} Its classes: {', '.join(theirs) or 'ids as in its maps'}"

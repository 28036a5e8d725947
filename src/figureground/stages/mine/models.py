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
        pairs = [tuple(word.strip() for word in pair.split("=")) for pair in rest.split(",") if pair.strip()]
        if not colon or not pairs or not all(len(pair) == 2 and all(pair) for pair in pairs):
            raise InputError(f"--class-map must be NAME:THEIRS=OURS,...; got '{text}'")
        if name not in names:
            raise InputError(f"--class-map {text}: there is no model '{name}'.{nearest(name, names)} Models: {', '.join(names)}")
        own = found.setdefault(name, {})
        for theirs, ours in pairs:
            if own.setdefault(theirs, ours) != ours:
                raise InputError(f"--class-map {name}: '{theirs}' cannot be both '{own[theirs]}' and '{ours}'. Give it once")
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
    pairs = {i: ours[name] for name, i in theirs.items() if name in ours} if theirs else {i: i for i in classes.ids}
    pairs |= {_their_id(stream.name, key, theirs): _our_id(stream.name, key, name, ours) for key, name in (renamed or {}).items()}
    if strange := [name for name, i in theirs.items() if i not in pairs]:
        raise InputError(
            f"'{stream.name}' knows classes that the pool does not have: {some(strange)}. Say what they are with "
            f"--class-map {stream.name}:{strange[0]}=CLASS, or predict with a model of the pool's classes"
        )
    if all(a == b for a, b in pairs.items()):
        return None
    table = np.full(MAX_CLASS_ID + 1, next(i for i in range(MAX_CLASS_ID, -1, -1) if i not in classes.ids), np.uint16)
    table[list(pairs)] = list(pairs.values())
    return table


def _their_id(model: str, key: str, theirs: Mapping[str, int]) -> int:
    """The id that the model's side of a class map means; of a model that does not tell its classes, any that a label map can hold."""
    if key in theirs:
        return theirs[key]
    if key.isdecimal() and (int(key) in theirs.values() if theirs else int(key) <= MAX_CLASS_ID):
        return int(key)
    known = ", ".join(theirs) or f"ids from 0 to {MAX_CLASS_ID}, since its label maps come without names"
    raise InputError(f"--class-map {model}:{key}=...: the model has no class '{key}'.{nearest(key, theirs)} Its classes: {known}")


def _our_id(model: str, key: str, name: str, ours: Mapping[str, int]) -> int:
    if name not in ours:
        raise InputError(
            f"--class-map {model}:{key}={name}: the pool has no class '{name}'.{nearest(name, ours)} Classes: {', '.join(ours)}"
        )
    return ours[name]

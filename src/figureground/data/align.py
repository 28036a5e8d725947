"""The same samples in several streams, brought together by id in one pass, with as little held as their order allows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from figureground.core.errors import FormatError
from figureground.data.faults import refusal
from figureground.data.prediction_stream import Part, Rows

_Place = tuple[tuple[str, int], int]
"""File and group of a part, and the row in it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chunk:
    """Some samples, and where each stream has them."""

    ids: tuple[str, ...]
    rows: tuple[Rows, ...]
    """One a stream."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Last:
    """The part that was taken last from a stream."""

    part: tuple[str, int] | None = None
    samples: int = 0
    waiting: int = 0

    @property
    def ahead(self) -> float:
        """How much of it is not in every stream so far."""
        return self.waiting / max(1, self.samples)


@dataclass(slots=True, kw_only=True, eq=False)
class Alignment:
    """Several streams of ids, walked through together.

    Streams of one order, with or without gaps, are matched within a few parts of one another, so what is held does not grow with them but
    for the ids that are not in all of them. The further apart a sample stands in two streams, the more is held meanwhile.
    """

    streams: Sequence[Iterable[Part]]
    """Each can be walked through more than once."""
    waiting: dict[str, list[_Place | None]] = field(default_factory=dict, init=False)
    """Ids that are not in every stream so far -> their place in each."""
    _last: list[_Last] = field(default_factory=list, init=False)

    @property
    def unmatched(self) -> dict[str, tuple[int, ...]]:
        """Once the chunks are through: ids that are not in every stream -> the streams that have them."""
        return {i: tuple(s for s, place in enumerate(places) if place is not None) for i, places in self.waiting.items()}

    def chunks(self, size: int) -> Iterator[Chunk]:
        """Samples that are in every stream, at least `size` at a time but for the last, in an order that depends on the streams alone.

        Raises:
            FormatError: an id stands twice in one stream. Where every stream has it twice, each time within a few parts, it goes unseen.
        """
        held: list[Chunk] = []
        for matched in self._matched():
            held.append(matched)
            if sum(len(one.ids) for one in held) >= size:
                yield _together(held)
                held = []
        self._check_unmatched()
        if held:
            yield _together(held)

    def _matched(self) -> Iterator[Chunk]:
        """Samples whose places in all streams are known.

        Every round takes a part from each stream that is least ahead: of whose last part the least still waits for the others. So streams
        come together again behind a gap, however long, in any of them.
        """
        iterators, running = [iter(stream) for stream in self.streams], set(range(len(self.streams)))
        self._last = [_Last() for _ in self.streams]
        while running:
            least = min(self._last[s].ahead for s in running)
            parts: dict[int, Part] = {}
            for s in sorted(s for s in running if self._last[s].ahead <= least):
                if (part := next(iterators[s], None)) is None:
                    running.discard(s)
                else:
                    parts[s] = part
            same = len(parts) == len(iterators) and len({p.ids for p in parts.values()}) == 1
            if same and self.waiting.keys().isdisjoint(parts[0].ids):
                self._last = [_Last() for _ in self.streams]
                yield _in_step([parts[s] for s in range(len(iterators))])
            elif found := self._joined(parts):
                yield found

    def _joined(self, parts: dict[int, Part]) -> Chunk | None:
        """Puts the samples of some parts to those that wait; the samples that are complete by that."""
        complete: dict[str, list[_Place | None]] = {}
        for s, part in parts.items():
            self._last[s] = _Last(part=(part.file, part.group), samples=len(part.ids), waiting=len(part.ids))
            for row, i in enumerate(part.ids):
                places = self.waiting.setdefault(i, [None] * len(self.streams))
                if places[s] is not None or i in complete:
                    raise _twice(i, part.file)
                places[s] = ((part.file, part.group), row)
                if None not in places:
                    complete[i] = self.waiting.pop(i)
                    for last, place in zip(self._last, places, strict=True):
                        last.waiting -= place is not None and place[0] == last.part
        if not complete:
            return None
        rows = [_rows([places[s] for places in complete.values()]) for s in range(len(self.streams))]
        return Chunk(ids=tuple(complete), rows=tuple(rows))

    def _check_unmatched(self) -> None:
        """Raise where an id that is left over was matched before, so that a stream has it twice: one that seems not to have it does."""
        if not self.waiting:
            return
        for s, stream in enumerate(self.streams):
            for part in stream:
                for i in part.ids:
                    if i in self.waiting and self.waiting[i][s] is None:
                        raise _twice(i, next(place[0][0] for place in self.waiting[i] if place is not None))


def _in_step(parts: Sequence[Part]) -> Chunk:
    """The samples of parts that hold the same ids in the same order."""
    ids = parts[0].ids
    if len(set(ids)) != len(ids):
        raise _twice(next(i for n, i in enumerate(ids) if i in ids[:n]), parts[0].file)
    none, every = np.zeros(len(ids), np.int32), np.arange(len(ids), dtype=np.int32)
    return Chunk(ids=ids, rows=tuple(Rows(parts=((part.file, part.group),), part=none, row=every) for part in parts))


def _rows(places: Sequence[_Place | None]) -> Rows:
    known = [place for place in places if place is not None]
    parts = {part: number for number, part in enumerate(dict.fromkeys(part for part, _ in known))}
    return Rows(
        parts=tuple(parts), part=np.array([parts[part] for part, _ in known], np.int32), row=np.array([row for _, row in known], np.int32)
    )


def _together(chunks: Sequence[Chunk]) -> Chunk:
    """Several chunks as one; a part that stands in several is named once."""
    if len(chunks) == 1:
        return chunks[0]
    rows = []
    for several in zip(*(chunk.rows for chunk in chunks), strict=True):
        parts = {part: number for number, part in enumerate(dict.fromkeys(part for one in several for part in one.parts))}
        places = [np.array([parts[part] for part in one.parts], np.int32)[one.part] for one in several]
        rows.append(Rows(parts=tuple(parts), part=np.concatenate(places), row=np.concatenate([one.row for one in several])))
    return Chunk(ids=tuple(i for chunk in chunks for i in chunk.ids), rows=tuple(rows))


def _twice(sample_id: str, file: str) -> FormatError:
    problem = f"the id '{sample_id}' stands for more than one row"
    return refusal("duplicate-id", problem, "Give each sample its own id", file=file or None, sample=sample_id)

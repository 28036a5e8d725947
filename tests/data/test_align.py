"""Streams of ids brought together: the same samples whatever their orders, gaps and parts, and little held meanwhile."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from figureground.core.errors import FormatError
from figureground.data.align import Alignment, Chunk
from figureground.data.prediction_stream import Part

LAW = settings(max_examples=80)
PART = 10


def stream(ids, size: int, name: str = "t") -> list[Part]:
    """Ids in parts of one size, two parts to a file."""
    return [Part(file=f"{name}{n // 2}", group=n % 2, ids=tuple(ids[at : at + size])) for n, at in enumerate(range(0, len(ids), size))]


def names(*numbers) -> list[str]:
    return [f"s{n:05d}" for n in numbers]


def ids_at(chunk: Chunk, place: int, parts: list[Part]) -> list[str]:
    """What the stream has where the chunk says it has its samples."""
    rows, by_name = chunk.rows[place], {(p.file, p.group): p for p in parts}
    return [by_name[rows.parts[part]].ids[row] for part, row in zip(rows.part.tolist(), rows.row.tolist(), strict=True)]


def most_waiting(streams) -> int:
    """The most ids that wait at a time; it is looked at whenever samples come out."""
    alignment = Alignment(streams=streams)
    return max(len(alignment.waiting) for _ in alignment.chunks(1))


@st.composite
def several(draw):
    """A few streams of some of the same ids, each in its own order and in parts of its own size."""
    found = []
    for place in range(draw(st.integers(1, 4))):
        own = draw(st.lists(st.sampled_from(names(*range(40))), unique=True, max_size=40))
        ids = sorted(own) if draw(st.booleans()) else own
        found.append(stream(ids, draw(st.integers(1, 9)), f"model{place}-"))
    return found


@LAW
@given(several(), st.integers(1, 30))
def test_the_samples_of_all_streams_come_out_once_each_with_their_places(streams, size):
    """Whatever the orders, gaps and parts; what is left over is told with the streams that have it."""
    sets = [{i for part in parts for i in part.ids} for parts in streams]
    alignment = Alignment(streams=streams)
    chunks = list(alignment.chunks(size))
    ids = [i for chunk in chunks for i in chunk.ids]
    assert sorted(ids) == sorted(set.intersection(*sets))
    for chunk in chunks:
        assert [ids_at(chunk, place, parts) for place, parts in enumerate(streams)] == [list(chunk.ids)] * len(streams)
        assert all(len(set(rows.parts)) == len(rows.parts) for rows in chunk.rows)
    assert all(len(chunk.ids) >= size for chunk in chunks[:-1])
    left = set.union(*sets) - set(ids)
    assert alignment.unmatched == {i: tuple(s for s, own in enumerate(sets) if i in own) for i in left}


@LAW
@given(several())
def test_the_order_depends_on_the_streams_alone(streams):
    """A second walk gives the same chunks, so that an interrupted one can be gone on with; chunks of another size hold the same order."""
    first, again, larger = ([c.ids for c in Alignment(streams=streams).chunks(size)] for size in (3, 3, 7))
    assert first == again
    assert sum(first, ()) == sum(larger, ())


@LAW
@given(several(), st.data())
def test_an_id_that_a_stream_has_twice_is_refused(streams, data):
    """Wherever its second place is, and whether or not the other streams have it."""
    full = [parts for parts in streams if any(part.ids for part in parts)]
    if not full or len(streams) < 2:
        return
    parts = data.draw(st.sampled_from(full))
    ids = [i for part in parts for i in part.ids]
    twin = data.draw(st.sampled_from(ids))
    place = data.draw(st.integers(0, len(ids)))
    doubled = stream([*ids[:place], twin, *ids[place:]], data.draw(st.integers(1, 9)), "doubled")
    with pytest.raises(FormatError, match=f"'{twin}' stands for more than one row"):
        list(Alignment(streams=[doubled if own is parts else own for own in streams]).chunks(5))


def test_an_id_that_every_stream_has_twice_in_one_part_is_refused():
    ids = names(1, 2, 3, 2)
    with pytest.raises(FormatError, match="'s00002' stands for more than one row") as caught:
        list(Alignment(streams=[stream(ids, 9, "a"), stream(ids, 9, "b")]).chunks(1))
    assert caught.value.fault.sample == "s00002"
    assert caught.value.fault.file == "a0"


def test_streams_in_step_hold_nothing_and_share_their_parts():
    """Equal parts pass through as they are."""
    ids = names(*range(100))
    streams = [stream(ids, PART, name) for name in "abc"]
    assert most_waiting(streams) == 0
    (chunk,) = Alignment(streams=streams).chunks(1000)
    assert [rows.parts for rows in chunk.rows] == [tuple((p.file, p.group) for p in parts) for parts in streams]
    assert np.array_equal(chunk.rows[0].row, np.tile(np.arange(PART), 10))


@pytest.mark.parametrize("size", [1, 7, 10, 64])
def test_parts_of_any_size_wait_for_one_another(size):
    """Of streams in one order no more waits than two parts of each hold."""
    ids = names(*range(2000))
    assert most_waiting([stream(ids, 64, "pool"), stream(ids, size), stream(ids, 10)]) <= 2 * (64 + size + 10)


@pytest.mark.parametrize("gap", [1, 4, 6, 9, 10, 35, 300])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_behind_a_gap_streams_are_in_step_again(gap, place):
    """Once the others have caught up, nothing waits beside the ids of the gap but a part or two, whichever stream lacks them."""
    ids = names(*range(2000))
    lacking = ids[:500] + ids[500 + gap :]
    alignment = Alignment(streams=[stream(lacking if s == place else ids, PART, f"m{s}-") for s in range(3)])
    waiting = [len(alignment.waiting) for chunk in alignment.chunks(1) if chunk.ids[0] > ids[500 + 2 * gap + 5 * PART]]
    assert max(waiting) <= gap + 3 * PART
    assert sorted(alignment.unmatched) == ids[500 : 500 + gap]


def test_parts_that_lack_a_sample_here_and_there_stay_in_step():
    """As shards do from which a failed sample was left out: each next part begins with the same sample again."""
    ids = names(*range(2000))
    parts = [Part(file="m", group=n, ids=tuple(i for i in ids[n * PART : n * PART + PART] if i[-1] != "7" or n % 3)) for n in range(200)]
    alignment = Alignment(streams=[stream(ids, PART), parts])
    missing = len(ids) - sum(len(p.ids) for p in parts)
    whole = [chunk for chunk in alignment.chunks(1) if all(len(rows.parts) == 1 for rows in chunk.rows)]
    assert len(alignment.unmatched) == missing == 67
    assert len(whole) >= 100
    assert max(len(chunk.ids) for chunk in whole) == PART


@pytest.mark.parametrize("part", [0.1, 0.3, 0.5, 0.9])
def test_a_model_of_a_part_of_the_pool_does_not_run_ahead(part):
    """What waits is what is missing for good, and a few parts."""
    rng = np.random.default_rng(0)
    ids = names(*range(2000))
    some = [i for i in ids if rng.random() < part]
    alignment = Alignment(streams=[stream(ids, PART, "pool"), stream(ids, 7, "target"), stream(some, PART, "rival")])
    for chunk in alignment.chunks(1):
        missing = sum(i <= max(chunk.ids) for i in ids) - sum(i <= max(chunk.ids) for i in some)
        assert len(alignment.waiting) <= missing + 20 * PART


def test_no_stream_in_reverse_is_lost():
    """The furthest apart that an order can be: everything waits, and everything comes out."""
    ids = names(*range(500))
    alignment = Alignment(streams=[stream(ids, 7), stream(ids[::-1], 11)])
    assert sorted(i for chunk in alignment.chunks(50) for i in chunk.ids) == ids
    assert alignment.unmatched == {}


def test_empty_streams_match_nothing():
    assert list(Alignment(streams=[[], stream(names(1, 2), 2)]).chunks(1)) == []
    alignment = Alignment(streams=[stream(names(1), 2), [Part(file="", group=0, ids=())]])
    assert list(alignment.chunks(1)) == []
    assert alignment.unmatched == {"s00001": (0,)}

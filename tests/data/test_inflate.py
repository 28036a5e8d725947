"""Unpacking gives what zlib gives, for every way of packing, and damage never gives other bytes than zlib would."""

from __future__ import annotations

import random
import zlib

import numpy as np
import pytest
from figureground.data.inflate import CORRUPT, TRUNCATED, inflate
from hypothesis import given, settings
from hypothesis import strategies as st


def packed(data: bytes, level: int, strategy: int) -> bytes:
    coder = zlib.compressobj(level, zlib.DEFLATED, 15, 8, strategy)
    return coder.compress(data) + coder.flush()


def unpacked(stream: bytes, size: int) -> bytes | int:
    found = inflate(np.frombuffer(stream, np.uint8), size)
    return found if isinstance(found, int) else found.tobytes()


def random_bytes(seed: int) -> bytes:
    """Bytes of few or many values, with repeats near and far."""
    rng = random.Random(seed)
    words = [rng.randbytes(rng.randrange(1, 400)) for _ in range(3)]
    values = rng.choice((1, 2, 7, 256))
    return b"".join(rng.choice((*words, bytes(rng.choices(range(values), k=rng.randrange(1, 300))))) for _ in range(rng.randrange(1, 60)))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 9), st.integers(0, 4))
def test_every_level_and_strategy_comes_back(seed, level, strategy):
    data = random_bytes(seed)
    stream = packed(data, level, strategy)
    assert unpacked(stream, len(data)) == data
    assert unpacked(stream, len(data) // 2) == data[: len(data) // 2]
    assert unpacked(stream, len(data) + 1) == TRUNCATED


def test_flushed_and_stored_blocks_come_back():
    coder = zlib.compressobj(6)
    parts = [bytes([n]) * (n + 1) * 900 for n in range(40)]
    stream = (
        b"".join(coder.compress(p) + coder.flush(zlib.Z_FULL_FLUSH if n % 2 else zlib.Z_SYNC_FLUSH) for n, p in enumerate(parts))
        + coder.flush()
    )
    assert unpacked(stream, sum(map(len, parts))) == b"".join(parts)
    noise = random.Random(0).randbytes(200_000)
    assert unpacked(packed(noise, 9, 0), len(noise)) == noise


@pytest.mark.parametrize("seed", range(40))
def test_damage_gives_an_error_or_what_zlib_gives(seed):
    rng = random.Random(seed)
    data = random_bytes(seed)
    whole = packed(data, rng.randrange(10), rng.randrange(5))
    for _ in range(25):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        end = rng.choice((len(whole), rng.randrange(len(whole))))
        found = unpacked(bytes(damaged[:end]), len(data))
        try:
            expected = zlib.decompressobj().decompress(bytes(damaged[:end]), len(data))
        except zlib.error:
            expected = None
        if expected is not None and len(expected) == len(data):
            assert found == expected
        else:
            assert isinstance(found, int) or len(found) == len(data)  # zlib also refuses for the checksum, which PNG says twice


@pytest.mark.parametrize(
    ("stream", "outcome"),
    [
        (b"", TRUNCATED),
        (b"\x78", TRUNCATED),
        (b"\x78\x9c", TRUNCATED),
        (b"\x79\x9c\x03\x00", CORRUPT),  # another method
        (b"\x78\x9d\x03\x00", CORRUPT),  # a wrong head
        (b"\x78\xbb\x00", CORRUPT),  # asks for a dictionary
        (b"\x78\x9c\x07", CORRUPT),  # a block of no kind
        (b"\x78\x9c\x01\x05\x00\x00\x00abcde", CORRUPT),  # stored, with lengths that contradict
        (b"\x78\x9c\x01\x05\x00\xfa\xffabc", TRUNCATED),  # stored and cut
        (b"\x78\x9c\x4b\x04\x12\x00", CORRUPT),  # a repeat of what was never there
    ],
)
def test_streams_that_break_the_format(stream, outcome):
    assert unpacked(stream, 8) == outcome

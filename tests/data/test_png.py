"""PNG label maps come back as the numbers that were written, whatever the PNG's type, and damage is found."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from figureground.data.png import PngError, read_png

ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def packed_rows(numbers: np.ndarray, depth: int, filters: list[int]) -> bytes:
    """Rows packed to `depth` bits and filtered, by the definition of each filter, byte by byte."""
    height = numbers.shape[0]
    channels = 1 if numbers.ndim == 2 else numbers.shape[2]
    step = max(1, depth * channels // 8)
    out, above = bytearray(), None
    for y in range(height):
        if depth == 16:
            row = numbers[y].astype(">u2").tobytes()
        elif depth == 8:
            row = numbers[y].astype(np.uint8).tobytes()
        else:
            bits = "".join(f"{v:0{depth}b}" for v in numbers[y].reshape(-1))
            bits += "0" * (-len(bits) % 8)
            row = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
        above = above or bytes(len(row))
        kind = filters[y % len(filters)]
        out.append(kind)
        for x, value in enumerate(row):
            left = row[x - step] if x >= step else 0
            up, corner = above[x], above[x - step] if x >= step else 0
            paeth = min((left, up, corner), key=lambda c: abs(left + up - corner - c))  # min keeps the first of equals, as PNG wants
            out.append((value - (0, left, up, (left + up) // 2, paeth)[kind]) % 256)
        above = row
    return bytes(out)


def png_bytes(
    numbers: np.ndarray, depth: int, *, colour_type: int = 0, filters: list[int] | None = None, interlaced: bool = False
) -> bytes:
    height, width = numbers.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, int(interlaced))
    filters = filters or [0]
    if interlaced:
        passes = [numbers[top::dy, left::dx] for top, left, dy, dx in ADAM7]
        raw = b"".join(packed_rows(p, depth, filters) for p in passes if p.size)
    else:
        raw = packed_rows(numbers, depth, filters)
    palette = chunk(b"PLTE", bytes(range(256)) * 3) if colour_type == 3 else b""
    packed = zlib.compress(raw)
    parts = chunk(b"IDAT", packed[: len(packed) // 2]) + chunk(b"IDAT", packed[len(packed) // 2 :])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + palette + parts + chunk(b"IEND", b"")


@settings(max_examples=120, deadline=None)
@given(
    st.integers(1, 19),
    st.integers(1, 19),
    st.sampled_from([(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (3, 1), (3, 2), (3, 4), (3, 8), (2, 8), (6, 8), (4, 8), (2, 16)]),
    st.lists(st.integers(0, 4), min_size=1, max_size=6),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_numbers_come_back_for_every_type_depth_filter_and_interlacing(height, width, kind, filters, interlaced, seed):
    colour_type, depth = kind
    channels = {0: 1, 3: 1, 2: 3, 4: 2, 6: 4}[colour_type]
    shape = (height, width) if channels == 1 else (height, width, channels)
    numbers = np.random.default_rng(seed).integers(0, 2**depth, shape)
    parts, found = read_png(png_bytes(numbers, depth, colour_type=colour_type, filters=filters, interlaced=interlaced))
    assert np.array_equal(found, numbers)
    assert (parts.height, parts.width) == (height, width)
    assert found.dtype == (np.uint16 if depth == 16 else np.uint8)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from(["L", "P", "1", "RGB", "I;16"]), st.integers(0, 2**32 - 1))
def test_what_pillow_writes_is_read_as_pillow_reads_it(height, width, mode, seed):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 200, (-(-height // 40), -(-width // 40), 3)).repeat(40, 0).repeat(40, 1)[:height, :width]
    array = {"RGB": coarse.astype(np.uint8), "I;16": (coarse[:, :, 0] * 300).astype(np.uint16), "1": coarse[:, :, 0] > 90}.get(
        mode, coarse[:, :, 0].astype(np.uint8)
    )
    image = Image.fromarray(array)
    if mode == "P":
        image = Image.frombytes("P", (width, height), array.tobytes())
        image.putpalette(list(range(256)) * 3)
    stream = io.BytesIO()
    image.save(stream, "PNG")
    stream.seek(0)
    assert np.array_equal(read_png(stream.getvalue())[1], np.asarray(Image.open(stream)))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(30, 150), st.lists(st.integers(0, 4), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_long_even_stretches_come_back_under_every_filter(height, width, filters, seed):
    """Label maps are even almost everywhere, which the decoder makes use of."""
    rng = np.random.default_rng(seed)
    numbers = np.zeros((height, width), np.uint8)
    for _ in range(rng.integers(0, 5)):
        left = rng.integers(0, width)
        numbers[rng.integers(0, height) :, left : left + rng.integers(1, width)] = rng.integers(0, 256)
    numbers[rng.integers(0, height), rng.integers(0, width)] = rng.integers(0, 256)
    assert np.array_equal(read_png(png_bytes(numbers, 8, filters=filters))[1], numbers)


def test_low_depths_keep_class_ids_instead_of_grey_values():
    """Pillow spreads 2-bit grey over 0..255; a label map must not be."""
    assert np.array_equal(read_png(png_bytes(np.array([[0, 1, 2, 3]]), 2))[1], [[0, 1, 2, 3]])


def test_every_cut_is_told_from_a_sound_file():
    whole = png_bytes(np.arange(40).reshape(5, 8), 8, filters=[4])
    for end in range(len(whole)):
        with pytest.raises(PngError) as caught:
            read_png(whole[:end])
        assert caught.value.truncated or end < 8


def test_every_changed_byte_is_found():
    whole = bytearray(png_bytes(np.arange(40).reshape(5, 8), 8, filters=[1]))
    for position in range(8, len(whole) - 12):
        damaged = bytes(whole[:position]) + bytes([whole[position] ^ 0x10]) + bytes(whole[position + 1 :])
        with pytest.raises(PngError):
            read_png(damaged)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (struct.pack(">IIBBBBB", 0, 4, 8, 0, 0, 0, 0), "0 x 4"),
        (struct.pack(">IIBBBBB", 4, 4, 3, 0, 0, 0, 0), "does not allow"),
        (struct.pack(">IIBBBBB", 4, 4, 8, 5, 0, 0, 0), "does not allow"),
        (struct.pack(">IIBBBBB", 4, 4, 8, 0, 0, 0, 2), "does not allow"),
        (struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 16, 6, 0, 0, 0), "ends early"),
        (b"short", "wrong length"),
    ],
)
def test_impossible_headers_are_refused_without_room_being_made(header, words):
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 20)) + chunk(b"IEND", b"")
    with pytest.raises(PngError, match=words):
        read_png(data)


def test_a_bomb_is_not_unpacked_beyond_what_the_image_needs():
    header = struct.pack(">IIBBBBB", 4, 1, 8, 0, 0, 0, 0)
    bomb = zlib.compress(b"\0" * 50_000_000, 9)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", bomb) + chunk(b"IEND", b"")
    assert np.array_equal(read_png(data)[1], [[0, 0, 0, 0]])


@pytest.mark.parametrize(
    "body",
    [
        chunk(b"IDAT", zlib.compress(b"\0\1\2")) + chunk(b"IEND", b""),  # no header
        chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 3, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b"\0\1\2"))
        + chunk(b"IEND", b""),  # no palette
        chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 0, 0, 0, 0)) + chunk(b"IEND", b""),  # no pixels
        chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b"\x07\1\2"))
        + chunk(b"IEND", b""),  # filter 7
        chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 0, 0, 0, 0)) + chunk(b"IDAT", b"no deflate") + chunk(b"IEND", b""),
        chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 0, 0, 0, 0)) + chunk(b"ABCD", b"") + chunk(b"IEND", b""),  # unknown and critical
        chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 0, 0, 0, 0)) * 2 + chunk(b"IEND", b""),
        chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 3, 0, 0, 0)) + chunk(b"PLTE", b"ab") + chunk(b"IEND", b""),
    ],
)
def test_files_that_break_the_format_are_refused(body):
    with pytest.raises(PngError):
        read_png(b"\x89PNG\r\n\x1a\n" + body)


def test_chunks_that_do_not_matter_are_passed_over():
    whole = png_bytes(np.array([[1, 2]]), 8)
    with_text = whole[:33] + chunk(b"tEXt", b"Comment\0hello") + whole[33:]
    assert np.array_equal(read_png(with_text)[1], [[1, 2]])

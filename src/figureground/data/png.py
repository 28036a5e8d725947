"""PNG label maps decoded as they were written: palette indices and low bit depths stay numbers, damage is found.

Pictures are for other readers. This one never applies a palette, gamma or scaling, checks every checksum and the end of the
file, and takes about a quarter of the time of the general decoders on label maps (zlib-ng unpacks, even stretches are unfiltered at
once), which matters because decoding is most of an audit's time.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numba import njit
from zlib_ng import zlib_ng

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
_CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
_DEPTHS = {GREY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GREY_ALPHA: (8, 16), RGBA: (8, 16)}
_PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
_STRETCH = 32
_KNOWN_CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")


class PngError(ValueError):
    """Bytes that are no sound PNG; `truncated` tells an early end from contradiction."""

    def __init__(self, problem: str, *, truncated: bool = False) -> None:
        super().__init__(problem)
        self.truncated = truncated


@dataclass(frozen=True, slots=True, kw_only=True)
class PngParts:
    """What the chunks of a PNG say, with the pixel data still packed."""

    width: int
    height: int
    depth: int
    """Bits per channel: 1, 2, 4, 8 or 16."""
    colour_type: int
    interlaced: bool
    palette: np.ndarray | None
    """uint8 [entries, 3]."""
    packed: bytes

    @property
    def channels(self) -> int:
        """Numbers per pixel."""
        return _CHANNELS[self.colour_type]

    @property
    def pixel_bits(self) -> int:
        """Bits per pixel."""
        return self.depth * self.channels


def read_png(data: bytes) -> tuple[PngParts, np.ndarray]:
    """The header of a PNG and its raw numbers.

    Returns:
        The parts, and uint8 or uint16 [height, width] for grey and palette images (1, 2 and 4 bit values are not scaled),
        [height, width, channels] for the others.

    Raises:
        PngError: a missing signature, a wrong checksum, an early end, or anything else that contradicts the format.

    Source: PNG specification, third edition (W3C 2025), sections 5, 8, 9.
    """
    parts = split_chunks(data)
    raw = _inflate(parts)
    numbers = _deinterlace(parts, raw) if parts.interlaced else _rows(parts, raw, parts.height, parts.width)
    return parts, numbers


def split_chunks(data: bytes) -> PngParts:
    """Header, palette and packed pixels of a PNG, all checksums verified; raises `PngError`."""
    if not data.startswith(SIGNATURE):
        raise PngError("the PNG signature is missing", truncated=SIGNATURE.startswith(data))
    view, position = memoryview(data), len(SIGNATURE)
    header: tuple[int, ...] | None = None
    palette: np.ndarray | None = None
    packed: list[memoryview] = []
    while True:
        kind, body, position = _next_chunk(view, position)
        if (header is None) != (kind == b"IHDR"):
            raise PngError("the header chunk is not first, or stands twice")
        if kind == b"IHDR":
            header = _checked_header(bytes(body))
        elif kind == b"PLTE":
            if len(body) % 3 or not 3 <= len(body) <= 768:
                raise PngError("the palette does not have 1 to 256 colours")
            palette = np.frombuffer(body, np.uint8).reshape(-1, 3)
        elif kind == b"IDAT":
            packed.append(body)
        elif kind == b"IEND":
            break
        elif kind[0] & 0x20 == 0 and kind not in _KNOWN_CRITICAL:
            raise PngError(f"the chunk {kind!r} is not known")
    assert header is not None
    width, height, depth, colour_type, _, _, interlace = header
    if colour_type == PALETTE and palette is None:
        raise PngError("the palette is missing")
    return PngParts(
        width=width,
        height=height,
        depth=depth,
        colour_type=colour_type,
        interlaced=bool(interlace),
        palette=palette,
        packed=b"".join(packed),
    )


def _next_chunk(view: memoryview, position: int) -> tuple[bytes, memoryview, int]:
    if position + 12 > len(view):
        raise PngError("the file ends before its last chunk", truncated=True)
    length = int.from_bytes(view[position : position + 4], "big")
    end = position + 12 + length
    if end > len(view):
        raise PngError("the file ends within a chunk", truncated=True)
    if zlib.crc32(view[position + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
        raise PngError("a chunk does not match its checksum")
    return bytes(view[position + 4 : position + 8]), view[position + 8 : end - 4], end


def _checked_header(body: bytes) -> tuple[int, ...]:
    if len(body) != 13:
        raise PngError("the header chunk has a wrong length")
    width, height, depth, colour_type, compression, filtering, interlace = header = struct.unpack(">IIBBBBB", body)
    if not (0 < width < 2**31 and 0 < height < 2**31):
        raise PngError(f"the header says {width} x {height} pixels")
    if depth not in _DEPTHS.get(colour_type, ()) or compression or filtering or interlace > 1:
        raise PngError("the header holds values that PNG does not allow")
    return header


def _row_bytes(parts: PngParts, width: int) -> int:
    return (width * parts.pixel_bits + 7) // 8


def _pass_sizes(parts: PngParts) -> list[tuple[int, int]]:
    """Height and width of each Adam7 pass, empty passes as (0, 0)."""
    sizes = []
    for top, left, step_y, step_x in _PASSES:
        height, width = -(-(parts.height - top) // step_y), -(-(parts.width - left) // step_x)
        sizes.append((height, width) if height > 0 and width > 0 else (0, 0))
    return sizes


def _inflate(parts: PngParts) -> np.ndarray:
    sizes = _pass_sizes(parts) if parts.interlaced else [(parts.height, parts.width)]
    expected = sum(height * (1 + _row_bytes(parts, width)) for height, width in sizes if height)
    if expected > 1100 * len(parts.packed) + 1100:  # deflate never packs tighter than 1:1032, so this cannot be all there
        raise PngError("the pixel data ends early", truncated=True)
    try:
        if 1100 * len(parts.packed) > max(4 * expected, 1 << 26):  # might unpack to far more than the image needs
            raw = zlib_ng.decompressobj().decompress(parts.packed, expected)
        else:
            raw = zlib_ng.decompress(parts.packed, bufsize=expected) if parts.packed else b""
    except zlib_ng.error as error:  # pyright: ignore[reportGeneralTypeIssues]  # its stub declares an instance
        early = "incomplete" in str(error)
        raise PngError("the pixel data ends early" if early else "the pixel data cannot be unpacked", truncated=early) from error
    if len(raw) < expected:
        raise PngError("the pixel data ends early", truncated=True)
    return np.frombuffer(raw, np.uint8, count=expected)


def _rows(parts: PngParts, raw: np.ndarray, height: int, width: int) -> np.ndarray:
    """The numbers of one image or pass from its filtered rows."""
    lines = raw.reshape(height, 1 + _row_bytes(parts, width))
    pixels = lines[:, 1:]
    if lines[:, 0].any():
        pixels = np.empty(pixels.shape, np.uint8)
        if not _unfilter(lines, max(1, parts.pixel_bits // 8), pixels):
            raise PngError("a row names a filter that PNG does not have")
    if parts.depth < 8:
        return _unpack_bits(pixels, parts.depth, width)
    if parts.depth == 16:
        pixels = np.ascontiguousarray(pixels).view(">u2").astype(np.uint16)
    return pixels if parts.channels == 1 else pixels.reshape(height, width, parts.channels)


def _unpack_bits(pixels: np.ndarray, depth: int, width: int) -> np.ndarray:
    shifts = np.arange(8 - depth, -1, -depth, dtype=np.uint8)
    spread = (pixels[:, :, None] >> shifts) & np.uint8((1 << depth) - 1)
    return spread.reshape(pixels.shape[0], -1)[:, :width]


def _deinterlace(parts: PngParts, raw: np.ndarray) -> np.ndarray:
    shape = (parts.height, parts.width) if parts.channels == 1 else (parts.height, parts.width, parts.channels)
    whole = np.empty(shape, np.uint16 if parts.depth == 16 else np.uint8)
    position = 0
    for (height, width), (top, left, step_y, step_x) in zip(_pass_sizes(parts), _PASSES, strict=True):
        if height:
            size = height * (1 + _row_bytes(parts, width))
            whole[top::step_y, left::step_x] = _rows(parts, raw[position : position + size], height, width)
            position += size
    return whole


@njit(cache=True, nogil=True)
def _unfilter(lines: np.ndarray, step: int, out: np.ndarray) -> bool:  # pragma: no cover - compiled
    """Undo the row filters of uint8 lines [rows, 1 + bytes]; `step` is the distance to the pixel on the left."""
    rows, size = out.shape
    nothing = np.zeros(size, np.uint8)
    for y in range(rows):
        kind, line, now = lines[y, 0], lines[y, 1:], out[y]
        above = out[y - 1] if y else nothing
        if kind == 0:
            _copy(line, now)
        elif kind == 1:
            _undo_left(line, step, now)
        elif kind == 2:
            for x in range(now.size):
                now[x] = line[x] + above[x]
        elif kind == 3:
            for x in range(size):
                left = np.int32(now[x - step]) if x >= step else np.int32(0)
                now[x] = line[x] + np.uint8((left + np.int32(above[x])) >> 1)
        elif kind == 4:
            _undo_paeth(line, above, step, now)
        else:
            return False
    return True


@njit(cache=True, nogil=True)
def _copy(origin: np.ndarray, target: np.ndarray) -> None:  # pragma: no cover - compiled
    for x in range(target.size):  # becomes a block move, which a slice assignment does not
        target[x] = origin[x]


@njit(cache=True, nogil=True)
def _is_all(values: np.ndarray, wanted: int) -> bool:  # pragma: no cover - compiled
    differing = np.uint8(0)
    for x in range(values.size):
        differing |= values[x] ^ np.uint8(wanted)
    return differing == 0


@njit(cache=True, nogil=True)
def _undo_left(line: np.ndarray, step: int, now: np.ndarray) -> None:  # pragma: no cover - compiled
    """The filter Sub. A stretch without differences repeats one pixel, so for one byte a pixel it is filled at once."""
    _copy(line[:step], now[:step])
    x = step
    while x < now.size:
        end = min(x + _STRETCH, now.size)
        if step == 1 and _is_all(line[x:end], 0):
            value, target = now[x - 1], now[x:end]
            for k in range(target.size):
                target[k] = value
        else:
            for k in range(x, end):
                now[k] = line[k] + now[k - step]
        x = end


@njit(cache=True, nogil=True)
def _undo_paeth(line: np.ndarray, above: np.ndarray, step: int, now: np.ndarray) -> None:  # pragma: no cover - compiled
    """The filter Paeth. Where nothing differs it copies the row above, or repeats one pixel below a constant stretch."""
    for x in range(min(step, now.size)):
        now[x] = line[x] + above[x]
    x = step
    while x < now.size:
        end = min(x + _STRETCH, now.size)
        if step == 1 and _is_all(line[x:end], 0):
            if now[x - 1] == above[x - 1]:
                _copy(above[x:end], now[x:end])
                x = end
                continue
            if _is_all(above[x:end], above[x - 1]):
                value, target = now[x - 1], now[x:end]
                for k in range(target.size):
                    target[k] = value
                x = end
                continue
        for k in range(x, end):
            now[k] = line[k] + _paeth(np.int32(now[k - step]), np.int32(above[k]), np.int32(above[k - step]))
        x = end


@njit(cache=True, nogil=True)
def _paeth(left: np.integer, over: np.integer, corner: np.integer) -> np.uint8:  # pragma: no cover - compiled
    to_left, to_over, to_corner = abs(over - corner), abs(left - corner), abs(left + over - 2 * corner)
    if to_left <= to_over and to_left <= to_corner:
        return np.uint8(left)
    return np.uint8(over) if to_over <= to_corner else np.uint8(corner)

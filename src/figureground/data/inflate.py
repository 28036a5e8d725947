"""DEFLATE for label maps: the general decoder moves a few bytes a step, here a whole repeat is filled or copied at once.

A label map packs into few, long repeats (one colour, or the row above), so unpacking is bound by filling memory and not by reading codes.
"""

from __future__ import annotations

import numpy as np
from numba import njit

TRUNCATED, CORRUPT = -1, -2
_QUICK_BITS = 10
_LENGTH_BASE = np.array(
    [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258], np.int64
)
_LENGTH_EXTRA = np.array([0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0], np.int64)
_DISTANCE_BASE = np.array(
    [
        1,
        2,
        3,
        4,
        5,
        7,
        9,
        13,
        17,
        25,
        33,
        49,
        65,
        97,
        129,
        193,
        257,
        385,
        513,
        769,
        1025,
        1537,
        2049,
        3073,
        4097,
        6145,
        8193,
        12289,
        16385,
        24577,
    ],
    np.int64,
)
_DISTANCE_EXTRA = np.array([0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13], np.int64)
_CODE_ORDER = np.array([16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15], np.int64)


def inflate(packed: np.ndarray, size: int) -> np.ndarray | int:
    """The first `size` bytes of a zlib stream, uint8 [size]; `TRUNCATED` if it ends before, `CORRUPT` if it is no such stream.

    The stream's own checksum is not looked at: PNG chunks carry a stronger one.

    Args:
        packed: uint8 [bytes], the stream with its two-byte head.
        size: how many bytes are wanted; what follows is not unpacked.

    Source: RFC 1950 and RFC 1951.
    """
    if packed.size < 2:
        return TRUNCATED
    head = int(packed[0]) << 8 | int(packed[1])
    if packed[0] & 15 != 8 or packed[0] >> 4 > 7 or head % 31 or packed[1] & 32:
        return CORRUPT
    out = np.empty(size, np.uint8)
    outcome = _inflate(packed[2:], out)
    return outcome if outcome else out


@njit(cache=True, nogil=True)
def _inflate(source: np.ndarray, out: np.ndarray) -> int:  # pragma: no cover - compiled
    """0 when `out` is full, else `TRUNCATED` or `CORRUPT`."""
    state = np.zeros(4, np.int64)  # next byte, bits held, bits, next place in `out`
    lengths = np.zeros(320, np.int64)
    literals, distances = _new_code(), _new_code()
    last = False
    while not last and state[3] < out.size:
        last = _take(source, state, 1) == 1
        kind = _take(source, state, 2)
        if kind < 0:
            return TRUNCATED
        if kind == 0:
            problem = _stored(source, state, out)
        elif kind == 3:
            return CORRUPT
        else:
            problem = _fixed_codes(lengths, literals, distances) if kind == 1 else _read_codes(source, state, lengths, literals, distances)
            if problem == 0:
                problem = _block(source, state, out, literals, distances)
        if problem != 0:
            return problem
    return 0 if state[3] == out.size else TRUNCATED


@njit(cache=True, nogil=True)
def _take(source: np.ndarray, state: np.ndarray, count: int) -> int:  # pragma: no cover - compiled
    """The next bits as a number, or `TRUNCATED`."""
    while state[1] < count:
        if state[0] >= source.size:
            return TRUNCATED
        state[2] |= np.int64(source[state[0]]) << state[1]
        state[0] += 1
        state[1] += 8
    bits = state[2] & ((1 << count) - 1)
    state[2] >>= count
    state[1] -= count
    return bits


@njit(cache=True, nogil=True)
def _stored(source: np.ndarray, state: np.ndarray, out: np.ndarray) -> int:  # pragma: no cover - compiled
    state[0] -= state[1] // 8  # whole bytes that were held go back
    state[1] = state[2] = 0
    at = state[0]
    if at + 4 > source.size:
        return TRUNCATED
    size = np.int64(source[at]) | np.int64(source[at + 1]) << 8
    if size != (np.int64(source[at + 2]) | np.int64(source[at + 3]) << 8) ^ 0xFFFF:
        return CORRUPT
    size = min(size, out.size - state[3])
    if at + 4 + size > source.size:
        return TRUNCATED
    out[state[3] : state[3] + size] = source[at + 4 : at + 4 + size]
    state[0] = at + 4 + size
    state[3] += size
    return 0


@njit(cache=True, nogil=True)
def _new_code() -> tuple:  # pragma: no cover - compiled
    """Room for a code: quick table, count of each length, symbols in order of their codes."""
    return np.zeros(1 << _QUICK_BITS, np.int64), np.zeros(16, np.int64), np.zeros(320, np.int64)


@njit(cache=True, nogil=True)
def _make_code(lengths: np.ndarray, code: tuple) -> bool:  # pragma: no cover - compiled
    """Fills a canonical Huffman code from the code length of each symbol; False where lengths claim more codes than there are."""
    quick, count, symbols = code
    quick[:] = 0
    count[:] = 0
    for length in lengths:
        count[length] += 1
    count[0] = 0
    first, offset = np.zeros(17, np.int64), np.zeros(17, np.int64)
    for length in range(1, 16):
        first[length + 1] = (first[length] + count[length]) << 1
        offset[length + 1] = offset[length] + count[length]
        if first[length] + count[length] > 1 << length:
            return False
    for symbol in range(lengths.size):
        length = lengths[symbol]
        if length == 0:
            continue
        symbols[offset[length]] = symbol
        offset[length] += 1
        if length <= _QUICK_BITS:
            reverse, value = 0, first[length]
            for _ in range(length):
                reverse = reverse << 1 | (value & 1)
                value >>= 1
            for entry in range(reverse, 1 << _QUICK_BITS, 1 << length):
                quick[entry] = symbol << 4 | length
        first[length] += 1
    return True


@njit(cache=True, nogil=True)
def _symbol(source: np.ndarray, state: np.ndarray, code: tuple) -> int:  # pragma: no cover - compiled
    """The next symbol, or `TRUNCATED` or `CORRUPT`."""
    quick, count, symbols = code
    while state[1] < 15 and state[0] < source.size:
        state[2] |= np.int64(source[state[0]]) << state[1]
        state[0] += 1
        state[1] += 8
    entry = quick[state[2] & ((1 << _QUICK_BITS) - 1)]
    if entry == 0:
        entry = _long_symbol(state[2], count, symbols)
    if entry < 0:
        return CORRUPT
    state[2] >>= entry & 15
    state[1] -= entry & 15
    return TRUNCATED if state[1] < 0 else entry >> 4


@njit(cache=True, nogil=True)
def _long_symbol(bits: int, count: np.ndarray, symbols: np.ndarray) -> int:  # pragma: no cover - compiled
    """Symbol and length (4 bits) of a code too long for the quick table, read bit by bit; `CORRUPT` if there is none."""
    value = first = index = 0
    for length in range(1, 16):
        value |= (bits >> (length - 1)) & 1
        if value - first < count[length]:
            return symbols[index + value - first] << 4 | length
        index += count[length]
        first = (first + count[length]) << 1
        value <<= 1
    return CORRUPT


@njit(cache=True, nogil=True)
def _fixed_codes(lengths: np.ndarray, literals: tuple, distances: tuple) -> int:  # pragma: no cover - compiled
    lengths[:144], lengths[144:256], lengths[256:280], lengths[280:288] = 8, 9, 7, 8
    _make_code(lengths[:288], literals)
    lengths[:30] = 5
    _make_code(lengths[:30], distances)
    return 0


@njit(cache=True, nogil=True)
def _read_codes(source: np.ndarray, state: np.ndarray, lengths: np.ndarray, literals: tuple, distances: tuple) -> int:  # pragma: no cover
    """Reads the codes of a dynamic block."""
    head = _take(source, state, 14)
    if head < 0:
        return TRUNCATED
    n_literals, n_distances, n_codes = (head & 31) + 257, (head >> 5 & 31) + 1, (head >> 10) + 4
    if n_literals > 286 or n_distances > 30:
        return CORRUPT
    lengths[:19] = 0
    for n in range(n_codes):
        size = _take(source, state, 3)
        if size < 0:
            return TRUNCATED
        lengths[_CODE_ORDER[n]] = size
    if not _make_code(lengths[:19], literals):
        return CORRUPT
    at = 0
    while at < n_literals + n_distances:
        symbol = _symbol(source, state, literals)
        if symbol < 0:
            return symbol
        if symbol < 16:
            lengths[at] = symbol
            at += 1
            continue
        if symbol == 16 and at == 0:
            return CORRUPT
        value = lengths[at - 1] if symbol == 16 else 0
        extra = _take(source, state, 2 if symbol == 16 else 3 if symbol == 17 else 7)
        repeat = extra + (11 if symbol == 18 else 3)
        if extra < 0 or at + repeat > n_literals + n_distances:
            return TRUNCATED if extra < 0 else CORRUPT
        lengths[at : at + repeat] = value
        at += repeat
    sound = lengths[256] > 0 and _make_code(lengths[n_literals : n_literals + n_distances], distances)
    return 0 if sound and _make_code(lengths[:n_literals], literals) else CORRUPT


@njit(cache=True, nogil=True)
def _block(source: np.ndarray, state: np.ndarray, out: np.ndarray, literals: tuple, distances: tuple) -> int:  # pragma: no cover - compiled
    """Unpacks one block until its end, or until `out` is full. The bits in hand are local, since this is the loop that counts."""
    quick, count, symbols = literals
    quick_far, count_far, symbols_far = distances
    at, held, bits, place = state[0], state[1], state[2], state[3]
    mask = (1 << _QUICK_BITS) - 1
    while place < out.size:
        while held <= 48 and at < source.size:  # a repeat takes at most 48 bits
            bits |= np.int64(source[at]) << held
            at += 1
            held += 8
        entry = quick[bits & mask]
        if entry == 0:
            entry = _long_symbol(bits, count, symbols)
        if entry < 0:
            return CORRUPT
        bits >>= entry & 15
        held -= entry & 15
        symbol = entry >> 4
        if held < 0:
            return TRUNCATED
        if symbol < 256:
            out[place] = symbol
            place += 1
            continue
        if symbol == 256:
            break
        if symbol > 285:
            return CORRUPT
        extra = _LENGTH_EXTRA[symbol - 257]
        length = _LENGTH_BASE[symbol - 257] + (bits & ((1 << extra) - 1))
        bits >>= extra
        entry = quick_far[bits & mask]
        if entry == 0:
            entry = _long_symbol(bits, count_far, symbols_far)
        if entry < 0 or entry >> 4 > 29:
            return CORRUPT if held > extra else TRUNCATED
        bits >>= entry & 15
        held -= extra + (entry & 15)
        extra = _DISTANCE_EXTRA[entry >> 4]
        distance = _DISTANCE_BASE[entry >> 4] + (bits & ((1 << extra) - 1))
        bits >>= extra
        held -= extra
        if held < 0 or distance > place:
            return TRUNCATED if held < 0 else CORRUPT
        length = min(length, out.size - place)
        _repeat(out, place, distance, length)
        place += length
    state[0], state[1], state[2], state[3] = at, held, bits, place
    return 0


@njit(cache=True, nogil=True)
def _repeat(out: np.ndarray, place: int, distance: int, length: int) -> None:  # pragma: no cover - compiled
    """Writes `length` bytes that repeat the last `distance` ones. Loops over views become block moves; slice assignments do not."""
    if distance == 1:
        value, target = out[place - 1], out[place : place + length]
        for k in range(target.size):
            target[k] = value
        return
    end = place + length
    while place < end:
        step = min(distance, end - place)
        target, origin = out[place : place + step], out[place - distance : place - distance + step]
        for k in range(target.size):
            target[k] = origin[k]
        place += step
        distance += step  # what was just written continues the pattern

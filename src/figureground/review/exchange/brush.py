"""Label Studio's code of a brush layer: a picture of red, green, blue and alpha as runs packed into bits.

The layout, most significant bit first: 32 bits say how many words there are (four a pixel), 5 bits the width of a word less one, four
times 4 bits the widths of four kinds of lengths less one. Then, until all words are said: one bit (1 = one word repeated, 0 = each word
by itself), two bits that choose a kind of length, the length less one, and the word or words. A pixel belongs to the layer where alpha
is not 0.

Source: the format of the JavaScript package rle-pack, as Label Studio uses it.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_LENGTH_BITS = (3, 4, 8, 16)
_WORD_BITS = 8
_HEAD_BITS = 32 + 5 + 16


def encode_brush(pixels: np.ndarray) -> list[int]:
    """The code of a layer, bytes as whole numbers; each channel is 255 within the layer and 0 outside.

    Args:
        pixels: bool [height, width].
    """
    flat = pixels.reshape(-1)
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    bits = [f"{4 * flat.size:032b}{_WORD_BITS - 1:05b}", *(f"{width - 1:04b}" for width in _LENGTH_BITS)]
    for start, length in zip(starts.tolist(), (4 * np.diff(starts, append=flat.size)).tolist(), strict=True):
        word = "1" * _WORD_BITS if flat[start] else "0" * _WORD_BITS
        while length:
            now = min(length, 1 << _LENGTH_BITS[-1])
            kind = next(k for k, width in enumerate(_LENGTH_BITS) if now <= 1 << width)
            bits.append(f"1{kind:02b}{now - 1:0{_LENGTH_BITS[kind]}b}{word}")
            length -= now
    text = "".join(bits)
    return np.packbits(np.frombuffer(text.encode(), np.uint8) - ord("0")).tolist()


def decode_brush(code: object, size_hw: tuple[int, int]) -> np.ndarray:
    """The pixels of a layer, bool [height, width].

    Args:
        code: what the file gives as `rle`.
        size_hw: height and width that the file says.

    Raises:
        ValueError: the code is no list of bytes, is for another size, or ends early; the message says which.
    """
    if not isinstance(code, list) or any(type(byte) is not int or not 0 <= byte <= 255 for byte in code):
        raise ValueError("a brush code must be a list of whole numbers from 0 to 255")
    data = np.array(code, np.uint8)
    if data.size * 8 < _HEAD_BITS:
        raise ValueError("a brush code is cut short")
    words, pixels = int.from_bytes(data[:4].tobytes(), "big"), size_hw[0] * size_hw[1]
    if words != 4 * pixels:
        raise ValueError(f"a brush code is for {words} numbers, and {size_hw[0]} x {size_hw[1]} pixels of four channels have {4 * pixels}")
    alpha = np.zeros(pixels, np.bool_)
    if not _unpack(data, words, alpha):
        raise ValueError("a brush code is cut short, or goes on beyond its picture")
    return alpha.reshape(size_hw)


@njit(cache=True, nogil=True)
def _read(data: np.ndarray, position: int, count: int) -> int:  # pragma: no cover - compiled
    """The number that some bits say; those beyond the end are 0."""
    value = 0
    for bit in range(position, position + count):
        byte = bit >> 3
        value <<= 1
        if byte < data.size:
            value |= (int(data[byte]) >> (7 - (bit & 7))) & 1
    return value


@njit(cache=True, nogil=True)
def _unpack(data: np.ndarray, words: int, alpha: np.ndarray) -> bool:  # pragma: no cover - compiled
    """Sets `alpha` where every fourth word is not 0; False where the code ends early or says more words than there are."""
    end = 8 * data.size
    width = _read(data, 32, 5) + 1
    position, place = 53, 0
    while place < words:
        repeated = _read(data, position, 1)
        length_width = _read(data, 37 + 4 * _read(data, position + 1, 2), 4) + 1
        length = _read(data, position + 3, length_width) + 1
        position += 3 + length_width
        needed = width if repeated else width * length
        if position + needed > end or place + length > words:
            return False
        if repeated:
            if _read(data, position, width):
                for pixel in range(place >> 2, (place + length) >> 2):
                    alpha[pixel] = True  # the alpha of these pixels lies within the run
        else:
            for n in range(length):
                if (place + n) & 3 == 3 and _read(data, position + n * width, width):
                    alpha[(place + n) >> 2] = True
        position += needed
        place += length
    return True

"""Near-duplicates of pictures: a hash of 64 bits that scaling, compression and small changes of light hardly touch."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from figureground.core.errors import Fault, FormatError
from figureground.data.pixels import read_picture

_SIDE, _KEPT = 32, 8


def picture_hash(rgb: np.ndarray) -> int:
    """64 bits of a picture: which of its 64 lowest frequencies are above their median.

    The picture is made grey and brought to 32 x 32 pixels, whatever its shape; of its discrete cosine transform the 8 x 8 lowest
    frequencies count. Two pictures are alike where few bits differ.

    Args:
        rgb: uint8 [height, width, 3].

    Source: perceptual hash by the discrete cosine transform (Zauner, 2010).
    """
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:_KEPT, :_KEPT].reshape(-1)
    bits = low > np.median(low[1:])  # the first is the brightness, which says nothing of the picture
    return int(np.packbits(bits).view(">u8")[0])


def bits_apart(one: int, others: np.ndarray) -> np.ndarray:
    """int64 [others]: bits in which a hash differs from others, uint64."""
    differing = (others ^ np.uint64(one)).astype("<u8").view(np.uint8).reshape(-1, 8)
    return _BITS[differing].sum(1)


class Seen:
    """Hashes of pictures that are taken already, with what they are called."""

    def __init__(self, hashes: np.ndarray, names: Sequence[str]) -> None:
        self._hashes, self._names = np.asarray(hashes, np.uint64), list(names)

    def near(self, found: int, *, most: int) -> str | None:
        """The name of the picture that differs in the fewest bits, the first of them, if those are at most `most`."""
        if not self._names:
            return None
        apart = bits_apart(found, self._hashes)
        place = int(apart.argmin())
        return self._names[place] if apart[place] <= most else None

    def add(self, found: int, name: str) -> None:
        """Takes one more."""
        self._hashes = np.append(self._hashes, np.uint64(found))
        self._names.append(name)


def hash_of(path: str, *, sample: str) -> int | Fault:
    """The hash of a picture, or why it cannot be read."""
    try:
        return picture_hash(read_picture(path, sample=sample))
    except FormatError as error:
        return error.fault


_BITS = np.array([n.bit_count() for n in range(256)], np.int64)

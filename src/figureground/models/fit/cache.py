"""Decoded pictures and masks that stay in memory, so that decoding does not starve the network."""

from __future__ import annotations

import threading

import numpy as np

CACHE_BYTES = 2**30
"""Most that one data set keeps in each process that reads: 1 GiB is 16,000 pictures of 128 x 128 with their masks, 1,000 of 512 x 512."""


class PictureCache:
    """Pictures and masks by number, first come, first kept, until the limit is reached; safe to share between threads.

    A copy in another process starts empty: what was decoded does not travel.

    Args:
        limit_bytes: most that is kept; 0 keeps nothing.
    """

    def __init__(self, limit_bytes: int = CACHE_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._kept: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[PictureCache], tuple[int]]:
        return type(self), (self.limit_bytes,)

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, index: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Picture and mask of a sample; None where they are not kept."""
        return self._kept.get(index)

    def keep(self, index: int, pair: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """The same picture and mask, read-only from now on, and kept if there is room."""
        for array in pair:
            array.setflags(write=False)
        size = sum(array.nbytes for array in pair)
        with self._lock:
            if index not in self._kept and self._bytes + size <= self.limit_bytes:
                self._kept[index] = pair
                self._bytes += size
        return pair

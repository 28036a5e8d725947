"""Whole numbers per pixel as bytes for the browser: row-major runs behind a small head."""

from __future__ import annotations

import numpy as np

MEDIA = "application/octet-stream"


def encode_runs(pixels: np.ndarray, dtype: str = "<u1") -> bytes:
    """[height, width] as uint32 LE height, width, n, then n uint32 LE lengths, then n values of `dtype`.

    A picture without pixels has n = 0.
    """
    height, width = pixels.shape
    flat = pixels.reshape(-1)
    starts = np.flatnonzero(np.concatenate([np.ones(min(1, flat.size), bool), flat[1:] != flat[:-1]]))
    lengths = np.diff(np.append(starts, flat.size))
    head = np.array([height, width, starts.size], "<u4")
    return head.tobytes() + lengths.astype("<u4").tobytes() + flat[starts].astype(dtype).tobytes()


def decode_runs(content: bytes, dtype: str = "<u1") -> np.ndarray:
    """The inverse of `encode_runs`."""
    height, width, n = np.frombuffer(content, "<u4", 3)
    lengths = np.frombuffer(content, "<u4", int(n), 12)
    return np.repeat(np.frombuffer(content, dtype, int(n), 12 + 4 * int(n)), lengths).reshape(int(height), int(width))

"""Pictures as RGB arrays: one rule for grey, transparent, 16-bit and rotated files, and a fault where a file cannot be trusted."""

from __future__ import annotations

import cv2
import numpy as np

from figureground.core.errors import FormatError
from figureground.data.faults import refusal
from figureground.data.paths import read_bytes
from figureground.data.pictures import cut_short, is_cut_short

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # errors: what is wrong with a picture is told once, with its name
PICTURE_RULES = (
    "decoded by OpenCV to 8-bit RGB; the orientation tag is not applied, since masks are not rotated; grey is repeated in three channels; "
    "transparency is dropped; a palette is applied; of several frames the first counts; 16-bit and floating pictures are refused"
)
"""How any file becomes the array a network sees; stands in the manifest."""


def read_picture(path: str, *, sample: str | None = None) -> np.ndarray:
    """The picture of a file or URL, uint8 [height, width, 3] in the order R, G, B; see `PICTURE_RULES`.

    Raises:
        FormatError: the file is absent, empty, cut short, no picture, or of a pixel type that has no fixed white.
    """
    return decode_picture(read_bytes(path, sample=sample), file=path, sample=sample)


def decode_picture(data: bytes, *, file: str | None = None, sample: str | None = None) -> np.ndarray:
    """The picture in the bytes of a file, uint8 [height, width, 3] in the order R, G, B; faults as `read_picture`."""
    if is_cut_short(data):
        raise cut_short(file, sample)
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)  # unchanged: no rotation, and 16 bits can be told
    except cv2.error as error:
        raise _unreadable("the picture cannot be decoded", file, sample) from error
    if pixels is None:
        raise _unreadable("the picture cannot be decoded", file, sample)
    if pixels.dtype != np.uint8:
        raise refusal(
            "unreadable-picture",
            f"the picture has pixels of type {pixels.dtype}, and which value is white is not said",
            "Convert it to 8 bits with the window of brightness the network was trained on",
            file=file,
            sample=sample,
        )
    return _to_rgb(pixels)


def _to_rgb(pixels: np.ndarray) -> np.ndarray:
    if pixels.ndim == 2:
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGB)


def _unreadable(problem: str, file: str | None, sample: str | None) -> FormatError:
    return refusal("unreadable-picture", problem, "Open it with a viewer; fetch or write it again", file=file, sample=sample)

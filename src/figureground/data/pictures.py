"""What head and end of a picture say, without decoding it."""

from __future__ import annotations

import struct
import warnings

from PIL import Image

from figureground.core.errors import FormatError
from figureground.data import paths
from figureground.data.faults import refusal, written_size
from figureground.data.png import SIGNATURE

_HEAD_BYTES = 32_768
_JPEG_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_JPEG_START, _JPEG_SCAN, _JPEG_END, _PNG_END = b"\xff\xd8\xff", b"\xff\xda", b"\xff\xd9", b"IEND"
_PILLOW_ERRORS = (OSError, ValueError, SyntaxError, TypeError, KeyError, IndexError, OverflowError, AttributeError, EOFError, struct.error)


def picture_size(path: str, *, sample: str | None = None) -> tuple[int, int] | None:
    """Height and width of a picture as stored, from its header alone; None for one too large for Pillow to open.

    Raises:
        FormatError: the file is absent, empty or no picture.
    """
    try:
        with paths.open_binary(path) as stream:
            if found := _size_in_head(stream.read(_HEAD_BYTES)):
                return found
            stream.seek(0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a damaged tag block is no fault of the pixels
                with Image.open(stream) as picture:
                    return picture.height, picture.width
    except FileNotFoundError as error:
        raise refusal(
            "missing-file",
            "there is no such picture",
            "Correct the path, or leave the cell empty where there is none",
            file=path,
            sample=sample,
        ) from error
    except Image.DecompressionBombError:
        return None
    except _PILLOW_ERRORS as error:
        raise refusal(
            "unreadable-picture", "the file is no picture that can be read", "Bring the picture again", file=path, sample=sample
        ) from error


def check_picture_end(path: str, *, sample: str | None = None) -> None:
    """Raise the `truncated-file` fault if a JPEG or PNG picture ends before its last part; other formats and whole ones say nothing.

    Raises:
        FormatError: the file ends early, is empty, or cannot be read.
    """
    data = paths.read_bytes(path, sample=sample)
    if is_cut_short(data) or (data.startswith(SIGNATURE) and _PNG_END not in data[-64:]):
        raise cut_short(path, sample)


def is_cut_short(data: bytes) -> bool:
    """True for a JPEG whose last scan is never closed: decoders fill its rest with grey and say nothing."""
    return data.startswith(_JPEG_START) and data.rfind(_JPEG_END) < data.rfind(_JPEG_SCAN)


def cut_short(file: str | None, sample: str | None) -> FormatError:
    """The fault of a picture that ends early."""
    return refusal("truncated-file", "the picture ends early", "Fetch or write it again", file=file, sample=sample)


def check_picture_size(path: str, size_hw: tuple[int, int], *, sample: str, file: str | None) -> None:
    """Raise the `size-mismatch` fault if a picture has another size than its label map.

    A picture that is absent or unreadable says nothing here: whoever needs its pixels will say so, and the doctor lists it.

    Args:
        path: the picture.
        size_hw: height and width of the label map.
        sample: id for the message.
        file: the label map, for the message.
    """
    try:
        picture_hw = picture_size(path, sample=sample)
    except FormatError:
        return
    if picture_hw is not None and picture_hw != size_hw:
        raise refusal(
            "size-mismatch",
            f"the mask is {written_size(size_hw)} and its picture {written_size(picture_hw)}",
            "Bring the mask and the picture that belong together",
            file=file,
            sample=sample,
        )


def _size_in_head(head: bytes) -> tuple[int, int] | None:
    """Height and width where the first bytes of a PNG or JPEG tell them plainly; None leaves it to Pillow."""
    if head.startswith(SIGNATURE) and head[12:16] == b"IHDR" and len(head) >= 24:
        width, height = struct.unpack(">II", head[16:24])
        return (height, width) if height and width else None
    if not head.startswith(b"\xff\xd8"):
        return None
    position = 2
    while position + 9 <= len(head) and head[position] == 0xFF:
        kind = head[position + 1]
        if kind in _JPEG_FRAMES:
            height, width = struct.unpack(">HH", head[position + 5 : position + 9])
            return (height, width) if height and width else None
        position += 2 + int.from_bytes(head[position + 2 : position + 4], "big")
    return None

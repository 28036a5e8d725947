"""What the head of a picture says, without decoding it."""

from __future__ import annotations

import struct
import warnings

from PIL import Image

from figureground.data import paths
from figureground.data.faults import refusal


def picture_size(path: str, *, sample: str | None = None) -> tuple[int, int] | None:
    """Height and width of a picture as stored, from its header alone; None for one too large for Pillow to open.

    Raises:
        FormatError: the file is absent, empty or no picture.
    """
    try:
        with warnings.catch_warnings(), paths.open_local_or_remote(path) as stream:
            warnings.simplefilter("ignore")  # a damaged tag block is no fault of the pixels
            with Image.open(stream) as picture:
                return picture.height, picture.width
    except FileNotFoundError as error:
        raise refusal(
            "missing-file", "there is no such picture", "Correct the path, or leave the cell empty where there is none", file=path, sample=sample
        ) from error
    except Image.DecompressionBombError:
        return None
    except (OSError, ValueError, SyntaxError, TypeError, KeyError, IndexError, OverflowError, struct.error, AttributeError) as error:
        raise refusal(
            "unreadable-picture", "the file is no picture that can be read", "Bring the picture again", file=path, sample=sample
        ) from error

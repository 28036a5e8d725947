"""Pictures that are the same byte for byte, under whatever name: only those that may be are read, each once."""

from __future__ import annotations

from figureground.core.errors import FormatError
from figureground.data import paths


class PictureDigests:
    """Digests of pictures, each read once."""

    def __init__(self) -> None:
        self._found: dict[str, str | None] = {}

    def of(self, image: str) -> str | None:
        """The digest of a picture's content; None where it cannot be read."""
        if image not in self._found:
            try:
                self._found[image] = paths.content_digest(paths.read_bytes(image))
            except FormatError:
                self._found[image] = None
        return self._found[image]

    def failed(self, image: str) -> bool:
        """Whether a picture was asked for in vain."""
        return image in self._found and self._found[image] is None


def byte_length(image: str) -> int | None:
    """Length of a file in bytes, None where that cannot be told: files of other lengths need not be read to be told apart."""
    size = paths.stamp(image).partition(":")[0]
    return int(size) if size.isdecimal() else None

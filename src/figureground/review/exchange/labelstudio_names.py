"""What a Label Studio task calls its picture: uploads get a prefix, local files stand in a query, others are URLs or paths."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from figureground.data.map_folder import PICTURE_SUFFIXES

_UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{8}-")
_LOCAL_FILES = "/local-files/"


def image_of(data: Mapping[str, Any], key: str | None) -> str:
    """The text in a task's `data` that names its picture, empty where there is none.

    Args:
        data: of the task.
        key: which entry; without it `image`, or the first that looks like a picture's name.
    """
    if key is not None:
        found = data.get(key)
        return found if isinstance(found, str) else ""
    texts = {name: value for name, value in data.items() if isinstance(value, str) and value and not value.startswith("data:")}
    looks_like = (value for value in texts.values() if _path(value).lower().endswith(PICTURE_SUFFIXES))
    return texts.get("image") or next(looks_like, "")


def names_of_image(image: str) -> list[str]:
    """Names that a picture may go by in the data, the surest first; empty for no picture."""
    if not image:
        return []
    path = _path(image)
    if "upload" not in path.split("/"):
        return [path]
    leaf = path.rpartition("/")[2]
    bare = _UPLOAD_PREFIX.sub("", leaf)
    words = bare.split("-")
    return list(dict.fromkeys([bare, leaf, *("-".join(words[n:]) for n in range(1, len(words)))]))


def _path(image: str) -> str:
    """The path of a URL, or what `?d=` says of a local file."""
    try:
        parts = urlsplit(image)
        if _LOCAL_FILES in parts.path and (found := parse_qs(parts.query).get("d")):
            return found[0]
        return unquote(parts.path) if parts.scheme in ("http", "https", "s3", "gs", "azure-blob") or image.startswith("/data/") else image
    except ValueError:  # such as brackets that no address has
        return image

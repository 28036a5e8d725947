"""Files that are either whole or absent: written under a temporary name beside their own, which they take when all is written."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

TEMPORARY_PREFIX, TEMPORARY_SUFFIX = ".", ".tmp"


@contextmanager
def whole_file(path: Path) -> Generator[Path, None, None]:
    """A temporary name to write to; the file takes its own name when the block ends, and is removed when the block fails or is interrupted.

    Only a process that is killed leaves a temporary file behind; `is_temporary` tells it by its name.

    Args:
        path: the file; one that is there already stays as it is until the new one is whole.

    Raises:
        OSError: the file cannot be written or renamed; it names the file.
    """
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
    try:
        yield temporary
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):  # what went wrong first is what is told
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # a full disk does not say which file it was
        raise


def write_atomically(path: Path, content: bytes) -> Path:
    """Writes a file so that it is either whole or absent, and returns its path; a disk that refuses raises `OSError`."""
    with whole_file(path) as temporary:
        temporary.write_bytes(content)
    return path


def is_temporary(name: str) -> bool:
    """True for the name of a file that `whole_file` had not finished."""
    return name.startswith(TEMPORARY_PREFIX) and name.endswith(TEMPORARY_SUFFIX)

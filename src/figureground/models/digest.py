"""Digests of weights: which file made the numbers, whatever it is called today."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from figureground.core.errors import InputError


def file_digest(paths: Iterable[Path]) -> str:
    """sha256 over the contents of files, in the given order; with one file it is the digest every tool prints."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def check_digest(found: str, expected: str | None, *, where: str) -> None:
    """Raise `InputError` where weights are not those a spec was written for."""
    if expected and found != expected:
        raise InputError(
            f"{where}: the weights have the digest {found[:12]}..., the spec says {expected[:12]}...; they changed since. "
            "Give the old file, or leave `sha256` out to run the new one"
        )

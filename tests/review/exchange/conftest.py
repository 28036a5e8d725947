"""What tests of the exchange share: a reader of a document written to a file, and someone who hears what is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from figureground.core.types import ClassTable
from figureground.review.exchange.masks import LabelledMask
from figureground.review.exchange.pictures import KnownPictures
from figureground.review.exchange.spec import read_masks

CLASSES = ClassTable(names=("background", "cat", "dog", "horse"), ids=(0, 3, 7, 300))


class Listener:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def track(self, what: str, *, total: int, unit: str, done: int = 0) -> Any:
        raise AssertionError("an exchange tells no progress")


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def read(tmp_path: Path, listener: Listener) -> Callable[..., list[LabelledMask]]:
    """Reads a document (JSON, or text or bytes as they are) as a kind of labels."""

    def read_it(
        kind: str, content: object, query: str = "", *, known: dict[str, str | None] | None = None, classes: ClassTable = CLASSES
    ) -> list[LabelledMask]:
        file = tmp_path / f"export.{'xml' if kind == 'cvat' else 'json'}"
        data = content if isinstance(content, bytes) else content.encode() if isinstance(content, str) else json.dumps(content).encode()
        file.write_bytes(data)
        pictures = KnownPictures(known.items()) if known is not None else None
        return list(read_masks(f"{kind}:{file}{query}", classes, known=pictures, reporter=listener))

    return read_it


def drawn(size_hw: tuple[int, int], *boxes: tuple[int, int, int, int, int]) -> np.ndarray:
    """A label map of background with boxes (top, left, bottom, right, value), later over earlier."""
    label_map = np.zeros(size_hw, np.uint16)
    for top, left, bottom, right, value in boxes:
        label_map[top:bottom, left:right] = value
    return label_map

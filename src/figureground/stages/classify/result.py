"""A finished classification as a value: its summary and its tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from figureground.core.errors import ArtifactError, InputError
from figureground.runs.artifact import read_manifest

KIND = "answers"
TABLES = ("answers", "flips", "groups", "pictures")


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a classifier said of pictures, and how often it was right."""

    path: Path
    summary: Mapping[str, Any]
    """The content of `summary.json`."""

    @property
    def sentence(self) -> str:
        """The finding in words."""
        return self.summary["sentence"]

    def table(self, name: str = "answers") -> pa.Table:
        """One of the tables `answers`, `groups`, `flips`, `pictures` as an Arrow table."""
        file = self.path / f"{name}.parquet"
        if name not in TABLES or not file.exists():
            raise InputError(f"`name` must be one of {', '.join(sorted(p.stem for p in self.path.glob('*.parquet')))}; got '{name}'")
        return pq.read_table(file)


def open_answers(directory: str | Path) -> Answers:
    """The answers that stand in a directory; anything else raises `ArtifactError`."""
    path = Path(directory)
    read_manifest(path, kind=KIND)
    try:
        return Answers(path=path, summary=json.loads((path / "summary.json").read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path}: its summary.json cannot be read ({error}). Classify again with the same command") from error

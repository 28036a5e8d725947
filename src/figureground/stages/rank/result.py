"""A finished ranking as a value: its summary, its tables, and the samples whose masks it waits for."""

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

KIND = "ranking"


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """A test set, and models ranked on it where all its masks are there."""

    path: Path
    """The artifact."""
    summary: Mapping[str, Any] | None
    """The content of `ranking.json`; None while masks wait, or where no model was named."""
    details: Mapping[str, Any]
    """The `details` of the manifest."""
    counts: Mapping[str, int]
    """Candidates, samples of the test set, masks that are there, models."""

    @property
    def waiting(self) -> tuple[str, ...]:
        """Ids of the samples of the test set whose masks are not there."""
        return tuple(self.details["waiting"])

    @property
    def test_set(self) -> tuple[str, ...]:
        """Ids of the test set, by place."""
        return tuple(self.details["test"])

    @property
    def sentence(self) -> str:
        """The finding in words, or what is missing for one."""
        if self.summary is not None:
            return self.summary["sentence"]
        masks, samples = self.counts["masks"], self.counts["samples"]
        if self.waiting:
            return (
                f"Nothing is ranked yet: {masks} of {samples} masks are there, {len(self.waiting)} wait, first that of '{self.waiting[0]}'."
            )
        return f"Nothing is ranked: all {samples} masks are there, and no model was named."

    def table(self, name: str = "models") -> pa.Table:
        """One of the tables `candidates`, `models`, `pairs`, `scores`, `stability` as an Arrow table."""
        file = self.path / f"{name}.parquet"
        if not file.exists():
            raise InputError(f"`name` must be one of {', '.join(sorted(p.stem for p in self.path.glob('*.parquet')))}; got '{name}'")
        return pq.read_table(file)


def stands(directory: str | Path) -> bool:
    """True where a ranking stands that can be read; a damaged one is made again by the same command."""
    try:
        open_ranking(directory)
    except ArtifactError:
        return False
    return True


def open_ranking(directory: str | Path) -> Ranking:
    """The ranking that stands in a directory; anything else raises `ArtifactError`."""
    path = Path(directory)
    manifest = read_manifest(path, kind=KIND)
    summary, file = None, path / "ranking.json"
    if manifest.details.get("state") == "ranked":
        try:
            summary = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{file}: the ranking cannot be read ({error}). Rank again with the same command") from error
    return Ranking(path=path, summary=summary, details=manifest.details, counts=manifest.counts)

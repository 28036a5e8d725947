"""A finished detector as a value: its grids, its weights, and how good it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from figureground.core.errors import ArtifactError
from figureground.data.grids import KIND, Grids, Thresholds, read_grids
from figureground.runs.artifact import read_manifest

SUMMARY, DETECTOR, CURVE, SHEET = "detect.json", "detector", "curve.svg", "sheet.jpg"


@dataclass(frozen=True, kw_only=True)
class Detection:
    """A detector and what it says of the training pictures."""

    path: Path
    """The artifact."""
    summary: Mapping[str, Any]
    """The content of `detect.json`."""

    @property
    def sentence(self) -> str:
        """The finding in words."""
        return self.summary["sentence"]

    @property
    def thresholds(self) -> Thresholds:
        """Bounds on P(background) of what is cut out and of what is filled."""
        return Thresholds(**self.summary["thresholds"])

    @property
    def model(self) -> str:
        """The MODEL spec of the detector, a segmentation network of background and figure."""
        return f"weights:{self.path / DETECTOR}"

    def grids(self) -> Grids:
        """P(background) of every patch of every training picture."""
        return read_grids(self.path)


def open_detection(directory: str | Path) -> Detection:
    """The detector that stands in a directory; anything else raises `ArtifactError`."""
    path = Path(directory)
    read_manifest(path, kind=KIND)
    try:
        summary = json.loads((path / SUMMARY).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path / SUMMARY}: cannot be read ({error}). Give a directory that `swap detect` wrote") from error
    return Detection(path=path, summary=summary)

"""A small data set of red and blue squares, patch labels as people give them in the review page, and a detector that learns in a second."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from tests.models.fit.learnable import write_learnable

from figureground.data.dataset import Dataset, open_dataset
from figureground.review.project import open_project
from figureground.review.store import patches, people
from figureground.review.store.database import open_database
from figureground.review.store.labels import write_labels
from figureground.stages.detect.options import DetectOptions
from figureground.stages.detect.patches import coverage_of, figure_pixels

QUICK = DetectOptions(
    masks="truth",
    count=20,
    grid="4x4",
    backbone="test_efficientnet",
    head="conv",
    size=32,
    norm="half",
    epochs=3,
    batch=8,
    lr=3e-3,
    shift=1,
    curve="8",
    device="cpu",
    resamples=50,
)


def make_data(folder: Path, *, void: bool = False) -> str:
    """24 training and 8 validation pictures of 32 x 32."""
    return write_learnable(folder, train=6, val=2, size=32, void=void)


def quick(**given) -> DetectOptions:
    """What is said of masks only where they are asked for."""
    plain = {"count": DetectOptions().count} if given.get("masks") == "none" else {}
    return dataclasses.replace(QUICK, **{**plain, **given})


def by_people(
    data: str,
    out: Path,
    ids: Sequence[str],
    *,
    grid=(4, 4),
    who: Sequence[str] = ("Ann",),
    cells: Callable[[str, str], np.ndarray] | None = None,
) -> str:
    """A labels artifact: each of `who` labels the patches of each picture, through the store behind the review page."""
    dataset, project = open_dataset(data), open_project(data)
    places = {item.id: item.place for item in project.items}
    database = open_database(f"sqlite:///{out.absolute()}.sqlite", project)
    with database.write() as connection:
        for name in who:
            number = people.add(connection, name, role="reviewer")[0].number
            for one in ids:
                said = cells(one, name) if cells else true_cells(dataset, one, grid)
                patches.save(connection, places[one], reviewer=number, cells=said, version=0, seconds=5)
    write_labels(database, project, out)
    database.close()
    return str(out)


def true_cells(dataset: Dataset, sample: str, grid=(4, 4)) -> np.ndarray:
    return coverage_of(*figure_pixels(dataset, sample), grid) > 0.25

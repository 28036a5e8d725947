"""Handing on what people said: the labels artifact where the server was told to write it, and files for other tools to take away."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException

from figureground.core.errors import InputError
from figureground.review.exchange.labels import open_labels
from figureground.review.exchange.spec import write_masks
from figureground.review.options import asked
from figureground.review.server.room import AdminVisit, Here, Room
from figureground.review.store.labels import write_labels

router = APIRouter(prefix="/api/export", tags=["export"])
Kind = Literal["labels", "png", "coco", "labelstudio", "cvat"]
NAMES = {"png": "masks", "coco": "coco.json", "labelstudio": "labelstudio.json", "cvat": "cvat.xml"}
"""What a format writes: a folder, or one file."""


@router.post("")
def write(here: Here, visit: AdminVisit) -> dict[str, Any]:
    """Writes the labels artifact now, to where the server was started with."""
    if here.exporter is None:
        raise HTTPException(409, "this server was started without a place for labels. Start it with --out, or take a file away")
    return here.exporter()


@router.get("/{kind}", response_class=FileResponse)
def take(kind: Kind, here: Here, visit: AdminVisit, which: Annotated[Literal["accepted", "all"], Query()] = "all") -> FileResponse:
    """A file to take away: the labels artifact or a folder of index PNG as zip, COCO, Label Studio or CVAT as they are."""
    folder = Path(tempfile.mkdtemp(prefix="figureground-export-"))
    try:
        file = _written(here, kind, which, folder)
    except InputError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise HTTPException(409, f"there is nothing to export: {error}") from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    away = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
    return FileResponse(file, filename=file.name, background=away, headers={"cache-control": "no-store"})


def _written(here: Room, kind: Kind, which: Literal["accepted", "all"], folder: Path) -> Path:
    labels = folder / "labels"
    write_labels(here.database, here.project, labels, options=asked(here.options))
    if kind == "labels":
        return _zipped(labels)
    out = folder / NAMES[kind]
    found = open_labels(labels, which=which)
    write_masks(f"{kind}:{out}", found.masks, found.classes)
    return _zipped(out) if out.is_dir() else out


def _zipped(folder: Path) -> Path:
    return Path(shutil.make_archive(str(folder), "zip", folder.parent, folder.name))

"""Patch labels: what to label next, and the cells of a picture."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection
from starlette.exceptions import HTTPException

from figureground.review.options import grid_of
from figureground.review.server.room import MOST, Here, ItemAt, Visitor
from figureground.review.store import patches
from figureground.review.store.limits import LONGEST_SECONDS, MOST_CELLS

router = APIRouter(prefix="/api/patches", tags=["patches"])
Side = Annotated[int, Query(ge=1, le=MOST_CELLS)]


class Cells(BaseModel):
    """The cells of a grid as a text, row by row: 1 = foreground, 0 = background."""

    model_config = ConfigDict(strict=True, extra="forbid")

    cells: Annotated[str, Field(min_length=1, max_length=MOST_CELLS**2, pattern="^[01]+$")]
    version: Annotated[int, Field(ge=0, le=MOST)]
    seconds: Annotated[float, Field(ge=0, le=LONGEST_SECONDS, allow_inf_nan=False)] = 0.0


@router.get("/next")
def due(here: Here, visit: Visitor, count: Annotated[int, Query(ge=1, le=50)] = 1) -> dict[str, Any]:
    """The next pictures without a grid, in the order of the queue, leased to the reviewer, and how many there are."""
    rows, columns = grid_of(here.options.grid)
    items = here.project.items
    with here.database.write() as connection:
        found = patches.claim(
            connection,
            visit.reviewer.number,
            places=range(len(items)),
            rows=rows,
            columns=columns,
            labellers=here.options.labellers,
            count=count,
        )
    shown = [{"place": p, "height": items[p].size_hw[0], "width": items[p].size_hw[1]} for p in found[:count]]
    return {"items": shown, "place": found[0] if found else None, "left": len(found), "all": len(items)}


@router.get("/{place}")
def read(item: ItemAt, here: Here, visit: Visitor, rows: Side = 16, columns: Side = 16) -> dict[str, Any]:
    """The reviewer's own grid of a picture; all background at version 0 where there is none."""
    with here.database.read() as connection:
        found = patches.load(connection, item.place, reviewer=visit.reviewer.number, rows=rows, columns=columns)
    cells, version = ("0" * (rows * columns), 0) if found is None else (_as_text(found.cells), found.version)
    return {"cells": cells, "version": version, "height": item.size_hw[0], "width": item.size_hw[1]}


@router.put("/{place}")
def write(item: ItemAt, given: Cells, here: Here, visit: Visitor, rows: Side = 16, columns: Side = 16) -> dict[str, int]:
    """Keeps the reviewer's grid; 409 with the stored version where it was changed elsewhere."""
    if len(given.cells) != rows * columns:
        raise HTTPException(
            422, f"`cells` must have {rows} x {columns} = {rows * columns} characters; got {len(given.cells)}. Reload the page"
        )
    cells = (np.frombuffer(given.cells.encode(), np.uint8) == ord("1")).reshape(rows, columns)
    number = visit.reviewer.number

    def save(connection: Connection) -> int:
        return patches.save(connection, item.place, reviewer=number, cells=cells, version=given.version, seconds=given.seconds)

    return {"version": here.together.write(save)}


def _as_text(cells: np.ndarray) -> str:
    return (cells.astype(np.uint8) + ord("0")).tobytes().decode()

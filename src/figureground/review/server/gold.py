"""Pictures whose rating is known, from a table."""

from __future__ import annotations

from figureground.core.errors import InputError
from figureground.data.faults import some
from figureground.data.tables import read_table
from figureground.review.project import Project
from figureground.review.store import ratings


def gold_table(path: str, project: Project) -> dict[int, int | None]:
    """Place -> known rating, of a table with `id` and `rating`; None = out of domain, written `x`.

    Raises:
        InputError: an id that is not in the project or has two ratings, or a rating that is not 1 to 5 or x.
        FormatError: the table cannot be read.
    """
    table = read_table(path)
    table.require("id")
    table.require("rating")
    places = {item.id: item.place for item in project.items}
    if absent := [row["id"] for row in table.rows if row["id"] not in places]:
        are = "is no sample" if len(absent) == 1 else "are no samples"
        raise InputError(f"{path}: {some(absent)} {are} of the project. Leave such rows out, or correct the ids")
    words = {str(score): score for score in range(ratings.LOWEST, ratings.HIGHEST + 1)} | {"x": None}
    found: dict[int, int | None] = {}
    for row in table.rows:
        said, place = row["rating"].strip(), places[row["id"]]
        if said not in words:
            raise InputError(f"{path}: a rating is 1 to 5, or x for out of domain; got '{said[:40]}' for '{row['id']}'")
        if found.setdefault(place, words[said]) != words[said]:
            raise InputError(f"{path}: '{row['id']}' has two ratings, {said} and {found[place] or 'x'}. Keep one of them")
    return found

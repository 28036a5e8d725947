"""What may be stored: places of the project, numbers that both databases hold, texts that both can keep."""

from __future__ import annotations

from sqlalchemy import Connection, select

from figureground.core.errors import InputError
from figureground.review import options
from figureground.review.store.refusals import Absent
from figureground.review.store.tables import sample

MOST_CELLS = options.MOST_CELLS
"""In a row or a column of a grid of patches."""
HIGHEST_NUMBER = 2**31 - 1
DAY_S = 86_400
LONGEST_SECONDS = DAY_S
"""Of one rating, or between two saves."""
MOST_ACTIONS = 1_000_000


def size_of_place(connection: Connection, place: int) -> tuple[int, int]:
    """Height and width of the picture at a place; `Absent` where the project has no such place."""
    found = None
    if is_number(place):
        found = connection.execute(select(sample.c.height, sample.c.width).where(sample.c.place == place)).one_or_none()
    if found is None:
        raise no_place(place)
    return found.height, found.width


def no_place(place: int) -> Absent:
    """The refusal of a place that the project does not have."""
    return Absent(f"there is no place {place} in this project")


def is_number(number: int) -> bool:
    """True where a database can hold it, so that asking for it is no error."""
    return 0 <= number <= HIGHEST_NUMBER


def check_seconds(seconds: float) -> None:
    """Raise `InputError` unless it is a time from 0 to a day."""
    if not 0 <= seconds <= LONGEST_SECONDS:
        raise InputError(f"seconds are 0 to {LONGEST_SECONDS}; got {seconds}")


def check_actions(actions: int) -> None:
    """Raise `InputError` unless it is a number of actions that one save can have."""
    if not 0 <= actions <= MOST_ACTIONS:
        raise InputError(f"actions are 0 to {MOST_ACTIONS}; got {actions}")


def check_text(text: str, *, what: str, most: int) -> None:
    """Raise `InputError` for a text that is too long, or holds what not every database keeps: NUL, or half a character."""
    if len(text) > most:
        raise InputError(f"{what} has up to {most} characters; got {len(text)}")
    if "\0" in text or any("\ud800" <= sign <= "\udfff" for sign in text):
        raise InputError(f"{what} holds a sign that is no text. Write it again")

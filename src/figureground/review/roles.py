"""What people may do in a review, and the text by which somebody is let in."""

from __future__ import annotations

from typing import Literal, cast, get_args

from figureground.core.errors import InputError
from figureground.data.labels import reviewer_name

Role = Literal["reviewer", "checker", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)


def name_and_role(text: str, *, where: str) -> tuple[str, Role]:
    """Those of `NAME:ROLE`, such as `ann:reviewer`; anything else raises `InputError`, which begins with `where`."""
    name, _, role = text.rpartition(":")
    if role not in ROLES or not name:
        raise InputError(f"{where} '{text}': expected NAME:ROLE with a role of {', '.join(ROLES)}, such as ann:reviewer")
    try:
        return reviewer_name(name), cast(Role, role)
    except InputError as error:
        raise InputError(f"{where} '{name[:80]}': {error}") from error

"""People: who takes part, for admins."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from figureground.review.roles import ROLES, Role
from figureground.review.server import pages
from figureground.review.server.room import MOST, AdminVisit, Here
from figureground.review.store import people

router = APIRouter()
Number = Annotated[int, Path(ge=1, le=MOST)]


class Newcomer(BaseModel):
    """Somebody who is to take part."""

    model_config = ConfigDict(strict=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=200)]
    role: Role


class NewRole(BaseModel):
    """What somebody may do from now on."""

    model_config = ConfigDict(strict=True, extra="forbid")

    role: Role


@router.get("/people", include_in_schema=False)
def screen(here: Here, visit: AdminVisit) -> Response:
    """The screen People."""
    with here.database.read() as connection:
        found, able = people.everyone(connection), {one.number for one in people.who_can_enter(connection)}
    return pages.page("people", here, visit, people=found, able=able, roles=ROLES, elsewhere=here.access.elsewhere)


@router.get("/api/people", tags=["people"])
def everyone(here: Here, visit: AdminVisit) -> list[dict[str, Any]]:
    """All people, also those who were revoked."""
    with here.database.read() as connection:
        return [{name: value for name, value in asdict(one).items() if name != "seed"} for one in people.everyone(connection)]


@router.post("/api/people", tags=["people"])
def add(given: Newcomer, here: Here, visit: AdminVisit) -> dict[str, Any]:
    """Lets somebody take part; the token is told this once."""
    with here.database.write() as connection:
        reviewer, token = people.add(connection, given.name, role=given.role)
    return {"number": reviewer.number, "name": reviewer.name, "role": reviewer.role, "token": token}


@router.post("/api/people/{number}/token", tags=["people"])
def new_token(number: Number, here: Here, visit: AdminVisit) -> dict[str, str]:
    """A new token for somebody who lost the old one, or was revoked; told this once."""
    with here.database.write() as connection:
        token = people.new_token(connection, number)
    here.forget_visits()
    return {"token": token}


@router.post("/api/people/{number}/role", tags=["people"])
def give_role(number: Number, given: NewRole, here: Here, visit: AdminVisit) -> dict[str, str]:
    """Gives somebody else another role, at once; one's own stays, so that there is an admin left."""
    if number == visit.reviewer.number:
        raise HTTPException(409, "this is you: ask another admin to change your role")
    with here.database.write() as connection:
        people.give_role(connection, number, given.role)
    here.forget_visits()
    return {"role": given.role}


@router.post("/api/people/{number}/revoke", tags=["people"])
def revoke(number: Number, here: Here, visit: AdminVisit) -> dict[str, bool]:
    """Ends somebody's right to enter at once; what they did stays."""
    if number == visit.reviewer.number:
        raise HTTPException(409, "this is you: ask another admin to end your right to enter")
    with here.database.write() as connection:
        people.revoke(connection, number)
    here.forget_visits()
    return {"revoked": True}

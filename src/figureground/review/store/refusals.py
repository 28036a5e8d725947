"""Why the store refuses: somebody else was faster, it is not there, or it is not for this person."""

from __future__ import annotations

from figureground.core.errors import InputError, StateError


class Conflict(StateError):
    """What is stored has another version than the one that was changed; nothing was written."""

    def __init__(self, what: str, *, version: int) -> None:
        super().__init__(f"{what} was changed elsewhere and is at version {version} now. Load it again")
        self.what, self.version = what, version

    def __reduce__(self) -> tuple[object, ...]:
        return _conflict, (self.what, self.version)


class Absent(InputError):
    """There is no such place, mask or person in the project."""


class NotAllowed(InputError):
    """This person may not do that, such as check his own mask."""


def _conflict(what: str, version: int) -> Conflict:
    return Conflict(what, version=version)

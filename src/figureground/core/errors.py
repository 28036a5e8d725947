"""The errors a user can meet, and the fault that both `doctor` and every other verb describe in the same words."""

from __future__ import annotations

from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


class FiguregroundError(Exception):
    """Root of all errors raised on purpose."""

    exit_code = 1


class InputError(FiguregroundError, ValueError):
    """An argument, option or spec is not what is expected; the message says what is and what to do."""

    exit_code = 2


class BusyError(InputError):
    """Another run writes at the same place right now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong with one file or one sample: what, where, and the remedy."""

    code: str
    """Short stable name, for example `unknown-class-id`; every code has a row in the docs."""
    problem: str
    """What was found and what was expected, in one sentence without a final stop."""
    remedy: str
    """What the user can do about it."""
    sample: str | None = None
    file: str | None = None

    def __str__(self) -> str:
        where = ": ".join(part for part in (self.file, self.sample and f"sample '{self.sample}'") if part)
        return f"{where}: {self.problem}. {self.remedy}" if where else f"{self.problem}. {self.remedy}"


class FormatError(FiguregroundError, ValueError):
    """A file cannot be read as what it was declared to be; carries the `Fault` that `doctor` would list.

    Args:
        fault: what is wrong, where, and the remedy.
        otherwise: another way than the remedy, where the verb has one; it ends the message and is no part of the fault.
    """

    exit_code = 2

    def __init__(self, fault: Fault, otherwise: str = "") -> None:
        end = "" if fault.remedy.endswith((".", "?")) else "."
        super().__init__(f"{fault}{end} {otherwise}" if otherwise else str(fault))
        self.fault, self.otherwise = fault, otherwise

    def __reduce__(self) -> tuple[type[FormatError], tuple[Fault, str]]:
        return type(self), (self.fault, self.otherwise)  # errors travel back from worker processes


@contextmanager
def may_leave_out() -> Generator[None]:
    """Around work on samples where a verb has `max_failures`: the fault of a sample that ends the work tells of that way, too."""
    try:
        yield
    except FormatError as error:
        if error.fault.sample is None:
            raise
        raise FormatError(error.fault, "Or let up to N such samples be left out and listed: --max-failures N") from error


def check_failures(faults: Sequence[Fault], max_failures: int) -> None:
    """Raises the first fault as `FormatError` where more than `max_failures` samples have one."""
    if len({fault.sample for fault in faults}) > max_failures:
        raise FormatError(faults[0])


class ArtifactError(FiguregroundError):
    """A directory is not the artifact it should be, or is of another kind or schema version."""

    exit_code = 2


class StateError(FiguregroundError):
    """Something was asked for before it exists, such as the result of a meter that saw no sample."""


class MissingExtra(FiguregroundError, ImportError):
    """An optional package is needed; the message names the extra that brings it."""

    exit_code = 2

    def __init__(self, package: str, *, extra: str, needed_for: str) -> None:
        super().__init__(f"{needed_for} needs the package `{package}`. Install it with: pip install 'figureground[{extra}]'")
        self.package, self.extra, self.needed_for = package, extra, needed_for

    def __reduce__(self) -> tuple[object, ...]:
        return _missing_extra, (self.package, self.extra, self.needed_for)


TRAINING = ("torch", "torchvision", "safetensors")
"""Packages without which nothing is trained."""
PAGE = ("fastapi", "sqlalchemy", "uvicorn", "pg8000", "starlette")
"""Packages without which there is no review page."""


@contextmanager
def needs_extra(extra: str, *, needed_for: str, packages: Collection[str] = TRAINING) -> Generator[None]:
    """Around imports: the absence of one of the packages becomes `MissingExtra`; other absences stay what they are."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name not in packages:
            raise
        raise MissingExtra(error.name, extra=extra, needed_for=needed_for) from error


def _missing_extra(package: str, extra: str, needed_for: str) -> MissingExtra:
    return MissingExtra(package, extra=extra, needed_for=needed_for)

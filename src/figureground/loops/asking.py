"""What people are asked in a round, whether it is answered, and the port by which it is."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from figureground.core.errors import InputError
from figureground.data.labels import Labels, read_labels
from figureground.loops.options import PeopleOptions
from figureground.review.done import waiting
from figureground.runs.artifact import is_artifact


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One thing that is asked."""

    state: Literal["rating", "labelling"]
    round: int
    project: Path
    """What the page shows: the queue, or the data set of the samples that need masks."""
    labels: Path
    """Where the answers are awaited, as labels."""
    ids: tuple[str, ...]
    models: tuple[str, ...]
    """NAME=SPEC of predictions whose regions are offered, the target's first."""
    people: PeopleOptions
    seed: int
    known: Path | None
    """Database of the review before, whose people keep their tokens."""

    @property
    def address(self) -> str:
        """Of the page, on this machine."""
        return f"http://{self.people.host}:{self.people.port}/"

    @property
    def people_of(self) -> str:
        """URL of the database of `known`; empty where there is none."""
        return f"sqlite:///{self.known.absolute()}" if self.known else ""

    @property
    def what(self) -> str:
        """What is waited for, in a word."""
        return "ratings" if self.state == "rating" else "masks"

    @property
    def command(self) -> str:
        """The command that opens the page by hand."""
        people, rating = self.people, self.state == "rating"
        words = ["figureground", "review", self.project, "--out", self.labels, "--until", "rated" if rating else "masked"]
        words += ["--quorum", people.quorum, "--repeats", people.repeats] if rating else ["--worst", 0, "--labellers", people.labellers]
        words += [] if people.checked else ["--no-checked"]
        plain = PeopleOptions()
        words += ["--host", people.host] if people.host != plain.host else []
        words += ["--port", people.port] if people.port != plain.port else []
        words += ["--sign-in"] if people.sign_in else []
        words += [word for one in people.reviewers for word in ("--add", one)]
        words += ["--people-of", self.people_of] if self.people_of else []
        words += [word for model in self.models for word in ("--models", model)]
        return shlex.join(map(str, words))

    def waiting(self) -> list[str]:
        """Ids that still lack an answer, in the order asked.

        Raises:
            InputError: the labels are of samples that were not asked.
            ArtifactError, FormatError: no labels, or damaged ones.
        """
        if not is_artifact(self.labels):
            return list(self.ids)
        labels = read_labels(self.labels)
        self._check(labels)
        people = self.people
        return waiting(
            labels,
            self.ids,
            kind="rated" if self.state == "rating" else "masked",
            quorum=people.quorum,
            labellers=people.labellers,
            checked=people.checked,
        )

    def _check(self, labels: Labels) -> None:
        found = dict.fromkeys([one.id for one in (*labels.ratings, *labels.opinions, *labels.masks)])
        if strange := [i for i in found if i not in set(self.ids)]:
            raise InputError(
                f"{self.labels}: it holds labels of {len(strange)} samples that round {self.round} does not ask about, such as "
                f"'{strange[0]}'. Put the labels of {self.project} there"
            )


class Answers(Protocol):
    """Who answers: people at a page, an oracle, or somebody elsewhere."""

    def ask(self, asked: Asked) -> None:
        """Gets the labels written, as far as it can; returns when there is no more to come from here."""
        ...


class Nobody:
    """Asks nobody: what is there is there."""

    def ask(self, asked: Asked) -> None:
        """Nothing."""

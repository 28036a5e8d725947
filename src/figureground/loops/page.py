"""People at the review page: it is opened where they are needed, and ends by itself when all is answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from figureground.core.errors import PAGE, needs_extra
from figureground.loops.asking import Asked
from figureground.review.options import ReviewOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Shows the review page until all is answered, or until Ctrl-C."""

    say: Callable[[str], None]
    browser: bool = True

    def ask(self, asked: Asked) -> None:
        """Serves the page; people who have tokens from an earlier review of the loop keep them.

        Raises:
            InputError: the port is taken, or nobody could sign in.
            MissingExtra: the page's libraries are not installed.
        """
        with needs_extra("review", needed_for="the review page", packages=PAGE):
            from figureground.review.server.serve import Where, serve
        people = asked.people
        rating = asked.state == "rating"
        options = ReviewOptions(
            models=asked.models,
            quorum=people.quorum,
            worst=1 if rating else 0,  # masks are asked for later, of pictures that are chosen then
            repeats=people.repeats,
            labellers=people.labellers,
            checked=people.checked,
            seed=asked.seed,
        )
        self.say(f"round {asked.round}: {len(asked.ids)} pictures wait for {asked.what} at {asked.address}")
        serve(
            str(asked.project),
            out=asked.labels,
            options=options,
            where=Where(host=people.host, port=people.port, sign_in=people.sign_in),
            add=people.reviewers,
            people_of=asked.people_of,
            browser=self.browser,
            say=self.say,
            until="rated" if rating else "masked",
        )

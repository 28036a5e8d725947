"""The options of a loop, declared once for the keys of LOOP.toml and the docs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from figureground.core.options import option


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopOptions:
    """What a round asks for; symbols and defaults from doi 10.1007/s10994-021-06110-7."""

    rounds: int = option(2, help="Repairs, one a round.", bounds=(1, 1000))
    top: int = option(25, help="Samples queued for each rival, class and direction (n3).", bounds=(1, 1_000_000))
    learn: int = option(100, help="Masks a round that the target learns from (n4).", bounds=(1, 1_000_000))
    test: int = option(30, help="Samples of a round's test set, which nothing learns from.", bounds=(1, 1_000_000))
    per_object: int = option(4, help="Most samples of one main object in a test set; 0 = no limit.", bounds=(0, 1_000_000))
    selector: Literal["mad", "random", "entropy", "margin", "flip-risk", "committee", "core-set"] = option(
        "mad",
        help="How the samples to learn from are chosen: mad = the worst rated of the queue; another = the first by that selector. "
        "Test sets come from the queue by discrepancy whatever is chosen here.",
    )
    rate: bool = option(True, help="Ask people to rate the queue; false = its order decides, and nothing is out of domain.")
    retest: bool = option(True, help="After the last repair, mine and label one more test set.")
    seed: int = option(0, help="Of every step of the loop.", bounds=(0, 2**31 - 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleOptions:
    """Who answers, how many of them, and where the page is."""

    quorum: int = option(1, help="Ratings that a picture needs, each of another reviewer.", bounds=(1, 100))
    labellers: int = option(1, help="Reviewers who draw a mask of the same picture.", bounds=(1, 10))
    checked: bool = option(True, help="Masks count once another reviewer accepted them; false = once they are handed in.")
    repeats: float = option(0.05, help="Part of the pictures that a reviewer rates twice without being told.", bounds=(0.0, 1.0))
    host: str = option("127.0.0.1", help="Address that the page listens at. Beyond this machine every reviewer signs in.")
    port: int = option(8765, help="Port of the page.", bounds=(1, 65_535))
    sign_in: bool = option(False, help="Everybody signs in with a token, on this machine too.")
    reviewers: tuple[str, ...] = option((), help="NAME:ROLE of people to let in; roles: reviewer, checker, admin.")
    rating_seconds: float = option(6.0, help="Assumed for a rating until one was timed.", unit="s", bounds=(0.0, 86_400.0))
    mask_seconds: float = option(90.0, help="Assumed for a mask until one was timed.", unit="s", bounds=(0.0, 86_400.0))
    check_seconds: float = option(15.0, help="Assumed for a check until one was timed.", unit="s", bounds=(0.0, 86_400.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class OracleOptions:
    """Known truth that answers instead of people, and how often it errs."""

    truth: str = option("", help="DATA spec with the masks of the pool; default the pool itself.")
    rating_noise: float = option(0.0, help="Standard deviation that is added to a rating, in points of 1 to 5.", bounds=(0.0, 10.0))
    mask_noise: float = option(0.0, help="Part of the figures of a mask that are given a wrong class.", bounds=(0.0, 1.0))

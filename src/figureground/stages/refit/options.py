"""The options of refitting a last layer, declared once for flags, TOML keys, docs and Python."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from figureground.core.errors import InputError
from figureground.core.options import option

HARMLESS = ("workers",)
"""Options that change no number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefitOptions:
    """Which samples the last layer is fitted to, and how."""

    method: Literal["dfr", "afr"] = option(
        "dfr",
        help="dfr = logistic regression on as many samples of each group, afr = all samples, what the network gets wrong weighing more.",
    )
    split: str = option(
        "",
        help="Split to fit on, of samples the network did not learn from. Default: for dfr val, for afr what --held-out of train left out.",
    )
    val_split: str = option("val", help="For afr: split whose worst group chooses `gammas` and `pulls`.")
    groups: str = option("", help="Column that makes groups with the class. Default: the context of the data set.")
    strengths: str = option(
        "1,0.7,0.3,0.1,0.07,0.03,0.01", help="For dfr: values of C to try, the inverse of how strongly weights are kept small."
    )
    draws: int = option(20, help="For dfr: random draws of balanced samples, for the choice and again for the result.", bounds=(1, 10_000))
    gammas: str = option("20:30:21", help="For afr: how steeply weights fall with the probability of the truth; values, or FROM:TO:COUNT.")
    pulls: str = option("0:0.25:11", help="For afr: how strongly the layer is held to the one before; values, or FROM:TO:COUNT.")
    steps: int = option(500, help="For afr: steps of gradient descent.", bounds=(1, 1_000_000))
    rate: float = option(0.01, help="For afr: largest size of a step.", bounds=(1e-9, 1e3))
    batch: int = option(32, help="Pictures that go through the network at a time.", bounds=(1, 65_536))
    workers: int = option(0, help="Processes that load pictures; 0 = threads of this process.", bounds=(0, 256))
    device: str = option("cpu", help="Where the network runs: cpu, auto, or a name such as cuda:0.")
    seed: int = option(0, help="Seed of the draws.", bounds=(0, 2**63 - 1))


def values(text: str, *, name: str, positive: bool) -> tuple[float, ...]:
    """The numbers of `1,0.3,0.1` or of `FROM:TO:COUNT`, each once, ascending.

    Args:
        text: as given.
        name: of the option, for the message.
        positive: 0 is refused.

    Raises:
        InputError: no numbers, or one out of range.

    >>> values("0:0.2:3", name="pulls", positive=False)
    (0.0, 0.1, 0.2)
    """
    parts = text.replace(" ", "").split(":")
    try:
        if len(parts) == 3:
            first, last, steps = float(parts[0]), float(parts[1]), int(parts[2]) - 1
            found = [first + (last - first) * n / steps for n in range(steps)] + [last] if steps > 0 else []
        else:
            found = [float(part) for part in text.replace(",", " ").split()]
    except ValueError:
        found = []
    if not found or not all(math.isfinite(one) and (one > 0 if positive else one >= 0) for one in found):
        least = "above 0" if positive else "of at least 0"
        raise InputError(f"`{name}` must be numbers {least}, such as 1,0.3,0.1 or FROM:TO:COUNT; got '{text}'")
    return tuple(sorted(set(found)))

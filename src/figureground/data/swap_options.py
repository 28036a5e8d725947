"""The options of a swap, apart from what it computes with, so that asking for help loads none of that."""

from __future__ import annotations

from dataclasses import dataclass

from figureground.core.errors import InputError
from figureground.core.options import option


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapOptions:
    """How figures are set on other grounds."""

    probability: float = option(
        1.0, help="Chance that a picture is swapped when it is shown; else it is shown as it is.", bounds=(0.0, 1.0)
    )
    scale_low: float = option(0.5, help="The figure's size is multiplied with at least this.", bounds=(0.05, 20.0))
    scale_high: float = option(
        1.5, help="The figure's size is multiplied with at most this; less where it would not fit.", bounds=(0.05, 20.0)
    )
    turn: float = option(30.0, help="The figure is turned by up to this, either way.", unit="degrees", bounds=(0.0, 180.0))
    shift: float = option(
        0.143, help="The figure is moved by up to this part of the picture's height and width; it stays inside.", bounds=(0.0, 1.0)
    )
    feather: float = option(
        0.0, help="Width over which the edge of a figure fades; 0 = a hard edge, as published.", unit="px", bounds=(0.0, 32.0)
    )
    seed: int = option(0, help="Decides every draw.", bounds=(0, 2**63 - 1))
    allow_missing: bool = option(
        False, help="Draw from the classes that have backgrounds, where one of the data set has none; else that is an error."
    )

    def __post_init__(self) -> None:
        if self.scale_low > self.scale_high:
            raise InputError(f"`scale_low` must not be above `scale_high`; got {self.scale_low} and {self.scale_high}")

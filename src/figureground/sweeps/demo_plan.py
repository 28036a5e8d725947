"""What the demo draws and how it trains, apart from its run: a wrong seed is said before anything heavy is imported."""

from __future__ import annotations

from dataclasses import dataclass, replace

from figureground.core.options import make_options
from figureground.models.fit.options import FitOptions
from figureground.stages.shift.compose_options import ComposeOptions

TIED, BALANCED = NAMES = ("tied", "balanced")
"""The two data sets, by which their networks and predictions are called too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPlan:
    """What the demo draws and how it trains."""

    compose: ComposeOptions
    """The data set `tied`; `balanced` differs from it in `rho` alone."""
    train: FitOptions
    """Of both networks."""
    resamples: int = 1000
    """Bootstrap resamples of the audit."""

    def compose_options(self, name: str) -> ComposeOptions:
        """The options of one of the two data sets."""
        return self.compose if name == TIED else replace(self.compose, rho=1 / self.compose.contexts)


def demo_plan(seed: int = 0) -> DemoPlan:
    """The demo as `figureground demo` runs it: small enough for a few minutes on two cores without a graphics card.

    Args:
        seed: of the pictures and of both trainings.

    Raises:
        InputError: a seed that is no whole number from 0 to 2^63 - 1.
    """
    checked: ComposeOptions = make_options(ComposeOptions, {"seed": seed})
    return DemoPlan(
        compose=replace(checked, classes=3, contexts=3, rho=0.95, train=600, val=20, test=40, size=64, area_low=0.1, area_high=0.2),
        train=FitOptions(
            architecture="smp:unet/resnet18?decoder_channels=64,48,32,24,16",
            size=64,
            batch=16,
            lr=1e-3,
            epochs=12,
            device="cpu",  # the same figures with and without an accelerator
            seed=seed,
        ),
    )

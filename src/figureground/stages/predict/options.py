"""The options of a prediction, declared once for flags, TOML keys, docs and Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from figureground.core.options import option


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictOptions:
    """What is predicted and with what means."""

    split: str = option("", help="Predict only the samples of this split.")
    device: str = option("auto", help="Where the network runs: cpu, auto (an accelerator where there is one), or a name such as cuda:0.")
    batch: int = option(8, help="Inputs that go through the network at a time.", bounds=(1, 4096))
    workers: int = option(0, help="Threads that decode pictures and reduce logits; 0 = one per core.", bounds=(0, 256))
    window: Literal["spec", "none", "overlap", "taper"] = option(
        "spec", help="Slide a window of the model's input size over each picture instead of resizing it; spec = as the model spec says."
    )
    reuse: tuple[str, ...] = option(
        (),
        help="Earlier predictions: what the same model said there of pictures that have not changed is taken over. --out itself always "
        "counts. May be repeated.",
    )
    max_failures: int = option(
        0, help="Pictures that may fail before the prediction does; each is listed in failures.json.", bounds=(0, 10_000_000)
    )

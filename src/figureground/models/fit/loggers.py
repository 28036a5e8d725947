"""Where the figures of a training can go besides its own table: TensorBoard, MLflow, Weights & Biases. Each only where it is asked for."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from figureground.core.errors import MissingExtra
from figureground.core.registry import Registry

LOGGERS = Registry(
    "logger",
    group="figureground.loggers",
    builtin={
        "tensorboard": "figureground.models.fit.loggers:TensorboardLogger",
        "mlflow": "figureground.models.fit.loggers:MlflowLogger",
        "wandb": "figureground.models.fit.loggers:WandbLogger",
    },
)
"""Names behind `--log`; a logger is a callable `(folder: Path, run: str, options: Mapping[str, object]) -> FitLogger`."""
PROJECT = "figureground"


class FitLogger(Protocol):
    """Somebody who is told the figures of each epoch."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """The figures after so many steps; none of them is NaN."""
        ...

    def close(self) -> None:
        """Nothing more will come."""
        ...


class TensorboardLogger:
    """Event files under `folder/tensorboard`, which `tensorboard --logdir` shows."""

    def __init__(self, folder: Path, run: str, options: Mapping[str, Any]) -> None:
        del run, options
        _imported("tensorboard", "tensorboard", needed_for="`log` tensorboard")
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder / "tensorboard"))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """One point on each curve."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self) -> None:
        """Close the event file."""
        self._writer.close()


class MlflowLogger:
    """A run of MLflow, where its own settings (`MLFLOW_TRACKING_URI`) say."""

    def __init__(self, folder: Path, run: str, options: Mapping[str, Any]) -> None:
        del folder
        self._mlflow = _imported("mlflow", "mlflow", needed_for="`log` mlflow")
        self._mlflow.start_run(run_name=run)
        self._mlflow.log_params(dict(options))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """One row of metrics."""
        self._mlflow.log_metrics(dict(values), step=step)

    def close(self) -> None:
        """End the run."""
        self._mlflow.end_run()


class WandbLogger:
    """A run of Weights & Biases in the project `figureground`, online or not as its own settings (`WANDB_MODE`) say."""

    def __init__(self, folder: Path, run: str, options: Mapping[str, Any]) -> None:
        wandb = _imported("wandb", "wandb", needed_for="`log` wandb")
        self._run = wandb.init(project=PROJECT, name=run, config=dict(options), dir=str(folder))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """One row of metrics."""
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        """End the run."""
        self._run.finish()


def open_loggers(names: Sequence[str], *, folder: Path, run: str, options: Mapping[str, Any]) -> list[FitLogger]:
    """The loggers of some names, each once.

    Args:
        names: `tensorboard`, `mlflow`, `wandb`, or what a plugin offers.
        folder: where a logger may write files.
        run: what the training is called there.
        options: of the training.

    Raises:
        InputError: an unknown name.
        MissingExtra: the package is not installed.
    """
    return [LOGGERS.resolve(name)(folder, run, options) for name in dict.fromkeys(names)]


def finite(values: Mapping[str, float]) -> dict[str, float]:
    """The values that are numbers; services refuse or misdraw NaN."""
    return {name: value for name, value in values.items() if math.isfinite(value)}


def _imported(module: str, extra: str, *, needed_for: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtra(module, extra=extra, needed_for=needed_for) from error

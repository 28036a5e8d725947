"""figureground: finds where a segmentation model has the right region and the wrong label.

Names are resolved on first use, so that importing the package stays quick and changes nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from figureground.version import __version__

if TYPE_CHECKING:
    from figureground.answering import classify, refit
    from figureground.api import Audit, audit, balance, compose, mine, open_audit, predict, split, sweep, train
    from figureground.core.errors import FiguregroundError, FormatError, InputError
    from figureground.core.types import ClassTable, LabelRuns, Sample
    from figureground.data.dataset import Dataset, dataset_from_arrays, open_dataset
    from figureground.data.grids import Grids, read_grids
    from figureground.data.labelmap import decode_runs, encode_runs
    from figureground.data.labels import Labels, read_labels
    from figureground.data.predictions import Predictions, open_predictions
    from figureground.data.swap_options import SwapOptions
    from figureground.metrics.decompose import Decomposition, decompose
    from figureground.metrics.joint import JointCounts, joint_counts
    from figureground.metrics.meter import Meter
    from figureground.metrics.risk import flip_risk
    from figureground.models.fit.options import FitOptions, make_fit_options
    from figureground.rounds import loop, rank, repair
    from figureground.stages.audit.options import AuditOptions
    from figureground.stages.classify.options import ClassifyOptions
    from figureground.stages.classify.result import Answers, open_answers
    from figureground.stages.detect.options import DetectOptions
    from figureground.stages.detect.result import Detection
    from figureground.stages.mine.options import MineOptions
    from figureground.stages.rank.options import RankOptions
    from figureground.stages.rank.result import Ranking, open_ranking
    from figureground.stages.refit.options import RefitOptions
    from figureground.stages.repair.options import RepairOptions
    from figureground.stages.shift.balance import BalanceTable
    from figureground.stages.shift.compose_options import ComposeOptions
    from figureground.stages.shift.split_options import BalanceOptions, SplitOptions
    from figureground.stages.swap.options import BuildOptions, InfillOptions
    from figureground.stages.train.result import Weights
    from figureground.swaps import swap_build, swap_detect, swap_infill

_HOMES = {
    "figureground.answering": ("classify", "refit"),
    "figureground.api": ("Audit", "audit", "balance", "compose", "mine", "open_audit", "predict", "split", "sweep", "train"),
    "figureground.core.errors": ("FiguregroundError", "FormatError", "InputError"),
    "figureground.core.types": ("ClassTable", "LabelRuns", "Sample"),
    "figureground.data.dataset": ("Dataset", "dataset_from_arrays", "open_dataset"),
    "figureground.data.labelmap": ("decode_runs", "encode_runs"),
    "figureground.data.grids": ("Grids", "read_grids"),
    "figureground.data.labels": ("Labels", "read_labels"),
    "figureground.data.predictions": ("Predictions", "open_predictions"),
    "figureground.data.swap_options": ("SwapOptions",),
    "figureground.metrics.decompose": ("Decomposition", "decompose"),
    "figureground.metrics.joint": ("JointCounts", "joint_counts"),
    "figureground.metrics.meter": ("Meter",),
    "figureground.metrics.risk": ("flip_risk",),
    "figureground.models.fit.options": ("FitOptions", "make_fit_options"),
    "figureground.rounds": ("loop", "rank", "repair"),
    "figureground.stages.audit.options": ("AuditOptions",),
    "figureground.stages.classify.options": ("ClassifyOptions",),
    "figureground.stages.classify.result": ("Answers", "open_answers"),
    "figureground.stages.detect.options": ("DetectOptions",),
    "figureground.stages.detect.result": ("Detection",),
    "figureground.stages.mine.options": ("MineOptions",),
    "figureground.stages.rank.options": ("RankOptions",),
    "figureground.stages.rank.result": ("Ranking", "open_ranking"),
    "figureground.stages.refit.options": ("RefitOptions",),
    "figureground.stages.repair.options": ("RepairOptions",),
    "figureground.stages.shift.balance": ("BalanceTable",),
    "figureground.stages.shift.compose_options": ("ComposeOptions",),
    "figureground.stages.shift.split_options": ("BalanceOptions", "SplitOptions"),
    "figureground.stages.swap.options": ("BuildOptions", "InfillOptions"),
    "figureground.stages.train.result": ("Weights",),
    "figureground.swaps": ("swap_build", "swap_detect", "swap_infill"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Answers",
    "Audit",
    "AuditOptions",
    "BalanceOptions",
    "BalanceTable",
    "BuildOptions",
    "ClassTable",
    "ClassifyOptions",
    "ComposeOptions",
    "Dataset",
    "Decomposition",
    "DetectOptions",
    "Detection",
    "FiguregroundError",
    "FitOptions",
    "FormatError",
    "Grids",
    "InfillOptions",
    "InputError",
    "JointCounts",
    "LabelRuns",
    "Labels",
    "Meter",
    "MineOptions",
    "Predictions",
    "RankOptions",
    "Ranking",
    "RefitOptions",
    "RepairOptions",
    "Sample",
    "SplitOptions",
    "SwapOptions",
    "Weights",
    "__version__",
    "audit",
    "balance",
    "classify",
    "compose",
    "dataset_from_arrays",
    "decode_runs",
    "decompose",
    "encode_runs",
    "flip_risk",
    "joint_counts",
    "loop",
    "make_fit_options",
    "mine",
    "open_answers",
    "open_audit",
    "open_dataset",
    "open_predictions",
    "open_ranking",
    "predict",
    "rank",
    "read_grids",
    "read_labels",
    "refit",
    "repair",
    "split",
    "swap_build",
    "swap_detect",
    "swap_infill",
    "sweep",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'figureground' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

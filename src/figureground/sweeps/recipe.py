"""The recipe of a sweep: where the data come from, how networks are trained, and the grid of what varies."""

from __future__ import annotations

import dataclasses
import itertools
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from figureground.core.errors import InputError
from figureground.core.options import make_options
from figureground.models.fit.options import FitOptions, make_fit_options
from figureground.stages.shift.compose_options import ComposeOptions
from figureground.stages.shift.plan import check_rho
from figureground.stages.shift.split_stage import rho_folder

OBJECTIVES: Mapping[str, Mapping[str, Any]] = {
    "ce": {"objective": "ce"},
    "dice-ce": {"objective": "dice-ce"},
    "group-dro": {"objective": "group-dro"},
    "cutmix": {"objective": "ce", "cutmix": 0.5},
    "group-sampling": {"objective": "ce", "balance": "sample"},
    "group-weights": {"objective": "ce", "balance": "weight"},
}
"""Ways to train, by the name they have in a sweep, as options of `train`."""

_TABLES = ("compose", "train", "sweep")
_VARIED = {"compose": ("rho",), "train": ("architecture", "seed", *sorted({key for one in OBJECTIVES.values() for key in one}))}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One network of the grid."""

    architecture: str
    objective: str
    rho: float
    seed: int

    @property
    def place(self) -> str:
        """The run's directory below that of the sweep."""
        return f"runs/{slug(self.architecture)}/{self.objective}/{rho_folder(self.rho)}/seed-{self.seed}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A sweep: everything that stays, and the grid."""

    name: str
    compose: ComposeOptions
    """How the data are made; its `rho` is set for each run."""
    train: Mapping[str, Any]
    """Options of `train` that all runs share."""
    rho: tuple[float, ...]
    seeds: tuple[int, ...]
    objectives: tuple[str, ...]
    architectures: tuple[str, ...]
    cluster: str = ""
    """Attribute of the samples whose values are resampled as a whole, such as the figure that several pictures show."""

    def runs(self) -> tuple[Run, ...]:
        """Every run, those of one seed together, so that a sweep cut short has whole curves of fewer seeds."""
        grid = itertools.product(self.seeds, self.architectures, self.objectives, self.rho)
        return tuple(Run(architecture=a, objective=o, rho=r, seed=s) for s, a, o, r in grid)

    def fit_options(self, run: Run) -> FitOptions:
        """The options of one run's training."""
        varied = {"architecture": run.architecture, "seed": run.seed, **OBJECTIVES[run.objective]}
        return make_fit_options(self.train, varied)

    def compose_options(self, rho: float) -> ComposeOptions:
        """The options that make the data at one correlation."""
        return dataclasses.replace(self.compose, rho=rho)


def read_recipe(path: Path) -> Recipe:
    """The recipe in a TOML file: tables `compose`, `train` and `sweep`, and a `name`.

    Raises:
        InputError: no such file, no TOML, an unknown table or key, a key that the sweep varies itself, or a value out of range.
    """
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}). Give the TOML file of a sweep") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is no TOML ({error})") from error
    if wrong := [key for key in content if key not in ("name", *_TABLES)]:
        raise InputError(f"{path}: unknown entry `{wrong[0]}`. A sweep has: name, {', '.join(_TABLES)}")
    tables = {name: content.get(name, {}) for name in _TABLES}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise InputError(f"{path}: `{name}` must be a table, [{name}]; got {table!r}")
        if varied := [key for key in table if key in _VARIED.get(name, ())]:
            raise InputError(f"{path}: [{name}] must not set `{varied[0]}`: the sweep varies it. Name its values in [sweep]")
    try:
        recipe = _recipe(str(content.get("name", Path(path).stem)), tables)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return recipe


def slug(text: str) -> str:
    """The text as the name of a directory."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in text)


def _recipe(name: str, tables: Mapping[str, Mapping[str, Any]]) -> Recipe:
    grid = dict(tables["sweep"])
    rho = _values(grid.pop("rho", [0.5, 0.8, 0.95, 1.0]), (int, float), "rho")
    seeds = _values(grid.pop("seeds", [0, 1, 2]), (int,), "seeds")
    objectives = _values(grid.pop("objectives", ["ce"]), (str,), "objectives")
    architectures = _values(grid.pop("architectures", ["smp:unet/resnet18"]), (str,), "architectures")
    cluster = grid.pop("cluster", "")
    if not isinstance(cluster, str):
        raise InputError(f"[sweep] `cluster` must be the name of an attribute; got {cluster!r}")
    if grid:
        raise InputError(f"[sweep] has no `{next(iter(grid))}`; it has rho, seeds, objectives, architectures and cluster")
    for value in rho:
        check_rho(value)
    if unknown := [one for one in objectives if one not in OBJECTIVES]:
        raise InputError(f"[sweep] knows no objective '{unknown[0]}'. Known: {', '.join(OBJECTIVES)}")
    recipe = Recipe(
        name=name,
        compose=make_options(ComposeOptions, tables["compose"]),
        train=dict(tables["train"]),
        rho=tuple(float(value) for value in rho),
        seeds=seeds,
        objectives=objectives,
        architectures=architectures,
        cluster=cluster,
    )
    if recipe.compose.kind == "waterbirds":
        raise InputError('[compose] `kind = "waterbirds"` has the correlation of its manifest; a sweep takes "figures" or "paste"')
    for run in recipe.runs():
        recipe.fit_options(run)  # a wrong option is said before anything is made
    return recipe


def _values(given: Any, types: tuple[type, ...], name: str) -> tuple[Any, ...]:
    values = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    words = " or ".join(t.__name__ for t in types)
    if not values or any(isinstance(v, bool) or not isinstance(v, types) for v in values):
        raise InputError(f"[sweep] `{name}` must be a list of {words}, at least one; got {given!r}")
    if len(set(values)) != len(values):
        raise InputError(f"[sweep] `{name}` names a value twice: {given!r}")
    return tuple(values)

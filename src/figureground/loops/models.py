"""The models of a round: what each sees in the pool, and how each does on the data that nobody learns from."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from figureground.core.errors import InputError
from figureground.core.progress import Reporter
from figureground.data.dataset import Dataset
from figureground.data.predictions import Predictions, open_predictions
from figureground.data.spec import parse_spec
from figureground.loops.material import Material
from figureground.loops.places import Places, version_name
from figureground.loops.questions import is_predictions, seen
from figureground.loops.recipe import Recipe, as_key_of
from figureground.models.trained import read_card
from figureground.runs.artifact import is_artifact, read_manifest
from figureground.runs.executor import LocalExecutor, open_executor
from figureground.stages.audit.options import AuditOptions
from figureground.stages.audit.stage import run_audit
from figureground.stages.predict.stage import run_predict

VALIDATION, AUDIT = "validation", "audit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where work runs."""

    engine: str = "local"
    workers: int | None = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """Predicts and measures the models of a round."""

    recipe: Recipe
    material: Material
    places: Places
    machine: Machine
    reporter: Reporter

    def target(self, version: int) -> str:
        """MODEL spec of the target after so many repairs."""
        if version == 0:
            return self.recipe.target
        own = parse_spec(self.recipe.target).options.get("architecture", "")
        return f"weights:{self.places.round(version).repaired}" + (f"?architecture={quote(own, safe='/,:')}" if own else "")

    def prepare(self, version: int) -> None:
        """Predicts the pool with the target and every rival, and measures them on what nobody learns from."""
        self.predict_target(version)
        for name, spec in self.recipe.rivals.items():
            if not is_predictions(spec):
                self._predict(spec, self.material.pool, self.places.predictions(name), what=name)
                self._measure(spec, name, VALIDATION)

    def predict_target(self, version: int) -> None:
        """The same for the target alone, and its earlier versions on what nobody learns from."""
        self._predict(self.target(version), self.material.pool, self.places.predictions(version_name(version)), what=version_name(version))
        for earlier in range(version + 1):  # data that changed meanwhile, or came later, are the same for all versions
            for data in (VALIDATION, AUDIT):
                self._measure(self.target(earlier), version_name(earlier), data)

    def open(self, model: str, *, name: str) -> Predictions:
        """The same, opened under a name."""
        return open_predictions(seen(self.recipe, self.places, model), self.material.pool.classes, name=name)

    def _predict(self, spec: str, data: Dataset, out: Path, *, what: str) -> None:
        if not is_artifact(out):
            self.reporter.say(f"{what} looks at {len(data)} pictures of {data.name}")
        accelerator = self.recipe.predict.device != "cpu"
        workers = 1 if self.machine.engine == "local" else self.machine.workers
        executor = open_executor(self.machine.engine, workers=workers, accelerator=accelerator)
        is_pool = data is self.material.pool  # what validates or is audited is compared as a whole
        options = dataclasses.replace(self.recipe.predict, split="", max_failures=self.recipe.predict.max_failures if is_pool else 0)
        with as_key_of("predict" if is_pool else ""):
            run_predict(spec, data, options=options, out=out, executor=executor, reporter=self.reporter)

    def _measure(self, spec: str, name: str, data: str) -> None:
        """Predictions and audit of a model on the validation or audit data."""
        dataset = self.material.val if data == VALIDATION else self.material.audit
        if dataset is None:
            return
        place = self.places.measured(name, data)
        self._predict(spec, dataset, place / "predictions", what=name)
        predictions = open_predictions(str(place / "predictions"), dataset.classes, name=name)
        options = AuditOptions(train=self._training_ties(dataset), worst=0, resamples=0)
        with as_key_of(""):
            run_audit(dataset, [predictions], options=options, out=place / "audit", executor=LocalExecutor(), reporter=self.reporter)

    def _training_ties(self, dataset: Dataset) -> str:
        """The data set that says which contexts training ties to classes, where the audited one does not say it itself."""
        says = dataset.common or any(s.split == "train" for s in dataset.samples)
        has = dataset.context_attribute and self.material.train.context_attribute == dataset.context_attribute
        return self.recipe.train if has and not says else ""


def check_models(recipe: Recipe, places: Places) -> None:
    """Raise `InputError` where a rival is neither a model nor predictions, has no weights, or had others in this loop."""
    for name, spec in recipe.rivals.items():
        if parse_spec(spec).kind == "weights":
            try:
                now = read_card(Path(parse_spec(spec).where))["sha256"]
            except InputError as error:
                raise InputError(f"[rivals] {name}: {error}") from error
            if is_artifact(seen := places.predictions(name)) and read_manifest(seen).inputs.get("weights") not in (now, "", None):
                raise InputError(
                    f"[rivals] {name}: this loop began with other weights under that name than {spec} has now. What a rival said is kept "
                    "by name: give these another one, which takes part from the next round on"
                )
        if parse_spec(spec).kind is None and not is_predictions(spec):
            raise InputError(
                f"[rivals] {name}: '{spec}' holds no predictions. Name a model, such as weights:{spec}, or predictions of the pool"
            )

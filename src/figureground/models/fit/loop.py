"""The one training loop: epochs of steps, a validation after each, the best weights at the end, and a state to go on from."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from figureground.core.errors import InputError
from figureground.core.progress import Progress, QuietReporter, Reporter
from figureground.models.fit.answers import AnswerValidation
from figureground.models.fit.batch import Batch
from figureground.models.fit.checkpoint import LAST_GOOD, Checkpoints, Tensors, keep_last_good
from figureground.models.fit.coral import Coral, domains_of
from figureground.models.fit.data import TrainData, batch_count
from figureground.models.fit.devices import Devices, open_devices
from figureground.models.fit.evaluate import Validation, figures_on
from figureground.models.fit.history import Epoch, Position, epoch_sentence, improves
from figureground.models.fit.labelled import group_shares
from figureground.models.fit.loader import Loader
from figureground.models.fit.loggers import FitLogger, finite
from figureground.models.fit.networks import Network
from figureground.models.fit.objectives import make_objective, validation_objective
from figureground.models.fit.options import BY_CONTENT, HARMLESS, LOWER_IS_BETTER, FitOptions, check_together
from figureground.models.fit.plans import Repeated, Subsampled
from figureground.models.fit.precision import open_precision, reproducible
from figureground.models.fit.replay import Replay, labelled_figures
from figureground.models.fit.schedule import plateau_factor
from figureground.models.fit.sources import PictureSource
from figureground.models.fit.step import NotFinite, Stepper


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FitResult:
    """A finished training."""

    network: nn.Module
    """The network itself (not the wrapper) with the best weights, on the processor, in evaluation mode."""
    history: tuple[Epoch, ...]
    """Every epoch, in order."""
    best_epoch: int
    """The epoch whose weights these are, from 1; the last one where nothing was validated, 0 for the weights from before a repair."""
    figures: Validation | AnswerValidation | None
    """The validation of these very weights; None without validation samples."""
    steps: int
    stopped_early: bool
    """True where `patience` ended the training."""
    precision: str
    """What the network computed with."""
    judged: Validation | None = None
    """The figures of these very weights on the labelled samples that a repair is judged by; None without a repair."""

    @property
    def segmented(self) -> Validation | None:
        """The validation of a segmentation network; None for a classifier, and without validation samples."""
        return self.figures if isinstance(self.figures, Validation) else None


class Diverged(InputError):
    """The loss or its gradient is no number any more; the message says at which step, and where the last good weights are.

    `what` is that without advice, and `tries` the advice: option -> value.
    """

    def __init__(self, what: str, tries: Mapping[str, str]) -> None:
        super().__init__(f"{what} Try {', '.join(f'--{name} {value}' for name, value in tries.items())}")
        self.what, self.tries = what, dict(tries)


def fit(
    network: Network,
    *,
    train: TrainData,
    val: TrainData | None,
    options: FitOptions,
    state_dir: Path,
    last_good: Path | None = None,
    reporter: Reporter | None = None,
    loggers: Sequence[FitLogger] = (),
    devices: Devices | None = None,
    replay: Replay | None = None,
    plan: Repeated | None = None,
    source: PictureSource | None = None,
) -> FitResult:
    """Trains a network, and goes on where an interrupted call with the same arguments stopped.

    On one machine with one number of threads the same arguments give the same weights bit for bit, interrupted or not, with any number of
    `workers` (on CUDA as far as its kernels are deterministic).

    Args:
        network: from `network_to_train`; its weights are changed.
        train: samples to learn from.
        val: samples to validate on after each epoch; None = the last weights are kept and nothing stops early.
        options: everything else.
        state_dir: where the state of the training stands. Of several processes all need to read it.
        last_good: file for the last weights before a step that is no longer a number; default in `state_dir`. An older file stays.
        reporter: where progress is told; default nowhere.
        loggers: who else is told the figures of each epoch.
        devices: where it runs; default what `options.device` names.
        replay: what makes it a repair of the network: `train` then holds labelled samples and, behind them, training samples; the weights
            kept are those with the best mIoU on `replay.judged` among those that lost no more than its limit, and the weights from before
            where none of those is better.
        plan: how often each training sample is shown in an epoch; default once, or as `options.balance` says.
        source: what makes the pictures that training shows; default those of the files.

    Raises:
        InputError: options, data and network do not fit together; the state belongs to another training or cannot be written; or the loss
            is no longer a number (the last good weights are kept).
        FormatError: a faulty picture or mask.
    """
    devices = devices or open_devices(options.device)
    speaker = reporter if reporter is not None and devices.rank == 0 else QuietReporter()
    check_fit(train, val, options)
    with (
        reproducible(devices.device),
        _Run(network, train, val, options, state_dir, devices, speaker, loggers, replay, plan, source) as run,
    ):
        run.last_good = last_good or run.last_good
        run.resume()
        total = options.epochs * run.per_epoch
        with speaker.track("train", total=total, unit="batches", done=run.at.epoch * run.per_epoch + run.at.batch) as progress:
            while not run.ended:
                run.epoch(progress)
        return run.finish()


def check_fit(train: TrainData, val: TrainData | None, options: FitOptions) -> None:
    """Raise `InputError` where data and options contradict one another."""
    check_together(options)
    if options.coral:
        domains_of(train)
    if val is None and options.patience:
        raise InputError("`patience` needs a validation to wait for, and there are no validation samples. Give --val-split, or patience 0")
    if val is None and options.schedule == "plateau":
        raise InputError(
            "`schedule` plateau waits for a validation, and there are no validation samples. Give --val-split, or another schedule"
        )
    if val is not None and val.classes.names != train.classes.names:
        raise InputError(f"training and validation must have the same classes; got {train.classes.names} and {val.classes.names}")
    if val is not None and options.monitor.startswith("worst_group") and not (val.groups >= 0).any():
        raise InputError(
            f"`monitor` {options.monitor} needs validation samples with both a class and a context; there are none. Give another --monitor"
        )


class _Run:
    """What a training holds while it runs."""

    def __init__(
        self,
        network: Network,
        train: TrainData,
        val: TrainData | None,
        options: FitOptions,
        state_dir: Path,
        devices: Devices,
        reporter: Reporter,
        loggers: Sequence[FitLogger],
        replay: Replay | None = None,
        plan: Repeated | None = None,
        source: PictureSource | None = None,
    ) -> None:
        self.bare, self.train, self.val, self.options, self.devices, self.loggers = network, train, val, options, devices, loggers
        self.replay, self.source, self.repeated = replay, source, plan
        self.reporter, self.checkpoints, self.at = reporter, Checkpoints(state_dir), Position()
        self.last_good = state_dir / LAST_GOOD
        self.objective = make_objective(options, classes=train.classes, groups=len(train.group_names)).to(devices.device).train()
        self.judge = validation_objective(options, classes=train.classes).to(devices.device)
        self.wrapped = devices.wrap(network).train()
        subset = Subsampled(groups=train.groups, seed=options.seed) if options.balance == "subsample" else None
        chosen = replay.mixture if replay is not None else plan if plan is not None else subset
        self.per_epoch = batch_count(train if chosen is None else chosen, options)
        self.steps_per_epoch = -(-self.per_epoch // options.accumulate)
        self.coral = _coral(network, train, options)
        self.stepper = Stepper(
            self.wrapped,
            self.objective,
            options=options,
            devices=devices,
            precision=open_precision(options.precision, devices.device),
            classes=len(train.classes),
            steps=options.epochs * self.steps_per_epoch,
            warmup_steps=round(options.warmup * self.steps_per_epoch),
            distillation=replay.distillation if replay is not None else None,
            penalty=self.coral,
        )
        self.best: Tensors | None = None
        self.shares = group_shares(train) if train.targets is not None else None
        self.figures: Any = None
        self.judged: Validation | None = None
        self.before: Tensors | None = None
        if replay is not None:
            self.before, self.at.best_value = self._copy(), replay.before_judged.miou
        kept = replay.kept if replay is not None else None
        self.loader = Loader(train, options=options, train=True, plan=chosen, kept=kept, source=source)
        self.val_loader = Loader(val, options=options, train=False) if val is not None else None
        self.judged_loader = Loader(replay.judged, options=options, train=False) if replay is not None else None

    def __enter__(self) -> _Run:
        return self

    def __exit__(self, *_: object) -> None:
        for part in filter(None, (self.loader, self.val_loader, self.judged_loader, self.coral)):
            part.close()

    @property
    def ended(self) -> bool:
        """True where no epoch is left, or patience is at its end."""
        waited, known = self.at.epoch - self.at.best_epoch, self.at.best_epoch or self.replay
        return self.at.epoch >= self.options.epochs or bool(self.options.patience and known and waited >= self.options.patience)

    def epoch(self, progress: Progress) -> None:
        """One epoch, or what is left of it: steps, validation, figures."""
        self.stepper.plateau = self._plateau()
        for group in self._groups():
            try:
                done = self.stepper.take(group, step=self.at.step)
            except NotFinite as error:
                raise self._not_finite(error) from error
            self.at.add(done, batches=len(group))
            progress.advance(len(group))
            if self.at.unsaved >= self.options.checkpoint_every and self.at.batch < self.per_epoch:
                self.save()
        figures = self._validate()
        self._check_numbers(figures)
        self._note(figures, self._judge())
        if self.at.unsaved >= self.options.checkpoint_every:
            self.save()

    def finish(self) -> FitResult:
        """The result, with the best weights back in the network and validated once more."""
        kept = self.best if self.best is not None else self.before
        if kept is not None:
            self.bare.network.load_state_dict(kept)
            self.figures, self.judged = self._validate(), self._judge()
        self.save()
        stopped = self.at.epoch < self.options.epochs
        return FitResult(
            network=self.bare.network.to("cpu").eval(),
            history=tuple(self.at.history),
            best_epoch=self.at.best_epoch or (self.at.epoch if self.replay is None else 0),
            figures=self.figures,
            steps=self.at.step,
            stopped_early=stopped,
            precision=self.stepper.precision.name,
            judged=self.judged,
        )

    def save(self) -> None:
        """Writes the state; one process does it for all."""
        self.at.unsaved = 0
        if self.devices.rank:
            return
        state = {
            "identity": self._identity(),
            "network": self.bare.network.state_dict(),
            "optimizer": self.stepper.optimizer.state_dict(),
            "scaler": self.stepper.precision.scaler.state_dict(),
            "objective": self.objective.state_dict(),
            "skipped": self.stepper.skipped,
            "position": self.at.to_plain(),
        }
        self.checkpoints.save(state, best=self.best, best_epoch=self.at.best_epoch)

    def resume(self) -> None:
        """Goes back to the last state, where there is one."""
        found = self.checkpoints.load()
        if found is None:
            return
        state, self.best = found
        if state["identity"] != self._identity():
            raise InputError(
                f"{self.checkpoints.folder}: holds the state of a training with other options or data. Give another directory, or remove it"
            )
        self.bare.network.load_state_dict(state["network"])
        self.stepper.optimizer.load_state_dict(state["optimizer"])
        self.stepper.precision.scaler.load_state_dict(state["scaler"])
        self.objective.load_state_dict(state["objective"])
        self.stepper.skipped = state["skipped"]
        self.at = Position.from_plain(state["position"])
        place = f"going on in epoch {self.at.epoch + 1} behind batch {self.at.batch} of {self.per_epoch}"
        self.reporter.say("every epoch was trained before; what is left is to write the weights" if self.ended else place)

    def _groups(self) -> Iterator[list[Batch]]:
        """The batches that are left of this epoch, as many at a time as make one step."""
        group: list[Batch] = []
        for number, batch in enumerate(self.loader.epoch(self.at.epoch, start=self.at.batch), start=self.at.batch + 1):
            group.append(batch)
            if len(group) == self.options.accumulate or number == self.per_epoch:
                yield group
                group = []

    def _validate(self) -> Any:
        return self._figures(self.val_loader, self.val)

    def _judge(self) -> Validation | None:
        return self._figures(self.judged_loader, self.replay.judged if self.replay is not None else None)

    def _figures(self, loader: Loader | None, data: TrainData | None) -> Any:
        if loader is None or data is None:
            return None
        settings = {"options": self.options, "devices": self.devices, "autocast": self.stepper.precision.autocast, "shares": self.shares}
        return figures_on(self.bare, self.judge, loader, data, **settings)

    def _note(self, figures: Any, judged: Validation | None) -> None:
        """Writes an epoch down, remembers the weights where they are the best so far, and tells about it."""
        line = self.at.close_epoch(figures, more=labelled_figures(judged))
        if figures is not None:
            value = figures.figures()[self.options.monitor] if judged is None else judged.miou
            allowed = self.replay is None or self.replay.allows(figures)
            if allowed and improves(value, self.at.best_value, monitor=self.options.monitor if judged is None else "miou"):
                self.at.best_epoch, self.at.best_value, self.best = line.epoch, value, self._copy()
        self.reporter.say(epoch_sentence(line, epochs=self.options.epochs, best=self.at.best_epoch == line.epoch))
        for logger in self.loggers if self.devices.rank == 0 else ():
            logger.log(line.step, finite(line.numbers()))

    def _plateau(self) -> float:
        """What the epochs so far have brought the learning rate down to; 1 unless the schedule is plateau."""
        options, seen = self.options, [line.figures[self.options.monitor] for line in self.at.history if line.figures]
        if options.schedule != "plateau":
            return 1.0
        lower = LOWER_IS_BETTER[options.monitor]
        return plateau_factor(seen, patience=options.plateau_patience, factor=options.plateau_factor, lower_is_better=lower)

    def _copy(self) -> Tensors:
        """The weights as they are now, on the processor."""
        return {name: tensor.detach().to("cpu", copy=True) for name, tensor in self.bare.network.state_dict().items()}

    def _check_numbers(self, figures: Any) -> None:
        """Raise `Diverged` where samples that count have a loss that is no number: the last steps of the epoch broke the network."""
        if figures is None or math.isfinite(figures.loss):
            return
        if not math.isnan(figures.miou if isinstance(figures, Validation) else figures.accuracy):
            at = f"after epoch {self.at.epoch + 1}, learning rate {self.options.lr:g}"
            raise self._diverged(at, f"the loss on the validation samples is {figures.loss}.")

    def _not_finite(self, error: NotFinite) -> Diverged:
        at = self.at
        start = "; --weights starts from them" if self.replay is None else ""
        kept = "" if self.devices.rank else f" The weights from before it are in {self._keep()}{start}."
        where = f"step {at.step + 1}, epoch {at.epoch + 1}, batch {at.batch + 1} of {self.per_epoch}, learning rate {self.options.lr:g}"
        return self._diverged(f"at {where}", f"{error.what}.{kept}")

    def _diverged(self, where: str, what: str) -> Diverged:
        options = self.options
        tries = {"lr" if self.replay is None else "rates": f"{options.lr / 10:g}"}
        tries |= ({} if options.clip else {"clip": "1"}) | ({} if options.warmup else {"warmup": "1"})
        tries |= {"precision": "fp32"} if self.stepper.precision.name != "fp32" else {}
        return Diverged(f"training stopped {where}: {what}", tries)

    def _keep(self) -> Path:
        return keep_last_good(self.last_good, self.bare.network.state_dict())

    def _identity(self) -> str:
        """What must be the same for a state to be gone on from; devices count by their kind and number, whatever name asked for them."""
        options = {name: value for name, value in dataclasses.asdict(self.options).items() if name not in (*HARMLESS, *BY_CONTENT)}
        options["device"] = self.devices.device.type
        plain = [options, len(self.train), len(self.val or ()), list(self.train.classes.names), self.devices.world]
        more = [one.identity() for one in (self.replay, self.repeated, self.source) if one is not None]
        return json.dumps([*plain, *more], sort_keys=True)


def _coral(network: Network, train: TrainData, options: FitOptions) -> Coral | None:
    if not options.coral:
        return None
    return Coral(network.network, classes=len(train.classes), domains=domains_of(train), weight=options.coral)

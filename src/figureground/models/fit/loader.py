"""Batches made ahead of the network, by threads of this process or by processes of their own; the batches are the same either way."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from itertools import pairwise
from types import TracebackType

import cv2
import numpy as np
import torch
from threadpoolctl import threadpool_limits

from figureground.core.environment import take_environment
from figureground.core.errors import InputError, StateError
from figureground.models.fit.augment import Augmentation, augmentation_of, changed, drawn_change, moved
from figureground.models.fit.batch import IGNORE, Batch
from figureground.models.fit.cache import PictureCache
from figureground.models.fit.counterfactual import Counterfactuals
from figureground.models.fit.cutmix import Partners, background_cutmix
from figureground.models.fit.distil import KeptLogits
from figureground.models.fit.heavy import mixed_batch, rand_augmented
from figureground.models.fit.options import FitOptions
from figureground.models.fit.order import batch_edges, batch_stream, epoch_order, loss_weights, sample_stream, turns
from figureground.models.fit.plans import Plan
from figureground.models.fit.samples import TrainData, at_size
from figureground.models.fit.sources import PictureSource
from figureground.models.inputs import normalised
from figureground.models.predictor import PredictorSpec

THREADS = 2
"""Threads that make batches where no processes are asked for."""
AHEAD = 2
"""Batches that may wait ready, beside those in the making."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shown:
    """A sample as a batch shows it."""

    picture: np.ndarray
    """uint8 [height, width, 3]."""
    mask: np.ndarray
    """uint8 [height, width] of class indices."""
    before: np.ndarray | None = None
    """float32 [classes, height, width]: logits of the model before; None where there are none."""
    beside: tuple[np.ndarray, np.ndarray] | None = None
    """Two pictures more, uint8 [height, width, 3]; None where there are none."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """Which samples make a batch."""

    epoch: int
    indices: np.ndarray
    """int64 [batch], numbers of the samples."""
    turns: np.ndarray
    """int64 [batch], how often each was shown before in this epoch."""
    number: int = 0
    """Of the batch in its epoch."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchMaker:
    """Makes any batch of any epoch from nothing but its part; picklable."""

    data: TrainData
    seed: int
    how: Augmentation | None
    """None = pictures as they are."""
    cutmix: float
    """Chance of background CutMix."""
    partners: Partners
    weights: np.ndarray
    """float32 [samples]."""
    kept: KeptLogits | None = None
    """Logits of the model before that go with training samples; None = none do."""
    source: PictureSource | None = None
    """What makes the pictures; None = those of the files."""
    heavy: bool = False
    """Pictures go through RandAugment, and batches through CutMix, MixUp or brightness."""

    @staticmethod
    def plain(data: TrainData) -> BatchMaker:
        """A maker that shows every sample as it is."""
        partners, weights = Partners(data.labels, data.contexts), np.ones(len(data), np.float32)
        return BatchMaker(data=data, seed=0, how=None, cutmix=0.0, partners=partners, weights=weights)

    def pictures(self, part: Part) -> list[Shown]:
        """The samples of a batch after CutMix and augmentation."""
        return [self._changed(int(index), part.epoch, int(turn)) for index, turn in zip(part.indices, part.turns, strict=True)]

    def finished(self, pictures: list[Shown], part: Part) -> Batch:
        """The batch of these pictures: normalised, padded to the largest of them and to the stride, as tensors."""
        mixed = (
            mixed_batch([one.picture for one in pictures], rng=batch_stream(seed=self.seed, epoch=part.epoch, number=part.number))
            if self.heavy
            else None
        )
        if mixed is not None:
            pictures = [replace(one, picture=picture) for one, picture in zip(pictures, mixed.pictures, strict=True)]
        stride = self.data.stride_px
        height, width = (-(-max(one.picture.shape[axis] for one in pictures) // stride) * stride for axis in (0, 1))
        images = np.zeros((len(pictures), 3, height, width), np.float32)
        masks = np.full((len(pictures), *((height, width) if self.data.targets is None else (1, 1))), IGNORE, np.int64)
        spec = PredictorSpec(kind="fit", where="batch", classes=len(self.data.classes), mean=self.data.mean, std=self.data.std)
        for slot, one in enumerate(pictures):
            images[slot, :, : one.picture.shape[0], : one.picture.shape[1]] = normalised(one.picture, spec)
            masks[slot, : one.mask.shape[0], : one.mask.shape[1]] = one.mask
        weights = torch.from_numpy(self.weights[part.indices])
        return Batch(
            images=torch.from_numpy(images),
            masks=torch.from_numpy(masks),
            groups=torch.from_numpy(self.data.groups[part.indices]),
            indices=torch.from_numpy(part.indices),
            weights=weights if mixed is None else weights * mixed.share,
            mixed_masks=None if mixed is None else torch.from_numpy(masks[mixed.partners]),
            mixed_weights=None if mixed is None else weights[torch.from_numpy(mixed.partners)] * (1 - mixed.share),
            **(self._before(pictures, (height, width)) if self.kept is not None else {}),
            **(self._beside(pictures, images.shape, spec) if isinstance(self.source, Counterfactuals) else {}),
        )

    def _beside(self, pictures: list[Shown], shape: tuple[int, ...], spec: PredictorSpec) -> dict[str, torch.Tensor]:
        """The pictures beside those of a batch, and which samples have some; those of classifiers are of one size."""
        beside = np.zeros((shape[0], 2, *shape[1:]), np.float32)
        for slot, one in enumerate(pictures):
            for place, picture in enumerate(one.beside or ()):
                beside[slot, place] = normalised(picture, spec)
        return {"beside": torch.from_numpy(beside), "told": torch.tensor([one.beside is not None for one in pictures])}

    def _before(self, pictures: list[Shown], size_hw: tuple[int, int]) -> dict[str, torch.Tensor]:
        """The logits of the model before, padded with 0 as pictures are, and which pictures have some."""
        before = np.zeros((len(pictures), len(self.data.classes), *size_hw), np.float32)
        for slot, one in enumerate(pictures):
            if one.before is not None:
                before[slot, :, : one.mask.shape[0], : one.mask.shape[1]] = one.before
        return {"before": torch.from_numpy(before), "taught": torch.tensor([one.before is not None for one in pictures])}

    def _changed(self, index: int, epoch: int, turn: int) -> Shown:
        """One sample; CutMix and augmentation have streams of their own, so that either can be switched without changing the other."""
        before, beside = self.kept.read(index) if self.kept is not None else None, None
        if self.source is None:
            picture, mask = self.data.read(index)
        else:
            making = sample_stream(seed=self.seed, epoch=epoch, index=index, turn=turn).spawn(3)[2]
            picture, mask = self.source.read(index, rng=making)
            beside = self.source.beside(index, rng=making) if isinstance(self.source, Counterfactuals) else None
        if self.how is None and not self.cutmix:
            return Shown(picture=picture, mask=mask, before=None if before is None else before.numpy(), beside=beside)
        mixing, changing = sample_stream(seed=self.seed, epoch=epoch, index=index, turn=turn).spawn(2)
        background = self.data.background
        if mixing.random() < self.cutmix:
            other = self.partners.draw(index, mixing)
            partner = None if other is None else self._partner(other, mask.shape)
            picture = background_cutmix(picture, mask, partner=partner, background=background, rng=mixing)
        if self.how is not None and self.data.targets is not None:
            figure = np.ones(picture.shape[:2], np.uint8)  # of a picture without a mask every crop keeps some of the figure
            change = drawn_change(figure, how=self.how, background=0, rng=changing)
            picture, _ = changed(picture, figure, change)
            beside = None if beside is None else (changed(beside[0], figure, change)[0], changed(beside[1], figure, change)[0])
            picture = rand_augmented(picture, rng=changing) if self.heavy else picture
        elif self.how is not None:
            change = drawn_change(mask, how=self.how, background=background, rng=changing)
            picture, mask = changed(picture, mask, change, background=background)
            before = None if before is None else moved(before, change)
        return Shown(picture=picture, mask=mask, before=None if before is None else np.ascontiguousarray(before.numpy()), beside=beside)

    def _partner(self, index: int, size_hw: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        picture, mask = self.data.read(index)
        return (picture, mask) if mask.shape == size_hw else at_size(picture, mask, (size_hw[0], size_hw[1]))


class Loader:
    """The batches of epochs, made ahead in the background.

    With `workers` 0, threads of this process make them, sharing one cache of decoded pictures: decoding, resizing and augmentation let go
    of Python's lock for most of their time. With more, processes do, each with its part of the cache; they start once and serve all epochs,
    so keep the loader open for the whole training. Use it in a `with` statement, or call `close`.

    Args:
        data: the samples.
        options: `batch`, `seed`, `balance`, `augment`, `cutmix` and `workers` are looked at.
        train: shuffled, balanced, weighed and augmented; otherwise each sample once, in order, as it is, with weight 1.
        plan: which samples an epoch of training shows; None = all of them once, or as `balance` says.
        kept: logits of the model before that training batches bring along; None = none.
        source: what makes the pictures of training; None = those of the files.

    Raises:
        InputError: `balance` without groups.
    """

    def __init__(
        self,
        data: TrainData,
        *,
        options: FitOptions,
        train: bool,
        plan: Plan | None = None,
        kept: KeptLogits | None = None,
        source: PictureSource | None = None,
    ) -> None:
        self._data, self._options, self._train, self._plan = data, options, train, plan
        self._maker = BatchMaker(
            data=data,
            seed=options.seed,
            how=augmentation_of(options) if train else None,
            cutmix=options.cutmix if train else 0.0,
            partners=Partners(data.labels, data.contexts),
            weights=(self._weights() if train else np.ones(len(data))).astype(np.float32),
            kept=kept,
            source=source,
            heavy=train and options.augment == "heavy",
        )
        self._threads = ThreadPoolExecutor(1 if options.workers else THREADS, "batches", _compute_alone)
        self._processes = _open_processes(self._maker, options.workers) if options.workers else None
        self._ahead = (options.workers or THREADS) + AHEAD

    def __enter__(self) -> Loader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __len__(self) -> int:
        """Batches of an epoch."""
        return len(self._edges()) - 1

    def close(self) -> None:
        """End threads and processes; batches not yet taken are dropped."""
        if self._processes is not None:
            self._processes.shutdown(wait=True, cancel_futures=True)
        self._threads.shutdown(wait=True, cancel_futures=True)

    def epoch(self, epoch: int, *, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from `start` on, in order.

        Args:
            epoch: number of the epoch, from 0; without meaning outside training.
            start: batches to leave out, in [0, batches of an epoch].

        Raises:
            InputError: an epoch or start that is not there.
            FormatError: a faulty picture or mask, when its batch is reached.
            StateError: a process ended unexpectedly.
        """
        if epoch < 0 or not 0 <= start <= len(self):
            raise InputError(f"`epoch` must be at least 0 and `start` in [0, {len(self)}]; got {epoch} and {start}")
        return self._ahead_of(self.parts(epoch)[start:])

    def parts(self, epoch: int) -> list[Part]:
        """Which samples make each batch of an epoch; a pure function of the data, the options and the epoch."""
        order = np.arange(len(self._data))
        if self._plan is not None:
            order = self._plan.order(seed=self._options.seed, epoch=epoch)
        elif self._train:
            order = epoch_order(self._data.groups, seed=self._options.seed, epoch=epoch, balance=self._options.balance)
        seen = turns(order)
        edges = enumerate(pairwise(self._edges()))
        return [Part(epoch=epoch, indices=order[a:b], turns=seen[a:b], number=number) for number, (a, b) in edges]

    def _weights(self) -> np.ndarray:
        """float64 [samples], what each weighs in the loss."""
        options = self._options
        return loss_weights(self._data.groups, self._data.targets, balance=options.balance, class_weights=options.class_weights)

    def _edges(self) -> np.ndarray:
        """Where batches begin and end in the order of an epoch."""
        return batch_edges(len(self._data if self._plan is None else self._plan), self._options.batch)

    def _ahead_of(self, parts: list[Part]) -> Iterator[Batch]:
        waiting: deque[Future[Batch]] = deque()
        try:
            for part in parts:
                waiting.append(self._submitted(part))
                if len(waiting) > self._ahead:
                    yield _taken(waiting.popleft())
            while waiting:
                yield _taken(waiting.popleft())
        finally:
            for future in waiting:
                future.cancel()

    def _submitted(self, part: Part) -> Future[Batch]:
        if self._processes is None:
            return self._threads.submit(lambda: self._maker.finished(self._maker.pictures(part), part))
        try:
            made = self._processes.submit(_work, part)
        except BrokenProcessPool as error:
            raise _process_lost() from error
        return self._threads.submit(lambda: self._maker.finished(made.result(), part))


def _compute_alone() -> None:
    """Makes torch compute without helpers in the thread that calls this, and in no other.

    With helpers, each loader thread would have a team of its own for the cores that the network's team is on, whose members wait for one
    another at every step.
    """
    torch.get_num_threads()  # takes torch's number over from the process, once in a thread; it would undo what follows
    threadpool_limits(1, user_api="openmp")


_maker: BatchMaker | None = None


def _open_processes(maker: BatchMaker, workers: int) -> ProcessPoolExecutor:
    """Processes with their own copy of the maker, which share the memory for decoded pictures between them."""
    limit = maker.data.cache.limit_bytes // workers
    copy = replace(maker, data=replace(maker.data, cache=PictureCache(limit)))
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    return ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context(method), initializer=_start_worker, initargs=(copy, dict(os.environ))
    )


def _start_worker(maker: BatchMaker, environment: dict[str, str]) -> None:
    global _maker  # the one place where a loader process keeps what it works with
    take_environment(environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's to answer
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    _maker = maker


def _end_with_parent() -> None:
    """Ends this process when the one that wanted its work is gone, however that ended."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _work(part: Part) -> list[Shown]:
    assert _maker is not None
    return _maker.pictures(part)


def _taken(future: Future[Batch]) -> Batch:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise _process_lost() from error


def _process_lost() -> StateError:
    return StateError(
        "a process that loads pictures ended unexpectedly, perhaps for want of memory. Start again with fewer --workers; "
        "training goes on from its last checkpoint"
    )

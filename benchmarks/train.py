"""The training loop against the bare one: how much of the time the network is at work.

    python -m benchmarks.train [--quick] [--data DIR] [--size 128] [--batch 8] [--epochs 2] [--workers 0]

Both sides train the same U-Net from the same weights on the same pictures of animals4 for the same number of steps. The bare loop has
every batch ready in memory, decoded, augmented and normalised, and does nothing but forward, loss, backward and step. Ours does all that
training does: it decodes, resizes and augments in the background, checks loss and gradient, keeps curves and writes its state at the end.
Before anything is timed, the weights of both after the same steps are compared.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.results import Row, duration, of_ratio, tell, write_rows, write_skipped
from benchmarks.timing import Seconds, ratio

try:
    import segmentation_models_pytorch as smp  # noqa: F401
    import torch
except ImportError as error:
    write_skipped("train", f"{error.name} is not installed")
    raise SystemExit(0) from error

from figureground.data.dataset import Dataset, open_dataset
from figureground.models.fit.batch import Batch
from figureground.models.fit.data import train_data
from figureground.models.fit.loader import Loader
from figureground.models.fit.loop import fit
from figureground.models.fit.networks import Network, network_to_train
from figureground.models.fit.objectives import CrossEntropy
from figureground.models.fit.options import FitOptions
from figureground.models.fit.step import make_optimizer

TARGET = 0.9


def bare_loop(network: Network, batches: Sequence[Batch], options: FitOptions, *, epochs: int) -> Network:
    """What one writes without a library, with nothing to load."""
    objective, optimizer = CrossEntropy(), make_optimizer(network, options)
    network.train()
    for _ in range(epochs):
        for batch in batches:
            optimizer.zero_grad(set_to_none=True)
            objective(network(batch.images), batch.masks, batch.groups, batch.weights).backward()
            optimizer.step()
    return network


def ready_batches(data: Dataset, options: FitOptions) -> list[Batch]:
    """The batches of the first epoch, as ours makes them."""
    with Loader(train_data(data, size=options.size, norm=options.norm, stride_px=32), options=options, train=True) as loader:
        return list(loader.epoch(0))


def ours(network: Network, data: Dataset, options: FitOptions, folder: Path) -> Network:
    """Everything, from files that are not read yet."""
    found = train_data(data, size=options.size, norm=options.norm, stride_px=32)
    fit(network, train=found, val=None, options=options, state_dir=folder)
    return network


def check_agreement(start: Network, data: Dataset, batches: Sequence[Batch], options: FitOptions, folder: Path) -> None:
    """Stop unless one epoch of both gives the same weights, but for rounding."""
    once = dataclasses.replace(options, epochs=1)
    bare, full = bare_loop(copy.deepcopy(start), batches, once, epochs=1), ours(copy.deepcopy(start), data, once, folder)
    most = max(float((a - b).detach().abs().max()) for a, b in zip(bare.parameters(), full.parameters(), strict=True))
    if most > 1e-5:
        raise SystemExit(f"the bare loop and ours end in other weights: they differ by up to {most:.2g}")


def in_turn(sides: dict[str, Callable[[int], object]], *, rounds: int) -> dict[str, Seconds]:
    """Seconds of each side, which are called with the number of the round and take turns."""
    wall: dict[str, list[float]] = {name: [] for name in sides}
    cpu: dict[str, list[float]] = {name: [] for name in sides}
    for n in range(rounds):
        for name, call in sides.items():
            start, start_cpu = time.perf_counter(), time.process_time()
            call(n)
            wall[name].append(time.perf_counter() - start)
            cpu[name].append(time.process_time() - start_cpu)
    return {name: Seconds(wall=tuple(wall[name]), cpu=tuple(cpu[name])) for name in sides}


def measure(data: Dataset, options: FitOptions, *, rounds: int, folder: Path) -> Row:
    """The row of a data set, after a look that both sides do the same."""
    start, _ = network_to_train(options, classes=len(data.classes))
    batches = ready_batches(data, options)
    check_agreement(start, data, batches, options, folder / "check")
    seconds = in_turn(
        {
            "bare": lambda _: bare_loop(copy.deepcopy(start), batches, options, epochs=options.epochs),
            "ours": lambda n: ours(copy.deepcopy(start), data, options, folder / f"round{n}"),
        },
        rounds=rounds,
    )
    pictures = options.epochs * len(data)
    loaders = f"{options.workers} loader processes" if options.workers else "loader threads"
    return Row(
        benchmark="train",
        what="train",
        on=f"{len(data)} pictures of animals4, {options.size} px, batch {options.batch}, {options.augment}, {loaders}",
        peer="a bare loop with its batches in memory",
        kind="times as fast",
        target=TARGET,
        **of_ratio(ratio(seconds["bare"], seconds["ours"])),
        ours=f"{duration(seconds['ours'].median / pictures)} a picture",
        theirs=f"{duration(seconds['bare'].median / pictures)} a picture",
        numbers={
            "architecture": options.architecture,
            "torch_threads": torch.get_num_threads(),
            "rounds": rounds,
            "epochs": options.epochs,
            "seconds": {name: side.wall for name, side in seconds.items()},
        },
    )


def main() -> None:
    """Measures and writes one row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--architecture", default="smp:unet/resnet18")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    if not (given.data / "animals4").is_dir():
        write_skipped("train", "the pictures of animals4 are not here")
        return
    whole = open_dataset(str(given.data / "animals4"))
    data = whole.select(ids=whole.ids[:: len(whole) // (32 if given.quick else 160)][: 32 if given.quick else 160])
    options = FitOptions(
        architecture=given.architecture,
        size=given.size,
        batch=given.batch,
        epochs=1 if given.quick else given.epochs,
        augment="label-flips",
        schedule="constant",
        workers=given.workers,
        device="cpu",
    )
    tell(f"train: {len(data)} pictures, {options.epochs} epochs a round")
    with tempfile.TemporaryDirectory() as folder:
        write_rows([measure(data, options, rounds=1 if given.quick else given.rounds, folder=Path(folder))])


if __name__ == "__main__":
    main()

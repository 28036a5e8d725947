"""`predict` against a bare loop over the same pictures, network and threads: decode, prepare, forward, resize, argmax.

    python -m benchmarks.predict [--quick] [--data ../shared/data] [--batch 8] [--size 384] [--ground 0.7]

The network is a U-Net on EfficientNet-Lite0 with ImageNet weights and an untrained decoder of 21 channels, whose background is
raised until it wins `--ground` of the pixels: what is predicted does not matter here, how much of it is foreground does. The
loop stops at the label map; `predict` also encodes runs, computes four risk scores per picture and one per region, and writes
the artifact. Before anything is timed, the label maps of both are compared pixel by pixel.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from benchmarks.results import Row, duration, of_ratio, tell, write_rows, write_skipped
from benchmarks.timing import Seconds, ratio

try:
    import segmentation_models_pytorch as smp
    import torch
    from safetensors.torch import load_file, save_file
except ImportError as error:
    write_skipped("predict", f"{error.name} is not installed")
    raise SystemExit(0) from error

from figureground.core.types import Sample
from figureground.data.dataset import Dataset, open_dataset
from figureground.data.labelmap import decode_runs
from figureground.data.pixels import read_picture
from figureground.data.predictions import open_predictions
from figureground.models.inputs import network_planes, plan_input
from figureground.models.predictor import Predictor, PredictorSpec, open_predictor
from figureground.stages.predict.options import PredictOptions
from figureground.stages.predict.stage import run_predict

ENCODER, TARGET = "tu-tf_efficientnet_lite0", 0.95


def bare_loop(samples: Sequence[Sample], network: torch.nn.Module, spec: PredictorSpec, batch: int) -> list[np.ndarray]:
    """What one writes without a library: label maps at native size, nothing else, nothing overlapped."""
    maps = []
    with torch.inference_mode():
        for start in range(0, len(samples), batch):
            pictures = [cv2.cvtColor(cv2.imread(s.image, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB) for s in samples[start : start + batch]]
            inputs = [network_planes(p, plan_input(p.shape[:2], spec), spec) for p in pictures]
            logits = network(torch.from_numpy(np.stack(inputs)))
            for one, picture in zip(logits, pictures, strict=True):
                native = torch.nn.functional.interpolate(one[None], size=picture.shape[:2], mode="bilinear", align_corners=False)
                maps.append(native.argmax(1)[0].to(torch.uint8).numpy())
    return maps


def write_network(path: Path, encoder_weights: Path, samples: Sequence[Sample], *, ground: float, size: int) -> str:
    """Writes the network of the benchmark and returns its spec."""
    torch.manual_seed(0)
    network = smp.Unet(ENCODER, encoder_weights=None, classes=21)
    if encoder_weights.is_file():
        state = {f"model.{name}": tensor for name, tensor in load_file(encoder_weights).items()}
        network.encoder.load_state_dict({name: state[name] for name in network.encoder.state_dict() if name in state}, strict=False)
    spec = PredictorSpec(kind="smp", where="x", classes=21, size_hw=(size, size), mean=(0.5,) * 3, std=(0.5,) * 3)
    pictures = [read_picture(s.image) for s in samples[:8]]
    inputs = torch.from_numpy(np.stack([network_planes(p, plan_input(p.shape[:2], spec), spec) for p in pictures]))
    with torch.no_grad():
        network.train()
        network(inputs)
        logits = network.eval()(inputs)
        lead = logits[:, 1:].amax(1) - logits[:, 0]
        network.segmentation_head[0].bias[0] += torch.quantile(lead.flatten()[::7], ground)
    save_file(network.state_dict(), path)
    return f"smp:unet/{ENCODER}?weights={path}&classes=21&size={size}&norm=half"


def check_agreement(maps: Sequence[np.ndarray], out: Path, data: Dataset) -> None:
    """Stop unless both sides give the same label maps, but for ties between rounding errors."""
    predictions = open_predictions(str(out), data.classes)
    differing = [(decode_runs(predictions.source.read(i)) != m).mean() for i, m in zip(data.ids, maps, strict=True)]
    if max(differing) > 1e-3:
        raise SystemExit(f"the loop and predict differ at {max(differing):.2%} of the pixels of {data.ids[int(np.argmax(differing))]}")


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


def measure(data: Dataset, predictor: Predictor, *, batch: int, rounds: int, folder: Path) -> Row:
    """The row of a data set, after a look that both sides give the same label maps."""
    network = smp.Unet(ENCODER, encoder_weights=None, classes=21).eval()
    network.load_state_dict(load_file(predictor.spec.weights))
    options = PredictOptions(batch=batch, device="cpu")
    few = data.select(ids=data.ids[: 2 * batch])
    check_agreement(
        bare_loop(few.samples, network, predictor.spec, batch), run_predict(predictor, few, options=options, out=folder / "few"), few
    )
    sides: dict[str, Callable[[int], object]] = {
        "loop": lambda _: bare_loop(data.samples, network, predictor.spec, batch),
        "predict": lambda n: run_predict(predictor, data, options=options, out=folder / f"round{n}"),
    }
    seconds = in_turn(sides, rounds=rounds)
    loop, ours = seconds["loop"], seconds["predict"]
    return Row(
        benchmark="predict",
        what="predict",
        on=f"{len(data)} pictures of voc21, {predictor.spec.size_hw[0]} px, batch {batch}",
        peer="a bare loop",
        kind="times as fast",
        target=TARGET,
        **of_ratio(ratio(loop, ours)),
        ours=f"{duration(ours.median / len(data))} a picture",
        theirs=f"{duration(loop.median / len(data))} a picture",
        numbers={"torch_threads": torch.get_num_threads(), "rounds": rounds, "seconds": {"loop": loop.wall, "predict": ours.wall}},
    )


def main() -> None:
    """Measures and writes one row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--ground", type=float, default=0.7, help="share of the pixels that background wins")
    given = parser.parse_args()
    if not (given.data / "voc21").is_dir():
        write_skipped("predict", "the pictures of voc21 are not here")
        return
    whole, wanted = open_dataset(str(given.data / "voc21")), 24 if given.quick else 128
    data = whole.select(ids=whole.ids[:: len(whole) // wanted][:wanted])
    tell(f"predict: {len(data)} pictures")
    with tempfile.TemporaryDirectory() as folder:
        weights = given.data / "weights" / "tf_efficientnet_lite0.imagenet1k.safetensors"
        model = write_network(Path(folder) / "unet.safetensors", weights, data.samples, ground=given.ground, size=given.size)
        predictor = open_predictor(model)
        write_rows([measure(data, predictor, batch=given.batch, rounds=2 if given.quick else 5, folder=Path(folder))])


if __name__ == "__main__":
    main()

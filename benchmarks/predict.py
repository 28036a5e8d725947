"""`predict` against a bare loop over the same pictures, network and threads: decode, prepare, forward, resize, argmax.

    python benchmarks/predict.py [--data ../shared/data] [--pictures 128] [--rounds 3] [--batch 8] [--size 384]

The network is a U-Net on EfficientNet-Lite0 with ImageNet weights and an untrained decoder of 21 channels, whose background is
raised until it wins `--ground` of the pixels: what is predicted does not matter here, how much of it is foreground does. The
loop stops at the label map; `predict` also encodes runs, computes four risk scores per picture and one per region, and writes
the artifact. Rounds alternate, so that a machine which slows down slows both. The target is a ratio of at least 0.95.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import segmentation_models_pytorch as smp
import torch
from safetensors.torch import load_file, save_file

from figureground.core.types import Sample
from figureground.data.dataset import Dataset, open_dataset
from figureground.models.inputs import network_planes, plan_input
from figureground.models.pictures import read_picture
from figureground.models.predictor import PredictorSpec, open_predictor
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


def measure(data: Dataset, model: str, *, batch: int, rounds: int, folder: Path) -> dict[str, list[float]]:
    """Seconds of each round of `loop` and `predict`, alternating, after one round of each on a few pictures to warm up."""
    predictor = open_predictor(model)
    network = smp.Unet(ENCODER, encoder_weights=None, classes=21).eval()
    network.load_state_dict(load_file(predictor.spec.weights))
    options, few = PredictOptions(batch=batch, device="cpu"), data.select(ids=data.ids[: 2 * batch])
    bare_loop(few.samples, network, predictor.spec, batch)
    run_predict(predictor, few, options=options, out=folder / "warm")
    seconds: dict[str, list[float]] = {"loop": [], "predict": []}
    for n in range(rounds):
        start = time.perf_counter()
        bare_loop(data.samples, network, predictor.spec, batch)
        seconds["loop"].append(time.perf_counter() - start)
        start = time.perf_counter()
        run_predict(predictor, data, options=options, out=folder / f"round{n}")
        seconds["predict"].append(time.perf_counter() - start)
    return seconds


def main() -> int:
    """Prints one line of JSON; returns 1 below the target."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--pictures", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--ground", type=float, default=0.7, help="share of the pixels that background wins")
    given = parser.parse_args()
    if not (given.data / "voc21").is_dir():
        print(json.dumps({"benchmark": "predict", "skipped": f"no data set at {given.data / 'voc21'}"}))
        return 0
    whole = open_dataset(str(given.data / "voc21"))
    every = max(1, len(whole) // given.pictures)
    data = whole.select(ids=whole.ids[::every][: given.pictures])
    with tempfile.TemporaryDirectory() as folder:
        weights = given.data / "weights" / "tf_efficientnet_lite0.imagenet1k.safetensors"
        model = write_network(Path(folder) / "unet.safetensors", weights, data.samples, ground=given.ground, size=given.size)
        seconds = measure(data, model, batch=given.batch, rounds=given.rounds, folder=Path(folder))
    ratios = [loop / ours for loop, ours in zip(seconds["loop"], seconds["predict"], strict=True)]
    found = {
        "benchmark": "predict",
        "pictures": len(data),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "pictures_per_second": {name: round(len(data) / statistics.median(values), 2) for name, values in seconds.items()},
        "ratio": round(statistics.median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "target": TARGET,
    }
    print(json.dumps(found))
    return 0 if found["ratio"] >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())

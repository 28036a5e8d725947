"""Trains a small inpainting network on photographs and saves it as TorchScript, in the form that `swap infill --infill torchscript:FILE` takes.

python scripts/small_inpainter.py PICTURES OUT.pt [--steps N]      PICTURES is a folder with JPEG files, at any depth

It shows how such a network is made and exported, no more: minutes on one core, and blurred where a large one is sharp.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

SIDE, BATCH, WIDTH = 64, 16, 32


class SmallInpainter(nn.Module):
    """Picture in [-1, 1] with 1 in the hole, and the hole as fourth channel -> picture in [-1, 1], [batch, 3, height, width]."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(_layer(4, WIDTH), _layer(WIDTH, 2 * WIDTH, stride=2), _layer(2 * WIDTH, 4 * WIDTH, stride=2))
        self.far = nn.Sequential(*(_layer(4 * WIDTH, 4 * WIDTH, dilation=step) for step in (1, 2, 4, 8)))
        self.up = nn.Sequential(_layer(4 * WIDTH, 2 * WIDTH), nn.Upsample(scale_factor=2.0), _layer(2 * WIDTH, WIDTH))
        self.out = nn.Sequential(nn.Upsample(scale_factor=2.0), _layer(WIDTH, WIDTH), nn.Conv2d(WIDTH, 3, 3, padding=1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        height, width = x.shape[2], x.shape[3]
        made = self.out(self.up(self.far(self.down(x))))
        return torch.tanh(nn.functional.interpolate(made, [height, width]))


def _layer(inputs: int, outputs: int, *, stride: int = 1, dilation: int = 1) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, dilation, dilation), nn.ReLU())


def hole(rng: np.random.Generator) -> np.ndarray:
    """An ellipse of a tenth to a half of the sides, turned, anywhere; bool, [SIDE, SIDE]."""
    made = np.zeros((SIDE, SIDE), np.uint8)
    axes = rng.integers(SIDE // 10, SIDE // 4, 2)
    centre = rng.integers(SIDE // 6, SIDE - SIDE // 6, 2)
    cv2.ellipse(made, [int(v) for v in centre], [int(v) for v in axes], float(rng.uniform(0, 180)), 0, 360, 1, -1)
    return made.astype(bool)


def train(files: list[Path], steps: int) -> SmallInpainter:
    """Learns to say what stood in holes: mean absolute error there, and a tenth of it elsewhere."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    pictures = np.stack([cv2.resize(cv2.imread(str(f)), (SIDE, SIDE), interpolation=cv2.INTER_AREA)[..., ::-1] for f in files])
    network = SmallInpainter()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        truth = torch.from_numpy(pictures[rng.integers(len(pictures), size=BATCH)].transpose(0, 3, 1, 2) / np.float32(127.5) - 1)
        gap = torch.from_numpy(np.stack([hole(rng) for _ in range(BATCH)])[:, None].astype(np.float32))
        error = (network(torch.cat([truth * (1 - gap) + gap, gap], 1)) - truth).abs()
        loss = (error * (0.1 + gap)).sum() / (3 * (0.1 + gap).sum())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step}: {loss.item():.4f}", flush=True)
    return network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=3000)
    given = parser.parse_args()
    network = train(sorted(given.pictures.rglob("*.jpg")), given.steps).eval()
    torch.jit.script(network).save(str(given.out))


if __name__ == "__main__":
    main()

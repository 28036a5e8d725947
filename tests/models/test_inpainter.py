"""Inpainting networks: what they are given, that only the hole is replaced, and files that do not fit."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from figureground.core.errors import InputError
from figureground.models.inpainter import open_inpainter
from figureground.stages.swap.fill import Holed, filled, filled_all, open_fill, together


class Blur(nn.Module):
    """The mean of what is known around a pixel: weighs 9 x 9 neighbours by one minus the mask, with one learned gain."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(0.2))
        self.register_buffer("kernel", torch.ones(1, 1, 25, 25))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        known = 1 - x[:, 3:]
        planes = [nn.functional.conv2d(x[:, c : c + 1] * known, self.kernel, padding=12) for c in range(3)]
        weight = nn.functional.conv2d(known, self.kernel, padding=12).clamp_min(1e-3)
        return torch.cat(planes, 1) / weight * self.gain


class Two(nn.Module):
    """Of two inputs: says what it was given, so that the form of the input can be seen."""

    def forward(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return -image * (1 - mask) + 0.5 * mask


def scene(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    picture = np.full((37, 50, 3), rng.integers(40, 200, 3), np.uint8)
    hole = np.zeros((37, 50), bool)
    hole[10:20, 20:33] = True
    picture[hole] = rng.integers(0, 256, 3)
    return picture, hole


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A tiny network that learned, in a hundred steps, to take the colour from around the hole; saved as TorchScript."""
    torch.manual_seed(0)
    network, where = Blur(), tmp_path_factory.mktemp("net") / "blur.pt"
    optimizer = torch.optim.Adam(network.parameters(), lr=0.05)
    for step in range(100):
        picture, hole = scene(step)
        truth = torch.from_numpy(picture[0, 0].astype(np.float32) / 127.5 - 1)
        image = torch.from_numpy(picture.transpose(2, 0, 1).astype(np.float32) / 127.5 - 1)[None]
        gap = torch.from_numpy(hole.astype(np.float32))[None, None]
        made = network(torch.cat([image * (1 - gap) + gap, gap], 1))
        loss = ((made[0, :, 15, 26] - truth) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.jit.script(network).save(str(where))
    return where


def test_a_trained_network_fills_the_hole_alone(trained):
    """The colour around the hole within a few levels; outside it every pixel to the bit; the same twice."""
    fill = open_fill(f"torchscript:{trained}")
    picture, hole = scene(7)
    made, _ = filled(picture, hole, fill, np.random.default_rng(0))
    assert np.array_equal(made[~hole], picture[~hole])
    assert np.abs(made[hole].astype(int) - picture[0, 0]).max() <= 8
    assert np.array_equal(made, filled(picture, hole, fill, np.random.default_rng(1))[0])


def test_two_inputs_and_a_size(tmp_path):
    """Picture in [-1, 1] and mask apart; 0.5 comes back as level 191; at another size the hole is filled all the same."""
    torch.jit.script(Two()).save(str(tmp_path / "two.pt"))
    for spec in ("", "?size=16"):
        picture, hole = scene()
        made, _ = filled(picture, hole, open_fill(f"torchscript:{tmp_path / 'two.pt'}{spec}"), np.random.default_rng(0))
        inner = hole & np.pad(hole[2:-2, 2:-2], 2)
        inner[:13] = inner[17:] = inner[:, :24] = inner[:, 29:] = False
        assert (np.abs(made[inner].astype(int) - 191) <= 1).all()
        assert np.array_equal(made[~hole], picture[~hole])


def export(path, *, channels=4, out=3, side="h", value=None, count="n"):
    """An ONNX network: a 1 x 1 convolution that gives the hole's value of -0.5, or `value` everywhere."""
    kernel = np.zeros((out, channels, 1, 1), np.float32)
    if channels == 4:
        kernel[:, 3] = -0.5 if value is None else value
    node = helper.make_node("Conv", ["image", "kernel"], ["made"])
    shapes = [("image", [count, channels, side, side]), ("made", [count, out, side, side])]
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes]
    graph = helper.make_graph([node], "net", tensors[:1], tensors[1:], [numpy_helper.from_array(kernel, "kernel")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return path


def test_an_onnx_network(tmp_path):
    """-0.5 comes back as level 64; a fixed size is read from the model."""
    picture, hole = scene()
    for name, side in (("free", "h"), ("fixed", 32)):
        where = export(tmp_path / f"{name}.onnx", side=side)
        assert open_inpainter("onnx", str(where), {}).size_hw == (None if side == "h" else (32, 32))
        made, _ = filled(picture, hole, open_fill(f"onnx:{where}"), np.random.default_rng(0))
        assert (np.abs(made[12:18, 23:30].astype(int) - 64) <= 1).all()
        assert np.array_equal(made[~hole], picture[~hole])


@pytest.mark.parametrize(("count", "batch"), [("n", 8), (1, 1)])
def test_pictures_of_one_size_go_through_together(tmp_path, count, batch):
    """Three sizes in turn, one by one where the network was exported so; each as it is alone."""
    found = open_inpainter("onnx", str(export(tmp_path / "net.onnx", count=count)), {})
    assert found.batch == batch
    seen = []
    watched = dataclasses.replace(found, run=lambda planes, gap: seen.append(planes.shape) or found.run(planes, gap))
    scenes = [(picture[:rows], hole[:rows]) for rows, (picture, hole) in zip([37, 30, 37, 14, 30, 37], map(scene, range(6)), strict=True)]
    made = watched.many(*map(list, zip(*scenes, strict=True)))
    assert all(np.array_equal(one, found(*alone)) for one, alone in zip(made, scenes, strict=True))
    together = [(3, 3, 40, 56), (2, 3, 32, 56), (1, 3, 16, 56)]
    assert seen == (together if batch > 1 else [(1, *shape[1:]) for shape in together for _ in range(shape[0])])


def test_a_network_fills_the_backgrounds_of_a_stage(tmp_path):
    """Of two sizes in turn, and one hole that is empty at the size of the backgrounds."""
    fill = open_fill(f"onnx:{export(tmp_path / 'net.onnx')}")
    assert together(fill) == 8
    assert together(open_fill("telea")) == 1
    scenes = [scene(n) for n in range(3)]
    scenes[1][1][:] = False
    holed = [Holed(picture=picture, hole=hole, rng=np.random.default_rng(0)) for picture, hole in scenes]
    for way in (fill, open_fill("mean")):
        made = filled_all(holed, way)
        assert all(np.array_equal(a, filled(b.picture, b.hole, way, b.rng)[0]) for a, b in zip(made, holed, strict=True))
        assert np.array_equal(made[1], scenes[1][0])


def test_networks_that_do_not_fit_are_told(tmp_path, trained):
    """Wrong channels in or out, no numbers, no network, a size the network cannot take."""
    (tmp_path / "no.onnx").write_bytes(b"no")
    (tmp_path / "no.pt").write_bytes(b"no")
    wrong = {
        f"onnx:{export(tmp_path / 'three.onnx', channels=3)}": "four channels",
        f"onnx:{export(tmp_path / 'one.onnx', out=1)}": "must give",
        f"onnx:{export(tmp_path / 'nan.onnx', value=np.nan)}": "not finite",
        f"onnx:{export(tmp_path / 'fixed.onnx', side=32)}?size=48": "32 x 32 only",
        f"onnx:{tmp_path / 'no.onnx'}": "no model",
        f"torchscript:{tmp_path / 'no.pt'}": "no TorchScript",
        f"torchscript:{trained}?size=big": "whole number",
    }
    for spec, words in wrong.items():
        with pytest.raises(InputError, match=words):
            open_fill(spec)

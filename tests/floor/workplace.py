"""A folder in which every command of the pages can really be run: the demo, and its pictures laid out as each page says they are."""

from __future__ import annotations

import csv
import json
import re
import stat
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from figureground.stages.shift.figures.picture import draw_picture
from figureground.stages.shift.figures.placing import Manner

ROOT = Path(__file__).resolve().parents[2]
ANIMALS, GROUNDS = ("duck", "hare", "cat"), ("shore", "forest", "street")
SIZE = 120
BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block of a page."""

    language: str
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A picture with its truth and a prediction that errs."""

    id: str
    label: str
    context: str
    image: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [
        Block(language=language, title="".join(re.findall(r'title="([^"]*)"', rest)), text=text)
        for language, rest, text in BLOCK.findall(page.read_text(encoding="utf-8"))
    ]


def make_workplace(folder: Path) -> Path:
    """Everything the pages name but the demo itself, which the first page makes."""
    command = folder / "bin" / "figureground"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m figureground "$@"\n')
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    shots = list(_shots())
    for shot in shots:
        _png(folder / "masks" / f"{shot.id}.png", shot.truth)
        _png(folder / "predictions" / f"{shot.id}.png", shot.predicted)
    _own(folder, shots)
    _voc(folder, shots)
    _coco(folder, shots)
    _pets(folder, shots)
    _waterbirds(folder, shots)
    _cutouts(folder, shots)
    _models(folder)
    return folder


def _shots() -> Iterable[Shot]:
    """Each animal twice on each ground; a prediction that is the truth moved, with the animals of one ground renamed."""
    for index, (label, context) in enumerate((a, b) for a in ANIMALS for b in GROUNDS for _ in (0, 1)):
        drawn = draw_picture(label, context, size=SIZE, key=(7, index), manner=Manner(area_low=0.1, area_high=0.2))
        truth = drawn.figure.astype(np.uint8) * np.uint8(1 + ANIMALS.index(label))
        predicted = np.roll(truth, 2, axis=1)
        if context == "forest":
            predicted[predicted > 0] = 2
        yield Shot(id=f"a{index:03d}", label=label, context=context, image=drawn.image, truth=truth, predicted=predicted)


def _own(folder: Path, shots: list[Shot]) -> None:
    """`my-data` as the page on own data describes it, with that page's own TOML and header."""
    page = blocks(ROOT / "docs" / "how-to" / "own-data.md")
    toml = next(block.text for block in page if block.language == "toml")
    header = next(block.text for block in page if block.language == "csv").splitlines()[0].split(",")
    data = folder / "my-data"
    for shot in shots:
        _jpg(data / "images" / f"{shot.id}.jpg", shot.image)
        _png(data / "masks" / f"{shot.id}.png", shot.truth)
        _png(folder / "my-predictions" / f"{shot.id}.png", shot.predicted)
    (data / "dataset.toml").write_text(toml)
    rows = [
        {
            "id": shot.id,
            "image": f"images/{shot.id}.jpg",
            "mask": f"masks/{shot.id}.png",
            "label": shot.label,
            "split": "test",
            "context": shot.context,
            "camera": ("north", "south")[place % 2],
        }
        for place, shot in enumerate(shots)
    ]
    _table(data / "samples.csv", header, rows)


def _voc(folder: Path, shots: list[Shot]) -> None:
    year = folder / "VOCdevkit" / "VOC2012"
    ids = np.array([0, 3, 8, 12], np.uint8)  # bird, cat and dog stand in for the three animals
    for shot in shots:
        _jpg(year / "JPEGImages" / f"{shot.id}.jpg", shot.image)
        _png(year / "SegmentationClass" / f"{shot.id}.png", ids[shot.truth], palette=True)
        _png(folder / "voc-predictions" / f"{shot.id}.png", ids[shot.predicted])
    lists = year / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("".join(f"{shot.id}\n" for shot in shots))


def _coco(folder: Path, shots: list[Shot]) -> None:
    from pycocotools import mask

    ids = np.array([0, 16, 17, 18], np.uint8)
    images, annotations = [], []
    for number, shot in enumerate(shots, start=1):
        name = f"{number:012d}.jpg"
        _jpg(folder / "val" / name, shot.image)
        _png(folder / "coco-predictions" / f"{number}.png", ids[shot.predicted])
        height, width = shot.truth.shape
        images.append({"id": number, "file_name": name, "height": height, "width": width})
        rle = mask.encode(np.asfortranarray((shot.truth > 0).astype(np.uint8)))
        annotations.append(
            {
                "id": number,
                "image_id": number,
                "category_id": int(ids[shot.truth.max()]),
                "iscrowd": 0,
                "area": int((shot.truth > 0).sum()),
                "segmentation": {"size": [height, width], "counts": rle["counts"].decode()},
            }
        )
    categories = [{"id": int(i), "name": name} for i, name in zip(ids[1:], ("bird", "cat", "dog"), strict=True)]
    (folder / "annotations").mkdir()
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations" / "instances_val.json").write_text(json.dumps(content))


def _pets(folder: Path, shots: list[Shot]) -> None:
    pets = folder / "oxford-iiit-pet"
    lines = []
    for number, shot in enumerate((s for s in shots if s.label in ("hare", "cat")), start=1):
        species = 1 if shot.label == "cat" else 2
        name = f"{'Bengal' if species == 1 else 'beagle'}_{number}"
        _jpg(pets / "images" / f"{name}.jpg", shot.image)
        figure = (shot.truth > 0).astype(np.uint8)
        border = cv2.dilate(figure, np.ones((3, 3), np.uint8)) - cv2.erode(figure, np.ones((3, 3), np.uint8))
        _png(pets / "annotations" / "trimaps" / f"{name}.png", np.where(border > 0, 3, 2 - figure).astype(np.uint8))
        _png(folder / "pet-predictions" / f"{name}.png", (np.roll(figure, 2, axis=1) * species).astype(np.uint8))
        lines.append(f"{name} {species} {species} 1\n")
    annotations = pets / "annotations"
    (annotations / "list.txt").write_text("#Image CLASS-ID SPECIES BREED ID\n" + "".join(lines))
    (annotations / "test.txt").write_text("".join(lines[1:]))
    (annotations / "trainval.txt").write_text(lines[0])


def _waterbirds(folder: Path, shots: list[Shot]) -> None:
    birds, rows = folder / "waterbirds", []
    for number, shot in enumerate(s for s in shots if s.label == "duck" or s.context != "street"):
        y, place = int(shot.label == "duck"), int(shot.context == "shore")
        name = f"{number:03d}.Bird/bird_{number}"
        _jpg(birds / f"{name}.jpg", shot.image)
        _png(birds / "masks" / f"{name}.png", (shot.truth > 0).astype(np.uint8) * (1 + y))
        _png(folder / "bird-predictions" / f"{name}.png", (np.roll(shot.truth, 2, axis=1) > 0).astype(np.uint8) * (1 + place))
        rows.append({"img_id": number, "img_filename": f"{name}.jpg", "y": y, "split": 2, "place": place, "place_filename": "x.jpg"})
    _table(birds / "metadata.csv", list(rows[0]), rows)


def _cutouts(folder: Path, shots: list[Shot]) -> None:
    """`animals`, in which duck and hare stand in for flamingo and emu, and `scenes` with a subfolder each of plain seas, forests, streets."""
    names = {"duck": "flamingo", "hare": "emu"}
    rows = []
    for shot in (s for s in shots if s.label in names):
        _jpg(folder / "animals" / "images" / f"{shot.id}.jpg", shot.image)
        value = 1 + list(names).index(shot.label)
        _png(folder / "animals" / "masks" / f"{shot.id}.png", (shot.truth > 0).astype(np.uint8) * np.uint8(value))
        rows.append({"id": shot.id, "image": f"images/{shot.id}.jpg", "mask": f"masks/{shot.id}.png", "label": names[shot.label]})
    _table(folder / "animals" / "samples.csv", list(rows[0]), rows)
    classes = '[classes]\nnames = ["background", "flamingo", "emu"]\n[samples]\ntable = "samples.csv"\n'
    (folder / "animals" / "dataset.toml").write_text(classes)
    rng = np.random.default_rng(0)
    for name, colour in (("sea", (40, 90, 160)), ("forest", (50, 100, 40)), ("street", (120, 120, 120))):
        for number in range(12):
            scene = np.clip(rng.normal(colour, 20, (80, 100, 3)), 0, 255).astype(np.uint8)
            _jpg(folder / "scenes" / name / f"{number}.jpg", scene)


def _models(folder: Path) -> None:
    """A small ONNX network, and weights of a small U-Net, both of random numbers."""
    import onnx
    import segmentation_models_pytorch as smp
    import torch
    from onnx import TensorProto, helper, numpy_helper
    from safetensors.torch import save_file

    kernel = np.random.default_rng(0).normal(size=(4, 3, 1, 1)).astype(np.float32)
    node = helper.make_node("Conv", ["image", "kernel"], ["logits"])
    tensors = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", channels, "h", "w"])
        for name, channels in (("image", 3), ("logits", 4))
    ]
    graph = helper.make_graph([node], "net", tensors[:1], tensors[1:], [numpy_helper.from_array(kernel, "kernel")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(folder / "net.onnx"))
    torch.manual_seed(0)
    network = smp.Unet("resnet18", encoder_weights=None, classes=4)
    save_file(network.state_dict(), str(folder / "unet.safetensors"))


def _png(path: Path, label_map: np.ndarray, *, palette: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(label_map)
    if palette:
        image.putpalette(np.random.default_rng(1).integers(0, 256, 768).astype(np.uint8).tolist())
    image.save(path)


def _jpg(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, quality=92)


def _table(path: Path, columns: list[str], rows: Iterable[dict[str, object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)

"""A thousand random corruptions of masks, tables, TOML, JSON, NPY and Parquet: only faults that name the file come out, never a traceback."""

from __future__ import annotations

import csv
import io
import json
import random
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pycocotools import mask as judge

from figureground.core.errors import FormatError, InputError
from figureground.data.dataset import open_dataset
from figureground.data.doctor import find_faults
from figureground.data.labelmap import encode_runs, runs_to_columns
from figureground.data.predictions import open_predictions

ODD_TEXTS = (
    "",
    "0",
    "-1",
    "1e999",
    "nan",
    "\0",
    "255",
    "../..",
    "é" * 40,
    "a,b",
    '"',
    "99999999999999999999",
    "true",
    "none",
    "http:",
    "🐱",
    "x" * 5000,
)
ODD_VALUES: tuple[Any, ...] = (None, True, -1, 0, 1e300, float("nan"), "", "x", [], {}, [[]], {"a": 1}, 10**30, 2**31, 1.5, [None], "~~~~")


def changed_bytes(data: bytes, rng: random.Random) -> bytes:
    """Bytes flipped, cut, deleted, doubled, inserted or blanked."""
    at, to = sorted((rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
    kind = rng.randrange(6)
    if kind == 0:
        damaged = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 8))):
            damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        return bytes(damaged)
    middle = (b"", data[at:to] * 2, rng.randbytes(rng.randrange(1, 30)), bytes(to - at))
    return data[:at] if kind == 1 else data[:at] + middle[kind - 2] + data[to:]


def changed_png(data: bytes, rng: random.Random) -> bytes:
    """A chunk changed with its checksum put right again, so that the damage lies deeper."""
    chunks, position = [], 8
    while position < len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        chunks.append((data[position + 4 : position + 8], data[position + 8 : position + 8 + length]))
        position += 12 + length
    n = rng.randrange(len(chunks))
    kind, body = chunks[n]
    if kind == b"IDAT" and rng.random() < 0.7:
        body = zlib.compress(changed_bytes(zlib.decompress(body), rng))
    else:
        body = changed_bytes(body, rng) if body else rng.randbytes(3)
    chunks[n] = (kind, body)
    if rng.random() < 0.1:
        rng.shuffle(chunks)
    return data[:8] + b"".join(len(b).to_bytes(4, "big") + k + b + zlib.crc32(k + b).to_bytes(4, "big") for k, b in chunks)


def changed_table(data: bytes, rng: random.Random) -> bytes:
    """Cells, rows and columns changed, swapped, dropped or doubled."""
    rows = list(csv.reader(io.StringIO(data.decode())))
    a, b = rng.randrange(len(rows)), rng.randrange(len(rows[0]))
    kind = rng.randrange(6)
    if kind == 0:
        rows[a][b] = rng.choice(ODD_TEXTS)
    elif kind == 1:
        c = rng.randrange(len(rows[0]))
        start = rng.randrange(2)  # with or without the names
        for row in rows[start:]:
            row[b], row[c] = row[c], row[b]
    elif kind == 2:
        del rows[a]
    elif kind == 3:
        rows.insert(rng.randrange(len(rows)), rows[a][: rng.randrange(len(rows[a]) + 1)])
    elif kind == 4:
        for row in rows:
            del row[b]
    else:
        rows[a] = [rng.choice(ODD_TEXTS) for _ in rows[a]]
    stream = io.StringIO(newline="")
    csv.writer(stream, escapechar="\\").writerows(rows)
    return stream.getvalue().encode()


def changed_lines(data: bytes, rng: random.Random) -> bytes:
    """A line dropped, doubled, or one of its values replaced."""
    lines = data.decode().splitlines()
    n = rng.randrange(len(lines))
    head, equals, _ = lines[n].partition("=")
    odd = rng.choice(
        ("3", "-1", '"x"', "[]", "[1, 2]", "{a = 1}", "true", "1.5", "nan", '["a", "a"]', '"\\u0000"', "1979-05-27", "[[1]]", "9" * 30)
    )
    lines[n : n + 1] = rng.choice(([], [lines[n]] * 2, [f"{head}{equals or '='} {odd}"], [f"{rng.choice(ODD_TEXTS)} = {odd}"]))
    return "\n".join(lines).encode()


def changed_json(data: bytes, rng: random.Random) -> bytes:
    """A node anywhere in the tree replaced, dropped or doubled."""
    tree = json.loads(data)
    spots: list[tuple[Any, Any]] = []
    stack = [tree]
    while stack:
        node = stack.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node))
        spots += [(node, key) for key in keys]
        stack += [node[key] for key in keys if isinstance(node[key], dict | list)]
    node, key = rng.choice(spots)
    if rng.random() < 0.2:
        del node[key]
    elif isinstance(node, list) and rng.random() < 0.3:
        node.append(node[key])
    else:
        node[key] = rng.choice(ODD_VALUES)
    return json.dumps(tree).encode()


def changed_parquet(data: bytes, rng: random.Random) -> bytes:
    """A column with another type or other values, dropped, renamed or swapped."""
    table = pq.read_table(io.BytesIO(data))
    n = rng.randrange(table.num_columns)
    name = table.column_names[n]
    kind = rng.randrange(4)
    if kind == 0:
        table = table.drop_columns(name)
    elif kind == 1:
        column = rng.choice(
            (pa.nulls(table.num_rows), pa.array([-1] * table.num_rows), pa.array(["x"] * table.num_rows), pa.array([[1, 1]] * table.num_rows),
             pa.array([2**31 - 1] * table.num_rows), pa.array([b"\xff\xfe"] * table.num_rows), pa.array([0.5] * table.num_rows))
        )  # fmt: skip
        table = table.set_column(n, name, column)
    elif kind == 2:
        table = table.rename_columns([rng.choice(("id", "values", "x", c)) for c in table.column_names])
    else:
        other = rng.choice(table.column_names)
        table = table.set_column(n, name, table[other])
    stream = io.BytesIO()
    pq.write_table(table, stream)
    return stream.getvalue()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One sound set of every kind under one root."""
    root = tmp_path_factory.mktemp("sound")
    rng = np.random.default_rng(0)
    maps = [np.repeat(np.repeat(rng.integers(0, 3, (3, 4)), 4, 0), 4, 1).astype(np.uint8) for _ in range(3)]
    for folder in ("own/masks", "own/images", "predictions", "artifact", "birds/masks", "voc/SegmentationClass", "voc/ImageSets/Segmentation", "pets/annotations/trimaps", "panoptic"):  # fmt: skip
        (root / folder).mkdir(parents=True)
    for n, label_map in enumerate(maps):
        Image.fromarray(label_map).save(root / f"own/masks/{n}.png")
        Image.fromarray(label_map * 40).convert("RGB").save(root / f"own/images/{n}.jpg")
        np.save(root / f"own/masks/{n}.npy", label_map)
        Image.fromarray(label_map).save(root / f"predictions/{n}.png")
        Image.fromarray(label_map).save(root / f"birds/masks/{n}.png")
        Image.fromarray(label_map).convert("P").save(root / f"voc/SegmentationClass/{n}.png")
        Image.fromarray(label_map + 1).save(root / f"pets/annotations/trimaps/Cat_{n}.png")
        Image.fromarray(np.stack([label_map] * 3, 2) * 9).save(root / f"panoptic/{n}.png")
    ends = ("png", "npy", "png")
    rows = [f"{n},images/{n}.jpg,masks/{n}.{ends[n]},{('cat', 'dog', '')[n]},train,in,{n}" for n in range(3)]
    (root / "own/samples.csv").write_text("\n".join(["id,image,mask,label,split,context,site", *rows]) + "\n")
    (root / "own/dataset.toml").write_text(
        'name = "x"\n[classes]\nnames = ["background", "cat", "dog"]\nids = [0, 1, 2]\nbackground = 0\nignore = 255\n'
        '[samples]\ntable = "samples.csv"\n[attributes]\nlabel = "label"\ncontext = "context"\n[groups]\ncommon = {cat = "in"}\n'
    )
    (root / "own/more.csv").write_text("id,age\n0,1\n1,2\n2,3\n")
    (root / "predictions/scores.csv").write_text("id,flip_risk,area\n0,0.5,3\n1,,4\n2,0.1,5\n")
    table = pa.table(
        {
            "id": ["0", "1", "2"],
            **dict(zip(("height", "width", "values", "lengths"), runs_to_columns([encode_runs(m) for m in maps]), strict=True)),
            "risk": [0.1, 0.2, 0.3],
        }
    )
    pq.write_table(table, root / "artifact/labels.parquet")
    (root / "birds/metadata.csv").write_text(
        "img_id,img_filename,y,split,place\n" + "".join(f"{n},{n}.jpg,{n % 2},{n},{n % 2}\n" for n in range(3))
    )
    (root / "voc/ImageSets/Segmentation/train.txt").write_text("0\n1\n2\n")
    (root / "pets/annotations/list.txt").write_text("".join(f"Cat_{n} {n + 1} {1 + n % 2} 1\n" for n in range(3)))
    images = [{"id": n, "file_name": f"{n}.png", "height": 12, "width": 16, "group_id": n} for n in range(3)]
    categories = [{"id": 1, "name": "cat"}, {"id": 9, "name": "dog"}]
    shapes: list[Any] = [
        [[1, 1, 9, 1, 9, 9]],
        {"size": [12, 16], "counts": [20, 30, 142]},
        {"size": [12, 16], "counts": judge.encode(np.asfortranarray(maps[2] == 1))["counts"].decode()},
    ]
    drawn = [{"id": n, "image_id": n, "category_id": 1 + 8 * (n % 2), "iscrowd": n % 2, "segmentation": shapes[n]} for n in range(3)]
    (root / "instances.json").write_text(json.dumps({"images": images, "annotations": drawn, "categories": categories}))
    segments = [{"id": v * (1 + 256 + 65_536), "category_id": 9, "iscrowd": 0} for v in (9, 18)]
    panoptic = [{"image_id": n, "file_name": f"{n}.png", "segments_info": segments} for n in range(3)]
    (root / "panoptic.json").write_text(json.dumps({"images": images, "annotations": panoptic, "categories": categories}))
    return root


def exercise(data: str, *predictions: str) -> None:
    dataset = open_dataset(data)
    for spec in predictions:
        for fault in find_faults(dataset, open_predictions(spec, dataset.classes)):
            assert fault.problem
    list(find_faults(dataset))
    dataset.group_counts(["class", "split"])
    dataset.fingerprint()


KINDS: dict[str, tuple[int, Callable[[bytes, random.Random], bytes], str, list[str], list[str]]] = {
    "png bytes": (150, changed_bytes, "own/masks/0.png", ["{}/own"], []),
    "png chunks": (150, changed_png, "own/masks/0.png", ["{}/own"], []),
    "palette png": (50, changed_png, "voc/SegmentationClass/1.png", ["voc:{}/voc"], []),
    "npy": (120, changed_bytes, "own/masks/1.npy", ["{}/own"], []),
    "picture": (50, changed_bytes, "own/images/0.jpg", ["{}/own"], []),
    "prediction": (50, changed_bytes, "predictions/0.png", ["{}/own"], ["png:{}/predictions"]),
    "table bytes": (60, changed_bytes, "own/samples.csv", ["{}/own"], []),
    "table cells": (100, changed_table, "own/samples.csv", ["{}/own"], []),
    "attribute table": (40, changed_table, "own/more.csv", ["{}/own?attributes={}/own/more.csv"], []),
    "score table": (50, changed_table, "predictions/scores.csv", ["{}/own"], ["png:{}/predictions?scores={}/predictions/scores.csv"]),
    "toml bytes": (60, changed_bytes, "own/dataset.toml", ["{}/own"], []),
    "toml values": (100, changed_lines, "own/dataset.toml", ["{}/own"], []),
    "json bytes": (60, changed_bytes, "instances.json", ["coco:{}/instances.json"], []),
    "json values": (200, changed_json, "instances.json", ["coco:{}/instances.json?groups=in,out&id=file"], []),
    "panoptic values": (80, changed_json, "panoptic.json", ["coco:{}/panoptic.json"], []),
    "panoptic png": (40, changed_png, "panoptic/0.png", ["coco:{}/panoptic.json"], []),
    "parquet bytes": (100, changed_bytes, "artifact/labels.parquet", ["{}/own"], ["{}/artifact"]),
    "parquet columns": (80, changed_parquet, "artifact/labels.parquet", ["{}/own"], ["{}/artifact"]),
    "birds": (60, changed_table, "birds/metadata.csv", ["waterbirds:{}/birds"], []),
    "pets list": (30, changed_bytes, "pets/annotations/list.txt", ["pets:{}/pets", "pets:{}/pets?classes=breed"], []),
    "voc list": (20, changed_bytes, "voc/ImageSets/Segmentation/train.txt", ["voc:{}/voc"], []),
}


def test_what_is_not_corrupted_is_read_without_a_fault(sound):
    for spec in ("{}/own?attributes={}/own/more.csv", "coco:{}/instances.json?groups=in,out", "coco:{}/panoptic.json", "waterbirds:{}/birds", "pets:{}/pets"):  # fmt: skip
        dataset = open_dataset(spec.replace("{}", str(sound)))
        assert dataset.masks is not None
        assert [dataset.masks.read(i).size_hw for i in dataset.ids] == [(12, 16)] * 3


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_corruptions_give_faults_and_nothing_else(sound, kind):
    count, change, name, specs, predictions = KINDS[kind]
    file = sound / name
    original = file.read_bytes()
    refused = 0
    try:
        for seed in range(count):
            rng = random.Random(f"{kind} {seed}")
            file.write_bytes(change(original, rng))
            for spec in specs:
                try:
                    exercise(spec.replace("{}", str(sound)), *(p.replace("{}", str(sound)) for p in predictions))
                except (FormatError, InputError) as error:
                    refused += 1
                    said = error.fault.problem if isinstance(error, FormatError) else str(error)
                    assert 0 < len(said) < 1000, "a message nobody would read"
    finally:
        file.write_bytes(original)
    assert refused or "png" in kind or kind in ("npy", "picture", "prediction")  # faults of single maps are listed, not raised


def test_there_are_a_thousand():
    assert sum(count for count, *_ in KINDS.values()) >= 1000

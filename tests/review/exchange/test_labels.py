"""Labels between the artifact and other tools: which mask is taken, what import writes, and the verbs as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from tests.review.exchange.conftest import CLASSES, Listener
from tests.support import run_program

from figureground.core.errors import ArtifactError, FormatError, InputError
from figureground.core.types import ClassTable, Sample
from figureground.data.labelmap import encode_runs, runs_to_columns
from figureground.data.labels import MASKS, read_labels
from figureground.data.write import png_bytes, write_table_and_toml
from figureground.review.exchange.labels import open_labels, write_labels
from figureground.review.exchange.masks import LabelledMask
from figureground.review.exchange.spec import lost
from figureground.runs.artifact import ArtifactWriter, artifact_key, read_manifest


def mask(i: str, value: int, **known: str) -> LabelledMask:
    return LabelledMask(id=i, image=None, runs=encode_runs(np.array([[0, value]], np.uint16)), **known)


def artifact(out: Path, rows: list[dict], *, kind: str = "labels", classes: ClassTable = CLASSES) -> Path:
    """A labels artifact of some rows (id, reviewer, status, value, updated)."""
    maps = [mask(row["id"], row["value"]).runs for row in rows]
    columns = dict(zip(("height", "width", "values", "lengths"), runs_to_columns(maps), strict=True))
    texts = {name: [row.get(name) for row in rows] for name in MASKS.names if name not in columns and name != "actions"}
    texts["actions"] = [row.get("actions", 1) for row in rows]
    table = pa.table([columns.get(f.name, pa.array(texts.get(f.name), f.type) if f.name in texts else None) for f in MASKS], schema=MASKS)
    writer = ArtifactWriter(out, kind=kind, schema=1, key=artifact_key(kind=kind, schema=1, inputs={}, options={}))
    pq.write_table(table, writer.path / "masks.parquet")
    details = {"classes": list(classes.names), "ids": list(classes.ids), "background": classes.background, "ignore": classes.ignore}
    writer.finish(options={}, inputs={}, counts={}, details=details)
    return out


def row(i: str, reviewer: str, status: str, value: int, when: int) -> dict:
    return {"id": i, "reviewer": reviewer, "status": status, "value": value, "updated": f"2026-01-0{when}T00:00:00.000Z"}


def test_accepted_masks_come_first_then_submitted_then_the_newest(tmp_path: Path) -> None:
    where = artifact(
        tmp_path / "labels",
        [
            row("a", "ann", "submitted", 7, 9),
            row("a", "bob", "accepted", 3, 1),
            row("a", "cid", "accepted", 300, 2),
            row("b", "ann", "submitted", 7, 1),
            row("b", "bob", "submitted", 3, 2),
            row("b", "cid", "draft", 300, 3),
            row("c", "ann", "draft", 7, 1),
            row("d", "bob", "submitted", 7, 1) | {"actions": 0},
            row("e", "bob", "draft", 7, 1) | {"actions": 0},
        ],
    )
    accepted, every = open_labels(where), open_labels(where, which="all")
    assert [(m.id, m.by, m.runs.dense().max()) for m in accepted.masks] == [("a", "cid", 300)]
    assert accepted.notes == (
        "samples with several masks: 1; an accepted one is taken first, of several the newest",
        "samples without an accepted mask: 3; --which all takes theirs too",
    )
    assert [(m.id, m.by) for m in every.masks] == [("a", "cid"), ("b", "bob"), ("c", "ann"), ("d", "bob")], (
        "a draft that nobody changed is nobody's"
    )
    assert every.classes == CLASSES


def test_labels_without_an_accepted_mask_say_what_to_do(tmp_path: Path) -> None:
    where = artifact(tmp_path / "labels", [row("a", "ann", "submitted", 7, 1)])
    with pytest.raises(InputError, match=r"none of the 1 masks is accepted.*--which all"):
        open_labels(where)


def test_other_directories_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no artifact is here"):
        open_labels(tmp_path)
    with pytest.raises(ArtifactError, match="of kind 'labels' or 'queue', found 'audit'"):
        open_labels(artifact(tmp_path / "audit", [], kind="audit"))


def test_what_is_imported_is_what_every_later_stage_reads(tmp_path: Path) -> None:
    """Names that no reviewer can have become the tool's."""
    listener, out = Listener(), tmp_path / "labels"
    masks = [mask("a", 3, by="ann", created="2026-01-01T00:00:00Z"), mask("b", 255, by="x/y"), mask("c", 300)]
    for _ in range(2):
        write_labels(out, masks, CLASSES, reviewer="cvat", source="cvat:x.xml", reporter=listener)
    found = read_labels(out)
    assert found.classes == CLASSES
    assert [(m.id, m.reviewer, m.status, m.updated) for m in found.masks] == [
        ("a", "ann", "submitted", "2026-01-01T00:00:00Z"),
        ("b", "cvat", "submitted", ""),
        ("c", "cvat", "submitted", ""),
    ]
    assert [m.runs for m in found.masks] == [m.runs for m in masks]
    assert listener.said == [f"{out}: these labels are there already, nothing to do"]
    assert read_manifest(out).counts == {"masks": 3}
    write_labels(out, masks[:1], CLASSES, reviewer="cvat", named="Eve", status="accepted", source="cvat:x.xml")
    assert [(m.reviewer, m.status) for m in read_labels(out).masks] == [("Eve", "accepted")]


def test_a_name_that_no_reviewer_can_have_is_refused(tmp_path: Path) -> None:
    for name in ("", " a", "a/b", "a" * 65, "a\nb", "<a>", 'a"b'):
        with pytest.raises(InputError, match="1 to 64 printable characters"):
            write_labels(tmp_path / "labels", [mask("a", 3)], CLASSES, reviewer=name, source="")
    assert list(tmp_path.iterdir()) == []


def test_what_people_said_in_a_review_is_not_replaced(tmp_path: Path) -> None:
    """Labels of masks alone would take the ratings with them; labels that were imported are replaced as before."""
    where = artifact(tmp_path / "labels", [row("a", "ann", "accepted", 3, 1)])
    write_labels(where, [mask("b", 3)], CLASSES, reviewer="cvat", source="")
    manifest = json.loads((where / "manifest.json").read_text())
    for of_review in ({"project": "queue", "review": "0f" * 16}, {"project": "queue"}):
        (where / "manifest.json").write_text(json.dumps({**manifest, "details": {**manifest["details"], **of_review}}))
        with pytest.raises(ArtifactError, match=r"labels: holds what people said in a review.*another --out, or remove it"):
            write_labels(where, [mask("c", 3)], CLASSES, reviewer="cvat", source="")
        assert [m.id for m in read_labels(where).masks] == ["b"]


def test_where_there_is_no_mask_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"coco:empty\.json: there is no mask"):
        write_labels(tmp_path / "labels", [], CLASSES, reviewer="coco", source="coco:empty.json")
    artifact(tmp_path / "labels", [])
    code, _, stderr = run_program("labels", "export", "labels", "--to", "coco:x.json", cwd=tmp_path)
    assert (code, stderr.count("\n")) == (2, 1)
    assert "labels: there is no mask in it" in stderr


def test_damaged_labels_are_one_error(tmp_path: Path) -> None:
    where = artifact(tmp_path / "labels", [row("a", "ann", "accepted", 9, 1)])
    with pytest.raises(FormatError, match=r"sample 'a': the mask holds 9"):
        open_labels(where)
    (where / "masks.parquet").write_bytes(b"PAR1")
    with pytest.raises(FormatError, match="cannot be read"):
        open_labels(where)
    (where / "manifest.json").write_text(json.dumps({**json.loads((where / "manifest.json").read_text()), "details": {}}))
    with pytest.raises(ArtifactError, match="does not tell the classes"):
        open_labels(where)


def test_what_a_format_loses_is_told() -> None:
    assert lost("coco", CLASSES) == "void is called 'void'"
    assert lost("coco", ClassTable(names=("a",), ignore=None)) == ""
    assert lost("cvat", ClassTable(names=("a", "void"))) == (
        "classes go by their names, ids are not kept, who made a mask and when is not kept, void is called 'void pixels'"
    )
    assert lost("another", CLASSES) == ""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data set of two pictures with masks, opened by its folder."""
    folder = tmp_path / "data"
    folder.mkdir()
    samples = []
    for n, i in enumerate(("one", "two")):
        Image.new("RGB", (4, 3)).save(folder / f"{i}.jpg")
        label_map = np.full((3, 4), 0, np.uint16)
        label_map[n:, 1:3] = (3, 300)[n]
        (folder / f"{i}.png").write_bytes(png_bytes(label_map))
        samples.append(Sample(id=i, image=f"{i}.jpg", mask=f"{i}.png", attributes={}))
    write_table_and_toml(folder, name="data", classes=CLASSES, samples=samples, common={}, label=None, context=None)
    return folder


@pytest.mark.parametrize(
    "form", ["coco:{}/l.json", "coco:{}/p.json?polygons=yes", "labelstudio:{}/l.json", "cvat:{}/l.xml", "png:{}/masks"]
)
def test_masks_go_out_and_come_back(form: str, data: Path, tmp_path: Path) -> None:
    """From a folder of PNGs to labels, to another tool, back to labels: the same masks."""
    masks = tmp_path / "masks-in"
    masks.mkdir()
    for file in data.glob("*.png"):
        (masks / file.name).write_bytes(file.read_bytes())
    spec = form.format(tmp_path)
    code, stdout, stderr = run_program("labels", "import", f"png:{masks}", "--data", data, "--out", tmp_path / "first", "--by", "Ann")
    assert (code, stderr) == (0, "")
    assert "2 masks for 2 samples, submitted." in stdout
    code, stdout, stderr = run_program("labels", "export", tmp_path / "first", "--to", spec, "--which", "all")
    assert code == 0, stderr
    assert "2 masks, " in stdout
    assert "note: " in stderr
    code, stdout, stderr = run_program(
        "labels", "import", spec.partition("?")[0], "--data", data, "--out", tmp_path / "second", "--status", "accepted", "--json"
    )
    assert code == 0, stderr
    assert json.loads(stdout) == {"path": str(tmp_path / "second"), "masks": 2, "samples": 2}
    first, second = (read_labels(tmp_path / name) for name in ("first", "second"))
    assert [(m.id, m.runs, m.image) for m in second.masks] == [(m.id, m.runs, m.image) for m in first.masks]
    assert {m.status for m in second.masks} == {"accepted"}
    assert {m.reviewer for m in second.masks} == ({"Ann"} if form.startswith(("coco", "labelstudio")) else {form.partition(":")[0]})


def test_a_queue_gives_the_maps_of_its_target(tmp_path: Path) -> None:
    """So that another tool can start from the predictions."""
    writer = ArtifactWriter(tmp_path / "queue", kind="queue", schema=1, key="k")
    columns = {
        "id": ["x"], "image": ["p/x.jpg"], "height": [1], "width": [3],
        "target_values": pa.array([[7, 3]], pa.list_(pa.uint16())), "target_lengths": pa.array([[1, 2]], pa.list_(pa.uint32())),
    }  # fmt: skip
    pq.write_table(pa.table(columns), writer.path / "queue.parquet")
    details = {"classes": list(CLASSES.names), "ids": list(CLASSES.ids), "background": 0, "ignore": 255, "target": "net"}
    writer.finish(options={}, inputs={}, counts={}, details=details)
    found = open_labels(tmp_path / "queue").masks
    assert [(m.id, m.image, m.by, m.runs.dense().tolist()) for m in found] == [("x", "p/x.jpg", "net", [[7, 3, 3]])]
    code, stdout, _ = run_program("labels", "export", tmp_path / "queue", "--to", f"labelstudio:{tmp_path}/l.json?as=predictions", "--json")
    assert code == 0
    assert json.loads(stdout) == {"path": str(tmp_path / "l.json"), "samples": 1, "regions": 2}
    assert json.loads((tmp_path / "l.json").read_text())[0]["predictions"][0]["model_version"] == "net"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["export", "nowhere", "--to", "coco:x.json"], "nowhere: no artifact is here"),
        (["export", "LABELS", "--to", "x.json"], "does not say in which form labels are. Write one of coco:FILE, "),
        (["export", "LABELS", "--to", "cocco:x.json"], "unknown kind of labels 'cocco'. Did you mean 'coco'?"),
        (["export", "LABELS", "--to", "coco:x.json", "--which", "best"], "`which` must be one of accepted, all"),
        (["export", "LABELS", "--to", "coco:x.json?polygon=yes"], "unknown key `polygon`. Did you mean `polygons`?"),
        (["export", "LABELS", "--to", "coco:DATA"], "is a folder. Name a file"),
        (["export", "LABELS", "--to", "coco:s3://b/x.json"], "exports are written to local files"),
        (["export", "LABELS", "--to", "png:s3://b/x"], "exports are written to local folders"),
        (["export", "LABELS", "--to", "png:DATA"], "exists and is no figureground artifact"),
        (["export", "LABELS", "--to", "coco:LABELS/x.json"], "where nothing else is written"),
        (["export", "LABELS", "--to", "png:LABELS/masks/png"], "where nothing else is written"),
        (["export", "LABELS", "--to", "coco:OTHER/x.json"], "cannot write there"),
        (["export", "LABELS", "--to", "coco:LABELS/masks.parquet"], "is read to make what is written there"),
        (["import", "coco:nowhere.json", "--data", "DATA", "--out", "OUT"], "nowhere.json: there is no such file"),
        (["import", "png:DATA", "--data", "DATA", "--out", "OUT", "--by", "a/b"], "a reviewer's name has"),
        (["import", "png:DATA", "--data", "DATA", "--out", "OUT", "--status", "good"], "`status` must be one of submitted, accepted"),
        (["import", "DATA", "--data", "DATA", "--out", "OUT"], "does not say in which form labels are"),
        (["import", "png:DATA", "--data", "DATA", "--out", "DATA"], "is read to make what is written there"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_two(arguments: list[str], told: str, data: Path, tmp_path: Path) -> None:
    """And nothing is written."""
    labels = artifact(tmp_path / "labels", [row("one", "ann", "accepted", 3, 1)])
    (tmp_path / "other").write_text("a file")
    before = sorted(tmp_path.rglob("*"))
    places = {"OTHER": tmp_path / "other", "LABELS": labels, "DATA": data, "OUT": tmp_path / "out"}
    words = [next((a.replace(k, str(v)) for k, v in places.items() if k in a), a) for a in arguments]
    code, stdout, stderr = run_program("labels", *words, cwd=tmp_path)
    assert (code, stdout) == (2, ""), stderr
    assert told in stderr
    assert stderr.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("i", ["../x", "/x", "a/../b", ".hidden", "a//b", "C:x", "a\\b", "a/.b", "a\0b"])
def test_an_id_never_leads_out_of_a_folder(i: str, tmp_path: Path) -> None:
    from figureground.review.exchange.spec import write_masks

    with pytest.raises(InputError, match="cannot be the name of a file in a folder"):
        write_masks(f"png:{tmp_path / 'in' / 'out'}", [mask("good", 3), mask(i, 3)], CLASSES)
    assert list(tmp_path.iterdir()) == []


def test_what_stood_there_stays_where_the_disk_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk: the old file is whole, no half-written one is left, and the error is the user's to mend."""
    from figureground.review.exchange.spec import write_masks

    file = tmp_path / "l.json"
    write_masks(f"coco:{file}", [mask("a", 3)], CLASSES)
    before = file.read_bytes()

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as stream:
            stream.write(data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    for spec in (f"coco:{file}", f"labelstudio:{file}", f"cvat:{file}", f"png:{tmp_path / 'pngs'}"):
        with pytest.raises(InputError, match="No space left"):
            write_masks(spec, [mask("b", 7)], CLASSES)
    monkeypatch.undo()
    assert file.read_bytes() == before
    assert not (tmp_path / "pngs").exists()
    assert [p.name for p in tmp_path.iterdir() if not p.name.endswith(".partial")] == ["l.json"]

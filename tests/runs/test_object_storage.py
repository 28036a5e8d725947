"""Pool, pictures, tables and predictions in a bucket: predict, audit and mine say what they say of local files."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.models.fit.learnable import write_learnable

from figureground import api
from figureground.core.errors import FormatError
from figureground.data import paths
from figureground.data.dataset import open_dataset
from figureground.data.doctor import find_faults
from figureground.data.predictions import open_predictions
from figureground.stages.mine.options import MineOptions

boto3 = pytest.importorskip("boto3")
pytest.importorskip("s3fs")
server = pytest.importorskip("moto.server")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

MODEL = """
import numpy as np

def forward(images):
    mix = np.random.default_rng(SEED).normal(size=(3, 3)).astype(np.float32)
    return np.einsum("kc,bchw->bkhw", mix, images - 0.5)
"""
OPTIONS = MineOptions(top=3, sheet=4)


@pytest.fixture(scope="module")
def bucket():
    """An empty bucket of a server on this machine; where it is and who asks stands in the environment, as on a cluster."""
    moto = server.ThreadedMotoServer(port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (
            ("AWS_ENDPOINT_URL", f"http://{host}:{port}"),
            ("AWS_ACCESS_KEY_ID", "someone"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
        ):
            patch.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket="bucket")
        yield client
    moto.stop()


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> Path:
    """A data set, and the predictions of two networks."""
    folder = tmp_path_factory.mktemp("local")
    write_learnable(folder / "data", train=6, val=3)
    for seed, name in enumerate("ab"):
        (folder / f"{name}.py").write_text(f"SEED = {seed}\n{MODEL}")
        api.predict(f"python:{folder / name}.py:forward", folder / "data", out=folder / "predicted" / name)
    return folder


@pytest.fixture(scope="module")
def remote(bucket, local) -> str:
    """The same in the bucket."""
    for file in local.rglob("*"):
        if file.is_file():
            bucket.upload_file(str(file), "bucket", f"work/{file.relative_to(local)}")
    return "s3://bucket/work"


def contents(artifact: Path, pattern: str) -> dict[str, bytes]:
    return {str(file.relative_to(artifact)): file.read_bytes() for file in sorted(artifact.rglob(pattern))}


def test_predictions_are_the_same(remote, local, tmp_path):
    """All but the note of when a picture's file was changed."""
    import pyarrow.parquet as pq

    out = api.predict(f"python:{local / 'a'}.py:forward", f"{remote}/data", out=tmp_path / "out")
    for name in ("labels/00000.parquet", "regions/00000.parquet"):
        here, there = (pq.read_table(folder / name) for folder in (local / "predicted" / "a", out))
        assert there.drop(["picture"] if "picture" in there.column_names else []).equals(
            here.drop(["picture"] if "picture" in here.column_names else [])
        )


def test_an_audit_is_the_same(remote, local, tmp_path):
    here = api.audit(local / "data", str(local / "predicted" / "a"), out=tmp_path / "here")
    there = api.audit(f"{remote}/data", f"{remote}/predicted/a", out=tmp_path / "there")
    assert there.sentence == here.sentence
    for name in ("groups", "counts", "regions"):
        assert there.table(name).equals(here.table(name))


def test_a_queue_is_the_same(remote, local, tmp_path):
    """Byte by byte, but for the places of the pictures."""
    import pyarrow.parquet as pq

    outs = [
        api.mine(f"{base}/data", f"{base}/predicted/a", [f"{base}/predicted/b"], out=tmp_path / name, options=OPTIONS)
        for name, base in (("here", str(local)), ("there", remote))
    ]
    here, there = (pq.read_table(out / "queue.parquet") for out in outs)
    assert len(here) > 0
    assert there.drop(["image"]).equals(here.drop(["image"]))
    assert [image.removeprefix(remote) for image in there["image"].to_pylist()] == [
        image.removeprefix(str(local)) for image in here["image"].to_pylist()
    ]
    assert contents(outs[1], "sheet.jpg") == contents(outs[0], "sheet.jpg")


def test_a_queue_of_a_cluster_is_the_same(remote, local, tmp_path):
    """Each worker of the cluster asks the bucket for itself, with what the environment says."""
    ray = pytest.importorskip("ray")
    where = {"pool": f"{remote}/data", "target": f"{remote}/predicted/a", "rivals": [f"{remote}/predicted/b"], "options": OPTIONS}
    try:
        outs = [api.mine(**where, out=tmp_path / engine, engine=engine, workers=2) for engine in ("local", "ray")]
    finally:
        ray.shutdown()
    assert contents(outs[1], "*.parquet") == contents(outs[0], "*.parquet")


def test_the_doctor_finds_nothing(remote):
    dataset = open_dataset(f"{remote}/data")
    assert list(find_faults(dataset, open_predictions(f"{remote}/predicted/a", dataset.classes))) == []


def test_what_is_not_in_the_bucket_is_told_as_for_files(remote):
    with pytest.raises(FormatError, match="there is no such file") as caught:
        paths.read_bytes(f"{remote}/data/nothing.png", sample="s")
    assert caught.value.fault.code == "missing-file"
    assert not paths.exists(f"{remote}/nothing")
    assert paths.stamp(f"{remote}/nothing") == "absent"
    assert paths.stamp(f"{remote}/data/dataset.toml") != "absent"
    with pytest.raises(FormatError, match="there is no such folder"):
        paths.list_files(f"{remote}/nothing")

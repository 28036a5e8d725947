"""The demo with a plan of a few pictures: what its two halves share and where they differ, that nothing is done twice, what it asks for."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from dataclasses import asdict

import pytest

pytest.importorskip("torch", reason="the extra 'smp' is not installed")
pytest.importorskip("segmentation_models_pytorch", reason="the extra 'smp' is not installed")

from tests.support import Watcher

from figureground import api
from figureground.core.errors import ArtifactError, InputError, MissingExtra
from figureground.data.dataset import open_dataset
from figureground.models.fit.options import FitOptions
from figureground.runs.executor import open_executor
from figureground.stages.audit.result import read_summary
from figureground.stages.shift.compose_options import ComposeOptions
from figureground.sweeps.demo import run_demo
from figureground.sweeps.demo_plan import BALANCED, NAMES, TIED, DemoPlan, demo_plan

pytestmark = pytest.mark.slow
PLAN = DemoPlan(
    compose=ComposeOptions(classes=2, contexts=2, rho=1.0, train=12, val=1, test=2, size=32, sheet=0),
    train=FitOptions(
        architecture="smp:unet/resnet18?encoder_depth=3&decoder_channels=16,8,8", size=32, batch=4, epochs=2, lr=1e-3, device="cpu"
    ),
    resamples=20,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "out"
    assert run_demo(PLAN, out=out) == out / "audit"
    return out


@pytest.fixture
def meddled(made, tmp_path):
    """The finished demo, to be meddled with; afterwards it is as it was, file times included."""
    shutil.copytree(made, tmp_path / "kept")
    yield made
    shutil.rmtree(made)
    shutil.move(tmp_path / "kept", made)


def stamps(out):
    return {path.relative_to(out).as_posix(): path.stat().st_mtime_ns for path in out.rglob("manifest.json")}


def groups(out, name, split):
    dataset = open_dataset(str(out / "data" / name))
    return Counter((s.label, s.attributes["context"]) for s in dataset.samples if s.split == split)


def test_the_two_data_sets_differ_in_the_tie_alone() -> None:
    """Of all options of both halves only `rho` is another: high where tied, by chance alone where balanced."""
    plan = demo_plan()
    tied, balanced = (asdict(plan.compose_options(name)) for name in NAMES)
    assert {key for key in tied if tied[key] != balanced[key]} == {"rho"}
    assert tied["rho"] == 0.95
    assert balanced["rho"] == pytest.approx(1 / plan.compose.contexts)


def test_another_seed_draws_and_trains_anew() -> None:
    """The seed decides pictures and training, and nothing else."""
    first, other = demo_plan(), demo_plan(7)
    assert (other.compose.seed, other.train.seed) == (7, 7)
    assert {key for key, value in asdict(other.compose).items() if value != asdict(first.compose)[key]} == {"seed"}
    assert {key for key, value in asdict(other.train).items() if value != asdict(first.train)[key]} == {"seed"}


@pytest.mark.parametrize("seed", [-1, 2**63, 1.5, "7"])
def test_a_seed_that_is_none_is_refused_before_anything_is_drawn(seed, tmp_path) -> None:
    """One clear error, from the call as from the plan, and nothing on disk."""
    with pytest.raises(InputError, match="`seed` must be"):
        api.demo(tmp_path / "out", seed=seed)
    assert list(tmp_path.iterdir()) == []
    assert demo_plan(2**63 - 1).train.seed == 2**63 - 1


def test_the_demo_trains_on_what_it_draws() -> None:
    """Pictures go into the network at the size they are drawn in, and no figure depends on an accelerator."""
    plan = demo_plan()
    assert plan.train.size == plan.compose.size
    assert plan.train.device == "cpu"


def test_training_pictures_are_tied_or_balanced_and_test_pictures_are_the_same(made) -> None:
    """At rho 1 each class has its own ground alone; balanced, every group has its share; the test pictures agree byte for byte."""
    assert groups(made, TIED, "train") == {("duck", "shore"): 6, ("hare", "forest"): 6}
    assert set(groups(made, BALANCED, "train").values()) == {3}
    assert set(groups(made, TIED, "test").values()) == {2}
    for folder in ("images", "masks"):
        tested = sorted(path.name for path in (made / "data" / TIED / folder).glob("test_*"))
        assert len(tested) == 8
        for name in tested:
            assert (made / "data" / TIED / folder / name).read_bytes() == (made / "data" / BALANCED / folder / name).read_bytes()


def test_both_networks_are_audited_on_the_test_pictures_with_their_difference(made) -> None:
    """The audit has both by name, on every test picture, with the ties as what is common, and their paired differences."""
    summary = read_summary(made / "audit")
    assert list(summary["predictions"]) == [TIED, BALANCED]
    for one in summary["predictions"].values():
        crossed = {(g["attributes"]["class"], g["attributes"]["context"]): g for g in one["groups"] if len(g["by"]) == 2}
        assert {key for key, g in crossed.items() if g["kind"] == "common"} == {("duck", "shore"), ("hare", "forest")}
        assert {g["samples"] for g in crossed.values()} == {2}
    assert {(row["a"], row["b"]) for row in summary["differences"]} == {(TIED, BALANCED)}


def test_each_network_learns_from_its_own_data(made) -> None:
    """The weights of the two differ, and so does what their cards say they were trained on."""
    weights = [(made / "weights" / name / "weights.safetensors").read_bytes() for name in NAMES]
    assert weights[0] != weights[1]


def test_a_finished_demo_is_not_made_again(meddled) -> None:
    """A second call writes nothing."""
    before = stamps(meddled)
    assert len(before) == 7
    run_demo(PLAN, out=meddled)
    assert stamps(meddled) == before


def test_what_is_missing_is_made_and_nothing_else(meddled) -> None:
    """Without one of the predictions and the audit, these two are made anew; data and weights stay."""
    shutil.rmtree(meddled / "audit")
    run_demo(PLAN, out=meddled)  # copied pictures are looked at once again
    before = stamps(meddled)
    shutil.rmtree(meddled / "predictions" / BALANCED)
    shutil.rmtree(meddled / "audit")
    run_demo(PLAN, out=meddled)
    after = stamps(meddled)
    assert {name for name in after if after[name] != before[name]} == {f"predictions/{BALANCED}/manifest.json", "audit/manifest.json"}


def test_what_else_stands_there_is_not_overwritten(meddled) -> None:
    """A directory of something else in the place of a part is an error that names it."""
    shutil.rmtree(meddled / "audit")
    (meddled / "audit").mkdir()
    (meddled / "audit" / "thesis.txt").write_text("mine")
    with pytest.raises((ArtifactError, InputError), match="audit"):
        run_demo(PLAN, out=meddled)
    assert (meddled / "audit" / "thesis.txt").read_text() == "mine"


def test_progress_is_told(tmp_path) -> None:
    """With one worker the epochs of both trainings are told as they go."""
    watcher = Watcher()
    run_demo(PLAN, out=tmp_path / "out", reporter=watcher)
    assert sum(line.startswith("epoch 2") for line in watcher.said) == 2
    assert any("2 epochs on 12 pictures" in line for line in watcher.said)


@pytest.mark.slow
def test_two_workers_train_both_networks_to_the_same_weights(made, tmp_path) -> None:
    """Where the work runs changes no weight."""
    run_demo(PLAN, out=tmp_path / "out", executor=open_executor(workers=2))
    for name in NAMES:
        file = f"weights/{name}/weights.safetensors"
        assert (tmp_path / "out" / file).read_bytes() == (made / file).read_bytes()


@pytest.mark.parametrize("package", ["torch", "segmentation_models_pytorch"])
def test_without_what_trains_the_demo_says_what_to_install_and_draws_nothing(package, tmp_path, monkeypatch) -> None:
    """The error names the package and the extra that brings it, before there is any file."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf"`{package}`.*figureground\[smp\]"):
        api.demo(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_call_runs_the_plan_of_its_seed(tmp_path, monkeypatch) -> None:
    """`api.demo` hands its seed to the plan and returns the finished audit."""
    seeds = []

    def small(seed):
        seeds.append(seed)
        return PLAN

    monkeypatch.setattr("figureground.sweeps.demo_plan.demo_plan", small)
    found = api.demo(tmp_path / "out", seed=5)
    assert seeds == [5]
    assert found.path == tmp_path / "out" / "audit"
    assert found.report(tmp_path / "report.html").stat().st_size > 10_000

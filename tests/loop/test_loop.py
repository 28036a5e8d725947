"""A whole loop on a small drawn world, answered from known truth: states, artifacts, what is asked, and what is told."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")

from tests.loop.world import make_world  # noqa: E402
from tests.support import run_program  # noqa: E402

from figureground import rounds  # noqa: E402
from figureground.core.errors import FormatError, InputError  # noqa: E402
from figureground.core.progress import QuietReporter  # noqa: E402
from figureground.data.dataset import open_dataset  # noqa: E402
from figureground.data.labels import read_labels  # noqa: E402
from figureground.data.write import write_table_and_toml  # noqa: E402
from figureground.loops.places import Places  # noqa: E402
from figureground.loops.state import read_states  # noqa: E402
from figureground.runs.artifact import read_manifest  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def done(world):
    """The whole loop, once."""
    return rounds.loop(world, oracle=True)


def edited(world: Path, folder: Path, *changes: tuple[str, str]) -> Path:
    """The recipe with some of its lines changed, in a directory of its own beside links to the data."""
    folder.mkdir(exist_ok=True)
    text = world.read_text()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    for name in ("data", "pool", "audit"):
        if not (folder / name).exists():
            (folder / name).symlink_to(world.parent / name)
    file = folder / "LOOP.toml"
    file.write_text(text)
    return file


class Told(QuietReporter):
    """Keeps what is said."""

    def __init__(self, told: list[str]) -> None:
        self.told = told

    def say(self, text: str) -> None:
        self.told.append(text)


def summary_of(result) -> dict:
    return json.loads((result.report / "loop.json").read_text())


def test_two_rounds_and_a_retest_end_with_everything_done(done):
    assert done.outcome == "finished"
    states = read_states(done.path, rounds=2, retest=True, rate=True)
    assert [one.done for one in states] == [True, True, True]
    summary = summary_of(done)
    assert [row["retest"] for row in summary["rounds"]] == [False, False, True]
    assert [one["set"] for one in summary["models"][0]["sets"]] == ["T0", "T1", "T2", "T3"]
    assert {one["model"] for one in summary["models"]} == {"target", "rival-1", "rival-2"}


def test_no_picture_is_asked_for_a_mask_twice_and_none_that_tests_is_learned_from(done):
    """Over all rounds: every masked picture once; what is learned from and what tests have nothing in common."""
    places = Places(out=done.path)
    work = [read_manifest(here.work).details for here in places.rounds(2, retest=True)]
    asked = Counter(i for one in work for i in (*one["test"], *one["learn"]))
    assert set(asked.values()) == {1}
    learned = {i for n in (1, 2) for i in (m.id for m in read_labels(places.round(n).learned).masks)}
    assert learned == {i for one in work for i in one["learn"]}
    assert not learned & {i for one in work for i in one["test"]}


def test_what_is_learned_from_is_rated_worst(done):
    """No picture that was left out, neither testing nor learned from, has a lower mean opinion than one that is learned from."""
    here = Places(out=done.path).round(1)
    mean = {opinion.id: opinion.mean for opinion in read_labels(here.ratings).opinions}
    details = read_manifest(here.work).details
    rest = set(mean) - {*details["test"], *details["learn"]}
    assert details["learn"]
    assert max(mean[i] for i in details["learn"]) <= min((mean[i] for i in rest), default=5.0)


def test_flips_fall_and_the_summary_says_what_the_audits_say(done):
    """The repaired target flips fewer counterfactual pictures, and the figures are those of the audit's own tables."""
    rows = [row for row in summary_of(done)["verdicts"] if row["set"] == "audit" and row["group"] == "counterfactual"]
    assert [row["version"] for row in rows] == [0, 1, 2]
    assert rows[-1]["flipped"]["value"] < rows[0]["flipped"]["value"]
    for row in rows:
        samples = pq.read_table(done.path / "audit" / f"target-{row['version']}" / "audit" / "samples.parquet").to_pylist()
        ours = [s for s in samples if (s["class"], s["context"]) in (("cat", "light"), ("dog", "dark"))]
        assert row["samples"] == len(ours)
        for name in ("correct", "flipped", "missed"):
            slow = sum(s[name] for s in ours) / sum(s["foreground"] for s in ours)
            assert row[name]["value"] == pytest.approx(slow, abs=1e-12)


def test_the_same_command_again_does_nothing(done, world):
    before = {file: file.stat().st_mtime_ns for file in done.path.rglob("*") if file.is_file()}
    again = rounds.loop(world, oracle=True)
    assert again.outcome == "finished"
    assert {file: file.stat().st_mtime_ns for file in done.path.rglob("*") if file.is_file()} == before


def test_it_stops_after_a_state_and_where_people_are_needed(world, tmp_path):
    file = edited(world, tmp_path / "w", ("rounds = 2", "rounds = 1"))
    mined = rounds.loop(file, until="mined")
    assert (mined.outcome, mined.round) == ("stopped", 1)
    waits = rounds.loop(file)
    assert waits.outcome == "waiting"
    assert waits.asked is not None
    assert waits.asked.state == "rating"
    assert waits.left == len(waits.asked.ids)
    assert rounds.loop(file, oracle=True, until="1.rating").outcome == "stopped"
    waits = rounds.loop(file)
    assert waits.asked is not None
    assert waits.asked.state == "labelling"
    with pytest.raises(InputError, match="--until must be a state"):
        rounds.loop(file, until="3.done")


def test_a_rival_that_is_added_takes_part_from_the_next_round_on(world, tmp_path):
    text = world.read_text()
    rival = next(line for line in text.splitlines() if line.startswith("rival-2"))
    file = edited(world, tmp_path / "w", (rival, ""), ("rounds = 2", "rounds = 1"))
    rounds.loop(file, oracle=True, until="1.rating")
    edited(world, tmp_path / "w", ("rounds = 2", "rounds = 1"))
    summary = summary_of(rounds.loop(file, oracle=True))
    sets = {one["model"]: [s["set"] for s in one["sets"]] for one in summary["models"]}
    assert sets["rival-1"] == ["T0", "T1", "T2"]
    assert sets["rival-2"] == ["T0", "T2"]


def test_until_somebody_was_asked_a_round_begins_as_the_recipe_says_now(world, tmp_path):
    """A rival, budgets and a pool without the picture that cannot be read all take effect."""
    text = world.read_text()
    rival = next(line for line in text.splitlines() if line.startswith("rival-2"))
    file = edited(world, tmp_path / "w", (rival, ""), ("rounds = 2", "rounds = 1"))
    (file.parent / "pool").unlink()
    shutil.copytree(world.parent / "pool", file.parent / "pool")
    broken = open_dataset(str(file.parent / "pool")).samples[5]
    whole = Path(broken.image).read_bytes()
    Path(broken.image).write_bytes(b"no picture")
    with pytest.raises(FormatError, match=rf"'{broken.id}'.*max_failures = N in \[predict\]$"):
        rounds.loop(file, oracle=True)
    table = file.parent / "pool" / "samples.csv"
    table.write_text("".join(line for line in table.read_text().splitlines(keepends=True) if not line.startswith(f"{broken.id},")))
    edited(world, tmp_path / "w", ("rounds = 2", "rounds = 1"), ("learn = 8", "learn = 5"))
    told: list[str] = []
    found = rounds.loop(file, oracle=True, until="1.labelling", reporter=Told(told))
    assert any("nobody was asked in round 1 yet" in line for line in told)
    here = Places(out=found.path).round(1)
    plan = json.loads(here.plan.read_text())
    assert (list(plan["rivals"]), plan["loop"]["learn"]) == (["rival-1", "rival-2"], 5)
    assert read_manifest(here.work).counts["learn"] == 5
    Path(broken.image).write_bytes(whole)
    shutil.copy(world.parent / "pool" / "samples.csv", table)
    with pytest.raises(InputError, match="began with another pool"):
        rounds.loop(file, oracle=True)


def test_pictures_that_cannot_be_read_may_be_left_out(world, tmp_path):
    file = edited(world, tmp_path / "w", ("rounds = 2", "rounds = 1"), ("[predict]", "[predict]\nmax_failures = 1"))
    (file.parent / "pool").unlink()
    shutil.copytree(world.parent / "pool", file.parent / "pool")
    broken = open_dataset(str(file.parent / "pool")).samples[5]
    Path(broken.image).write_bytes(b"no picture")
    found = rounds.loop(file, oracle=True)
    assert found.outcome == "finished"
    manifest = read_manifest(Places(out=found.path).predictions("target-0"))
    assert (manifest.failures, manifest.counts["pictures"]) == (1, 47)


@pytest.mark.parametrize("change", ["quorum", "noise"])
def test_what_masks_were_asked_of_stays_whatever_is_rated_after(world, tmp_path, change):
    """A higher quorum, and ratings that put others first, change nothing of a round that is at its masks."""
    file = edited(world, tmp_path / "w", ("rounds = 2", "rounds = 1"))
    found = rounds.loop(file, oracle=True, until="1.labelling")
    here = Places(out=found.path).round(1)
    asked, masks = read_manifest(here.work).details, (here.labels / "masks.parquet").read_bytes()
    if change == "quorum":
        edited(world, tmp_path / "w", ("rounds = 2", "rounds = 1"), ("[review]", "[review]\nquorum = 2"))
    else:
        other = edited(world, tmp_path / "other", ("rounds = 2", "rounds = 1"), ("rating_noise = 0.3", "rating_noise = 8.0"))
        ratings = Places(out=rounds.loop(other, oracle=True, until="1.rating").path).round(1).ratings
        shutil.rmtree(here.ratings)
        shutil.copytree(ratings, here.ratings)
    told: list[str] = []
    done = rounds.loop(file, oracle=True, reporter=Told(told))
    assert done.outcome == "finished"
    assert any("is at its masks" in line for line in told) == (change == "quorum")
    assert read_manifest(here.work).details == asked
    assert (here.labels / "masks.parquet").read_bytes() == masks


def test_a_pool_that_was_moved_is_shown_from_where_it_is_now(world, tmp_path):
    """Those who draw masks go on with the same pictures."""
    file = edited(world, tmp_path / "w", ("rounds = 2", "rounds = 1"))
    here = Places(out=rounds.loop(file, oracle=True, until="1.labelling").path).round(1)
    chosen = read_manifest(here.work).details
    (file.parent / "pool").rename(file.parent / "there")
    file.write_text(file.read_text().replace('pool = "pool"', 'pool = "there"'))
    rounds.loop(file, oracle=True, until="1.labelling")
    assert read_manifest(here.work).details == chosen
    assert {Path(sample.image).parent.name for sample in open_dataset(str(here.work)).samples} == {"there"}


def test_a_round_more_goes_on_after_the_re_test(world, tmp_path):
    """The re-test of the loop of one round stays; what it asked about is not asked about again."""
    file = edited(world, tmp_path / "w", ("rounds = 2", "rounds = 1"))
    rounds.loop(file, oracle=True)
    edited(world, tmp_path / "w")
    found = rounds.loop(file, oracle=True)
    assert [row["retest"] for row in summary_of(found)["rounds"]] == [False, False, True]
    places = Places(out=found.path)
    work = [read_manifest(one.work).details for one in (places.round(1), places.retest(1), places.round(2), places.retest(2))]
    assert max(Counter(i for one in work for i in (*one["test"], *one["learn"])).values()) == 1


def test_labels_of_samples_that_were_not_asked_are_refused(world, tmp_path, done):
    file = edited(world, tmp_path / "w", ("rounds = 2", "rounds = 1"), ("top = 6", "top = 2"))
    rounds.loop(file, until="mined")
    here = Places(out=file.with_suffix("")).round(1)
    shutil.copytree(Places(out=done.path).round(1).ratings, here.ratings)
    with pytest.raises(InputError, match="does not ask about"):
        rounds.loop(file)


def test_validation_pictures_in_the_pool_are_refused(world, tmp_path):
    file = edited(world, tmp_path / "w")
    (file.parent / "pool").unlink()
    shutil.copytree(world.parent / "pool", file.parent / "pool")
    val = open_dataset(str(world.parent / "data")).select(split="val").samples[0]
    own = open_dataset(str(file.parent / "pool")).samples[3]
    shutil.copyfile(val.image, own.image)
    with pytest.raises(InputError, match=f"'{own.id}' is '{val.id}'"):
        rounds.loop(file, oracle=True)


def test_classes_that_change_within_a_round_are_refused(world, tmp_path):
    file = edited(world, tmp_path / "w")
    rounds.loop(file, until="predicted")
    plan = file.with_suffix("") / "round-1" / "plan.json"
    plan.write_text(plan.read_text().replace("cat = 1", "lynx = 1"))
    with pytest.raises(InputError, match="began with the classes"):
        rounds.loop(file, oracle=True)


def test_models_that_agree_everywhere_end_the_loop_with_what_it_has(world, tmp_path):
    target = next(line for line in world.read_text().splitlines() if line.startswith("target"))
    rivals = [line for line in world.read_text().splitlines() if line.startswith("rival-")]
    same = target.replace("target", "same", 1)
    file = edited(world, tmp_path / "w", (rivals[0], same), (rivals[1], ""))
    found = rounds.loop(file, oracle=True)
    assert found.outcome == "ended early"
    assert "agree on all" in found.why
    assert summary_of(found)["state"] == "ended early"
    code, said, _ = run_program("loop", "status", file)
    assert (code, found.why in said) == (0, True)
    status = json.loads(run_program("loop", "status", file, "--json")[1])
    assert (status["waits"], status["ended"]) == (None, found.why)
    assert run_program("loop", file, "--dry-run")[0] == 0
    edited(world, tmp_path / "w", (rivals[1], ""), ("rounds = 2", "rounds = 1"))
    assert rounds.loop(file, oracle=True).outcome == "finished"


def test_an_oracle_errs_as_often_as_it_says(world, tmp_path):
    """With half of the figures misnamed, about half of the masks differ from the truth, and only in the name of the figure."""
    file = edited(world, tmp_path / "w", ("rating_noise = 0.3", "rating_noise = 0.3\nmask_noise = 0.5"), ("learn = 8", "learn = 30"))
    rounds.loop(file, oracle=True, until="1.labelling")
    labels = read_labels(Places(out=file.with_suffix("")).round(1).labels)
    truth = open_dataset(str(world.parent / "pool")).masks
    wrong = [mask for mask in labels.masks if mask.runs != truth.read(mask.id)]
    assert 0.2 < len(wrong) / len(labels.masks) < 0.8
    for mask in wrong:
        assert ((mask.runs.dense() > 0) == (truth.read(mask.id).dense() > 0)).all()


def test_until_stops_where_the_state_is_behind_and_refuses_one_that_never_comes(done, world):
    assert rounds.loop(world, oracle=True, until="1.mined").outcome == "stopped"
    with pytest.raises(InputError, match="there are 3 rounds"):
        rounds.loop(world, oracle=True, until="9.mined")
    with pytest.raises(InputError, match="nothing is repaired"):
        rounds.loop(world, oracle=True, until="3.repaired")


def test_validation_data_that_change_are_measured_for_every_version(world, tmp_path):
    """So a change of mIoU is that of the same pictures: all versions have as many of them."""
    file = edited(world, tmp_path / "w", ("rounds = 2", "rounds = 1"), ('audit = "audit"', ""))
    rounds.loop(file, oracle=True, until="1.labelling")
    edited(
        world,
        tmp_path / "w",
        ("rounds = 2", "rounds = 1"),
        ('val = "data"', 'val = "audit"'),
        ('audit = "audit"', ""),
        ("limit = 0.1", 'limit = 0.5\nval_split = ""'),
    )
    found = rounds.loop(file, oracle=True)
    counts = [read_manifest(found.path / "validation" / f"target-{v}" / "audit").counts["samples"] for v in (0, 1)]
    assert counts == [24, 24]


def test_an_audit_that_comes_later_is_of_every_version(world, tmp_path):
    file = edited(world, tmp_path / "w", ("rounds = 2", "rounds = 1"), ('audit = "audit"', ""))
    rounds.loop(file, oracle=True, until="1.mined")
    edited(world, tmp_path / "w", ("rounds = 2", "rounds = 1"))
    rows = summary_of(rounds.loop(file, oracle=True))["verdicts"]
    assert {row["version"] for row in rows if row["set"] == "audit"} == {0, 1}


def test_another_target_and_an_audit_that_was_trained_on_are_refused(world, tmp_path):
    file = edited(world, tmp_path / "w")
    rounds.loop(file, oracle=True, until="1.mined")
    text = file.read_text()
    file.write_text(text.replace("net-0", "net-1", 1))
    with pytest.raises(InputError, match="began with another target"):
        rounds.loop(file, oracle=True)
    file.write_text(text.replace('audit = "audit"', 'audit = "data?split=train"'))
    with pytest.raises(InputError, match="48 audit pictures are training pictures"):
        rounds.loop(file, oracle=True)


def test_a_queue_that_people_rated_stays_though_a_picture_is_touched(world, tmp_path):
    file = edited(world, tmp_path / "w")
    (file.parent / "pool").unlink()
    shutil.copytree(world.parent / "pool", file.parent / "pool")
    rounds.loop(file, oracle=True, until="1.rating")
    here = Places(out=file.with_suffix("")).round(1)
    before = (here.queue / "manifest.json").read_bytes()
    for picture in (file.parent / "pool").glob("*.png"):
        picture.touch()
    rounds.loop(file, oracle=True, until="1.labelling")
    assert (here.queue / "manifest.json").read_bytes() == before


def test_areas_come_from_the_training_split_alone(done):
    """Validation pictures say nothing of how large classes are."""
    queue = read_manifest(Places(out=done.path).round(1).queue)
    assert queue.options["train"].endswith("data?split=train")


def test_a_damaged_ranking_is_made_again_by_the_same_command(done, world, tmp_path):
    shutil.copytree(done.path, tmp_path / "loop")
    here = Places(out=tmp_path / "loop").round(1)
    whole = {place: (place / "ranking.json").read_bytes() for place in (here.before, here.gain)}
    for place in whole:
        (place / "ranking.json").write_bytes(whole[place][:100])
    assert not read_states(tmp_path / "loop", rounds=2, retest=True, rate=True)[0].done
    again = rounds.loop(world, out=tmp_path / "loop", oracle=True)
    assert again.outcome == "finished"
    assert {place: (place / "ranking.json").read_bytes() for place in whole} == whole
    assert summary_of(again)["rounds"] == summary_of(done)["rounds"]


def test_a_round_that_is_gone_is_not_begun_anew_below_later_ones(done, world, tmp_path):
    shutil.copytree(done.path, tmp_path / "loop", ignore=shutil.ignore_patterns("round-1"))
    before = sorted((tmp_path / "loop").rglob("*"))
    with pytest.raises(InputError, match=r"round-1: the plan of round 1 is gone, and later rounds build on it"):
        rounds.loop(world, out=tmp_path / "loop", oracle=True)
    assert sorted((tmp_path / "loop").rglob("*")) == before


def test_other_weights_under_the_name_of_a_rival_are_refused(done, world, tmp_path):
    shutil.copytree(done.path, tmp_path / "loop")
    first, second = (line.split('"')[1] for line in world.read_text().splitlines() if line.startswith("rival-"))
    swapped = edited(world, tmp_path / "swapped", (f'rival-1 = "{first}"', f'rival-1 = "{second}"'))
    with pytest.raises(InputError, match=r"\[rivals\] rival-1: this loop began with other weights under that name"):
        rounds.loop(swapped, out=tmp_path / "loop", oracle=True)


def test_the_sentence_has_the_intervals_of_the_summary(done):
    summary = summary_of(done)
    rows = [row for row in summary["verdicts"] if (row["set"], row["group"]) == ("audit", "counterfactual")]
    before, after = rows[0]["flipped"], rows[-1]["flipped"]
    for told, when in ((before, "was flipped before"), (after, "after")):
        assert f"{100 * told['value']:.1f} % ({100 * told['low']:.1f} to {100 * told['high']:.1f}) {when}" in summary["sentence"]
    assert summary["sentence"].endswith("In brackets: 95 % intervals.")


def test_a_place_that_cannot_be_written_is_one_clear_error(world, tmp_path):
    (tmp_path / "file").write_text("no directory")
    with pytest.raises(InputError, match=r"cannot write there .*Choose another --out"):
        rounds.loop(world, out=tmp_path / "file" / "loop", oracle=True)


def test_a_repair_that_diverges_names_the_table_of_the_recipe(world, tmp_path):
    told = []
    wild = edited(world, tmp_path / "wild", ('rates = ["0.03"]', 'rates = ["1e30"]'))
    with pytest.raises(InputError, match=r'^round 1: every candidate diverged.*Try in \[repair\]: rates = \["1e\+29"\], clip = 1') as error:
        rounds.loop(wild, out=tmp_path / "loop", oracle=True, reporter=Told(told))
    assert "--" not in str(error.value)
    assert sum("stopped at step" in line for line in told) == 0  # it is said once, by the error


def test_masks_that_are_void_in_part_or_whole(done, world, tmp_path):
    """Every other mask of the truth is void on its left half, and two of the test set all over: the loop goes to its end all the same."""
    whole = read_manifest(Places(out=done.path).round(1).work).details["test"][:2]
    truth = shutil.copytree(world.parent / "pool", tmp_path / "truth")
    masks = sorted(truth.glob("*_mask.png"))
    for number, file in enumerate(masks):
        mask = np.array(Image.open(file))
        mask[:, : (16 if file.name.removesuffix("_mask.png") in whole else 8 if number % 2 else 0)] = 255
        Image.fromarray(mask).save(file)
    known = open_dataset(str(truth))
    bare = [replace(sample, label=None, mask=Path(sample.mask).name, image=Path(sample.image).name) for sample in known.samples]
    write_table_and_toml(truth, name="void", classes=known.classes, samples=bare, common={}, label=None)
    voided = edited(world, tmp_path / "void", ("rounds = 2", "rounds = 1"), ("[oracle]", f'[oracle]\ntruth = "{truth}"'))
    found = rounds.loop(voided, out=tmp_path / "loop", oracle=True)
    summary = summary_of(found)
    assert found.outcome == "finished"
    asked = read_manifest(Places(out=found.path).round(1).work).details
    assert {*whole} <= {*asked["test"]}
    assert 0 <= summary["rounds"][0]["ranking"][0]["miou"]["value"] <= 1
    assert summary["rounds"][0]["repaired"]


def test_the_report_states_the_noise_of_the_oracle(done):
    options = read_manifest(done.report).options
    assert (options["oracle.rating_noise"], options["oracle.mask_noise"]) == (0.3, 0.0)
    assert "rating_noise" in (done.report / "report.html").read_text()


def test_advice_in_the_words_of_the_recipe_can_be_typed():
    from figureground.loops.steps import _as_toml

    assert _as_toml({"rates": "100000", "clip": "1", "precision": "fp32"}) == 'rates = ["100000"], clip = 1, precision = "fp32"'

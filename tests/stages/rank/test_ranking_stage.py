"""A test set that waits for its masks, and models ranked on it: against plain counting, resumed, and unmoved by what comes later."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.stages.rank.round import CLASSES, MODELS, labelled, models_of, ranked, write_labels
from tests.support import Watcher

from figureground.core.errors import InputError
from figureground.data.dataset import open_dataset
from figureground.runs.artifact import read_manifest
from figureground.stages.rank.result import open_ranking


def files(folder: Path) -> dict[str, bytes]:
    """What a ranking holds but for its manifest, which has the time."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != "manifest.json"}


def slow_miou(truth: list[np.ndarray], maps: list[np.ndarray]) -> float:
    """Pixel by pixel, class by class, over all samples; void is not looked at."""
    found = []
    for k in CLASSES.ids:
        both = sum(int(((t == k) & (m == k)).sum()) for t, m in zip(truth, maps, strict=True))
        either = sum(int((((t == k) | (m == k)) & (t != 255)).sum()) for t, m in zip(truth, maps, strict=True))
        if either:
            found.append(both / either)
    return float(np.mean(found))


def test_without_masks_the_set_is_written_and_waits(mined_round, tmp_path) -> None:
    """No ranking is there, and the set opens as a data set of the pictures."""
    found = ranked(mined_round, tmp_path / "out", size=12)
    assert (found.summary, found.counts["masks"], found.counts["samples"]) == (None, 0, 12)
    assert found.waiting == found.test_set
    assert len(found.test_set) == 12
    assert set(files(found.path)) == {"candidates.parquet", "failures.json", "test/dataset.toml", "test/samples.csv"}
    assert f"0 of 12 masks are there, 12 wait, first that of '{found.test_set[0]}'" in found.sentence
    data = open_dataset(str(found.path / "test"))
    assert data.ids == found.test_set
    assert (data.classes.names, data.classes.ids) == (CLASSES.names, CLASSES.ids)
    assert [s.image for s in data.samples] == [mined_round.images[i] for i in data.ids]
    rows = found.table("candidates").to_pylist()
    assert {row["id"] for row in rows} == set(mined_round.candidates)
    assert max(Counter(row["main_object"] for row in rows if row["place"]).values()) <= 4
    with pytest.raises(InputError, match=r"`name` must be one of candidates; got 'models'"):
        found.table()


def test_masks_that_arrive_do_not_change_the_set(mined_round, tmp_path) -> None:
    """One by one, also those of samples that are not in it; only the last makes the ranking."""
    first = ranked(mined_round, tmp_path / "out")
    candidates, other = first.table("candidates"), [i for i in mined_round.candidates if i not in first.test_set][:5]
    for number, ids in enumerate([other, [*other, first.test_set[3]], [*first.test_set[1:], *other]]):
        labels = labelled(mined_round, tmp_path / f"labels-{number}", ids)
        found = ranked(mined_round, tmp_path / "out", labels=(str(labels),))
        assert found.test_set == first.test_set
        assert found.waiting == tuple(i for i in first.test_set if i not in ids)
        assert found.summary is None
        assert found.table("candidates").equals(candidates)
    found = ranked(mined_round, tmp_path / "out", labels=(str(labelled(mined_round, tmp_path / "all")),))
    assert found.test_set == first.test_set
    assert (found.waiting, found.counts["masks"]) == ((), len(first.test_set))
    assert found.summary["models"][0]["model"] == "target"


def test_figures_are_those_of_plain_counting(mined_round, tmp_path) -> None:
    """The mIoU over the set and of every sample, void left out; wins of all pairs."""
    found = ranked(mined_round, tmp_path / "out", labels=(str(labelled(mined_round, tmp_path / "labels")),), pair_samples=0)
    ids, data = found.test_set, mined_round.data
    truth = [mined_round.truth[i] for i in ids]
    models = {m["model"]: m for m in found.summary["models"]}
    assert set(models) == set(MODELS)
    for name in MODELS:
        assert models[name]["miou"]["value"] == pytest.approx(slow_miou(truth, [data.maps[name][i] for i in ids]), abs=1e-12)
    own = {(row["model"], row["id"]): row["miou"] for row in found.table("scores").to_pylist()}
    for (name, i), value in own.items():
        assert value == pytest.approx(slow_miou([mined_round.truth[i]], [data.maps[name][i]]), abs=1e-12)
    for pair in found.summary["pairs"]:
        scores = [(own[pair["model"], i], own[pair["rival"], i]) for i in ids]
        assert pair["wins"] == sum((a > b) + 0.5 * (a == b) for a, b in scores)
        assert pair["mean"] == pytest.approx(float(np.mean([a for a, _ in scores])))
        assert pair["difference"]["low"] <= pair["difference"]["high"]
    shares = [m["perron"]["value"] for m in found.summary["models"]]
    means = np.array([m["mean"]["value"] for m in found.summary["models"]])
    np.testing.assert_allclose(shares, (means + 1e-3) / (means + 1e-3).sum(), rtol=1e-9)  # with all samples for every pair
    assert sum(m["thurstone"]["value"] for m in found.summary["models"]) == pytest.approx(0, abs=1e-9)
    assert found.table("stability").num_rows == len(ids)
    assert found.summary["stability"]["spearman"][-1] == pytest.approx(1)


def test_pairs_are_compared_where_they_differ_most(mined_round, tmp_path) -> None:
    found = ranked(mined_round, tmp_path / "out", labels=(str(labelled(mined_round, tmp_path / "labels")),), pair_samples=6)
    assert {pair["mean_samples"] for pair in found.summary["pairs"]} == {6}
    assert {pair["samples"] for pair in found.summary["pairs"]} == {len(found.test_set)}


def test_the_same_command_again_has_nothing_to_do(mined_round, tmp_path) -> None:
    """And a ranking made anew from scratch has the same bytes; another order of the models ranks them alike."""
    labels = (str(labelled(mined_round, tmp_path / "labels")),)
    found, watcher = ranked(mined_round, tmp_path / "out", labels=labels), Watcher()
    stamp = (found.path / "ranking.json").stat().st_mtime_ns
    ranked(mined_round, tmp_path / "out", labels=labels, reporter=watcher)
    assert watcher.said == [f"{tmp_path / 'out'}: this ranking is there already, nothing to do"]
    assert (found.path / "ranking.json").stat().st_mtime_ns == stamp
    again = ranked(mined_round, tmp_path / "again", labels=labels)
    assert files(again.path) == files(found.path)
    turned = ranked(mined_round, tmp_path / "turned", labels=labels, models=models_of(mined_round)[::-1])
    assert [m["model"] for m in turned.summary["models"]] == [m["model"] for m in found.summary["models"]]


def test_who_is_out_of_domain_or_trained_on_is_not_in_the_set(mined_round, tmp_path) -> None:
    """By a rating that stands, by id, and by the bytes of the picture under another name."""
    first = ranked(mined_round, tmp_path / "out")
    one, two, three, four, five = first.test_set[:5]
    labels = write_labels(tmp_path / "labels", {}, vetoed=[one], withdrawn=[two])
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "copy.png").write_bytes(Path(mined_round.images[three]).read_bytes())
    (tmp_path / "set" / "samples.csv").write_text("id,image\nother-name,copy.png\n")
    (tmp_path / "set" / "dataset.toml").write_text('[classes]\nnames = ["ground"]\n[samples]\ntable = "samples.csv"\n')
    used = write_labels(tmp_path / "used", {four: mined_round.truth[four]})
    (tmp_path / "ids.csv").write_text(f"id\n{five}\n")
    train = (str(tmp_path / "set"), str(used), str(tmp_path / "ids.csv"))
    found = ranked(mined_round, tmp_path / "out", labels=(str(labels),), train=train)
    reason = {row["id"]: (row["decision"], row["reason"]) for row in found.table("candidates").to_pylist()}
    assert reason[one] == ("out of domain", "a reviewer called it out of domain")
    assert reason[two] == ("in", "in the test set")
    assert reason[three] == ("trained on", f"used for training: its picture is that of 'other-name' in {tmp_path / 'set'}")
    assert reason[four] == ("trained on", f"used for training: its id is in {used}")
    assert reason[five] == ("trained on", f"used for training: its id is in {tmp_path / 'ids.csv'}")
    assert set(first.test_set) - set(found.test_set) == {one, three, four, five}
    assert len(set(found.test_set) - set(first.test_set)) <= 4


def test_a_digest_in_a_table_bars_its_picture(mined_round, tmp_path) -> None:
    from figureground.data.paths import content_digest

    first = ranked(mined_round, tmp_path / "out")
    digest = content_digest(Path(mined_round.images[first.test_set[0]]).read_bytes())
    (tmp_path / "used.csv").write_text(f"id,digest\nelsewhere,{digest}\nnothing,\n")
    found = ranked(mined_round, tmp_path / "out", train=(str(tmp_path / "used.csv"),))
    assert first.test_set[0] not in found.test_set


def test_only_masks_that_count_are_the_truth(mined_round, tmp_path) -> None:
    """What was handed in and not checked waits, unless it is asked for; drafts never count."""
    first = ranked(mined_round, tmp_path / "out")
    status = {i: "draft" if n == 0 else "submitted" if n < 3 else "accepted" for n, i in enumerate(first.test_set)}
    labels = (str(labelled(mined_round, tmp_path / "labels", first.test_set, status=status)),)
    found = ranked(mined_round, tmp_path / "out", labels=labels)
    assert found.waiting == first.test_set[:3]
    assert found.details["unchecked"] == 3
    assert ranked(mined_round, tmp_path / "out", labels=labels, masks="submitted").waiting == first.test_set[:1]


def test_masks_known_beforehand_say_the_main_object(mined_round, tmp_path) -> None:
    known = labelled(mined_round, tmp_path / "known")
    found = ranked(mined_round, tmp_path / "out", known=str(known))
    for row in found.table("candidates").to_pylist():
        mask = mined_round.truth[row["id"]]
        areas = {CLASSES.name_of(k): int((mask == k).sum()) for k in CLASSES.foreground}
        assert row["said_by"] == "mask"
        assert areas.get(row["main_object"], 0) == max(areas.values())


@pytest.mark.slow
def test_a_set_that_was_chosen_ranks_other_models_too(mined_round, tmp_path) -> None:
    """The same samples in the same order, whatever the size says now."""
    labels = (str(labelled(mined_round, tmp_path / "labels")),)
    first = ranked(mined_round, tmp_path / "first", names=("target", "twin"), labels=labels, size=9, seed=3)
    other = ranked(mined_round, tmp_path / "other", labels=labels, test=str(first.path))
    assert other.test_set == first.test_set
    own, again = (next(m for m in r.summary["models"] if m["model"] == "twin")["miou"]["value"] for r in (first, other))
    assert own == again


def test_a_duel_is_on_what_the_two_disagree_on_most(mined_round, tmp_path) -> None:
    from tests.stages.mine.pools import mined, pool

    names = ("target", "apart")
    specs = [mined_round.folder / name for name in names]
    queue = mined(tmp_path / "queue", pool(mined_round.data, images=mined_round.images), specs, top=5, deduplicate=False)
    duelling = type(mined_round)(folder=tmp_path, data=mined_round.data, truth=mined_round.truth, images=mined_round.images)
    labels = (str(labelled(duelling, tmp_path / "labels")),)
    found = ranked(duelling, tmp_path / "out", models=models_of(mined_round, names), duel=True, labels=labels, size=8, per_object=0)
    rows = {row["id"]: row for row in pq.read_table(queue / "queue.parquet").to_pylist()}
    for side in ("target", "rival"):
        chosen = [i for i in found.test_set if rows[i]["direction"] == side]
        best = sorted((i for i in rows if rows[i]["direction"] == side), key=lambda i: (-rows[i]["discrepancy"], i))
        assert chosen == best[: len(chosen)]
    assert found.summary["sentence"].startswith("On 8 samples 'target' beats 'apart': ")
    swapped = ranked(
        duelling, tmp_path / "swapped", models=models_of(mined_round, names)[::-1], duel=True, labels=labels, size=8, per_object=0
    )
    assert swapped.test_set == found.test_set
    with pytest.raises(InputError, match=r"mined of 'target' and 'apart', and 'twin' has another map of sample .* than 'apart' had"):
        ranked(duelling, tmp_path / "wrong", models=models_of(mined_round, ("target", "twin")), duel=True, labels=labels, size=8)
    with pytest.raises(InputError, match="a duel needs two models and mad"):
        ranked(mined_round, tmp_path / "many", models=models_of(mined_round, names), duel=True)
    assert not (tmp_path / "wrong").exists()


def test_models_that_are_the_same_are_told_and_level(mined_round, tmp_path) -> None:
    from dataclasses import replace

    twin = models_of(mined_round, ("target",))[0]
    watcher = Watcher()
    labels = (str(labelled(mined_round, tmp_path / "labels")),)
    found = ranked(mined_round, tmp_path / "out", models=[twin, replace(twin, name="copy")], labels=labels, reporter=watcher)
    assert any("'target' and 'copy' have the same maps of the whole test set" in said for said in watcher.said)
    assert [m["place"]["miou"] for m in found.summary["models"]] == [1, 1]
    assert "are level" in found.sentence
    assert "no order can be stable" in found.sentence


def test_the_manifest_and_json_say_what_was_done(mined_round, tmp_path) -> None:
    labels = (str(labelled(mined_round, tmp_path / "labels")),)
    found = ranked(mined_round, tmp_path / "out", labels=labels, resamples=0)
    manifest = read_manifest(found.path, kind="ranking")
    assert manifest.details["state"] == "ranked"
    assert sum(manifest.details["decisions"].values()) == manifest.counts["candidates"] == len(mined_round.candidates)
    told = json.loads((found.path / "ranking.json").read_text())
    assert told["models"][0]["miou"]["low"] is None
    assert told["test"] == list(found.test_set)
    assert (found.path / "ranking.svg").read_text().startswith("<?xml")
    assert open_ranking(found.path).summary == told


def test_the_library_takes_what_is_open_already(mined_round, tmp_path) -> None:
    """Predictions beside specs, and no single one for a list."""
    import figureground

    one, other = models_of(mined_round, ("target", "twin"))
    found = figureground.rank(mined_round.queue, [one, str(mined_round.folder / "apart"), other], out=tmp_path / "out")
    assert found.details["models"] == ["target", "apart", "twin"]
    with pytest.raises(InputError, match="must be a list"):
        figureground.rank(mined_round.queue, one, out=tmp_path / "one")
    with pytest.raises(InputError, match="distinct names; got target, target"):
        figureground.rank(mined_round.queue, [one, one], out=tmp_path / "twice")


def test_a_picture_that_is_gone_is_told(mined_round, tmp_path) -> None:
    """Then only the id says whether training used it."""
    from figureground.stages.rank.used import Trained, used_for_training

    watcher, trained = Watcher(), Trained(where="T", images={"c": None}, digests={}, files=())
    images = {"a": str(tmp_path / "gone.png"), "b": mined_round.images[mined_round.candidates[0]], "c": None}
    assert used_for_training(images, [trained], reporter=watcher) == {"c": "used for training: its id is in T"}
    assert watcher.said == ["note: candidate 'a' has no picture that can be read, so that only the id tells whether training used it"]


def test_a_queue_of_another_selector_can_test_too(mined_round, tmp_path) -> None:
    """It has no direction and may have no discrepancy, and a set of it is chosen all the same."""
    from tests.stages.mine.pools import mined, pool

    spec = mined_round.folder / "target"
    mined(tmp_path / "queue", pool(mined_round.data, images=mined_round.images), [spec], selector="random", budget=20, deduplicate=False)
    drawn = type(mined_round)(folder=tmp_path, data=mined_round.data, truth=mined_round.truth, images=mined_round.images)
    found = ranked(drawn, tmp_path / "out", models=models_of(mined_round, ("target", "twin")))
    assert set(found.test_set) <= set(drawn.candidates)
    assert found.table("candidates")["discrepancy"].null_count == 20


@pytest.mark.slow
def test_an_interrupted_ranking_leaves_the_older_one_and_is_made_again(mined_round, tmp_path, monkeypatch) -> None:
    """Stopped while it writes, it has not touched what stood there; the same command then gives the bytes of an undisturbed run."""
    from figureground.stages.rank import stage

    labels = (str(labelled(mined_round, tmp_path / "labels")),)
    whole = files(ranked(mined_round, tmp_path / "whole", labels=labels).path)
    waiting = files(ranked(mined_round, tmp_path / "out").path)
    with monkeypatch.context() as patch:

        def stop(_: object) -> bytes:
            raise KeyboardInterrupt

        patch.setattr(stage, "ranking_svg", stop)
        with pytest.raises(KeyboardInterrupt):
            ranked(mined_round, tmp_path / "out", labels=labels)
    assert files(tmp_path / "out") == waiting
    found = ranked(mined_round, tmp_path / "out", labels=labels)
    assert files(found.path) == whole
    assert not (tmp_path / "out.partial").exists()

"""A review that ends by itself: once all is answered, not before, with its labels written; and tokens that stay good in the next one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from functools import partial

import httpx2
import numpy as np
import pytest
from sqlalchemy.exc import OperationalError
from tests.review.server.running import Running
from tests.review.server.starting import import_masks, served
from tests.review.server.world import Asker

from figureground.core.errors import InputError
from figureground.data.labels import read_labels
from figureground.review.done import waiting
from figureground.review.options import ReviewOptions
from figureground.review.project import open_project
from figureground.review.server import ending as endings
from figureground.review.server.ending import Ending, end_when_answered
from figureground.review.server.serve import serve
from figureground.review.store import masks, people, ratings
from figureground.review.store.database import open_database
from figureground.runs.artifact import is_artifact

IDS = [f"p{number}" for number in range(12)]
ONCE = ReviewOptions(repeats=0.0)


def rate_all(asker, places=range(12), score=4):
    for place in places:
        said = {"place": place, "showing": 0, "score": score, "out_of_domain": score is None, "seconds": 1.0}
        assert asker.post("/api/ratings", said)["saved"]


def rate_what_is_due(asker, score=4):
    """As the page does, repeats and all; returns how many."""
    count = 0
    while items := asker.get("/api/rate/next?count=3")["items"]:
        for item in items:
            said = {"place": item["place"], "showing": item["showing"], "score": score, "out_of_domain": False, "seconds": 1.0}
            asker.post("/api/ratings", said)
            count += 1
    return count


@pytest.fixture
def quick(monkeypatch):
    """Waits of a moment."""
    for name, seconds in (("LOOK_EVERY_S", 0.05), ("GRACE_S", 0.4), ("FAREWELL_S", 0.4)):
        monkeypatch.setattr(endings, name, seconds)


@pytest.fixture
def run(pool, tmp_path, quick):
    """`run("labels", until=..., ...)`: a server that has begun; at the end all have ended."""
    begun = []

    def start(name="labels", **given):
        begun.append(Running(pool, tmp_path / name, given).start())
        return begun[-1]

    yield start
    for one in begun:
        one.close()


@pytest.mark.slow
def test_it_ends_with_its_labels_once_every_picture_is_rated(run, monkeypatch):
    """The answer to the last rating still comes, a page that asks is told, and the labels lack nothing."""
    monkeypatch.setattr(endings, "FAREWELL_S", 2.0)
    review = run(until="rated", options=ONCE)
    assert "It ends by itself once every picture is rated" in review.said
    ann = review.visitor()
    rate_all(ann, range(11))
    assert not review.ended(1.0)
    assert ann.get("/api/ending") == {"ended": False}
    rate_all(ann, [11], score=None)
    assert ann.get("/api/rate/next") == {"items": [], "left": 0, "done": 12}
    while not ann.get("/api/ending")["ended"]:
        time.sleep(0.05)
    assert review.ended()
    assert review.said[-2:] == ["All is answered: every picture is rated", f"Labels: {review.out}"]
    assert waiting(read_labels(review.out), IDS, kind="rated") == []


@pytest.mark.slow
def test_what_is_taken_back_in_time_keeps_it_open(run, monkeypatch):
    monkeypatch.setattr(endings, "GRACE_S", 600)
    review = run(until="rated", options=ONCE)
    ann = review.visitor()
    rate_all(ann)
    assert ann.post("/api/ratings/undo")["place"] == 11
    monkeypatch.setattr(endings, "GRACE_S", 0.4)
    assert not review.ended(1.5)
    rate_all(ann, [11])
    assert review.ended()


@pytest.mark.slow
def test_who_is_at_the_page_is_let_finish_what_comes_twice_and_who_left_is_not_waited_for(run, monkeypatch):
    review = run(until="rated", options=ReviewOptions(repeats=0.5))
    ann = review.visitor()
    rate_all(ann)
    assert not review.ended(1.5)
    assert rate_what_is_due(ann) == 6
    assert review.ended()
    assert sum(rating.showing for rating in read_labels(review.out).ratings) == 6
    monkeypatch.setattr(endings, "PAUSE_S", 0.5)
    review = run("others", until="rated", options=ReviewOptions(repeats=0.5))
    rate_all(review.visitor())
    assert review.ended()


@pytest.mark.slow
def test_masks_are_waited_for_until_somebody_else_accepted_them(run, pool, tmp_path):
    """Of three pictures Lin's masks came from elsewhere, the rest are out of domain."""
    import_masks(pool, tmp_path / "imported")
    options = ReviewOptions(repeats=0.0, worst=0)
    review = run(until="masked", options=options, masks=tmp_path / "imported")
    assert "It ends by itself once every picture of the work list has its masks, accepted by somebody else" in review.said
    ann = review.visitor()
    rate_all(ann, range(3, 12), score=None)
    for _ in range(3):
        assert not review.ended(0.8)
        task = ann.get("/api/checks/next")
        ann.post("/api/checks", {"mask": task["mask"], "version": task["version"], "verdict": "accepted"})
    assert review.ended()
    assert waiting(read_labels(review.out), IDS, kind="masked") == []


@pytest.mark.slow
def test_masks_count_as_they_are_handed_in_where_none_is_checked(run):
    """With a work list of two: nothing is drawn before all is rated."""
    review = run(until="masked", options=ReviewOptions(repeats=0.0, worst=2, checked=False))
    ann = review.visitor()
    rate_all(ann, range(10), score=5)
    rate_all(ann, (10, 11), score=1)
    for place in (10, 11):
        assert not review.ended(0.8)
        assert ann.get("/api/masks/next")["place"] == place
        version = int(ann.client.get(f"/api/masks/{place}").headers["x-version"])
        ann.post(f"/api/masks/{place}/submit", {"version": version})
    assert review.ended()
    labels = read_labels(review.out)
    assert waiting(labels, IDS, kind="masked", worst=2, checked=False) == []
    assert waiting(labels, IDS, kind="masked", worst=2) == ["p10", "p11"]


def test_where_all_is_answered_already_it_ends_at_once(pool, tmp_path, monkeypatch):
    """No page is opened, and labels that were not there are written."""

    def rate(app, _):
        with app.state.room.database.write() as connection:
            number = people.known(connection, "me").number
            for place in range(12):
                ratings.save(connection, number, place=place, showing=0, score=3, out_of_domain=False, seconds=1)

    served(pool, tmp_path / "labels", monkeypatch, asked=rate)
    monkeypatch.setattr("webbrowser.open", lambda address: pytest.fail("a browser was opened"))
    for path in (tmp_path / "labels").iterdir():
        path.unlink()
    again = Running(pool, tmp_path / "labels", {"until": "rated", "browser": True}).start()
    assert again.ended()
    assert again.said[-2:] == ["All is answered already: every picture is rated", f"Labels: {tmp_path / 'labels'}"]
    assert not [words for words in again.said if words.startswith("Review:")]
    assert is_artifact(tmp_path / "labels")


def test_a_word_that_is_no_end_leaves_nothing_behind(pool, tmp_path):
    with pytest.raises(InputError, match="rated or masked; got 'done'"):
        serve(str(pool), out=tmp_path / "labels", options=ReviewOptions(), until="done", browser=False)
    assert list(tmp_path.iterdir()) == []


def test_masks_of_more_classes_than_can_be_painted_are_not_waited_for(pool, tmp_path, monkeypatch):
    project = open_project(str(pool), options=ReviewOptions())
    monkeypatch.setattr(type(project), "can_mask", False)
    with pytest.raises(InputError, match="--until masked: 3 classes are too many to paint"):
        serve(str(pool), out=tmp_path / "labels", options=ReviewOptions(), until="masked", browser=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_database_that_is_away_for_a_while_ends_nothing(make_world, quick, monkeypatch):
    """And no longer asks for it than before."""
    world = make_world(options=ONCE)
    rate_all(world.local())
    ending = Ending(kind="rated", database=world.database, options=ONCE, count=12)
    looks, real = [], Ending.lacking

    def answered(self):
        looks.append(1)
        if len(looks) < 4:
            raise OperationalError("connect", None, ConnectionResetError(104, "Connection reset by peer"))
        return not real(self)

    monkeypatch.setattr(Ending, "answered", answered)
    done, said = [], []
    end_when_answered(ending, threading.Event(), end=lambda: done.append(len(looks)), say=said.append)
    assert done[0] > 4
    assert said == ["All is answered: every picture is rated"]
    assert ending.over


def test_a_server_that_ends_for_another_reason_is_not_ended_twice(make_world):
    world, ended = make_world(options=ONCE), threading.Event()
    ended.set()
    ending = Ending(kind="rated", database=world.database, options=ONCE, count=12)
    end_when_answered(ending, ended, end=lambda: pytest.fail("ended twice"), say=pytest.fail)
    assert not ending.over


def test_pages_ask_only_where_the_review_ends_by_itself(world):
    page = world.local().client.get("/rate").text
    assert "data-ends" not in page
    assert "ended.js" not in page
    assert world.local().get("/api/ending") == {"ended": False}


@pytest.mark.slow
def test_a_token_stays_good_in_the_next_review_and_who_was_revoked_stays_out(run, pool, tmp_path):
    """Two servers, two databases: ann and bob come in with the tokens of the first, cleo with neither."""
    first = run("first", until="rated", options=ONCE, sign_in=True, add=["bob:admin", "eve:checker", "cleo:reviewer"])
    tokens = dict(re.findall(r"Token of '(\w+)' .*: (\S+)", "\n".join(first.said)))
    bob = first.visitor(tokens["bob"])
    cleo = next(one["number"] for one in bob.get("/api/people") if one["name"] == "cleo")
    bob.post(f"/api/people/{cleo}/revoke")
    rate_all(bob)
    assert first.ended()

    second = run("second", until="rated", options=ONCE, sign_in=True, people_of=f"sqlite:///{tmp_path}/first.sqlite")
    assert second.said[0] == "3 people of an earlier review came in with the tokens they have"
    assert not [words for words in second.said if "Token" in words.split()[0]]
    with pytest.raises(AssertionError, match="this token is not known, or it was revoked"):
        second.visitor(tokens["cleo"])
    facts = second.visitor(tokens["eve"]).get("/api/project")["reviewer"]
    assert (facts["name"], facts["role"]) == ("eve", "checker")
    rate_all(second.visitor(tokens["bob"]))
    assert second.ended()
    assert [(one.name, one.revoked is None) for one in read_labels(second.out).reviewers] == [("bob", True), ("eve", True), ("cleo", False)]


def test_who_came_is_given_a_role_and_a_new_token_as_others_are(pool, tmp_path, monkeypatch):
    start = partial(served, pool, tokens=True, monkeypatch=monkeypatch)
    start(out=tmp_path / "first", add=["bob:reviewer", "eve:admin"])
    given = {"out": tmp_path / "second", "people_of": f"sqlite:///{tmp_path}/first.sqlite"}
    said = start(**given, add=["bob:checker"], new_token=["eve"])
    assert said[0] == "2 people of an earlier review came in with the tokens they have"
    assert said[1] == "'bob' was reviewer and is checker now; the token stays as it is"
    assert said[2].startswith("New token of 'eve' (admin), shown this once: ")
    said = start(**given)
    assert said[0] == "0 people of an earlier review came in with the tokens they have, 2 were there already"


def test_an_earlier_review_that_is_not_there_is_one_sentence(pool, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"--people-of .*no review's database is there"):
        served(pool, tmp_path / "labels", monkeypatch, tokens=True, people_of=f"sqlite:///{tmp_path}/absent.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_people_who_cannot_enter_let_nobody_in(pool, tmp_path, monkeypatch):
    served(pool, tmp_path / "first", monkeypatch)
    with pytest.raises(InputError, match="nobody has one yet"):
        served(pool, tmp_path / "second", monkeypatch, tokens=True, people_of=f"sqlite:///{tmp_path}/first.sqlite")


@pytest.mark.slow
@pytest.mark.parametrize("already", [False, True])
def test_the_verb_ends_with_0_once_all_is_answered(pool, tmp_path, already):
    """The program itself, with the waits that people get; given again, it ends before it asks anybody."""
    out = tmp_path / "labels"
    command = [sys.executable, "-m", "figureground", "review", str(pool), "--out", str(out), "--port", "0", "--no-browser"]
    command += ["--until", "masked", "--no-checked", "--worst", "0", "--repeats", "0", "--reviewer", "ann"]
    if already:
        project = open_project(str(pool), options=ReviewOptions())
        database = open_database(f"sqlite:///{out}.sqlite", project)
        with database.write() as connection:
            ann = people.local(connection, "ann").number
            for item in project.items:
                made = masks.open_(connection, item.place, reviewer=ann, start=np.zeros(item.size_hw, np.uint8))
                masks.submit(connection, made.number, version=made.version)
        database.close()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as process:
        said = ""
        while not already and "Review:" not in said:
            said += process.stdout.readline()
        if not already:
            base = re.search(r"http://127\.0\.0\.1:\d+", said)[0]
            with httpx2.Client(base_url=base, timeout=30) as client:
                ann = Asker(client).learn()
                while (place := ann.get("/api/masks/next")["place"]) is not None:
                    version = int(client.get(f"/api/masks/{place}").headers["x-version"])
                    ann.post(f"/api/masks/{place}/submit", {"version": version})
        more, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert f"All is answered{' already' if already else ''}: every picture of the work list has its masks" in more
    assert more.endswith(f"Labels: {out}\n")
    assert waiting(read_labels(out), IDS, kind="masked", checked=False) == []

"""What people do through the API, on real databases: rating, patches, checks, progress, people."""

from __future__ import annotations

import numpy as np
import pytest

from figureground.review.options import ReviewOptions
from figureground.review.server.progress import distribution, number_words, share_words, time_words
from figureground.review.server.runs import decode_runs, encode_runs
from figureground.review.store import people
from figureground.review.store.ratings import Opinion

NAN = float("nan")


@pytest.fixture
def any_world(make_world, database_url):
    """Once on SQLite, once on PostgreSQL."""
    return make_world(url=database_url)


def rating(item, score=3, **more):
    return {"place": item["place"], "showing": item["showing"], "score": score, "out_of_domain": score is None, "seconds": 1.0, **more}


def order_of(asker):
    return [(item["place"], item["showing"]) for item in asker.get("/api/rate/next?count=50")["items"]]


def test_everything_can_be_rated_and_each_reviewer_has_an_order(any_world):
    ann, bob = any_world.visitor("ann"), any_world.visitor("bob")
    assert sorted(order_of(ann)) == [(place, 0) for place in range(12)]
    assert order_of(ann) == order_of(ann) != order_of(bob)
    first = ann.get("/api/rate/next?count=1")
    assert first["left"] == 13, "one of twelve comes twice, and the count does not tell which"
    assert (first["items"][0]["height"], first["items"][0]["width"]) == (48, 64)
    while items := ann.get("/api/rate/next?count=4")["items"]:
        for item in items:
            assert ann.post("/api/ratings", rating(item)) == {"saved": True}
    assert ann.get("/api/rate/next")["left"] == 0
    assert bob.get("/api/rate/next")["left"] == 0, "one rating a picture is the quorum"
    showings = [row[3] for row in any_world.content()["rating"]]
    assert (showings.count(0), showings.count(1)) == (12, 1), "one of twelve came twice"


def test_who_rates_is_not_told_what_others_say_of_unfinished_pictures(make_world):
    world = make_world(options=ReviewOptions(quorum=2, worst=0, repeats=0.0))
    ann, bob, cleo, root = (world.visitor(*who) for who in (("ann",), ("bob",), ("cleo", "checker"), ("root", "admin")))
    for asker, place, score in ((ann, 0, 2), (ann, 1, 5), (cleo, 1, 5), (ann, 2, None)):
        asker.post("/api/ratings", rating({"place": place, "showing": 0}, score))
    seen = {asker: [one["place"] for one in asker.get("/api/progress")["opinions"]] for asker in (ann, bob, cleo, root)}
    assert seen == {ann: [1, 2], bob: [1, 2], cleo: [1, 2], root: [0, 1, 2]}
    text = bob.client.get("/progress").text
    assert "2.0" not in text
    assert "5.0" in text


def test_an_address_that_shows_nothing_answers_people_with_a_page(make_world):
    ann = make_world().visitor("ann")
    for path, status, words in (("/check", 403, "Checking masks needs the role"), ("/nowhere", 404, "There is nothing at this address")):
        answer = ann.client.get(path, headers={"accept": "text/html,*/*"})
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
        assert words in answer.text
        assert ann.client.get(path, headers={"accept": "application/json"}).json()["error"].lower().startswith(words.lower())


def test_a_rating_sent_twice_is_one_and_undo_brings_the_picture_back(any_world):
    ann = any_world.visitor("ann")
    item = ann.get("/api/rate/next")["items"][0]
    for _ in range(3):
        ann.post("/api/ratings", rating(item, 2))
    assert len(any_world.content()["rating"]) == 1
    assert ann.post("/api/ratings/undo") == item
    assert order_of(ann)[0] == (item["place"], 0)
    assert ann.post("/api/ratings/undo") == {"place": None, "showing": None}
    ann.post("/api/ratings", rating(item, None))
    with any_world.database.read() as connection:
        from figureground.review.store.ratings import opinions

        assert [(o.place, o.vetoed) for o in opinions(connection)] == [(item["place"], True)]


def test_nobody_takes_back_the_rating_of_another(world):
    ann, bob = world.visitor("ann"), world.visitor("bob")
    ann.post("/api/ratings", rating(ann.get("/api/rate/next")["items"][0]))
    assert bob.post("/api/ratings/undo")["place"] is None


def test_what_a_rater_is_shown_names_no_model_and_nobody_else(make_world):
    world = make_world(options=ReviewOptions(quorum=2))
    world.visitor("zacharias").post("/api/ratings", rating({"place": 0, "showing": 0}, 1))
    ann = world.visitor("ann")
    for path in ("/rate", "/api/project", "/api/rate/next?count=50"):
        text = ann.client.get(path).text.lower()
        assert not [word for word in ("target", "rival", "zacharias") if word in text], path


def test_pictures_and_maps_are_those_of_the_project_and_are_kept_by_their_tag(world):
    ann = world.local()
    answer = ann.client.get("/pictures/3")
    assert (answer.content, answer.headers["content-type"]) == world.project.picture(3)
    again = ann.client.get("/pictures/3", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for model in (0, 1):
        found = decode_runs(ann.client.get(f"/api/maps/3/{model}").content)
        np.testing.assert_array_equal(found, world.project.layer_of(3, model))
    assert ann.client.get("/api/maps/3/2").status_code == 404
    version = ann.get("/api/project")["digest"][:8]
    assert "max-age=3600" in ann.client.get(f"/pictures/3?v={version}").headers["cache-control"]
    kept = [ann.client.get(f"/api/maps/3/{model}?v={version}").headers["cache-control"] for model in range(2)]
    assert kept == ["private, max-age=3600", "private, no-cache"]  # a rival may be another one next time


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (0, 4), (4, 0)])
@pytest.mark.parametrize("dtype", ["<u1", "<u4"])
def test_runs_come_back_as_they_were(shape, dtype):
    for most in (1, 2, 250):
        pixels = np.random.default_rng(most).integers(0, most, shape).astype(dtype)
        np.testing.assert_array_equal(decode_runs(encode_runs(pixels, dtype), dtype), pixels)


def test_patches_are_kept_and_a_second_window_is_told(any_world):
    ann, bob = any_world.visitor("ann"), any_world.visitor("bob")
    due = ann.get("/api/patches/next?count=3")
    assert ([item["place"] for item in due["items"]], due["left"], due["all"]) == ([0, 1, 2], 12, 12)
    assert bob.get("/api/patches/next")["place"] == 3, "the first three are at hand elsewhere"
    assert ann.get("/api/patches/0?rows=16&columns=16")["version"] == 0
    cells = "01" * 128
    assert ann.ask("PUT", "/api/patches/0?rows=16&columns=16", {"cells": cells, "version": 0}).json() == {"version": 1}
    assert ann.ask("PUT", "/api/patches/0?rows=16&columns=16", {"cells": cells, "version": 0}).json() == {"version": 1}, "sent again"
    other = ann.ask("PUT", "/api/patches/0?rows=16&columns=16", {"cells": "1" * 256, "version": 0})
    assert (other.status_code, other.json()["version"]) == (409, 1)
    assert ann.get("/api/patches/0?rows=16&columns=16")["cells"] == cells
    assert bob.get("/api/patches/0?rows=16&columns=16")["version"] == 0, "grids are each one's own"
    assert ann.get("/api/patches/next")["place"] == 1


@pytest.mark.parametrize(
    ("query", "cells"),
    [
        ("rows=4&columns=4", "1" * 15),
        ("rows=0&columns=4", "1"),
        ("rows=4&columns=4", "2" * 16),
        ("rows=999&columns=4", "1"),
        ("rows=4&columns=4", ""),
    ],
)
def test_a_grid_that_does_not_fit_is_refused(world, query, cells):
    ann = world.local()
    answer = ann.ask("PUT", f"/api/patches/0?{query}", {"cells": cells, "version": 0})
    assert answer.status_code == 422
    assert set(answer.json()) == {"error"}
    assert world.content()["patch"] == []


def test_a_mask_is_checked_by_somebody_else_only(any_world):
    ann, bob = any_world.visitor("ann", "checker"), any_world.visitor("bob", "checker")
    number = any_world.draw(ann, 2)
    assert ann.get("/api/checks/next")["mask"] is None
    task = bob.get("/api/checks/next")
    assert (task["mask"], task["place"], task["others"], task["before"]) == (number, 2, [], [])
    np.testing.assert_array_equal(decode_runs(bob.client.get(f"/api/checks/{number}/layer").content), any_world.project.layer_of(2, 0))
    verdict = {
        "mask": number,
        "version": task["version"],
        "verdict": "returned",
        "comment": "see there",
        "marks": [{"x": 3, "y": 4, "kind": "missing", "comment": "an ear"}],
    }
    own = ann.ask("POST", "/api/checks", verdict)
    assert (own.status_code, "own" in own.json()["error"]) == (403, True)
    first = bob.post("/api/checks", verdict)
    assert bob.post("/api/checks", verdict) == first, "sent again"
    late = bob.ask("POST", "/api/checks", {**verdict, "verdict": "accepted"})
    assert late.status_code == 409
    assert bob.get("/api/checks/next")["mask"] is None


def test_the_masks_of_others_are_there_to_compare_with(world):
    ann, bob, eve = (world.visitor(name, "checker") for name in ("ann", "bob", "eve"))
    numbers = [world.draw(asker, 5) for asker in (ann, bob)]
    task = bob.get("/api/checks/next")
    assert (task["mask"], task["others"]) == (numbers[0], [{"mask": numbers[1], "mine": True}])
    task = eve.get("/api/checks/next")
    assert (task["mask"], task["others"]) == (numbers[1], [{"mask": numbers[0], "mine": False}])
    assert ann.get("/api/checks/next")["mask"] is None, "eve is at the other one"


@pytest.mark.parametrize(
    "change",
    [{"marks": [{"x": 64, "y": 0, "kind": "extra"}]}, {"marks": [{"x": 0, "y": 0, "kind": "ugly"}]}, {"comment": "a\0b"}, {"comment": "x" * 4001}, {"verdict": "maybe"}, {"marks": [{"x": 1, "y": 1, "kind": "extra"}] * 1001}, {"seconds": -1}],
    ids=["outside", "kind", "nul", "long", "verdict", "many", "seconds"],
)  # fmt: skip
def test_a_crooked_check_is_refused(any_world, change):
    number = any_world.draw(any_world.visitor("ann"), 2)
    bob = any_world.visitor("bob", "checker")
    answer = bob.ask("POST", "/api/checks", {"mask": number, "version": 2, "verdict": "accepted", **change})
    assert answer.status_code == 422, answer.text
    assert any_world.content()["check_"] == []


def test_progress_says_numbers_to_all_and_names_to_admins(any_world):
    admin, ann = any_world.visitor("root", "admin"), any_world.visitor("ann")
    empty = ann.get("/api/progress")
    assert empty["alpha"] is None
    assert [stage["done"] for stage in empty["stages"]] == [0, 0, 0, 0]
    for item in ann.get("/api/rate/next?count=5")["items"]:
        ann.post("/api/ratings", rating(item, 1 + item["place"] % 5))
    said = ann.get("/api/progress")
    assert said["stages"][0] == {"name": "rate", "total": 12, "done": 5, "left": 7}
    assert {row["reviewer"]["name"] for row in said["reviewers"]} == {"reviewer 1", "reviewer 2", "you"}
    assert {row["reviewer"]["name"] for row in admin.get("/api/progress")["reviewers"]} == {"reviewer", "root", "ann"}
    assert "root" not in ann.client.get("/progress").text
    assert len(said["worklist"]) == 5
    page = admin.client.get("/progress").text
    assert ">ann<" in page
    assert "not yet" in page


def opinion(mean, *, vetoed=False):
    return Opinion(place=0, n=1, mean=mean, sd=NAN, low=NAN, high=NAN, vetoed=vetoed)


def test_the_distribution_holds_every_score_once():
    bars = distribution([opinion(mean) for mean in (1.0, 1.49, 1.5, 3.0, 4.99, 5.0)] + [opinion(NAN), opinion(2.0, vetoed=True)])
    assert [bar.count for bar in bars] == [2, 1, 0, 0, 1, 0, 0, 2]
    assert (bars[0].low, bars[-1].high) == (1, 5)


def test_numbers_in_words():
    assert (number_words(NAN), share_words(NAN)) == ("not yet", "not yet")
    assert number_words(-0.25, sign=True) == "\u22120.25"
    assert (number_words(0.5, 1, sign=True), share_words(0.666)) == ("+0.5", "67\u202f%")
    assert (time_words(59 * 60), time_words(3660)) == ("59 min", "1 h 01 min")


@pytest.mark.parametrize("name", ["", " ", "a/b", "a\\b", "<b>", "a\0", "x" * 65, 'say "hi"', "tab\tbed"])
def test_a_name_that_cannot_be_one_is_refused(any_world, name):
    admin = any_world.visitor("root", "admin")
    assert admin.ask("POST", "/api/people", {"name": name, "role": "reviewer"}).status_code == 422
    assert len(any_world.content()["reviewer"]) == 2, "the local reviewer and the admin"


def test_an_admin_lets_people_in_and_cannot_lock_himself_out(any_world):
    admin = any_world.visitor("root", "admin")
    added = admin.post("/api/people", {"name": "Zoë", "role": "checker"})
    assert any_world.stranger().enter(added["token"]).get("/api/project")["reviewer"]["role"] == "checker"
    assert admin.ask("POST", "/api/people", {"name": "Zoë", "role": "admin"}).status_code == 422
    assert "token" not in admin.client.get("/api/people").text
    assert added["token"] not in admin.client.get("/people").text
    me = admin.get("/api/project")["reviewer"]["number"]
    assert admin.ask("POST", f"/api/people/{me}/revoke").status_code == 409
    assert admin.ask("POST", "/api/people/999/revoke").status_code == 404


def test_an_admin_gives_roles_and_keeps_his_own(any_world):
    """A role holds from the next request on, with the token and the session that were there; nobody takes the last admin's away."""
    admin, ann = any_world.visitor("root", "admin"), any_world.visitor("ann")
    me, number = (one.get("/api/project")["reviewer"]["number"] for one in (admin, ann))
    assert ann.client.get("/check").status_code == 403
    assert admin.post(f"/api/people/{number}/role", {"role": "checker"}) == {"role": "checker"}
    assert ann.client.get("/check").status_code == 200
    assert admin.post(f"/api/people/{number}/role", {"role": "reviewer"}) == {"role": "reviewer"}
    assert ann.client.get("/check").status_code == 403
    answer = admin.ask("POST", f"/api/people/{me}/role", {"role": "reviewer"})
    assert (answer.status_code, answer.json()["error"]) == (409, "this is you: ask another admin to change your role")
    assert admin.ask("POST", "/api/people/999/role", {"role": "reviewer"}).status_code == 404
    assert admin.ask("POST", f"/api/people/{number}/role", {"role": "owner"}).status_code == 422


def test_who_has_no_token_is_told_from_who_takes_part(any_world):
    with any_world.database.write() as connection:
        people.known(connection, "Lin")
    admin = any_world.visitor("root", "admin")
    assert "has no token" in admin.client.get("/people").text


def test_names_and_projects_are_escaped_on_every_page(world):
    admin = world.visitor("a&b", "admin")
    for page in ("/", "/people", "/progress"):
        text = admin.client.get(page).text
        assert "a&amp;b" in text
        assert "a&b" not in text


def test_what_the_database_cannot_do_now_is_said_and_asked_again(world):
    ann = world.visitor("ann")
    world.database.engine.dispose()
    with world.database.write() as connection:
        connection.exec_driver_sql("DROP TABLE rating")
    answer = ann.ask("POST", "/api/ratings", rating({"place": 0, "showing": 0}))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert "Nothing was saved" in answer.json()["error"]

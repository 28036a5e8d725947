"""Nobody gets in without a token where one is wanted, nothing changes without the page's mark, and no path reaches the disk."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

import figureground.review
from figureground.review.server.security import BODY_LIMIT, Access, Attempts, csrf_mark, host_name, same_mark

PACKAGE = Path(figureground.review.__file__).parent
RATING = {"place": 0, "showing": 0, "score": 3, "out_of_domain": False, "seconds": 1.5}
FILLED = {"place": "0", "model": "0", "mask": "1", "number": "1", "kind": "labels"}


def operations(world) -> list[tuple[str, str]]:
    """Method and filled path of everything that the app says it answers, and of the pages."""
    found = [
        (method.upper(), re.sub(r"\{(\w+)\}", lambda match: FILLED[match[1]], path))
        for path, methods in world.app.openapi()["paths"].items()
        for method in methods
    ]
    return [*found, *(("GET", page) for page in ("/", "/rate", "/patches", "/mask", "/check", "/progress", "/people"))]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("127.0.0.1:8765", "127.0.0.1"),
        ("LocalHost", "localhost"),
        ("[::1]:80", "::1"),
        ("a.example.", "a.example"),
        ("", ""),
        ("a b", ""),
        ("x@y", ""),
        ("a:b:c", ""),
    ],
)
def test_a_host_header_is_read(header, name):
    assert host_name(header) == name


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "192.168.1.5", "user@localhost", "", "0.0.0.0"]
)
def test_another_host_name_gets_nothing(world, host):
    answer = world.local().client.get("/api/project", headers={"host": host})
    assert answer.status_code == 421
    assert "--allowed-host" in answer.json()["error"]


def test_names_that_were_told_and_digits_where_all_are_listened_to(make_world):
    told = make_world(access=Access(hosts=frozenset({"review.example"})))
    assert told.stranger("http://review.example:80").client.get("/health").status_code == 200
    wild = Access(tokens=True, addresses=True)
    assert [wild.knows(name) for name in ("10.0.0.7:8765", "[fe80::1]:1", "evil.example")] == [True, True, False]


def test_everything_but_the_way_in_wants_a_sign_in(beyond):
    beyond.add("ann", "admin")
    before, stranger = beyond.content(), beyond.stranger()
    open_to_all = {("GET", "/health"), ("GET", "/enter"), ("POST", "/enter")}
    for method, path in operations(beyond):
        answer = stranger.ask(method, path, {"token": "no"} if path == "/enter" else {}, follow_redirects=False)
        if (method, path) in open_to_all:
            assert answer.status_code in (200, 401), (method, path)
        elif path.startswith(("/api/", "/pictures/")) or method != "GET":
            assert answer.status_code in (401, 303), (method, path, answer.text)
        else:
            assert (answer.status_code, answer.headers["location"]) == (303, "/enter")
    assert beyond.content() == before


def test_a_stranger_learns_nothing_from_a_crooked_request(beyond):
    answers = [
        beyond.stranger().client.post("/api/ratings", content=body, headers={"content-type": "application/json"})
        for body in (b"{", b"[]", b"")
    ]
    assert {answer.status_code for answer in answers} == {401}


@pytest.mark.parametrize("mark", ["", "0" * 64, "é" * 64])
def test_nothing_changes_without_the_mark_of_the_page(world, mark):
    ann = world.visitor("ann", "admin")
    ann.ask("POST", "/api/ratings", RATING)
    world.draw(world.visitor("bob"), 1)
    before = world.content()
    changing = [(method, path) for method, path in operations(world) if method != "GET" and path != "/enter"]
    assert len(changing) >= 9
    for method, path in changing:
        answer = ann.client.request(
            method, path, content=b"{}", headers={"x-csrf-token": mark.encode(), "content-type": "application/json"}
        )
        assert answer.status_code == 403, (method, path, answer.text)
    assert world.content() == before
    assert ann.get("/api/project")["reviewer"]["name"] == "ann", "and nobody was signed out"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_post_from_another_site_changes_nothing_even_with_the_mark(world, headers):
    ann = world.visitor("ann", "admin")
    before = world.content()
    assert ann.ask("POST", "/api/ratings", RATING, headers=headers).status_code == 403
    assert world.stranger().ask("POST", "/enter", {"token": world.tokens["ann"]}, headers=headers).status_code == 403
    assert world.content() == before


def test_our_own_page_may_post(world):
    ann = world.visitor("ann")
    assert (
        ann.ask("POST", "/api/ratings", RATING, headers={"origin": "http://127.0.0.1:8765", "sec-fetch-site": "same-origin"}).status_code
        == 200
    )


def test_another_site_cannot_read_but_may_link(world):
    ann = world.visitor("ann")
    assert ann.client.get("/pictures/0", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}).status_code == 403
    assert ann.client.get("/rate", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}).status_code == 200
    before = world.content()
    for path in ("/api/patches/next?count=9", "/api/masks/next", "/api/masks/0", "/pictures/0"):
        answer = ann.client.get(path, headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"})
        assert answer.status_code == 403, "an address that may change something is no screen to link to"
    assert world.content() == before
    assert ann.client.get("/api/openapi.json", headers={"sec-fetch-site": "none", "sec-fetch-mode": "navigate"}).status_code == 200


def test_every_answer_bears_the_headers(world):
    ann = world.visitor("ann", "admin")
    answers = [ann.client.get(path) for path in ("/rate", "/pictures/0", "/api/project", "/static/look.css", "/nothing", "/api/maps/0/77")]
    answers.append(ann.client.get("/health", headers={"host": "evil.example"}))
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in answer.headers
    assert answers[0].headers["cache-control"] == "no-store"


@pytest.mark.parametrize("file", sorted((PACKAGE / "templates").glob("*.html")), ids=lambda file: file.name)
def test_pages_have_no_script_or_style_of_their_own_and_ask_nothing_of_others(file):
    text = file.read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|//[a-z]", text.replace("http://www.w3.org", ""))
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))


def test_the_cookie_is_kept_from_scripts_and_other_sites(beyond):
    token = beyond.add("ann", "reviewer")
    cookie = beyond.stranger("https://review.example").client.post("/enter", json={"token": token}).headers["set-cookie"].lower()
    assert {"httponly", "samesite=strict", "path=/", "secure"} <= {part.strip() for part in cookie.split(";")}
    assert token.lower() not in cookie


def test_wrong_tokens_are_refused_and_soon_have_to_wait(beyond):
    token = beyond.add("ann", "reviewer")
    stranger = beyond.stranger()
    assert [stranger.ask("POST", "/enter", {"token": f"{token[:-1]}{n}"}).status_code for n in "?!$%&()=+#"] == [401] * 10
    answer = stranger.ask("POST", "/enter", {"token": f"{token[:-1]}-"})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert stranger.ask("POST", "/enter", {"token": token}).status_code == 200, "a team behind one address is not kept out"


@pytest.mark.slow
def test_attempts_are_counted_by_address_and_bounded():
    attempts = Attempts(most=2)
    for address in ("a", "a", "b"):
        attempts.note(address)
    assert attempts.wait_s("a") > 0
    assert attempts.wait_s("b") == attempts.wait_s("c") == 0
    for n in range(12_000):
        attempts.note(str(n))
    assert len(attempts.failed) <= 10_001


def test_who_is_revoked_is_out_at_once_and_leaving_ends_the_session(beyond):
    admin, ann, bob = beyond.visitor("root", "admin"), beyond.visitor("ann"), beyond.visitor("bob")
    number = ann.get("/api/project")["reviewer"]["number"]
    assert admin.post(f"/api/people/{number}/revoke") == {"revoked": True}
    assert ann.client.get("/api/project").status_code == 401
    assert beyond.stranger().ask("POST", "/enter", {"token": beyond.tokens["ann"]}).status_code == 401
    kept = bob.client.cookies.get(beyond.room.cookie)
    assert bob.post("/leave") == {"left": True}
    assert TestClient(beyond.app, base_url="http://127.0.0.1", cookies={beyond.room.cookie: kept}).get("/api/project").status_code == 401


def test_a_new_token_ends_the_old_one(beyond):
    admin, ann = beyond.visitor("root", "admin"), beyond.visitor("ann")
    number = ann.get("/api/project")["reviewer"]["number"]
    token = admin.post(f"/api/people/{number}/token")["token"]
    assert ann.client.get("/api/project").status_code == 401
    assert beyond.stranger().enter(token).get("/api/project")["reviewer"]["name"] == "ann"


ADMIN_ONLY = [
    ("GET", "/api/people"),
    ("POST", "/api/people"),
    ("POST", "/api/people/1/revoke"),
    ("POST", "/api/people/1/token"),
    ("POST", "/api/people/1/role"),
    ("GET", "/api/export/labels"),
    ("POST", "/api/export"),
    ("GET", "/people"),
]
CHECKER_ONLY = [("GET", "/api/checks/next"), ("GET", "/api/checks/1/layer"), ("POST", "/api/checks"), ("GET", "/check")]


@pytest.mark.parametrize(("role", "refused"), [("reviewer", ADMIN_ONLY + CHECKER_ONLY), ("checker", ADMIN_ONLY)])
def test_roles_end_where_they_end(beyond, role, refused):
    visitor = beyond.visitor("ann", role)
    before = beyond.content()
    for method, path in refused:
        answer = visitor.ask(method, path, {"name": "eve", "role": "admin"})
        assert answer.status_code in (403, 422), (method, path)
        assert "role" in answer.json()["error"] or answer.status_code == 422
    assert beyond.content() == before


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
def test_bodies_are_bounded(world, declared):
    ann = world.visitor("ann")
    body = json.dumps(RATING).encode() + b" " * BODY_LIMIT
    content = body if declared else iter([body[i : i + 65_536] for i in range(0, len(body), 65_536)])
    answer = ann.client.post("/api/ratings", content=content, headers={"x-csrf-token": ann.csrf, "content-type": "application/json"})
    assert answer.status_code == 413
    assert "1 MB" in answer.json()["error"]
    assert world.content()["rating"] == []


HOSTILE = [
    "/static/../server/app.py", "/static/%2e%2e/server/app.py", "/static/..%2f..%2foptions.py", "/static//etc/passwd", "/static/%00", "/static/mask/../../options.py",
    "/pictures/../0", "/pictures/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/pictures/0%00.png", "/pictures/-1", "/pictures/99999999999999999999", "/pictures/1e3", "/pictures/0/../../etc/passwd",
    "/api/maps/0/..%2f", "/api/maps/0/-1", "/api/export/..%2f..%2fetc", "/api/export/labels%00", "/api/patches/%2e%2e",
]  # fmt: skip


@pytest.mark.parametrize("path", HOSTILE)
def test_no_path_of_a_client_reaches_the_disk(world, path):
    answer = world.visitor("ann", "admin").client.get(path)
    assert answer.status_code in (404, 422), answer.text[:100]
    assert set(answer.json()) == {"error"}
    assert not re.search(r"/work|/tmp|/home|root:", answer.text)


CROOKED = [
    {**RATING, "score": 6}, {**RATING, "score": "3"}, {**RATING, "score": 3.5}, {**RATING, "score": True}, {**RATING, "place": -1}, {**RATING, "place": 10**30}, {**RATING, "place": 99},
    {**RATING, "seconds": -1}, {**RATING, "seconds": 1e9}, {**RATING, "showing": 2}, {**RATING, "extra": 1}, {**RATING, "score": None}, {**RATING, "out_of_domain": True}, {}, [], None, "x", 7,
]  # fmt: skip


@pytest.mark.parametrize("body", CROOKED, ids=repr)
def test_a_crooked_rating_is_refused_in_one_sentence(world, body):
    answer = world.visitor("ann").ask("POST", "/api/ratings", body)
    assert answer.status_code in (404, 422)
    assert set(answer.json()) == {"error"}
    assert world.content()["rating"] == []


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"place": NaN}',
        b'{"seconds": Infinity, "place": 0, "score": 1}',
        b"\xff\xfe",
        b'"\\ud800"',
        b'{"place": 0, "score": 1, "\\ud800": 1}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_json_is_refused(world, body):
    ann = world.visitor("ann")
    answer = ann.client.post("/api/ratings", content=body, headers={"x-csrf-token": ann.csrf, "content-type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert set(answer.json()) == {"error"}


@given(st.text(max_size=80))
def test_marks_are_compared_whatever_they_are(text):
    mark = csrf_mark("key")
    assert same_mark(text, mark) is (text == mark)


def test_a_mark_belongs_to_one_session(world):
    first, second = world.visitor("ann"), world.visitor("bob")
    assert first.csrf != second.csrf
    assert second.ask("POST", "/api/ratings", RATING, headers={"x-csrf-token": first.csrf}).status_code == 403


def test_ratings_beyond_loopback_need_no_local_reviewer(beyond):
    assert beyond.room.local is None
    assert beyond.content()["reviewer"] == []

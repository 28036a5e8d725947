"""The whole API under requests that nobody would send: never our fault, and no change without the page's mark."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from tests.review.server.conftest import BEYOND
from tests.review.server.world import open_world

pytestmark = pytest.mark.slow
CASES = 20
PHASES = (Phase.explicit, Phase.generate)


@pytest.fixture(scope="module")
def served(pool, tmp_path_factory):
    """A review that has something of everything, and its schema."""
    import schemathesis

    world = open_world(pool, f"sqlite:///{tmp_path_factory.mktemp('schema')}/review.db", access=BEYOND)
    ann = world.visitor("ann", "admin")
    ann.post("/api/ratings", {"place": 0, "showing": 0, "score": 4, "out_of_domain": False, "seconds": 1.0})
    world.draw(world.visitor("bob"), 1)
    yield world, schemathesis.openapi.from_dict(world.app.openapi())
    world.database.close()


def each_case(schema, check):
    """Calls `check(case)` for generated requests of every operation; returns how many operations there are."""
    from schemathesis import GenerationMode

    count = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        count += 1
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            strategy = operation.as_strategy(generation_mode=mode)
            run = settings(max_examples=CASES, deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck), database=None)(
                given(strategy)(check)
            )
            with suppress(Unsatisfiable):  # an operation without parameters has nothing to get wrong
                run()
    return count


def send(asker, case, headers):
    """The case as a request to the app."""
    asker.client.cookies = dict(asker.kept)
    sent = case.as_transport_kwargs(base_url="http://127.0.0.1:8765")
    sent["headers"] = {**{k: v for k, v in dict(sent.get("headers") or {}).items() if k.lower() not in ("cookie", "host")}, **headers}
    sent.pop("cookies", None)
    if isinstance(sent.get("data"), bytes | str):
        sent["content"] = sent.pop("data")
    return asker.client.request(sent.pop("method"), sent.pop("url"), **sent)


def test_no_request_is_our_fault(served):
    world, schema = served
    ann = world.visitor("ann")

    def check(case):
        if case.path in ("/leave", "/api/people/{number}/revoke", "/api/people/{number}/token"):
            return  # those would end the session that asks; they have tests of their own
        answer = send(ann, case, {"x-csrf-token": ann.csrf})
        assert answer.status_code < 500, (case.method, case.path, answer.status_code, answer.text[:300])
        assert answer.status_code not in (401, 403) or answer.json()["error"], answer.text
        if answer.status_code >= 400:
            assert set(answer.json()) <= {"error", "version"}

    ann.kept = dict(ann.client.cookies)
    assert each_case(schema, check) >= 20


@pytest.mark.parametrize("signed_in", [True, False], ids=["without the mark", "a stranger"])
def test_nothing_changes_for_those_who_may_not(served, signed_in):
    world, schema = served
    world.room.attempts.failed.clear()  # of the tests before
    asker = world.visitor("ann") if signed_in else world.stranger()
    asker.kept = dict(asker.client.cookies)
    before = world.content()

    def check(case):
        if case.method == "GET" and signed_in:
            return
        world.room.attempts.failed.clear()
        answer = send(asker, case, {})
        assert answer.status_code < 500, (case.method, case.path, answer.text[:300])
        assert answer.status_code >= 400 or case.path == "/health", (case.method, case.path, answer.text[:300])

    each_case(schema, check)
    assert world.content() == before

"""A loop that people answer: the real process, its real page, asked over the network, and killed in the middle of a rating."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")
httpx2 = pytest.importorskip("httpx2", reason="the extra 'test' is not installed")

from tests.loop.world import make_world  # noqa: E402
from tests.review.server.world import Asker  # noqa: E402

from figureground.data.labels import read_labels  # noqa: E402
from figureground.loops.places import Places  # noqa: E402
from figureground.runs.artifact import read_manifest  # noqa: E402

pytestmark = pytest.mark.slow


@pytest.fixture
def recipe(tmp_path) -> Path:
    """One round; two people, who sign in."""
    file = make_world(tmp_path, rounds=1, epochs=3)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    text = file.read_text().replace("[review]", f'[review]\nport = {port}\nsign_in = true\nreviewers = ["ann:admin", "bob:reviewer"]')
    file.write_text(text.replace("learn = 8", "learn = 4").replace("test = 6", "test = 4").replace("top = 6", "top = 3"))
    return file


class Process:
    """`figureground loop`, and its page."""

    def __init__(self, recipe: Path, *more: str) -> None:
        command = [sys.executable, "-m", "figureground", "loop", str(recipe), "--no-browser", *more]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.said = ""
        self.tokens: dict[str, str] = {}

    def wait_for(self, words: str) -> str:
        """Reads what it says up to a line that matches, and returns the first group."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said += line
            if token := re.search(r"Token of '(\w+)' .*: (\S+)", line):
                self.tokens[token[1]] = token[2]
            if match := re.search(words, line):
                return match[1] if match.groups() else match[0]
        raise AssertionError(f"it ended without '{words}':\n{self.said}")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def end(self) -> str:
        """What it printed, once it has ended well."""
        out, said = self.process.communicate(timeout=300)
        assert self.process.returncode == 0, self.said + said
        return out


@contextmanager
def entered(address: str, token: str) -> Iterator[Asker]:
    with httpx2.Client(base_url=address, timeout=60) as client:
        yield Asker(client).enter(token)


def rate(asker: Asker, most: int = 1000) -> list[int]:
    """Rates as the page does, up to so many; returns the places."""
    places = []
    while len(places) < most and (items := asker.get("/api/rate/next?count=1")["items"]):
        place, showing = items[0]["place"], items[0]["showing"]
        said = {"place": place, "showing": showing, "score": None if place == 0 else 2, "out_of_domain": place == 0, "seconds": 1.5}
        asker.post("/api/ratings", said)
        places.append(place)
    return places


def draw(asker: Asker) -> list[str]:
    """Hands in the target's map of every picture that is due, as it is."""
    done = []
    while (task := asker.get("/api/masks/next"))["place"] is not None:
        answer = asker.client.get(f"/api/masks/{task['place']}")
        asker.post(f"/api/masks/{task['place']}/submit", {"version": int(answer.headers["x-version"])})
        done.append(task["id"])
    return done


def test_people_answer_and_a_kill_in_the_middle_asks_nobody_twice(recipe):
    """Half of the ratings, SIGKILL, the other half; then masks with the tokens of the ratings; the round is ranked and the labels are theirs."""
    first = Process(recipe)
    address = first.wait_for(r"Review: (http://\S+)")
    with entered(address, first.tokens["ann"]) as ann:
        before = rate(ann, most=5)
    first.kill()

    status = subprocess.run(
        [sys.executable, "-m", "figureground", "loop", "status", str(recipe), "--json"], capture_output=True, text=True, check=True
    )
    waits = json.loads(status.stdout)["waits"]
    assert (waits["state"], waits["address"]) == ("rating", address)

    second = Process(recipe, "--until", "1.ranked")
    second.wait_for(r"Review: (http://\S+)")
    with entered(address, first.tokens["ann"]) as ann:
        after = rate(ann)
    assert not set(before) & set(after)
    second.wait_for(r"Review: (http://\S+)")
    assert not second.tokens, "nobody was given a new token"
    with entered(address, first.tokens["bob"]) as bob:
        drawn = draw(bob)
    out = second.end()
    assert "Round 1 is ranked" in out

    here = Places(out=recipe.with_suffix("")).round(1)
    ratings, labels, work = read_labels(here.ratings), read_labels(here.labels), read_manifest(here.work).details
    assert len(ratings.ratings) == len(before) + len(after) == waits["pictures"]
    vetoed = {opinion.id for opinion in ratings.opinions if opinion.vetoed}
    assert len(vetoed) == 1
    assert not vetoed & {*work["test"], *work["learn"]}
    assert sorted(drawn) == sorted((*work["test"], *work["learn"])) == sorted(mask.id for mask in labels.masks)
    assert {mask.reviewer for mask in labels.masks} == {"bob"}

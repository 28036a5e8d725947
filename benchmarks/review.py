"""The review server under 50 reviewers at once and 10,000 ratings, on SQLite and on PostgreSQL.

    python -m benchmarks.review [--quick] [--reviewers 50] [--ratings 10000] [--pause 1] [--folder DIR]

The server is a process of its own and runs as `figureground review` starts it; the reviewers are connections of two other processes. Each
one rates what the server gives him next, the way the page does: three pictures asked for at a time, then one request a rating. Between
two ratings a reviewer pauses, for a second on average, which is two or three times as quick as people are; a second run has no pause at
all. Some ratings are sent twice, as after an answer that was lost. Afterwards the database is counted: every rating that was acknowledged
must be there, once. The peer is an empty route of the same server, `/health`, asked in turn with the ratings by the same connections.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.results import Row, duration, tell, write_rows, write_skipped
from PIL import Image

PICTURES, SIDE, CLIENTS, ASKED, TWICE = 200, 64, 2, 3, 0.02
LIMIT_S = 0.1
POSTGRESQL = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
SERVER = """
import sys
from pathlib import Path
from figureground.review.options import ReviewOptions
from figureground.review.server.serve import Where, serve
pool, out, url, port = sys.argv[1:]
options = ReviewOptions(models=(f"target=png:{pool}/target",), quorum=100, repeats=0.05)
serve(pool, out=Path(out), options=options, where=Where(port=int(port), sign_in=True), database=url, add=["root:admin"],
      browser=False, say=lambda text: print(text, flush=True))
"""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What the reviewers of one process saw."""

    rating_s: list[float]
    empty_s: list[float]
    acknowledged: list[tuple[str, int, int, int | None]]
    """Reviewer, place, showing, score."""


def main() -> int:
    """Both databases, with pauses and without."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.review", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few ratings: shows that all runs")
    parser.add_argument("--reviewers", type=int, default=50)
    parser.add_argument("--ratings", type=int, default=10_000)
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between two ratings of a reviewer, on average")
    parser.add_argument("--folder", type=Path, default=None)
    given = parser.parse_args()
    if given.quick:
        given.reviewers, given.ratings, given.pause = 10, 200, 0.02
    folder = Path(tempfile.mkdtemp(prefix="figureground-review-", dir=given.folder))
    try:
        pool = write_pool(folder / "pool")
        for kind, url in databases(folder):
            for pause in (given.pause, 0.0):
                write_rows(measure(pool, folder, kind, url(f"{kind}{pause:g}"), given, pause))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def measure(pool: Path, folder: Path, kind: str, url: str, given: argparse.Namespace, pause: float) -> Iterator[Row]:
    """One run against a fresh database, and the count afterwards."""
    name = f"{kind}{pause:g}"
    with server(pool, folder / f"labels-{name}", url) as (port, token, spent):
        people = asyncio.run(let_in(port, token, given.reviewers))
        each = given.ratings // given.reviewers
        parts = [people[i::CLIENTS] for i in range(CLIENTS)]
        start, before = time.perf_counter(), spent()
        with ProcessPoolExecutor(CLIENTS) as clients:
            loads = list(clients.map(run_client, [port] * CLIENTS, parts, [each] * CLIENTS, [pause] * CLIENTS))
        took, cpu = time.perf_counter() - start, spent() - before
    check(url, [one for load in loads for one in load.acknowledged], expected=each * given.reviewers)
    rating = sorted(s for load in loads for s in load.rating_s)
    empty = sorted(s for load in loads for s in load.empty_s)
    p95, least = quantile(rating, 0.95), quantile(empty, 0.95)
    tell(
        f"review: {kind}, pause {pause:g} s: p95 {duration(p95)}, empty route {duration(least)}, {len(rating) / took:.0f} ratings a second"
    )
    numbers = {"p50_s": quantile(rating, 0.5), "p95_s": p95, "p99_s": quantile(rating, 0.99), "most_s": rating[-1]}
    numbers |= {"empty_p50_s": quantile(empty, 0.5), "empty_p95_s": least, "ratings": len(rating), "seconds": took}
    numbers |= {"a_second": len(rating) / took, "lost": 0, "double": 0, "server_cpu_ms_a_rating": 1000 * cpu / len(rating)}
    on = f"{given.reviewers} reviewers, {each * given.reviewers:,} ratings, {kind}, {f'pause {pause:g} s' if pause else 'no pause'}"
    common = {"benchmark": "review", "on": on, "kind": "times the peer", "numbers": numbers}
    yield Row(
        what="p95 of a rating",
        peer="100 ms",
        ratio=p95 / LIMIT_S,
        target=1 if pause else None,
        ours=duration(p95),
        theirs="100 ms",
        **common,
    )
    yield Row(what="p95 of a rating", peer="empty route", ratio=p95 / least, ours=duration(p95), theirs=duration(least), **common)


def quantile(values: Sequence[float], part: float) -> float:
    """Of sorted values."""
    return values[min(len(values) - 1, int(part * len(values)))]


def write_pool(folder: Path) -> Path:
    """Small pictures of noise with one model's maps: what a rating costs does not depend on them."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    (folder / "target").mkdir()
    for n in range(PICTURES):
        Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)).save(folder / "images" / f"p{n}.jpg")
        Image.fromarray(np.kron(rng.integers(0, 3, (4, 4), np.uint8), np.ones((16, 16), np.uint8))).save(folder / "target" / f"p{n}.png")
    (folder / "samples.csv").write_text("id,image\n" + "".join(f"p{n},images/p{n}.jpg\n" for n in range(PICTURES)))
    (folder / "dataset.toml").write_text('[classes]\nnames = ["ground", "cat", "dog"]\n[samples]\ntable = "samples.csv"\n')
    return folder


def databases(folder: Path) -> Iterator[tuple[str, Any]]:
    """Kind, and a function from a name to the URL of a fresh database; PostgreSQL as it comes, in a folder of its own."""
    yield "SQLite", lambda name: f"sqlite:///{folder}/{name}.db"
    if not POSTGRESQL:
        write_skipped("review", "PostgreSQL is not installed: there is no /usr/lib/postgresql/*/bin")
        return
    from tests.review.conftest import Cluster

    cluster = Cluster(durable=True)
    try:
        yield "PostgreSQL", lambda name: cluster.new_database()
    finally:
        cluster.stop()


@contextmanager
def server(pool: Path, out: Path, url: str) -> Iterator[tuple[int, str, Callable[[], float]]]:
    """Port and the admin's token of a server, and a function for its processor time so far; ended by Ctrl-C."""
    import signal

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, "-c", SERVER, str(pool), str(out), url, str(port)]
    unblocked = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=unblocked) as process:
        assert process.stdout is not None
        token = ""
        for line in process.stdout:
            if line.startswith("Token of"):
                token = line.rpartition(": ")[2].strip()
            if line.startswith("Review:"):
                break
        try:
            yield port, token, lambda: cpu_s(process.pid)
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=120)
    if process.returncode:
        raise SystemExit(f"the server ended with {process.returncode}")


def cpu_s(process: int) -> float:
    """User and system time of a process; 0 where /proc is absent."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def let_in(port: int, token: str, count: int) -> list[tuple[str, str]]:
    """Names and tokens of new reviewers."""
    root = await Visitor.enter(port, "root", token)
    made = [json.loads(await root.ask("POST", "/api/people", {"name": f"reviewer {n}", "role": "reviewer"})) for n in range(count)]
    root.writer.close()
    return [(one["name"], one["token"]) for one in made]


@dataclass
class Visitor:
    """One reviewer's connection: HTTP/1.1 kept open, written by hand so that the clients take little of the machine."""

    name: str
    port: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    cookie: str = ""
    csrf: str = ""

    @classmethod
    async def enter(cls, port: int, name: str, token: str) -> Visitor:
        for _ in range(200):
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                break
            except OSError:
                await asyncio.sleep(0.05)
        visitor = cls(name, port, reader, writer)
        await visitor.ask("POST", "/enter", {"token": token})
        visitor.csrf = json.loads(await visitor.ask("GET", "/api/project"))["csrf"]
        return visitor

    async def ask(self, method: str, path: str, body: Any = None) -> bytes:
        """The body of an answer; anything but 200 ends the benchmark."""
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nCookie: {self.cookie}\r\nX-CSRF-Token: {self.csrf}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        self.writer.write(head.encode() + content)
        answer = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        lines = {name.lower(): value for name, _, value in (line.partition(": ") for line in answer.splitlines()[1:])}
        said = await self.reader.readexactly(int(lines.get("content-length", 0)))
        if " 200 " not in answer.splitlines()[0]:
            raise SystemExit(f"{method} {path}: {answer.splitlines()[0]} {said[:200]!r}")
        if "set-cookie" in lines:
            self.cookie = lines["set-cookie"].partition(";")[0]
        return said


def run_client(port: int, people: Sequence[tuple[str, str]], each: int, pause: float) -> Load:
    """All reviewers of one process."""
    return asyncio.run(_run_client(port, people, each, pause))


async def _run_client(port: int, people: Sequence[tuple[str, str]], each: int, pause: float) -> Load:
    load = Load(rating_s=[], empty_s=[], acknowledged=[])
    visitors = [await Visitor.enter(port, *one) for one in people]
    await asyncio.gather(*(work(visitor, each, pause, load) for visitor in visitors))
    return load


async def work(visitor: Visitor, each: int, pause: float, load: Load) -> None:
    """One reviewer's ratings."""
    rng, done = random.Random(visitor.name), 0
    await asyncio.sleep(rng.random() * pause)
    while done < each:
        for item in json.loads(await visitor.ask("GET", f"/api/rate/next?count={ASKED}"))["items"][: each - done]:
            score = rng.randint(1, 5)
            body = {"place": item["place"], "showing": item["showing"], "score": score, "out_of_domain": False, "seconds": 1.0}
            for _ in range(1 + (rng.random() < TWICE)):
                start = time.perf_counter()
                await visitor.ask("POST", "/api/ratings", body)
                load.rating_s.append(time.perf_counter() - start)
            load.acknowledged.append((visitor.name, item["place"], item["showing"], score))
            done += 1
            await asyncio.sleep(2 * rng.random() * pause / 2)
            start = time.perf_counter()
            await visitor.ask("GET", "/health")
            load.empty_s.append(time.perf_counter() - start)
            await asyncio.sleep(2 * rng.random() * pause / 2)


def check(url: str, acknowledged: Sequence[tuple], *, expected: int) -> None:
    """Every rating that was acknowledged is there, once, and no other."""
    from sqlalchemy import create_engine, select

    from figureground.review.store.address import read_address
    from figureground.review.store.tables import rating, reviewer

    address = read_address(url)
    engine = create_engine(address.url, connect_args=address.arguments)
    with engine.connect() as connection:
        asked = select(reviewer.c.name, rating.c.place, rating.c.showing, rating.c.score).join(
            rating, rating.c.reviewer == reviewer.c.number
        )
        found = [tuple(row) for row in connection.execute(asked.where(rating.c.withdrawn.is_(None)))]
    engine.dispose()
    if sorted(found) != sorted(acknowledged) or len(found) != expected:
        raise SystemExit(f"{url}: {len(acknowledged)} ratings were acknowledged, {len(found)} are there, {expected} expected")


if __name__ == "__main__":
    sys.exit(main())

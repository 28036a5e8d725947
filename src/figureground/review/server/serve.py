"""Starting and ending the server: a free port, a database, people, and at the end the labels artifact."""

from __future__ import annotations

import contextlib
import getpass
import signal
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from sqlalchemy import Connection

from figureground.core.errors import ArtifactError, FiguregroundError, InputError
from figureground.data.faults import some
from figureground.data.labels import reviewer_name
from figureground.data.tables import read_table
from figureground.review.options import ReviewOptions, grid_of
from figureground.review.project import Project, open_project
from figureground.review.server.app import create_app
from figureground.review.server.room import Room
from figureground.review.server.security import Access, is_loopback
from figureground.review.store import people, ratings
from figureground.review.store.database import Database, open_database
from figureground.review.store.labels import write_labels
from figureground.runs.artifact import is_artifact, read_manifest

WRITE_EVERY_S = 180.0
WILDCARDS = ("0.0.0.0", "::", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Where the page is reached, and by whom."""

    host: str = "127.0.0.1"
    port: int = 8765
    """0 = a free one."""
    names: tuple[str, ...] = ()
    """Further host names under which it is reached, as behind a proxy; people sign in then."""
    sign_in: bool = False
    """People sign in on loopback too."""

    @property
    def tokens(self) -> bool:
        """True where every reviewer needs a token."""
        return self.sign_in or bool(self.names) or not is_loopback(self.host)

    def access(self, reviewer: str) -> Access:
        """The same for the app; `reviewer` is the local one."""
        wild = self.host in WILDCARDS
        names = {*self.names, *({socket.gethostname(), socket.getfqdn()} if wild else {self.host})}
        return Access(local=reviewer, tokens=self.tokens, hosts=frozenset(name.lower() for name in names), addresses=wild)


@dataclass(slots=True, eq=False)
class LabelsWriter:
    """Writes the labels artifact of a review, one at a time, and knows whether there is anything new."""

    database: Database
    project: Project
    out: Path
    room: Room | None = None
    written: int = -1
    """Number of changes that the artifact holds."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> dict[str, Any]:
        """Writes it now."""
        with self.lock:
            changes = self.room.changes if self.room else 0
            write_labels(self.database, self.project, self.out, sources=self.project.files)
            self.written = changes
        return {"where": str(self.out)}

    @property
    def behind(self) -> bool:
        """True where something was changed since it was written."""
        return self.room is not None and self.room.changes != self.written


class _Server(uvicorn.Server):
    """The server, ended by Ctrl-C or SIGTERM without raising it anew: the labels are written afterwards."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {one: signal.signal(one, self._end) for one in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    def _end(self, sig: int, frame: FrameType | None) -> None:
        self.handle_exit(sig, frame)


def serve(
    queue: str,
    *,
    out: Path,
    options: ReviewOptions,
    where: Where | None = None,
    database: str = "",
    reviewer: str = "",
    add: Sequence[str] = (),
    browser: bool = True,
    say: Callable[[str], None] = print,
) -> Path:
    """Shows a project to people until Ctrl-C, and writes what they said.

    Args:
        queue: QUEUE directory or DATA spec.
        out: directory of the labels artifact; also written every few minutes and when an admin asks for it.
        options: quorum, grid and the like.
        where: host and port; default loopback, port 8765.
        database: URL; default a SQLite file beside `out`, of the same name with `.sqlite`.
        reviewer: name of the local reviewer; default the login name.
        add: `NAME:ROLE` of people to let in; their tokens are said once.
        browser: open one.
        say: told in sentences what happens.

    Returns:
        `out`.

    Raises:
        InputError: a taken port, a bad option, nobody who could sign in.
        ArtifactError: `out` or the queue is something else.
        FormatError: a fault in the files.
    """
    where = where or Where()
    grid_of(options.grid)
    _check_out(out)
    with contextlib.closing(listen(where.host, where.port)) as listener:
        project = open_project(queue, options=options)
        url = database or default_database(out)
        opened = open_database(url, project)
        try:
            _prepare(opened, project, options, add, where, say)
            writer = LabelsWriter(opened, project, out)
            app = create_app(project, opened, options, access=where.access(reviewer or _login()), exporter=writer)
            writer.room = app.state.room
            with contextlib.suppress(KeyboardInterrupt):  # before the server itself listens to Ctrl-C
                _announce(project, where, listener, url if not database else "", say)
                _run(app, listener, writer, address_of(where, listener) if browser else "", say)
            if writer.behind or not is_artifact(out):
                writer()
        finally:
            opened.close()
    say(f"Labels: {out}")
    return out


def default_database(out: Path) -> str:
    """The SQLite file beside the labels: they are replaced as a whole each time, so it cannot lie in them."""
    out.absolute().parent.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{out.absolute()}.sqlite"


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there, before anything that takes time.

    Raises:
        InputError: the port is taken, or the host is none of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with contextlib.ExitStack() as held:
            listener = held.enter_context(socket.socket(family, kind, protocol))
            if sys.platform != "win32":  # there it would let two servers share a port
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(512)
            held.pop_all()
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(
            f"cannot listen at {host}, port {port} ({reason}). Is another review running there? Choose another --port; 0 takes a free one"
        ) from error
    return listener


def address_of(where: Where, listener: socket.socket) -> str:
    """The address to open on this machine."""
    host = "127.0.0.1" if where.host in WILDCARDS else f"[{where.host}]" if ":" in where.host else where.host
    return f"http://{host}:{listener.getsockname()[1]}/"


def gold_table(path: str, project: Project) -> dict[int, int | None]:
    """Place -> known rating, of a table with `id` and `rating`; None = out of domain, written `x`.

    Raises:
        InputError: an id that is not in the project, or a rating that is not 1 to 5 or x.
        FormatError: the table cannot be read.
    """
    table = read_table(path)
    table.require("id")
    table.require("rating")
    places = {item.id: item.place for item in project.items}
    if absent := [row["id"] for row in table.rows if row["id"] not in places]:
        raise InputError(f"{path}: {some(absent)} are no samples of the project. Leave them out, or correct the ids")
    words = {str(score): score for score in range(ratings.LOWEST, ratings.HIGHEST + 1)} | {"x": None}
    if bad := [row["rating"] for row in table.rows if row["rating"].strip() not in words]:
        raise InputError(f"{path}: a rating is 1 to 5, or x for out of domain; got '{bad[0][:40]}'")
    return {places[row["id"]]: words[row["rating"].strip()] for row in table.rows}


def _check_out(out: Path) -> None:
    if is_artifact(out):
        read_manifest(out, kind="labels")
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ArtifactError(f"{out}: exists and is no figureground artifact, so it is left alone. Choose another --out, or empty it")


def _prepare(
    database: Database, project: Project, options: ReviewOptions, add: Sequence[str], where: Where, say: Callable[[str], None]
) -> None:
    """Gold items and people, before anybody comes."""
    with database.write() as connection:
        if options.gold:
            ratings.set_gold(connection, gold_table(options.gold, project))
        made = [_let_in(connection, text, say) for text in add]
        able = [one.role for one in people.who_can_enter(connection)]
        if where.tokens and not able:
            raise InputError(
                "every reviewer needs a token here, and nobody has one yet. Let yourself in with --add NAME:admin, "
                f"others with --add NAME:ROLE; roles are {', '.join(people.ROLES)}"
            )
    for words in filter(None, made):
        say(words)
    if where.tokens and "admin" not in able:
        say("Nobody is an admin: people and exports are out of reach. Start with --add NAME:admin to change that")


def _let_in(connection: Connection, text: str, say: Callable[[str], None]) -> str:
    """Adds somebody written NAME:ROLE; the words that tell the token, empty for somebody who is there already."""
    name, _, role = text.rpartition(":")
    if role not in people.ROLES or not name:
        raise InputError(f"--add '{text}': expected NAME:ROLE with a role of {', '.join(people.ROLES)}, such as ann:reviewer")
    if reviewer_name(name) in {person.name for person in people.everyone(connection)}:
        say(f"'{name}' takes part already; the token stays as it is")
        return ""
    reviewer, token = people.add(connection, name, role=role)
    return f"Token of '{reviewer.name}' ({reviewer.role}), shown this once: {token}"


def _announce(project: Project, where: Where, listener: socket.socket, beside: str, say: Callable[[str], None]) -> None:
    count = len(project.items)
    say(f"{count:,} {'picture' if count == 1 else 'pictures'} of {project.name}, {len(project.models)} models")
    if not project.can_mask:
        say(f"{len(project.classes)} classes are too many to paint: pictures can be rated and marked with patches")
    if beside:
        say(f"Database: {beside.removeprefix('sqlite:///')}")
    if not is_loopback(where.host):
        say("Tokens and pictures travel as they are over http. Beyond a network you trust, put a proxy with https before it")
    if where.host in WILDCARDS:
        say(f"Review: http://{socket.gethostname()}:{listener.getsockname()[1]}/")
    say(f"Review: {address_of(where, listener)}   (Ctrl-C ends it)")


def _run(app: Any, listener: socket.socket, writer: LabelsWriter, address: str, say: Callable[[str], None]) -> None:
    """Serves until it is ended, and writes the labels now and then."""
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, ws="none", timeout_keep_alive=30, timeout_graceful_shutdown=5
    )
    server = _Server(config)
    ended = threading.Event()
    threads = [threading.Thread(target=_write_now_and_then, args=(writer, ended, say), daemon=True)]
    if address:
        threads.append(threading.Thread(target=_open_browser, args=(server, ended, address), daemon=True))
    for thread in threads:
        thread.start()
    try:
        server.run(sockets=[listener])
    finally:
        ended.set()
        threads[0].join(timeout=120)  # it may be writing just now


def _write_now_and_then(writer: LabelsWriter, ended: threading.Event, say: Callable[[str], None]) -> None:
    while not ended.wait(WRITE_EVERY_S):
        if writer.behind:
            try:
                writer()
            except (FiguregroundError, OSError) as error:
                say(f"the labels could not be written now, and are tried again: {error}")


def _open_browser(server: uvicorn.Server, ended: threading.Event, address: str) -> None:
    while not server.started and not ended.is_set():
        time.sleep(0.05)
    if server.started:
        webbrowser.open(address)


def _login() -> str:
    """The login name, as far as it is a reviewer's."""
    try:
        return reviewer_name(getpass.getuser())
    except Exception:  # noqa: BLE001 - a system without names, or a name with signs that ours cannot have
        return "reviewer"

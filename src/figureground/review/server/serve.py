"""Starting and ending the server: a free port, a database, people, and at the end the labels artifact."""

from __future__ import annotations

import contextlib
import getpass
import logging
import signal
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from sqlalchemy.exc import SQLAlchemyError

from figureground.core.errors import ArtifactError, InputError
from figureground.data.labels import reviewer_name
from figureground.review.done import kind_of
from figureground.review.options import ReviewOptions, grid_of
from figureground.review.project import Project, open_project
from figureground.review.server import admission
from figureground.review.server.app import create_app
from figureground.review.server.ending import Ending, end_when_answered
from figureground.review.server.gold import gold_table
from figureground.review.server.labels_writer import LabelsWriter, write_now_and_then
from figureground.review.server.security import Access, is_loopback
from figureground.review.store import people, ratings
from figureground.review.store.database import Database, Seen, cause, look, open_database
from figureground.review.store.incoming import Incoming, read_incoming, take_in
from figureground.review.store.labels import check_origin
from figureground.review.words import counted
from figureground.runs.artifact import is_artifact

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

    def elsewhere(self, port: int) -> str:
        """The address for other machines where the page listens on all of this one's; '' where nothing is known of it."""
        return f"http://{socket.gethostname()}:{port}/" if self.host in WILDCARDS else ""

    def access(self, reviewer: str, port: int = 0) -> Access:
        """The same for the app; `reviewer` is the local one."""
        wild = self.host in WILDCARDS
        names = {*self.names, *({socket.gethostname(), socket.getfqdn()} if wild else {self.host})}
        hosts = frozenset(name.lower() for name in names)
        return Access(local=reviewer, tokens=self.tokens, hosts=hosts, addresses=wild, elsewhere=self.elsewhere(port))


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """What comes into the database at the start."""

    admission: admission.Admission
    gold: dict[int, int | None] | None
    incoming: Incoming | None


def serve(
    queue: str,
    *,
    out: Path,
    options: ReviewOptions,
    where: Where | None = None,
    database: str = "",
    reviewer: str = "",
    add: Sequence[str] = (),
    new_token: Sequence[str] = (),
    people_of: str = "",
    masks: Path | None = None,
    until: str = "",
    browser: bool = True,
    say: Callable[[str], None] = print,
) -> Path:
    """Shows a project to people until Ctrl-C, or until all is answered, and writes what they said.

    Args:
        queue: QUEUE directory or DATA spec.
        out: directory of the labels artifact; also written every few minutes and when an admin asks for it.
        options: quorum, grid and the like.
        where: host and port; default loopback, port 8765.
        database: URL; default a SQLite file beside `out`, of the same name with `.sqlite`.
        reviewer: name of the local reviewer; default the login name.
        add: `NAME:ROLE` of people to let in, whose tokens are said once, or who are given that role.
        new_token: names of people who are given a new token, said once.
        people_of: URL of an earlier review's database; its people come in with the tokens they have, before `add` and `new_token`.
        masks: labels whose masks are to be checked here.
        until: it ends by itself a few seconds after all is `rated` or `masked`, see `review.done.unanswered`; at once where it is already.
        browser: open one.
        say: told in sentences what happens.

    Returns:
        `out`.

    Raises:
        InputError: a taken port, a bad option, nobody who could sign in, a database that is away, an unknown `until`.
        ArtifactError: `out`, `masks` or the queue is something else, or `out` holds labels of another database.
        FormatError: a fault in the files.
    """
    where, local = where or Where(), reviewer_name(reviewer) if reviewer else _login()
    grid_of(options.grid)
    kind = kind_of(until) if until else None
    url = database or default_database(out)
    seen = look(url) if database or Path(f"{out.absolute()}.sqlite").exists() else None
    _check_out(out, seen)
    asked = admission.read_admission(add, new_token, seen=seen, people_of=people_of)
    if where.tokens:
        admission.check_somebody(asked, seen=seen)
    with contextlib.closing(listen(where.host, where.port)) as listener:
        project = open_project(queue, options=options)
        if kind == "masked" and not project.can_mask:
            raise InputError(f"--until masked: {len(project.classes)} classes are too many to paint. Give --until rated, or none")
        gold = gold_table(options.gold, project) if options.gold else None
        given = _Given(admission=asked, gold=gold, incoming=read_incoming(masks, project) if masks else None)
        if not database:
            out.absolute().parent.mkdir(parents=True, exist_ok=True)
        opened = open_database(url, project)
        with _reaching(opened), contextlib.closing(opened):
            _prepare(opened, given, tokens=where.tokens, say=say)
            writer = LabelsWriter(opened, project, out, options)
            ending = Ending(kind=kind, database=opened, options=options, count=len(project.items)) if kind else None
            if ending is not None and not ending.lacking():
                say(f"All is answered already: {ending.reason}")
            else:
                access = where.access(local, listener.getsockname()[1])
                app = create_app(project, opened, options, access=access, exporter=writer, ending=ending)
                with contextlib.suppress(KeyboardInterrupt):  # before the server itself listens to Ctrl-C
                    _announce(project, where, listener, url if not database else "", ending, say)
                    _run(app, listener, writer, address_of(where, listener) if browser else "", ending, say)
            writer()
    say(f"Labels: {out}")
    return out


def default_database(out: Path) -> str:
    """The SQLite file beside the labels: they are replaced as a whole each time, so it cannot lie in them."""
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


def _check_out(out: Path, seen: Seen | None) -> None:
    check_origin(out, identity=seen.identity if seen else "", digest=seen.digest if seen else "")
    if not is_artifact(out) and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ArtifactError(f"{out}: exists and is no figureground artifact, so it is left alone. Choose another --out, or empty it")


def _prepare(database: Database, given: _Given, *, tokens: bool, say: Callable[[str], None]) -> None:
    """Gold items, people, and masks from elsewhere, before anybody comes."""
    with database.write() as connection:
        if given.gold is not None:
            ratings.set_gold(connection, given.gold)
        words = admission.admit(connection, given.admission)
        if given.incoming is not None:
            words.append(take_in(connection, given.incoming))
        able = [one.role for one in people.who_can_enter(connection)]
    for sentence in words:
        say(sentence)
    if tokens and "admin" not in able:
        say("Nobody is an admin: people and exports are out of reach. Start with --add NAME:admin to change that")


def _announce(
    project: Project, where: Where, listener: socket.socket, beside: str, ending: Ending | None, say: Callable[[str], None]
) -> None:
    count = len(project.items)
    say(f"{counted(count, 'picture')} of {project.name}, {counted(len(project.models), 'model')}")
    for number, model in enumerate(project.models):
        if lacking := project.lacking(number):
            say(f"{lacking:,} of {counted(count, 'picture')} {'has' if lacking == 1 else 'have'} no map of '{model}'")
    if not project.can_mask:
        say(f"{len(project.classes)} classes are too many to paint: pictures can be rated and marked with patches")
    if beside:
        say(f"Database: {beside.removeprefix('sqlite:///')}")
    if not is_loopback(where.host):
        say("Tokens and pictures travel as they are over http. Beyond a network you trust, put a proxy with https before it")
    if elsewhere := where.elsewhere(listener.getsockname()[1]):
        say(f"Review: {elsewhere}")
    if ending is not None:
        say(f"It ends by itself once {ending.condition}")
    say(f"Review: {address_of(where, listener)}   (Ctrl-C ends it)")


@contextlib.contextmanager
def _reaching(database: Database) -> Iterator[None]:
    """A database that is away is one sentence; what its lost connections have to say beside it is no news."""
    connections = logging.getLogger("sqlalchemy.pool")
    level = connections.level
    connections.setLevel(logging.CRITICAL)
    try:
        yield
    except SQLAlchemyError as error:
        raise InputError(
            f"--database {database.shown}: it does not answer ({cause(error)}). What people said is in it; "
            "run the same command again when it is back, and the labels are written"
        ) from error
    finally:
        connections.setLevel(level)


def _run(app: Any, listener: socket.socket, writer: LabelsWriter, address: str, ending: Ending | None, say: Callable[[str], None]) -> None:
    """Serves until it is ended, and writes the labels now and then."""
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, ws="none", timeout_keep_alive=30, timeout_graceful_shutdown=5
    )
    server = _Server(config)
    ended = threading.Event()
    beside = [threading.Thread(target=write_now_and_then, args=(writer, ended, say), daemon=True)]
    if ending is not None:
        given = {"end": lambda: setattr(server, "should_exit", True), "say": say}
        beside.append(threading.Thread(target=end_when_answered, args=(ending, ended), kwargs=given, daemon=True))
    opener = threading.Thread(target=_open_browser, args=(server, ended, address), daemon=True)
    for thread in (*beside, *([opener] if address else [])):
        thread.start()
    try:
        server.run(sockets=[listener])
    finally:
        ended.set()
        for thread in beside:
            thread.join(timeout=120)  # it may be writing just now


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

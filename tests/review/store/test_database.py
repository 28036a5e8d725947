"""Opening a database: from nothing, from an older version, several at once; and refusing what is not ours."""

from __future__ import annotations

import gc
import importlib
import sqlite3
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import func, insert, inspect, select, text
from sqlalchemy.exc import DBAPIError

from figureground.core.errors import InputError
from figureground.core.types import ClassTable
from figureground.review.store import checks, database, leases, masks, migrations, patches, people, ratings
from figureground.review.store.address import read_address
from figureground.review.store.database import Database, look, migrate, open_database
from figureground.review.store.project import classes_of
from figureground.review.store.steps import Migration, steps
from figureground.review.store.tables import lease, meta, project, rating, sample, schema_version

VERSION_1 = Path(__file__).parent / "version_1.sql"
NEWEST = len(steps())


def unopened(url: str) -> Database:
    """A database to which nothing has been done."""
    address = read_address(url)
    return Database(database._engine(address), shown=address.shown)


def old_database(url: str, folder: Path) -> None:
    """Makes the database of version 1 at a URL, from the dump of one."""
    file = Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite") else folder / "old.db"
    connection = sqlite3.connect(file)
    connection.executescript(VERSION_1.read_text(encoding="utf-8"))
    if not url.startswith("sqlite"):
        copied = unopened(url)
        with copied.write() as c:
            migrate(c, upto=1)
            for name in ("project", "sample", "reviewer", "rating", "patch", "mask", "mask_tile", "mask_save", "lease", "check_"):
                table = importlib.import_module(f"{migrations.__name__}.0001_start").meta.tables[name]
                cursor = connection.execute(f"SELECT * FROM {name} ORDER BY 1")
                columns = [column[0] for column in cursor.description]
                rows = [dict(zip(columns, row, strict=True)) for row in cursor]
                for row in rows:
                    if name != "project":
                        row.pop("number", None)  # the server counts them again, in the same order
                    if name == "rating":
                        row["out_of_domain"] = bool(row["out_of_domain"])
                c.execute(insert(table), rows)
        copied.close()
    connection.close()


def test_from_nothing_to_the_tables_of_today(database_url, make_project):
    """The migrations make every table with just the columns that queries go by, and note themselves; a second opening changes nothing."""
    opened = open_database(database_url, make_project(samples=3))
    with opened.read() as c:
        made = inspect(c)
        assert set(made.get_table_names()) == set(meta.tables)
        for name, table in meta.tables.items():
            assert {column["name"] for column in made.get_columns(name)} == set(table.columns.keys()), name
        assert [row.number for row in c.execute(select(schema_version).order_by(schema_version.c.number))] == list(range(1, NEWEST + 1))
        assert c.execute(select(sample).order_by(sample.c.place)).all() == [(n, 40, 60, f"s{n:03d}") for n in range(3)]
        assert classes_of(c) == make_project().classes
    opened.close()
    again = open_database(database_url, make_project(samples=3))
    with again.read() as c:
        assert c.scalar(select(func.count()).select_from(schema_version)) == NEWEST
        assert c.scalar(select(func.count()).select_from(sample)) == 3
    again.close()


def test_an_older_version_is_brought_up_with_all_that_is_in_it(database_url, make_project, tmp_path):
    """A database as version 1 left it opens, and all that was said in it is still said: ratings, grids, masks, leases, checks."""
    old_database(database_url, tmp_path)
    opened = open_database(database_url, make_project(samples=3))
    with opened.write() as c:
        assert c.scalar(select(func.max(schema_version.c.number))) == NEWEST
        assert [person.name for person in people.everyone(c)] == ["Ann", "Bob"]
        assert [(r.place, r.reviewer, r.score) for r in ratings.table(c)] == [(0, 1, 3), (1, 1, None), (0, 2, 5)]
        grid = patches.load(c, 2, reviewer=1, rows=2, columns=2)
        assert grid is not None
        assert grid.cells.tolist() == [[True, False], [False, True]]
        layer = masks.layer(c, 1)
        assert (layer[0, 0], (layer == 2).sum()) == (255, 450)
        assert [(check.verdict, check.marks) for check in checks.for_mask(c, 1)] == [("returned", (checks.Mark(x=3, y=4, kind="missing"),))]
        assert leases.of_others(c, 2, task="mask") == {1: {1}}
        assert c.scalar(select(func.count()).select_from(lease)) == 2
        # And it goes on from there: numbers are new, old keys are known.
        assert ratings.save(c, 1, place=2, showing=0, score=1, out_of_domain=False, seconds=1)
        assert masks.save_boxes(c, 1, key="k1", version=9, boxes=[], actions=5, seconds=0) == 2
        assert masks.claim(c, 2, places=[0, 1, 2]) == 2
    opened.close()


def test_a_migration_that_fails_leaves_the_old_version(database_url, make_project, tmp_path, monkeypatch):
    """A migration happens whole or not at all, so that yesterday's program can still open the database."""
    old_database(database_url, tmp_path)

    def breaks(connection):
        connection.execute(text("DELETE FROM rating"))
        connection.execute(text("CREATE TABLE half_done (number INTEGER)"))
        raise RuntimeError("the power went")

    more = (*steps(), Migration(number=NEWEST + 1, name="breaks", up=breaks))
    with monkeypatch.context() as patched:
        patched.setattr(database, "steps", lambda: more)
        with pytest.raises(RuntimeError, match="the power went"):
            open_database(database_url, make_project(samples=3))
    left = unopened(database_url)
    with left.read() as c:
        assert c.scalars(select(schema_version.c.number)).all() == [1]
        assert "half_done" not in inspect(c).get_table_names()
        assert c.scalar(select(func.count()).select_from(rating)) == 4
    left.close()
    open_database(database_url, make_project(samples=3)).close()


def test_migrations_are_numbered_without_a_gap():
    """1, 2, 3, ...: what a database notes is how many of them it has."""
    assert [step.number for step in steps()] == list(range(1, NEWEST + 1))
    assert NEWEST >= 2


def test_a_newer_database_is_refused_in_one_line(database_url, make_project):
    """The message names both versions and what to do; nothing is changed."""
    opened = open_database(database_url, make_project())
    with opened.write() as c:
        c.execute(insert(schema_version).values(number=NEWEST + 5, name="later", applied="2030-01-01"))
    opened.close()
    with pytest.raises(InputError, match=rf"version {NEWEST + 5} .* up to {NEWEST}\. Update figureground") as refused:
        open_database(database_url, make_project())
    assert "\n" not in str(refused.value)


def test_another_project_is_refused_naming_both(database_url, make_project):
    """A database belongs to the samples and classes it was made for, whatever these are called."""
    open_database(database_url, make_project(name="cats", digest="a" * 64)).close()
    with pytest.raises(
        InputError, match=r"it is of 'cats', not of 'dogs': it has other samples \(12, of which 12 are among the 13"
    ) as refused:
        open_database(database_url, make_project(name="dogs", digest="b" * 64, samples=13))
    assert "\n" not in str(refused.value)
    opened = open_database(database_url, make_project(name="cats, moved", digest="a" * 64))
    with opened.read() as c:
        assert c.scalars(select(project.c.name)).all() == ["cats"]
    opened.close()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"classes": ClassTable(names=("background", "cat"), ids=(0, 3))}, "it is of 'queue': it has other classes"),
        ({"samples": 5}, r"it has other samples \(12, of which 5 are among the 5 given\)"),
        ({"samples": 0}, "are among the 0 given"),
        ({"size_hw": (40, 61)}, "some pictures had another size"),
    ],
)
def test_what_another_project_has_otherwise_is_said(tmp_path, make_project, given, said):
    """Two projects of one name: a name alone would say nothing."""
    url = f"sqlite:///{tmp_path}/x.db"
    open_database(url, make_project()).close()
    with pytest.raises(InputError, match=said):
        open_database(url, make_project(digest="b" * 64, **given))


def rate_once(opened: Database) -> None:
    """One rating by somebody."""
    with opened.write() as c:
        ann = people.add(c, "Ann", role="reviewer")[0].number
        ratings.save(c, ann, place=0, showing=0, score=3, out_of_domain=False, seconds=1)
    opened.close()


def test_ratings_of_one_target_are_not_taken_for_those_of_another(database_url, make_project):
    """The same pictures with another first model are refused; the same maps under another name, or with rivals, are not."""
    rate_once(open_database(database_url, make_project(models=("A",), target=("1", "2", ""))))
    for models, target in (
        (("A",), ("1", "2", "")),
        (("mine", "rival"), ("1", "2", "")),
        (("A",), ("1", "2", "3")),
        (("A",), ("1", "", "3")),
    ):
        open_database(database_url, make_project(models=models, target=target)).close()
    said = r"same pictures with another target: it was begun with 'A', and 'B' has other maps.*--models.*another --out"
    with pytest.raises(InputError, match=said) as refused:
        open_database(database_url, make_project(models=("B", "A"), target=("1", "2", "4")))
    assert "\n" not in str(refused.value)
    with pytest.raises(InputError, match="begun with 'A', and no model is given"):
        open_database(database_url, make_project())


def test_a_target_may_come_later_where_nobody_has_rated(database_url, make_project, tmp_path):
    """Masks can begin without a model; ratings cannot change what they are of."""
    begun = f"sqlite:///{tmp_path}/begun.db"
    for models, target in (((), ()), (("A",), ("1",))):
        open_database(begun, make_project(models=models, target=target)).close()
    with pytest.raises(InputError, match="begun with 'A', and 'B' has other maps"):
        open_database(begun, make_project(models=("B",), target=("2",)))
    rate_once(open_database(database_url, make_project()))
    with pytest.raises(InputError, match="begun without a model, and 'A' has other maps"):
        open_database(database_url, make_project(models=("A",), target=("1",)))


def test_a_database_has_an_identity_of_its_own(database_url, make_project, tmp_path):
    """Made with it, the same whenever it is opened, another one for another database of the same project."""
    opened = open_database(database_url, make_project())
    again = open_database(database_url, make_project())
    other = open_database(f"sqlite:///{tmp_path}/other.db", make_project())
    assert opened.identity == again.identity != other.identity
    assert len({opened.identity, other.identity}) == 2
    assert min(map(len, (opened.identity, other.identity))) == 32
    for one in (opened, again, other):
        one.close()


def test_an_older_database_is_given_an_identity_and_takes_its_target(database_url, make_project, tmp_path):
    """What was rated then was of a target that nobody noted; from now on it is this one."""
    old_database(database_url, tmp_path)
    seen = look(database_url)
    assert seen is not None
    assert (seen.identity, seen.people) == ("", {"Ann", "Bob"})
    opened = open_database(database_url, make_project(samples=3, models=("A",), target=("1",)))
    assert len(opened.identity) == 32
    opened.close()
    seen = look(database_url)
    assert seen is not None
    assert seen.identity == opened.identity
    with pytest.raises(InputError, match="another target"):
        open_database(database_url, make_project(samples=3, models=("B",), target=("2",)))


def test_looking_makes_nothing(database_url, make_project, tmp_path):
    """A database that is not there is not made, one that is is not changed, and nothing of somebody else's is taken for ours."""
    assert look(f"sqlite:///{tmp_path}/none.db") is None
    assert not (tmp_path / "none.db").exists()
    if not database_url.startswith("sqlite"):
        assert look(database_url) is None
    opened = open_database(database_url, make_project())
    seen = look(database_url)
    assert seen is not None
    assert (seen.identity, seen.digest, seen.people, seen.able) == (opened.identity, "d" * 64, frozenset(), False)
    with opened.write() as c:
        people.local(c, "me")
    assert (look(database_url).people, look(database_url).able) == ({"me"}, False)
    with opened.write() as c:
        people.add(c, "Ann", role="reviewer")
    assert look(database_url).able
    opened.close()


def test_tables_of_something_else_are_left_alone(database_url, make_project):
    """A database in which another program has a table of one of our names is refused, and nothing is made in it."""
    other = unopened(database_url)
    with other.write() as c:
        c.execute(text("CREATE TABLE rating (stars INTEGER)"))
    with pytest.raises(InputError, match="a table 'rating' that figureground did not make"):
        open_database(database_url, make_project())
    with other.read() as c:
        assert inspect(c).get_table_names() == ["rating"]
    other.close()


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path, make_project):
    """One line that names the file; its bytes stay."""
    file = tmp_path / "notes.txt"
    file.write_text("dear diary, " * 200)
    with pytest.raises(InputError, match=r"notes\.txt: it cannot be opened \(file is not a database\)"):
        open_database(f"sqlite:///{file}", make_project())
    assert file.read_text() == "dear diary, " * 200


def test_a_server_that_does_not_answer_is_one_line_without_the_password(make_project):
    """Nobody listens on port 1; the password stays out of the message."""
    with pytest.raises(InputError, match=r"postgresql://me:\*\*\*@127\.0\.0\.1:1/review: it cannot be opened") as refused:
        open_database("postgresql://me:topsecret@127.0.0.1:1/review", make_project())
    assert "topsecret" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_database_that_the_server_does_not_have_is_one_line(postgresql, make_project):
    """What the server says reaches the reader."""
    with pytest.raises(InputError, match='database "nowhere" does not exist'):
        open_database(f"postgresql://postgres@/nowhere?host={postgresql.folder}", make_project())


def test_what_a_server_said_before_it_hung_up_is_told():
    """The driver's own error on hanging up is not what the reader needs."""
    hung_up = OSError("network error")
    hung_up.__context__ = RuntimeError({"S": "FATAL", "M": "role  nobody\ndoes not exist"})
    assert database.cause(DBAPIError("SELECT 1", None, hung_up)) == "role nobody does not exist"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite://", "is a file"),
        ("sqlite:///:memory:", "is a file"),
        ("sqlite:////nowhere/at/all/x.db", "there is no folder"),
        ("sqlite:///x.db?mode=ro", "is a file"),
        ("mysql://me@host/db", "got 'mysql://"),
        ("postgresql+psycopg://me@host/db", "got 'postgresql\\+psycopg://"),
        ("postgresql://me@host/db?charset=x", "unknown setting 'charset'"),
        ("postgresql://me@host/db?sslmode=prefer", "sslmode 'prefer'"),
        ("review.db", "expected sqlite:///FILE"),
        ("", "expected sqlite:///FILE"),
        ("postgresql//me:secret@host/db", "expected sqlite"),
        ("postgresql://me:secret@host:port/db", "expected sqlite"),
    ],
)
def test_addresses_that_are_none(url, said):
    """Each is refused with what was expected, and no password is told."""
    with pytest.raises(InputError, match=said) as refused:
        read_address(url)
    assert "secret" not in str(refused.value)


def test_addresses_of_servers(monkeypatch):
    """Driver, socket, password from the environment, and encryption."""
    monkeypatch.setenv("PGPASSWORD", "from outside")
    found = read_address("postgres://me@/review?host=/run/pg")
    assert (found.url.drivername, found.url.password, found.url.database) == ("postgresql+pg8000", "from outside", "review")
    assert (found.arguments["unix_sock"], found.arguments["ssl_context"]) == ("/run/pg/.s.PGSQL.5432", None)
    assert "outside" not in found.shown
    found = read_address("postgresql://me:own@host:6000/review?sslmode=verify-full")
    assert (found.url.password, found.url.port, found.arguments["ssl_context"].check_hostname) == ("own", 6000, True)
    assert read_address("postgresql://me@host/review?sslmode=require").arguments["ssl_context"].check_hostname is False


def test_a_write_that_fails_leaves_nothing(database, team):
    """What happened in a block that raises has not happened."""
    with suppress(KeyError), database.write() as c:
        ratings.save(c, team.ann, place=1, showing=0, score=3, out_of_domain=False, seconds=1)
        raise KeyError
    with database.read() as c:
        assert ratings.table(c, live=False) == []


def test_a_read_sees_one_state(database, team):
    """What is written while a reader looks is not there for him until he looks anew."""
    with database.read() as seen:
        assert ratings.table(seen) == []
        with database.write() as c:
            ratings.save(c, team.ann, place=1, showing=0, score=3, out_of_domain=False, seconds=1)
        assert ratings.table(seen) == []
    with database.read() as seen:
        assert len(ratings.table(seen)) == 1


def test_a_reader_cannot_write(postgresql, make_project):
    """On PostgreSQL a read is read-only; nothing gets by the rules of writing by accident."""
    opened = open_database(postgresql.new_database(), make_project())
    with pytest.raises(Exception, match="read-only transaction"), opened.read() as c:
        people.add(c, "Ann", role="reviewer")
    opened.close()


def test_the_schema_keeps_what_code_might_forget(database, team):
    """Two live ratings of one showing, a score of 6, a rating of nobody, and a second project cannot be stored at all."""
    good = {"place": 0, "reviewer": team.ann, "showing": 0, "score": 3, "out_of_domain": False, "seconds": 1.0, "created": "now"}
    with database.write() as c:
        c.execute(insert(rating).values(**good))
        c.execute(insert(rating).values(**good | {"withdrawn": "then"}))
    for bad in (
        {},
        {"score": 6, "showing": 1},
        {"score": None, "showing": 1},
        {"out_of_domain": True, "showing": 1},
        {"reviewer": 99},
        {"place": 99},
    ):
        with pytest.raises(DBAPIError, match=r"(?i)constraint"), database.write() as c:
            c.execute(insert(rating).values(**good | bad))
    with pytest.raises(DBAPIError, match=r"(?i)constraint"), database.write() as c:
        c.execute(insert(project).values(number=2, name="x", digest="y", classes_json="{}", created="now"))


def test_sqlite_is_told_to_keep_what_was_committed(tmp_path, make_project):
    """Write-ahead log, the disk waited for, references kept, and patience with other processes: on every connection."""
    opened = open_database(f"sqlite:///{tmp_path}/x.db", make_project())
    with opened.read() as one, opened.read() as two:
        for c in (one, two):
            told = [
                c.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            ]
            assert told == ["wal", 2, 1, 60000]
    opened.close()


def test_many_open_at_once_and_one_migrates(database_url, make_project):
    """Eight who start together all get the database, and it is made once."""
    opened, failed = [], []

    def start() -> None:
        try:
            opened.append(open_database(database_url, make_project()))
        except Exception as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with opened[0].read() as c:
        assert c.scalar(select(func.count()).select_from(schema_version)) == NEWEST
        assert c.scalar(select(func.count()).select_from(sample)) == 12
    for one in opened:
        one.close()


OTHER_PROCESS = """
import sys
sys.path.insert(0, {folder!r})
from conftest import small_project
from figureground.review.store import ratings
from figureground.review.store.database import open_database
database = open_database({url!r}, small_project())
print("open", flush=True)
sys.stdin.readline()
for n in range(60):
    with database.write() as c:
        ratings.save(c, {who}, place=n % 12, showing=0, score=n // 12 + 1, out_of_domain=False, seconds=n)
"""


@pytest.mark.slow
def test_two_processes_write_into_one_database(database_url, make_project):
    """While another process writes its ratings we write ours: all of both are there."""
    opened = open_database(database_url, make_project())
    with opened.write() as c:
        ann, bob = (people.add(c, name, role="reviewer")[0].number for name in ("Ann", "Bob"))
    code = OTHER_PROCESS.format(folder=str(Path(__file__).parents[1]), url=database_url, who=bob)
    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdin is not None
    with other:
        assert other.stdout.readline() == "open\n"
        other.stdin.write("go\n")
        other.stdin.flush()
        for n in range(60):
            with opened.write() as c:
                ratings.save(c, ann, place=n % 12, showing=0, score=5 - n // 12, out_of_domain=False, seconds=n)
    assert other.returncode == 0
    with opened.read() as c:
        found = ratings.table(c, live=False)
    opened.close()
    for who in (ann, bob):
        assert sorted(r.seconds for r in found if r.reviewer == who) == list(range(60))
        assert sum(r.reviewer == who and r.withdrawn is None for r in found) == 12


def test_classes_survive_the_database(make_project, tmp_path):
    """Names in any script, ids with gaps, no void."""
    classes = ClassTable(names=("background", "Käfer", "猫"), ids=(4, 9, 300), background=4, ignore=None)
    opened = open_database(f"sqlite:///{tmp_path}/x.db", make_project(classes=classes))
    with opened.read() as c:
        assert classes_of(c) == classes
    opened.close()


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)  # the driver's, of a lost connection
def test_an_idle_connection_that_the_server_has_ended_is_replaced(postgresql, make_project, monkeypatch):
    """As after the server was started again in a break; without the look at idle ones the first to come would see an error."""
    url = postgresql.new_database()
    opened, other = open_database(url, make_project()), unopened(url)
    end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with other.write() as connection:
        assert connection.scalar(text(end)) == 1
    monkeypatch.setattr(database, "_IDLE_S", 0.0)
    with opened.read() as connection:
        assert len(connection.execute(select(sample.c.place)).all()) == 12
    opened.close()
    other.close()
    gc.collect()


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)  # the driver's, of a lost connection
def test_an_error_of_the_network_is_one_of_the_database(postgresql, make_project, monkeypatch):
    """The driver passes some on as they are; whoever asks has one kind to know, and the connection is not used again."""
    opened = open_database(postgresql.new_database(), make_project())

    def reset(*_args, **_more):
        raise ConnectionResetError(104, "Connection reset by peer")

    for what, use in (("do_execute", opened.read), ("do_commit", opened.write), ("connect", opened.read)):
        if what == "connect":
            opened.engine.dispose()
        monkeypatch.setattr(opened.engine.dialect, what, reset)
        with pytest.raises(DBAPIError, match="reset by peer"), use() as c:
            c.execute(select(project.c.name))
        monkeypatch.undo()
    with opened.read() as c:
        assert c.scalars(select(project.c.name)).all() == ["queue"]
    opened.close()
    gc.collect()

"""People: names, tokens that are told once, sessions that end."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import func, inspect, select

from figureground.core.errors import InputError
from figureground.data.labels import reviewer_name
from figureground.review.store import people
from figureground.review.store.refusals import Absent
from figureground.review.store.tables import meta, session


def test_a_token_opens_for_its_person_and_nobody_else(database):
    """Each token is its person's; anything else, the empty text included, is nobody's."""
    with database.write() as c:
        (ann, hers), (bob, his) = (people.add(c, name, role="reviewer") for name in ("Ann", "Bob"))
    with database.read() as c:
        assert people.by_token(c, hers) == ann
        assert people.by_token(c, his) == bob
        for wrong in ("", hers[:-1], hers + "a", hers.swapcase(), "\0", "\ud800", "' OR 1=1 --", his * 1000):
            assert people.by_token(c, wrong) is None


def test_no_secret_is_kept(database):
    """Neither a token nor the key of a session is anywhere in the database, in any column of any table."""
    with database.write() as c:
        ann, token = people.add(c, "Ann", role="admin")
        key = people.open_session(c, ann.number)
    with database.read() as c:
        held = " ".join(str(row) for table in meta.tables.values() for row in c.execute(select(table)))
        assert set(inspect(c).get_table_names()) == set(meta.tables)
    assert "Ann" in held
    assert token not in held
    assert key not in held


def test_who_is_revoked_enters_no_more_and_is_remembered(database):
    """Token and open sessions end at once; the name stays taken, and what he did stays his."""
    with database.write() as c:
        ann, token = people.add(c, "Ann", role="checker")
        key = people.open_session(c, ann.number)
        assert people.by_session(c, key) == ann
        people.revoke(c, ann.number)
        when = people.by_number(c, ann.number).revoked
        people.revoke(c, ann.number)
    with database.read() as c:
        assert people.by_token(c, token) is None
        assert people.by_session(c, key) is None
        assert people.by_number(c, ann.number).revoked == when is not None
        assert [person.name for person in people.everyone(c)] == ["Ann"]
    with pytest.raises(InputError, match="there is a reviewer 'Ann' already"), database.write() as c:
        people.add(c, "Ann", role="reviewer")


def test_a_new_token_ends_the_old_one(database):
    """Who lost a token gets another; the old one and what it opened are of no use, and who was revoked is back."""
    with database.write() as c:
        ann, old = people.add(c, "Ann", role="reviewer")
        key = people.open_session(c, ann.number)
        people.revoke(c, ann.number)
        new = people.new_token(c, ann.number)
    with database.read() as c:
        assert (people.by_token(c, old), people.by_session(c, key)) == (None, None)
        assert people.by_token(c, new) == ann


def test_sessions_end(database):
    """On leaving, and by themselves; those that have ended are swept away when somebody comes."""
    with database.write() as c:
        ann, _ = people.add(c, "Ann", role="reviewer")
        stays, leaves, ended = (
            people.open_session(c, ann.number),
            people.open_session(c, ann.number),
            people.open_session(c, ann.number, days=-1),
        )
        people.close_session(c, leaves)
        people.close_session(c, "nobody's")
        assert [people.by_session(c, key) for key in (stays, leaves, ended)] == [ann, None, None]
        people.open_session(c, ann.number)
        assert c.scalar(select(func.count()).select_from(session)) == 2


def test_the_one_of_a_local_page(database):
    """Made once, an admin, without a token; who came as a reviewer becomes one, for the machine is his; who was revoked does not come back."""
    with database.write() as c:
        me = people.local(c, "me")
        assert (me.role, people.local(c, "me")) == ("admin", me)
        ann, _ = people.add(c, "Ann", role="reviewer")
        assert people.local(c, "Ann").role == people.by_number(c, ann.number).role == "admin"
        people.revoke(c, ann.number)
    with pytest.raises(InputError, match="'Ann' was revoked"), database.write() as c:
        people.local(c, "Ann")


def test_a_seed_depends_on_the_name_alone(database):
    """The order of pictures is the same in every database, and differs between people."""
    with database.write() as c:
        ann, bob = (people.add(c, name, role="reviewer")[0] for name in ("Ann", "Bob"))
    assert ann.seed == 194104759
    assert 0 <= bob.seed < 2**31
    assert bob.seed != ann.seed


def test_names_that_people_have(database):
    """In any script, with blanks and signs inside; stored as they are."""
    names = ["a", "Ann B. O-Neil", "猫 先生", "é", "x" * 64, "robert); drop table rating;--", "100 %"]
    with database.write() as c:
        for name in names:
            assert people.add(c, name, role="reviewer")[0].name == name
        assert [person.name for person in people.everyone(c)] == names


@pytest.mark.parametrize(
    "name", ["", " ", " a", "a ", "x" * 65, "a/b", "a\\b", "<b>", 'a"b', "a'b", "a\nb", "a\0b", "\u202eevil", "\ud800", "a\tb"]
)
def test_names_that_nobody_has(name):
    """Empty, too long, with blanks at an end, signs of mark-up and paths, and what cannot be seen."""
    with pytest.raises(InputError, match="1 to 64 printable characters"):
        reviewer_name(name)


def test_one_name_in_two_spellings_is_one_name(database):
    """A letter with its accent, and the letter and the accent: Unicode knows them as the same."""
    with database.write() as c:
        people.add(c, "Ren\u00e9", role="reviewer")
    with pytest.raises(InputError, match="already"), database.write() as c:
        people.add(c, "Rene\u0301", role="reviewer")


def test_a_role_is_given_and_the_token_stays(database):
    """What somebody may do changes; who they are, and how they enter, does not."""
    with database.write() as c:
        ann, token = people.add(c, "Ann", role="reviewer")
        people.give_role(c, ann.number, "admin")
        assert people.by_token(c, token) == people.by_name(c, "Ann") == replace(ann, role="admin")
    with pytest.raises(InputError, match="no role 'owner'"), database.write() as c:
        people.give_role(c, ann.number, "owner")  # type: ignore[arg-type]
    with pytest.raises(Absent, match="no reviewer number 99"), database.write() as c:
        people.give_role(c, 99, "admin")


def test_who_is_known_by_work_from_elsewhere_cannot_enter(database):
    """A name and no token, once; with a token it is a reviewer like any other."""
    with database.write() as c:
        lin = people.known(c, "Lin")
        assert people.known(c, "Lin") == lin
        assert (lin.role, people.has_token(c, lin.number), people.who_can_enter(c)) == ("reviewer", False, [])
        assert people.by_token(c, people.new_token(c, lin.number)) == lin
        assert people.has_token(c, lin.number)
        assert people.by_name(c, "Nobody") is None
    with pytest.raises(InputError, match="printable"), database.write() as c:
        people.known(c, "a/b")


def test_nobody_has_that_number(database):
    """Numbers that no database holds are nobody's too."""
    for number in (0, 99, -1, 2**31, 2**63, 10**30):
        for ask in (people.by_number, people.revoke, people.new_token, people.hold):
            with pytest.raises(Absent, match="no reviewer"), database.write() as c:
                ask(c, number)


def test_an_unknown_role_is_refused(database):
    """The known ones are named."""
    with pytest.raises(InputError, match=r"no role 'owner'\. Known: reviewer, checker, admin"), database.write() as c:
        people.add(c, "Ann", role="owner")  # type: ignore[arg-type]

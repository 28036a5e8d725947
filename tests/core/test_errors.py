"""The way around a faulty sample that some verbs have: told in their message, and no part of the fault."""

from __future__ import annotations

import pickle

import pytest

from figureground.core.errors import Fault, FormatError, check_failures, may_leave_out

FAULT = Fault(code="unreadable-picture", problem="it is empty", remedy="Mend it", sample="s1", file="a/s1.png")


def ended_by(fault: Fault) -> FormatError:
    with pytest.raises(FormatError) as caught, may_leave_out():
        raise FormatError(fault)
    return caught.value


@pytest.mark.parametrize(
    ("remedy", "end"),
    [("Mend it", "Mend it. Or let up to"), ("Mend it.", "Mend it. Or let up to"), ("Is it 's2'?", "Is it 's2'? Or let up to")],
)
def test_the_message_tells_of_the_other_way_behind_the_remedy(remedy, end):
    fault = Fault(code="c", problem="it is empty", remedy=remedy, sample="s1")
    error = ended_by(fault)
    assert f": it is empty. {end} N such samples be left out and listed: --max-failures N" in str(error)
    assert error.fault == fault


def test_a_file_that_is_no_sample_cannot_be_left_out():
    table = Fault(code="c", problem="it is empty", remedy="Mend it", file="samples.csv")
    assert str(ended_by(table)) == "samples.csv: it is empty. Mend it"


def test_it_travels_whole():
    error = ended_by(FAULT)
    back = pickle.loads(pickle.dumps(error))
    assert (str(back), back.fault, back.otherwise) == (str(error), FAULT, error.otherwise)


def test_failures_are_samples():
    """Two faults of one sample are one failure."""
    twice = [FAULT, Fault(code="c", problem="p", remedy="r", sample="s1")]
    check_failures(twice, 1)
    check_failures([], 0)
    with pytest.raises(FormatError, match="s1"):
        check_failures(twice, 0)
    with pytest.raises(FormatError, match="s1"):
        check_failures([*twice, Fault(code="c", problem="p", remedy="r", sample="s2")], 1)

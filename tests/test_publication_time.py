"""A moment in UTC, or None where the source names none for certain."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.publication_time import publication_time


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("2025-10-06", "2025-10-06T00:00"),  # a day is midnight UTC
        ("October 6, 2025", "2025-10-06T00:00"),
        ("6 October 2025", "2025-10-06T00:00"),
        ("Oct. 6, 2025", "2025-10-06T00:00"),
        ("Monday, October 6th, 2025", "2025-10-06T00:00"),
        ("Mon Oct 23, 2006 3:51am EDT", "2006-10-23T07:51"),
        ("Thu Nov 9, 2006 10:46am EST", "2006-11-09T15:46"),
        ("Nov 3, 2025 9:15 a.m. ET", "2025-11-03T14:15"),  # standard time since the day before
        ("July 3, 2025 9:15 p.m. PT", "2025-07-04T04:15"),
        ("2025-10-06T08:30:00+02:00", "2025-10-06T06:30"),
        ("2025-10-06T08:30:00Z", "2025-10-06T08:30"),
        ("2025-10-06 08:30:00", "2025-10-06T08:30"),  # no zone: taken as UTC
        ("2025-10-06T08:30:00.123456", "2025-10-06T08:30"),
        ("Mon, 06 Oct 2025 08:30:00 +0900", "2025-10-05T23:30"),  # RFC 5322, as in feeds and e-mail
        ("Mon, 06 Oct 2025 08:30:00 GMT", "2025-10-06T08:30"),
        ("26-FEB-1987 15:01:01.79", "1987-02-26T15:01"),
        ("20251006", "2025-10-06T00:00"),
        ("20251006T083000Z", "2025-10-06T08:30"),
        ("1759739400", "2025-10-06T08:30"),  # seconds since 1970
        ("1759739400000", "2025-10-06T08:30"),  # milliseconds
        ("13/04/2020", "2020-04-13T00:00"),  # there is no thirteenth month
        ("04/13/2020", "2020-04-13T00:00"),
        ("04/04/2020", "2020-04-04T00:00"),  # the same either way
        ("2020/03/04", "2020-03-04T00:00"),
        ("Published: October 6, 2025", "2025-10-06T00:00"),
        ("Published October 6, 2025 | Updated October 9, 2025", "2025-10-06T00:00"),
        ("Posted on October 6, 2025, updated October 9, 2025", "2025-10-06T00:00"),
    ],
)
def test_certain(stated: str, expected: str) -> None:
    moment = publication_time(stated)
    assert moment is not None
    assert moment.tzinfo is UTC or moment.utcoffset().total_seconds() == 0  # type: ignore[union-attr]
    assert moment.strftime("%Y-%m-%dT%H:%M") == expected


@pytest.mark.parametrize(
    "stated",
    [
        None,
        "",
        "yesterday",
        "2 hours ago",
        "Monday",
        "Nov 3",  # no year
        "November 2025",  # no day
        "2025",
        "03/04/2020",  # March or April
        "3.4.2020",
        "03-04-2020",
        "Oct 6, 25",  # a year of two digits
        "9:15 a.m.",
        "Q3 2025",
        "the day after October",
        "2025-13-45",
        "February 30, 2025",
        "0000-00-00",
        "October 6, 1492",
        "x" * 5000,
    ],
)
def test_uncertain(stated: str | None) -> None:
    assert publication_time(stated) is None


@given(st.text(max_size=60))
def test_never_raises(stated: str) -> None:
    publication_time(stated)


@given(st.datetimes(datetime(1900, 1, 1), datetime(2099, 12, 31)))
def test_what_python_writes_is_read(moment: datetime) -> None:
    assert publication_time(moment.replace(tzinfo=UTC).isoformat()) == moment.replace(tzinfo=UTC)

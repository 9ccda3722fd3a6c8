"""The publication time of an article: a string of the source becomes a moment in UTC, or nothing.

In: what a source wrote ("Mon Oct 23, 2006 3:51am EDT", "2025-10-06", "1759708800"). Out: a timezone-aware
``datetime`` in UTC, or None. Missing is None rather than guessed: words that lean on today ("yesterday",
"Monday"), dates without a year, two-digit years and orders that can be read two ways (03/04/2020) give None.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

from dateutil import parser, tz

MAX_LENGTH = 100
FIRST_YEAR, LAST_YEAR = 1800, 2100
# RFC 5322, section 4.3, gives the North American names their offsets. "ET", "CT", "PT" are what US media write;
# BST is read as British Summer Time. Names that several countries use (IST, AST) are left out.
OFFSET_HOURS = {
    "UTC": 0, "UT": 0, "GMT": 0, "Z": 0, "WET": 0, "BST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3,
    "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
    "JST": 9, "KST": 9, "HKT": 8, "SGT": 8, "AEST": 10, "AEDT": 11,
}  # fmt: skip
REGIONS = {"ET": "America/New_York", "CT": "America/Chicago", "MT": "America/Denver", "PT": "America/Los_Angeles"}

LABEL = re.compile(r"^\W*(?:first\s+)?(?:published|posted|publication date|released|date)\b(?:\s+on)?\s*:?\s+", re.I)
# "Published May 3, 2020 | Updated May 4, 2020": the first one counts.
LATER = re.compile(r"\s*(?:[|•·;(]|,?\s+(?:last\s+)?(?:updated|modified)\b).*$", re.IGNORECASE)
AMBIGUOUS = re.compile(r"^\s*(\d{1,2})([/.-])(\d{1,2})\2\d{4}\b")
ISO_START = re.compile(r"^\d{4}-\d{2}-\d{2}(?:[T ]\d|$)|^\d{8}(?:T\d|$)")
FOUR_DIGIT_YEAR = re.compile(r"(?<!\d)(?:1[89]|20)\d\d(?!\d)")
NUMERIC_STAMP = re.compile(r"^\d{8}(?:\d{6})?(?:T\d{4,6}Z?)?$")
EPOCH_SECONDS = re.compile(r"^\d{9,10}(?:\.\d{1,6})?$")
EPOCH_MILLISECONDS = re.compile(r"^\d{12,13}$")
# Two dates that share no day, month, weekday, hour and minute: what the two readings of a string agree on is
# what the string itself says.
FILLERS = (datetime(2001, 1, 1, 1, 1, 1), datetime(2002, 2, 2, 2, 2, 2))


def publication_time(stated: str | None) -> datetime | None:
    """The moment that ``stated`` names, in UTC; None where it names none for certain.

    A day without a time is midnight UTC. A time without a zone, or with one whose name is used by several
    countries, is taken as UTC, which is wrong by less than a day.
    """
    if not stated or len(stated) > MAX_LENGTH:
        return None
    text = " ".join(stated.split())
    if EPOCH_SECONDS.match(text):
        return _in_range(datetime.fromtimestamp(float(text), UTC))
    if EPOCH_MILLISECONDS.match(text):
        return _in_range(datetime.fromtimestamp(int(text) / 1000, UTC))
    text = LATER.sub("", LABEL.sub("", text))
    text = re.sub(r"\b([ap])\.m\.?", r"\1m", text, flags=re.IGNORECASE)
    if _is_ambiguous(text) or not (FOUR_DIGIT_YEAR.search(text) or NUMERIC_STAMP.match(text)):
        return None
    return _parsed(text)


def _is_ambiguous(text: str) -> bool:
    """Day and month as numbers that could be swapped."""
    numbers = AMBIGUOUS.match(text)
    if not numbers:
        return False
    first, second = int(numbers.group(1)), int(numbers.group(3))
    return first <= 12 and second <= 12 and first != second


def _parsed(text: str) -> datetime | None:
    try:
        # An ISO date is year, month, day; dateutil would otherwise swap what it takes for an American order.
        year_first = ISO_START.match(text) is not None
        one, two = (
            parser.parse(text, default=filler, tzinfos=_zone, yearfirst=year_first, dayfirst=False)
            for filler in FILLERS
        )
    except (ValueError, OverflowError, TypeError, AttributeError):
        return None
    if one.date() != two.date():
        return None
    if one.hour != two.hour:
        one = one.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    elif one.minute != two.minute:
        one = one.replace(minute=0, second=0, microsecond=0)
    elif one.second != two.second:
        one = one.replace(second=0, microsecond=0)
    try:
        return _in_range(one.replace(tzinfo=UTC) if one.tzinfo is None else one.astimezone(UTC))
    except (ValueError, OverflowError):
        return None


def _zone(name: str | None, offset: int | None) -> tzinfo | None:
    if offset is not None:
        return tz.tzoffset(None, offset) if abs(offset) <= timedelta(hours=15).total_seconds() else None
    if name in OFFSET_HOURS:
        return tz.tzoffset(name, OFFSET_HOURS[name] * 3600)
    return tz.gettz(REGIONS[name]) if name in REGIONS else None


def _in_range(moment: datetime) -> datetime | None:
    return moment if FIRST_YEAR <= moment.year <= LAST_YEAR else None

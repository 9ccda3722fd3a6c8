"""Resolve one expression of time against the day of publication.

In: the match of a pattern of ``pipeline.extract.dates`` and the day of publication, or None. Out: the first day of the
stretch that is meant and its precision; None where the expression needs a day of publication, or is no date after all.
The parts of a pattern are read by the names of its groups. The conventions are those of ``pipeline.extract.dates``.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

from pipeline.records import DatePrecision

MONTHS = {
    "jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6,
    "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12,
}  # fmt: skip
WEEKDAYS = {"mon": 0, "tue": 1, "wed": 2, "thu": 3, "fri": 4, "sat": 5, "sun": 6}
SEASONS = {"spring": 4, "summer": 7, "autumn": 10, "fall": 10, "winter": 1}
COUNTS = {
    "first": 1,
    "second": 2,
    "third": 3,
    "fourth": 4,
    "final": 4,
    "last": 4,
    "1st": 1,
    "2nd": 2,
    "3rd": 3,
    "4th": 4,
}
NUMBERS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6,
    "seven": 7, "eight": 8, "nine": 9, "ten": 10, "twelve": 12,
}  # fmt: skip
Resolved = tuple[date, DatePrecision]

_AHEAD = re.compile(
    r"\b(?:will|shall|to(?!\s(?:the|an?|its|their|(?-i:[A-Z\d])))|from|until|till|by|before|due|plan\w*|aim\w*|expect\w*|"
    r"schedul\w+|start\w*\s(?:in|on)|next|coming|"
    r"intend\w*|want\w*|hop(?:es?|ing)|could|would|should|may|might|set|slated|later|wants?|target\w*)\b",
    re.IGNORECASE,
)
_PAST = re.compile(
    r"\b(?:since|last|ago|was|were|had|has|have|been|did|said|told|announced|"
    r"signed|bought|took|raised|began|started|opened|"
    r"closed|ended|launched|agreed|won|lost|gave|fell|rose|reported|dropped|"
    r"founded|sold|became|came|went|received|(?<!\bbe\s)\w{3,}ed)\b",
    re.IGNORECASE,
)

# What stands between the day of a dateline and its story: "BONN, March 4 (Reuters) -", "(March 4, 2025) -",
# "March 4, 2025 /WireDesk/ --", "MAINZ, Germany, 4 March 2025:".
_AFTER_DATELINE = re.compile(
    r"(?:,\s\d{4})?\)?\s?(?:\([\w .&]{1,30}\)\s?|/[\w .&-]{1,30}/\s?)?(?:--?|[\u2013\u2014]|:)(?:\s|$)|"
    r"\s\((?:Reuters|AP|AFP)\)"
)
_BEFORE_DATELINE = re.compile(
    r"(?:[A-Z][\w.’'-]*,?\s(?:[\w.’'-]+,?\s){0,4})?\(?(?:Published|Updated|Posted)?(?:\son)?:?\s?$"
)
_DATELINE_REACH = 60


def is_dateline(text: str, start: int, end: int) -> bool:
    """Is ``text[start:end]`` the day on which a story was filed, or the page's "Updated 4 March 2025."?"""
    line = text.rfind("\n", max(0, start - _DATELINE_REACH), start) + 1
    if line == 0 and start > _DATELINE_REACH:
        line = max(text.rfind(mark, start - _DATELINE_REACH, start) + 2 for mark in (". ", '" ', ") "))
        if line < 2:
            return False
    before = text[line:start].lstrip()
    if re.fullmatch(r"(?:Published|Updated|Posted)(?:\son)?:?\s", before):
        return True
    return bool(_AFTER_DATELINE.match(text, end) and (not before or _BEFORE_DATELINE.fullmatch(before)))


def _said(match: re.Match[str], group: str) -> str:
    """What a part of the pattern has read, in lower case; "" where this pattern has no such part or it is absent."""
    return " ".join((match.groupdict().get(group) or "").lower().split())


def _month_of(match: re.Match[str]) -> int:
    return MONTHS[match["month"][:3].lower()]


def _calendar_day(year: int, month: int, day: int) -> Resolved | None:
    try:
        return date(year, month, day), "day"
    except ValueError:
        return None


def _looks_ahead(match: re.Match[str]) -> bool | None:
    """True: the words around speak of the future; False: of the past; None: they do not say.

    The nearest cue before the date wins, else the first one after it ("In March the pair dropped ..."). What a dateline
    states is past.
    """
    start, end = match.span("span")
    if is_dateline(match.string, start, end):
        return False
    before = re.split(r"[.;!?\n]\s", match.string[max(0, start - 70) : start])[-1]
    ahead = max((m.end() for m in _AHEAD.finditer(before)), default=-1)
    past = max((m.end() for m in _PAST.finditer(before)), default=-1)
    if ahead != past:
        return ahead > past
    after = re.split(r"[.;!?\n]", match.string[end : end + 70])[0]
    first_ahead, first_past = _AHEAD.search(after), _PAST.search(after)
    if not first_ahead and not first_past:
        return None
    return (first_ahead.start() if first_ahead else 999) < (first_past.start() if first_past else 999)


def _nearest_year(match: re.Match[str], today: date, month: int, day: int = 15) -> int:
    """Year of a month or day that is said without one."""
    ahead = _looks_ahead(match)
    years = [today.year - 1, today.year, today.year + 1]
    distance = {year: (date(year, month, min(day, 28)) - today).days for year in years}
    # Two weeks of grace: the month of publication is neither past nor future.
    if ahead is True:
        years = [year for year in years if distance[year] >= -20]
    elif ahead is False:
        years = [year for year in years if distance[year] <= 20]
    return min(years, key=lambda year: abs(distance[year]))


def full_date(match: re.Match[str], today: date | None) -> Resolved | None:
    return _calendar_day(int(match["year"]), _month_of(match), int(match["day"]))


def iso_date(match: re.Match[str], today: date | None) -> Resolved | None:
    return _calendar_day(int(match["year"]), int(match["month"]), int(match["day"]))


def day_and_month(match: re.Match[str], today: date | None) -> Resolved | None:
    if today is None:
        return None
    month, day = _month_of(match), int(match["day"])
    return _calendar_day(_year_said(match, today) or _nearest_year(match, today, month, day), month, day)


def week_of_day(match: re.Match[str], today: date | None) -> Resolved | None:
    """ "the week of September 8"."""
    resolved = full_date(match, today) if _said(match, "year") else day_and_month(match, today)
    return _week_of(resolved[0]) if resolved else None


def month_quarter(match: re.Match[str], today: date | None) -> Resolved | None:
    """ "the December quarter" ends with that month; other months end none."""
    month = _month_of(match)
    if today is None or month % 3:
        return None
    return date(_nearest_year(match, today, month - 1), month - 2, 1), "quarter"


def month_and_year(match: re.Match[str], today: date | None) -> Resolved | None:
    return date(int(match["year"]), _month_of(match), 1), "month"


def bare_month(match: re.Match[str], today: date | None) -> Resolved | None:
    if today is None:
        return None
    month = _month_of(match)
    when = _said(match, "when")
    if when.startswith(("last", "the prev", "the past")):
        return date(today.year - (month >= today.month), month, 1), "month"
    if when.startswith(("next", "the com", "the foll")):
        return date(today.year + (month <= today.month), month, 1), "month"
    year = today.year if when else _nearest_year(match, today, month)
    return date(year, month, 1), "month"


def _year_said(match: re.Match[str], today: date | None) -> int | None:
    """Year of a quarter, half or season: stated, "next year", or the one that fits the tense."""
    if year := _said(match, "year"):
        return int(year) + (2000 if len(year) == 2 else 0)
    if today is None:
        return None
    relative = _said(match, "relative")
    if relative:
        return today.year + (
            1 if relative.startswith(("next", "the foll")) else -1 if relative.startswith("last") else 0
        )
    return None


def quarter(match: re.Match[str], today: date | None) -> Resolved | None:
    number = int(_said(match, "digit")) if _said(match, "digit") else COUNTS[match["count"].lower()]
    month = 3 * number - 2
    year = _year_said(match, today)
    if year is None and _said(match, "count") in ("last", "final"):
        return None
    if year is None and today is not None:
        year = _nearest_year(match, today, month + 1)
    return (date(year, month, 1), "quarter") if year else None


def half(match: re.Match[str], today: date | None) -> Resolved | None:
    named = _said(match, "count") or ("second" if _said(match, "side") == "back" else "first")
    number = int(_said(match, "digit")) if _said(match, "digit") else min(2, COUNTS[named])
    month = 6 * number - 5
    year = _year_said(match, today)
    if year is None and today is not None:
        year = _nearest_year(match, today, month + 3)
    return (date(year, month, 1), "half") if year else None


def season(match: re.Match[str], today: date | None) -> Resolved | None:
    month = SEASONS[match["season"].lower()]
    year = _year_said(match, today)
    if year is None and today is not None:
        when = _said(match, "when")
        if when.startswith("last"):
            year = today.year - (month + 2 >= today.month)
        elif when.startswith(("next", "the com")):
            year = today.year + (month <= today.month)
        elif when:  # "this winter", said in autumn, is the one to come
            year = today.year + (month == 1 and today.month >= 9)
        else:
            year = _nearest_year(match, today, month + 1)
    return (date(year, month, 1), "quarter") if year else None


def part_of_year(match: re.Match[str], today: date | None) -> Resolved | None:
    year = _year_said(match, today)
    if year is None:
        return None
    part = _said(match, "part")
    if part.startswith("early"):
        return date(year, 1, 1), "half"
    if "beginning" in part or "start" in part:
        return date(year, 1, 1), "quarter"
    if part.startswith("late"):
        return date(year, 7, 1), "half"
    if part.startswith("mid"):
        return date(year, 1, 1), "year"
    bounded = re.search(
        r"\b(?:by|before|until|till|now\sand)\s(?:the\s)?$", match.string[: match.start("span")][-12:], re.I
    )
    return (date(year, 1, 1), "year") if bounded else (date(year, 10, 1), "quarter")


def end_of_this_year(match: re.Match[str], today: date | None) -> Resolved | None:
    return (date(today.year, 1, 1), "year") if today else None


def part_of_unit(match: re.Match[str], today: date | None) -> Resolved | None:
    """ "the start of the year", "the end of the month": of this one, or of the one that fits the tense."""
    if today is None:
        return None
    if match["unit"].lower() == "month":
        return _months_from(today, 0), "month"
    if match["unit"].lower() == "quarter":
        return date(today.year, (today.month - 1) // 3 * 3 + 1, 1), "quarter"
    return date(today.year + (_looks_ahead(match) is True), 1, 1), "quarter"


def new_year(match: re.Match[str], today: date | None) -> Resolved | None:
    """ "in the new year": the next one, and this one while it is young."""
    return (date(today.year + (today.month > 2), 1, 1), "year") if today else None


def business_year(match: re.Match[str], today: date | None) -> Resolved | None:
    """ "the fiscal year that ends in March 2027" begins in April 2026."""
    month, year = _month_of(match), int(match["year"])
    return (date(year, 1, 1) if month == 12 else date(year - 1, month + 1, 1)), "year"


def figures(match: re.Match[str], today: date | None) -> Resolved | None:
    """ "1/24/2026", "24/1/2026"; None where either number can be the month."""
    first, second, year = int(match["first"]), int(match["second"]), int(match["year"])
    if first != second and first <= 12 and second <= 12:
        return None
    return _calendar_day(year, *((first, second) if first <= 12 else (second, first)))


def ordinal_day(match: re.Match[str], today: date | None) -> Resolved | None:
    """ "the first of March", with or without a year."""
    day, month = COUNTS[match["count"].lower()], _month_of(match)
    if year := _said(match, "year"):
        return _calendar_day(int(year), month, day)
    return _calendar_day(_nearest_year(match, today, month, day), month, day) if today else None


def plain_year(match: re.Match[str], today: date | None) -> Resolved | None:
    return date(int(match["year"]), 1, 1), "year"


def relative_unit(match: re.Match[str], today: date | None) -> Resolved | None:
    """ "next year", "last month", "this quarter", "last week"."""
    if today is None:
        return None
    when, unit = _said(match, "when"), _said(match, "unit")
    step = (
        1
        if when.startswith(("next", "the com", "the foll"))
        else -1
        if when.startswith(("last", "the prev", "the past"))
        else 0
    )
    if unit == "year":
        return date(today.year + step, 1, 1), "year"
    if unit == "quarter":
        index = (today.year * 4 + (today.month - 1) // 3) + step
        return date(index // 4, index % 4 * 3 + 1, 1), "quarter"
    if unit == "month":
        return _months_from(today, step), "month"
    return _week_of(today + timedelta(weeks=step))


def _week_of(day: date) -> Resolved | None:
    """The shortest stretch of the calendar that holds the whole week of ``day``; None at the turn of the year."""
    first = day - timedelta(days=day.weekday())
    last = first + timedelta(days=6)
    if first.year != last.year:
        return None
    if first.month == last.month:
        return date(day.year, first.month, 1), "month"
    if (first.month - 1) // 3 == (last.month - 1) // 3:
        return date(day.year, (first.month - 1) // 3 * 3 + 1, 1), "quarter"
    return (
        (date(day.year, 1 if last.month <= 6 else 7, 1), "half") if first.month != 6 else (date(day.year, 1, 1), "year")
    )


def _months_from(today: date, months: int) -> date:
    index = today.year * 12 + today.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def distance(match: re.Match[str], today: date | None) -> Resolved | None:
    """ "two years ago", "within three months", "in five years"."""
    if today is None:
        return None
    number = int(match["number"]) if match["number"].isdigit() else NUMBERS[match["number"].lower()]
    sign, unit = (-1 if _said(match, "ago") in ("ago", "earlier") else 1), _said(match, "unit")
    if unit == "year":
        return date(today.year + sign * number, 1, 1), "year"
    if unit == "month":
        day = _months_from(today, sign * number)
        # Nobody who says "within 18 months" means the month.
        return (day, "month") if number < 12 else (date(day.year, 1, 1), "year")
    if unit == "day":
        return today + timedelta(days=sign * number), "day"
    return _week_of(today + timedelta(weeks=sign * number))


def weekday(match: re.Match[str], today: date | None) -> Resolved | None:
    if today is None:
        return None
    back = (today.weekday() - WEEKDAYS[match["weekday"][:3].lower()]) % 7
    when = _said(match, "when")
    is_open = not when or when == "this"
    if when.startswith(("next", "the com", "the foll")) or (is_open and _weekday_ahead(match)):
        return today + timedelta(days=7 - back), "day"
    # "last Monday", said on a Monday, is a week ago.
    return today - timedelta(days=7 if when.startswith("last") and back == 0 else back), "day"


# "will start on Thursday" looks ahead; "will start, it said on Thursday" does not.
_AHEAD_OF_WEEKDAY = re.compile(
    r"\b(?:from|until|till|by|starting|beginning|coming)\s$"
    r"|\b(?:will|shall|(?:due|set|expected|scheduled|plan\w*|about)\sto)\s"
    r"(?:(?!\b(?:said|say|announced|told|report\w*|disclosed|that)\b)[^.;:\n]){0,60}\bon\s$"
    r"|\b(?:will|to)\s(?:\w+\s){1,5}$",
    re.IGNORECASE,
)


def _weekday_ahead(match: re.Match[str]) -> bool:
    start = match.start("span")
    return _AHEAD_OF_WEEKDAY.search(match.string[max(0, start - 90) : start]) is not None


def near_day(match: re.Match[str], today: date | None) -> Resolved | None:
    if today is None:
        return None
    offset = {"today": 0, "tonight": 0, "yesterday": -1, "tomorrow": 1, "this morning": 0}[_said(match, "span")]
    return today + timedelta(days=offset), "day"


def day_of_month(match: re.Match[str], today: date | None) -> Resolved | None:
    """ "on the 24th": of the month of publication, or of the one before where that day is still to come."""
    if today is None:
        return None
    day = int(match["day"])
    if day <= today.day or _looks_ahead(match):
        return _calendar_day(today.year, today.month, day)
    previous = _months_from(today, -1)
    return _calendar_day(previous.year, previous.month, day)

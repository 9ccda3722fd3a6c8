"""Find points and stretches of time.

In: plain text and the time of publication (or None). Out: ``DateMention`` rows in text order without overlap: the
first day of the stretch and how long it is. A date is never more exact than what is said.

Conventions, because no standard settles them: spring, summer and autumn are the second, third and fourth quarter,
winter is the first; "early" is the first half of a year, "late" the second, "mid" the whole year; "end of 2025" is its
last quarter, "by the end of 2025" the year; "last week" and "three weeks ago" are months, there being no week; "within
two years" is the year in which they end. A weekday is the last one before publication unless the words around look
ahead ("next", "from Monday", "will"). A month or day without a year is the nearest one in the direction of the tense.

It will not read durations ("for four years"), model years ("the 2021 hatchback"), event names ("Expo 2025"), quantities
or clock times, and without a time of publication nothing that is relative to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta

from pipeline.records import DateMention, DatePrecision

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
FIRST_YEAR, LAST_YEAR = 1950, 2079

Resolved = tuple[date, DatePrecision]

_YEAR = r"(?P<year>(?:19[5-9]|20[0-7])\d)(?![\d,.]\d|\d)"
_MONTH = (
    r"(?P<month>Jan(?:uary|\.)?|Feb(?:ruary|\.)?|Mar(?:ch|\.)?|Apr(?:il|\.)?|May|June?|July?|"
    r"Aug(?:ust|\.)?|Sept?(?:ember|\.)?|Oct(?:ober|\.)?|Nov(?:ember|\.)?|Dec(?:ember|\.)?)"
)
_DAY = r"(?P<day>[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th)?(?!\d|[.,]\d)"
_WEEKDAY = r"(?P<weekday>Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_SEASON = r"(?P<season>spring|summer|autumn|fall|winter)(?!-)"
_COUNT = r"(?P<count>first|second|third|fourth|final|last|1st|2nd|3rd|4th)"
_WHEN = r"(?P<when>this|last|next|the\scoming|the\sfollowing|the\scurrent|the\sprevious|the\spast)"
_NUMBER = r"(?P<number>\d{1,2}|an?|one|two|three|four|five|six|seven|eight|nine|ten|twelve)"
_AHEAD = re.compile(
    r"\b(?:will|shall|to|from|until|till|by|before|due|plan\w*|aim\w*|expect\w*|"
    r"schedul\w+|start\w*\s(?:in|on)|next|coming|"
    r"intend\w*|want\w*|hop(?:es?|ing)|could|would|should|may|might|set|slated|later|wants?|target\w*)\b",
    re.IGNORECASE,
)
_PAST = re.compile(
    r"\b(?:since|last|ago|was|were|had|has|have|been|did|said|told|announced|"
    r"signed|bought|took|raised|began|started|opened|"
    r"closed|ended|launched|agreed|won|lost|gave|fell|rose|reported|dropped|"
    r"founded|sold|became|came|went|received|\w{3,}ed)\b",
    re.IGNORECASE,
)

_DATELINE_END = re.compile(r"(?:,\s\d{4})?\s?(?:--?|[\u2013\u2014])\s|\s\((?:Reuters|AP|AFP)\)")


def find_dates(text: str, published_at: datetime | None) -> list[DateMention]:
    """All dates of ``text`` in text order; ``published_at`` is what "last Tuesday" and "in May" are relative to."""
    today = published_at.date() if published_at else None
    found: list[DateMention] = []
    for pattern, resolve in _PATTERNS:
        for match in pattern.finditer(text):
            start, end = match.span("span")
            if any(m.start < end and start < m.end for m in found):
                continue
            resolved = resolve(match, today)
            if resolved and FIRST_YEAR <= resolved[0].year <= LAST_YEAR:
                found.append(DateMention(start, end, text[start:end], *resolved))
    return sorted(found, key=lambda m: m.start)


def _said(match: re.Match[str], group: str) -> str:
    """What a part of the pattern has read, in lower case; "" where this pattern has no such part or it is absent."""
    return " ".join((match.groupdict().get(group) or "").lower().split())


def _month_of(match: re.Match[str]) -> int:
    return MONTHS[match["month"][:3].lower()]


def _day(year: int, month: int, day: int) -> Resolved | None:
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
    if _DATELINE_END.match(match.string, end):
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


def _full_date(match: re.Match[str], today: date | None) -> Resolved | None:
    return _day(int(match["year"]), _month_of(match), int(match["day"]))


def _iso_date(match: re.Match[str], today: date | None) -> Resolved | None:
    return _day(int(match["year"]), int(match["month"]), int(match["day"]))


def _day_and_month(match: re.Match[str], today: date | None) -> Resolved | None:
    if today is None:
        return None
    month, day = _month_of(match), int(match["day"])
    return _day(_nearest_year(match, today, month, day), month, day)


def _month_and_year(match: re.Match[str], today: date | None) -> Resolved | None:
    return date(int(match["year"]), _month_of(match), 1), "month"


def _bare_month(match: re.Match[str], today: date | None) -> Resolved | None:
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
        return int(year)
    if today is None:
        return None
    relative = _said(match, "relative")
    if relative:
        return today.year + (
            1 if relative.startswith(("next", "the foll")) else -1 if relative.startswith("last") else 0
        )
    return None


def _quarter(match: re.Match[str], today: date | None) -> Resolved | None:
    number = int(_said(match, "digit")) if _said(match, "digit") else COUNTS[match["count"].lower()]
    month = 3 * number - 2
    year = _year_said(match, today)
    if year is None and today is not None:
        year = _nearest_year(match, today, month + 1)
    return (date(year, month, 1), "quarter") if year else None


def _half(match: re.Match[str], today: date | None) -> Resolved | None:
    number = int(_said(match, "digit")) if _said(match, "digit") else min(2, COUNTS[match["count"].lower()])
    month = 6 * number - 5
    year = _year_said(match, today)
    if year is None and today is not None:
        year = _nearest_year(match, today, month + 3)
    return (date(year, month, 1), "half") if year else None


def _season(match: re.Match[str], today: date | None) -> Resolved | None:
    month = SEASONS[match["season"].lower()]
    year = _year_said(match, today)
    if year is None and today is not None:
        when = _said(match, "when")
        if when.startswith("last"):
            year = today.year - (month + 2 >= today.month)
        elif when.startswith(("next", "the com")):
            year = today.year + (month <= today.month)
        elif when:
            year = today.year
        else:
            year = _nearest_year(match, today, month + 1)
    return (date(year, month, 1), "quarter") if year else None


def _part_of_year(match: re.Match[str], today: date | None) -> Resolved | None:
    year = _year_said(match, today)
    if year is None:
        return None
    part = _said(match, "part")
    if part.startswith("early") or "beginning" in part or "start" in part:
        return date(year, 1, 1), "half"
    if part.startswith("late"):
        return date(year, 7, 1), "half"
    if part.startswith("mid"):
        return date(year, 1, 1), "year"
    bounded = re.search(r"\b(?:by|before|until|till)\s(?:the\s)?$", match.string[: match.start("span")][-12:], re.I)
    return (date(year, 1, 1), "year") if bounded else (date(year, 10, 1), "quarter")


def _end_of_this_year(match: re.Match[str], today: date | None) -> Resolved | None:
    return (date(today.year, 1, 1), "year") if today else None


def _plain_year(match: re.Match[str], today: date | None) -> Resolved | None:
    return date(int(match["year"]), 1, 1), "year"


def _relative_unit(match: re.Match[str], today: date | None) -> Resolved | None:
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
    return (today + timedelta(weeks=step)).replace(day=1), "month"


def _months_from(today: date, months: int) -> date:
    index = today.year * 12 + today.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def _distance(match: re.Match[str], today: date | None) -> Resolved | None:
    """ "two years ago", "within three months", "in five years"."""
    if today is None:
        return None
    number = int(match["number"]) if match["number"].isdigit() else NUMBERS[match["number"].lower()]
    sign, unit = (-1 if _said(match, "ago") else 1), _said(match, "unit")
    if unit == "year":
        return date(today.year + sign * number, 1, 1), "year"
    if unit == "month":
        return _months_from(today, sign * number), "month"
    if unit == "day":
        return today + timedelta(days=sign * number), "day"
    return (today + timedelta(weeks=sign * number)).replace(day=1), "month"


def _weekday(match: re.Match[str], today: date | None) -> Resolved | None:
    if today is None:
        return None
    back = (today.weekday() - WEEKDAYS[match["weekday"][:3].lower()]) % 7
    when = _said(match, "when")
    if when.startswith(("next", "the com", "the foll")) or (not when and _weekday_ahead(match)):
        return today + timedelta(days=7 - back), "day"
    # "last Monday", said on a Monday, is a week ago.
    return today - timedelta(days=7 if when.startswith("last") and back == 0 else back), "day"


def _weekday_ahead(match: re.Match[str]) -> bool:
    before = match.string[max(0, match.start("span") - 40) : match.start("span")]
    return (
        re.search(r"\b(?:from|until|till|by|starting|coming|(?:will|to)\s(?:\w+\s){1,4}on)\s$", before, re.I)
        is not None
    )


def _near_day(match: re.Match[str], today: date | None) -> Resolved | None:
    if today is None:
        return None
    offset = {"today": 0, "tonight": 0, "yesterday": -1, "tomorrow": 1, "this morning": 0}[_said(match, "span")]
    return today + timedelta(days=offset), "day"


def _day_of_month(match: re.Match[str], today: date | None) -> Resolved | None:
    """ "on the 24th": of the month of publication, or of the one before where that day is still to come."""
    if today is None:
        return None
    day = int(match["day"])
    if day <= today.day or _looks_ahead(match):
        return _day(today.year, today.month, day)
    previous = _months_from(today, -1)
    return _day(previous.year, previous.month, day)


_OF_YEAR = rf"(?:,?\s(?:of\s|in\s)?(?:{_YEAR}|(?P<relative>(?:this|next|last|the\sfollowing)\syear)\b))"
# The preposition keeps out model years, event names and plain quantities.
_YEAR_LED = (
    r"(?<![\w$€£-])(?:in|by|since|until|till|from|of|during|before|after|through|"
    r"throughout|to|for|around|about|fiscal|FY|year|and|or|between)\s(?:fiscal\s|"
    r"FY\s?|the\syear\s|about\s|around\s|at\sleast\s)?"
)
_NOT_A_COUNT = (
    r"(?!\s(?:vehicles|cars|units|jobs|people|euros|dollars|yuan|yen|kilomet\w+|"
    r"km|miles|shares|employees|trucks|model))"
)


def _compile(pattern: str, flags: int = re.IGNORECASE) -> re.Pattern[str]:
    return re.compile(pattern, flags)


# Tried in this order; what an earlier one has read, a later one leaves alone.
_PATTERNS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], date | None], Resolved | None]], ...] = (
    (
        _compile(r"(?<![\d-])(?P<span>(?P<year>20\d\d|19[5-9]\d)-(?P<month>0[1-9]|1[0-2])-(?P<day>[0-3]\d))(?!\d)"),
        _iso_date,
    ),
    (_compile(rf"\b(?P<span>{_MONTH}\s{_DAY},?\s{_YEAR})", 0), _full_date),
    (_compile(rf"(?<![\d.,])(?P<span>{_DAY}\s(?:of\s)?{_MONTH},?\s{_YEAR})", 0), _full_date),
    (_compile(rf"\b(?P<span>{_MONTH},?\s(?:of\s)?{_YEAR})", 0), _month_and_year),
    (_compile(rf"\b(?P<span>{_MONTH}\s{_DAY})\b(?!\s?(?:%|percent|million|billion))", 0), _day_and_month),
    (_compile(rf"(?<![\d.,$€£])(?P<span>{_DAY}\s(?:of\s)?{_MONTH})\b(?![a-z])", 0), _day_and_month),
    (_compile(rf"\b(?P<span>(?:Q(?P<digit>[1-4])|(?:the\s)?{_COUNT}[\s-]quarter){_OF_YEAR}?)(?!\w)"), _quarter),
    (_compile(rf"\b(?P<span>(?:H(?P<digit>[12])|(?:the\s)?{_COUNT}[\s-]half){_OF_YEAR})"), _half),
    (_compile(rf"\b(?P<span>(?P<digit>[12])H\s?{_YEAR})"), _half),
    (
        _compile(r"\bin\s(?P<span>the\s(?P<count>first|second)\shalf)\b(?!\sof)"),
        _half,
    ),
    (
        _compile(
            rf"\b(?P<span>(?P<part>early|late|mid|(?:the\s)?(?:end|close|beginning|start)\sof|"
            rf"year-?end|end)(?:\sin)?[\s-]{_YEAR})"
        ),
        _part_of_year,
    ),
    (
        _compile(
            r"\b(?P<span>(?P<part>early|late|mid-?|(?:the\s)?(?:end|beginning|start)\sof)\s?(?P<relative>(?:next|"
            r"last)\syear))\b"
        ),
        _part_of_year,
    ),
    (_compile(r"\b(?P<span>(?:the\s)?end\sof\s(?:the|this)\syear|year-?end|later\sthis\syear)\b"), _end_of_this_year),
    (_compile(rf"\b(?P<span>(?:{_WHEN}\s)?{_SEASON}{_OF_YEAR})"), _season),
    (
        _compile(
            rf"\b(?:(?:in|by|until|since|from|for)\s(?:the\s)?(?:early\s|late\s|coming\s)?)?(?P<span>{_WHEN}\s{_SEASON})\b"
            r""
        ),
        _season,
    ),
    (
        _compile(rf"\b(?:in|by|until|since|from)\s(?P<span>(?:the\s)?{_SEASON})\b"),
        _season,
    ),
    (_compile(rf"\b(?P<span>{_WHEN}\s(?P<unit>year|month|quarter|week)(?!['’]|s))\b"), _relative_unit),
    (_compile(rf"\b(?P<span>{_NUMBER}\s(?P<unit>year|month|week|day)s?\s(?P<ago>ago|earlier))\b"), _distance),
    (
        _compile(
            rf"\b(?:within|in)\s(?P<span>(?!an?\s)(?:the\s(?:next|coming)\s)?(?:about\s|around\s)?{_NUMBER}\s(?P<unit>year|"
            rf"month|week|day)s?)"
            r"\b(?!['’]|\sof|\sin)"
        ),
        _distance,
    ),
    (
        _compile(rf"\b(?P<span>(?:{_WHEN}\s)?{_WEEKDAY})\b(?!\s(?:Times|Herald|Post|Night))(?!['’]s\s[A-Z])", 0),
        _weekday,
    ),
    (_compile(r"\b(?P<span>today|tonight|yesterday|tomorrow|this\smorning)\b(?!['’]s)"), _near_day),
    (
        _compile(
            r"\b[Oo]n\s(?P<span>the\s(?P<day>[12]?\d|3[01])(?:st|nd|rd|th))\b(?!\s(?:[a-z]+\s)?(?:anniversary|"
            r"floor|century))"
        ),
        _day_of_month,
    ),
    (
        _compile(
            rf"\b(?:[Ii]n|[Bb]y|[Ss]ince|[Uu]ntil|[Ff]rom|[Oo]f|[Ee]arly|[Ll]ate|[Mm]id-|"
            rf"[Ff]or|[Bb]efore|[Aa]fter|[Dd]uring|[Ii]nto|[Tt]hrough|and)[\s-]?"
            rf"(?P<when>(?:this|last|next)\s)?(?P<span>{_MONTH})\b(?!\s\d|['’])",
            0,
        ),
        _bare_month,
    ),
    (_compile(rf"\b(?P<span>(?P<when>[Tt]his|[Ll]ast|[Nn]ext)\s{_MONTH})\b", 0), _bare_month),
    (_compile(rf"{_YEAR_LED}(?P<span>{_YEAR}){_NOT_A_COUNT}\b"), _plain_year),
    (_compile(rf"\b(?P<span>(?:fiscal|FY)\s?{_YEAR})\b"), _plain_year),
    (_compile(rf"\((?P<span>{_YEAR})\)"), _plain_year),
)

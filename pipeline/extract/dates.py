"""Find points and stretches of time.

In: plain text and the time of publication (or None). Out: ``DateMention`` rows in text order without overlap: the
first day of the stretch and how long it is. A date is never more exact than what is said.

Conventions, because no standard settles them: spring, summer and autumn are the second, third and fourth quarter,
winter is the first; "early" is the first half of a year, "late" the second, "mid" the whole year; "end of 2025" is its
last quarter, "by the end of 2025" the year; the start of a year is its first quarter; "last week" and "three weeks ago"
are the month, or the longer stretch, that holds the whole week; "within two years" is the year in which they end. A
weekday is the last one before publication unless the words around look ahead ("next", "from Monday", "will"). A month
or day without a year is the nearest one in the direction of the tense.

It will not read durations ("for four years"), model years ("the 2021 hatchback"), event names ("Expo 2025"), quantities
or clock times, and without a time of publication nothing that is relative to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime

from pipeline.extract import date_resolution as resolve
from pipeline.extract.date_resolution import Resolved
from pipeline.records import DateMention

FIRST_YEAR, LAST_YEAR = 1950, 2079

_YEAR = r"(?P<year>(?:19[5-9]|20[0-7])\d)(?![\d,.]\d|\d|s\b)"
_MONTH = (
    r"(?P<month>Jan(?:uary|\.)?|Feb(?:ruary|\.)?|Mar(?:ch|\.)?|Apr(?:il|\.)?|May|June?|July?|"
    r"Aug(?:ust|\.)?|Sept?(?:ember|\.)?|Oct(?:ober|\.)?|Nov(?:ember|\.)?|Dec(?:ember|\.)?)"
)
_PLAIN_MONTH = _MONTH.replace("?P<month>", "?:")
_DAY = r"(?P<day>[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th)?(?!\d|[.,]\d)"
_WEEKDAY = r"(?P<weekday>Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_SEASON = r"(?P<season>spring|summer|autumn|fall|winter)(?!-)"
_COUNT = r"(?P<count>first|second|third|fourth|final|last|1st|2nd|3rd|4th)"
_WHEN = r"(?P<when>this|last|next|the\scoming|the\sfollowing|the\scurrent|the\sprevious|the\spast)"
_NUMBER = r"(?P<number>\d{1,2}|an?|one|two|three|four|five|six|seven|eight|nine|ten|twelve)"
# "Q3 2026", "the third quarter of next year", "a third-quarter launch in 2026"
_OF_YEAR = (
    r"(?:(?:,?\s(?:of\s|in\s)?|(?<=-quarter)\s[a-z]+\sin\s)"
    rf"(?:{_YEAR}|(?P<relative>(?:this|next|last|the\sfollowing)\syear)\b))"
)
_OF_RELATIVE = r"(?:,?\s(?:of\s)?(?P<relative>(?:this|next|last)\syear)\b)"
# What happens at a time that stands before it: "a 2026 launch", "the August launch", "its 2018 seed round"
_HAPPENING = (
    r"(?:launch|start|debut|roll-?out|opening|introduction|round|ipo|listing|"
    r"acquisition|purchase|takeover|merger|buyout)\b"
)
# The preposition keeps out model years, event names and plain quantities.
_YEAR_LED = (
    r"(?<![\w$€£-])(?:in|by|since|until|till|from|of|during|before|after|through|"
    r"throughout|to|for|around|about|fiscal|FY|CY|year|targets|targeting|eyes|eyeing|as|and|or|between)\s(?:fiscal\s|"
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
        resolve.iso_date,
    ),
    (_compile(rf"\b(?P<span>{_MONTH}\s{_DAY},?\s{_YEAR})", 0), resolve.full_date),
    (_compile(rf"(?<![\d.,])(?P<span>{_DAY}\s(?:of\s)?{_MONTH},?\s{_YEAR})", 0), resolve.full_date),
    (
        _compile(
            rf"\b(?P<span>(?:fiscal|financial|business)\syear\s(?:that\s|which\s)?(?:ends?|ending|ended|to|through)\s"
            rf"(?:in\s|on\s)?(?:\d{{1,2}}\s)?{_MONTH}(?:\s\d{{1,2}},?)?\s{_YEAR})"
        ),
        resolve.business_year,
    ),
    (
        _compile(
            r"(?<![\d/])(?P<span>(?P<first>\d{1,2})/(?P<second>\d{1,2})/(?P<year>(?:19[5-9]|20[0-7])\d))(?![\d/])"
        ),
        resolve.figures,
    ),
    (
        _compile(
            r"(?<![\d.])(?P<span>(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>(?:19[5-9]|20[0-7])\d))(?![\d.]\d)"
        ),
        resolve.iso_date,
    ),
    (
        _compile(rf"\b(?P<span>the\s(?P<count>first|second|third|fourth)\sof\s{_MONTH}(?:,?\s{_YEAR})?)\b"),
        resolve.ordinal_day,
    ),
    (_compile(rf"\b(?P<span>{_MONTH},?\s(?:of\s)?{_YEAR})", 0), resolve.month_and_year),
    (
        _compile(rf"\b(?P<span>(?:the\s)?week\s(?:of|starting|beginning)\s{_MONTH}\s{_DAY}(?:,?\s{_YEAR})?)\b"),
        resolve.week_of_day,
    ),
    (_compile(rf"\b(?P<span>(?:the\s)?{_MONTH}\squarter)\b", 0), resolve.month_quarter),
    (
        _compile(rf"\b(?P<span>{_MONTH}\s{_DAY}{_OF_RELATIVE}?)\b(?!\s?(?:%|percent|million|billion))", 0),
        resolve.day_and_month,
    ),
    (
        _compile(rf"(?<![\d.,$€£])(?P<span>{_DAY}\s(?:of\s)?{_MONTH}{_OF_RELATIVE}?)\b(?![a-z])", 0),
        resolve.day_and_month,
    ),
    (
        _compile(
            rf"\b(?P<span>(?:Q(?P<digit>[1-4])|(?:the\s)?(?<!fiscal\s){_COUNT}[\s-]quarter){_OF_YEAR}?)(?!\w)(?!\s(?:of\s)?(?:its\s|the\s)?(?:fiscal|financial|FY))"
        ),
        resolve.quarter,
    ),
    (
        _compile(rf"\b(?P<span>(?:H(?P<digit>[12])|(?:the\s)?(?:{_COUNT}|(?P<side>front|back))[\s-]half){_OF_YEAR})"),
        resolve.half,
    ),
    (_compile(r"\b(?P<span>(?P<digit>[12])H\s?(?P<year>(?:20)?[0-7]\d))(?!\w)"), resolve.half),
    (_compile(r"\b(?P<span>(?P<digit>[1-4])Q\s?(?P<year>(?:20)?[0-7]\d))(?!\w)"), resolve.quarter),
    (_compile(r"\b(?P<span>Q(?P<digit>[1-4])\s?['’](?P<year>[0-7]\d))(?!\w)"), resolve.quarter),
    (
        _compile(r"\bin\s(?P<span>the\s(?P<count>first|second)\shalf)\b(?!\sof)"),
        resolve.half,
    ),
    (
        _compile(
            rf"\b(?P<span>(?P<part>early|late|mid|(?:the\s)?(?:end|close|beginning|start)\sof|"
            rf"year[\s-]?end|end)(?:\sin)?[\s-]{_YEAR})"
        ),
        resolve.part_of_year,
    ),
    (
        _compile(
            r"\b(?P<span>(?P<part>early|late|mid-?|(?:the\s)?(?:end|beginning|start)\sof)\s?(?P<relative>(?:next|"
            r"this|last)\syear))\b"
        ),
        resolve.part_of_year,
    ),
    (
        _compile(
            r"\b(?P<span>(?:the\s)?end\sof\s(?:the|this)\syear|(?:the\s)?year(?:['’]s)?[\s-]?end|later\sthis\syear)\b"
        ),
        resolve.end_of_this_year,
    ),
    (
        _compile(r"\b(?P<span>the\s(?:start|beginning|end|close)\sof\s(?:the|this)\s(?P<unit>month|quarter))\b"),
        resolve.part_of_unit,
    ),
    (_compile(r"\b(?P<span>the\s(?:start|beginning)\sof\s(?:the|this)\s(?P<unit>year))\b"), resolve.part_of_unit),
    (_compile(r"\bin\s(?P<span>the\snew\syear)\b"), resolve.new_year),
    (_compile(rf"\b(?P<span>(?:{_WHEN}\s)?{_SEASON}{_OF_YEAR})"), resolve.season),
    (
        _compile(
            rf"\b(?:(?:in|by|until|since|from|for)\s(?:the\s)?(?:early\s|late\s|coming\s)?)?(?P<span>{_WHEN}\s{_SEASON})\b"
            r""
        ),
        resolve.season,
    ),
    (
        _compile(rf"\b(?:in|by|until|since|from)\s(?P<span>(?:the\s)?{_SEASON})\b"),
        resolve.season,
    ),
    (_compile(rf"\b(?P<span>{_WHEN}\s(?P<unit>year|month|quarter|week)(?!['’]|s))\b"), resolve.relative_unit),
    (
        _compile(rf"\b(?P<span>{_NUMBER}\s(?P<unit>year|month|week|day)s?\s(?P<ago>ago|earlier|from\snow))\b"),
        resolve.distance,
    ),
    (
        _compile(
            rf"\b(?:within|in)\s(?P<span>(?!an?\s)(?:the\s(?:next|coming)\s)?(?:about\s|around\s)?{_NUMBER}\s(?P<unit>year|"
            rf"month|week|day)s?)"
            r"\b(?!['’]|\sof|\sin)"
        ),
        resolve.distance,
    ),
    (
        _compile(
            rf"(?<!\ba\s)(?<!\bevery\s)(?<!\beach\s)\b(?P<span>(?:(?i:{_WHEN})\s)?{_WEEKDAY})\b(?!\s(?:Times|Herald|Post|Night))(?!['’]s\s[A-Z])"
            rf"(?!\.[a-z])(?!,?\s(?:the\s)?(?:\d{{1,2}}(?:st|nd|rd|th)?\s(?:of\s)?)?{_PLAIN_MONTH}\b)",
            0,
        ),
        resolve.weekday,
    ),
    (_compile(r"\b(?P<span>today|tonight|yesterday|tomorrow|this\smorning)\b(?!['’]s)"), resolve.near_day),
    (
        _compile(
            r"\b[Oo]n\s(?P<span>the\s(?P<day>[12]?\d|3[01])(?:st|nd|rd|th))\b(?!\s(?:[a-z]+\s)?(?:anniversary|"
            r"floor|century))"
        ),
        resolve.day_of_month,
    ),
    (
        _compile(
            rf"\b(?:[Ii]n|[Bb]y|[Ss]ince|[Uu]ntil|[Ff]rom|[Oo]f|[Ee]arly|[Ll]ate|[Mm]id-|"
            rf"[Ff]or|[Tt]o|[Cc]ome|[Bb]efore|[Aa]fter|[Dd]uring|[Ii]nto|[Tt]hrough|and)[\s-]?"
            rf"(?P<when>(?:this|last|next)\s)?(?P<span>{_MONTH})\b(?!\s\d|['’])",
            0,
        ),
        resolve.bare_month,
    ),
    (_compile(rf"\b(?P<span>(?P<when>[Tt]his|[Ll]ast|[Nn]ext)\s{_MONTH})\b", 0), resolve.bare_month),
    (_compile(rf"{_YEAR_LED}(?P<span>{_YEAR}){_NOT_A_COUNT}\b"), resolve.plain_year),
    (_compile(rf"\b(?P<span>(?:fiscal|FY|CY)\s?{_YEAR})\b"), resolve.plain_year),
    (_compile(rf"(?<![\w$€£-])(?P<span>{_YEAR})\s(?:[a-z]+\s)?{_HAPPENING}"), resolve.plain_year),
    (_compile(rf"\b(?P<span>{_MONTH})\s(?i:{_HAPPENING})", 0), resolve.bare_month),
    (_compile(rf"\((?P<span>{_YEAR})\)"), resolve.plain_year),
)


def find_dates(text: str, published_at: datetime | None) -> list[DateMention]:
    """All dates of ``text`` in text order; ``published_at`` is what "last Tuesday" and "in May" are relative to."""
    today = published_at.date() if published_at else None
    found: list[DateMention] = []
    is_taken = bytearray(len(text))
    for pattern, resolved_by in _PATTERNS:
        for match in pattern.finditer(text):
            start, end = match.span("span")
            if any(is_taken[start:end]):
                continue
            resolved = resolved_by(match, today)
            if resolved and FIRST_YEAR <= resolved[0].year <= LAST_YEAR:
                found.append(DateMention(start, end, text[start:end], *resolved))
                is_taken[start:end] = b"\1" * (end - start)
    return sorted(found, key=lambda m: m.start)

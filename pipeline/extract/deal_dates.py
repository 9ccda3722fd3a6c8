"""When a deal takes effect, and when it was announced.

In: the text, the span of the sentences that tell the deal, the dates of ``find_dates``, the time of publication and the
status of the deal. Out: a day and its precision, or None. Dates inside the evidence count, and for a deal that lies
ahead those of a sentence after it that says when "deliveries", "production" or "the transaction" will start or close.

A date beside "said", "announced" or "told" is that of the announcement, one after "founded" or "until" is neither. A
deal that lies ahead takes the first future date, one that has happened the first past one; nothing that has happened
is dated after publication. The day of a dateline, a bound that is open to one side ("before March", "2028 or later"), a
date that is denied ("not in 2026") and one that only names or compares something ("the order of 2023", "than in 2018")
say nothing about the deal. Without an explicit day a deal counts as announced on the day of publication, unless its
evidence dates it to an earlier month or tells it as background ("ago", "previously", "had bought"): then the day is not
known.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from pipeline.extract.date_resolution import is_dateline
from pipeline.records import DateMention, DatePrecision, DealStatus

_ANNOUNCED = re.compile(
    r"\b(?:sa(?:id|ys)|announc\w+|told|report\w*|disclos\w+|confirm\w*|reveal\w*|"
    r"wrote|unveil\w*|statement|filing|notice|"
    r"according|decid\w+|sign\w*|agreed|learn(?:ed|t)|publish\w*|presented|made\spublic)\b(?:[^.;:\n]){0,45}$",
    re.IGNORECASE,
)
_ANNOUNCED_AFTER = re.compile(r"[^.;:\n]{0,50}\b(?:announced|said|disclosed|revealed|unveiled|signed)\b")
# The date after these words is another thing's.
_NEITHER = re.compile(
    r"(?:\b(?:found\w*|establish\w*|born|incorporated|built|until|till|expir\w+|"
    r"ends?|ran\sout|runs?\s(?:to|until)|through|valid\s(?:to|for)|model(?:\syears?)?|class\sof|"
    r"compared\s(?:with|to)|(?<!later\s)than|(?<!early\s)(?<!soon\s)(?<!late\s)as)\s(?:back\s)?(?:in\s|on\s|the\s(?:end\sof\s)?)*"
    # what a year names: "the order of 2023"
    r"|\b(?:order|deal|pact|agreement|contract|plan|round|law|accord|memorandum|crisis|shortage|crash|scandal)\sof\s"
    # denied: "not in 2026", "will not open in 2026"
    r"|\b(?:not|never)\s(?:\w+\s)?"
    r"|\b(?:(?:will|would|does|do|did|is|are|was|were|has|have|had|can|could)(?:\snot|n['’]t)|won['’]t|never)\b"
    r"(?:(?!\bbut\b|\buntil\b|\bonly\b)[^.;,\n]){0,60}\s"
    # an old plan: "later than planned in 2021"
    r"|\b(?:than|as|originally|initially|first|once|previously)\s(?:planned|expected|announced|promised|scheduled)\s"
    r"(?:in|for|on)\s"
    # open to one side
    r"|\b(?:before|after|ahead\sof|prior\sto|following|no(?:t)?\s(?:earlier|sooner)\sthan|beyond)\s(?:the\s)?"
    # another event: "after filing for it in 2022", "after an accident in May"
    r"|\b(?:after|following|despite)\s(?:an?|the|its|their|\w+ing)\s(?:[\w-]+\s){0,4}(?:in|on|of)\s"
    # what is moved: "delayed from 2025 to 2027"
    r"|\b(?:delay|postpon|push|mov|slip|shift|defer|brought\sforward)\w*\b[^.;,\n]{0,60}\bfrom\s"
    r"|\b(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|only|latest)(?:\s\w+)?\ssince\s)$",
    re.IGNORECASE,
)
# "before the end of March" is a deadline like "by the end of March".
_DEADLINE = re.compile(r"\b(?:before|by|until|prior\sto)\s$", re.IGNORECASE)
_OPEN_AFTER = re.compile(
    r"\s(?:or|and)\s(?:later|beyond|after\w*)\b|\s(?:at\sthe\searliest|onwards?\sat\sthe)\b", re.IGNORECASE
)
# "Today we are the only one" tells a state, "On Monday said" an announcement.
_STATE_AFTER = re.compile(r"\s(?:we|it|they|he|she)\s(?:are|is|have|has|own|run)\b|['’]s\b", re.IGNORECASE)
_SAID = r"(?:said|says|announced|unveiled|disclosed|revealed|reported|told|confirmed|wrote)"
_SPOKEN_AFTER = re.compile(rf",?\s(?:also\s)?{_SAID}\b", re.IGNORECASE)
# "On Monday, Rollo said", "In September the company announced": the date leads the clause.
_LEADS = re.compile(r"(?:^|[,;:]\s|\band\s)(?:on|in|late|early)?\s?(?:late\s|early\s)?$", re.IGNORECASE)
_LED_SPEECH = re.compile(rf",?\s(?:[\w’'&.-]+\s){{1,4}}{_SAID}\b", re.IGNORECASE)
# "said in September", "said on Monday", "in a statement on Monday", "in a filing dated 3 May"
_SPOKEN_MONTH = re.compile(
    rf"\b{_SAID}\s(?:\w+\s)?(?:in|on|back\sin|late\sin|early\sin|late|early)\s$|\b{_SAID}\s(?:earlier\s|late\s)?$"
    r"|\b(?:statement|filing|release|interview|letter|report|post|tweet|presentation|conference|memo|webcast|call)\s"
    r"(?:\w+\s)?(?:on|dated|of|from|in)\s$",
    re.IGNORECASE,
)
_SPOKEN = re.compile(
    rf"\b(?:{_SAID}|announc\w+|according)\b(?:(?!\b(?:that|it|they|he|she|has|had|would|will)\b)[^.;:\n]){{0,45}}$",
    re.IGNORECASE,
)
# A clause in commas about a party: ", which bought Dunlin in 2019,". Its date counts where the rest has none.
_ASIDE = re.compile(
    r",\s(?:which|who|whose|launched|founded|formed|listed|set\sup|started|born)\b[^,;.\n]*$", re.IGNORECASE
)
# "Talks that began in 2024 collapsed in July"
_BEGUN = re.compile(
    r"\b(?:that|which)\s(?:had\s)?(?:began|begun|started|opened|launched)\s(?:\w+\s){0,3}$", re.IGNORECASE
)
_ASIDE_AFTER = re.compile(r"[^,;.\n]{0,60},\s(?P<main>\w+\s(?:\w+\s)?\w+)")
_NEW_EVENT = re.compile(
    r"\b(?:has|have)\s(?:now|also|just|today)?\s?\w+|\b(?:is|are|runs?|operates?|will)\b", re.IGNORECASE
)
# A month or day without a year is resolved by the tense around it; the status of the deal knows better.
_NO_YEAR = re.compile(
    r"(?i:the\s)?(?:(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?(?:\s\d{1,2}(?:st|nd|rd|th)?)?"
    r"|\d{1,2}(?:st|nd|rd|th)?\s(?:of\s)?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
    r"|Q[1-4]|(?i:first|second|third|fourth)\s(?i:quarter|half)|(?i:spring|summer|autumn|fall|winter))"
)
_WILL = re.compile(r"\b(?:will|shall|would|next|coming|wants?|aims?|plans?|hopes?|expects?|due)\b", re.IGNORECASE)
_DID = re.compile(
    r"\b(?:since|last|ago|had|was|were|won|struck|held|(?<!\bbe\s)(?!planned|expected|scheduled|slated|targeted|needed|"
    r"delayed|intended|projected)\w{3,}ed)\b(?!\s(?:to|for)\b)",
    re.IGNORECASE,
)
# A sentence after the evidence that says when the deal begins.
_BEGINS = re.compile(
    r"\W*(?:(?:the\s|its\s|first\s|initial\s|commercial\s|series\s|mass\s)*(?:deliver(?:y|ies)|production|shipments?|"
    r"construction|operations?|services?|rides?|test(?:s|ing)|trials?|work|closing|completion|roll-?out)"
    r"|(?:the|this)\s(?:\w+\s){0,2}(?:deal|transaction|acquisition|purchase|takeover|merger|sale|contract|agreement|service|"
    r"launch|pilot|plant|factory|venture|partnership|cooperation|programme|program|first\s\w+))\b"
    r"[^.;:\n]{0,40}\b(?:will|is|are|should|expected|due|scheduled|planned|slated|set|starts?|begins?|closes?)\b[^.;:\n]{0,60}$",
    re.IGNORECASE,
)
_SEQUEL_REACH = 200
# More dates in one evidence are a table's.
_MOST_DATES = 30

# Wordings that tell a deal as background: it was announced before this article, nobody says when.
_BACKGROUND = re.compile(
    r"\b(?:ago|previously|formerly|earlier|in the past|last year|"
    r"had (?:already |previously )?\w+(?:ed|ught|old|ade|un))\b",
    re.IGNORECASE,
)
_EARLIER = timedelta(days=45)
_LENGTHS: dict[DatePrecision, int] = {"day": 1, "month": 31, "quarter": 92, "half": 184, "year": 366}
_HAPPENED: frozenset[DealStatus] = frozenset({"active", "completed", "cancelled"})


def effective_date(
    text: str,
    evidence_span: tuple[int, int],
    dates: Sequence[DateMention],
    published_at: datetime | None,
    status: DealStatus,
) -> tuple[date, DatePrecision] | None:
    """First day of the stretch in which the deal takes, or took, effect, and how exact that is; None if not said."""
    published = published_at.date() if published_at else None
    start = evidence_span[0]
    mentions = [m for m in _inside(dates, evidence_span) if _is_of_the_deal(text, start, m)]
    main: list[DateMention] = []
    aside: list[DateMention] = []
    for mention in mentions:
        (aside if _is_aside(text, start, mention, status) else main).append(mention)
    for mention in main or [m for m in aside if not _NEW_EVENT.match(_main_clause(text, m))]:
        if published is None:
            return mention.date, mention.precision
        if day := _fitting(text[max(start, mention.start - 70) : mention.start], mention, published, status):
            return day, mention.precision
    if status in _HAPPENED or published is None:
        return None
    return _begins_after(text, evidence_span[1], dates, published, status)


def _is_aside(text: str, start: int, mention: DateMention, status: DealStatus) -> bool:
    """Does the date of something past stand in a clause about a party?"""
    before = text[max(start, mention.start - 90) : mention.start]
    if status in ("completed", "cancelled") and _BEGUN.search(before):
        return True
    clause = _ASIDE.search(before)
    if not clause or not _main_clause(text, mention) or status not in _HAPPENED:
        return False
    return not (status == "active" and re.search(r"\b(?:since|has|have)\b", clause[0]))


def _main_clause(text: str, mention: DateMention) -> str:
    """The words after the comma that closes the clause of the date; "" where none does."""
    match = _ASIDE_AFTER.match(text, mention.end)
    return match["main"] if match else ""


def _is_of_the_deal(text: str, start: int, mention: DateMention) -> bool:
    """May the date be the deal's, as far as the words around it go? ``start``: of the sentences that tell the deal."""
    before = text[max(start, mention.start - 90) : mention.start]
    if _NEITHER.search(before) and not (_is_end(mention) and _DEADLINE.search(before)):
        return False
    if _OPEN_AFTER.match(text, mention.end):
        return False
    if _SPOKEN_MONTH.search(before) or (_LEADS.search(before) and _LED_SPEECH.match(text, mention.end)):
        return False
    if mention.precision != "day":
        return True
    if is_dateline(text, mention.start, mention.end) or _SPOKEN_AFTER.match(text, mention.end):
        return False
    return not _STATE_AFTER.match(text, mention.end) and not _SPOKEN.search(before)


def _is_end(mention: DateMention) -> bool:
    return "end" in mention.surface.lower().split()


def _fitting(before: str, mention: DateMention, published: date, status: DealStatus) -> date | None:
    """The first day of the mention where it agrees with the status, in the year that does; else None."""
    day, is_yearless = mention.date, _NO_YEAR.fullmatch(mention.surface) is not None
    if status in _HAPPENED:
        if day > published and is_yearless and not _WILL.search(before):
            day = _shifted(day, -1)
        # What was signed on Monday happened on Monday; what was begun earlier was not completed then.
        if status == "completed" and re.search(r"\bsince\s(?:\w+\s)?$", before, re.IGNORECASE):
            return None
        return day if day <= published and (status == "completed" or not _is_announcement(before, mention)) else None
    if is_yearless and _last_day(day, mention.precision) < published and not _DID.search(before.split(",")[-1]):
        day = _shifted(day, 1)
    is_ahead = day > published or (mention.precision != "day" and _last_day(day, mention.precision) >= published)
    return day if is_ahead else None


def _shifted(day: date, years: int) -> date:
    """The same day in another year; 29 February becomes the 28th."""
    return day.replace(year=day.year + years, day=min(day.day, 28) if day.month == 2 else day.day)


def _begins_after(
    text: str, end: int, dates: Sequence[DateMention], published: date, status: DealStatus
) -> tuple[date, DatePrecision] | None:
    """The date of the sentence after the evidence, where that says when the deal begins or closes."""
    begin = _sentence_end(text, max(0, end - 1))
    index = bisect_left(dates, begin, key=lambda m: m.start)
    if index == len(dates) or dates[index].start > begin + _SEQUEL_REACH:
        return None
    mention = dates[index]
    before = text[begin : mention.start].lstrip('.!?"” \n')
    if not _BEGINS.match(before) or not _is_of_the_deal(text, begin, mention):
        return None
    day = _fitting(before, mention, published, status)
    return (day, mention.precision) if day else None


def announced_date(
    text: str,
    evidence_span: tuple[int, int],
    dates: Sequence[DateMention],
    published_at: datetime | None,
) -> date | None:
    """The day on which the deal was made public; None where only a longer stretch is known."""
    published = published_at.date() if published_at else None
    sentence_end = _sentence_end(text, evidence_span[1])
    within = _inside(dates, (evidence_span[0], sentence_end))
    for mention in within:
        before = text[max(evidence_span[0], mention.start - 70) : mention.start]
        known = published is None or mention.date <= published
        after = text[mention.end : mention.end + 60]
        if (
            mention.precision == "day"
            and known
            and (_is_announcement(before, mention) or _ANNOUNCED_AFTER.match(after))
        ):
            return mention.date
    if published is None:
        return None
    is_background = any(
        _last_day(m.date, m.precision) < published - _EARLIER for m in _inside(dates, evidence_span)
    ) or bool(_BACKGROUND.search(text, *evidence_span))
    looks_ahead = any(_last_day(m.date, m.precision) >= published for m in _inside(dates, evidence_span))
    return None if is_background and not looks_ahead else published


def _inside(dates: Sequence[DateMention], span: tuple[int, int]) -> list[DateMention]:
    first = bisect_left(dates, span[0], key=lambda m: m.start)
    last = bisect_left(dates, span[1], key=lambda m: m.start)
    return [m for m in dates[first : min(last, first + _MOST_DATES)] if m.end <= span[1]]


def _is_announcement(before: str, mention: DateMention) -> bool:
    return mention.precision == "day" and _ANNOUNCED.search(before) is not None


def _last_day(day: date, precision: DatePrecision) -> date:
    return day + timedelta(days=_LENGTHS[precision] - 1)


def _sentence_end(text: str, position: int) -> int:
    """The rest of the sentence, where the evidence is a clause: ", the companies said on Monday."."""
    match = re.compile(r"[.!?][\"”]?(?:\s|$)|\n").search(text, position)
    return min(match.start() if match else len(text), position + 200)

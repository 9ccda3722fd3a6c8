"""When a deal takes effect, and when it was announced.

In: the text, the span of the sentences that tell the deal, the dates of ``find_dates``, the time of publication and the
status of the deal. Out: a day and its precision, or None. Only dates inside the evidence count.

A date beside "said", "announced" or "told" is that of the announcement, one after "founded" or "until" is neither. A
deal that lies ahead takes the first future date, one that has happened the first past one; nothing that has happened
is dated after publication. Without an explicit day a deal counts as announced on the day of publication, unless its
evidence dates it to an earlier month or tells it as background ("ago", "previously", "had bought"): then the day is not
known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from pipeline.records import DateMention, DatePrecision, DealStatus

_ANNOUNCED = re.compile(
    r"\b(?:sa(?:id|ys)|announc\w+|told|report\w*|disclos\w+|confirm\w*|reveal\w*|"
    r"wrote|unveil\w*|statement|filing|notice|"
    r"according|decid\w+|sign\w*|agreed|learn(?:ed|t)|publish\w*|presented|made\spublic)\b(?:[^.;:\n]){0,45}$",
    re.IGNORECASE,
)
_ANNOUNCED_AFTER = re.compile(r"[^.;:\n]{0,50}\b(?:announced|said|disclosed|revealed|unveiled|signed)\b")
_NEITHER = re.compile(
    r"\b(?:found\w*|establish\w*|born|incorporated|built|until|till|expir\w+|"
    r"ends?|runs?\s(?:to|until)|through|valid\s(?:to|for)|model|"
    r"compared\s(?:with|to)|than)\s(?:back\s)?(?:in\s|on\s|the\s(?:end\sof\s)?)*$",
    re.IGNORECASE,
)
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
    for mention in _inside(dates, evidence_span):
        before = text[max(evidence_span[0], mention.start - 70) : mention.start]
        if _NEITHER.search(before):
            continue
        if published is None:
            return mention.date, mention.precision
        if status in _HAPPENED:
            # A completed deal may be dated by the announcement: what was signed on Monday happened on Monday.
            if mention.date <= published and (status == "completed" or not _is_announcement(before, mention)):
                return mention.date, mention.precision
        elif mention.date > published or (mention.precision != "day" and _last_day(mention) >= published):
            return mention.date, mention.precision
    return None


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
    is_background = any(_last_day(m) < published - _EARLIER for m in _inside(dates, evidence_span)) or bool(
        _BACKGROUND.search(text, *evidence_span)
    )
    looks_ahead = any(_last_day(m) >= published for m in _inside(dates, evidence_span))
    return None if is_background and not looks_ahead else published


def _inside(dates: Sequence[DateMention], span: tuple[int, int]) -> list[DateMention]:
    return [m for m in dates if span[0] <= m.start and m.end <= span[1]]


def _is_announcement(before: str, mention: DateMention) -> bool:
    return mention.precision == "day" and _ANNOUNCED.search(before) is not None


def _last_day(mention: DateMention) -> date:
    return mention.date + timedelta(days=_LENGTHS[mention.precision] - 1)


def _sentence_end(text: str, position: int) -> int:
    """The rest of the sentence, where the evidence is a clause: ", the companies said on Monday."."""
    match = re.compile(r"[.!?][\"”]?(?:\s|$)|\n").search(text, position)
    return min(match.start() if match else len(text), position + 200)

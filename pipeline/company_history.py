"""What a firm was at a time: its owner and listing, from ``corpora/gazetteers/company_history.csv``.

In: events of firms, each with the day or month or year from which it holds. Out: ``Past``, what differed at a day.
It reads no file (``pipeline.gazetteer`` does) and does not say what an article means by a name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

#: ``renamed``: ``other`` is the name borne until then. ``owned_by``: ``other`` is the parent from then on, none for
#: independence. ``listed`` and ``delisted``: ``other`` is the ticker, MIC:SYMBOL. ``succeeded_by``: ``other`` is the
#: firm that carries on the business, as after a merger. ``dissolved``: nobody does.
HistoryEvent = Literal["founded", "renamed", "owned_by", "listed", "delisted", "succeeded_by", "dissolved"]

_DATE = re.compile(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a firm; ``on`` is the first day that a month or year leaves open."""

    kind: HistoryEvent
    on: date
    other: str | None


@dataclass(frozen=True, slots=True)
class Past:
    """The owner and the ticker at a day."""

    parent_id: str | None
    ticker: str | None


def parse_day(text: str) -> date:
    """ "2018", "2018-05" or "2018-05-17" as the first day it can mean. Raises ``ValueError``."""
    match = _DATE.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is no year, year-month or day")
    year, month, day = (int(part) if part else 1 for part in match.groups())
    return date(year, month, day)


def past(events: Sequence[Event], day: date, ticker: str | None, parent_id: str | None) -> Past:
    """The firm as of ``day``; ``ticker`` and ``parent_id`` are today's, which hold where no event says otherwise."""
    owners = [event for event in events if event.kind == "owned_by"]
    if owners:
        parent_id = next((event.other for event in reversed(owners) if event.on <= day), None)
    return Past(parent_id, _ticker(events, day, ticker))


def founded(events: Sequence[Event]) -> date | None:
    return next((event.on for event in events if event.kind == "founded"), None)


def successor(events: Sequence[Event]) -> str | None:
    """Id of the firm that carries on the business."""
    return next((event.other for event in events if event.kind == "succeeded_by"), None)


def problem(events: Sequence[Event], parent_id: str | None) -> str | None:
    """Why these events, in order of time, cannot be one firm's history; None where they can."""
    kinds = [event.kind for event in events]
    for kind in ("founded", "succeeded_by", "dissolved"):
        if kinds.count(kind) > 1:
            return f"{kind} twice"
    if "founded" in kinds[1:]:
        return "something happened before it was founded"
    if any(event.other is None for event in events if event.kind not in ("founded", "dissolved", "owned_by")):
        return "an event lacks the name, ticker or company that it is about"
    owners = [event.other for event in events if event.kind == "owned_by"]
    if owners and owners[-1] != parent_id:
        return f"its last owner is {owners[-1] or 'none'}, but companies.csv says {parent_id or 'none'}"
    return None


def _ticker(events: Sequence[Event], day: date, ticker: str | None) -> str | None:
    """The symbol of the last listing that had begun by ``day`` and not ended."""
    listings = [event for event in events if event.kind in ("listed", "delisted")]
    if not listings:
        return ticker
    before = [event for event in listings if event.on <= day]
    if before:
        return before[-1].other if before[-1].kind == "listed" else None
    return listings[0].other if listings[0].kind == "delisted" else None

"""What an event is, from its tellings: consensus values, the ones that disagree, and the history of its status.

In: the deals in the order of publication and the number of each one's event (``pipeline.events``). Out: rows of
``deal_events``, by event number. Sources vote, not articles: near copies, and articles of one publisher, have one vote
together. It decides nothing about which deals belong together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.events import Tellings
from pipeline.records import DealStatus
from pipeline.same_deal import SAME_SUM, STAGE
from pipeline.tables import DEAL_EVENTS, Row

# Of three outlets one may add a party that the others leave out; one of four that names another is mistaken.
SHARE = 1 / 3
# Events in one part of the table: bounds the memory.
AT_ONCE = 20_000
_AGREED = STAGE["agreed"]


def event_rows(tellings: Tellings, numbers: npt.NDArray[np.int64], ids: Sequence[str]) -> Iterator[pa.Table]:
    """The table ``deal_events`` in parts, in the order of the event numbers."""
    rows_in_order = np.argsort(numbers, kind="stable")
    ends = np.searchsorted(numbers[rows_in_order], np.arange(len(ids) + 1))
    for first in range(0, len(ids), AT_ONCE):
        last = min(first + AT_ONCE, len(ids))
        rows = rows_in_order[ends[first] : ends[last]]
        told = tellings.table.take(pa.array(rows)).to_pylist()
        for row, telling in zip(rows.tolist(), told, strict=True):
            known_at = tellings.known_at.iloc[row]
            telling["known_at"] = None if known_at is None or known_at != known_at else known_at.to_pydatetime()
            telling["source"] = tellings.sources[row]
            telling["publisher"] = tellings.publishers[row]
        bounds = (ends[first : last + 1] - ends[first]).tolist()
        made = [_event(ids[first + i], told[bounds[i] : bounds[i + 1]]) for i in range(last - first)]
        yield pa.Table.from_pylist(made, schema=DEAL_EVENTS)


def _event(event_id: str, told: list[Row]) -> Row:
    """One event from its tellings, which are in the order of publication."""
    best = max(told, key=lambda row: row["confidence"])
    firm = [row for row in told if STAGE[row["status"]] >= _AGREED] or told
    deal_type, other_types = _vote(told, lambda row: row["deal_type"])
    level, other_levels = _vote(told, _level)
    amount, other_amounts = _amount(firm, told)
    parties, other_parties = _parties(told)
    places, other_places = _places(told)
    history = status_history(told)
    times = [row["known_at"] for row in told if row["known_at"]]
    effective = next((row for row in reversed(told) if row["effective_on"]), None)
    disagreements = [
        {"field": field, "value": str(value), "n_sources": count, "deal_id": deal_id}
        for field, others in (
            ("deal_type", other_types),
            ("party", other_parties),
            ("location", other_places),
            ("level", other_levels),
            ("amount", other_amounts),
        )
        for value, count, deal_id in others
    ]
    return {
        "event_id": event_id,
        "deal_type": deal_type,
        "status": history[-1]["status"],
        "first_seen": min(times, default=None),
        "last_seen": max(times, default=None),
        "n_articles": len({row["article_id"] for row in told}),
        "n_sources": len({row["source"] for row in told}),
        "n_publishers": len({row["publisher"] for row in told if row["publisher"]}),
        "parties": parties,
        "locations": places,
        "level_min": level[0] if level else None,
        "level_max": level[1] if level else None,
        "amount": amount[0] if amount else None,
        "currency": amount[1] if amount else None,
        "announced_on": min((row["announced_on"] for row in told if row["announced_on"]), default=None),
        "effective_on": effective["effective_on"] if effective else None,
        "effective_precision": effective["effective_precision"] if effective else None,
        "best_deal_id": best["deal_id"],
        "evidence": best["evidence"],
        "confidence": best["confidence"],
        "history": history,
        "disagreements": disagreements,
    }


def status_history(told: Sequence[Row]) -> list[Row]:
    """The statuses in the order told: each step forward, each end, and each resumption after an end.

    A lower status after a higher one is an older stage told again and no news. Of several statuses on one day the one
    with the most sources counts, then the one that has gone further.
    """
    history: list[Row] = []
    for on, rows in _by_day(told):
        votes: dict[DealStatus, set[str]] = {}
        for row in rows:
            votes.setdefault(row["status"], set()).add(row["source"])
        status = max(votes, key=lambda each: (len(votes[each]), STAGE[each]))
        if history and not _is_news(history[-1]["status"], status):
            continue
        deal_id = next(row["deal_id"] for row in rows if row["status"] == status)
        history.append({"on": on, "status": status, "deal_id": deal_id})
    return history


def _is_news(before: DealStatus, now: DealStatus) -> bool:
    if before == "cancelled":
        return now in ("active", "completed")
    return STAGE[now] > STAGE[before]


def _by_day(told: Sequence[Row]) -> list[tuple[date | None, list[Row]]]:
    days: list[tuple[date | None, list[Row]]] = []
    for row in told:
        on = row["known_at"].date() if row["known_at"] else None
        if days and days[-1][0] == on:
            days[-1][1].append(row)
        else:
            days.append((on, [row]))
    return days


#: A value that lost the vote, the sources behind it, and the first row that states it.
Other = tuple[Any, int, str]


def _vote(told: Sequence[Row], value_of: Callable[[Row], Hashable | None]) -> tuple[Any, list[Other]]:
    """The value with the most sources, the one told first among equals, and the others."""
    sources: dict[Hashable, set[str]] = {}
    rows: dict[Hashable, str] = {}
    for row in told:
        value = value_of(row)
        if value is not None:
            sources.setdefault(value, set()).add(row["source"])
            rows.setdefault(value, row["deal_id"])
    if not sources:
        return None, []
    winner = max(sources, key=lambda value: len(sources[value]))
    return winner, [(value, len(sources[value]), rows[value]) for value in sources if value != winner]


def _level(row: Row) -> tuple[int, int] | None:
    return None if row["level_min"] is None else (row["level_min"], row["level_max"])


def _amount(firm: Sequence[Row], told: Sequence[Row]) -> tuple[tuple[float, str] | None, list[Other]]:
    """The sum of the deal as agreed; rumoured sums count where there is no other. Rounded sums are one sum."""
    known: list[tuple[float, str]] = []

    def rounded(row: Row) -> tuple[float, str] | None:
        if row["amount"] is None:
            return None
        said = (row["amount"], row["currency"])
        for amount, currency in known:
            if currency == said[1] and abs(amount - said[0]) <= SAME_SUM * max(amount, said[0]):
                return amount, currency
        known.append(said)
        return said

    winner, _ = _vote(firm if any(row["amount"] is not None for row in firm) else told, rounded)
    _, others = _vote(told, rounded)
    top, _ = _vote(told, rounded)
    everything = [*others, *([] if top is None else _votes_for(top, told, rounded))]
    return winner, [(f"{v[0]:.0f} {v[1]}", n, deal) for v, n, deal in everything if v != winner]


def _votes_for(value: Hashable, told: Sequence[Row], value_of: Callable[[Row], Hashable | None]) -> list[Other]:
    rows = [row for row in told if value_of(row) == value]
    return [(value, len({row["source"] for row in rows}), rows[0]["deal_id"])]


def _parties(told: Sequence[Row]) -> tuple[list[Row], list[Other]]:
    """The companies that enough sources name, who acts most often first."""
    acts: Counter[str] = Counter()
    roles: dict[str, Counter[str]] = {}
    sources: dict[str, set[str]] = {}
    shown: dict[str, tuple[str, str]] = {}
    for row in told:
        acts[row["parties"][0]["company_id"]] += 1
        for party in row["parties"]:
            company = party["company_id"]
            roles.setdefault(company, Counter())[party["role"]] += 1
            sources.setdefault(company, set()).add(row["source"])
            shown.setdefault(company, (party["company_name"], row["deal_id"]))
    telling_more = {row["source"] for row in told if len(row["parties"]) > 1} or {row["source"] for row in told}
    leader = max(sources, key=lambda company: (acts[company], len(sources[company])))
    kept = [c for c in sources if c == leader or len(sources[c] & telling_more) >= SHARE * len(telling_more)]
    kept.sort(key=lambda company: (company != leader, -len(sources[company])))
    parties = [{"company_id": c, "company_name": shown[c][0], "role": roles[c].most_common(1)[0][0]} for c in kept]
    return parties, [(shown[c][0], len(sources[c]), shown[c][1]) for c in sources if c not in kept]


def _places(told: Sequence[Row]) -> tuple[list[Row], list[Other]]:
    sources: dict[tuple[Any, ...], set[str]] = {}
    rows: dict[tuple[Any, ...], str] = {}
    for row in told:
        for place in row["locations"]:
            key = (place["name"], place["country_code"], place["geoname_id"])
            sources.setdefault(key, set()).add(row["source"])
            rows.setdefault(key, row["deal_id"])
    naming = {source for own in sources.values() for source in own}
    kept = [key for key in sources if len(sources[key]) >= SHARE * len(naming)]
    kept.sort(key=lambda key: -len(sources[key]))
    places = [{"name": name, "country_code": country, "geoname_id": number} for name, country, number in kept]
    return places, [(key[0], len(sources[key]), rows[key]) for key in sources if key not in kept]

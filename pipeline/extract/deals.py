"""Deals of an article: what the sentence scores say, put together into one row a deal.

In: a document, the scores of its sentences, and its companies, places and levels. Out: ``Deal`` rows, one for each
deal type, set of parties and market, however many sentences tell it. It reads no other article: ``event_id`` comes
from the deal alone.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.classify import CompanyScores, SentenceScores
from pipeline.extract.dates import find_dates
from pipeline.extract.deal_amounts import deal_amount
from pipeline.extract.deal_dates import announced_date, effective_date
from pipeline.extract.money import find_amounts
from pipeline.records import (
    DEAL_STATUSES,
    DEAL_TYPES,
    Amount,
    CompanyMention,
    DateMention,
    Deal,
    DealPlace,
    DealType,
    Document,
    LevelMention,
    LocationMention,
    Party,
)
from pipeline.settings import Settings

# Role of the acting party and of the others, by deal type (the order of parties in docs/annotation.md).
ROLES: dict[DealType, tuple[str, str]] = {
    "partnership": ("partner", "partner"),
    "supply": ("supplier", "customer"),
    "investment": ("investee", "investor"),
    "acquisition": ("buyer", "target"),
    "joint_venture": ("founder", "founder"),
    "licensing": ("licensor", "licensee"),
    "order": ("buyer", "supplier"),
    "expansion": ("operator", "partner"),
    "testing": ("operator", "partner"),
    "deployment": ("operator", "partner"),
    "permit": ("applicant", "partner"),
}
# Below a row's threshold: a sentence that is no evidence itself may still name the parties of a deal.
TELLING = 0.12
EARLIER_PLACE = 0.5
SYMMETRIC = frozenset({"partnership", "joint_venture"})  # no party acts more than another


@dataclass(frozen=True, slots=True)
class Told:
    """A deal as one sentence tells it. ``parties``: company ids, the acting one first.

    ``acting``: the company whose scores gave evidence, status and probability. Once tellings are merged it is still
    that of the evidence, while ``parties`` may come from a telling of another partner.
    """

    deal_type: DealType
    parties: tuple[str, ...]
    status: int
    places: tuple[str, ...]
    start: int
    end: int
    probability: float
    acting: str


def find_deals(
    document: Document,
    scores: Sequence[SentenceScores],
    companies: Sequence[CompanyMention],
    locations: Sequence[LocationMention],
    levels: Sequence[LevelMention],
    settings: Settings,
) -> list[Deal]:
    """The deals that the document tells, in text order, each at or above the threshold of its type."""
    told = [deal for sentence in scores for deal in deals_of_sentence(sentence, settings)]
    if not told:
        return []
    article = _Article(
        document,
        {m.company_id: m.company_name for m in companies},
        {place_key(m): DealPlace(m.name, m.country_code, m.geoname_id) for m in locations},
        sorted((m for m in levels if m.explicit and not m.negated), key=lambda m: m.start),
        dates_of(document, companies),
        find_amounts(document.text),
    )
    rows = [_row(deal, article) for deal in merge(told) if deal.probability >= settings.thresholds.deal[deal.deal_type]]
    return sorted(rows, key=lambda row: (row.evidence_start, row.deal_type, row.deal_id))


def dates_of(document: Document, companies: Sequence[CompanyMention]) -> list[DateMention]:
    """The dates of the document in text order, without those that are part of a name ("May Mobility" is no month)."""
    spans = sorted((m.start, m.end) for m in companies)
    furthest = list(itertools.accumulate((end for _, end in spans), max))
    found = []
    for date in find_dates(document.text, document.published_at):
        before = bisect_left(spans, (date.end,))  # names that begin before the date ends
        if not before or furthest[before - 1] <= date.start:
            found.append(date)
    return found


def place_key(mention: LocationMention) -> str:
    """One place, one key: the GeoNames id, or the name where it has none."""
    return mention.geoname_id or mention.name


def deals_of_sentence(sentence: SentenceScores, settings: Settings) -> list[Told]:
    """What one sentence tells: for each type, each company that acts, and the companies that it acts with."""
    found = []
    named = {c.name for c in sentence.companies if c.in_sentence}
    for index, deal_type in enumerate(DEAL_TYPES):
        floor = min(TELLING, settings.thresholds.deal[deal_type])
        # A company named before the sentence ("the company") acts only where none named in it acts more probably:
        # held-out F1 .565 to .580.
        inside = max((float(c.acts[index]) for c in sentence.companies if c.in_sentence), default=0.0)
        acting = [c for c in sentence.companies if c.acts[index] >= (floor if c.in_sentence else max(floor, inside))]
        acting.sort(key=lambda c: -c.acts[index])
        taken: list[set[str]] = []
        for company in acting:
            others = _others(company, index, settings.thresholds.party, named)
            parties = {company.name, *others}
            if any(company.name in before and (deal_type in SYMMETRIC or len(parties) == 1 or parties <= before)
                   for before in taken):  # fmt: skip
                continue  # the same deal, seen from its other side
            taken.append(parties)
            places = _places(company, index, settings.thresholds.place, sentence.places_here)
            found.append(
                Told(
                    deal_type,
                    (company.name, *others),
                    int(np.argmax(company.status[index])),
                    tuple(places),
                    sentence.start,
                    sentence.end,
                    float(company.acts[index]),
                    company.name,
                )
            )
    return found


def _others(company: CompanyScores, index: int, threshold: float, named: set[str]) -> list[str]:
    """The other parties, most probable first. Those of earlier sentences count where this one names none."""
    scored = sorted(((float(by_type[index]), name) for name, by_type in company.parties.items()), reverse=True)
    inside = [name for score, name in scored if score >= threshold and name in named]
    return inside or [name for score, name in scored if score >= threshold]


def _places(company: CompanyScores, index: int, threshold: float, here: frozenset[str]) -> list[str]:
    """Where the deal happens. Beside a place of this sentence, one of an earlier sentence must be likelier than not."""
    found = {place: by_type[index] for place, by_type in company.places.items() if by_type[index] >= threshold}
    named = any(place in here for place in found)
    return [place for place, score in found.items() if not named or place in here or score >= EARLIER_PLACE]


def merge(told: Sequence[Told]) -> list[Told]:
    """One deal for each type, parties and market: a headline without the partner joins the sentence that names it.

    The most probable telling gives evidence and status, the one with most parties gives those; places of a weaker
    telling count where the stronger one has none. No two rows of the outcome are the same deal.
    """
    while True:
        merged = _merge_once(told)
        if len(merged) == len(told):
            return merged
        told = merged  # a deal that grew may now hold another one


def _merge_once(told: Sequence[Told]) -> list[Told]:
    counts = Counter((deal.deal_type, party) for deal in told for party in deal.parties)
    merged: list[Told] = []
    numbers: dict[Hashable, list[int]] = {}
    for deal in sorted(told, key=lambda d: (-d.probability, d.start, d.deal_type, d.parties)):
        alike = heapq.merge(*(numbers.get(key, ()) for key in _keys_sought(deal, counts)))
        index = next((number for number in alike if _same_deal(merged[number], deal)), None)
        if index is None:
            index = len(merged)
            merged.append(deal)
        else:
            kept = merged[index]
            longer = max((kept, deal), key=lambda d: len(d.parties))
            merged[index] = replace(kept, parties=longer.parties, places=kept.places or deal.places)
        for key in _keys_kept(merged[index], counts):
            known = numbers.setdefault(key, [])
            at = bisect_left(known, index)
            if at == len(known) or known[at] != index:
                known.insert(at, index)
    return merged


# The same deal has the same parties, or those of one telling lie within those of the other. A kept deal that holds
# another is found by the rarest party of that one, a kept deal that lies within another by its own rarest party; both
# by their places, where both have some. So a deal is compared with few others, however many the article tells.
def _keys_kept(kept: Told, counts: Mapping[tuple[DealType, str], int]) -> Iterator[Hashable]:
    side = (kept.deal_type, None if kept.deal_type in SYMMETRIC else kept.parties[0])
    for where in ("anywhere", *((("at", place) for place in kept.places) if kept.places else ("nowhere",))):
        yield "equals", kept.deal_type, frozenset(kept.parties), where
        yield "lies within", side, _rarest(kept, counts), where
        for party in kept.parties:
            yield "holds", side, party, where


def _keys_sought(deal: Told, counts: Mapping[tuple[DealType, str], int]) -> Iterator[Hashable]:
    side = (deal.deal_type, None if deal.deal_type in SYMMETRIC else deal.parties[0])
    for where in (*(("at", place) for place in deal.places), "nowhere") if deal.places else ("anywhere",):
        yield "equals", deal.deal_type, frozenset(deal.parties), where
        yield "holds", side, _rarest(deal, counts), where
        for party in deal.parties:
            yield "lies within", side, party, where


def _rarest(deal: Told, counts: Mapping[tuple[DealType, str], int]) -> str:
    return min(deal.parties, key=lambda party: (counts[deal.deal_type, party], party))


def _same_deal(kept: Told, other: Told) -> bool:
    if kept.deal_type != other.deal_type:
        return False
    if kept.places and other.places and not set(kept.places) & set(other.places):
        return False  # the same parties in another market: another deal
    left, right = set(kept.parties), set(other.parties)
    if left == right:
        return True
    acting_agrees = kept.parties[0] == other.parties[0] or kept.deal_type in SYMMETRIC
    return acting_agrees and (left <= right or right <= left)


@dataclass(frozen=True, slots=True)
class _Article:
    """What the rows of an article are made of. ``names``, ``places``: by id; ``levels``: stated ones, in text order."""

    document: Document
    names: Mapping[str, str]
    places: Mapping[str, DealPlace]
    levels: Sequence[LevelMention]
    dates: Sequence[DateMention]
    amounts: Sequence[Amount]


def _row(deal: Told, article: _Article) -> Deal:
    document, dates = article.document, article.dates
    acting_role, other_role = ROLES[deal.deal_type]
    evidence_span = (deal.start, deal.end)
    status = DEAL_STATUSES[deal.status]
    amount = deal_amount(document.text, article.amounts, deal.deal_type, evidence_span)
    effective = effective_date(document.text, evidence_span, dates, document.published_at, status)
    level = _level(deal, article.levels)
    ordered = sorted(deal.parties) if deal.deal_type in SYMMETRIC else [deal.parties[0], *sorted(deal.parties[1:])]
    where = sorted(deal.places)
    return Deal(
        deal_id="d" + _digest(document.article_id, deal.deal_type, *ordered, *where),
        event_id="e" + _digest(deal.deal_type, *ordered, *where),
        deal_type=deal.deal_type,
        status=status,
        parties=tuple(
            Party(party, article.names[party], acting_role if i == 0 else other_role)
            for i, party in enumerate(deal.parties)
        ),
        locations=tuple(article.places[key] for key in deal.places),
        level_min=level.level_min if level else None,
        level_max=level.level_max if level else None,
        amount=amount.amount if amount else None,
        currency=amount.currency if amount else None,
        announced_on=announced_date(document.text, evidence_span, dates, document.published_at),
        effective_on=effective[0] if effective else None,
        effective_precision=effective[1] if effective else None,
        evidence=document.text[deal.start : deal.end],
        evidence_start=deal.start,
        evidence_end=deal.end,
        confidence=round(deal.probability, 4),
    )


def _level(deal: Told, levels: Sequence[LevelMention]) -> LevelMention | None:
    """The level that the evidence states of a party's system, or of nobody's in particular."""
    first, last = (bisect_left(levels, at, key=lambda m: m.start) for at in (deal.start, deal.end))
    inside = [m for m in levels[first:last] if m.end <= deal.end]
    own = [m for m in inside if m.company_id in deal.parties]
    general = [m for m in inside if m.company_id is None]
    return next(iter(own or general), None)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]

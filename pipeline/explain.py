"""Why was this read out of an article, and what was nearly read out of it?

In: a document. Out: an ``Explanation``: the rows that ``roadwire run`` would write, each with the scores, thresholds,
cues and words behind it, and the companies and deals just below their thresholds. The rows are those of
``pipeline.run``; only the reasons are gathered here. It changes nothing and writes nothing.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pipeline.classify import CompanyScores, SentenceScores
from pipeline.explain_records import (
    CompanyReason,
    Cue,
    DealReason,
    Explanation,
    LevelReason,
    NearDeal,
    PlaceReason,
    Scored,
    Span,
    Value,
)
from pipeline.extract.companies import evidence_of, find_companies, load_weights, score
from pipeline.extract.company_candidates import Entity, Mention
from pipeline.extract.deal_amounts import deal_amount
from pipeline.extract.deals import ROLES, Told, dates_of, deals_of_sentence, merge, place_key
from pipeline.extract.level_owners import NOBODY, around, owner_cues, scene_of, weights
from pipeline.extract.money import find_amounts
from pipeline.link.companies import unknown_company_id
from pipeline.prepare import prepare
from pipeline.readers import Input, find_inputs, read_inputs
from pipeline.readers.source import buffered
from pipeline.records import (
    DEAL_STATUSES,
    DEAL_TYPES,
    CompanyMention,
    DateMention,
    Deal,
    DealType,
    Document,
    Extraction,
    LocationMention,
    Reject,
)
from pipeline.run import Models, Workings, work_through
from pipeline.settings import Settings

#: A name or a party this far below its threshold, as a share of it, is told as a near miss. Deals have the same share
#: in ``deals_of_sentence``.
NEAR = 0.5
#: Cues of a name or of an owner that are told, and near misses of each kind.
MOST_CUES, MOST_NEAR = 5, 10
STDIN = "-"
#: Cues whose names in the weight files say too little.
_PLAIN = {
    "unknown": "in no list",
    "log_count": "named often",
    "share": "share of all names",
    "before": "named before it",
    "after": "named after it",
}


def documents(paths: Sequence[str], settings: Settings) -> Iterator[Document | Reject]:
    """The articles of files, folders, URIs and, for "-", of standard input, as a run would prepare them, each once.

    Raises ``InputError`` where a path names nothing.
    """
    inputs = [
        each
        for path in paths
        for each in (
            [Input("stdin", "stdin", lambda: buffered(sys.stdin.buffer))] if path == STDIN else find_inputs([path])
        )
    ]
    seen: set[str] = set()
    for item in read_inputs(inputs, settings):
        prepared = item if isinstance(item, Reject) else prepare(item, settings)
        if isinstance(prepared, Reject):
            yield prepared
        elif prepared[0].article_id not in seen:
            seen.add(prepared[0].article_id)
            yield prepared[0]


def explain(document: Document, models: Models, settings: Settings) -> Explanation:
    """What is read out of one document, and why."""
    with models.nlp.memory_zone():
        [done] = work_through([document], models, settings)
        scores = done.scores.sentences
        found = done.extraction
        companies, near_companies = _companies(done, models, settings)
        told = [deal for sentence in scores for deal in deals_of_sentence(sentence, settings)]
        merged = merge(told)
        acting = {(t.deal_type, t.parties, t.places): t.acting for t in merged}
        dates = dates_of(document, found.companies)
        return Explanation(
            document=document,
            relevance=found.relevance,
            companies=companies,
            levels=_levels(done),
            places=_places(found.locations, models),
            deals=tuple(
                _deal(deal, acting[_identity(deal)], found, scores, told, dates, settings) for deal in found.deals
            ),
            near_companies=near_companies,
            near_deals=_near_deals(merged, found.companies, settings),
        )


def as_record(explanation: Explanation) -> dict[str, Any]:
    """An explanation as JSON can hold it, once dates are written as text."""
    return dataclasses.asdict(explanation)


def _companies(
    done: Workings, models: Models, settings: Settings
) -> tuple[tuple[CompanyReason, ...], tuple[CompanyReason, ...]]:
    """The companies of the article, and the names that are just not seen as one."""
    document, names = done.extraction.document, done.reading.names
    threshold = settings.thresholds.company
    lower = replace(settings, thresholds=replace(settings.thresholds, company=NEAR * threshold))
    rows: dict[str, list[CompanyMention]] = {}
    for row in find_companies(document, done.doc, names, models.register, lower):
        rows.setdefault(row.company_id, []).append(row)
    starts = [sentence.start_char for sentence in done.doc.sents]
    published = document.published_at.date() if document.published_at else None
    weighed = evidence_of(document.text, starts, names, models.register, published)
    behind = {(m.start, m.end): (entity.mentions, cues) for entity, cues in weighed for m in entity.mentions}
    reasons = []
    for mentions in rows.values():
        seen, features = behind.get((mentions[0].start, mentions[0].end), ((), {}))
        first = mentions[0]
        reasons.append(
            CompanyReason(
                company_id=first.company_id,
                name=first.company_name,
                kind=first.kind,
                hq_country=first.hq_country,
                ticker=first.ticker,
                linked=first.linked,
                confidence=max(m.confidence for m in mentions),
                threshold=threshold,
                spans=tuple((m.start, m.end) for m in mentions),
                surfaces=tuple(dict.fromkeys(m.surface for m in mentions)),
                link=_link(first, seen),
                seen_by=_seen_by(seen),
                cues=_company_cues(features),
            )
        )
    kept = {row.company_id for row in done.extraction.companies}
    told = {span for reason in reasons for span in reason.spans}
    left_out = [_left_out(entity, cues, threshold) for entity, cues in weighed if _span(entity.mentions[0]) not in told]
    near = [reason for reason in reasons if reason.company_id not in kept]
    near += [reason for reason in left_out if reason.confidence >= threshold]
    near.sort(key=lambda reason: -reason.confidence)
    return tuple(reason for reason in reasons if reason.company_id in kept), tuple(near[:MOST_NEAR])


def _left_out(entity: Entity, features: Mapping[str, float], threshold: float) -> CompanyReason:
    """A name that ``find_companies`` refuses whatever its score."""
    return CompanyReason(
        company_id=entity.company_id or unknown_company_id(entity.mentions[0].surface),
        name=entity.mentions[0].surface,
        kind=None,
        hq_country=None,
        ticker=None,
        linked=entity.company_id is not None,
        confidence=round(score(features, load_weights()), 4),
        threshold=threshold,
        spans=tuple(_span(mention) for mention in entity.mentions),
        surfaces=tuple(dict.fromkeys(mention.surface for mention in entity.mentions)),
        link="left out all the same: an ordinary word, and nothing beside it says that a firm is meant",
        seen_by=_seen_by(entity.mentions),
        cues=_company_cues(features),
    )


def _span(mention: Mention) -> Span:
    return mention.start, mention.end


def _link(row: CompanyMention, seen: Sequence[Mention]) -> str:
    """How the id came about."""
    spellings = {name.text: name for m in seen for name in m.known if name.catalogue == "company"}
    own = [name for name in spellings.values() if name.company_id == row.company_id]
    if own:
        risk = "" if any(name.risk == "none" for name in own) else f", a risky name ({own[0].risk.replace('_', ' ')})"
        return f"in the register as {', '.join(repr(name.text) for name in own)}{risk}"
    if row.linked:
        return "in the register, by its whole name, its ticker or another name of the text"
    catalogues = sorted({name.catalogue for m in seen for name in m.known})
    known = f"; known as {', '.join(catalogues).replace('_', ' ')}" if catalogues else ""
    return f"not in the register{known}; the id is made from the name"


def _seen_by(seen: Sequence[Mention]) -> tuple[str, ...]:
    """The readings of the recognisers: the best probability by method and label, over all mentions."""
    best: dict[tuple[str, str], float] = {}
    for span in (span for mention in seen for span in mention.spans):
        key = (span.method, span.label)
        best[key] = max(best.get(key, 0.0), span.probability)
    ranked = sorted(best.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(f"{method.replace('_', ' ')}: {label.lower()} {p:.2f}" for (method, label), p in ranked)


def _company_cues(features: Mapping[str, float]) -> tuple[Cue, ...]:
    """The strongest summands of the score; a cue and its variant for names of that standing are one."""
    learnt = load_weights()
    summed: dict[str, float] = {}
    for name, value in features.items():
        if name != "bias":
            bare = name.rpartition(":")[2].removesuffix("_any")
            summed[bare] = summed.get(bare, 0.0) + learnt.get(name, 0.0) * value
    return _strongest(summed)


def _strongest(summed: Mapping[str, float]) -> tuple[Cue, ...]:
    ranked = sorted(summed.items(), key=lambda pair: (-abs(pair[1]), pair[0]))
    return tuple(
        (_PLAIN.get(name, name.replace("_", " ")), round(value, 2))
        for name, value in ranked[:MOST_CUES]
        if abs(value) >= 0.1
    )


def _levels(done: Workings) -> tuple[LevelReason, ...]:
    found = done.extraction
    if not found.levels or not found.companies:
        return tuple(LevelReason(level, (), ()) for level in found.levels)
    scene = scene_of(found.companies, done.doc)
    names: dict[str, str | None] = {m.company_id: m.company_name for m in found.companies}
    names[NOBODY] = None
    learnt = weights()
    reasons = []
    for level, shares in zip(found.levels, done.scores.owners, strict=True):
        summands = owner_cues(around(scene, level), level, shares, learnt)
        totals = {company: sum(parts.values()) for company, parts in summands.items()}
        top = max(totals.values())
        powers = {company: math.exp(total - top) for company, total in totals.items()}
        ranked = sorted(powers, key=lambda company: (-powers[company], company))
        probable = [(names[company], powers[company] / sum(powers.values())) for company in ranked]
        reasons.append(
            LevelReason(
                level,
                tuple((name, round(share, 4)) for name, share in probable[:4] if share >= 0.01),
                _strongest({k: v for k, v in summands[level.company_id or NOBODY].items() if v > 0}),
            )
        )
    return tuple(reasons)


def _places(mentions: Sequence[LocationMention], models: Models) -> tuple[PlaceReason, ...]:
    grouped: dict[str, list[LocationMention]] = {}
    for mention in mentions:
        grouped.setdefault(place_key(mention), []).append(mention)
    reasons = []
    for key, group in grouped.items():
        known = {place.geoname_id: place for place, _ in models.gazetteer.lookup(group[0].surface)}
        others = sorted((p for p in known.values() if p.geoname_id != key), key=lambda p: -p.population)
        divisions = models.gazetteer.admin1_names
        told = tuple(", ".join(filter(None, (p.name, divisions.get(p.admin1 or ""), p.country))) for p in others[:2])
        reasons.append(PlaceReason(group[0], tuple((m.start, m.end) for m in group), len(known), told))
    return tuple(reasons)


def _identity(deal: Deal) -> tuple[DealType, tuple[str, ...], tuple[str, ...]]:
    """Type, companies and places: no two deals of an article share all three."""
    places = tuple(place.geoname_id or place.name for place in deal.locations)
    return deal.deal_type, tuple(party.company_id for party in deal.parties), places


def _deal(
    deal: Deal,
    acting_id: str,
    found: Extraction,
    scores: Sequence[SentenceScores],
    told: Sequence[Told],
    dates: Sequence[DateMention],
    settings: Settings,
) -> DealReason:
    """``acting_id``: the company whose scores the row has, ``told``: by sentence, ``dates``: of the whole text."""
    index = DEAL_TYPES.index(deal.deal_type)
    span = (deal.evidence_start, deal.evidence_end)
    acting = next(c for s in scores if (s.start, s.end) == span for c in s.companies if c.name == acting_id)
    ids = {party.company_id for party in deal.parties}
    also = [
        (t.start, t.end, round(t.probability, 4))
        for t in told
        if t.deal_type == deal.deal_type and t.start != deal.evidence_start and set(t.parties) <= ids
    ]
    return DealReason(
        deal=deal,
        threshold=settings.thresholds.deal[deal.deal_type],
        statuses=tuple(
            Scored(DEAL_STATUSES[i], _rounded(acting.status[index][i]), DEAL_STATUSES[i] == deal.status)
            for i in np.argsort(-acting.status[index], kind="stable")[:3]
            if acting.status[index][i] >= 0.05 or DEAL_STATUSES[i] == deal.status
        ),
        parties=_parties(deal, acting, index, scores, found.companies, settings),
        places=_deal_places(deal, acting, index, found.locations, settings),
        values=_values(deal, found.document, dates),
        also_told=tuple(sorted(also, key=lambda each: -each[2])[:MOST_NEAR]),
    )


def _parties(
    deal: Deal,
    acting: CompanyScores,
    index: int,
    scores: Sequence[SentenceScores],
    companies: Sequence[CompanyMention],
    settings: Settings,
) -> tuple[Scored, ...]:
    """Those of the row, then those left out; a party that another sentence names has the probability it has there."""
    names = {m.company_id: m.company_name for m in companies}
    best = {name: float(by_type[index]) for name, by_type in acting.parties.items()}
    best[acting.name] = float(acting.acts[index])
    elsewhere: dict[str, float] = {}
    for company in (c for sentence in scores for c in sentence.companies if c.name == deal.parties[0].company_id):
        elsewhere[company.name] = max(elsewhere.get(company.name, 0.0), float(company.acts[index]))
        for name, by_type in company.parties.items():
            elsewhere[name] = max(elsewhere.get(name, 0.0), float(by_type[index]))
    taken = {party.company_id for party in deal.parties}
    rows = [
        Scored(p.company_name, _rounded(best.get(p.company_id, elsewhere.get(p.company_id, 0.0))), True, p.role)
        for p in deal.parties
    ]
    threshold = settings.thresholds.party
    near = [
        Scored(names[name], _rounded(share), False, ROLES[deal.deal_type][1], _why_not(share, threshold))
        for name, share in sorted(best.items(), key=lambda pair: -pair[1])
        if name not in taken and name in names and share >= NEAR * threshold
    ]
    return (*rows, *near[:MOST_NEAR])


def _why_not(share: float, threshold: float) -> str:
    if share < threshold:
        return f"below {threshold:.2f}"
    return "not named in the sentence, or of a deal of its own"


def _deal_places(
    deal: Deal, acting: CompanyScores, index: int, locations: Sequence[LocationMention], settings: Settings
) -> tuple[Scored, ...]:
    names = {place_key(m): m.name for m in locations}
    taken = {place.geoname_id or place.name for place in deal.locations}
    scored = {key: float(by_type[index]) for key, by_type in acting.places.items()} | {
        key: 0.0 for key in taken if key not in acting.places
    }
    return tuple(
        Scored(
            names[key],
            _rounded(share),
            key in taken,
            note=None if key in taken else _why_not(share, settings.thresholds.place),
        )
        for key, share in sorted(scored.items(), key=lambda pair: (pair[0] not in taken, -pair[1]))
        if key in taken or share >= NEAR * settings.thresholds.place
    )[:MOST_NEAR]


def _values(deal: Deal, document: Document, dates: Sequence[DateMention]) -> tuple[Value, ...]:
    """Sums and times in the evidence, and a sum elsewhere that went into the row; one value a column filled."""
    text, span = document.text, (deal.evidence_start, deal.evidence_end)
    amounts = find_amounts(text)
    chosen = deal_amount(text, amounts, deal.deal_type, span)
    values = [
        Value(
            each.surface,
            f"{each.amount:,.2f}".rstrip("0").rstrip(".") + f" {each.currency}",
            "amount" if each == chosen else None,
        )
        for each in amounts
        if each == chosen or span[0] <= each.start < span[1]
    ]
    for date in dates:
        if span[0] <= date.start < span[1]:
            meaning = f"{date.date} ({date.precision})"
            values += [Value(date.surface, meaning, use) for use in _uses(deal, date)]
    return tuple(values)


def _uses(deal: Deal, date: DateMention) -> list[str | None]:
    """The columns of the row that say the same time; None alone where none does."""
    is_effective = (deal.effective_on, deal.effective_precision) == (date.date, date.precision)
    is_announced = (deal.announced_on, "day") == (date.date, date.precision)
    uses: list[str | None] = ["effective_on"] if is_effective else []
    uses += ["announced_on"] if is_announced else []
    return uses or [None]


def _near_deals(
    merged: Sequence[Told], companies: Sequence[CompanyMention], settings: Settings
) -> tuple[NearDeal, ...]:
    names = {m.company_id: m.company_name for m in companies}
    near = [
        NearDeal(
            t.deal_type,
            tuple(names[party] for party in t.parties),
            DEAL_STATUSES[t.status],
            t.start,
            t.end,
            round(t.probability, 4),
            settings.thresholds.deal[t.deal_type],
        )
        for t in merged
        if t.probability < settings.thresholds.deal[t.deal_type]
    ]
    return tuple(sorted(near, key=lambda each: each.probability / each.threshold, reverse=True)[:MOST_NEAR])


def _rounded(probability: Any) -> float:
    return round(float(probability), 4)

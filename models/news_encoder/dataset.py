"""Training examples: annotated articles to windows with targets.

In: ``AnnotatedArticle`` records with their sentence spans. Out: ``Example`` records of numpy arrays.
What the annotation leaves open (optional items, other types a careful reader could defend, a second sentence that
tells the same deal) carries no loss; an optional deal teaches only its status.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from corpora.annotations import AnnotatedArticle, GoldDeal, GoldSpan
from pipeline.entities import Candidate, candidate_pairs, entities_of_window
from pipeline.extract.deals import SYMMETRIC
from pipeline.records import DEAL_STATUSES, DEAL_TYPES
from pipeline.windows import Unit, Window, make_windows

TAGS = ("O", "B-COMPANY", "I-COMPANY", "B-ORGANISATION", "I-ORGANISATION", "B-PLACE", "I-PLACE")
IGNORED = -100


@dataclass(frozen=True, slots=True)
class Example:
    """One window with targets; ``*_at`` arrays hold token ranges, targets are 0, 1 or -100 for no loss."""

    window: Window
    tags: NDArray[np.int64]  # (tokens,)
    sentence_at: NDArray[np.int64]  # (sentences, 2)
    sentence_types: NDArray[np.float32]  # (sentences, types)
    role_at: NDArray[np.int64]  # (roles, 7), as ``pipeline.entities.Candidate`` says
    role_types: NDArray[np.float32]  # (roles, types): acts in a deal of that type
    role_status: NDArray[np.int64]  # (roles, types): index of the status
    pair_at: NDArray[np.int64]  # (pairs, 10), as ``pipeline.entities.Candidate`` says
    pair_types: NDArray[np.float32]  # (pairs, types): the second is a party to the first one's deal
    place_at: NDArray[np.int64]  # (places, 10), only for companies that act in a deal told here
    place_types: NDArray[np.float32]  # (places, types): the place is where that deal happens


def examples(
    article: AnnotatedArticle,
    sentences: Sequence[tuple[int, int]],
    tokenizer: Tokenizer,
    rng: random.Random,
    distractors: float,
) -> list[Example]:
    """Windows of one article. ``distractors``: share of names that are no companies and yet offered as parties."""
    windows = make_windows(article.text, sentences, tokenizer)
    offered = [s for s in article.spans if s.label != "PLACE"]
    kept = {s.name for s in offered if s.label == "COMPANY" or rng.random() < distractors}
    offered = [s for s in offered if s.name in kept]
    places = [s for s in article.spans if s.label == "PLACE"]
    told = {
        (d.start, d.end): _evidence_sentence(d, [u for w in windows for u in w.units if u.owned], offered)
        for d in article.deals
    }
    return [_example(article, window, offered, places, told) for window in windows]


def _evidence_sentence(deal: GoldDeal, units: Sequence[Unit], spans: Sequence[GoldSpan]) -> tuple[int, int] | None:
    """Of the sentences that the evidence touches, the one that names most parties; ties go to the largest overlap."""
    touched = [u for u in units if u.start < deal.end and deal.start < u.end]
    if not touched:
        return None

    def weight(unit: Unit) -> tuple[int, int]:
        named = {s.name for s in spans if unit.start <= s.start < unit.end and s.name in deal.parties}
        return len(named), min(unit.end, deal.end) - max(unit.start, deal.start)

    best = max(touched, key=weight)
    return best.start, best.end


def _example(
    article: AnnotatedArticle,
    window: Window,
    spans: Sequence[GoldSpan],
    places: Sequence[GoldSpan],
    told: dict[tuple[int, int], tuple[int, int] | None],
) -> Example:
    owned = [u for u in window.units if u.owned]
    companies = entities_of_window(window, [(s.start, s.end, s.name) for s in spans])
    toponyms = entities_of_window(window, [(s.start, s.end, s.name) for s in places])
    sentence_types = np.zeros((len(owned), len(DEAL_TYPES)), np.float32)
    roles, role_types, role_status = [], [], []
    pairs, pair_types, where, where_types = [], [], [], []
    for row, unit in enumerate(owned):
        here = [d for d in article.deals if told[d.start, d.end] == (unit.start, unit.end)]
        near = [d for d in article.deals if d not in here and _could_tell(d, unit, spans)]
        sentence_types[row] = _targets(here, near, lambda d: True)
        for first, others, toponym in candidate_pairs(unit, companies, toponyms):
            roles.append(first.at)
            role_types.append(_targets(here, near, partial(_acts, entity=first)))
            role_status.append(_statuses(here, first))
            for second in others:
                pairs.append(second.at)
                pair_types.append(
                    _targets(here, near, lambda d, e=first, f=second: _acts(d, e) and f.name in d.parties)
                )
            acting = [d for d in here if _acts(d, first) and not d.optional]
            for place in toponym if acting else []:
                where.append(place.at)
                row_types = np.full(len(DEAL_TYPES), IGNORED, np.float32)
                for d in acting:
                    row_types[DEAL_TYPES.index(d.types[0])] = place.name in d.locations
                where_types.append(row_types)
    types = len(DEAL_TYPES)
    return Example(
        window,
        _tags(article, window),
        np.array([(u.first_token, u.last_token) for u in owned], np.int64).reshape(-1, 2),
        sentence_types,
        np.array(roles, np.int64).reshape(-1, 7),
        np.array(role_types, np.float32).reshape(-1, types),
        np.array(role_status, np.int64).reshape(-1, types),
        np.array(pairs, np.int64).reshape(-1, 10),
        np.array(pair_types, np.float32).reshape(-1, types),
        np.array(where, np.int64).reshape(-1, 10),
        np.array(where_types, np.float32).reshape(-1, types),
    )


def _acts(deal: GoldDeal, entity: Candidate) -> bool:
    return entity.name in deal.parties if deal.types[0] in SYMMETRIC else entity.name == deal.parties[0]


def _could_tell(deal: GoldDeal, unit: Unit, spans: Sequence[GoldSpan]) -> bool:
    named = {s.name for s in spans if unit.start <= s.start < unit.end}
    return (unit.start < deal.end and deal.start < unit.end) or named >= set(deal.parties)


def _targets(
    here: Sequence[GoldDeal], near: Sequence[GoldDeal], holds: Callable[[GoldDeal], bool]
) -> NDArray[np.float32]:
    target = np.zeros(len(DEAL_TYPES), np.float32)
    for deal in near:
        if holds(deal):
            target[[DEAL_TYPES.index(t) for t in deal.types]] = IGNORED
    for deal in here:
        if holds(deal):
            target[[DEAL_TYPES.index(t) for t in (deal.types if deal.optional else deal.types[1:])]] = IGNORED
    for deal in here:
        if holds(deal) and not deal.optional:
            target[DEAL_TYPES.index(deal.types[0])] = 1
    return target


def _statuses(here: Sequence[GoldDeal], entity: Candidate) -> NDArray[np.int64]:
    target = np.full(len(DEAL_TYPES), IGNORED, np.int64)
    for deal in here:
        if _acts(deal, entity):
            target[DEAL_TYPES.index(deal.types[0])] = DEAL_STATUSES.index(deal.statuses[0])
    return target


def _tags(article: AnnotatedArticle, window: Window) -> NDArray[np.int64]:
    owned = [(u.first_token, u.last_token) for u in window.units if u.owned]
    tags = np.full(len(window.input_ids), IGNORED, np.int64)
    for first, last in owned:
        tags[first:last] = 0
        for span in article.spans:
            inside = (
                np.flatnonzero((window.starts[first:last] < span.end) & (window.ends[first:last] > span.start)) + first
            )
            if len(inside):
                label = IGNORED if span.label == "UNCERTAIN" else TAGS.index(f"I-{span.label}")
                tags[inside] = label
                if label != IGNORED and window.starts[inside[0]] <= span.start:
                    tags[inside[0]] = label - 1
    return tags

"""Training examples: annotated articles to windows with targets.

In: ``AnnotatedArticle`` records with their sentence spans. Out: ``Example`` records of numpy arrays.
What the annotation leaves open (optional items, other types a careful reader could defend, a second sentence that
tells the same deal) carries no loss; an optional deal teaches only its status.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from corpora.annotations import AnnotatedArticle, GoldDeal, GoldSpan
from pipeline.entities import (
    Candidate,
    Entity,
    candidate_pairs,
    entities_of_window,
    marks_of_window,
    owner_candidates,
)
from pipeline.extract.deals import SYMMETRIC
from pipeline.extract.levels import find_levels
from pipeline.records import DEAL_STATUSES, DEAL_TYPES
from pipeline.windows import Unit, Window, make_windows

TAGS = ("O", "B-COMPANY", "I-COMPANY", "B-ORGANISATION", "I-ORGANISATION", "B-PLACE", "I-PLACE")
IGNORED = -100


@dataclass(frozen=True, slots=True)
class Example:
    """One window with targets; ``*_at`` arrays hold token ranges, targets are 0, 1 or -100 for no loss."""

    window: Window
    tags: NDArray[np.int64]  # (tokens,)
    marks: NDArray[np.int64]  # (tokens,), as ``pipeline.entities.marks_of_window`` says
    numbers: NDArray[np.int64]  # (tokens,)
    sentence_at: NDArray[np.int64]  # (sentences, 2)
    sentence_types: NDArray[np.float32]  # (sentences, types)
    role_at: NDArray[np.int64]  # (roles, 7), as ``pipeline.entities.Candidate`` says
    role_types: NDArray[np.float32]  # (roles, types): acts in a deal of that type
    role_status: NDArray[np.int64]  # (roles, types): index of the status
    pair_at: NDArray[np.int64]  # (pairs, 10), as ``pipeline.entities.Candidate`` says
    pair_types: NDArray[np.float32]  # (pairs, types): the second is a party to the first one's deal
    place_at: NDArray[np.int64]  # (places, 10), only for companies that act in a deal told here
    place_types: NDArray[np.float32]  # (places, types): the place is where that deal happens
    owner_at: NDArray[np.int64]  # (owners, 10), companies that a level could belong to
    owner_level: NDArray[np.int64]  # (owners,): which level of the window
    owner_right: NDArray[np.float32]  # (owners,): the level belongs to the company


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
    told = [_evidence_sentence(d, [u for w in windows for u in w.units if u.owned], offered) for d in article.deals]
    levels = _level_spans(article)
    return [_example(article, window, offered, places, told, levels) for window in windows]


def _level_spans(article: AnnotatedArticle) -> list[tuple[int, int, tuple[str | None, ...]]]:
    """Levels in the text with the companies that they may belong to, None for a general remark."""
    owners: dict[tuple[int, int, bool], list[str | None]] = defaultdict(list)
    for level in article.record["levels"]:
        owners[level["min"], level["max"], bool(level.get("plus"))].append(level["company"])
    found = ((m, owners[m.level_min, m.level_max, m.plus]) for m in find_levels(article.text) if m.explicit)
    return [(m.start, m.end, tuple(right)) for m, right in found if right]


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
    told: Sequence[tuple[int, int] | None],
    levels: Sequence[tuple[int, int, tuple[str | None, ...]]],
) -> Example:
    owned = [u for u in window.units if u.owned]
    companies = entities_of_window(window, [(s.start, s.end, s.name) for s in spans])
    toponyms = entities_of_window(window, [(s.start, s.end, s.name) for s in places])
    sentence_types = np.zeros((len(owned), len(DEAL_TYPES)), np.float32)
    roles, role_types, role_status = [], [], []
    pairs, pair_types, where, where_types = [], [], [], []
    for row, unit in enumerate(owned):
        here = [d for d, at in zip(article.deals, told, strict=True) if at == (unit.start, unit.end)]
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
    stated = entities_of_window(window, [(start, end, str(i)) for i, (start, end, _) in enumerate(levels)])
    marks, numbers = marks_of_window(len(window.input_ids), companies, toponyms, stated)
    owner_at, owner_level, owner_right = _owners(owned, companies, stated, [right for _, _, right in levels])
    return Example(
        window,
        _tags(article, window),
        marks,
        numbers,
        np.array([(u.first_token, u.last_token) for u in owned], np.int64).reshape(-1, 2),
        sentence_types,
        np.array(roles, np.int64).reshape(-1, 7),
        np.array(role_types, np.float32).reshape(-1, types),
        np.array(role_status, np.int64).reshape(-1, types),
        np.array(pairs, np.int64).reshape(-1, 10),
        np.array(pair_types, np.float32).reshape(-1, types),
        np.array(where, np.int64).reshape(-1, 10),
        np.array(where_types, np.float32).reshape(-1, types),
        owner_at,
        owner_level,
        owner_right,
    )


def _owners(
    units: Sequence[Unit],
    companies: Sequence[Entity],
    levels: Sequence[Entity],
    right: Sequence[tuple[str | None, ...]],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Rows of a level and a company. Left out: levels whose only owner is not among the candidates."""
    rows, number, owned = [], [], []
    for level in levels:
        unit = next((u for u in units if u.first_token <= level.mentions[0][0] < u.last_token), None)
        candidates = owner_candidates(unit, level.mentions[0], companies) if unit else []
        owners = right[int(level.name)]
        if None in owners or any(c.name in owners for c in candidates):
            rows += [c.at for c in candidates]
            number += [int(level.name)] * len(candidates)
            owned += [c.name in owners for c in candidates]
    return np.array(rows, np.int64).reshape(-1, 10), np.array(number, np.int64), np.array(owned, np.float32)


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

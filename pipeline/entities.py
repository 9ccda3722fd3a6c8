"""Entities of a window: where in it companies, places and levels stand, and which of them a sentence could be about.

In: a window and named character spans. Out: the marks that the deal layers read beside the words, and candidates with
the token ranges that the deal heads pool over. Shared by training and by the run, so that both see the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.windows import Unit, Window

MAX_CANDIDATES = 10  # companies, and places, offered to one sentence; more than ten names is a list, not a deal
MARKS = 5  # of a token: plain text, first piece of a company's name, its other pieces, a place, a level
COMPANY_NUMBERS = 16  # 0 for no company; a window that names more than 15 leaves the later ones without a number
DISTANCES = 4  # in the sentence; before it by at most 40 tokens (about a sentence), by at most 120, by more


@dataclass(frozen=True, slots=True)
class Entity:
    """A company, place or level and its mentions in one window, as token ranges."""

    name: str
    mentions: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entity as seen from one sentence; ``at`` is the row of token ranges that a head reads.

    Role rows: mention first, last; sentence first, last; distance; mentions in the sentence (at most 3); 0.
    Pair rows: first mention first, last; second mention first, last; between first, last; sentence first, last;
    distance of the first, of the second.
    """

    name: str
    at: tuple[int, ...]
    mention: tuple[int, int]
    distance: int


def entities_of_window(window: Window, spans: Sequence[tuple[int, int, str]]) -> list[Entity]:
    """Group ``(start, end, name)`` spans, in characters, by name; spans outside the window are left out."""
    mentions: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for start, end, name in spans:
        inside = np.flatnonzero((window.starts < end) & (window.ends > start) & (window.starts >= 0))
        for run in np.split(inside, np.flatnonzero(np.diff(inside) > 1) + 1):
            if len(run):
                mentions[name].append((int(run[0]), int(run[-1]) + 1))
    return [Entity(name, tuple(sorted(ranges))) for name, ranges in mentions.items()]


def marks_of_window(
    tokens: int, companies: Sequence[Entity], places: Sequence[Entity], levels: Sequence[Entity]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(tokens,) what each token belongs to, below ``MARKS``, and (tokens,) the number of its company in the window.

    Companies are numbered from 1 in order of their first mention: all mentions of one share its number.
    """
    marks, numbers = np.zeros(tokens, np.int64), np.zeros(tokens, np.int64)
    for mark, entities in ((3, places), (4, levels)):
        for first, last in (mention for entity in entities for mention in entity.mentions):
            marks[first:last] = mark
    for number, company in enumerate(sorted(companies, key=lambda c: c.mentions[0]), start=1):
        for first, last in company.mentions:
            marks[first:last] = 2
            marks[first] = 1
            numbers[first:last] = number if number < COMPANY_NUMBERS else 0
    return marks, numbers


def owner_candidates(unit: Unit, level: tuple[int, int], companies: Sequence[Entity]) -> list[Candidate]:
    """The companies whose system could have the level that stands at a token range of the sentence.

    Those of the sentence are seen at their mention nearest to the level. ``at`` is a pair row, the level first.
    """
    seen = Candidate("", (*level, unit.first_token, unit.last_token, 0, 1, 0), level, 0)
    found = []
    for company in _nearest(unit, companies):
        inside = [
            m
            for entity in companies
            if entity.name == company.name
            for m in entity.mentions
            if unit.first_token <= m[0] < unit.last_token
        ]
        nearest = min(inside, key=lambda m: max(level[0] - m[1], m[0] - level[1]), default=company.mention)
        found.append(_pair(unit, seen, replace(company, mention=nearest)))
    return found


def candidate_pairs(
    unit: Unit, companies: Sequence[Entity], places: Sequence[Entity]
) -> Iterator[tuple[Candidate, list[Candidate], list[Candidate]]]:
    """Each company that could act in ``unit``, the other companies, and the places that could be where.

    All stand in the sentence itself or before it in the window; the nearest ``MAX_CANDIDATES`` of a kind are offered.
    """
    offered, toponyms = _nearest(unit, companies), _nearest(unit, places)
    for first in offered:
        yield (
            first,
            [_pair(unit, first, other) for other in offered if other.name != first.name],
            [_pair(unit, first, place) for place in toponyms],
        )


def _nearest(unit: Unit, entities: Sequence[Entity]) -> list[Candidate]:
    seen = (candidate for entity in entities if (candidate := _seen_from(unit, entity)))
    return sorted(seen, key=lambda c: (c.distance, c.at[0]))[:MAX_CANDIDATES]


def _seen_from(unit: Unit, entity: Entity) -> Candidate | None:
    inside = [m for m in entity.mentions if unit.first_token <= m[0] < unit.last_token]
    if inside:
        mention, distance = inside[0], 0
    else:
        before = [m for m in entity.mentions if m[0] < unit.first_token]
        if not before:
            return None
        mention = before[-1]
        gap = unit.first_token - mention[1]
        distance = 1 if gap <= 40 else 2 if gap <= 120 else 3
    row = (*mention, unit.first_token, unit.last_token, distance, min(len(inside), 3), 0)
    return Candidate(entity.name, row, mention, distance)


def _pair(unit: Unit, first: Candidate, second: Candidate) -> Candidate:
    left, right = sorted((first.mention, second.mention))
    between = (left[1], right[0]) if left[1] < right[0] else (left[0], right[1])
    row = (
        *first.mention,
        *second.mention,
        *between,
        unit.first_token,
        unit.last_token,
        first.distance,
        second.distance,
    )
    return Candidate(second.name, row, second.mention, second.distance)

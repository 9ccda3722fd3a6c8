"""Entities of a window: where in it each company or place stands, and which of them a sentence could be about.

In: a window and named character spans. Out: candidates with the token ranges that the deal heads pool over.
Shared by training and by the run, so that both see the same candidates.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.windows import Unit, Window

MAX_CANDIDATES = 10  # companies, and places, offered to one sentence; more than ten names is a list, not a deal
DISTANCES = 4  # in the sentence; before it by at most 40 tokens (about a sentence), by at most 120, by more


@dataclass(frozen=True, slots=True)
class Entity:
    """A company or place and its mentions in one window, as token ranges."""

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

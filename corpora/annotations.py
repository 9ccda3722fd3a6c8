"""Annotated articles: reading them, finding their surfaces in the text, splitting them without leakage.

In: JSON lines in the project's annotation format (``docs/annotation.md``), gzipped or not.
Out: ``AnnotatedArticle`` records with character spans. It does not tokenise and knows no model.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Every model that ships holds out the same eighth of the articles, to choose epochs, thresholds and calibration.
FOLDS = 8
HELD_OUT_FOLD = 0


@dataclass(frozen=True, slots=True)
class GoldSpan:
    """One occurrence of an annotated surface. ``name`` is the company's or place's canonical name."""

    start: int
    end: int
    name: str
    label: str  # COMPANY, ORGANISATION, PLACE, UNCERTAIN


@dataclass(frozen=True, slots=True)
class GoldDeal:
    """One annotated deal with the range of its evidence. ``types`` and ``statuses`` start with the main value."""

    types: tuple[str, ...]
    statuses: tuple[str, ...]
    parties: tuple[str, ...]
    locations: tuple[str, ...]
    start: int
    end: int
    optional: bool


@dataclass(frozen=True, slots=True)
class AnnotatedArticle:
    id: str
    text: str
    spans: tuple[GoldSpan, ...]
    deals: tuple[GoldDeal, ...]
    record: dict[str, Any] = field(repr=False)


def read_annotations(path: Path) -> list[AnnotatedArticle]:
    """Read annotated articles that carry their text. Raises ``ValueError`` for evidence that is not in the text."""
    return [annotated_article(record) for record in read_records(path)]


def read_records(path: Path, texts: Path | None = None) -> list[dict[str, Any]]:
    """The objects of a JSON lines file, gzipped or not.

    ``texts``: the folder that holds ``ID.txt`` for those that carry no ``text``.
    """
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    records = [json.loads(line) for line in content.decode("utf-8").split("\n") if line.strip()]
    for record in records:
        if texts is not None and "text" not in record:
            record["text"] = (texts / f"{record['id']}.txt").read_text(encoding="utf-8")
    return records


def annotated_article(record: dict[str, Any]) -> AnnotatedArticle:
    """Turn one annotation object, ``text`` included, into spans."""
    text = record["text"]
    deals = []
    for deal in record["deals"]:
        start = text.find(deal["evidence"])
        if start < 0:
            raise ValueError(f"{record['id']}: evidence is not in the text: {deal['evidence']!r}")
        deals.append(
            GoldDeal(
                types=(deal["type"], *deal.get("alt_types", [])),
                statuses=(deal["status"], *deal.get("alt_status", [])),
                parties=tuple(deal["parties"]),
                locations=tuple(deal["locations"]),
                start=start,
                end=start + len(deal["evidence"]),
                optional=bool(deal.get("optional")),
            )
        )
    return AnnotatedArticle(record["id"], text, tuple(_spans(record)), tuple(deals), record)


def _spans(record: dict[str, Any]) -> list[GoldSpan]:
    surfaces: dict[str, tuple[str, str]] = {}
    for item in record.get("optional_locations") or []:
        for surface in _surfaces(item):
            surfaces[surface] = (surface, "PLACE")
    for place in record["locations"]:
        surfaces[place["surface"]] = (place["name"], "PLACE")
    for name in record.get("not_companies") or []:
        surfaces[name] = (name, "ORGANISATION")
    for item in record.get("optional_companies") or []:
        for surface in _surfaces(item):
            surfaces[surface] = (surface, "UNCERTAIN")
    for company in record["companies"]:
        for surface in company["surfaces"]:
            surfaces[surface] = (company["name"], "COMPANY")
    return occurrences(record["text"], surfaces)


def _surfaces(item: str | dict[str, Any]) -> list[str]:
    if isinstance(item, str):
        return [item]
    return [s for s in (item.get("surface"), *item.get("surfaces", []), item.get("name")) if s]


def occurrences(text: str, surfaces: dict[str, tuple[str, str]]) -> list[GoldSpan]:
    """Every occurrence of the surfaces in ``text``, whole words, longest first, without overlap."""
    if not surfaces:
        return []
    alternatives = "|".join(re.escape(s) for s in sorted(surfaces, key=len, reverse=True))
    pattern = re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)")
    return [GoldSpan(m.start(), m.end(), *surfaces[m.group()]) for m in pattern.finditer(text)]


def group_near_copies(texts: Sequence[str], words: int = 8, shared: float = 0.3) -> list[int]:
    """Give each text the number of its group; texts sharing that part of their word shingles stand in one group.

    The share is taken of the shorter text, so that a cut copy falls in with its original. The number of a group is
    the index of its first text.
    """
    shingles = []
    for text in texts:
        tokens = re.findall(r"\w+", text.casefold())
        shingles.append({hash(tuple(tokens[i : i + words])) for i in range(max(1, len(tokens) - words + 1))})
    holders: dict[int, list[int]] = defaultdict(list)
    for index, each in enumerate(shingles):
        for shingle in each:
            holders[shingle].append(index)
    overlap: dict[tuple[int, int], int] = defaultdict(int)
    for indexes in holders.values():
        for i, left in enumerate(indexes[:20]):
            for right in indexes[i + 1 : 20]:
                overlap[left, right] += 1
    near = [pair for pair, n in overlap.items() if n >= shared * min(len(shingles[pair[0]]), len(shingles[pair[1]]))]
    return _joined(len(texts), near)


def _joined(size: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """For each of ``size`` items the first item that chains of ``pairs`` join it to."""
    first = list(range(size))

    def root(index: int) -> int:
        while first[index] != index:
            first[index] = first[first[index]]
            index = first[index]
        return index

    for left, right in pairs:
        left, right = sorted((root(left), root(right)))
        first[right] = left
    return [root(index) for index in range(size)]


def groups_of(texts: Sequence[str], tags: Sequence[Sequence[str]]) -> list[int]:
    """Give each article the number of its group: near copies, and articles with one tag ``event:NAME``, share it."""
    events = [(index, tag) for index, own in enumerate(tags) for tag in own if tag.startswith("event:")]
    first_of = {event: index for index, event in reversed(events)}
    copies = enumerate(group_near_copies(texts))
    return _joined(len(texts), [*copies, *((index, first_of[event]) for index, event in events)])


def split_by_group(
    articles: Sequence[AnnotatedArticle], parts: int, seed: int = 0
) -> list[tuple[list[AnnotatedArticle], list[AnnotatedArticle]]]:
    """Folds (training, held out) in which near copies, and articles on one event, never stand on both sides."""
    tags = [article.record.get("tags", []) for article in articles]
    groups = groups_of([article.text for article in articles], tags)
    told = {group for group, own in zip(groups, tags, strict=True) if any(tag.startswith("event:") for tag in own)}
    # Events stand last before shuffling: another order would move the fold that the models were held out on.
    order = sorted(set(groups), key=lambda group: (group in told, group))
    random.Random(seed).shuffle(order)
    fold = {group: index % parts for index, group in enumerate(order)}
    return [
        (
            [a for a, group in zip(articles, groups, strict=True) if fold[group] != part],
            [a for a, group in zip(articles, groups, strict=True) if fold[group] == part],
        )
        for part in range(parts)
    ]


def company_names(articles: Iterable[AnnotatedArticle]) -> list[str]:
    """The distinct company surfaces of the articles, sorted."""
    return sorted({a.text[s.start : s.end] for a in articles for s in a.spans if s.label == "COMPANY"})

"""Articles that tell invented deals, and the tables of an archive that holds them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
from batch_factories import VERSIONS

from pipeline import publish
from pipeline.events import Tellings, order
from pipeline.publish import Manifest
from pipeline.records import Deal, DealPlace, Document, Extraction, LocationMention, Party, Sighting
from pipeline.tables import article_tables, ledger_tables

# name: country, kind, first-order division, GeoNames id (invented)
PLACES = {
    "Norway": ("NO", "country", None, "1"),
    "Oslo": ("NO", "city", "Oslo", "2"),
    "Bergen": ("NO", "city", "Vestland", "3"),
    "Texas": ("US", "region", "Texas", "4"),
    "Dallas": ("US", "city", "Texas", "5"),
    "Austin": ("US", "city", "Texas", "6"),
    "Munich": ("DE", "city", "Bavaria", "7"),
    "Pier 9": ("NO", "other", None, None),
    "Europe": (None, "continent", None, "8"),
}


@dataclass(frozen=True)
class Told:
    """One article that tells one deal. ``day``: of publication; ``on``: of the announcement, None as background."""

    day: str | None
    deal_type: str
    parties: str
    status: str = "agreed"
    places: str = ""
    amount: float | None = None
    currency: str | None = "EUR"
    evidence: str = "So it was said."
    publisher: str | None = None
    copy_of: int | None = None  # the article is a near copy of that one
    background: bool = False
    confidence: float = 0.8
    article: int | None = None  # deals with one number stand in one article


def extractions(told: Sequence[Told]) -> list[Extraction]:
    """The articles, numbered as they stand here."""
    groups: dict[int, list[tuple[int, Told]]] = {}
    for number, each in enumerate(told):
        groups.setdefault(number if each.article is None else each.article, []).append((number, each))
    return [_extraction(number, own) for number, own in groups.items()]


def _extraction(number: int, told: list[tuple[int, Told]]) -> Extraction:
    first = told[0][1]
    published = datetime.fromisoformat(first.day).replace(tzinfo=UTC) if first.day else None
    document = Document(
        f"a{number:04d}",
        f"{number}.txt",
        first.evidence,
        publisher=first.publisher or f"paper {number}",
        published_at=published,
        duplicate_of=None if first.copy_of is None else f"a{first.copy_of:04d}",
    )
    names = sorted({name for _, each in told for name in each.places.split(", ") if name})
    return Extraction(document, 1.0, (), (), tuple(map(_mention, names)), tuple(_deal(n, each) for n, each in told))


def _mention(name: str) -> LocationMention:
    country, kind, division, number = PLACES[name]
    return LocationMention(0, 0, name, name, kind, country, division, number, None, None, 0.9)  # type: ignore[arg-type]


def _deal(number: int, told: Told) -> Deal:
    parties = tuple(Party(name.casefold(), name, "partner") for name in told.parties.split(", "))
    places = tuple(DealPlace(n, PLACES[n][0], PLACES[n][3]) for n in told.places.split(", ") if n)
    return Deal(
        f"d{number:04d}",
        "none yet",
        told.deal_type,  # type: ignore[arg-type]
        told.status,  # type: ignore[arg-type]
        parties,
        places,
        None,
        None,
        told.amount,
        told.currency if told.amount else None,
        date.fromisoformat(told.day) if told.day and not told.background else None,
        None,
        None,
        told.evidence,
        0,
        len(told.evidence),
        told.confidence,
    )


def tables_of(read: Iterable[Extraction], batch_id: str = "night") -> dict[str, pa.Table]:
    """The tables of one batch of these articles."""
    articles = list(read)
    seen = [
        Sighting(e.document.article_id, e.document.source_uri, None, None, e.document.published_at) for e in articles
    ]
    return {**article_tables(articles, batch_id, VERSIONS), **ledger_tables(seen, [], batch_id)}


def tellings_of(told: Sequence[Told], as_of: date | None = None) -> Tellings:
    """The deals as ``pipeline.events`` orders them."""
    made = tables_of(extractions(told))
    return order(made["deals"], made["articles"], made["sightings"], made["locations"], as_of)


def publish_batch(out: Path, batch_id: str, read: Iterable[Extraction]) -> None:
    """Write a batch as a run does."""
    publish_tables(out, batch_id, tables_of(read, batch_id))


def publish_tables(out: Path, batch_id: str, tables: Mapping[str, pa.Table]) -> None:
    """Write these tables as a batch."""
    manifest = Manifest(batch_id, "inputs", VERSIONS, 0, 0, 0, {}, {}, {}, {})
    with publish.locked(out):
        publish.publish(out, manifest, {name: [table] for name, table in tables.items()})

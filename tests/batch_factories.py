"""Small invented articles and what was read out of them, for the tests of tables, checks and publishing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime

from pipeline.records import (
    CompanyMention,
    Deal,
    DealPlace,
    Document,
    Extraction,
    LevelMention,
    LocationMention,
    Party,
    Reject,
    Sighting,
)
from pipeline.versions import Versions

VERSIONS = Versions("1.0.0", "0.0.0", "code", "models", "gazetteers")
TEXT = "Volta Ride will test Level 4 taxis in Oslo for 2 million euros."


def document(text: str = TEXT, source_uri: str = "news/a.txt", duplicate_of: str | None = None) -> Document:
    article_id = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Document(
        article_id,
        source_uri,
        text,
        title="Tests",
        published_at=datetime(2026, 3, 1, tzinfo=UTC),
        duplicate_of=duplicate_of,
    )


def sighting(of: Document, source_uri: str | None = None) -> Sighting:
    return Sighting(of.article_id, source_uri or of.source_uri, of.url, of.publisher, of.published_at)


def reject(source_uri: str = "news/b.bin", reason: str = "unreadable") -> Reject:
    return Reject(source_uri, None, reason, "no text in it")  # type: ignore[arg-type]


def company(start: int = 0, end: int = 10, surface: str = "Volta Ride", confidence: float = 0.9) -> CompanyMention:
    return CompanyMention(
        start, end, surface, "volta-ride", "Volta Ride", "ride_hailing", "NO", "XOSL:VOLTA", True, 0, confidence
    )


def level(level_min: int = 4, level_max: int = 4) -> LevelMention:
    return LevelMention(21, 28, "Level 4", level_min, level_max, False, True, False, "volta-ride", "Volta Ride", 0.95)


def location(country_code: str | None = "NO", latitude: float | None = 59.91) -> LocationMention:
    return LocationMention(38, 42, "Oslo", "Oslo", "city", country_code, "Oslo", "3143244", latitude, 10.75, 0.8)


def deal(article_id: str = "a", deal_type: str = "testing", confidence: float = 0.7) -> Deal:
    return Deal(
        deal_id=f"{article_id}-{deal_type}",
        event_id="event",
        deal_type=deal_type,  # type: ignore[arg-type]
        status="planned",
        parties=(Party("volta-ride", "Volta Ride", "operator"),),
        locations=(DealPlace("Oslo", "NO", "3143244"),),
        level_min=4,
        level_max=4,
        amount=2_000_000.0,
        currency="EUR",
        announced_on=date(2026, 3, 1),
        effective_on=None,
        effective_precision=None,
        evidence=TEXT,
        evidence_start=0,
        evidence_end=len(TEXT),
        confidence=confidence,
    )


def extraction(
    of: Document | None = None,
    companies: Sequence[CompanyMention] | None = None,
    levels: Sequence[LevelMention] | None = None,
    locations: Sequence[LocationMention] | None = None,
    deals: Sequence[Deal] | None = None,
) -> Extraction:
    """An article with one row in each table, or with the rows that are given."""
    read = of or document()
    return Extraction(
        read,
        0.9,
        tuple([company()] if companies is None else companies),
        tuple([level()] if levels is None else levels),
        tuple([location()] if locations is None else locations),
        tuple([deal(read.article_id)] if deals is None else deals),
    )


def bare(documents: Iterable[Document]) -> list[Extraction]:
    """Articles in which nothing was found."""
    return [Extraction(each, 0.0, (), (), (), ()) for each in documents]

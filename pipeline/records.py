"""Every type that crosses a module boundary, as plain frozen records.

In: nothing. Out: the nouns of roadwire. No behaviour lives here beyond a span that checks itself.

Offsets (``start``, ``end``) are half-open ranges of Unicode code points in the cleaned text of one
document: ``document.text[start:end] == surface``. Identifiers are strings and stable across runs.
The columns that consumers see are declared in ``pipeline.tables``; these records carry the same names.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

CompanyKind = Literal[
    "automaker", "developer", "supplier", "chipmaker", "sensor", "ride_hailing",
    "trucking", "delivery", "mapping", "investor", "other",
]  # fmt: skip
PlaceKind = Literal["city", "region", "country", "continent", "other"]
DealType = Literal[
    "partnership", "supply", "investment", "acquisition", "joint_venture", "licensing",
    "order", "expansion", "testing", "deployment", "permit",
]  # fmt: skip
DealStatus = Literal["in_talks", "planned", "agreed", "active", "completed", "cancelled"]
DatePrecision = Literal["day", "month", "quarter", "half", "year"]
RejectReason = Literal[
    "unreadable", "unsupported_format", "empty", "too_short", "oversized", "not_english",
    "missing_text", "failed",
]  # fmt: skip

DEAL_TYPES: tuple[DealType, ...] = (
    "partnership", "supply", "investment", "acquisition", "joint_venture", "licensing",
    "order", "expansion", "testing", "deployment", "permit",
)  # fmt: skip
DEAL_STATUSES: tuple[DealStatus, ...] = ("in_talks", "planned", "agreed", "active", "completed", "cancelled")


@dataclass(frozen=True, slots=True)
class Article:
    """One item as a reader delivers it: nothing cleaned, nothing decided.

    ``text`` is plain text (HTML is already reduced to its main text by the reader).
    ``published`` is what the source said, verbatim; ``prepare`` parses it.
    """

    source_uri: str  # file path or URI, "#N" after it for item N of a container
    text: str
    url: str | None = None
    title: str | None = None
    publisher: str | None = None
    author: str | None = None
    published: str | None = None
    fetched_at: datetime | None = None  # timezone-aware, UTC; of what comes from a raw store


@dataclass(frozen=True, slots=True)
class Reject:
    """One item that was read and left out, and why."""

    source_uri: str
    item: str | None  # position inside the container, None where the whole file is meant
    reason: RejectReason
    detail: str


@dataclass(frozen=True, slots=True)
class Document:
    """A distinct article: the text that every offset refers to, and what is known about it."""

    article_id: str
    source_uri: str
    text: str
    url: str | None = None
    title: str | None = None
    publisher: str | None = None
    author: str | None = None
    published_at: datetime | None = None  # timezone-aware, UTC
    language: str | None = "en"  # ISO 639-1
    duplicate_of: str | None = None  # article_id of the first near copy


@dataclass(frozen=True, slots=True)
class Sighting:
    """One delivery of a document by one source."""

    article_id: str
    source_uri: str
    url: str | None
    publisher: str | None
    published_at: datetime | None
    fetched_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NameSpan:
    """A proper name found in the text by one method, with its reading.

    ``label``: COMPANY, ORGANISATION (public body, university, publisher, club), PRODUCT, PERSON, PLACE, DATE, MONEY.
    ``probability``: of the label, 0 to 1, as the method itself states it.
    """

    start: int
    end: int
    label: str
    probability: float
    method: str  # "spacy", "classifier", "gazetteer"


@dataclass(frozen=True, slots=True)
class CompanyMention:
    start: int
    end: int
    surface: str
    company_id: str
    company_name: str
    kind: CompanyKind | None
    hq_country: str | None  # ISO 3166-1 alpha-2
    ticker: str | None  # "MIC:SYMBOL"
    linked: bool
    sentence_index: int
    confidence: float
    parent_id: str | None = None  # company_id of the owner when the article was published


@dataclass(frozen=True, slots=True)
class LevelMention:
    """A SAE J3016 level. ``company_*`` say whose system has it; None for a general remark."""

    start: int
    end: int
    surface: str
    level_min: int
    level_max: int
    plus: bool
    explicit: bool
    negated: bool
    company_id: str | None
    company_name: str | None
    confidence: float


@dataclass(frozen=True, slots=True)
class LocationMention:
    start: int
    end: int
    surface: str
    name: str
    kind: PlaceKind
    country_code: str | None  # ISO 3166-1 alpha-2
    admin1: str | None  # GeoNames first-order division, English name
    geoname_id: str | None
    latitude: float | None
    longitude: float | None
    confidence: float


@dataclass(frozen=True, slots=True)
class Amount:
    """A sum of money in full units of its currency (1.5 billion dollars is 1500000000.0 USD)."""

    start: int
    end: int
    surface: str
    amount: float
    currency: str  # ISO 4217


@dataclass(frozen=True, slots=True)
class DateMention:
    """A point or stretch of time; ``date`` is its first day, ``precision`` its length."""

    start: int
    end: int
    surface: str
    date: date
    precision: DatePrecision


@dataclass(frozen=True, slots=True)
class Party:
    company_id: str
    company_name: str
    role: str


@dataclass(frozen=True, slots=True)
class DealPlace:
    name: str
    country_code: str | None
    geoname_id: str | None


@dataclass(frozen=True, slots=True)
class Deal:
    deal_id: str
    event_id: str
    deal_type: DealType
    status: DealStatus
    parties: tuple[Party, ...]  # the acting party first
    locations: tuple[DealPlace, ...]
    level_min: int | None
    level_max: int | None
    amount: float | None
    currency: str | None
    announced_on: date | None
    effective_on: date | None
    effective_precision: DatePrecision | None
    evidence: str
    evidence_start: int
    evidence_end: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Extraction:
    """All that was read out of one document."""

    document: Document
    relevance: float  # 0 to 1: is it about automated driving or its business
    companies: tuple[CompanyMention, ...]
    levels: tuple[LevelMention, ...]
    locations: tuple[LocationMention, ...]
    deals: tuple[Deal, ...]

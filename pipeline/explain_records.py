"""What ``roadwire explain`` finds out about an article, as plain frozen records.

In: nothing. Out: the nouns of an explanation. Spans are half-open ranges of the document's text; scores are 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.records import Deal, Document, LevelMention, LocationMention

Span = tuple[int, int]
Cue = tuple[str, float]


@dataclass(frozen=True, slots=True)
class CompanyReason:
    """``link``: how the record was found; ``seen_by``: who read the name as what; ``cues``: what weighed how much.

    Cues are summands of a logistic score: +1 multiplies the odds by 2.7.
    """

    company_id: str
    name: str
    kind: str | None
    hq_country: str | None
    ticker: str | None
    linked: bool
    confidence: float
    threshold: float
    spans: tuple[Span, ...]
    surfaces: tuple[str, ...]
    link: str
    seen_by: tuple[str, ...]
    cues: tuple[Cue, ...]


@dataclass(frozen=True, slots=True)
class LevelReason:
    """``owners``: whose system has it, most probable first, None for nobody; ``cues``: what speaks for the first."""

    mention: LevelMention
    owners: tuple[tuple[str | None, float], ...]
    cues: tuple[Cue, ...]


@dataclass(frozen=True, slots=True)
class PlaceReason:
    """``namesakes``: places of that name in the gazetteer; ``others``: the largest of them that were not chosen."""

    mention: LocationMention
    spans: tuple[Span, ...]
    namesakes: int
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scored:
    """A party, place or status with its probability, and whether it is in the row; ``note``: why it is not."""

    name: str
    probability: float
    taken: bool
    role: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """A sum or a time that the evidence states. ``use``: the column it went to, None where to none."""

    surface: str
    meaning: str
    use: str | None


@dataclass(frozen=True, slots=True)
class DealReason:
    """``also_told``: other sentences that tell the same deal, with the probability that they do."""

    deal: Deal
    threshold: float
    statuses: tuple[Scored, ...]
    parties: tuple[Scored, ...]
    places: tuple[Scored, ...]
    values: tuple[Value, ...]
    also_told: tuple[tuple[int, int, float], ...]


@dataclass(frozen=True, slots=True)
class NearDeal:
    deal_type: str
    parties: tuple[str, ...]
    status: str
    start: int
    end: int
    probability: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Explanation:
    document: Document
    relevance: float
    companies: tuple[CompanyReason, ...]
    levels: tuple[LevelReason, ...]
    places: tuple[PlaceReason, ...]
    deals: tuple[DealReason, ...]
    near_companies: tuple[CompanyReason, ...]
    near_deals: tuple[NearDeal, ...]

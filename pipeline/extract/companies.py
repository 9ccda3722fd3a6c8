"""Companies of an article: which of its names are firms, each occurrence a row, each firm one id.

In: a document, its spaCy ``Doc`` (for sentences), name spans of any recogniser, the register, settings.
Out: ``CompanyMention`` rows in text order, with the probability that the name is a company here.
It will not report organisations, products or publishers that are merely the source of the news, and it will not
guess a firm that the text does not name.
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import models
from pipeline.extract.company_candidates import Entity, entities
from pipeline.extract.company_features import features, surroundings
from pipeline.gazetteer import CompanyRegister
from pipeline.link.companies import display_name, link_name, unknown_company_id
from pipeline.records import CompanyMention, Document, NameSpan
from pipeline.settings import Settings

if TYPE_CHECKING:
    from spacy.tokens import Doc

WEIGHTS = Path(next(iter(models.__path__))) / "companies" / "weights.json"

# How the labels of spaCy's English pipelines (OntoNotes 5) read here; their ORG does not tell firms from other bodies.
_SPACY_LABELS = {
    "ORG": "COMPANY", "PRODUCT": "PRODUCT", "PERSON": "PERSON", "GPE": "PLACE", "LOC": "PLACE", "FAC": "PLACE",
}  # fmt: skip
SPACY_PROBABILITY = 0.6  # spaCy states none


def spacy_name_spans(doc: Doc) -> tuple[NameSpan, ...]:
    """The names that a spaCy pipeline found, with the labels of ``NameSpan``."""
    return tuple(
        NameSpan(ent.start_char, ent.end_char, _SPACY_LABELS.get(ent.label_, ent.label_), SPACY_PROBABILITY, "spacy")
        for ent in doc.ents
        if ent.label_ in _SPACY_LABELS or ent.label_ in ("COMPANY", "ORGANISATION", "PLACE")
    )


def find_companies(
    document: Document,
    doc: Doc,
    name_spans: Sequence[NameSpan],
    register: CompanyRegister,
    settings: Settings,
) -> list[CompanyMention]:
    """One row for each occurrence of each company, in text order, offsets into ``document.text``."""
    starts = [sentence.start_char for sentence in doc.sents]
    weights = load_weights()
    published = document.published_at.date() if document.published_at else None
    companies = [
        (entity, probability)
        for entity, evidence in evidence_of(document.text, starts, name_spans, register, published)
        if (probability := score(evidence, weights)) >= settings.thresholds.company
        and not _is_mere_word(document.text, entity, evidence)
    ]
    present = frozenset(entity.company_id for entity, _ in companies if entity.company_id)
    rows = [
        row
        for entity, probability in companies
        for row in _rows(
            entity, probability, starts, register, _identity(entity, register, present, published), published
        )
    ]
    return sorted(rows, key=lambda row: (row.start, row.end))


def evidence_of(
    text: str,
    sentence_starts: Sequence[int],
    name_spans: Sequence[NameSpan],
    register: CompanyRegister,
    published: date | None = None,
) -> list[tuple[Entity, dict[str, float]]]:
    """Every name of the text with its features: what ``find_companies`` weighs and what training is fitted on.

    ``published``: the day as of which names are read; None reads them as of today.
    """
    found = entities(text, name_spans, register, published)
    persons = [text[span.start : span.end] for span in name_spans if span.label == "PERSON"]
    around = surroundings(text, found, sentence_starts, persons)
    return [(entity, features(text, entity, around, register)) for entity in found]


def score(evidence: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """Logistic combination of the evidence, 0 to 1; features without a weight count nothing."""
    total = sum(weights.get(name, 0.0) * value for name, value in evidence.items())
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, total))))


# What shows that an ordinary word is a firm here, beside its capital and a recogniser that errs on capitals.
_SECOND_CUES = ("firm_noun_any", "apposition_any", "deals_any", "beside_company_any", "legal_form", "ticker", "domain")
_VERB_AFTER = re.compile(
    r"[ \u00a0](?:also |now |then |since )?(?:will|would|has|had|is|was|could|may|said|says|told|plans?|wants|filed|"
    r"agreed|asked|sued|closed|opened|moved|lost|won)\b"
)
# "Embark on a walk", "Slack in the cable", "Five of them": no firm begins a sentence so, but a headline may.
_PHRASE_AFTER = re.compile(
    r"[ \u00a0](?:in|on|of|for|at|from|with|over|out|into|off)\b(?:[ \u00a0](?:the|an?|them|on)\b)"
)
# Where nothing else speaks for the firm, the classifier has to be surer than for other names (threshold .35).
# Read off the first 205 sentences of corpora/gold/ordinary_names.jsonl.
_WORD_READ_AS_COMPANY, _WORD_BEFORE_VERB = 0.6, 0.4


def _is_mere_word(text: str, entity: Entity, evidence: Mapping[str, float]) -> bool:
    """An ordinary word that the register knows as a firm, with nothing else that says so: "Lime trees"."""
    if "registered_english_word" not in evidence or any(cue in evidence for cue in _SECOND_CUES):
        return False
    if evidence.get("sentence_start") == 1.0 and all(_PHRASE_AFTER.match(text, m.end) for m in entity.mentions):
        return True
    verb = any(_VERB_AFTER.match(text, mention.end) for mention in entity.mentions)
    needed = _WORD_BEFORE_VERB if verb else _WORD_READ_AS_COMPANY
    return evidence.get("classifier_company_any", 0.0) < needed


@cache
def load_weights(path: Path = WEIGHTS) -> Mapping[str, float]:
    """The fitted weights, feature name to weight."""
    weights: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))["weights"]
    return weights


def _identity(entity: Entity, register: CompanyRegister, present: frozenset[str], published: date | None) -> str | None:
    """Id of the registered company that the entity is, found by its spelling, its whole name or its ticker symbol.

    A symbol ("TSLA") counts only where its company is ``present`` in the article: many are words or acronyms.
    """
    if entity.company_id:
        return entity.company_id
    if any(known.catalogue != "publisher" for mention in entity.mentions for known in mention.known):
        return None
    surfaces = dict.fromkeys(mention.surface for mention in entity.mentions)
    linked = link_name(max(surfaces, key=len), register)
    if linked is not None and register.existed(linked, published):
        return linked
    symbols = (register.companies[company_id] for company_id in sorted(present))
    return next((c.company_id for c in symbols if c.ticker and c.ticker.partition(":")[2] in surfaces), None)


def _rows(
    entity: Entity,
    probability: float,
    sentence_starts: Sequence[int],
    register: CompanyRegister,
    company_id: str | None,
    published: date | None,
) -> Iterable[CompanyMention]:
    company = register.at(company_id, published) if company_id else None
    name = company.name if company else display_name([m.surface for m in entity.mentions], register, None)
    for mention in entity.mentions:
        yield CompanyMention(
            start=mention.start,
            end=mention.end,
            surface=mention.surface,
            company_id=company.company_id if company else unknown_company_id(name),
            company_name=name,
            kind=company.kind if company else None,
            hq_country=company.hq_country if company else None,
            ticker=company.ticker if company else None,
            linked=company is not None,
            sentence_index=max(0, bisect_right(sentence_starts, mention.start) - 1),
            confidence=round(probability, 4),
            parent_id=company.parent_id if company else None,
        )

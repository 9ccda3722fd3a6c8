"""Articles in, tables out: the whole product, step by step, in one process.

In: articles in reading order. Out: the seven tables of a batch, checked. Each step is a module of its own; nothing
is decided here but their order. It will not write anything (``pipeline.batches`` does) and knows no orchestrator.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from pipeline import annotate, checks, model_files, tables, versions
from pipeline.classify import Classifier, Reading, Scores, load_classifier
from pipeline.extract.companies import find_companies, load_weights
from pipeline.extract.deals import find_deals, place_key
from pipeline.extract.level_owners import attribute_levels, weights
from pipeline.extract.levels import find_levels
from pipeline.extract.locations import find_locations
from pipeline.extract.relevance import relevance
from pipeline.gazetteer import CompanyRegister, load_register
from pipeline.intake import Ledger, describe, distinct_documents, move_to_rejects, near_copies
from pipeline.link.place_gazetteer import Gazetteer, load_gazetteer
from pipeline.prepare import prepare
from pipeline.records import Article, Document, Extraction, Reject
from pipeline.settings import Settings

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc


@dataclass(frozen=True, slots=True)
class Models:
    """Everything that takes time to load, loaded once for a process."""

    nlp: Language
    classifier: Classifier
    register: CompanyRegister
    gazetteer: Gazetteer


@dataclass(frozen=True, slots=True)
class Workings:
    """What was read out of a document, and what it was read from, for those who ask why (``pipeline.explain``)."""

    doc: Doc
    reading: Reading
    scores: Scores
    extraction: Extraction


def load_models(settings: Settings) -> Models:
    """Load models and gazetteers (a few seconds). Raises ``ModelError`` for one that is missing, damaged or changed."""
    model_files.verify()
    try:
        load_weights()  # these two are kept by their modules; here, so that a missing file is told before any article
        weights()
        return Models(annotate.load_nlp(settings), load_classifier(settings), load_register(), load_gazetteer())
    except (OSError, ValueError, KeyError) as error:
        raise model_files.ModelError(f"a model or gazetteer cannot be loaded: {error}") from error


def run_batch(
    items: Iterable[Article | Reject], batch_id: str, settings: Settings, models: Models
) -> dict[str, pa.Table]:
    """The tables of a batch that fits into memory. Raises ``CheckError`` where a row breaks an invariant."""
    ledger = Ledger()
    documents = distinct_documents(items, ledger, lambda item: prepare(item, settings), near_copies(settings))
    extractions, failed = extract_all(documents, models, settings)
    move_to_rejects(ledger, failed)
    made_of = tables.article_tables(extractions, batch_id, versions.current())
    delivered = tables.ledger_tables(ledger.sightings, ledger.rejects, batch_id)
    made_of["articles"] = tables.without_copies_of(made_of["articles"], failed)
    checks.check_tables({**made_of, **delivered})
    checks.check_counts(batch_id, ledger.items, len(ledger.sightings), len(ledger.rejects))
    return {**made_of, **delivered}


def extract_all(
    documents: Iterable[Document], models: Models, settings: Settings
) -> tuple[list[Extraction], dict[str, str]]:
    """What was read out of each document, in order, and the documents at which that failed: id -> what went wrong."""
    extractions: list[Extraction] = []
    failed: dict[str, str] = {}
    for group in annotate.groups(documents):
        try:
            extractions += extract(group, models, settings)
        except (MemoryError, OSError):
            raise  # trouble of the machine, not of an article
        except Exception:  # one of them is at fault: find out which
            for document in group:
                try:
                    extractions += extract([document], models, settings)
                except Exception as error:
                    failed[document.article_id] = describe(error)
    return extractions, failed


def extract(documents: Sequence[Document], models: Models, settings: Settings) -> list[Extraction]:
    """Read companies, levels, places and deals out of a group of documents that fits into memory."""
    with models.nlp.memory_zone():
        return [each.extraction for each in work_through(documents, models, settings)]


def work_through(documents: Sequence[Document], models: Models, settings: Settings) -> Iterator[Workings]:
    """The steps, document by document. Call it inside the memory zone of ``models.nlp``, as ``extract`` does."""
    docs = annotate.annotate(models.nlp, documents)
    readings = models.classifier.read(list(zip(documents, docs, strict=True)))
    for document, doc, reading in zip(documents, docs, readings, strict=True):
        companies = find_companies(document, doc, reading.names, models.register, settings)
        organisations = [(company.start, company.end) for company in companies]
        organisations += [(name.start, name.end) for name in reading.names if name.label == "ORGANISATION"]
        places = find_locations(document, reading.names, organisations, models.gazetteer, settings)
        stated = find_levels(document.text)
        scores = reading.score(
            [(m.start, m.end, m.company_id) for m in companies],
            [(m.start, m.end, place_key(m)) for m in places],
            [(m.start, m.end) for m in stated],
        )
        levels = attribute_levels(stated, companies, doc, scores.owners)
        deals = find_deals(document, scores.sentences, companies, places, levels, settings)
        score = relevance(document, companies, levels)
        found = Extraction(document, score, tuple(companies), tuple(levels), tuple(places), tuple(deals))
        yield Workings(doc, reading, scores, found)

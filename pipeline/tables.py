"""Rows -> arrow tables with one explicit schema each: the only place where a column is declared.

In: extractions, sightings and rejects of one batch. Out: pyarrow tables that carry every column of the data
contract with its type, its nullability and its description, also when there is no row at all.
It will not check the rows (``pipeline.checks`` does) and not write them (``pipeline.publish`` does).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.records import Document, Extraction, Reject, Sighting
from pipeline.versions import Versions

Row = dict[str, Any]

#: Confidences are stored with four decimals: far finer than they are calibrated, and the last bits of a
#: floating-point sum, which may differ from machine to machine, stay out of the files.
CONFIDENCE_DECIMALS = 4

_UTC = pa.timestamp("us", tz="UTC")
_PARTY = pa.struct(
    [
        pa.field("company_id", pa.string(), nullable=False),
        pa.field("company_name", pa.string(), nullable=False),
        pa.field("role", pa.string(), nullable=False),
    ]
)
_PLACE = pa.struct(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("country_code", pa.string()),
        pa.field("geoname_id", pa.string()),
    ]
)


def _required(name: str, kind: pa.DataType, description: str) -> pa.Field:
    return pa.field(name, kind, nullable=False, metadata={"description": description})


def _nullable(name: str, kind: pa.DataType, description: str) -> pa.Field:
    return pa.field(name, kind, nullable=True, metadata={"description": description})


_ARTICLE_ID = _required("article_id", pa.string(), "Stable id of the article's cleaned text; joins every table")
_BATCH_ID = _required("batch_id", pa.string(), "The batch (run partition) that wrote the row")
_CONFIDENCE = _required("confidence", pa.float64(), "Probability that the row is right, 0 to 1")


def _span(of: str) -> list[pa.Field]:
    return [
        _required("start", pa.int32(), f"First character of {of} in articles.text, counted in Unicode code points"),
        _required("end", pa.int32(), "One past the last character: text[start:end] == surface"),
        _required("surface", pa.string(), "The words of the text, letter for letter"),
    ]


ARTICLES = pa.schema(
    [
        _ARTICLE_ID,
        _required("source_uri", pa.string(), "File path or URI it was first read from; #N marks item N of a container"),
        _nullable("url", pa.string(), "Web address as the source gives it"),
        _nullable("title", pa.string(), "Headline as the source gives it"),
        _nullable("publisher", pa.string(), "Publisher as the source gives it"),
        _nullable("author", pa.string(), "Author or authors as the source gives them"),
        _nullable("published_at", _UTC, "Publication time from metadata or dateline; null rather than guessed"),
        _nullable("language", pa.string(), "Language of the text, ISO 639-1"),
        _required("text", pa.string(), "The cleaned text that every offset refers to"),
        _nullable("duplicate_of", pa.string(), "article_id of the first copy where this is a near copy of another one"),
        _required("relevance", pa.float64(), "0 to 1: is it about automated driving or its business"),
        _BATCH_ID,
        _required("schema_version", pa.string(), "Version of this layout; a changed name or type is a new major one"),
        _required("pipeline_version", pa.string(), "Version of the code that made the row"),
        _required("model_version", pa.string(), "Version of the models that made the row"),
    ]
)

COMPANIES = pa.schema(
    [
        _ARTICLE_ID,
        _required("mention_id", pa.string(), "Stable id of the mention"),
        *_span("the mention"),
        _required("company_id", pa.string(), "Stable id of the company: the same in every article and run"),
        _required("company_name", pa.string(), "Canonical, everyday name, one for an id"),
        _nullable(
            "kind",
            pa.string(),
            "automaker, developer, supplier, chipmaker, sensor, ride_hailing, trucking, delivery, mapping, "
            "investor or other; null if unknown",
        ),
        _nullable("hq_country", pa.string(), "Country of the headquarters, ISO 3166-1 alpha-2"),
        _nullable("ticker", pa.string(), "Main listing at that time as MIC:SYMBOL (ISO 10383 market code)"),
        _required("linked", pa.bool_(), "True where the company was found in the company register"),
        _required("sentence_index", pa.int32(), "Sentence of the article that holds the mention, from 0"),
        _CONFIDENCE,
        _nullable("parent_id", pa.string(), "company_id of the firm that owned it when the article was published"),
    ]
)

AUTONOMY_LEVELS = pa.schema(
    [
        _ARTICLE_ID,
        *_span("the mention"),
        _required("level_min", pa.int8(), "SAE J3016 level, 0 to 5; the lower end of a range"),
        _required("level_max", pa.int8(), "SAE J3016 level, 0 to 5; equals level_min unless the text states a range"),
        _required("plus", pa.bool_(), 'True for "L2+" and "L2++"'),
        _required(
            "explicit",
            pa.bool_(),
            "True for a stated level, false for one only implied (driverless); the guide counts stated ones",
        ),
        _required("negated", pa.bool_(), "True where the text denies the level"),
        _nullable("company_id", pa.string(), "Company whose system has, or is to have, that level"),
        _nullable("company_name", pa.string(), "Canonical name of that company"),
        _CONFIDENCE,
    ]
)

LOCATIONS = pa.schema(
    [
        _ARTICLE_ID,
        *_span("the mention"),
        _required("name", pa.string(), "Canonical English name of the place"),
        _required("kind", pa.string(), "city, region, country, continent or other (district, airport, street)"),
        _nullable("country_code", pa.string(), "ISO 3166-1 alpha-2; null for a continent or a multi-country region"),
        _nullable("admin1", pa.string(), "First-order division (state, province), English name"),
        _nullable("geoname_id", pa.string(), "Identifier of the place in GeoNames"),
        _nullable("latitude", pa.float64(), "WGS 84, degrees north"),
        _nullable("longitude", pa.float64(), "WGS 84, degrees east"),
        _CONFIDENCE,
    ]
)

DEALS = pa.schema(
    [
        _required("deal_id", pa.string(), "Stable id of the deal in this article"),
        _required(
            "event_id",
            pa.string(),
            "The real-world deal, the same in every article that tells it; set by roadwire events, provisional before. "
            "It may change: see deal_events",
        ),
        _ARTICLE_ID,
        _required(
            "deal_type",
            pa.string(),
            "partnership, supply, investment, acquisition, joint_venture, licensing, order, expansion, testing, "
            "deployment or permit",
        ),
        _required("status", pa.string(), "in_talks, planned, agreed, active, completed or cancelled"),
        _required(
            "parties",
            pa.list_(_PARTY),
            "Companies with their roles, the acting party first (of an investment: who raises)",
        ),
        _required("locations", pa.list_(_PLACE), "Where it takes place; an empty list where the text names no place"),
        _nullable("level_min", pa.int8(), "Autonomy level of what the deal is about, where the evidence states it"),
        _nullable("level_max", pa.int8(), "Upper end of that level; equals level_min unless a range"),
        _nullable("amount", pa.float64(), "Sum as stated, in full units of the currency (not millions)"),
        _nullable("currency", pa.string(), "Currency of the amount, ISO 4217"),
        _nullable(
            "announced_on",
            pa.date32(),
            "Day announced: as stated, else of publication; null where told as background",
        ),
        _nullable("effective_on", pa.date32(), "First day of the time at which it takes effect"),
        _nullable("effective_precision", pa.string(), "How long that time is: day, month, quarter, half or year"),
        _required("evidence", pa.string(), "The sentence(s) that say it, letter for letter"),
        _required("evidence_start", pa.int32(), "First character of the evidence in articles.text"),
        _required("evidence_end", pa.int32(), "One past its last character: text[evidence_start:evidence_end]"),
        _required("confidence", pa.float64(), "Calibrated: of rows at 0.8, about 80 % are right"),
    ]
)

SIGHTINGS = pa.schema(
    [
        _ARTICLE_ID,
        _required("source_uri", pa.string(), "Where this delivery was read from; #N marks item N of a container"),
        _nullable("url", pa.string(), "Web address as this source gives it"),
        _nullable("publisher", pa.string(), "Publisher as this source gives it"),
        _nullable("published_at", _UTC, "Publication time as this source gives it"),
        _BATCH_ID,
        _nullable("fetched_at", _UTC, "When it was fetched, for what was read from a raw store"),
    ]
)

REJECTS = pa.schema(
    [
        _required("source_uri", pa.string(), "What was read"),
        _nullable("item", pa.string(), "Position inside the container; null where the whole file is meant"),
        _required(
            "reason",
            pa.string(),
            "unreadable, unsupported_format, empty, too_short, oversized, not_english, missing_text or failed",
        ),
        _required("detail", pa.string(), "What exactly was found, in words"),
        _BATCH_ID,
    ]
)

_EVENT_ID = _required(
    "event_id",
    pa.string(),
    "Id of the real-world deal, as in deals. It may change where an article of its first day, or of an earlier one, "
    "arrives late, or re-processing reads that day otherwise; event_aliases then maps the old one",
)
_CHANGE = pa.struct(
    [
        pa.field("on", pa.date32()),
        pa.field("status", pa.string(), nullable=False),
        pa.field("deal_id", pa.string(), nullable=False),
    ]
)
_DISAGREEMENT = pa.struct(
    [
        pa.field("field", pa.string(), nullable=False),
        pa.field("value", pa.string(), nullable=False),
        pa.field("n_sources", pa.int32(), nullable=False),
        pa.field("deal_id", pa.string(), nullable=False),
    ]
)

DEAL_EVENTS = pa.schema(
    [
        _EVENT_ID,
        _required("deal_type", pa.string(), "As most sources call it"),
        _required("status", pa.string(), "The latest: in_talks, planned, agreed, active, completed or cancelled"),
        _nullable("first_seen", _UTC, "When the first article that tells it was published; null where nobody says"),
        _nullable("last_seen", _UTC, "When the latest one was published"),
        _required("n_articles", pa.int32(), "Distinct articles that tell it, near copies among them"),
        _required("n_sources", pa.int32(), "Independent sources: near copies and articles of one publisher count once"),
        _required("n_publishers", pa.int32(), "Distinct publishers, those that only copied among them"),
        _required("parties", pa.list_(_PARTY), "Companies that a third of the sources name, the acting party first"),
        _required("locations", pa.list_(_PLACE), "Places that a third of the sources with a place name"),
        _nullable("level_min", pa.int8(), "Autonomy level as most sources state it"),
        _nullable("level_max", pa.int8(), "Upper end of that level; equals level_min unless a range"),
        _nullable("amount", pa.float64(), "Sum that most sources state, of the agreed deal where there is one"),
        _nullable("currency", pa.string(), "Currency of the amount, ISO 4217"),
        _nullable("announced_on", pa.date32(), "First day on which a source says that it was announced"),
        _nullable("effective_on", pa.date32(), "Time at which it takes effect, as told last"),
        _nullable("effective_precision", pa.string(), "How long that time is: day, month, quarter, half or year"),
        _required("best_deal_id", pa.string(), "The row of deals that tells it with the highest confidence"),
        _required("evidence", pa.string(), "The evidence of that row"),
        _required("confidence", pa.float64(), "The confidence of that row"),
        _required("history", pa.list_(_CHANGE), "Its statuses in the order told, with day and the row that says so"),
        _required("disagreements", pa.list_(_DISAGREEMENT), "Values that sources state and this row does not"),
    ]
)

EVENT_MEMBERS = pa.schema(
    [
        _EVENT_ID,
        _required("deal_id", pa.string(), "A row of deals that tells the event; each row belongs to one event"),
        _ARTICLE_ID,
        _nullable("known_at", _UTC, "When the article was first published: what came later is not known then"),
        _required("source", pa.string(), "Independent source: publisher of the first copy, or its article_id"),
        _required(
            "digest",
            pa.uint64(),
            "Digest of what is read of the row, its article and its places; the next run starts at the first change",
        ),
    ]
)

EVENT_ALIASES = pa.schema(
    [
        _required("old_event_id", pa.string(), "An id that deal_events once held"),
        _nullable("event_id", pa.string(), "The event that tells it now; null where its articles are gone"),
    ]
)

#: Tables over all batches, which ``roadwire events`` writes.
EVENT_SCHEMAS: Mapping[str, pa.Schema] = {
    "deal_events": DEAL_EVENTS,
    "event_members": EVENT_MEMBERS,
    "event_aliases": EVENT_ALIASES,
}

#: Every table of a batch, in the order in which they are published.
SCHEMAS: Mapping[str, pa.Schema] = {
    "articles": ARTICLES,
    "companies": COMPANIES,
    "autonomy_levels": AUTONOMY_LEVELS,
    "locations": LOCATIONS,
    "deals": DEALS,
    "sightings": SIGHTINGS,
    "rejects": REJECTS,
}
#: The tables that hold what was read out of an article: each article's rows exist once.
ARTICLE_TABLES = ("articles", "companies", "autonomy_levels", "locations", "deals")
#: The double entry: items read = sightings + rejects, in every batch.
LEDGER_TABLES = ("sightings", "rejects")

_ONE_LINE = {
    "articles": "One row an article, however often it was delivered.",
    "companies": "One row a mention of a company.",
    "autonomy_levels": "One row a mention of a SAE J3016 driving automation level.",
    "locations": "One row a mention of a place.",
    "deals": "One row a deal in an article.",
    "sightings": "One row each time an article was delivered.",
    "rejects": "One row for each item that was read and left out. Items read = sightings + rejects, in every batch.",
    "deal_events": "One row a real-world deal, across articles, outlets and batches. Written by `roadwire events`.",
    "event_members": "One row a row of `deals`: the event that it tells. Written by `roadwire events`.",
    "event_aliases": "One row an event id that is no longer used, and its event now. Written by `roadwire events`.",
}


def article_tables(extractions: Iterable[Extraction], batch_id: str, versions: Versions) -> dict[str, pa.Table]:
    """The five article-level tables of these extractions, in their order."""
    rows: dict[str, list[Row]] = {name: [] for name in ARTICLE_TABLES}
    for extraction in extractions:
        article_id = extraction.document.article_id
        rows["articles"].append(_article_row(extraction, batch_id, versions))
        rows["companies"] += (
            {**_mention_row(article_id, mention), "mention_id": _mention_id(article_id, mention.start, mention.end)}
            for mention in extraction.companies
        )
        rows["autonomy_levels"] += (_mention_row(article_id, mention) for mention in extraction.levels)
        rows["locations"] += (_mention_row(article_id, mention) for mention in extraction.locations)
        rows["deals"] += (_mention_row(article_id, deal) for deal in extraction.deals)
    return {name: _table(rows[name], SCHEMAS[name]) for name in ARTICLE_TABLES}


def ledger_tables(sightings: Iterable[Sighting], rejects: Iterable[Reject], batch_id: str) -> dict[str, pa.Table]:
    """The tables ``sightings`` and ``rejects`` of one batch."""
    return {
        "sightings": _table([{**asdict(sighting), "batch_id": batch_id} for sighting in sightings], SIGHTINGS),
        "rejects": _table([{**asdict(reject), "batch_id": batch_id} for reject in rejects], REJECTS),
    }


def without_copies_of(articles: pa.Table, absent: Iterable[str]) -> pa.Table:
    """``articles`` in which no row is a copy of an article that is absent."""
    column = articles["duplicate_of"]
    gone = pc.is_in(column, value_set=pa.array(list(absent), pa.string()))
    cleared = pc.if_else(gone, pa.scalar(None, pa.string()), column)
    return articles.set_column(articles.schema.get_field_index("duplicate_of"), ARTICLES.field("duplicate_of"), cleared)


#: Documents on their way to a worker: the columns of ``articles`` that are known before anything is extracted.
DOCUMENTS = pa.schema([ARTICLES.field(name) for name in Document.__dataclass_fields__])


def document_table(documents: Iterable[Document]) -> pa.Table:
    """Documents as a table with the schema ``DOCUMENTS``."""
    return _table([asdict(document) for document in documents], DOCUMENTS)


def documents_of(table: pa.Table) -> Iterator[Document]:
    """The documents that a table of ``DOCUMENTS`` or ``articles`` holds."""
    for row in table.select(DOCUMENTS.names).to_pylist():
        published = row.pop("published_at")
        yield Document(**row, published_at=published.astimezone(UTC) if isinstance(published, datetime) else None)


def data_dictionary() -> str:
    """Every table and column in Markdown: the text of docs/data-dictionary.md."""
    lines = [
        "# Data dictionary",
        "",
        "Written by `roadwire dictionary > docs/data-dictionary.md` from `pipeline/tables.py`; do not edit by hand.",
        "",
        'Each table is a folder of parquet files, one file a batch: `pandas.read_parquet("tables/deals")` or DuckDB\'s',
        "`from 'tables/deals/*.parquet'` reads it whole. Missing is null, never an empty string, 0 or \"unknown\". In",
        "pandas a null string is NaN or None, a null time is NaT, and a column of small integers with nulls becomes",
        'float with NaN; `read_parquet(..., dtype_backend="pyarrow")` keeps integers. The same descriptions stand in',
        'the files: `pyarrow.parquet.read_schema(file).field("level_min").metadata`.',
    ]
    for name, schema in {**SCHEMAS, **EVENT_SCHEMAS}.items():
        lines += ["", f"## {name}", "", _ONE_LINE[name], "", "| column | type | null | meaning |", "|---|---|---|---|"]
        for field in schema:
            null = "yes" if field.nullable else "no"
            lines.append(f"| {field.name} | {_type_name(field.type)} | {null} | {_description(field)} |")
    return "\n".join(lines) + "\n"


def _description(field: pa.Field) -> str:
    return (field.metadata or {}).get(b"description", b"").decode().replace("|", "\\|")


def _type_name(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        inner = ", ".join(f"{kind.value_type.field(i).name}" for i in range(kind.value_type.num_fields))
        return f"list<struct<{inner}>>"
    return {"double": "float64", "date32[day]": "date"}.get(str(kind), str(kind).replace("tz=", ""))


def _article_row(extraction: Extraction, batch_id: str, versions: Versions) -> Row:
    return {
        **asdict(extraction.document),
        "relevance": round(extraction.relevance, CONFIDENCE_DECIMALS),
        "batch_id": batch_id,
        "schema_version": versions.schema,
        "pipeline_version": versions.pipeline,
        "model_version": versions.models,
    }


def _mention_row(article_id: str, record: Any) -> Row:
    row = asdict(record)
    return {**row, "article_id": article_id, "confidence": round(row["confidence"], CONFIDENCE_DECIMALS)}


def _mention_id(article_id: str, start: int, end: int) -> str:
    return hashlib.sha256(f"{article_id}:{start}:{end}".encode()).hexdigest()[:16]


def _table(rows: list[Row], schema: pa.Schema) -> pa.Table:
    # from_pylist drops a key that the schema lacks, and takes a missing one as null, both without a word.
    for row in rows:
        if row.keys() != set(schema.names):
            raise KeyError(f"columns {sorted(row.keys() ^ set(schema.names))} differ between a record and its table")
    return pa.Table.from_pylist(rows, schema=schema)

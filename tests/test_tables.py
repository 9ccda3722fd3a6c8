"""Rows become tables that say what they are, also when there are none."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from batch_factories import VERSIONS, bare, deal, document, extraction, reject, sighting
from hypothesis import given
from hypothesis import strategies as st

from pipeline import records, tables

CONTRACT = {
    "articles": "article_id source_uri url title publisher author published_at language text duplicate_of relevance "
    "batch_id schema_version pipeline_version model_version",
    "companies": "article_id mention_id start end surface company_id company_name kind hq_country ticker linked "
    "sentence_index confidence parent_id",
    "autonomy_levels": "article_id start end surface level_min level_max plus explicit negated company_id company_name "
    "confidence",
    "locations": "article_id start end surface name kind country_code admin1 geoname_id latitude longitude confidence",
    "deals": "deal_id event_id article_id deal_type status parties locations level_min level_max amount currency "
    "announced_on effective_on effective_precision evidence evidence_start evidence_end confidence",
    "sightings": "article_id source_uri url publisher published_at batch_id fetched_at",
    "rejects": "source_uri item reason detail batch_id",
}


@pytest.mark.parametrize("table", CONTRACT)
def test_a_table_has_the_columns_of_the_data_contract_in_their_order(table: str) -> None:
    assert tables.SCHEMAS[table].names == CONTRACT[table].split()


@pytest.mark.parametrize("table", CONTRACT)
def test_every_column_says_what_it_means(table: str) -> None:
    assert all(field.metadata and len(field.metadata[b"description"]) > 10 for field in tables.SCHEMAS[table])


@pytest.mark.parametrize(
    ("record", "table"),
    [
        (records.CompanyMention, "companies"),
        (records.LevelMention, "autonomy_levels"),
        (records.LocationMention, "locations"),
        (records.Deal, "deals"),
        (records.Sighting, "sightings"),
        (records.Reject, "rejects"),
        (records.Document, "articles"),
    ],
)
def test_every_field_of_a_record_is_a_column(record: type, table: str) -> None:
    assert {field.name for field in fields(record)} <= set(tables.SCHEMAS[table].names)


def test_no_rows_give_typed_tables() -> None:
    made = tables.article_tables([], "b", VERSIONS) | tables.ledger_tables([], [], "b")
    assert {name: table.schema for name, table in made.items()} == dict(tables.SCHEMAS)
    assert not any(table.num_rows for table in made.values())


def test_one_article_gives_its_rows_in_every_table() -> None:
    read = extraction()
    made = tables.article_tables([read], "night", VERSIONS)
    assert {name: table.num_rows for name, table in made.items()} == dict.fromkeys(tables.ARTICLE_TABLES, 1)
    article, found = made["articles"].to_pylist()[0], made["deals"].to_pylist()[0]
    assert article["published_at"] == datetime(2026, 3, 1, tzinfo=UTC)
    assert (article["batch_id"], article["model_version"]) == ("night", "models")
    assert found["parties"] == [{"company_id": "volta-ride", "company_name": "Volta Ride", "role": "operator"}]
    assert found["locations"] == [{"name": "Oslo", "country_code": "NO", "geoname_id": "3143244"}]


def test_confidences_keep_four_decimals() -> None:
    made = tables.article_tables([extraction(deals=[deal(confidence=0.123456789)])], "b", VERSIONS)
    assert made["deals"]["confidence"].to_pylist() == [0.1235]


def test_the_mention_id_is_the_same_in_every_run() -> None:
    first, second = (tables.article_tables([extraction()], batch, VERSIONS)["companies"] for batch in ("one", "two"))
    assert first["mention_id"] == second["mention_id"]


def test_a_record_with_a_field_that_no_column_holds_is_an_error() -> None:
    with pytest.raises(KeyError, match="colour"):
        tables._table([{"article_id": "a", "colour": "red"}], pa.schema([("article_id", pa.string())]))


def test_missing_is_null_and_stays_null_in_pandas() -> None:
    frame = tables.article_tables(bare([document()]), "b", VERSIONS)["articles"].to_pandas()
    assert frame.url.isna().all()
    assert frame.duplicate_of.isna().all()


def test_a_copy_of_an_absent_article_is_a_copy_of_nothing() -> None:
    first, other = document("first"), document("other")
    copies = [document("second", duplicate_of=first.article_id), document("third", duplicate_of=other.article_id)]
    articles = tables.article_tables(bare(copies), "b", VERSIONS)["articles"]
    cleared = tables.without_copies_of(articles, [first.article_id])
    assert cleared["duplicate_of"].to_pylist() == [None, other.article_id]
    assert cleared.schema == tables.ARTICLES


_OPTIONAL = st.none() | st.text(min_size=1)
_DOCUMENTS = st.builds(
    records.Document,
    article_id=st.text(min_size=1),
    source_uri=st.text(min_size=1),
    text=st.text(min_size=1),
    url=_OPTIONAL,
    title=_OPTIONAL,
    publisher=_OPTIONAL,
    author=_OPTIONAL,
    published_at=st.none() | st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
    language=st.none() | st.just("en"),
    duplicate_of=_OPTIONAL,
)


@given(st.lists(_DOCUMENTS))
def test_documents_survive_the_way_to_a_worker(documents: list[records.Document]) -> None:
    assert list(tables.documents_of(tables.document_table(documents))) == documents


@given(st.lists(_DOCUMENTS))
def test_stored_articles_give_back_their_documents(documents: list[records.Document]) -> None:
    stored = tables.article_tables(bare(documents), "b", VERSIONS)["articles"]
    assert list(tables.documents_of(stored)) == documents


def test_ledger_tables_hold_a_row_for_each_delivery_and_each_reject() -> None:
    made = tables.ledger_tables([sighting(document()), sighting(document(), "news/copy.txt")], [reject()], "b")
    assert made["sightings"]["source_uri"].to_pylist() == ["news/a.txt", "news/copy.txt"]
    assert made["rejects"]["item"].to_pylist() == [None]


def test_the_data_dictionary_in_docs_is_the_one_of_this_code() -> None:
    written = Path(__file__).parents[1] / "docs" / "data-dictionary.md"
    assert written.read_text(encoding="utf-8") == tables.data_dictionary(), "run: make dictionary"

"""What cannot be right is refused, and the message says which row."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest
from batch_factories import VERSIONS, company, deal, document, extraction, level, location, reject, sighting

from pipeline import checks, tables
from pipeline.records import Extraction, Party
from pipeline.tables import article_tables, ledger_tables


def test_right_rows_pass() -> None:
    made = article_tables([extraction()], "b", VERSIONS) | ledger_tables([sighting(document())], [reject()], "b")
    assert checks.check_tables(made) is None


def test_no_rows_pass() -> None:
    assert checks.check_tables(article_tables([], "b", VERSIONS)) is None


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (extraction(companies=[company(start=1)]), r"companies: .*text\[1:10\] is 'olta Ride'"),
        (extraction(companies=[company(end=99, surface=document().text[:99] + "!")]), "not the surface"),
        (extraction(companies=[company(start=5, end=5, surface="")]), "surface is an empty string"),
        (extraction(companies=[company(confidence=1.2)]), "confidence is 1.2, not 0 to 1"),
        (extraction(companies=[company(confidence=float("nan"))]), "confidence is nan"),
        (extraction(companies=[company(), company()]), "mention_id is not unique"),
        (extraction(companies=[replace(company(), hq_country="Norway")]), "hq_country 'Norway'"),
        (extraction(companies=[replace(company(), ticker="VOLTA")]), "ticker 'VOLTA' is not MIC:SYMBOL"),
        (extraction(companies=[replace(company(), kind="bakery")]), "kind is 'bakery'"),
        (extraction(levels=[level(4, 3)]), "level 4 to 3"),
        (extraction(levels=[level(3, 6)]), "level 3 to 6"),
        (extraction(levels=[replace(level(), company_name=None)]), "company_id without company_name"),
        (extraction(locations=[location(country_code="NOR")]), "country_code 'NOR'"),
        (extraction(locations=[location(latitude=None)]), "one coordinate without the other"),
        (extraction(locations=[location(latitude=591.0)]), "not on Earth"),
        (extraction(deals=[deal(deal_type="marriage")]), "deal_type is 'marriage'"),
        (extraction(deals=[replace(deal(), status="maybe")]), "status is 'maybe'"),
        (extraction(deals=[replace(deal(), parties=())]), "without a party"),
        (extraction(deals=[replace(deal(), parties=(Party("v", "V", "a"), Party("v", "V", "b")))]), "a party twice"),
        (extraction(deals=[replace(deal(), currency=None)]), "amount is 2000000.0, currency is None"),
        (extraction(deals=[replace(deal(), amount=float("inf"))]), "amount is inf"),
        (extraction(deals=[replace(deal(), currency="euro")]), "currency 'euro'"),
        (extraction(deals=[replace(deal(), evidence="Oslo")]), "not the evidence 'Oslo'"),
        (extraction(deals=[replace(deal(), level_max=None)]), "level_max is None"),
        (extraction(deals=[replace(deal(), effective_precision="year")]), "effective_on is None"),
        (extraction(deals=[deal(), deal()]), "deal_id is not unique"),
        (replace(extraction(), relevance=-0.1), "relevance is -0.1"),
    ],
)
def test_a_row_that_cannot_be_right_is_named(read: Extraction, message: str) -> None:
    with pytest.raises(checks.CheckError, match=message):
        checks.check_tables(article_tables([read], "b", VERSIONS))


def test_the_message_names_the_article_and_the_words() -> None:
    read = extraction(companies=[company(confidence=2.0)])
    with pytest.raises(
        checks.CheckError, match=rf"companies: article_id {read.document.article_id}, 'Volta Ride' at 0"
    ):
        checks.check_tables(article_tables([read], "b", VERSIONS))


def test_a_long_list_of_problems_is_cut() -> None:
    many = [extraction(document(f"{document().text} {n}"), companies=[company(confidence=2.0)]) for n in range(9)]
    with pytest.raises(checks.CheckError, match="and 4 more"):
        checks.check_tables(article_tables(many, "b", VERSIONS))


def test_a_row_of_an_article_that_is_not_there_is_refused() -> None:
    made = article_tables([extraction()], "b", VERSIONS)
    made["articles"] = tables.ARTICLES.empty_table()
    with pytest.raises(checks.CheckError, match="no such article"):
        checks.check_tables(made)


def test_a_null_where_none_may_be_is_refused() -> None:
    article = {**article_tables([extraction()], "b", VERSIONS)["articles"].to_pylist()[0], "text": None}
    with pytest.raises(checks.CheckError, match="articles: 1 rows without text"):
        checks.check_tables({"articles": pa.Table.from_pylist([article], schema=tables.ARTICLES)})


def test_a_table_of_other_columns_is_refused() -> None:
    with pytest.raises(checks.CheckError, match="rejects: the columns are not those of the schema"):
        checks.check_tables({"rejects": tables.SIGHTINGS.empty_table()})


def test_items_read_are_sightings_and_rejects() -> None:
    assert checks.check_counts("b", items=5, sightings=3, rejects=2) is None
    with pytest.raises(checks.CheckError, match="5 items read, but 3 sightings \\+ 1 rejects"):
        checks.check_counts("b", items=5, sightings=3, rejects=1)


def test_an_article_exists_once_over_all_batches() -> None:
    assert checks.check_articles("b", own=["x"], elsewhere=["y"], sighted=["x", "y", "y"]) is None
    with pytest.raises(checks.CheckError, match="article x of batch b is there twice"):
        checks.check_articles("b", own=["x"], elsewhere=["x"], sighted=["x"])
    with pytest.raises(checks.CheckError, match="there twice"):
        checks.check_articles("b", own=["x", "x"], elsewhere=[], sighted=["x"])


def test_a_sighting_has_its_article() -> None:
    with pytest.raises(checks.CheckError, match="no article z"):
        checks.check_articles("b", own=["x"], elsewhere=[], sighted=["x", "z"])


def test_an_identifier_is_there_once_over_all_shards() -> None:
    assert checks.check_unique("deals", "deal_id", ["a", "b"]) is None
    with pytest.raises(checks.CheckError, match="deals: deal_id a is there 2 times"):
        checks.check_unique("deals", "deal_id", ["a", "b", "a"])

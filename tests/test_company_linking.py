"""Linking: spellings of public lists, ordinary words, names in other scripts, and articles of other years."""

from __future__ import annotations

import csv
from datetime import UTC, datetime

import pytest
import spacy

from benchmarks import company_identity
from benchmarks.ordinary_names import GOLD, count, read
from corpora.annotations import read_records
from pipeline import settings
from pipeline.extract.companies import find_companies
from pipeline.gazetteer import load_register
from pipeline.link.companies import identity_form, link_name, unknown_company_id
from pipeline.records import CompanyMention, Document, NameSpan

REGISTER = load_register()
NLP = spacy.blank("en")
NLP.add_pipe("sentencizer")


def find(text: str, *names: str, year: int | None = None) -> list[CompanyMention]:
    """Rows for ``text`` published in the middle of ``year``, with ``names`` read as companies."""
    spans = [
        NameSpan(start, start + len(name), "COMPANY", 0.95, "classifier")
        for name in names
        for start in range(len(text))
        if text.startswith(name, start)
    ]
    published = datetime(year, 7, 1, tzinfo=UTC) if year else None
    document = Document(article_id="a", source_uri="a.txt", text=text, published_at=published)
    return find_companies(document, NLP(text), spans, REGISTER, settings.load())


with (GOLD.parent / "permit_holders.csv").open(encoding="utf-8", newline="") as file:
    PERMIT_HOLDERS = [(row["spelling"], row["company_id"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize(("spelling", "company_id"), PERMIT_HOLDERS)
def test_holders_of_californian_permits_are_linked(spelling: str, company_id: str) -> None:
    rows = find(f"The department issued a permit to {spelling} after a review of the safety plan.", spelling)
    assert {row.company_id for row in rows if row.linked} == {company_id}


@pytest.mark.slow
def test_ordinary_words_are_firms_only_where_more_says_so() -> None:
    sentences = read_records(GOLD)
    right, wrong, missing = count(sentences, read(sentences))
    assert len(sentences) >= 200
    assert sum(not item["companies"] for item in sentences) >= len(sentences) / 2
    assert right / (right + len(wrong)) >= 0.95, wrong
    assert right / (right + len(missing)) >= 0.9, missing


@pytest.mark.parametrize(
    ("name", "company_id"),
    [
        ("Space X", "spacex"),
        ("AT and T", "at-and-t"),
        ("Goldman, Sachs and Co", "goldman-sachs"),
        ("Waymo Technologies", "waymo"),
        ("小马智行", "pony-ai"),
        ("百度公司", "baidu"),
        ("株式会社小松製作所", None),
        ("トヨタ自動車株式会社", "toyota"),
        ("(주)카카오모빌리티", "kakao-mobility"),
        ("현대자동차 주식회사", "hyundai"),
        ("AB Volvo", "volvo-group"),
        # a risky first word is not enough, and another firm's name is no unit's
        ("Aurora Cannabis", None),
        ("Plus Robotics", None),
        ("Apple Bank", None),
        ("Bank of China Group", "bank-of-china"),
        ("North America", None),
        ("General Technologies", None),
    ],
)
def test_whole_names_are_linked_where_they_are_certain(name: str, company_id: str | None) -> None:
    assert link_name(name, REGISTER) == company_id


@pytest.mark.parametrize(
    ("names", "company_id"),
    [
        (
            ["Kestrel Robotics Inc", "Kestrel Robotics", "Kestrel", "KESTREL", "Kestrel.ai", "Kestrel AI Ltd."],
            "x-kestrel",
        ),
        (["Blue Harbor Mobility", "Blue Harbor"], "x-blue-harbor"),
        # the trade tells these apart from a robot maker of the same name
        (["Kestrel Bank"], "x-kestrel-bank"),
        (["Kestrel Foods Inc"], "x-kestrel-foods"),
        # the first word is many firms'
        (["General Robotics"], "x-general-robotics"),
        (["Red Robotics"], "x-red-robotics"),
        (["Advanced Mobility Systems"], "x-advanced-mobility-systems"),
    ],
)
def test_a_firm_outside_the_register_has_one_id(names: list[str], company_id: str) -> None:
    assert {unknown_company_id(name) for name in names} == {company_id}


def test_identity_form_keeps_what_cannot_stand_alone() -> None:
    assert identity_form("AI Robotics") == "ai robotics"
    assert identity_form("Oxa Robotics") == "oxa robotics"  # three letters are many firms'


def test_one_firm_has_one_id_whichever_name_an_article_uses() -> None:
    short = find("Kestrel said its shuttles will run in Bergen.", "Kestrel")
    long = find("Kestrel Robotics Inc. said its shuttles will run in Bergen.", "Kestrel Robotics Inc")
    assert {row.company_id for row in short + long} == {"x-kestrel"}


@pytest.mark.parametrize(
    ("year", "text", "name", "expected"),
    [
        (2018, "Oxbotica raised money for its trucks.", "Oxbotica", ("oxa", "Oxa", None)),
        (2024, "Oxbotica, now Oxa, raised money.", "Oxbotica", ("oxa", "Oxa", None)),
        (2018, "Cruise said its cars will carry riders.", "Cruise", ("cruise", "Cruise", "general-motors")),
        (2012, "Fisker said its sedan catches no fire.", "Fisker", ("fisker-automotive", "Fisker Automotive", None)),
        (2021, "Fisker said its crossover sells well.", "Fisker", ("fisker", "Fisker", None)),
        (2010, "Daimler Trucks said orders fell.", "Daimler Trucks", ("daimler", "Daimler", None)),
        (2022, "Daimler Trucks said orders fell.", "Daimler Trucks", ("daimler-truck", "Daimler Truck", None)),
        (2016, "Facebook said its servers run on wind.", "Facebook", ("meta", "Meta", None)),
        (1999, "Cruise said its boilers sell well.", "Cruise", ("x-cruise", "Cruise", None)),  # no car firm yet
    ],
)
def test_an_article_is_read_as_of_its_year(
    year: int, text: str, name: str, expected: tuple[str, str, str | None]
) -> None:
    row = next(row for row in find(text, name, year=year) if row.surface == name)
    assert (row.company_id, row.company_name, row.parent_id) == expected


def test_a_ticker_symbol_is_the_firm_only_where_the_article_names_it() -> None:
    rows = find("Tesla fell again. TSLA said nothing more.", "Tesla", "TSLA")
    assert {row.company_id for row in rows} == {"tesla"}
    assert not any(row.linked for row in find("TSLA said nothing more.", "TSLA"))


def test_the_first_word_of_a_long_name_is_the_same_firm() -> None:
    rows = find("Starsky Robotics raised $16 million. Then Starsky said it would close.", "Starsky Robotics", "Starsky")
    assert {row.company_id for row in rows} == {"starsky-robotics"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("A council in Aurora, Colorado, voted against it.", ["Aurora"]),
        ("The Amazon rainforest shrinks.", []),
        ("Kodiak bears are shy.", []),
        ("Lime trees line the road.", []),
    ],
)
def test_what_shares_a_firms_word_is_no_firm(text: str, names: list[str]) -> None:
    spans = [NameSpan(text.find("Colorado"), text.find("Colorado") + 8, "PLACE", 0.9, "classifier")]
    spans += [NameSpan(text.find(name), text.find(name) + len(name), "COMPANY", 0.6, "spacy") for name in names]
    document = Document(article_id="a", source_uri="a.txt", text=text)
    assert find_companies(document, NLP(text), spans, REGISTER, settings.load()) == []


@pytest.fixture(scope="module")
def annotated() -> list[company_identity.Read]:
    judged = {link["article"] for link in company_identity.read_links()}
    items = [item for item in company_identity.articles(company_identity.DATA) if item["id"] in judged]
    if not items:
        pytest.skip(f"{company_identity.DATA} holds no annotated articles; they are their publishers'")
    return company_identity.read(items)


@pytest.mark.slow
class TestAnnotatedArticles:
    """The floors of ``benchmarks/company_identity.py``, where the third-party articles are."""

    def test_mentions_of_registered_companies_are_linked(self, annotated: list[company_identity.Read]) -> None:
        total, missed = company_identity.linked_mentions(annotated, REGISTER)
        assert missed.total() <= 0.03 * total

    def test_links_that_were_judged_by_reading_are_right(self, annotated: list[company_identity.Read]) -> None:
        links = company_identity.read_links()
        assert len(links) == 300
        wrong = company_identity.wrong_links(annotated, links)
        assert len(wrong) <= 0.02 * len(links), wrong


def test_two_ids_of_one_name_and_two_names_of_one_id_are_faults() -> None:
    pairs = {
        ("Tern", "x-tern"): 3,
        ("Tern", "x-turn"): 1,
        ("Skua", "skua"): 2,
        ("Skua AB", "skua"): 1,
        ("Gull", "gull"): 1,
    }
    companies, faults = company_identity.split_or_merged(
        pairs, {("Tern", "x-tern"), ("Skua", "skua"), ("Skua AB", "skua")}
    )
    assert companies == 4
    assert faults == ["Tern: Tern = x-turn"]

"""Cleaning, identity, language and refusals, each as a text and what becomes of it."""

import textwrap
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline import settings as settings_module
from pipeline.prepare import clean_line, clean_text, identify_language, identity, prepare, with_title
from pipeline.records import Article, Document, Reject, Sighting

SETTINGS = settings_module.load()
STORY = "Northgate Motors will test driverless vans in Leeds next spring, the company said on Tuesday."


def prepared(text: str, **fields: str) -> Document:
    result = prepare(Article("a.txt", text, **fields), SETTINGS)  # type: ignore[arg-type]
    assert isinstance(result, tuple), result
    return result[0]


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("one\n\n\n two \n\t\n", "one\ntwo"),
        ("self\u00addriving ro\u200bbo\u2060taxi\ufeff", "selfdriving robotaxi"),
        ("Level\u00a04  and\u2009L2+\tnow", "Level 4 and L2+ now"),
        ("a\x00b\x07c\x7fd\x9fe", "abcde"),
        ("Cafe\u0301", "Café"),  # NFC
        ("½ of 100 m²", "½ of 100 m²"),  # and not NFKC, which would make it 1⁄2 and m2
        ("Smith &amp; Sons&#8217; vans &amp;amp; cabs", "Smith & Sons’ vans & cabs"),
        ("AT&T and R&D; Q&A", "AT&T and R&D; Q&A"),  # no entities
        ("\u202eright to left\u202c", "right to left"),
        ("👩\u200d🚀 drives", "👩🚀 drives"),
        ("broken \ud800 half", "broken half"),
        (" \n\u200b\x00", ""),
    ],
)
def test_clean_text(text: str, cleaned: str) -> None:
    assert clean_text(text) == cleaned


WRAPPED = """\
  Northgate Motors, which builds electric vans in the north of
England, will put twenty driverless vehicles on the roads of
Leeds next spring, the company said in a statement on Tuesday.
  The vans are to carry parcels between two depots at night and
will have an operator on board for the first six months of the
trial, according to a plan that the city council has approved.
  Rivals are watching closely. Two of them have asked for leave
to run trials of their own before the end of the coming year.
"""


def test_hard_wrapped_paragraphs_become_lines() -> None:
    lines = clean_text(WRAPPED).split("\n")
    assert [line.split()[0] for line in lines] == ["Northgate", "The", "Rivals"]
    assert clean_text(WRAPPED.replace("  ", "\n")).split("\n") == lines  # empty lines instead of indents


@pytest.mark.parametrize("columns", [60, 72, 80, 90, 100])
def test_the_width_of_wrapped_text_does_not_matter(columns: int) -> None:
    paragraphs = [f"{line} {line}" for line in clean_text(WRAPPED).split("\n")]
    wrapped = "\n\n".join(textwrap.fill(paragraph, columns) for paragraph in paragraphs)
    assert clean_text(wrapped).split("\n") == paragraphs


def test_a_line_a_paragraph_stays() -> None:
    lines = [f"Paragraph {n} about one of the vans that Northgate built" for n in range(9)]
    assert clean_text("\n".join(lines)).split("\n") == lines
    assert clean_text("\n\n".join(lines)).split("\n") == lines


def test_a_list_of_headlines_is_not_joined() -> None:
    headlines = [f"Northgate opens depot number {n} for its driverless vans in Leeds" for n in range(9)]
    assert clean_text("Today\n\n" + "\n".join(headlines)).split("\n") == ["Today", *headlines]


@given(st.text(max_size=300))
def test_cleaning_is_idempotent_and_leaves_no_control_characters(text: str) -> None:
    cleaned = clean_text(text)
    assert clean_text(cleaned) == cleaned
    assert cleaned == cleaned.strip()
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in cleaned if character != "\n")


@given(
    st.lists(st.sampled_from([*WRAPPED, "\n\n", "\n  ", "&amp;", "&", "amp;", "e\u0301", "\u200b", "\r"]), max_size=400)
)
def test_cleaning_is_idempotent_on_text_like_lines(parts: list[str]) -> None:
    cleaned = clean_text("".join(parts))
    assert clean_text(cleaned) == cleaned


@hypothesis_settings(max_examples=50, deadline=None)  # the first call loads the language model
@given(st.text(max_size=200), st.one_of(st.none(), st.text(max_size=60)))
def test_prepare_is_idempotent_on_its_own_output(text: str, title: str | None) -> None:
    first = prepare(Article("a.txt", f"{STORY} {text}", title=title), SETTINGS)
    if isinstance(first, Reject):
        return
    document = first[0]
    again = prepare(Article("a.txt", document.text, title=document.title), SETTINGS)
    assert isinstance(again, tuple)
    assert again[0] == document
    assert document.article_id == identity(document.text)


@pytest.mark.parametrize(
    ("text", "title", "first_line"),
    [
        (STORY, None, STORY),
        (STORY, "Northgate to test vans", "Northgate to test vans"),
        (f"Northgate to test vans\n{STORY}", "Northgate to test vans", "Northgate to test vans"),
        (f"NORTHGATE TO TEST VANS\n{STORY}", "Northgate To Test Vans", "NORTHGATE TO TEST VANS"),
        (f"May 4, 2025\nNorthgate to test vans\n{STORY}", "Northgate to test vans", "May 4, 2025"),
        ("", "Northgate to test vans", "Northgate to test vans"),
        (STORY, "…", STORY),  # nothing but punctuation tells nothing
    ],
)
def test_title_is_told_once(text: str, title: str | None, first_line: str) -> None:
    assert with_title(text, title).split("\n")[0] == first_line


def test_fields_are_cleaned_and_dated() -> None:
    result = prepare(
        Article(
            "news.jsonl#7", STORY, url=" https://example.com/a ", title="Vans\n for  Leeds", publisher="",
            author="A.\u00a0Writer", published="Nov 3, 2025 9:15 a.m. ET",
        ),
        SETTINGS,
    )  # fmt: skip
    assert isinstance(result, tuple)
    document, sighting = result
    assert document.title == "Vans for Leeds"
    assert document.author == "A. Writer"
    assert document.publisher is None
    assert document.language == "en"
    assert document.published_at == datetime(2025, 11, 3, 14, 15, tzinfo=UTC)
    assert sighting == Sighting(
        document.article_id, "news.jsonl#7", "https://example.com/a", None, document.published_at
    )


def test_the_same_text_is_one_article_wherever_it_came_from() -> None:
    one = prepared(STORY, publisher="Example Times", published="2025-10-06")
    two = prepared(STORY.replace(" ", "\u00a0 ") + "\r\n\r\n", url="https://example.org")
    assert one.article_id == two.article_id == identity(STORY)
    assert one.text == two.text
    assert prepared(STORY + " More.").article_id != one.article_id


def test_ids_are_frozen() -> None:
    """Rows of earlier runs are found by them."""
    assert identity(STORY) == "a80769d41e3cff20d58d6"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (" \n\u200b\t", "empty"),
        ("Short note.", "too_short"),
        ("Die Stadt hat am Dienstag beschlossen, fahrerlose Lieferwagen auf drei Linien zu erproben.", "not_english"),
        ("La société a annoncé mardi qu'elle testerait des camionnettes sans conducteur.", "not_english"),
        ("La empresa dijo el martes que probará furgonetas sin conductor en la ciudad.", "not_english"),
        (
            "公司周二表示，明年春天将在该市测试无人驾驶货车，目前正在等待监管部门的批准，预计将投入二十辆车进行夜间包裹运输。",
            "not_english",
        ),
        ("Компания сообщила во вторник, что весной испытает беспилотные фургоны.", "not_english"),
    ],
)
def test_refused(text: str, reason: str) -> None:
    result = prepare(Article("news.csv#3", text), SETTINGS)
    assert isinstance(result, Reject)
    assert (result.reason, result.source_uri, result.item) == (reason, "news.csv#3", "3")
    assert "news.csv#3" in result.detail


@pytest.mark.parametrize(
    "headline",
    [
        "Waymo, Uber expand robotaxi service to Atlanta and Austin",
        "Momenta, Uber to test L4 robotaxis in Munich in 2026",
        "Hyundai Mobis, Valeo team up on lidar for Kia SUVs",
        "Nio, Xpeng, Li Auto: Shanghai Q3 deliveries",
        "Volkswagen MOIA Buzz AD wins KBA permit in Hamburg",
    ],
)
def test_headlines_full_of_names_are_english(headline: str) -> None:
    assert identify_language(headline, ("en",)) == "en"


def test_other_languages_are_a_setting() -> None:
    german = "Die Stadt hat am Dienstag beschlossen, fahrerlose Lieferwagen auf drei Linien zu erproben."
    assert identify_language(german, ("en", "de")) == "de"
    assert identify_language(STORY, ("en", "de")) == "en"


def test_a_text_too_long_for_one_document_is_oversized() -> None:
    settings = replace(SETTINGS, reading=replace(SETTINGS.reading, max_chars=200))
    result = prepare(Article("a.txt", STORY * 3), settings)
    assert isinstance(result, Reject)
    assert result.reason == "oversized"


def test_clean_line() -> None:
    assert clean_line("  a\nb  ") == "a b"
    assert clean_line("\u200b") is None
    assert clean_line(None) is None

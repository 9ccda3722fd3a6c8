"""Relevance: how much an article is about automated driving or its business."""

import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.extract.relevance import HALF_LENGTH, TERMS, relevance
from pipeline.records import CompanyMention, Document, LevelMention

with TERMS.open(encoding="utf-8", newline="") as file:
    ROWS = list(csv.DictReader(file))
FILLER = "The weather stayed mild over the hills and the market opened late."


def score(text):
    return relevance(Document("a", "news/a.txt", text))


@pytest.mark.parametrize(
    "text",
    [
        "Volta tests robotaxis\nThe self-driving cars carry guests in Bonn.",
        "Kestrel raises money\nThe maker of driverless trucks takes 4 million euros for autonomous driving software.",
        "Rules for automated driving\nThe ministry allows Level 4 shuttles on public roads.",
    ],
)
def test_articles_about_automated_driving(text):
    assert score(text) > 0.5


@pytest.mark.parametrize(
    "text",
    [
        "",
        FILLER,
        "More power for the islands\nThe region has asked the capital for autonomy.",  # political
        "Truck drivers strike\nDrivers of trucks and taxis want higher pay.",
        "Robots pick berries\nA farm lets an autonomous robot pick berries.",
        "The robotaxiing of nothing\nUndriverlessly put.",  # inside other words
    ],
)
def test_articles_about_something_else(text):
    assert score(text) < 0.5


def mention(kind):
    return CompanyMention(0, 5, "Volta", "volta", "Volta", kind, None, None, True, 0, 0.9)


def stated(explicit):
    return LevelMention(12, 19, "Level 4", 4, 4, False, explicit, False, None, None, 0.9)


@pytest.mark.parametrize(
    ("companies", "levels", "on_topic"),
    [
        ([], [stated(True)], True),
        ([], [stated(False)], False),  # implied by a word that counts as a term where it is one
        ([mention("developer")], [], False),  # news of its hiring is not yet news of driving
        ([mention("automaker")], [], False),
        ([mention("developer")], [stated(True)], True),
    ],
)
def test_short_news_is_on_topic_by_a_stated_level(companies, levels, on_topic):
    text = "Volta said it tests vans in Bonn.\nThe region welcomes it."
    assert (relevance(Document("a", "news/a.txt", text), companies, levels) > 0.5) is on_topic


def test_terms_are_spelled_as_they_are_looked_for():
    assert [row["term"] for row in ROWS if row["term"] != row["term"].casefold().strip()] == []
    assert len({row["term"] for row in ROWS}) == len(ROWS)
    assert all(0 < float(row["weight"]) <= 3 for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=[row["term"] for row in ROWS])
def test_every_term_counts_in_any_case_and_in_the_plural(row):
    plain = score(f"{FILLER}\nx")
    assert score(f"{FILLER}\n{row['term']}") > plain
    assert score(f"{FILLER}\n{row['term'].upper()}S") > plain


def test_the_headline_counts_twice():
    assert score("Driverless vans\nThe firm grows.") > score("The firm grows\nDriverless vans.") > 0


def test_one_word_in_every_line_does_not_outweigh_a_varied_text():
    assert score("News\n" + "driverless " * 3) == score("News\n" + "driverless " * 50)
    assert score("News\n" + "autonomy " * 5) < score("News\nautonomy autonomously autonomous lidar adas")


def test_a_longer_text_needs_more():
    short = "News\nOne driverless van."
    assert score(short) == score(short + " so" * (HALF_LENGTH - 10))  # short texts are not scored up
    assert score(short) > score(short + " so" * 2 * HALF_LENGTH)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(max_size=6), st.sampled_from([row["term"] for row in ROWS]), st.sampled_from(["\n", " ", "s"])
        )
    ).map("".join)
)
def test_any_text_has_a_score(text):
    assert 0 <= score(text) <= 1
    assert score(text) == round(score(text), 4)

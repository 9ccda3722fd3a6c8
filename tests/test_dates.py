"""Dates: what is said about time, never more exact than it is said; when a deal takes effect, when it was announced."""

import time
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.extract.dates import find_dates
from pipeline.extract.deal_dates import announced_date, effective_date

PUBLISHED = datetime(2025, 10, 8, 12, tzinfo=UTC)  # a Wednesday


def read(text, published=PUBLISHED):
    return [(m.surface, m.date.isoformat(), m.precision) for m in find_dates(text, published)]


@pytest.mark.parametrize(
    ("text", "surface", "day", "precision"),
    [
        ("Signed on October 6, 2025.", "October 6, 2025", "2025-10-06", "day"),
        ("Signed on 6 Oct. 2025.", "6 Oct. 2025", "2025-10-06", "day"),
        ("Signed 2025-10-06 in Bonn.", "2025-10-06", "2025-10-06", "day"),
        ("It opens in March 2026.", "March 2026", "2026-03-01", "month"),
        ("It opens in 2028.", "2028", "2028-01-01", "year"),
        ("It wants 500 vans by 2030.", "2030", "2030-01-01", "year"),
        ("It opens in Q3 2026.", "Q3 2026", "2026-07-01", "quarter"),
        ("From the second quarter of next year.", "the second quarter of next year", "2026-04-01", "quarter"),
        ("In the second half of 2026.", "the second half of 2026", "2026-07-01", "half"),
        ("It was profitable in the second half.", "the second half", "2025-07-01", "half"),
        ("Production by late 2027.", "late 2027", "2027-07-01", "half"),
        ("Production in early 2027.", "early 2027", "2027-01-01", "half"),
        ("Production in mid-2027.", "mid-2027", "2027-01-01", "year"),
        ("At the end of 2026 it stops.", "the end of 2026", "2026-10-01", "quarter"),
        ("By the end of 2026 it stops.", "the end of 2026", "2026-01-01", "year"),
        ("It starts next year.", "next year", "2026-01-01", "year"),
        ("It starts within two years.", "two years", "2027-01-01", "year"),
        ("They met three months ago.", "three months ago", "2025-07-01", "month"),
        # that week began in September: no month holds it
        ("They met last week.", "last week", "2025-07-01", "half"),
        ("They meet next week.", "next week", "2025-10-01", "month"),
        ("Launch: 3Q26", "3Q26", "2026-07-01", "quarter"),
        ("A third-quarter start in 2026.", "third-quarter start in 2026", "2026-07-01", "quarter"),
        ("The fiscal year ending in March 2027.", "fiscal year ending in March 2027", "2026-04-01", "year"),
        ("It starts on 1/24/2026.", "1/24/2026", "2026-01-24", "day"),
        ("It started on 30.6.2025.", "30.6.2025", "2025-06-30", "day"),
        ("It plans a 2026 launch.", "2026", "2026-01-01", "year"),
        ("It will start on Saturday, January 24.", "January 24", "2026-01-24", "day"),
        ("It opened this summer.", "this summer", "2025-07-01", "quarter"),
        ("It has run since the spring of 2024.", "spring of 2024", "2024-04-01", "quarter"),
        ("They signed last Tuesday.", "last Tuesday", "2025-10-07", "day"),
        ("The firms said on Monday.", "Monday", "2025-10-06", "day"),
        ("Rides are sold from Monday.", "Monday", "2025-10-13", "day"),
        ("They signed yesterday.", "yesterday", "2025-10-07", "day"),
        ("On the 3rd the firms announced it.", "the 3rd", "2025-10-03", "day"),
        ("On the 24th the firms announced it.", "the 24th", "2025-09-24", "day"),
        # a month without a year is the nearest one that fits the tense
        ("It opened in September.", "September", "2025-09-01", "month"),
        ("It will open in September.", "September", "2026-09-01", "month"),
        ("In March the pair dropped the plan.", "March", "2025-03-01", "month"),
        ("BONN, March 4 - The maker of vans grew.", "March 4", "2025-03-04", "day"),
    ],
)
def test_dates(text, surface, day, precision):
    assert read(text) == [(surface, day, precision)]


@pytest.mark.parametrize(
    "text",
    [
        "The 2021 Camry and the 2026 model year.",
        "At Euro 2020 and Expo 2025 they drove shuttles.",
        "It built 2025 cars and sold 2,025 more for $2026.",
        "The contract runs for four years.",
        "Over the next five years nothing happens.",
        "He may march on.",
        "Prices fall in spring-loaded doors.",
        "The Sunday Times wrote about it.",
        "On February 30, 2025 nothing happened.",
        "On 3/4/2025 it met.",
        "In the late 1990s.",
        "Staff of Monday.com ride on Sundays.",
    ],
)
def test_no_date(text):
    assert read(text) == []


@pytest.mark.parametrize(
    "text", ["last Tuesday", "in September", "next year", "this summer", "two years ago", "on Monday"]
)
def test_relative_expressions_need_a_time_of_publication(text):
    assert read(text, None) == []
    assert read(text) != []


def spans(evidence):
    text = f"Before it. {evidence} After it."
    start = text.index(evidence)
    return text, (start, start + len(evidence)), find_dates(text, PUBLISHED)


@pytest.mark.parametrize(
    ("status", "evidence", "expected"),
    [
        ("planned", "Rollo will start rides in Bonn from April.", ("2026-04-01", "month")),
        ("agreed", "Rollo said on Monday it would deliver 60 vans from 2027.", ("2027-01-01", "year")),
        ("agreed", "Rollo and Bolder signed the contract on Monday.", None),
        ("active", "Rollo has carried passengers in Bonn since May.", ("2025-05-01", "month")),
        ("active", "Rollo, founded in 2016, runs 40 vans in Bonn.", None),
        ("active", "Rollo runs 40 vans in Bonn until 2027.", None),
        ("completed", "Rollo closed the round on Friday.", ("2025-10-03", "day")),
        ("completed", "In 2023 Bolder bought Rollo.", ("2023-01-01", "year")),
        ("cancelled", "Rollo gave back its permit in 2024 and may apply again in 2027.", ("2024-01-01", "year")),
        ("planned", "Rollo will start rides in Bonn.", None),
        # the day of a dateline or of an announcement is not the deal's
        ("active", "BONN, Oct. 6, 2025 /WireDesk/ -- Rollo drives in Bonn.", None),
        ("completed", "Rollo said on Monday that it had bought Bolder on September 30.", ("2025-09-30", "day")),
        ("planned", "Rollo said in September it would come to Bonn in 2026.", ("2026-01-01", "year")),
        # denied, open to one side, or about something else
        ("planned", "Rollo will not come to Bonn in 2026.", None),
        ("planned", "Rollo will come to Bonn not in 2026 but in 2027.", ("2027-01-01", "year")),
        ("planned", "Rollo will come to Bonn before March.", None),
        ("planned", "Rollo will come to Bonn before the end of March.", ("2026-03-01", "month")),
        ("planned", "Rollo will come to Bonn in 2028 or later.", None),
        ("planned", "Rollo delayed its start from 2026 to 2027.", ("2027-01-01", "year")),
        ("cancelled", "Rollo, which came to Bonn in 2021, left in 2024.", ("2024-01-01", "year")),
        ("completed", "Rollo bought Bolder after a strike in May.", None),
        # the status settles the year of a month
        ("completed", "Bolder put money into Rollo in November.", ("2024-11-01", "month")),
        ("planned", "Bonn follows in Q2.", ("2026-04-01", "quarter")),
    ],
)
def test_when_a_deal_takes_effect(status, evidence, expected):
    text, span, dates = spans(evidence)
    found = effective_date(text, span, dates, PUBLISHED, status)
    assert (found and (found[0].isoformat(), found[1])) == expected


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        ("Rollo will start rides in Bonn, it said on Monday.", date(2025, 10, 6)),
        ("On the 3rd, Rollo announced an order by Bolder.", date(2025, 10, 3)),
        ("Rollo will start rides in Bonn from April.", PUBLISHED.date()),
        ("Rollo and Bolder work together.", PUBLISHED.date()),
        ("In 2023 Bolder bought Rollo.", None),
        ("Rollo has carried passengers since May.", None),
        # told as background: announced before, nobody says when
        ("Bolder bought Rollo eighteen months ago.", None),
        ("Bolder, which had bought Rollo, buys vans.", None),
        ("Rollo previously worked with Bolder.", None),
    ],
)
def test_when_a_deal_was_announced(evidence, expected):
    text, span, dates = spans(evidence)
    assert announced_date(text, span, dates, PUBLISHED) == expected


def test_without_a_time_of_publication_only_a_stated_day_is_an_announcement():
    text = "Rollo announced on 3 May 2024 that it buys vans. Bolder buys vans."
    dates = find_dates(text, None)
    assert announced_date(text, (0, 47), dates, None) == date(2024, 5, 3)
    assert announced_date(text, (48, len(text)), dates, None) is None


@pytest.mark.parametrize(
    "words", ["this morning", "the coming year", "next week", "the following month", "last quarter"]
)
def test_a_line_end_between_the_words_changes_nothing(words):
    (plain,), (wrapped,) = (find_dates(f"He moves {w} on.", PUBLISHED) for w in (words, words.replace(" ", "\n")))
    assert (wrapped.date, wrapped.precision) == (plain.date, plain.precision)


PIECES = st.sampled_from(
    [
        "in ",
        "May",
        " 2026",
        "by ",
        "31",
        " March",
        ", ",
        "next ",
        "year",
        "Monday",
        "the ",
        "half",
        " of ",
        "Q4",
        "end",
        "\n",
        "two weeks ago",
        "this ",
        "this\n",
        "morning",
        "coming ",
        "coming\n",
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES, max_size=12).map("".join), st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1)))
def test_spans_stand_in_the_text_and_begin_their_stretch(text, published):
    starts = {"month": (None, 1), "quarter": ((1, 4, 7, 10), 1), "half": ((1, 7), 1), "year": ((1,), 1)}
    for mention in find_dates(text, published):
        assert text[mention.start : mention.end] == mention.surface
        if mention.precision != "day":
            months, day = starts[mention.precision]
            assert mention.date.day == day
            assert months is None or mention.date.month in months


@pytest.mark.parametrize("text", ["in May " * 3000, "2026 " * 6000, "the end of the " * 3000, "on Monday " * 3000])
def test_time_grows_with_the_text_only(text):
    start = time.perf_counter()
    find_dates(text, PUBLISHED)
    assert time.perf_counter() - start < 5.0

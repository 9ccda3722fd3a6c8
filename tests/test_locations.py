"""Which words of a text name a place."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import settings
from pipeline.extract.locations import find_locations
from pipeline.link.place_gazetteer import Gazetteer, load_gazetteer
from pipeline.records import Document, LocationMention, NameSpan


@pytest.fixture(scope="module")
def gazetteer() -> Gazetteer:
    return load_gazetteer()


DEFAULTS = settings.load()


def find(
    text: str, gazetteer: Gazetteer, names: dict[str, str] | None = None, organisations: tuple[str, ...] = ()
) -> list[LocationMention]:
    """``names``: surface -> label of the first occurrence, as another method would have found it."""
    spans = [
        NameSpan(text.index(name), text.index(name) + len(name), label, 0.9, "spacy")
        for name, label in (names or {}).items()
    ]
    firms = [(text.index(name), text.index(name) + len(name)) for name in organisations]
    return find_locations(Document("a", "a.txt", text), spans, firms, gazetteer, DEFAULTS)


@pytest.mark.parametrize(
    ("text", "surfaces"),
    [
        # names that the gazetteer is sure of need no other method
        ("The shuttle runs in Osaka, Nevada and the Netherlands.", ["Osaka", "Nevada", "Netherlands"]),
        ("It tests in the Middle East and in Silicon Valley.", ["Middle East", "Silicon Valley"]),
        ("The U.S. and the UK agreed; they told us so.", ["U.S.", "UK"]),
        # datelines, also in capitals
        ("DETROIT, Nov 3 (Wire) - The depot opens.", ["DETROIT"]),
        ("CUXHAVEN - The depot opens.", ["CUXHAVEN"]),
        # a smaller town where the text expects a place
        ("The depot in Kokomo opens.", ["Kokomo"]),
        ("The depot in Corpus Christi, Tex., opens.", ["Corpus Christi", "Tex."]),
        ("It maps Washington, D.C., and Washington DC roads.", ["Washington, D.C.", "Washington DC"]),
        ("Sales in eastern Europe and in Southeast Asia rose.", ["eastern Europe", "Southeast Asia"]),
        # the attribute with a hyphen names the place
        ("A Beijing-based developer hires.", ["Beijing"]),
        # nationalities, directions, months and currencies are no places
        ("The German maker hired Swedes and a South Korean supplier in August.", []),
        ("It paid 3 billion U.S. dollars, or US$3 billion.", []),
        # words and surnames that are also towns
        ("Progress at Mobile Systems pleased Warren and Madison.", []),
        # names of bodies and events that borrow a place
        ("The Detroit Auto Show and the Bank of England answered.", []),
        # one place, one row an occurrence
        ("Oslo first. Then Oslo again.", ["Oslo", "Oslo"]),
    ],
)
def test_places_of_a_text(text: str, surfaces: list[str], gazetteer: Gazetteer) -> None:
    assert [row.surface for row in find(text, gazetteer)] == surfaces


@pytest.mark.parametrize(
    ("text", "names", "organisations", "surfaces"),
    [
        # inside a longer name
        ("Tokyo Meridian Motors opens.", {}, ("Tokyo Meridian Motors",), []),
        ("Kim Houston opens it.", {"Kim Houston": "PERSON"}, (), []),
        # a surname that the text has told
        ("Rick Henderson spoke. Henderson left.", {"Rick Henderson": "PERSON", "Henderson": "PLACE"}, (), []),
        # what another method found
        ("The yard at Kokomo opens.", {"Kokomo": "PLACE"}, (), ["Kokomo"]),
        ("The yard, Reno, Nevada's best.", {"Reno, Nevada's": "PLACE"}, (), ["Reno", "Nevada"]),
        ("The yard of the French opens.", {"French": "PLACE"}, (), []),
        # an unlisted airport lies where its neighbours lie
        ("From Calgary to Qwxyz Airport.", {"Qwxyz Airport": "PLACE"}, (), ["Calgary", "Qwxyz Airport"]),
        ("From Calgary to Qwxyz.", {"Qwxyz": "PLACE"}, (), ["Calgary"]),
    ],
)
def test_other_names_decide(
    text: str, names: dict[str, str], organisations: tuple[str, ...], surfaces: list[str], gazetteer: Gazetteer
) -> None:
    assert [row.surface for row in find(text, gazetteer, names, organisations)] == surfaces


def test_an_unlisted_airport_has_a_country_and_no_record(gazetteer: Gazetteer) -> None:
    row = find("From Calgary to Qwxyz Airport.", gazetteer, {"Qwxyz Airport": "PLACE"})[1]
    assert (row.kind, row.country_code, row.geoname_id, row.latitude) == ("other", "CA", None, None)


PIECES = ["Paris", "the U.S.", "U.S.-based", "Washington, D.C.", "NEW YORK", "in", ",", " (", ")", "\n", "é", "South"]


@given(pieces=st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=25))
def test_rows_are_exact_ordered_and_apart(pieces: list[str], gazetteer: Gazetteer) -> None:
    text = " ".join(pieces)
    rows = find_locations(Document("a", "a.txt", text), [], [], gazetteer, DEFAULTS)
    assert all(text[row.start : row.end] == row.surface for row in rows)
    assert all(left.end <= right.start for left, right in pairwise(rows))
    assert all(0.0 <= row.confidence <= 1.0 for row in rows)

"""Which place a name means: population first, then what else the document says."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.link.place_gazetteer import Gazetteer, load_gazetteer
from pipeline.link.places import resolve


@pytest.fixture(scope="module")
def gazetteer() -> Gazetteer:
    return load_gazetteer()


def read(text: str, names: list[str], gazetteer: Gazetteer) -> list[tuple[str, str | None]]:
    """(canonical name, "country" or "country/division") of each name, in the order of the text."""
    spans, begin = [], 0
    for name in names:
        start = text.index(name, begin)
        begin = start + len(name)
        spans.append((start, begin, name))
    rows = resolve(spans, text, gazetteer)
    return [(row.name, f"{row.country_code}/{row.admin1}" if row.kind == "city" else row.country_code) for row in rows]


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        # alone, the large city
        ("A depot opens in Paris.", ["Paris"], [("Paris", "FR/Île-de-France")]),
        ("A depot opens in San Jose.", ["San Jose"], [("San Jose", "US/California")]),
        # the parent decides, as a name, an abbreviation or a postal code
        ("A depot opens in Paris, Texas.", ["Paris", "Texas"], [("Paris", "US/Texas"), ("Texas", "US")]),
        ("A depot opens in London, Ont., soon.", ["London", "Ont."], [("London", "CA/Ontario"), ("Ontario", "CA")]),
        ("A depot opens in Dublin, OH 43016.", ["Dublin"], [("Dublin", "US/Ohio")]),
        # and it decides for the later mentions of the name
        ("Moscow, Idaho, votes today. Moscow wants buses.", ["Moscow", "Idaho", "Moscow"],
         [("Moscow", "US/Idaho"), ("Idaho", "US"), ("Moscow", "US/Idaho")]),
        # the neighbours decide
        ("Vans serve Macon, Savannah and Athens in Georgia.", ["Macon", "Savannah", "Athens", "Georgia"],
         [("Macon", "US/Georgia"), ("Savannah", "US/Georgia"), ("Athens", "US/Georgia"), ("Georgia", "US")]),
        ("The ferry links Batumi and Poti in Georgia.", ["Batumi", "Poti", "Georgia"],
         [("Batumi", "GE/Ajaria"), ("Poti", "GE/Samegrelo-Zemo Svaneti"), ("Georgia", "GE")]),
        # a list of countries is no chain of parents, whatever villages those countries have
        ("Sales rose in China, Japan and Mexico.", ["China", "Japan", "Mexico"],
         [("China", "CN"), ("Japan", "JP"), ("Mexico", "MX")]),
        # the capital, unless the text speaks of the state
        ("Regulators in Washington met.", ["Washington"], [("Washington, D.C.", "US/District of Columbia")]),
        ("Seattle and Spokane lie in Washington state.", ["Seattle", "Spokane", "Washington"],
         [("Seattle", "US/Washington"), ("Spokane", "US/Washington"), ("Washington", "US")]),
        ("Plants in Albany, New York.", ["Albany", "New York"], [("Albany", "US/New York"), ("New York", "US")]),
        # abbreviations and other spellings
        ("Rides in SF and LA.", ["SF", "LA"], [("San Francisco", "US/California"), ("Los Angeles", "US/California")]),
        ("The U.K. and the UAE agreed.", ["U.K.", "UAE"], [("United Kingdom", "GB"), ("United Arab Emirates", "AE")]),
        ("From München to Goteborg.", ["München", "Goteborg"],
         [("Munich", "DE/Bavaria"), ("Gothenburg", "SE/Västra Götaland")]),
        # regions across borders have no country
        ("Talks in the Middle East.", ["Middle East"], [("Middle East", None)]),
        ("The EU decides.", ["EU"], [("European Union", None)]),
    ],
)  # fmt: skip
def test_reading(text: str, names: list[str], expected: list[tuple[str, str | None]], gazetteer: Gazetteer) -> None:
    assert read(text, names, gazetteer) == expected


def test_records_carry_geonames_ids_and_coordinates(gazetteer: Gazetteer) -> None:
    (row,) = resolve([(0, 13, "San Francisco")], "San Francisco", gazetteer)
    assert (row.geoname_id, row.country_code, row.admin1, row.kind) == ("5391959", "US", "California", "city")
    assert row.latitude == pytest.approx(37.775, abs=0.01)
    assert row.longitude == pytest.approx(-122.419, abs=0.01)


def test_an_unknown_name_stays_unresolved(gazetteer: Gazetteer) -> None:
    (row,) = resolve([(0, 10, "Qwxyzville")], "Qwxyzville", gazetteer)
    assert (row.name, row.geoname_id, row.country_code, row.latitude, row.confidence) == (
        "Qwxyzville", None, None, None, 0.0,
    )  # fmt: skip


def test_an_ambiguous_name_is_less_certain_than_a_told_one(gazetteer: Gazetteer) -> None:
    (alone,) = resolve([(0, 11, "Springfield")], "Springfield", gazetteer)
    (told,) = resolve([(0, 11, "Springfield")], "Springfield, Ill.", gazetteer)
    assert alone.confidence < 0.9 < told.confidence


def test_airport_codes_of_the_gazetteer_are_no_names(gazetteer: Gazetteer) -> None:
    assert not any(place.kind == "city" for place, _ in gazetteer.lookup("SJC"))


@given(st.text(max_size=40))
def test_lookup_takes_any_text(gazetteer: Gazetteer, name: str) -> None:
    for place, _ in gazetteer.lookup(name):
        assert place.name


def test_loading_is_quick() -> None:
    begun = time.process_time()
    load_gazetteer()
    assert time.process_time() - begun < 2.0  # 0.2 s on a free core

"""Levels: what is read as a SAE level, what is not, and what the text denies."""

import csv
import itertools
import re
import time
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.extract.levels import find_levels

ROWS = list(
    csv.DictReader(
        resources.files("corpora").joinpath("gazetteers/levels.csv").read_text(encoding="utf-8").splitlines()
    )
)


def explicit(text):
    return [(m.surface, m.level_min, m.level_max, m.plus) for m in find_levels(text) if m.explicit]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("Its Level 4 robotaxi carries guests.", [("Level 4", 4, 4, False)]),
        ("A Level-4 shuttle and an L3 car.", [("Level-4", 4, 4, False), ("L3", 3, 3, False)]),
        ("The van drives at level four.", [("level four", 4, 4, False)]),
        ("It is rated SAE Level 3 by its maker.", [("SAE Level 3", 3, 3, False)]),
        ("A system of J3016 Level 4.", [("J3016 Level 4", 4, 4, False)]),
        ("The sweeper works at automation level 4.", [("automation level 4", 4, 4, False)]),
        ("A shuttle of Level III automation.", [("Level III", 3, 3, False)]),
        ("L-4 pods roll through the park without a driver.", [("L-4", 4, 4, False)]),
        ("Permission for class 3 autonomous driving.", [("class 3", 3, 3, False)]),
        ("A third-level self-driving licence.", [("third-level", 3, 3, False)]),
        ("The level of automation is four.", [("level of automation is four", 4, 4, False)]),
        # plus: marketing for a strong Level 2
        ("An L2+ car and an L2++ one.", [("L2+", 2, 2, True), ("L2++", 2, 2, True)]),
        ("Hands-free Level 2 plus on motorways.", [("Level 2 plus", 2, 2, True)]),
        ("A Level 2-plus assistant for cars.", [("Level 2-plus", 2, 2, True)]),
        ("The brochure of the car says L2.9.", [("L2.9", 2, 2, True)]),
        ("The leaflet labels the car's assistant L2.0.", [("L2.0", 2, 2, False)]),
        # ranges are one item
        ("Lidars for Level 2 to 4 vehicles.", [("Level 2 to 4", 2, 4, False)]),
        ("Chips for L2-L4 cars.", [("L2-L4", 2, 4, False)]),
        ("Rules for vehicles of Levels 3 and 4.", [("Levels 3 and 4", 3, 4, False)]),
        ("Level 3 or Level 4 cars need a black box.", [("Level 3 or Level 4", 3, 4, False)]),
        ("A Level 3/4 driving function.", [("Level 3/4", 3, 4, False)]),
        ("Lamps on cars at Level 3 or higher.", [("Level 3 or higher", 3, 5, False)]),
        ("Cars of L3 and above need them.", [("L3 and above", 3, 5, False)]),
        ("Vehicles at level 2 or below are exempt.", [("level 2 or below", 0, 2, False)]),
        ("At least Level 3 is asked of every car.", [("At least Level 3", 3, 5, False)]),
        ("Cars above Level 2 need a permit.", [("above Level 2", 3, 5, False)]),
        ("Levels zero through five of driving automation.", [("Levels zero through five", 0, 5, False)]),
        # but distant levels that are only listed are two
        ("It sells L2 and L4 vehicles.", [("L2", 2, 2, False), ("L4", 4, 4, False)]),
        ("The gap between L2+ and L3 cars.", [("L2+", 2, 2, True), ("L3", 3, 3, False)]),
        # what lies beyond a strong Level 2 is Level 3
        ("The robotaxi firm aims beyond L2+ cars.", [("beyond L2+", 3, 5, False)]),
        # a number that follows may count something else
        ("A Level 4 truck and 3 vans.", [("Level 4", 4, 4, False)]),
        ("At Level 4 and 3 million kilometres, the robotaxi is ahead.", [("Level 4", 4, 4, False)]),
        # German, and text translated from Chinese
        ("Autonomes Fahren nach Stufe 4 kommt.", [("Stufe 4", 4, 4, False)]),
        ("Level-4-Fahrzeuge auf der Autobahn.", [("Level-4", 4, 4, False)]),
        ("It obtained the notice for L3-level automatic driving.", [("L3", 3, 3, False)]),
        ("城市道路 L4级 自动驾驶 robotaxi", [("L4", 4, 4, False)]),
    ],
)
def test_explicit_levels(text, rows):
    assert explicit(text) == rows


@pytest.mark.parametrize(
    "text",
    [
        "The garage got six Level 2 chargers for its electric vehicles.",
        "The driver was flown to a Level 1 trauma center.",
        "A new L4 engine drives the van.",
        "The car park of the robotaxi depot closes at ten, levels 2 and 3 only.",
        "The vehicle's processor has a larger L2 cache.",
        "A tier 1 supplier of automated cars.",
        "An entry-level car with 2 airbags.",
        "Level 3 assets of the carmaker were written down.",
        "He takes a Level 3 apprenticeship in vehicle repair.",
        "Level 4 lockdown keeps drivers at home.",
        "The software maker was assessed at ASPICE Level 2.",
        "The Lepas L4 is a compact car.",
        "L3Harris builds radios for military vehicles.",
        "Level 4 autonomous networks will run the phone company.",
        "Our level of confidence is five, said the driver.",
        "The truck passed a Level I inspection.",
        "Disc surgery at L4-L5 of the spine kept the driver at home.",
        "Prices fell to a level 2 percent below last year for cars.",
        "Chapter 3 and gate 5.",
    ],
)
def test_no_level(text):
    assert explicit(text) == []


def test_a_bare_level_needs_an_article_about_driving():
    assert explicit("He moved up to Level 4 yesterday.") == []
    assert explicit("He moved up to Level 4 yesterday. " + "x" * 400 + " The self-driving bus came later.") != []


def test_confidence_grades_the_evidence():
    sae, beside, passing = (
        find_levels(text)[0].confidence
        for text in ("SAE Level 4", "a Level 4 car", "the Level 4 thing" + " ." * 200 + " a self-driving bus")
    )
    assert sae > beside > passing


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("The car's box is not a Level 3 system.", True),
        ("It isn't L3, the carmaker said.", True),
        ("The car stops short of Level 4.", True),
        ("The firm never promised Level 5 cars.", True),
        ("The truck maker has no Level 3 product.", True),
        ("Nobody should call this car Level 5.", True),
        ("The assistant is Level 2+, not Level 3.", False),
        ("A Level 4 version of the van is not planned.", True),
        ("Reports of Level 3 in the sedan are wrong.", True),
        ("Not only Level 3 but also parking is offered with the car.", False),
        ("The car does not exceed Level 2.", False),
        ("The van is not cheap, but it reaches Level 4.", False),
        ("Level 4 is the target of the truck maker for 2028.", False),
        ("The firm will not stop until its cars reach Level 4.", False),
        ("Drivers who do not like it can switch off the Level 2 assistant.", False),
    ],
)
def test_negation(text, denied):
    first = next(m for m in find_levels(text) if m.explicit)
    assert first.negated is denied


def test_a_contrast_denies_only_its_own_level():
    levels = find_levels("The car is Level 2+, not Level 3.")
    assert [(m.surface, m.negated) for m in levels] == [("Level 2+", False), ("Level 3", True)]


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("An eyes-off pilot for motorways.", 3, 3),
        ("Driverless taxis took to the road.", 4, 5),
        ("No one behind the wheel of the truck.", 4, 5),
        ("Hochautomatisiertes Fahren auf der Autobahn.", 3, 3),
        ("Highly automated driving comes first.", 3, 4),
    ],
)
def test_implied_levels_are_marked_as_such(text, low, high):
    (mention,) = find_levels(text)
    assert (mention.level_min, mention.level_max, mention.explicit) == (low, high, False)
    assert mention.confidence < 0.75


def test_self_driving_alone_states_no_level():
    assert find_levels("A self-driving car with a driverless metro behind it.") == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['kind']}:{row['example'][:30]}")
def test_every_row_reads_its_example_and_not_its_near_miss(row):
    flags = re.IGNORECASE if row["kind"].endswith("cue") else 0
    assert re.search(row["pattern"], row["example"], flags)
    if row["near_miss"]:
        assert not re.search(row["pattern"], row["near_miss"], flags)


PIECES = st.sampled_from(
    [
        "Level",
        "level ",
        "L",
        "SAE ",
        "4",
        "2+",
        "3",
        "two",
        " to ",
        "-",
        " and ",
        "or higher",
        " car",
        ",",
        "\n",
        "III",
        "not ",
        ".",
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES, max_size=14).map("".join))
def test_spans_stand_in_the_text_and_never_overlap(text):
    levels = find_levels(text)
    for mention in levels:
        assert text[mention.start : mention.end] == mention.surface
        assert 0 <= mention.level_min <= mention.level_max <= 5
    for one, other in itertools.pairwise(levels):
        assert one.end <= other.start


@pytest.mark.parametrize("text", ["Level 4 and " * 1000, "L2+" * 2000, "not " * 9000 + "Level 4 car", "Level " * 9000])
def test_time_grows_with_the_text_only(text):
    start = time.perf_counter()
    find_levels(text)
    assert time.perf_counter() - start < 2.0


@pytest.mark.parametrize("row", [row for row in ROWS if row["kind"] == "implied"], ids=lambda row: row["example"][:30])
def test_the_hint_of_a_row_never_hides_its_example(row):
    assert any(hint in row["example"].lower() for hint in row["hint"].split("|"))

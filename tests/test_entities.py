"""Entities of a window: which companies and places a sentence could be about, and the rows that the heads read."""

import pytest
from encoder_factories import article, spans_of, tokenizer, windows
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.entities import (
    COMPANY_NUMBERS,
    DISTANCES,
    MARKS,
    MAX_CANDIDATES,
    candidate_pairs,
    entities_of_window,
    marks_of_window,
    owner_candidates,
)
from pipeline.windows import Unit, make_windows

NAMES = ["Volta", "Kestrel", "Ridewell", "Bonn", "Oslo"]


def read(*sentences, names=NAMES):
    """The only window of the article, and the entities with these names."""
    text, spans = article(*sentences)
    (window,) = make_windows(text, spans, tokenizer())
    return window, entities_of_window(window, spans_of(text, *names))


def candidates(*sentences, companies, places=()):
    """What is offered to the last sentence: company -> (other companies, places)."""
    window, firms = read(*sentences, names=companies)
    _, toponyms = read(*sentences, names=places)
    offered = candidate_pairs(window.units[-1], firms, toponyms)
    return {first.name: ([c.name for c in others], [c.name for c in located]) for first, others, located in offered}


def test_mentions_of_one_company_are_one_entity():
    # [CLS] Volta tests / Volta and K estrel drive .
    _, entities = read("Volta tests", "Volta and Kestrel drive.")
    assert {e.name: e.mentions for e in entities} == {"Volta": ((1, 2), (3, 4)), "Kestrel": ((5, 7),)}


def test_surfaces_with_one_name_are_one_entity():
    text, spans = article("Volta Motors tests", "Volta drives.")
    (window,) = make_windows(text, spans, tokenizer())
    (entity,) = entities_of_window(window, [(0, 12, "volta"), (19, 24, "volta")])
    assert entity.mentions == ((1, 3), (4, 5))


def test_names_outside_the_window_are_left_out():
    text, spans = article("News of vans", *["Volta drives. " * 60] * 2, "Kestrel drives.")
    last = make_windows(text, spans, tokenizer())[-1]
    assert [e.name for e in entities_of_window(last, spans_of(text, "Kestrel", "News"))] == ["News", "Kestrel"]
    first = make_windows(text, spans, tokenizer())[0]
    assert [e.name for e in entities_of_window(first, spans_of(text, "Kestrel", "News"))] == ["News"]


def test_every_company_may_act_and_every_other_one_may_be_its_partner():
    offered = candidates("Vans", "Volta and Kestrel drive in Bonn.", companies=["Volta", "Kestrel"], places=["Bonn"])
    assert offered == {"Volta": (["Kestrel"], ["Bonn"]), "Kestrel": (["Volta"], ["Bonn"])}


@pytest.mark.parametrize(
    ("sentences", "offered"),
    [
        (("Volta tests vans", "The company drives in Bonn."), ["Volta"]),
        (("Vans", "Volta drives.", "It is early.", "The company pays."), ["Volta"]),
        (("Vans", "The company drives."), []),
        (("Vans and Kestrel", "Volta drives."), ["Volta", "Kestrel"]),  # the nearest first
    ],
)
def test_a_company_named_before_can_act(sentences, offered):
    assert list(candidates(*sentences, companies=["Volta", "Kestrel"])) == offered


def test_a_company_named_later_cannot():
    window, entities = read("Vans", "The company drives.", "Volta is its name.")
    assert list(candidate_pairs(window.units[1], entities, [])) == []


@pytest.mark.parametrize(("between", "distance"), [(0, 1), (40, 1), (41, 2), (120, 2), (121, 3), (150, 3)])
def test_distance_grows_with_the_tokens_between(between, distance):
    sentences = ["Volta", " ".join(["so"] * between), "It drives."] if between else ["Volta", "It drives."]
    window, entities = read(*sentences)
    ((first, _, _),) = candidate_pairs(window.units[-1], entities, [])
    assert first.distance == distance < DISTANCES


def test_only_the_nearest_of_many_names_are_offered():
    listed = [chr(ord("A") + i) for i in range(MAX_CANDIDATES + 4)]
    sentences = ("vans", f"rides in {' '.join(listed)}.", "there Volta drives in Oslo.")
    ((_, places),) = candidates(*sentences, companies=["Volta"], places=[*listed, "Oslo"]).values()
    assert places == ["Oslo", *listed[: MAX_CANDIDATES - 1]]
    offered = candidates(*sentences, companies=[*listed, "Volta"])
    assert list(offered) == ["Volta", *listed[: MAX_CANDIDATES - 1]]


def test_the_row_of_a_role():
    # 1 Volta 2 tests | 3 Volta 4 drives 5 and 6 Volta 7 pays 8 .
    window, entities = read("Volta tests", "Volta drives and Volta pays.")
    headline, told = window.units
    ((first, _, _),) = candidate_pairs(told, entities, [])
    assert first.at == (3, 4, 3, 9, 0, 2, 0)  # first mention in the sentence; sentence; distance; mentions in it; 0
    ((first, _, _),) = candidate_pairs(headline, entities, [])
    assert first.at == (1, 2, 1, 3, 0, 1, 0)


def test_more_than_three_mentions_count_as_three():
    window, entities = read("Vans", "Volta, Volta, Volta, Volta and Volta.")
    ((first, _, _),) = candidate_pairs(window.units[-1], entities, [])
    assert first.at[5] == 3


def test_the_row_of_a_pair():
    # 1 Vans | 2 Volta 3 drives 4 to 5 Bonn 6 .
    window, entities = read("Vans", "Volta drives to Bonn.", names=["Volta", "Bonn"])
    ((_, _, (place,)),) = candidate_pairs(window.units[-1], entities[:1], entities[1:])
    assert place.at == (2, 3, 5, 6, 3, 5, 2, 7, 0, 0)  # first; second; between; sentence; distances
    (_, (second,), _), _ = candidate_pairs(window.units[-1], entities[::-1], [])
    assert second.at == (2, 3, 5, 6, 3, 5, 2, 7, 0, 0)
    _, (_, (second,), _) = candidate_pairs(window.units[-1], entities, [])
    assert second.at == (5, 6, 2, 3, 3, 5, 2, 7, 0, 0)  # what stands between is the same from both sides


def test_between_neighbours_stand_both():
    # 1 Volta 2 Bonn: nothing between them
    window, entities = read("Volta Bonn", names=["Volta", "Bonn"])
    ((_, _, (place,)),) = candidate_pairs(window.units[-1], entities[:1], entities[1:])
    assert place.at[4:6] == (1, 3)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.sampled_from([*NAMES, "so", "drives", "😀", "in"]), min_size=1, max_size=30), max_size=12))
def test_rows_are_ranges_of_the_window_that_heads_can_pool(sentences):
    text, spans = article(*map(" ".join, sentences))
    for window in make_windows(text, spans, tokenizer()):
        companies = entities_of_window(window, spans_of(text, *NAMES[:3]))
        places = entities_of_window(window, spans_of(text, *NAMES[3:]))
        for unit in window.units:
            seen = list(candidate_pairs(unit, companies, places))
            assert len({first.name for first, _, _ in seen}) == len(seen) <= MAX_CANDIDATES
            for first, others, located in seen:
                assert len(first.at) == 7
                assert 0 <= first.at[4] < DISTANCES
                assert 0 <= first.at[5] <= 3
                assert first.name not in [other.name for other in others]
                for pair in (*others, *located):
                    assert len(pair.at) == 10
                    assert 0 <= pair.at[8] < DISTANCES > pair.at[9] >= 0
                    for column in range(0, 8, 2):
                        assert 1 <= pair.at[column] < pair.at[column + 1] < len(window.input_ids)


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=40), st.integers(0, 45), st.integers(0, 45))
def test_any_span_of_the_text_is_found_where_it_stands(text, start, end):
    for window in windows(text):
        for entity in entities_of_window(window, [(start, end, "x")]):
            for first, last in entity.mentions:
                assert window.starts[first] < end
                assert window.ends[last - 1] > start


def test_a_unit_of_no_names_is_offered_nothing():
    assert list(candidate_pairs(Unit(0, 5, 0, 1, 3, True), [], [])) == []


# Marks


def marks_of(sentence, companies=(), places=(), levels=()):
    window, firms = read(sentence, names=companies)
    _, toponyms = read(sentence, names=places)
    _, stated = read(sentence, names=levels)
    marks, numbers = marks_of_window(len(window.input_ids), firms, toponyms, stated)
    return marks.tolist(), numbers.tolist()


def test_marks_say_what_a_token_belongs_to_and_numbers_which_company():
    # [CLS] K estrel and Volta test Level 4 in Bonn . Volta [SEP]
    marks, numbers = marks_of(
        "Kestrel and Volta test Level 4 in Bonn. Volta", ["Volta", "Kestrel"], ["Bonn"], ["Level 4"]
    )
    assert marks == [0, 1, 2, 0, 1, 0, 4, 4, 0, 3, 0, 1, 0]
    assert numbers == [0, 1, 1, 0, 2, 0, 0, 0, 0, 0, 0, 2, 0]


def test_a_company_named_like_a_place_is_a_company():
    assert marks_of("Bonn drives", ["Bonn"], ["Bonn"])[0] == [0, 1, 0, 0]


def test_companies_without_a_number_left_are_marked_all_the_same():
    names = [f"Firm{chr(97 + i)}" for i in range(COMPANY_NUMBERS + 2)]
    marks, numbers = marks_of(" ".join(names), names)
    assert max(marks) < MARKS
    assert max(numbers) == COMPANY_NUMBERS - 1
    assert [n for m, n in zip(marks, numbers, strict=True) if m == 1][-3:] == [0, 0, 0]


@pytest.mark.parametrize(
    ("sentences", "owners"),
    [
        (["Vans", "Volta sells Level 4 to Kestrel."], {"Volta": 0, "Kestrel": 0}),
        (["Vans", "Volta drives.", "It is Level 4."], {"Volta": 1}),
        (["Vans", "It is Level 4."], {}),
    ],
)
def test_a_level_could_belong_to_the_companies_of_its_sentence_and_before(sentences, owners):
    window, firms = read(*sentences, names=["Volta", "Kestrel"])
    _, (level,) = read(*sentences, names=["Level 4"])
    found = owner_candidates(window.units[-1], level.mentions[0], firms)
    assert {c.name: c.at[9] for c in found} == owners
    assert all(c.at[:2] == level.mentions[0] for c in found)


def test_a_company_named_twice_is_seen_where_it_stands_nearest_to_the_level():
    window, firms = read("Vans", "Volta says that Volta vans have Level 4.", names=["Volta"])
    _, (level,) = read("Vans", "Volta says that Volta vans have Level 4.", names=["Level 4"])
    (found,) = owner_candidates(window.units[-1], level.mentions[0], firms)
    assert found.at[2:4] == firms[0].mentions[1]

"""Companies: which names of an article are firms, what is one firm, and what it is called."""

from __future__ import annotations

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st

from pipeline import settings
from pipeline.extract.companies import evidence_of, find_companies, score, spacy_name_spans
from pipeline.gazetteer import load_register
from pipeline.link.companies import (
    display_name,
    join_names,
    normal_form,
    resolve,
    short_form,
    strip_form,
    unknown_company_id,
)
from pipeline.records import CompanyMention, Document, NameSpan

REGISTER = load_register()
SETTINGS = settings.load()
NLP = spacy.blank("en")
NLP.add_pipe("sentencizer")


def find(text: str, **labels: str) -> list[CompanyMention]:
    """Rows for ``text``; ``labels`` say how a recogniser reads a name: ``find(text, Nordhavn="COMPANY")``."""
    spans = []
    for name, label in labels.items():
        surface = name.replace("_", " ")
        start = text.find(surface)
        while start >= 0:
            spans += [
                NameSpan(start, start + len(surface), label, 0.95, "classifier"),
                NameSpan(start, start + len(surface), label, 0.6, "spacy"),
            ]
            start = text.find(surface, start + 1)
    document = Document(article_id="a", source_uri="a.txt", text=text)
    return find_companies(document, NLP(text), spans, REGISTER, SETTINGS)


def names(rows: list[CompanyMention]) -> set[str]:
    return {row.company_name for row in rows}


@pytest.mark.parametrize(
    ("text", "read", "expected"),
    [
        ("Waymo said it will test in Denver next year.", ["Waymo"], {"Waymo"}),
        # the legal form, or what stands beside the name, may do without a recogniser
        ("Shares of General Motors Co. rose after Ford Motor Co. cut prices.", [], {"General Motors", "Ford"}),
        ("The robotaxi maker Deeproute.ai raised money.", [], {"DeepRoute.ai"}),
        ("Hyundai Mobis supplies the sensors.", ["Hyundai Mobis"], {"Hyundai Mobis"}),  # not Hyundai
        ("Uber Freight has hired 200 people, the unit said.", ["Uber Freight"], {"Uber"}),  # its parent's name
        ("TESLA SHARES FALL", ["TESLA"], {"Tesla"}),
        # parent and subsidiaries are three
        ("Alphabet owns Google and Waymo.", ["Alphabet", "Google", "Waymo"], {"Alphabet", "Google", "Waymo"}),
    ],
)
def test_registered_companies_are_found_under_their_everyday_name(
    text: str, read: list[str], expected: set[str]
) -> None:
    assert names(find(text, **dict.fromkeys(read, "COMPANY"))) == expected


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("Henry Ford built cars for everyone.", {"Henry_Ford": "PERSON"}),
        ("Mr. Ford declined to comment.", {}),
        ("He flew over the Amazon River.", {"Amazon_River": "PLACE"}),
        ("Plus, the van is quiet.", {}),
        ("It works at scale, and five cars will serve the town via the bridge.", {}),
        ("The agency said so (Reuters).", {}),
        ("The National Highway Traffic Safety Administration opened an inquiry.", {}),
        ("Students of Stanford University built it.", {"Stanford_University": "ORGANISATION"}),
        ("Write to press@waymo.com or see waymo.com.", {}),
    ],
)
def test_what_only_looks_like_a_company_is_left_out(text: str, labels: dict[str, str]) -> None:
    assert find(text, **labels) == []


def test_every_occurrence_is_a_row_with_exact_offsets() -> None:
    text = "Waymo and Zoox met. Waymo's vans are white; Zoox, Inc. builds its own."
    rows = find(text)
    assert [text[row.start : row.end] for row in rows] == [row.surface for row in rows]
    assert [row.surface for row in rows] == ["Waymo", "Zoox", "Waymo", "Zoox, Inc."]
    assert [row.sentence_index for row in rows] == [0, 0, 1, 1]


def test_a_brand_inside_a_model_name_stands_for_its_maker() -> None:
    text = "Tesla said the Tesla Model 3 costs less than the Toyota Camry, which Toyota builds in Kentucky."
    rows = find(text, Tesla="COMPANY", Toyota="COMPANY")
    assert names(rows) == {"Tesla", "Toyota"}


def test_a_new_firm_is_found_by_its_legal_form_and_then_by_its_short_name() -> None:
    text = "Nordhavn Mobility AB will build shuttles. Nordhavn said the first 20 run in May."
    rows = find(text, Nordhavn_Mobility_AB="COMPANY")
    assert [row.surface for row in rows] == ["Nordhavn Mobility AB", "Nordhavn"]
    assert {row.company_id for row in rows} == {"x-nordhavn"}
    assert names(rows) == {"Nordhavn Mobility"}
    assert not any(row.linked for row in rows)


def test_an_acronym_in_brackets_is_the_same_firm() -> None:
    text = "Harrow Bay Dynamics (HBD) builds lidar. HBD said it raised $30 million."
    rows = find(text, Harrow_Bay_Dynamics="COMPANY", HBD="COMPANY")
    assert {row.company_id for row in rows} == {"x-harrow-bay-dynamics"}
    assert [row.surface for row in rows] == ["Harrow Bay Dynamics", "HBD", "HBD"]


def test_another_firm_that_begins_with_a_registered_word_is_not_that_company() -> None:
    text = "Aurora Cannabis Inc. posted a loss. Aurora said costs rose."
    rows = find(text, Aurora_Cannabis="COMPANY", Aurora="COMPANY")
    assert {row.company_id for row in rows} == {"x-aurora-cannabis"}


@pytest.mark.parametrize(
    ("text", "company_id"),
    [
        ("AB Volvo reported orders. Volvo said trucks sold well.", "volvo-group"),
        ("Volvo Cars recalled its EX90. Volvo said the fix is free.", "volvo-cars"),
    ],
)
def test_a_shared_short_name_means_the_firm_that_the_article_names_in_full(text: str, company_id: str) -> None:
    assert {row.company_id for row in find(text, AB_Volvo="COMPANY", Volvo="COMPANY")} == {company_id}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Baidu, Inc.", "baidu"),
        ("the DJI", "dji"),
        ("Wells Fargo & Co.", "wells fargo"),
        ("Citroën", "citroen"),
        ("Aktis Holdings Ltd", "aktis"),
        ("Group", "group"),  # nothing else would be left
    ],
)
def test_normal_form_drops_article_form_case_and_accents(name: str, expected: str) -> None:
    assert normal_form(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Nordhavn Mobility AB", "Nordhavn"),
        ("Kestrel Autonomous Trucking", "Kestrel"),
        ("General Robotics", None),  # many firms begin so
        ("Morgan Kettle", None),  # "Kettle" tells no trade: the first word alone may be a person
        ("Waymo", None),
    ],
)
def test_short_form_is_the_head_before_words_of_trade(name: str, expected: str | None) -> None:
    assert short_form(name) == expected


def test_short_names_join_the_one_long_name_that_begins_with_them() -> None:
    joined = join_names(["ruiqi", "ruiqi driving", "delta one", "delta two", "delta"], {})
    assert joined["ruiqi"] == "ruiqi driving"
    assert joined["delta"] == "delta"  # two long names: undecided


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=40))
def test_ids_of_unknown_firms_depend_on_the_normal_form_alone(name: str) -> None:
    company_id = unknown_company_id(name)
    assert company_id == unknown_company_id(f"the {name.strip()}") or not normal_form(name)
    assert company_id.startswith("x-")
    assert company_id.isascii()


@given(st.text(alphabet="AUWberwaymo FordPlus.,'()-\nInc&", max_size=120))
def test_offsets_hold_for_any_text(text: str) -> None:
    for row in find(text):
        assert text[row.start : row.end] == row.surface


def test_display_name_is_the_longest_surface_without_legal_form() -> None:
    assert display_name(["Aktis", "Aktis Robotics GmbH"], REGISTER, None) == "Aktis Robotics"
    assert display_name(["GM"], REGISTER, "general-motors") == "General Motors"
    assert strip_form("Aktis Robotics GmbH") == "Aktis Robotics"


def test_an_ambiguous_name_takes_the_company_that_is_certain_elsewhere() -> None:
    volvo = REGISTER.names["Volvo"]
    assert resolve(volvo, []) == "volvo-cars"
    assert resolve(volvo, ["volvo-group"]) == "volvo-group"


@pytest.mark.parametrize(("text", "acronym"), [("ZOLTA rises. Zolta hires.", 1.0), ("Zolta hires. ZOLTA rises.", None)])
def test_of_spellings_of_one_length_the_first_shapes_the_evidence(text: str, acronym: float | None) -> None:
    """Not the order of a set, which changes from run to run."""
    spans = [NameSpan(0, 5, "COMPANY", 0.6, "spacy"), NameSpan(13, 18, "COMPANY", 0.6, "spacy")]
    ((_, evidence),) = evidence_of(text, [0, 13], spans, REGISTER)
    assert evidence.get("acronym") == acronym


def test_score_grows_with_evidence() -> None:
    weights = {"registered": 2.0, "source": -3.0}
    assert score({"registered": 1.0}, weights) > score({}, weights) > score({"source": 1.0}, weights)


def test_spacy_labels_are_read_as_ours() -> None:
    doc = NLP("Kestrel met Ana Silva.")
    doc.ents = [doc.char_span(0, 7, "ORG"), doc.char_span(12, 21, "PERSON")]  # type: ignore[list-item]
    assert [(s.label, s.method) for s in spacy_name_spans(doc)] == [("COMPANY", "spacy"), ("PERSON", "spacy")]

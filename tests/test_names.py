"""The name pipeline: where sentences end, which names it finds, and how its training labels are made."""

from pathlib import Path

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language

import pipeline.sentences  # noqa: F401  (registers the sentence component)
from models.names.corpus import kind_of_other, label_items, occurrences, token_tags

PIPELINE = Path(__file__).parents[1] / "models" / "names" / "pipeline"
LABELS = {"COMPANY", "ORGANISATION", "PRODUCT", "PERSON", "PLACE", "DATE", "MONEY"}


@pytest.fixture(scope="module")
def nlp() -> Language:
    return spacy.load(PIPELINE)


@pytest.fixture(scope="module")
def rules() -> Language:
    nlp = spacy.blank("en")
    nlp.add_pipe("line_breaks")
    nlp.add_pipe("sentencizer", config={"overwrite": False})
    return nlp


def sentences(nlp: Language, text: str) -> list[str]:
    with nlp.select_pipes(disable="ner"):
        return [sentence.text.strip() for sentence in nlp(text).sents]


@pytest.mark.parametrize(
    "lines",
    [
        ["Nordvan opens depot in Lyon", "The firm hired forty people there."],
        ["LYON, March 3", "Nordvan has opened a depot."],
        ["Nordvan opens depot", "- forty people", "- two shifts"],
        ["The vans run at night.", "By day they charge."],
    ],
)
def test_a_line_break_ends_a_sentence(nlp: Language, lines: list[str]) -> None:
    for gap in ("\n", "\n\n", " \n"):
        assert sentences(nlp, gap.join(lines)) == lines


@pytest.mark.parametrize(
    "text",
    [
        "Nordvan Inc. said on Monday that it would buy Pelikan Corp. for an unknown sum.",
        "The U.S. Department of Transportation has agreed.",
        "Dr. Vera Lund met Gov. Tom Hale on Jan. 5 in Phoenix.",
        "It employs forty people in Oakland, Calif. and ten in Reno.",
        "Nordvan paid $1.5 million for No. 4 Harbour Street.",
        "Yahoo! Inc. was not involved.",
    ],
)
def test_an_abbreviation_ends_no_sentence(nlp: Language, text: str) -> None:
    assert sentences(nlp, text) == [text]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It works in the U.S. The vans come later.", ["It works in the U.S.", "The vans come later."]),
        ('"We are ready," she said. "Very."', ['"We are ready," she said.', '"Very."']),
        ("Who pays? Nobody knows.", ["Who pays?", "Nobody knows."]),
    ],
)
def test_sentences_end_where_they_should(nlp: Language, text: str, expected: list[str]) -> None:
    assert sentences(nlp, text) == expected


def test_hard_wrapped_lines_are_running_text(nlp: Language) -> None:
    text = (
        "Nordvan said that it would open a depot for its vans in the\n"
        "harbour of Lyon, where it employs forty people and wants to\n"
        "hire ten more before the winter. The town has agreed to the\n"
        "plan and will pay for the road."
    )
    found = sentences(nlp, text)
    assert len(found) == 2
    assert found[1].startswith("The town")


@settings(deadline=None)
@given(text=st.text(alphabet="aB. \n\"'),-5", max_size=80))
def test_sentences_cover_the_text(rules: Language, text: str) -> None:
    doc = rules(text)
    assert doc.text == text
    assert "".join(sentence.text_with_ws for sentence in doc.sents) == text


@pytest.mark.parametrize(
    ("text", "name", "label"),
    [
        ("Waymo will test its cars in Tokyo with Nihon Kotsu.", "Waymo", "COMPANY"),
        ("Waymo will test its cars in Tokyo with Nihon Kotsu.", "Tokyo", "PLACE"),
        ("Shares of Bluefield Robotics Inc. fell after it lost a contract with Volvo.", "Volvo", "COMPANY"),
        ("The National Highway Traffic Safety Administration has opened an inquiry.", None, "ORGANISATION"),
        ("Anna Keller, chief executive of Toyota, spoke on Tuesday.", "Anna Keller", "PERSON"),
        ("Anna Keller, chief executive of Toyota, spoke on Tuesday.", "Tuesday", "DATE"),
        ("The round of $40 million was led by SoftBank.", "$40 million", "MONEY"),
        ("A U.S.-based supplier sells cameras to Honda.", "U.S.", "PLACE"),
    ],
)
def test_names(nlp: Language, text: str, name: str | None, label: str) -> None:
    found = [(ent.text, ent.label_) for ent in nlp(text).ents]
    if name is None:
        assert label in [kind for _, kind in found]
    else:
        assert (name, label) in found


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("The European Commission wants stricter rules.", "European Commission"),
        ("Researchers at Stanford University drove the car.", "Stanford University"),
        ("Toyota showed the new Corolla.", "Corolla"),
    ],
)
def test_a_public_body_or_product_is_no_company(nlp: Language, text: str, name: str) -> None:
    start = text.index(name)
    companies = [ent for ent in nlp(text).ents if ent.label_ == "COMPANY"]
    assert not [ent for ent in companies if ent.start_char < start + len(name) and start < ent.end_char]


def test_the_pipeline_is_small_and_says_what_it_is(nlp: Language) -> None:
    assert sum(path.stat().st_size for path in PIPELINE.rglob("*") if path.is_file()) <= 8_000_000
    assert nlp.pipe_names == ["line_breaks", "senter", "ner"]
    assert set(nlp.get_pipe("ner").labels) == LABELS
    assert "MIT" in nlp.meta["license"]
    assert nlp.meta["version"]


@pytest.mark.parametrize(
    ("surfaces", "expected"),
    [
        ([("Ford", "COMPANY"), ("Ford Focus", "PRODUCT")], [("Ford Focus", "PRODUCT"), ("Ford", "COMPANY")]),
        ([("ford", "COMPANY")], []),
        ([("For", "COMPANY")], []),
    ],
)
def test_occurrences_are_whole_words_and_the_longest_wins(
    surfaces: list[tuple[str, str]], expected: list[tuple[str, str]]
) -> None:
    text = "Ford Focus sales helped Ford (F.N)."
    assert [(text[start:end], label) for start, end, label in occurrences(text, surfaces)] == expected


def test_training_labels_of_an_article() -> None:
    nlp = spacy.blank("en")
    text = "Ann Ford of Nordvan drove the Zeta past Oslo."
    base = nlp(text)
    base.ents = [base.char_span(0, 8, "PERSON"), base.char_span(12, 19, "ORG")]
    item = {
        "id": "x",
        "text": text,
        "companies": [{"name": "Nordvan", "surfaces": ["Nordvan"]}, {"name": "Ford", "surfaces": ["Ford"]}],
        "not_companies": ["Zeta"],
        "locations": [],
        "optional_locations": ["Oslo"],
    }
    (labelled,) = label_items([item], [base], frozenset(), frozenset(["Zeta"]))
    assert [(text[start:end], label) for start, end, label in labelled.spans] == [
        ("Ann Ford", "PERSON"),
        ("Nordvan", "COMPANY"),
        ("Zeta", "PRODUCT"),
        ("Oslo", "?"),
    ]
    tags = token_tags(nlp.make_doc(text), labelled.spans)
    assert tags == ["B-PERSON", "L-PERSON", "O", "U-COMPANY", "O", "O", "U-PRODUCT", "O", "-", "O"]


@pytest.mark.parametrize(
    ("surface", "beside_company", "kind"),
    [
        ("Ministry of Roads", False, "ORGANISATION"),
        ("Lakeside Gazette", False, "ORGANISATION"),
        ("X40", False, "PRODUCT"),
        ("Zephyr", True, "PRODUCT"),
    ],
)
def test_the_kind_of_a_name_that_is_no_company(surface: str, beside_company: bool, kind: str) -> None:
    from collections import Counter

    assert kind_of_other(surface, Counter(["ORG"]), beside_company, frozenset(), frozenset(), set()) == kind

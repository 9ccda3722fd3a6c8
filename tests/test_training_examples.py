"""Training examples of the news encoder: what carries loss, and other names in the same sentences."""

import itertools
import random

import numpy as np
import pytest
from encoder_factories import article as joined
from encoder_factories import tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st

from corpora.annotations import annotated_article
from models.news_encoder.augment import invented_name, rename_companies
from models.news_encoder.dataset import IGNORED, TAGS, examples
from pipeline.classify import LABELS
from pipeline.records import DEAL_STATUSES, DEAL_TYPES

STORY = (
    "Volta to supply Kestrel",
    "Volta Motors will supply chips to Kestrel in Bonn.",
    "The company tests vans in Oslo, said the Ministry of Roads.",
    "Marlo is near.",
)
SURFACES = {"Volta": ["Volta", "Volta Motors"], "Kestrel": ["Kestrel"], "Marlo": ["Marlo"]}


def deal(kind="supply", parties=("Volta", "Kestrel"), evidence=STORY[1], **more):
    more = {"status": "agreed", "locations": ["Bonn"], **more}
    return {"type": kind, "parties": list(parties), "evidence": evidence, **more}


def annotated(*deals, story=STORY, **more):
    """The article and its sentence spans."""
    text, spans = joined(*story)
    record = {
        "id": "x1",
        "text": text,
        "companies": [{"name": name, "surfaces": surfaces} for name, surfaces in SURFACES.items()],
        "not_companies": ["Ministry of Roads"],
        "locations": [{"surface": name, "name": name} for name in ("Bonn", "Oslo")],
        "levels": [],
        "deals": list(deals),
        **more,
    }
    return annotated_article(record), spans


def example_of(*deals, distractors=0.0, **more):
    article, spans = annotated(*deals, **more)
    (example,) = examples(article, spans, tokenizer(), random.Random(0), distractors)
    return article.text, example


def targets(row):
    """Deal type -> 1, or None for no loss; types with target 0 are left out."""
    return {t: None if v == IGNORED else int(v) for t, v in zip(DEAL_TYPES, row, strict=True) if v}


def surface(text, example, at, column=0):
    first, last = at[column], at[column + 1]
    return text[example.window.starts[first] : example.window.ends[last - 1]]


def roles(*deals, sentence=1, **more):
    """Company -> targets of its role in that sentence."""
    text, example = example_of(*deals, **more)
    start = example.sentence_at[sentence][0]
    return {
        surface(text, example, at): targets(row)
        for at, row in zip(example.role_at, example.role_types, strict=True)
        if at[2] == start
    }


def pairs(*deals, sentence=1, **more):
    text, example = example_of(*deals, **more)
    start = example.sentence_at[sentence][0]
    return {
        (surface(text, example, at), surface(text, example, at, 2)): targets(row)
        for at, row in zip(example.pair_at, example.pair_types, strict=True)
        if at[6] == start
    }


def places(*deals, sentence=1, **more):
    """(acting company, place) -> targets, 0 included."""
    text, example = example_of(*deals, **more)
    start = example.sentence_at[sentence][0]
    return {
        (surface(text, example, at), surface(text, example, at, 2)): {
            t: int(v) for t, v in zip(DEAL_TYPES, row, strict=True) if v != IGNORED
        }
        for at, row in zip(example.place_at, example.place_types, strict=True)
        if at[6] == start
    }


def owners(*sentences, levels, companies=("Volta", "Kestrel")):
    """(level, company) -> 1 where the level is that company's; levels that carry no loss are left out."""
    record = {
        "companies": [{"name": name, "surfaces": [name]} for name in companies],
        "levels": [
            {"surface": s, "min": int(s[-1]), "max": int(s[-1]), "plus": False, "company": c} for s, c in levels
        ],
    }
    text, example = example_of(story=("Vans", *sentences), **record)
    return {
        (surface(text, example, at), surface(text, example, at, 2)): int(right)
        for at, right in zip(example.owner_at, example.owner_right, strict=True)
    }


# Names


def test_the_tags_are_those_that_the_run_decodes():
    assert list(TAGS) == ["O", *(f"{place}-{label}" for label in LABELS for place in "BI")]


def test_names_are_tagged_piece_by_piece():
    text, example = example_of(
        optional_companies=["Marlo"], companies=[{"name": "Volta", "surfaces": SURFACES["Volta"]}]
    )
    tagged = [
        (text[start:end], None if tag == IGNORED else TAGS[tag])
        for start, end, tag in zip(example.window.starts, example.window.ends, example.tags, strict=True)
        if start >= 0 and tag
    ]
    assert tagged == [
        ("Volta", "B-COMPANY"),
        ("Volta", "B-COMPANY"),
        ("Motors", "I-COMPANY"),
        ("Bonn", "B-PLACE"),
        ("Oslo", "B-PLACE"),
        ("Ministry", "B-ORGANISATION"),
        ("of", "I-ORGANISATION"),
        ("Roads", "I-ORGANISATION"),
        ("Mar", None),  # an uncertain name teaches neither way
        ("lo", None),
    ]


def test_context_and_special_tokens_teach_no_names():
    article, spans = annotated(story=("Volta to supply Kestrel", *["Kestrel drives. " * 40] * 3))
    windows = examples(article, spans, tokenizer(), random.Random(0), 0.0)
    assert len(windows) > 1
    for example in windows:
        taught = example.tags != IGNORED
        owned = np.zeros_like(taught)
        for unit in example.window.units:
            owned[unit.first_token : unit.last_token] = unit.owned
        assert (taught == owned).all()


# Deals


def test_the_sentence_that_tells_a_deal_teaches_its_type():
    _, example = example_of(deal())
    assert [targets(row) for row in example.sentence_types] == [{"supply": None}, {"supply": 1}, {}, {}]


def test_the_acting_company_and_its_partner():
    assert roles(deal()) == {"Volta Motors": {"supply": 1}, "Kestrel": {}}
    assert pairs(deal()) == {("Volta Motors", "Kestrel"): {"supply": 1}, ("Kestrel", "Volta Motors"): {}}


def test_partners_act_alike():
    told = deal("partnership")
    assert roles(told) == {"Volta Motors": {"partnership": 1}, "Kestrel": {"partnership": 1}}
    assert set(map(str, pairs(told).values())) == {"{'partnership': 1}"}


def test_a_company_named_before_acts_where_the_sentence_says_the_company():
    told = deal("testing", ["Volta"], STORY[2], locations=["Oslo"])
    assert roles(told, sentence=2) == {"Volta Motors": {"testing": 1}, "Kestrel": {}}


def test_where_a_deal_happens_is_taught_to_the_acting_company_alone():
    assert places(deal()) == {("Volta Motors", "Bonn"): {"supply": 1}}
    tests = deal("testing", ["Volta"], STORY[2], locations=["Oslo"])
    assert places(tests, sentence=2) == {
        ("Volta Motors", "Bonn"): {"testing": 0},
        ("Volta Motors", "Oslo"): {"testing": 1},
    }
    assert places(deal(locations=[])) == {("Volta Motors", "Bonn"): {"supply": 0}}


def test_the_status_is_taught_for_the_acting_company_and_the_type():
    text, example = example_of(deal(status="planned"))
    taught = {
        (surface(text, example, at), DEAL_TYPES[i]): DEAL_STATUSES[row[i]]
        for at, row in zip(example.role_at, example.role_status, strict=True)
        for i in np.flatnonzero(row != IGNORED)
    }
    assert taught == {("Volta Motors", "supply"): "planned"}


def test_without_deals_nothing_acts():
    assert roles() == {"Volta Motors": {}, "Kestrel": {}}
    assert places() == {}


# What carries no loss


def test_an_optional_deal_carries_no_loss():
    told = deal(optional=True)
    assert roles(told) == {"Volta Motors": {"supply": None}, "Kestrel": {}}
    assert pairs(told)["Volta Motors", "Kestrel"] == {"supply": None}
    assert places(told) == {}
    _, example = example_of(told)
    assert targets(example.sentence_types[1]) == {"supply": None}


def test_other_types_that_a_careful_reader_could_defend_carry_no_loss():
    told = deal(alt_types=["order", "partnership"])
    assert roles(told)["Volta Motors"] == {"supply": 1, "order": None, "partnership": None}
    assert roles(told, deal("order"))["Volta Motors"] == {"supply": 1, "order": 1, "partnership": None}
    assert roles(deal(alt_types=["order"], optional=True))["Volta Motors"] == {"supply": None, "order": None}


def test_another_sentence_that_names_all_parties_carries_no_loss():
    assert roles(deal(), sentence=0) == {"Volta": {"supply": None}, "Kestrel": {}}
    assert pairs(deal(), sentence=0)["Volta", "Kestrel"] == {"supply": None}
    assert roles(deal(parties=["Volta", "Marlo"]), sentence=0) == {"Volta": {}, "Kestrel": {}}


@pytest.mark.parametrize(
    ("evidence", "sentence"),
    [
        (STORY[1], 1),
        (STORY[1][6:20], 1),  # a clause
        (f"{STORY[0]}\n{STORY[1][:20]}", 0),  # of two sentences the one that names more parties
        (f"{STORY[1]} {STORY[2]}", 1),
        (f"{STORY[2][-20:]} {STORY[3]}", 2),  # and then the one with more of the evidence
    ],
)
def test_one_sentence_of_the_evidence_teaches(evidence, sentence):
    _, example = example_of(deal(evidence=evidence))
    assert [i for i, row in enumerate(example.sentence_types) if 1 in row] == [sentence]


@pytest.mark.parametrize(("distractors", "offered"), [(0.0, False), (1.0, True)])
def test_names_that_are_no_companies_are_offered_as_distractors(distractors, offered):
    seen = roles(deal("testing", ["Volta"], STORY[2]), sentence=2, distractors=distractors)
    assert ("Ministry of Roads" in seen) == offered
    assert seen.get("Ministry of Roads", {}) == {}


# Other names


NAMES = ["Borealis", "Quarrel & Sons", "X9", "Lange Straße AG"]


def read(article):
    """Every span as (name, label, surface)."""
    return [(s.name, s.label, article.text[s.start : s.end]) for s in article.spans]


def renamed(share=1.0, seed=0, deals=(), story=STORY):
    article, spans = annotated(*deals, story=story)
    return article, spans, *rename_companies(article, spans, NAMES, random.Random(seed), share)


def test_all_mentions_of_a_company_get_one_name_shorter_where_they_were_shorter():
    for seed in range(20):
        article, _, other, _ = renamed(seed=seed)
        names = {label: [t for n, _, t in read(other) if n == label] for label in SURFACES}
        short, full = names["Volta"]
        assert short == full.split()[0]
        assert len(set(names["Kestrel"])) == 1
        assert {t for ts in names.values() for t in ts}.isdisjoint(surface for s in SURFACES.values() for surface in s)
        assert [s.name for s in other.spans] == [s.name for s in article.spans]


def test_evidence_and_sentences_move_along():
    _, _, other, moved = renamed(deals=[deal()])
    (told,) = other.deals
    assert (told.start, told.end) == moved[1]
    assert other.text[told.start : told.end].endswith(" in Bonn.")
    assert [other.text[end - 1] for _, end in moved[1:]] == [".", ".", "."]
    assert other.text[moved[2][0] : moved[2][1]] == STORY[2]
    assert told.parties == ("Volta", "Kestrel")  # they say whose spans these are, whatever the text calls them


def test_no_share_is_no_change():
    article, spans, other, moved = renamed(share=0.0)
    assert (other, moved) == (article, spans)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.lists(
            st.sampled_from(["Volta", "Volta Motors", "Kestrel", "Marlo", "Bonn", "so", "😀", "İ", "."]),
            min_size=1,
            max_size=8,
        ),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from(["", " ", "-"]),
    st.integers(0, 10**6),
    st.floats(0, 1),
    st.randoms(),
)
def test_renaming_keeps_every_offset(words, glue, seed, share, random_):
    story = [glue.join(sentence) for sentence in words]
    article, _ = annotated(story=story)
    cuts = sorted(random_.sample(range(len(article.text) + 1), min(len(article.text), 6)))  # also inside names
    spans = list(itertools.pairwise(cuts))
    other, moved = rename_companies(article, spans, NAMES, random.Random(seed), share)
    # The same spans in the same order, with the same text between them.
    assert [(s.name, s.label) for s in other.spans] == [(s.name, s.label) for s in article.spans]
    between = [
        [made.text[left.end : right.start] for left, right in itertools.pairwise(made.spans)]
        for made in (article, other)
    ]
    assert between[0] == between[1]
    # One surface, one new surface; what is no company keeps its own.
    became = {}
    for before, after in zip(read(article), read(other), strict=True):
        assert became.setdefault(before, after) == after
        assert after[2]
        assert before[1] == "COMPANY" or after == before
    # Sentences stay in order and inside the text.
    ends = [offset for span in moved for offset in span]
    assert ends == sorted(ends)
    assert all(0 <= offset <= len(other.text) for offset in ends)


@given(st.integers(0, 10**6))
def test_invented_names_look_like_names(seed):
    name = invented_name(random.Random(seed))
    assert name == name.strip() != ""
    assert name[0].isalpha()
    assert len(name) < 40


# Levels


@pytest.mark.parametrize(
    ("sentences", "levels", "taught"),
    [
        (
            ["Volta sells a Level 4 van to Kestrel."],
            [("Level 4", "Volta")],
            {("Level 4", "Volta"): 1, ("Level 4", "Kestrel"): 0},
        ),
        (
            ["Volta and Kestrel aim at Level 4."],
            [("Level 4", "Volta"), ("Level 4", "Kestrel")],
            {("Level 4", "Volta"): 1, ("Level 4", "Kestrel"): 1},
        ),
        (["Volta drives.", "The firm has Level 4."], [("Level 4", "Volta")], {("Level 4", "Volta"): 1}),
        (["Few firms like Volta reach Level 4."], [("Level 4", None)], {("Level 4", "Volta"): 0}),
        (["Level 4 vans are rare.", "Volta drives."], [("Level 4", "Volta")], {}),  # named only later
        (["Volta has Level 4."], [("Level 3", "Volta")], {}),  # a level that was not annotated
    ],
)
def test_whose_level_it_is(sentences, levels, taught):
    assert owners(*sentences, levels=levels) == taught

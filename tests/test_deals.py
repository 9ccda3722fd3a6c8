"""Deals: from the scores of single sentences to one row for each deal type and set of parties."""

import dataclasses
import itertools
import time
from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st

from pipeline.classify import CompanyScores, SentenceScores
from pipeline.extract.deals import ROLES, SYMMETRIC, Told, dates_of, deals_of_sentence, find_deals, merge, place_key
from pipeline.records import (
    DEAL_STATUSES,
    DEAL_TYPES,
    CompanyMention,
    DealPlace,
    Document,
    LevelMention,
    LocationMention,
)
from pipeline.settings import Thresholds, load

# A row from 0.5 on, a party from 0.6, a place from 0.7.
SETTINGS = dataclasses.replace(load(), thresholds=Thresholds(0.5, 0.5, 0.6, 0.7, dict.fromkeys(DEAL_TYPES, 0.5)))


def by_type(deal_type, score):
    scores = np.zeros(len(DEAL_TYPES), np.float32)
    scores[DEAL_TYPES.index(deal_type)] = score
    return scores


def company(name, deal_type, acts, parties=None, places=None, status="agreed", here=True):
    """A company and its scores for that deal type; every other type has 0. ``here``: the sentence names it."""
    statuses = np.zeros((len(DEAL_TYPES), len(DEAL_STATUSES)), np.float32)
    statuses[DEAL_TYPES.index(deal_type), DEAL_STATUSES.index(status)] = 1
    return CompanyScores(
        name,
        here,
        by_type(deal_type, acts),
        statuses,
        {other: by_type(deal_type, score) for other, score in (parties or {}).items()},
        {place: by_type(deal_type, score) for place, score in (places or {}).items()},
    )


def sentence(*companies, start=0, end=10):
    return SentenceScores(start, end, 0, companies)


def deals(*companies):
    """(type, parties) of what one sentence tells."""
    return [(deal.deal_type, *deal.parties) for deal in deals_of_sentence(sentence(*companies), SETTINGS)]


def told(deal_type, *parties, probability=0.9, start=0, places=(), status="agreed"):
    return Told(deal_type, parties, DEAL_STATUSES.index(status), places, start, start + 10, probability, parties[0])


# What one sentence tells


def test_every_type_has_roles():
    assert tuple(ROLES) == DEAL_TYPES
    assert {deal_type for deal_type, (acting, other) in ROLES.items() if acting == other} == SYMMETRIC


def test_a_deal_carries_its_status_places_and_where_it_is_told():
    volta = company("volta", "testing", 0.8, {}, {"bonn": 0.7, "oslo": 0.6}, status="planned")
    (deal,) = deals_of_sentence(sentence(volta, start=3, end=30), SETTINGS)
    assert (deal.deal_type, deal.parties, deal.places) == ("testing", ("volta",), ("bonn",))
    assert (DEAL_STATUSES[deal.status], deal.start, deal.end) == ("planned", 3, 30)
    assert deal.probability == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("companies", "expected"),
    [
        # the acting one first, then the others from the most probable on
        (
            [company("volta", "supply", 0.8, {"kestrel": 0.7, "ridewell": 0.9})],
            [("supply", "volta", "ridewell", "kestrel")],
        ),
        ([company("volta", "supply", 0.8, {"kestrel": 0.59})], [("supply", "volta")]),
        # a company may act in several deals
        (
            [
                company("volta", "supply", 0.8, {"kestrel": 0.9}),
                company("volta", "testing", 0.7),
            ],
            [("supply", "volta", "kestrel"), ("testing", "volta")],
        ),
        # two companies that act are two deals
        (
            [company("volta", "testing", 0.7), company("kestrel", "testing", 0.8)],
            [("testing", "kestrel"), ("testing", "volta")],
        ),
        (
            [company("volta", "order", 0.9, {"ridewell": 0.9}), company("kestrel", "order", 0.8, {"ridewell": 0.9})],
            [("order", "volta", "ridewell"), ("order", "kestrel", "ridewell")],
        ),
        # but not the customer beside the supplier, which is the same deal from its other side
        (
            [
                company("volta", "supply", 0.9, {"kestrel": 0.9}),
                company("kestrel", "supply", 0.6, {"volta": 0.9}),
            ],
            [("supply", "volta", "kestrel")],
        ),
        (
            [company("volta", "supply", 0.9, {"kestrel": 0.9}), company("kestrel", "supply", 0.6)],
            [("supply", "volta", "kestrel")],
        ),
        # unless it sells on to a third
        (
            [
                company("volta", "supply", 0.9, {"kestrel": 0.9}),
                company("kestrel", "supply", 0.8, {"ridewell": 0.9}),
            ],
            [("supply", "volta", "kestrel"), ("supply", "kestrel", "ridewell")],
        ),
        # partners act alike: one deal, whoever is seen first
        (
            [
                company("volta", "partnership", 0.8, {"kestrel": 0.9}),
                company("kestrel", "partnership", 0.9, {"volta": 0.7}),
            ],
            [("partnership", "kestrel", "volta")],
        ),
        (
            [
                company("volta", "joint_venture", 0.9, {"kestrel": 0.9, "ridewell": 0.9}),
                company("kestrel", "joint_venture", 0.8, {"volta": 0.9}),
                company("ridewell", "joint_venture", 0.7),
            ],
            [("joint_venture", "volta", "ridewell", "kestrel")],
        ),
        # two pairs of partners are two
        (
            [
                company("volta", "partnership", 0.9, {"kestrel": 0.9}),
                company("kestrel", "partnership", 0.9, {"volta": 0.9}),
                company("ridewell", "partnership", 0.8, {"marlo": 0.9}),
                company("marlo", "partnership", 0.7, {"ridewell": 0.9}),
            ],
            [("partnership", "volta", "kestrel"), ("partnership", "ridewell", "marlo")],
        ),
        # a firm of an earlier sentence is no second target where this one names the target
        (
            [
                company("volta", "acquisition", 0.9, {"kestrel": 0.7, "marlo": 0.9}),
                company("kestrel", "acquisition", 0.1),
                company("marlo", "acquisition", 0.1, here=False),
            ],
            [("acquisition", "volta", "kestrel")],
        ),
        # but it is the target where this one names none: "volta has bought the start-up"
        (
            [
                company("volta", "acquisition", 0.9, {"marlo": 0.9}),
                company("marlo", "acquisition", 0.1, here=False),
            ],
            [("acquisition", "volta", "marlo")],
        ),
        # a firm of an earlier sentence acts only where none of this one does
        (
            [company("volta", "testing", 0.7), company("marlo", "testing", 0.6, here=False)],
            [("testing", "volta")],
        ),
        (
            [company("volta", "testing", 0.1), company("marlo", "testing", 0.6, here=False)],
            [("testing", "marlo")],
        ),
        ([company("volta", "permit", 0.11)], []),  # too improbable to tell a party
        ([], []),
    ],
)
def test_one_sentence(companies, expected):
    assert deals(*companies) == expected


# What all sentences tell


@pytest.mark.parametrize(
    ("sentences", "expected"),
    [
        # a headline without the partner joins the sentence that names it
        ([told("supply", "volta"), told("supply", "volta", "kestrel", start=20)], [("supply", "volta", "kestrel")]),
        ([told("supply", "volta", "kestrel"), told("supply", "volta", start=20)], [("supply", "volta", "kestrel")]),
        # partners are the same whoever is named first
        (
            [told("partnership", "volta", "kestrel"), told("partnership", "kestrel", "volta", start=20)],
            [("partnership", "volta", "kestrel")],
        ),
        (
            [told("partnership", "kestrel"), told("partnership", "volta", "kestrel", start=20)],
            [("partnership", "volta", "kestrel")],
        ),
        # also where one sentence takes the customer for the supplier
        (
            [told("supply", "volta", "kestrel"), told("supply", "kestrel", "volta", probability=0.6)],
            [("supply", "volta", "kestrel")],
        ),
        # another partner, another type, another acting company: another deal
        (
            [told("supply", "volta", "kestrel"), told("supply", "volta", "ridewell", start=20)],
            [("supply", "volta", "kestrel"), ("supply", "volta", "ridewell")],
        ),
        (
            [told("supply", "volta", "kestrel"), told("order", "volta", "kestrel", start=20)],
            [("supply", "volta", "kestrel"), ("order", "volta", "kestrel")],
        ),
        (
            [told("order", "volta", "ridewell"), told("order", "kestrel", start=20)],
            [("order", "volta", "ridewell"), ("order", "kestrel")],
        ),
        (
            [told("order", "volta", "kestrel"), told("order", "kestrel", probability=0.6)],
            [("order", "volta", "kestrel"), ("order", "kestrel")],
        ),
        # a sentence that names all parties takes in those that name some
        (
            [
                told("supply", "volta", "kestrel"),
                told("supply", "volta", "ridewell", probability=0.8),
                told("supply", "volta", "kestrel", "ridewell", probability=0.6),
            ],
            [("supply", "volta", "kestrel", "ridewell")],
        ),
        ([], []),
    ],
)
def test_several_sentences(sentences, expected):
    assert [(deal.deal_type, *deal.parties) for deal in merge(sentences)] == expected


def test_the_most_probable_sentence_is_the_evidence_and_has_the_status():
    headline = told("supply", "volta", probability=0.7, start=0, places=("bonn",), status="planned")
    body = told("supply", "volta", "kestrel", probability=0.9, start=20, places=("bonn",), status="agreed")
    assert merge([headline, body]) == [body]
    weak = dataclasses.replace(body, probability=0.6)
    assert merge([headline, weak]) == [dataclasses.replace(headline, parties=("volta", "kestrel"))]


def test_the_same_parties_in_another_market_make_another_deal():
    oslo, bonn = told("testing", "volta", places=("oslo",)), told("testing", "volta", start=20, places=("bonn",))
    assert merge([oslo, bonn]) == [oslo, bonn]
    assert merge([oslo, dataclasses.replace(bonn, places=("bonn", "oslo"))]) == [oslo]


def test_places_of_a_weaker_sentence_count_where_the_stronger_one_has_none():
    headline = told("testing", "volta", probability=0.9)
    body = told("testing", "volta", probability=0.6, start=20, places=("bonn",))
    assert merge([headline, body]) == [dataclasses.replace(headline, places=("bonn",))]


PARTIES = st.lists(st.sampled_from("abcd"), min_size=1, max_size=4, unique=True).map(tuple)


@st.composite
def tellings(draw):
    rows = draw(st.lists(st.tuples(st.sampled_from(["supply", "partnership"]), PARTIES, st.floats(0.3, 1)), max_size=8))
    return [told(kind, *parties, probability=p, start=20 * i) for i, (kind, parties, p) in enumerate(rows)]


@given(tellings(), st.randoms())
def test_merging_leaves_no_deal_twice_and_loses_none(sentences, random):
    merged = merge(sentences)
    keys = [(deal.deal_type, frozenset(deal.parties)) for deal in merged]
    assert len(set(keys)) == len(keys)
    for one in merged:
        for other in merged:
            if one is not other and one.deal_type == other.deal_type and set(one.parties) <= set(other.parties):
                assert one.deal_type not in SYMMETRIC
                assert one.parties[0] != other.parties[0]
    for sentence_ in sentences:
        assert any(
            deal.deal_type == sentence_.deal_type
            and set(sentence_.parties) <= set(deal.parties)
            and sentence_.probability <= deal.probability
            for deal in merged
        )
    assert merge(merged) == merged
    shuffled = random.sample(sentences, len(sentences))
    assert merge(shuffled) == merged


def same_deal(kept, other):
    """Are two tellings one deal? The same type, one party set within the other, no two markets."""
    left, right = set(kept.parties), set(other.parties)
    apart = kept.places and other.places and not set(kept.places) & set(other.places)
    agree = kept.parties[0] == other.parties[0] or kept.deal_type in SYMMETRIC
    within = left == right or (agree and (left <= right or right <= left))
    return kept.deal_type == other.deal_type and not apart and within


def merged_one_by_one(sentences):
    """``merge`` without an index: every telling beside every deal so far."""
    merged = []
    for deal in sorted(sentences, key=lambda d: (-d.probability, d.start, d.deal_type, d.parties)):
        at = next((i for i, kept in enumerate(merged) if same_deal(kept, deal)), None)
        if at is None:
            merged.append(deal)
        else:
            longer = max((merged[at], deal), key=lambda d: len(d.parties))
            places = merged[at].places or deal.places
            merged[at] = dataclasses.replace(merged[at], parties=longer.parties, places=places)
    return merged if len(merged) == len(sentences) else merged_one_by_one(merged)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["supply", "partnership"]),
            PARTIES,
            st.sampled_from([0.3, 0.6, 0.9]),
            st.lists(st.sampled_from(["oslo", "bonn"]), max_size=2, unique=True).map(tuple),
        ),
        max_size=12,
    )
)
def test_merging_by_index_is_merging_one_by_one(rows_):
    sentences = [told(kind, *p, probability=q, start=i, places=where) for i, (kind, p, q, where) in enumerate(rows_)]
    assert merge(sentences) == merged_one_by_one(sentences)


@pytest.mark.parametrize(
    "sentences",
    [
        [told("supply", f"seller{i}", f"buyer{i}", start=i) for i in range(2000)],
        [told("supply", "volta", f"buyer{i}", start=i) for i in range(2000)],
        [told("partnership", f"partner{i}", "volta", start=i) for i in range(2000)],
        [told("testing", "volta", places=(f"town{i}",), start=i) for i in range(2000)],
    ],
    ids=["no two alike", "one seller", "one partner", "one company in many towns"],
)
def test_the_deals_of_a_long_list_are_merged_without_comparing_each_with_each(sentences):
    start = time.perf_counter()
    assert merge(sentences) == sentences
    assert time.perf_counter() - start < 1.5  # each with each: 3 to 4 seconds


def test_a_merged_deal_keeps_the_company_that_acts_in_its_evidence():
    headline = told("partnership", "kestrel", probability=0.9)
    body = told("partnership", "volta", "kestrel", probability=0.6, start=20)
    (merged,) = merge([headline, body])
    assert (merged.parties, merged.acting, merged.start) == (("volta", "kestrel"), "kestrel", 0)


# Rows


HEADLINE = "Volta to supply Kestrel"
TOLD = "Volta will supply Level 4 chips worth $30 million to Kestrel in Bonn from March 2027."
TEXT = f"{HEADLINE}\n{TOLD} Ridewell tests vans in Oslo."
NAMES = {"volta": "Volta", "kestrel": "Kestrel", "ridewell": "Ridewell"}
START = TEXT.index(TOLD)
END = START + len(TOLD)


def document(text=TEXT, article_id="a1"):
    return Document(article_id, "news/a.txt", text, published_at=datetime(2026, 10, 5, tzinfo=UTC))


def mentions(text=TEXT):
    """Every company of ``NAMES`` in the text, by its first occurrence."""
    return [
        CompanyMention(text.index(name), text.index(name) + len(name), name, key, name, None, None, None, False, 0, 0.9)
        for key, name in NAMES.items()
        if name in text
    ]


def level(surface="Level 4", company_id="volta", explicit=True, negated=False, start=None):
    start = TEXT.index(surface) if start is None else start
    return LevelMention(
        start, start + len(surface), surface, 4, 4, False, explicit, negated, company_id, company_id, 0.9
    )


def place(name, geoname_id):
    start = TEXT.index(name)
    return LocationMention(start, start + len(name), name, name, "city", "DE", None, geoname_id, None, None, 0.9)


BONN, OSLO = place("Bonn", "2946447"), place("Oslo", None)


SUPPLY = company("volta", "supply", 0.9, {"kestrel": 0.8}, {"2946447": 0.9})
SUPPLY_TOLD = sentence(SUPPLY, start=START, end=END)


def rows(*scores, of=None, levels=(), locations=(BONN, OSLO), settings=SETTINGS):
    read = of or document()
    return find_deals(read, scores, mentions(read.text), locations, levels, settings)


def test_a_row():
    (row,) = rows(SUPPLY_TOLD, levels=[level()])
    assert (row.deal_type, row.status, row.confidence) == ("supply", "agreed", 0.9)
    assert [(p.company_id, p.company_name, p.role) for p in row.parties] == [
        ("volta", "Volta", "supplier"),
        ("kestrel", "Kestrel", "customer"),
    ]
    assert row.locations == (DealPlace("Bonn", "DE", "2946447"),)
    assert (row.level_min, row.level_max) == (4, 4)
    assert (row.amount, row.currency) == (30_000_000, "USD")
    assert row.announced_on == date(2026, 10, 5)
    assert (row.effective_on, row.effective_precision) == (date(2027, 3, 1), "month")
    assert (row.evidence, row.evidence_start, row.evidence_end) == (TOLD, START, END)


def test_a_place_without_an_id_goes_by_its_name():
    assert (place_key(BONN), place_key(OSLO)) == ("2946447", "Oslo")
    (row,) = rows(sentence(company("ridewell", "testing", 0.8, {}, {"Oslo": 0.9})))
    assert row.locations == (DealPlace("Oslo", "DE", None),)


def test_a_document_that_tells_nothing_has_no_rows():
    assert find_deals(document(), [], mentions(), [BONN], [], SETTINGS) == []


@pytest.mark.parametrize(("acts", "n"), [(0.49, 0), (0.5, 1), (0.51, 1)])
def test_a_row_needs_the_threshold_of_its_type(acts, n):
    assert len(rows(sentence(company("volta", "permit", acts)))) == n


def test_types_have_thresholds_of_their_own():
    strict = dataclasses.replace(
        SETTINGS, thresholds=dataclasses.replace(SETTINGS.thresholds, deal={**SETTINGS.thresholds.deal, "supply": 0.95})
    )
    tests = sentence(company("ridewell", "testing", 0.6))
    assert [row.deal_type for row in rows(SUPPLY_TOLD, tests)] == ["testing", "supply"]
    assert [row.deal_type for row in rows(SUPPLY_TOLD, tests, settings=strict)] == ["testing"]


def test_a_weak_sentence_makes_no_row_but_names_the_partner_of_a_strong_one():
    headline = sentence(company("volta", "supply", 0.9), start=0, end=len(HEADLINE))
    weak = sentence(company("volta", "supply", 0.3, {"kestrel": 0.8}), start=START, end=END)
    assert rows(weak) == []
    (row,) = rows(headline, weak)
    assert [p.company_id for p in row.parties] == ["volta", "kestrel"]
    assert row.evidence == HEADLINE


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([level()], 4),
        ([level(company_id="kestrel")], 4),
        ([level(company_id=None)], 4),  # a general remark
        ([level(company_id="ridewell")], None),  # of no party
        ([level(negated=True)], None),
        ([level(explicit=False)], None),
        ([level("Oslo")], None),  # outside the evidence
        ([], None),
    ],
)
def test_the_level_is_one_that_the_evidence_states_of_a_party(levels, expected):
    (row,) = rows(SUPPLY_TOLD, levels=levels)
    assert row.level_min == row.level_max == expected


@pytest.mark.parametrize(
    ("text", "names", "surfaces"),
    [
        ("May Mobility opens in June 2026.", ["May Mobility"], ["June 2026"]),
        ("It opens in May 2026.", ["May Mobility"], ["May 2026"]),
        ("Kestrel and May Mobility open in June 2026.", ["Kestrel", "May Mobility"], ["June 2026"]),
        ("The 2026 June Fund and Kestrel met.", ["Kestrel", "The 2026 June Fund", "June Fund"], []),
    ],
)
def test_a_date_in_the_name_of_a_company_is_none(text, names, surfaces):
    spans = [(text.index(name), text.index(name) + len(name), name) for name in names if name in text]
    companies = [
        CompanyMention(start, end, name, name, name, None, None, None, False, 0, 0.9) for start, end, name in spans
    ]
    assert [date_.surface for date_ in dates_of(document(text), companies)] == surfaces


def test_rows_stand_in_the_order_of_their_evidence():
    first = sentence(company("volta", "testing", 0.6), start=0, end=5)
    assert [row.evidence_start for row in rows(SUPPLY_TOLD, first)] == [0, START]


# Identity


def test_a_deal_id_is_stable_and_belongs_to_one_article():
    (row,) = rows(SUPPLY_TOLD)
    assert rows(SUPPLY_TOLD) == [row]
    (stronger,) = rows(sentence(dataclasses.replace(SUPPLY, acts=by_type("supply", 0.99)), start=0, end=5))
    assert stronger.deal_id == row.deal_id
    (elsewhere,) = rows(SUPPLY_TOLD, of=document(article_id="a2"))
    assert elsewhere.deal_id != row.deal_id


def test_one_deal_in_two_articles_is_one_event():
    (row,) = rows(SUPPLY_TOLD)
    other = "Bonn firm Kestrel buys chips\nKestrel of Bonn gets its chips from Volta."
    (again,) = rows(sentence(SUPPLY, start=29, end=len(other)), of=document(other, "a2"))
    assert again.event_id == row.event_id
    assert again.deal_id != row.deal_id


def test_partners_are_one_event_whoever_is_named_first():
    (one,) = rows(sentence(company("volta", "partnership", 0.9, {"kestrel": 0.9})))
    (other,) = rows(sentence(company("kestrel", "partnership", 0.9, {"volta": 0.9})))
    assert (one.deal_id, one.event_id) == (other.deal_id, other.event_id)
    (bought,) = rows(sentence(company("volta", "acquisition", 0.9, {"kestrel": 0.9})))
    (buying,) = rows(sentence(company("kestrel", "acquisition", 0.9, {"volta": 0.9})))
    assert len({one.event_id, bought.event_id, buying.event_id}) == 3


@pytest.mark.parametrize(
    "other",
    [
        company("volta", "order", 0.9, {"kestrel": 0.8}, {"2946447": 0.9}),
        company("volta", "supply", 0.9, {"ridewell": 0.8}, {"2946447": 0.9}),
        company("volta", "supply", 0.9, {"kestrel": 0.8}, {"Oslo": 0.9}),  # another market
    ],
    ids=["type", "party", "place"],
)
def test_another_type_party_or_market_is_another_event(other):
    assert rows(sentence(other))[0].event_id != rows(SUPPLY_TOLD)[0].event_id


SCORES = st.sampled_from([0.0, 0.3, 0.55, 0.65, 0.9])
TYPES = st.sampled_from(["supply", "partnership", "testing"])


@st.composite
def articles(draw):
    """Sentences of the text with any scores of its three companies."""
    cuts = sorted(draw(st.sets(st.integers(0, len(TEXT)), min_size=2, max_size=6)))
    scored = []
    for start, end in itertools.pairwise(cuts):
        kind = draw(TYPES)
        scored.append(
            sentence(
                *(
                    company(
                        name,
                        kind,
                        draw(SCORES),
                        {other: draw(SCORES) for other in NAMES if other != name},
                        {"2946447": draw(SCORES), "Oslo": draw(SCORES)},
                    )
                    for name in draw(st.permutations(list(NAMES)))
                ),
                start=start,
                end=end,
            )
        )
    return scored


@tries(max_examples=60, deadline=None)
@given(articles())
def test_whatever_the_scores(scored):
    found = rows(*scored)
    assert len({row.deal_id for row in found}) == len(found)
    markets = {(row.deal_type, frozenset(p.company_id for p in row.parties), row.locations) for row in found}
    assert len(markets) == len(found)
    for row in found:
        assert row.confidence >= 0.5
        assert row.evidence == TEXT[row.evidence_start : row.evidence_end]
        parties = [p.company_id for p in row.parties]
        assert len(set(parties)) == len(parties) >= 1
        assert [p.role for p in row.parties] == [ROLES[row.deal_type][min(i, 1)] for i in range(len(parties))]


@pytest.mark.parametrize(
    ("scores", "here", "told"),
    [
        ({"bonn": 0.9, "oslo": 0.4}, {"bonn"}, ("bonn",)),  # of an earlier sentence, and less likely than not
        ({"bonn": 0.9, "oslo": 0.6}, {"bonn"}, ("bonn", "oslo")),
        ({"oslo": 0.4}, set(), ("oslo",)),  # the sentence names no place
        ({"bonn": 0.1, "oslo": 0.4}, {"bonn"}, ("oslo",)),  # it names one where the deal does not happen
        ({"bonn": 0.4, "oslo": 0.4}, {"bonn", "oslo"}, ("bonn", "oslo")),
    ],
)
def test_places_of_earlier_sentences(scores, here, told):
    scored = sentence(company("volta", "testing", 0.9, {}, scores))
    usual = dataclasses.replace(SETTINGS, thresholds=dataclasses.replace(SETTINGS.thresholds, place=0.3))
    (deal,) = deals_of_sentence(dataclasses.replace(scored, places_here=frozenset(here)), usual)
    assert deal.places == told

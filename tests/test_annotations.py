"""Annotated articles: what is read of the format, where surfaces stand, and folds that let nothing leak."""

import gzip
import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpora.annotations import (
    annotated_article,
    company_names,
    group_near_copies,
    occurrences,
    read_annotations,
    read_records,
    split_by_group,
)

TEXT = "Volta to supply Kestrel\nVolta Motors will supply Kestrel in Bonn, the Ministry of Roads told Rhine News."


def record(**changes):
    return {
        "id": "x1",
        "text": TEXT,
        "companies": [
            {"name": "Volta", "surfaces": ["Volta", "Volta Motors"]},
            {"name": "Kestrel", "surfaces": ["Kestrel"]},
        ],
        "not_companies": ["Ministry of Roads"],
        "locations": [{"surface": "Bonn", "name": "Bonn", "country": "DE", "kind": "city"}],
        "deals": [],
        **changes,
    }


def deal(**changes):
    return {
        "type": "supply",
        "parties": ["Volta", "Kestrel"],
        "status": "agreed",
        "locations": ["Bonn"],
        "level": None,
        "amount": None,
        "currency": None,
        "evidence": "Volta Motors will supply Kestrel in Bonn",
        **changes,
    }


def spelled(made):
    return [(made.text[s.start : s.end], s.name, s.label) for s in made.spans]


def test_every_occurrence_of_a_surface_is_a_span_with_its_name():
    assert spelled(annotated_article(record())) == [
        ("Volta", "Volta", "COMPANY"),
        ("Kestrel", "Kestrel", "COMPANY"),
        ("Volta Motors", "Volta", "COMPANY"),
        ("Kestrel", "Kestrel", "COMPANY"),
        ("Bonn", "Bonn", "PLACE"),
        ("Ministry of Roads", "Ministry of Roads", "ORGANISATION"),
    ]


@pytest.mark.parametrize(
    "optional",
    ["Rhine News", {"name": "Rhine News"}, {"surface": "Rhine News"}, {"name": "Rhine", "surfaces": ["Rhine News"]}],
)
def test_borderline_companies_are_uncertain_however_they_are_written(optional):
    made = annotated_article(record(optional_companies=[optional]))
    assert spelled(made)[-1] == ("Rhine News", "Rhine News", "UNCERTAIN")


def test_borderline_places_are_places():
    made = annotated_article(record(locations=[], optional_locations=["Bonn"]))
    assert ("Bonn", "Bonn", "PLACE") in spelled(made)


def test_a_company_wins_over_what_else_its_name_is():
    made = annotated_article(
        record(not_companies=["Volta"], optional_companies=["Kestrel"], optional_locations=["Volta"])
    )
    assert {s.label for s in made.spans if s.name in ("Volta", "Kestrel")} == {"COMPANY"}


def test_a_deal_is_placed_by_its_evidence():
    made = annotated_article(record(deals=[deal(alt_types=["order"], alt_status=["planned"])]))
    (told,) = made.deals
    assert (told.types, told.statuses) == (("supply", "order"), ("agreed", "planned"))
    assert (told.parties, told.locations, told.optional) == (("Volta", "Kestrel"), ("Bonn",), False)
    assert TEXT[told.start : told.end] == "Volta Motors will supply Kestrel in Bonn"
    assert annotated_article(record(deals=[deal(optional=True)])).deals[0].optional


def test_evidence_that_is_not_in_the_text_is_named():
    with pytest.raises(ValueError, match="x1: evidence is not in the text: 'Volta supplies'"):
        annotated_article(record(deals=[deal(evidence="Volta supplies")]))


@pytest.mark.parametrize("name", ["gold.jsonl", "gold.jsonl.gz"])
def test_files_are_read_line_by_line_zipped_or_not(tmp_path, name):
    odd = "One\u2028line\u0085still"  # line separators that do not end a line of JSON
    lines = "\n".join(json.dumps(r, ensure_ascii=False) for r in (record(), record(id="x2", text=odd))) + "\n\n"
    content = lines.encode("utf-8")
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    (tmp_path / "x3.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "bare.jsonl").write_text('{"id": "x3"}\n', encoding="utf-8")
    assert read_records(tmp_path / "bare.jsonl", tmp_path) == [{"id": "x3", "text": TEXT}]
    read = read_annotations(tmp_path / name)
    assert [made.id for made in read] == ["x1", "x2"]
    assert read[0] == annotated_article(record())
    assert read[1].text == odd


def test_company_names_are_all_spellings():
    assert company_names([annotated_article(record())] * 2) == ["Kestrel", "Volta", "Volta Motors"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("GM and GMC", ["GM"]),  # whole words
        ("GM's vans, non-GM vans", ["GM", "GM"]),
        ("GM Energy and GM", ["GM Energy", "GM"]),  # the longest
        ("A.C.E. trucks", ["A.C.E."]),  # nothing in a name is a pattern
        ("ABCDE gm", []),
    ],
)
def test_occurrences(text, found):
    surfaces = {name: (name, "COMPANY") for name in ("GM", "GM Energy", "A.C.E.")}
    assert [text[s.start : s.end] for s in occurrences(text, surfaces)] == found


NAMES = st.text("ab .+(", min_size=1, max_size=4)


@settings(max_examples=100, deadline=None)
@given(st.text("ab .+(\n", max_size=60), st.lists(NAMES, max_size=5))
def test_spans_spell_a_surface_and_do_not_overlap(text, names):
    end = 0
    for span in occurrences(text, {name: (name.upper(), "COMPANY") for name in names}):
        assert text[span.start : span.end].upper() == span.name
        assert span.start >= end
        end = span.end


# Near copies and folds

STORIES = [
    " ".join(f"{word}{n}" for n in range(30)) for word in ("volta", "kestrel", "ridewell", "marlo", "oslo", "bonn")
]


def test_copies_are_one_group_under_the_first():
    cut = " ".join(STORIES[1].split()[:12])
    retold = f"{STORIES[0].upper()} and so on, as the agency reports from Bonn"
    assert group_near_copies([STORIES[0], STORIES[1], STORIES[2], cut, retold]) == [0, 1, 2, 1, 0]


def test_copies_of_copies_are_one_group():
    left, right = " ".join(STORIES[0].split()[:18]), " ".join(STORIES[0].split()[12:])
    assert group_near_copies([left, right]) == [0, 1]
    assert group_near_copies([left, right, STORIES[0]]) == [0, 0, 0]


def test_short_texts_are_copies_only_of_themselves():
    assert group_near_copies(["", "Vans", "vans!", "Vans drive"]) == [0, 1, 1, 3]


def articles(*tagged):
    """Articles of (text, event or None)."""
    return [
        annotated_article(record(id=f"x{i}", text=text, tags=["wire", *([f"event:{event}"] if event else [])]))
        for i, (text, event) in enumerate(tagged)
    ]


def fold_of(made, parts=3):
    return {a.id: part for part, (_, held_out) in enumerate(split_by_group(made, parts)) for a in held_out}


def test_every_article_is_held_out_once_and_else_trained_on():
    made = articles(*((story, None) for story in STORIES))
    folds = split_by_group(made, 3)
    assert sorted(a.id for _, held_out in folds for a in held_out) == [a.id for a in made]
    for training, held_out in folds:
        assert len(held_out) == 2
        assert {a.id for a in training} == {a.id for a in made} - {a.id for a in held_out}
    assert split_by_group(made, 3) == folds
    assert split_by_group(made, 3, seed=1) != folds


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(STORIES), st.sampled_from([None, None, "fair", "crash"])), max_size=14))
def test_copies_and_articles_on_one_event_stand_on_one_side(tagged):
    fold = fold_of(articles(*tagged))
    assert len(fold) == len(tagged)
    for i, (story, event) in enumerate(tagged):
        for j, (other, other_event) in enumerate(tagged):
            if story == other or (event and event == other_event):
                assert fold[f"x{i}"] == fold[f"x{j}"]


def test_groups_do_not_depend_on_the_hash_seed():
    program = f"""
from corpora.annotations import group_near_copies
words = {STORIES[0]!r}.split()
print(group_near_copies([" ".join(words[i:i + 14]) for i in (9, 0, 4, 13, 16, 6)], words=4))
"""
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True, check=True, env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": str(seed)},
        ).stdout
        for seed in range(3)
    }  # fmt: skip
    assert said == {b"[0, 0, 0, 0, 0, 0]\n"}

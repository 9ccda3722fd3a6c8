"""Annotations without text: what is kept, that it comes back as it was, and what is said where it cannot."""

import gzip
import json
from pathlib import Path

import pytest

from corpora.annotations import read_records
from corpora.standoff import (
    DATA,
    FIELDS,
    StandoffError,
    item_texts,
    places,
    read_standoff,
    text_of_item,
    with_text,
    without_text,
    write_standoff,
)

KEPT = sorted((Path(__file__).parents[1] / "corpora" / "standoff").glob("*.jsonl"))
FILE = "text/av_items_2010_2021.jsonl.gz"
ITEM = {
    "id": "n1",
    "title": ' "Volta buys Kestrel" ',
    "text": "Volta  buys\tKestrel in Bonn for €5 million, L4 vans too.",
}
TEXT = "Volta buys Kestrel\nVolta buys Kestrel in Bonn for €5 million, L4 vans too."


def record(**changes):
    return {
        "id": "s1",
        "source": {"file": FILE, "id": "n1"},
        "published": None,
        "text": TEXT,
        "tags": ["wire"],
        "companies": [{"name": "Volta Motors", "surfaces": ["Volta"]}],
        "not_companies": [],
        "levels": [{"surface": "L4", "min": 4, "max": 4, "plus": False, "company": "Volta Motors", "negated": False}],
        "not_levels": ["vans"],
        "locations": [{"surface": "Bonn", "name": "Bonn", "country": "DE", "kind": "city"}],
        "deals": [{"type": "acquisition", "parties": ["Volta Motors"], "evidence": "Volta buys Kestrel in Bonn"}],
        "optional_companies": ["Kestrel", {"name": "Kestrel AG", "surfaces": ["Kestrel"]}],
        **changes,
    }


@pytest.fixture
def data(tmp_path):
    (tmp_path / "text").mkdir()
    (tmp_path / FILE).write_bytes(gzip.compress((json.dumps(ITEM) + "\n").encode()))
    return tmp_path


def test_surfaces_and_evidence_become_offsets_and_names_stay():
    kept = without_text(record())
    assert "text" not in kept
    assert (kept["characters"], kept["companies"]) == (len(TEXT), [{"name": "Volta Motors", "surfaces": [[0, 5]]}])
    assert kept["deals"] == [{"type": "acquisition", "parties": ["Volta Motors"], "evidence": [19, 45]}]
    assert kept["optional_companies"][0] == [11, 18]
    assert places(kept) == [[0, 5], [62, 64], [65, 69], [41, 45], [19, 45], [11, 18], [11, 18]]


def test_a_surface_is_placed_where_it_is_a_word():
    text = "UberX is what Uber calls it."
    assert without_text(record(text=text, not_companies=["Uber"], **dict.fromkeys(LISTS, ())))["not_companies"] == [
        [14, 18]
    ]


LISTS = ("companies", "levels", "not_levels", "locations", "deals", "optional_companies")


def test_what_is_written_comes_back(data, tmp_path):
    assert write_standoff([record()], tmp_path / "kept.jsonl", data) == 1
    assert read_standoff([tmp_path / "kept.jsonl"], data) == [record()]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"not_companies": ["Reuters"]}, "s1: 'Reuters' is not in the text"),
        ({"text": TEXT + " And so on."}, "is not the one that was annotated"),
        ({"source": {"file": FILE, "id": "n2"}}, "item 'n2' is not in it"),
        ({"source": {"file": "text/reuters_auto_2006_2013.jsonl.gz", "id": "n1"}}, "belong to their publishers"),
    ],
)
def test_what_would_not_come_back_is_not_written(data, tmp_path, changes, said):
    with pytest.raises(StandoffError, match=said):
        write_standoff([record(**changes)], tmp_path / "kept.jsonl", data)
    assert not (tmp_path / "kept.jsonl").exists()


def test_another_text_than_the_annotated_one_is_refused():
    with pytest.raises(StandoffError, match=r"s1: the text of n1 is not the one that was annotated"):
        with_text(without_text(record()), TEXT.replace("Bonn", "Cork"))


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ({"title": "T", "text": " B "}, "T\nB"),
        ({"title": None, "text": "B\t b"}, "B b"),
        ({"title": "T", "text": "A. " * 600}, "T\n" + ("A. " * 566)[:-1]),  # the last sentence end below 1,700
        ({"title": "T", "text": "A. " * 9 + "b" * 2000}, ("T\n" + "A. " * 9 + "b" * 2000)[:1700]),  # none worth it
    ],
)
def test_text_of_a_source_item(item, text):
    assert text_of_item(FILE, item) == text


def test_a_source_that_nobody_described_is_told():
    with pytest.raises(StandoffError, match="does not say which of its fields"):
        text_of_item("text/unknown.jsonl.gz", ITEM)


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for own in value.values() if isinstance(value, dict) else value:
            yield from strings(own)


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.name)
def test_no_text_of_others_is_kept(path):
    """Names, codes, dates and digests are short; text would not be, and surfaces and evidence are numbers."""
    for item in read_records(path):
        assert item["source"]["file"] in FIELDS
        for field in ("id", "sha256", "source"):
            own = item.pop(field)
            assert field == "source" or isinstance(own, str)
        assert "text" not in item
        assert not [text for text in strings(item) if len(text) > 48]
        assert all(isinstance(n, int) for place in places(item) for n in place)


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.name)
def test_kept_items_match_their_sources(path):
    items = read_records(path)
    file = items[0]["source"]["file"]
    if not (DATA / file).exists():
        pytest.skip(f"{file} belongs to its publisher and is not here")
    texts = item_texts(DATA, file, {item["source"]["id"] for item in items})
    for item in items:
        assert without_text(with_text(item, texts[item["source"]["id"]])) == item

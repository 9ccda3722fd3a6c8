"""Faulty records and the message that each gets; splits that leak; and that our own corpora are sound."""

import gzip
import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from corpora import standoff
from corpora.record_checks import article_faults, phrase_faults
from corpora.validate import OURS, in_test_part, summary, validate, write_digests
from pipeline.cli import app

TEXT = "Volta to supply Kestrel\nVolta Motors will supply Kestrel in Bonn with Level 3 software for €5 million."
STORIES = {
    name: " ".join(f"{name}{n}" for n in range(60)) + f" Volta Motors supplies Kestrel in Bonn, {name} says."
    for name in ("oslo", "cork", "lyon")
}


def deal(**changes):
    return {
        "type": "supply",
        "parties": ["Volta", "Kestrel"],
        "status": "agreed",
        "locations": ["Bonn"],
        "level": 3,
        "amount": 5000000,
        "currency": "EUR",
        "evidence": "Volta Motors will supply Kestrel in Bonn",
        **changes,
    }


def record(**changes):
    return {
        "id": "x1",
        "text": TEXT,
        "published": "2025-03-04",
        "tags": ["wire"],
        "companies": [
            {"name": "Volta", "surfaces": ["Volta", "Volta Motors"]},
            {"name": "Kestrel", "surfaces": ["Kestrel"]},
        ],
        "not_companies": [],
        "levels": [{"surface": "Level 3", "min": 3, "max": 3, "plus": False, "company": "Volta", "negated": False}],
        "not_levels": [],
        "locations": [{"surface": "Bonn", "name": "Bonn", "country": "DE", "kind": "city"}],
        "deals": [deal()],
        **changes,
    }


def plain(name, story, **changes):
    """An article on a story of its own, without levels and deals."""
    return record(id=name, text=STORIES[story], levels=[], deals=[], **changes)


def level(**changes):
    return [{"surface": "Level 3", "min": 3, "max": 3, "plus": False, "company": "Volta", "negated": False, **changes}]


def place(**changes):
    return [{"surface": "Bonn", "name": "Bonn", "country": "DE", "kind": "city", **changes}]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"published": None},
        {"published": "Tue Mar 4, 2025 5:06pm EST"},  # as its source says it
        {"optional_companies": [{"name": "Motors", "surfaces": ["Motors"]}]},
        {"deals": [deal(), deal(status="planned")]},
        {"deals": [deal(amount=None, currency=None, level=None)]},
        {"deals": [deal(parties=["Volta", "Motors"], optional=True)], "optional_companies": ["Motors"]},
        {"levels": level(company=None)},
        {"locations": [*place(), *place(surface="Volta", name="Volta", country=None, kind="region")]},
    ],
)
def test_sound_articles(changes):
    assert article_faults(record(**changes)) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"id": ""}, "id is missing"),
        ({"text": " "}, "text is missing or empty"),
        ({"tags": None}, "tags is missing or no list"),
        ({"compnies": []}, "unknown field 'compnies'"),
        ({"published": "2025-02-30"}, "published is no day: '2025-02-30'"),
        ({"companies": [{"name": "Volta"}]}, "a field is missing or of the wrong type: KeyError('surfaces')"),
        ({"not_companies": ["Reuters"]}, "not_companies: surface is not in the text: 'Reuters'"),
        ({"not_companies": ["Kest"]}, "not_companies: surface stands only inside a longer word: 'Kest'"),
        ({"not_companies": ["Volta"]}, "'Volta' is a company and none at once"),
        ({"optional_companies": ["Volta"]}, "'Volta' is a required company and an optional one at once"),
        ({"levels": level(surface="L3")}, "levels: surface is not in the text: 'L3'"),
        ({"levels": level(min=4)}, "levels: 'Level 3' goes from 4 to 3; levels are 0 to 5"),
        ({"levels": level(max=6)}, "levels: 'Level 3' goes from 3 to 6; levels are 0 to 5"),
        ({"levels": level(min=True)}, "levels: 'Level 3' goes from True to 3; levels are 0 to 5"),
        ({"levels": level(plus=0)}, "levels: 'Level 3': plus is neither true nor false: 0"),
        (
            {"levels": level(company="Bosch")},
            "levels: 'Level 3' belongs to 'Bosch', which is no company of the article",
        ),
        ({"not_levels": ["Level 2"]}, "not_levels: surface is not in the text: 'Level 2'"),
        ({"locations": place(kind="town")}, "locations: 'Bonn' has the unknown kind 'town'"),
        ({"locations": place(country="UK")}, "locations: 'Bonn' has the unknown country 'UK'"),
        ({"locations": place(country=None, kind="country")}, "locations: the country 'Bonn' has no code"),
        ({"locations": place(kind="continent")}, "locations: the continent 'Bonn' has the country 'DE'"),
        ({"locations": [*place(), *place(name="Köln")]}, "locations: 'Bonn' is 'Bonn' and 'Köln' at once"),
        ({"deals": [deal(type="merger")]}, "deal 1: unknown type 'merger'"),
        ({"deals": [deal(alt_status=["done"])]}, "deal 1: unknown status 'done'"),
        ({"deals": [deal(), deal(parties=[], status="planned")]}, "deal 2: no party, or one twice: []"),
        ({"deals": [deal(parties=["Volta", "Volta"])]}, "deal 1: no party, or one twice: ['Volta', 'Volta']"),
        ({"deals": [deal(parties=["Volta Motors"])]}, "deal 1: party 'Volta Motors' is no company of the article"),
        ({"deals": [deal(locations=["Berlin"])]}, "deal 1: place 'Berlin' is no location of the article"),
        ({"deals": [deal(level=6)]}, "deal 1: level 6 is none of 0 to 5"),
        ({"deals": [deal(currency=None)]}, "deal 1: amount 5000000 with currency None: both or none"),
        ({"deals": [deal(amount=0)]}, "deal 1: amount is no positive number: 0"),
        ({"deals": [deal(currency="Euro")]}, "deal 1: unknown currency 'Euro'"),
        ({"deals": [deal(evidence="Volta supplies")]}, "deal 1: evidence is not in the text: 'Volta supplies'"),
        ({"deals": [deal(), deal(level=None)]}, "deal 2: the same as deal 1"),
    ],
)
def test_faulty_articles(changes, fault):
    assert article_faults(record(**changes)) == [fault]


def test_a_surface_has_one_company():
    companies = [{"name": name, "surfaces": ["Volta"]} for name in ("Volta", "Volta", "Kestrel")]
    assert article_faults(record(companies=companies)) == [
        "company 'Volta' stands twice",
        "surface 'Volta' belongs to two companies: 'Volta' and 'Kestrel'",
    ]


@pytest.mark.parametrize(
    ("phrase", "faults"),
    [
        ({"text": "It paid €5 million.", "amounts": [{"amount": 5000000, "currency": "EUR"}]}, []),
        ({"text": ""}, ["text is missing or empty"]),
        ({"text": "It paid.", "evidence": "It pays."}, ["evidence is not in the text: 'It pays.'"]),
        ({"text": "It paid.", "deal": {"evidence": "It pays."}}, ["evidence is not in the text: 'It pays.'"]),
        ({"text": "It paid.", "amounts": [{"amount": 5, "currency": "EU"}]}, ["unknown currency 'EU'"]),
        ({"text": "At Plus.", "companies": [{"start": 3, "surface": "Plus"}]}, []),
        ({"text": "At Plus.", "companies": [{"start": 2, "surface": "Plus"}]}, ["no 'Plus' at 2"]),
    ],
)
def test_phrases(phrase, faults):
    assert phrase_faults(phrase) == faults


# Files


@pytest.fixture
def write(tmp_path):
    def written(name, *records):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        lines = "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in records).encode()
        path.write_bytes(gzip.compress(lines) if name.endswith(".gz") else lines)
        return path

    return written


def told(tmp_path, **options):
    report = validate(
        [tmp_path], data=options.get("data", tmp_path / "nowhere"), texts=options.get("texts"), compare=()
    )
    return [str(fault).replace(f"{tmp_path}/", "") for fault in report.faults]


def test_faults_name_file_line_and_item(tmp_path, write):
    write("a.jsonl", record(), "", "{", "[1]", record(id="x2", text=TEXT + " Bis.", deals=[deal(level=7)]))
    write("b.jsonl.gz").write_bytes(b"no gzip")
    assert told(tmp_path) == [
        "a.jsonl:3: no JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        "a.jsonl:4: no JSON object",
        "b.jsonl.gz: cannot be read: Not a gzipped file (b'no')",
        "a.jsonl:5: x2: deal 1: level 7 is none of 0 to 5",
    ]


def test_texts_may_stand_beside(tmp_path, write):
    bare = record()
    del bare["text"]
    write("dev.jsonl", bare)
    assert told(tmp_path) == ["dev.jsonl:1: x1: text is missing or empty"]
    (tmp_path / "x1.txt").write_text(TEXT, encoding="utf-8")
    assert told(tmp_path, texts=tmp_path) == []


def test_repeated_ids_and_texts(tmp_path, write):
    write("a.jsonl", plain("x1", "oslo"), plain("x1", "cork"), plain("x3", "oslo"))
    write("b.jsonl", plain("x4", "cork"), plain("x5", "oslo", copy_of="x1"))  # a copy that says so
    assert told(tmp_path) == [
        "a.jsonl:2: x1: the same id as x1 in a.jsonl",
        "a.jsonl:3: x3: the same text as x1 in a.jsonl",
        "b.jsonl:1: x4: the same text as x1 in a.jsonl",
    ]


def retold(story):
    return STORIES[story].upper() + " An editor added this. Volta Motors and Kestrel of Bonn did not comment."


@pytest.mark.parametrize(
    ("learnt", "measured", "fault"),
    [
        (plain("x1", "oslo"), plain("x2", "cork"), []),
        (plain("x1", "oslo"), {**plain("x2", "oslo"), "text": retold("oslo")}, ["leak: a near copy of x1"]),
        (plain("x1", "oslo", tags=["event:fair"]), plain("x2", "cork", tags=["wire", "event:fair"]),
         ["leak: the same event as x1"]),
        (plain("x1", "oslo", source={"file": "f", "id": "n"}), plain("x2", "cork", source={"file": "f", "id": "n"}),
         ["the same source item as x1"]),
    ],
)  # fmt: skip
def test_what_is_measured_on_is_not_learnt_from(tmp_path, write, learnt, measured, fault):
    train = write("train-news.jsonl", learnt)
    test = write("unseen.jsonl", measured)
    assert told(tmp_path) == [f"unseen.jsonl:1: x2: {what} in train-news.jsonl" for what in fault]
    # Of two files, faults are those of the one that was asked for.
    report = validate([train], data=tmp_path / "nowhere", compare=[test])
    assert [fault.item for fault in report.faults] == ["x1" for _ in fault]


def test_near_copies_on_one_side_are_no_leak(tmp_path, write):
    write("train-a.jsonl", plain("x1", "oslo"), {**plain("x2", "oslo"), "text": retold("oslo")})
    assert told(tmp_path) == []


def test_the_digest_of_the_id_decides_the_part(tmp_path, write):
    test = next(f"gx{n:03}" for n in range(99) if in_test_part(f"gx{n:03}"))
    train = next(f"gx{n:03}" for n in range(99) if not in_test_part(f"gx{n:03}"))
    write("test.jsonl", plain(train, "oslo"))
    write("train-x.jsonl", plain(test, "cork"))
    assert told(tmp_path) == [
        f"test.jsonl:1: {train}: is of the training part (digest of the id): move it to a train file",
        f"train-x.jsonl:1: {test}: is of the test part (digest of the id) and must not be learnt from: "
        "move it to test.jsonl",
    ]


def test_digests_of_the_files_are_held(tmp_path, write):
    path = write("a.jsonl", plain("x1", "oslo"))
    write_digests(tmp_path)
    listed = (tmp_path / "SHA256SUMS").read_text()
    assert listed == f"{hashlib.sha256(path.read_bytes()).hexdigest()}  a.jsonl\n"
    assert told(tmp_path) == []
    write("a.jsonl", plain("x1", "cork"))
    (tmp_path / "SHA256SUMS").write_text(listed + "0  b.jsonl\n")
    assert [fault.split(";")[0] for fault in told(tmp_path)] == [
        "SHA256SUMS:1: a.jsonl: the file has changed",
        "SHA256SUMS:2: b.jsonl: is not there",
    ]


# Standoff annotations

SOURCE = "text/finance_news_2023.jsonl.gz"


def kept(**changes):
    return {**standoff.without_text(record(source={"file": SOURCE, "id": "n1"})), **changes}


@pytest.fixture
def sources(tmp_path, write):
    write(SOURCE, {"id": "n1", "content": TEXT})
    (tmp_path / "standoff").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({}, []),
        ({"not_companies": [[0, 4]]}, ["not_companies: surface stands only inside a longer word: 'Volt'"]),
        ({"not_companies": [[90, 900]]}, [f"offsets [90, 900] lie outside the text of {len(TEXT)} characters"]),
        ({"not_companies": [[7, 7]]}, [f"offsets [7, 7] lie outside the text of {len(TEXT)} characters"]),
        ({"not_companies": ["Volta"]}, ["no offsets but 'Volta'"]),
        ({"companies": None}, ["a field is of the wrong type: 'NoneType' object is not iterable"]),
        ({"sha256": "0" * 64}, [f"the text in {SOURCE} is not the one that was annotated (digest differs)"]),
        ({"source": {"file": SOURCE, "id": "n9"}}, [f"{SOURCE} has no item 'n9'"]),
    ],
)
def test_standoff_items(sources, write, changes, faults):
    path = write("standoff/news.jsonl", kept(**changes))
    report = validate([path], data=sources, compare=())
    assert [fault.what for fault in report.faults] == faults
    assert report.notes == []


def test_standoff_without_its_sources_is_checked_as_far_as_it_goes(tmp_path, write):
    path = write("standoff/news.jsonl", kept(), kept(id="x2", text=TEXT, not_companies=[[3, 999]]))
    report = validate([path], data=tmp_path / "nowhere", compare=())
    assert [fault.what for fault in report.faults][:2] == [
        "has text: annotations of others' texts are kept without it",
        f"offsets [3, 999] lie outside the text of {len(TEXT)} characters",
    ]
    (note,) = report.notes
    assert note.endswith(f"is not here: 2 items of {path} lack their texts")


# The command


def test_the_command_tells_faults_and_ends_with_1(tmp_path, write):
    path = write("a.jsonl", record(id="x1", deals=[deal(type="merger")]))
    ran = CliRunner().invoke(app, ["corpora", "validate", str(path), "--data", str(tmp_path)])
    assert (ran.exit_code, ran.stdout) == (1, f"{path}:1: x1: deal 1: unknown type 'merger'\n")
    assert ran.stderr == "1 files: 1 articles, 2 companies, 1 deals, 1 levels, 1 locations; 1 faults\n"


def test_a_path_that_is_not_there_is_wrong_usage(tmp_path):
    ran = CliRunner().invoke(app, ["corpora", "validate", str(tmp_path / "none")])
    assert (ran.exit_code, ran.stderr) == (2, f"roadwire: no such file or folder: {tmp_path / 'none'}\n")


def test_our_corpora_are_sound():
    report = validate(OURS, data=Path("nowhere"), compare=())
    assert [str(fault) for fault in report.faults] == []
    assert summary(report).endswith("0 faults")
    assert report.counts["articles"] > 1400

"""Two outputs of one archive laid side by side: what counts as the same row, as changed, as lost and added."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from batch_factories import VERSIONS, company, deal, document, extraction, level, location, reject
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from pipeline import cli, diff_report, tables
from pipeline.diff import DiffError, compare, plain
from pipeline.diff_parts import Folder
from pipeline.diff_records import Report, TableDiff, as_json
from pipeline.records import DealPlace, Extraction, Party, Reject
from pipeline.row_matching import match_events, match_keys, match_mentions
from pipeline.versions import Versions

TEXT = (
    "Volta Ride and Kerr Freight will test Level 4 trucks in Oslo from May.\n"
    "Brightlane raised 20 million euros from Nordvik Capital on Monday."
)
FIRST = (0, TEXT.index("\n"))
SECOND = (TEXT.index("\n") + 1, len(TEXT))
VOLTA, KERR = Party("volta", "Volta Ride", "operator"), Party("kerr", "Kerr Freight", "partner")
NORDVIK = Party("nordvik", "Nordvik Capital", "investor")
BRIGHTLANE = Party("brightlane", "Brightlane", "investee")


def told(deal_id: str, parties: Sequence[Party], span: tuple[int, int] = FIRST, **values: Any) -> Any:
    """A deal of the text above."""
    return replace(
        deal(),
        deal_id=deal_id,
        parties=tuple(parties),
        evidence=TEXT[slice(*span)],
        evidence_start=span[0],
        evidence_end=span[1],
        **values,
    )


def read(**rows: Any) -> Extraction:
    """The article above with these rows and no others."""
    empty: dict[str, Any] = {"companies": [], "levels": [], "locations": [], "deals": []}
    return extraction(document(TEXT), **{**empty, **rows})


def write(
    folder: Path, extractions: Sequence[Extraction], rejects: Sequence[Reject] = (), versions: Versions = VERSIONS
) -> Path:
    """Tables as a run writes them."""
    made = {
        **tables.article_tables(extractions, "b", versions),
        **tables.ledger_tables([], rejects, "b"),
    }
    for name, table in made.items():
        (folder / name).mkdir(parents=True)
        stamp = {f"roadwire.{key}": getattr(versions, key) for key in Versions.__dataclass_fields__}
        pq.write_table(table.replace_schema_metadata(stamp), folder / name / "b.parquet")
    return folder


def between(tmp_path: Path, old: Sequence[Extraction], new: Sequence[Extraction], **options: Any) -> Report:
    return compare(write(tmp_path / "old", old), write(tmp_path / "new", new), **options)


def table(report: Report, name: str) -> TableDiff:
    return next(each for each in report.tables if each.name == name)


def summary(diff: TableDiff) -> dict[str, int]:
    counts = {name: getattr(diff.counts, name) for name in ("same", "rescored", "changed", "lost", "added")}
    return {name: n for name, n in counts.items() if n}


BOTH = told("1", [VOLTA, KERR])


@pytest.mark.parametrize(
    ("old", "new", "counts", "fields"),
    [
        pytest.param([BOTH], [BOTH], {"same": 1}, set(), id="the same row"),
        pytest.param([BOTH], [], {"lost": 1}, set(), id="lost"),
        pytest.param([], [BOTH], {"added": 1}, set(), id="added"),
        pytest.param([BOTH], [replace(BOTH, status="active")], {"changed": 1}, {"status"}, id="a status"),
        pytest.param(
            [BOTH], [replace(BOTH, amount=None, currency=None)], {"changed": 1}, {"amount", "currency"}, id="a sum"
        ),
        pytest.param(
            [BOTH], [replace(BOTH, effective_on=date(2026, 5, 1))], {"changed": 1}, {"effective_on"}, id="a date"
        ),
        pytest.param([BOTH], [replace(BOTH, confidence=0.74)], {"same": 1}, set(), id="a score within the tolerance"),
        pytest.param([BOTH], [replace(BOTH, confidence=0.76)], {"rescored": 1}, set(), id="a score beyond it"),
        pytest.param([BOTH], [told("2", [VOLTA])], {"changed": 1}, {"parties"}, id="a party less, so another id"),
        pytest.param([BOTH], [told("1", [KERR, VOLTA])], {"same": 1}, set(), id="parties in another order"),
        pytest.param(
            [BOTH], [told("2", [VOLTA], deal_type="deployment")], {"changed": 1}, {"parties", "deal_type"}, id="a type"
        ),
        pytest.param(
            [BOTH], [told("2", [KERR, VOLTA], SECOND)], {"changed": 1}, {"evidence"}, id="told from another sentence"
        ),
        pytest.param(
            [BOTH], [told("2", [BRIGHTLANE], SECOND, deal_type="testing")], {"lost": 1, "added": 1}, set(),
            id="neither a party nor a sentence in common",
        ),
        pytest.param(
            [BOTH], [told("2", [BRIGHTLANE], FIRST, deal_type="supply")], {"lost": 1, "added": 1}, set(),
            id="one sentence, another type and other parties",
        ),
        pytest.param(
            [told("1", [VOLTA])], [told("2", [replace(VOLTA, company_id="x-volta")])], {"changed": 1}, {"parties"},
            id="a company with another id",
        ),
        pytest.param(
            [BOTH], [replace(BOTH, locations=(DealPlace("Bergen", "NO", "3161732"),))], {"changed": 1}, {"locations"},
            id="a place",
        ),
        pytest.param(
            [told("1", [VOLTA, KERR]), told("2", [BRIGHTLANE, NORDVIK], SECOND)],
            [told("3", [BRIGHTLANE], SECOND), told("4", [VOLTA])],
            {"changed": 2}, {"parties"},
            id="two deals that both changed",
        ),
    ],
)  # fmt: skip
def test_a_deal_is_found_again_by_what_it_tells(
    tmp_path: Path, old: list[Any], new: list[Any], counts: dict[str, int], fields: set[str]
) -> None:
    diff = table(between(tmp_path, [read(deals=old)], [read(deals=new)]), "deals")
    assert summary(diff) == counts
    assert {field.name for field in diff.fields} == fields


@pytest.mark.parametrize(
    ("old", "new", "counts", "fields"),
    [
        pytest.param([(0, 10)], [(0, 10)], {"same": 1}, set(), id="the same offsets"),
        pytest.param([(0, 5)], [(0, 10)], {"changed": 1}, {"surface"}, id="borders drawn anew"),
        pytest.param([(0, 5)], [(5, 10)], {"lost": 1, "added": 1}, set(), id="beside each other"),
        pytest.param([(0, 10)], [(0, 5), (6, 10)], {"changed": 1, "added": 1}, {"surface"}, id="one name cut in two"),
        pytest.param([(0, 5), (6, 10)], [(0, 10)], {"changed": 1, "lost": 1}, {"surface"}, id="two names joined"),
        pytest.param([(0, 5), (15, 20)], [(15, 20)], {"same": 1, "lost": 1}, set(), id="one of two"),
    ],
)
def test_a_mention_is_found_again_by_its_place_in_the_text(
    tmp_path: Path, old: list[tuple[int, int]], new: list[tuple[int, int]], counts: dict[str, int], fields: set[str]
) -> None:
    sides = [[read(companies=[company(s, e, TEXT[s:e]) for s, e in spans])] for spans in (old, new)]
    diff = table(between(tmp_path, *sides), "companies")
    assert summary(diff) == counts
    assert {field.name for field in diff.fields} == fields


def test_rows_are_counted_by_kind_and_values_by_field(tmp_path: Path) -> None:
    old = read(levels=[level(4), replace(level(2, 2), start=0, end=5, surface="Volta")])
    new = read(levels=[level(4), replace(level(2, 3), start=0, end=5, surface="Volta", company_name="Kerr")])
    diff = table(between(tmp_path, [old], [new]), "autonomy_levels")
    assert {kind: (counts.same, counts.changed) for kind, counts in diff.kinds.items()} == {
        "level 4": (1, 0),
        "level 2": (0, 1),
    }
    assert {field.name: field.values for field in diff.fields} == {
        "level_max": ((2, 3, 1),),
        "company_name": (("Volta Ride", "Kerr", 1),),
    }


def test_what_was_lost_and_added_most_is_named(tmp_path: Path) -> None:
    old = read(locations=[location(), replace(location(), start=0, end=5, name="Bergen")])
    diff = table(between(tmp_path, [old], [read()]), "locations")
    assert (diff.lost_names, diff.added_names) == ((("Bergen", 1), ("Oslo", 1)), ())


def test_articles_on_one_side_are_listed_apart_and_their_rows_set_aside(tmp_path: Path) -> None:
    gone, come = (
        document("An article that the new side lacks, on shuttles."),
        document("One that only it has, on taxis."),
    )
    report = between(
        tmp_path,
        [read(deals=[BOTH]), extraction(gone, companies=[], locations=[], levels=[])],
        [
            read(deals=[BOTH]),
            extraction(replace(come, source_uri=gone.source_uri), levels=[], companies=[], locations=[]),
        ],
    )
    assert report.common == 1
    assert [named[0] for named in report.old.named] == [gone.article_id]
    assert [named[0] for named in report.new.named] == [come.article_id]
    assert (report.old.reread, report.new.reread) == (1, 1)
    assert summary(table(report, "articles")) == {"same": 1, "lost": 1, "added": 1}
    assert summary(table(report, "deals")) == {"same": 1}
    assert table(report, "deals").aside == (1, 1)


def test_rejects_are_compared_but_do_not_gate(tmp_path: Path) -> None:
    old = write(tmp_path / "old", [read()], [reject("a"), reject("b")])
    new = write(tmp_path / "new", [read()], [reject("b", "too_short"), reject("c")])
    report = compare(old, new)
    assert summary(table(report, "rejects")) == {"changed": 1, "lost": 1, "added": 1}
    assert report.worst()[1] == 0


def test_versions_come_from_the_files(tmp_path: Path) -> None:
    old = write(tmp_path / "old", [read()])
    new = write(tmp_path / "new", [read()], versions=replace(VERSIONS, models="other"))
    report = compare(old, new)
    assert (report.old.versions["models"], report.new.versions["models"]) == (("models",), ("other",))
    assert report.old.versions["gazetteers"] == report.new.versions["gazetteers"]


def test_examples_show_the_sentence_and_both_values(tmp_path: Path) -> None:
    old, new = read(deals=[BOTH], companies=[company()]), read(deals=[replace(BOTH, status="active")])
    report = between(tmp_path, [old], [new])
    [changed] = table(report, "deals").examples
    assert changed.passage == TEXT[slice(*FIRST)]
    assert changed.values[0] == ("status", "planned", "active")
    [lost] = table(report, "companies").examples
    assert (lost.before, lost.passage, lost.after) == ("", "Volta Ride", TEXT[10 : FIRST[1]])


def test_examples_differ_from_each_other(tmp_path: Path) -> None:
    """A copy of an article shows nothing new; another field does."""
    copies = [document(f"{TEXT} Copy {n}.") for n in range(5)]
    old = [extraction(each, [], [], [], [replace(BOTH, deal_id=f"{n}")]) for n, each in enumerate(copies)]
    new = [
        extraction(each, [], [], [], [replace(BOTH, deal_id=f"{n}", status="active")]) for n, each in enumerate(copies)
    ]
    new[4] = extraction(copies[4], [], [], [], [replace(BOTH, deal_id="4", level_min=None, level_max=None)])
    examples = table(between(tmp_path, old, new), "deals").examples
    assert [example.values[0][0] for example in examples] == ["status", "level_min"]


@pytest.mark.parametrize("part_rows", [9, 1000])
def test_parts_add_up_to_the_whole(tmp_path: Path, part_rows: int) -> None:
    documents = [document(f"{TEXT} Copy {n}.") for n in range(12)]
    old = [extraction(each, deals=[replace(BOTH, deal_id=f"{n}")]) for n, each in enumerate(documents)]
    new = [
        extraction(each, companies=[company()] if n % 2 else [], deals=[told(f"{n}", [VOLTA])])
        for n, each in enumerate(documents)
    ]
    report = between(tmp_path, old, new, part_rows=part_rows)
    assert summary(table(report, "deals")) == {"changed": 12}
    assert summary(table(report, "companies")) == {"same": 6, "lost": 6}


def events(folder: Path, rows: Sequence[tuple[str, str, str]]) -> None:
    """The table of events with these ids, statuses and pieces of evidence."""
    row = {
        "deal_type": "supply", "n_articles": 1, "n_sources": 1, "n_publishers": 1, "parties": [], "locations": [],
        "best_deal_id": "d", "confidence": 0.9, "history": [], "disagreements": [],
    }  # fmt: skip
    made = [{**row, "event_id": name, "status": status, "evidence": text} for name, status, text in rows]
    (folder / "deal_events").mkdir()
    pq.write_table(pa.Table.from_pylist(made, tables.DEAL_EVENTS), folder / "deal_events" / "e.parquet")


@pytest.mark.parametrize("part_rows", [1000, 5])
def test_an_event_with_another_id_is_found_again_in_whatever_part(tmp_path: Path, part_rows: int) -> None:
    old, new = write(tmp_path / "old", [read()]), write(tmp_path / "new", [read()])
    events(old, [(f"e{n}", "planned", f"Volta opened plant {n}.") for n in range(21)])
    events(new, [(f"f{n}", "active", f"Volta opened plant {n}.") for n in reversed(range(1, 22))])
    diff = table(compare(old, new, part_rows=part_rows), "deal_events")
    assert summary(diff) == {"changed": 20, "lost": 1, "added": 1}
    assert {field.name: field.values for field in diff.fields}["status"] == (("planned", "active", 20),)
    assert "pair" not in {name for example in diff.examples for name, *_ in example.values}


def test_a_table_is_read_once_however_many_parts_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = [document(f"{TEXT} Copy {n}.") for n in range(40)]
    rows = [extraction(each, [company()], [], [], [replace(BOTH, deal_id=f"{n}")]) for n, each in enumerate(copies)]
    read_from: list[str] = []
    dataset = Folder.dataset

    class Counted:
        def __init__(self, source: Any, name: str) -> None:
            self.source, self.name = source, name

        def __getattr__(self, name: str) -> Any:
            return getattr(self.source, name)

        def to_batches(self, **options: Any) -> Any:
            read_from.append(self.name)
            return self.source.to_batches(**options)

    monkeypatch.setattr(Folder, "dataset", lambda self, name: Counted(dataset(self, name), name))
    monkeypatch.setattr("pipeline.diff_parts._GATHERED_ROWS", 7)
    report = between(tmp_path, rows, rows, part_rows=4)
    assert summary(table(report, "companies")) == {"same": 40}
    assert summary(table(report, "deals")) == {"same": 40}
    assert read_from.count("companies") == read_from.count("deals") == 2  # once a side


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_every_row_is_matched_once_lost_or_added(data: st.DataObject) -> None:
    spans = st.tuples(st.sampled_from("ab"), st.integers(0, 30), st.integers(1, 6))
    sides = []
    for _ in range(2):
        rows = data.draw(st.lists(spans, max_size=12))
        sides.append(
            pa.table(
                {
                    "article_id": pa.array([row[0] for row in rows], pa.string()),
                    "start": pa.array([row[1] for row in rows], pa.int32()),
                    "end": pa.array([row[1] + row[2] for row in rows], pa.int32()),
                }
            )
        )
    old, new = sides
    exact = match_keys(old, new, ("article_id", "start", "end"))
    matched = match_mentions(old, new)
    assert sorted([*matched.old, *matched.lost]) == list(range(old.num_rows))
    assert sorted([*matched.new, *matched.added]) == list(range(new.num_rows))
    assert len(matched.old) >= len(exact.old)
    for i, j in zip(matched.old.tolist(), matched.new.tolist(), strict=True):
        left, right = old.slice(i, 1).to_pylist()[0], new.slice(j, 1).to_pylist()[0]
        assert left["article_id"] == right["article_id"]
        assert left["start"] < right["end"]
        assert right["start"] < left["end"]


@pytest.mark.parametrize(
    ("new", "pairs"),
    [
        ([("e1", "supply", "A.")], [(0, 0)]),
        ([("e9", "supply", "A.")], [(0, 0)]),
        ([("e9", "order", "A.")], [(0, 0)]),
        ([("e9", "supply", "C.")], []),
        ([("e2", "supply", "A."), ("e9", "supply", "A.")], [(0, 1), (1, 0)]),
    ],
    ids=["same id", "another id", "another id and type", "another sentence", "the id goes first"],
)
def test_an_event_is_found_again_by_its_id_or_its_evidence(
    new: list[tuple[str, str, str]], pairs: list[tuple[int, int]]
) -> None:
    names = ("event_id", "deal_type", "evidence")
    old = pa.table(dict(zip(names, zip(("e1", "supply", "A."), ("e2", "supply", "B."), strict=True), strict=True)))
    matched = match_events(old, pa.table(dict(zip(names, zip(*new, strict=True), strict=True))))
    assert list(zip(matched.old.tolist(), matched.new.tolist(), strict=True)) == pairs


def test_a_list_of_structs_is_equal_in_any_order() -> None:
    kind = tables.SCHEMAS["deals"].field("parties").type
    volta, kerr = ({"company_id": p.company_id, "company_name": p.company_name, "role": p.role} for p in (VOLTA, KERR))
    column = plain(pa.chunked_array([pa.array([[volta, kerr], [kerr, volta], [volta], [], None], kind)]))
    first, second, third, empty, missing = column.to_pylist()
    assert first == second != third
    assert (empty, missing) == ("", None)


def test_columns_that_one_side_lacks_are_left_out(tmp_path: Path) -> None:
    old, new = write(tmp_path / "old", [read(deals=[BOTH])]), write(tmp_path / "new", [read(deals=[BOTH])])
    file = new / "deals" / "b.parquet"
    pq.write_table(pq.read_table(file).append_column("priority", pa.array([3])), file)
    assert summary(table(compare(old, new), "deals")) == {"same": 1}


def test_a_folder_without_tables_is_told(tmp_path: Path) -> None:
    with pytest.raises(DiffError, match=r"nowhere: holds no tables"):
        compare(tmp_path / "nowhere", tmp_path)


HOSTILE = "<script>alert(1)</script> \x1b[31mred\x1b[0m \u202eright to left [bold]"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str, str]:
    """A status that changed, in an article whose title and party are not to be trusted."""
    trap = Party("x-trap", HOSTILE, "partner")
    article = replace(read(), document=replace(document(TEXT), title=HOSTILE))
    old = write(tmp_path / "old", [replace(article, deals=(told("1", [VOLTA, trap]),))])
    new = write(tmp_path / "new", [replace(article, deals=(told("1", [VOLTA], status="active"),))])
    return str(old), str(new)


def test_text_fits_80_columns_and_carries_no_control_characters(folders: tuple[str, str]) -> None:
    console = Console(width=80, record=True, force_terminal=False)
    with console.capture() as capture:
        diff_report.print_report(compare(Path(folders[0]), Path(folders[1])), console)
    text = capture.get()
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "planned" in text
    assert "[bold]" in text


def test_the_page_shows_markup_as_text_and_loads_nothing(folders: tuple[str, str]) -> None:
    html = diff_report.as_html(compare(Path(folders[0]), Path(folders[1])))
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert not [word for word in ("http://", "https://", "src=", "url(", "@import", "onclick") if word in html]
    assert all(word in html for word in ("prefers-color-scheme: dark", "width=device-width", "default-src 'none'"))


def test_json_holds_counts_fields_and_examples(folders: tuple[str, str]) -> None:
    report = json.loads(as_json(compare(Path(folders[0]), Path(folders[1]))))
    deals = next(each for each in report["tables"] if each["name"] == "deals")
    assert (deals["counts"]["changed"], deals["counts"]["share"]) == (1, 1.0)
    assert report["worst"] == {"table": "deals", "share": 1.0}
    assert {field["name"] for field in deals["fields"]} == {"status", "parties"}
    parties = next(field for field in deals["fields"] if field["name"] == "parties")
    assert parties["values"][0][1] == [["volta", "Volta Ride", "operator"]]


@pytest.mark.parametrize(
    ("options", "code"), [([], 0), (["--fail-above", "1"], 0), (["--fail-above", "0.5"], 1), (["--fail-above", "2"], 2)]
)
def test_the_gate(folders: tuple[str, str], options: list[str], code: int) -> None:
    result = CliRunner().invoke(cli.app, ["diff", *folders, *options])
    assert result.exit_code == code
    assert ("100.0% of the rows of deals differ" in result.stderr) == (code == 1)


def test_nothing_changed_passes_any_gate(folders: tuple[str, str]) -> None:
    result = CliRunner().invoke(cli.app, ["diff", folders[0], folders[0], "--fail-above", "0", "--json", "-"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["worst"]["share"] == 0


def test_files_are_written_where_asked(folders: tuple[str, str], tmp_path: Path) -> None:
    files = [str(tmp_path / "a.json"), str(tmp_path / "a.html")]
    result = CliRunner().invoke(cli.app, ["diff", *folders, "--json", files[0], "--html", files[1]])
    assert result.exit_code == 0
    assert json.loads(Path(files[0]).read_text(encoding="utf-8"))["common"] == 1
    assert Path(files[1]).read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere", "old"], 2, "nowhere: holds no tables"),
        (["old", "new", "--html", "no/such/folder.html"], 1, "cannot be written"),
    ],
)
def test_mistakes_are_told_without_a_traceback(
    folders: tuple[str, str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, message: str
) -> None:
    monkeypatch.chdir(Path(folders[0]).parent)
    result = CliRunner().invoke(cli.app, ["diff", *arguments])
    assert result.exit_code == code
    assert message in " ".join(result.stderr.split())

"""The report on a run's companies: what the register lacks, likely twins, and what only looks like one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.company_report import Twin, read_mentions, report
from pipeline.gazetteer import load_register

REGISTER = load_register()


def row(article: str, company_id: str, name: str, surface: str | None = None) -> dict[str, Any]:
    return {"article_id": article, "company_id": company_id, "company_name": name, "surface": surface or name}


def test_the_most_frequent_firms_outside_the_register_come_first() -> None:
    rows = [
        row("a", "x-tern", "Tern"),
        row("b", "x-tern", "Tern"),
        row("a", "x-skua", "Skua"),
        row("a", "waymo", "Waymo"),
    ]
    found = report(rows, REGISTER)
    assert [(one.name, one.articles) for one in found.unlinked] == [("Tern", 2), ("Skua", 1)]
    assert (found.companies, found.linked_share) == (3, 0.25)


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        (
            ("x-sandpiper-bank", "Sandpiper Bank"),
            ("x-sandpiper", "Sandpiper"),
            "'sandpiper bank' begins with 'sandpiper'",
        ),
        (("x-sand-piper", "Sand Piper"), ("x-sandpiper", "Sandpiper"), "same letters"),
        (("x-sandpiper", "Sandpiper"), ("x-sanpiper", "Sanpiper"), "a letter apart"),
        (("x-waimo", "Waimo Drive"), ("x-waimo-drives", "Waimo Drives"), "a letter apart"),
    ],
)
def test_names_that_may_be_one_firm(first: tuple[str, str], second: tuple[str, str], reason: str) -> None:
    (twin,) = report([row("a", *first), row("b", *second)], REGISTER).twins
    assert (twin.problem, twin.reason, twin.articles) == ("merge", reason, 2)
    assert {twin.first, twin.second} == {first[0], second[0]}


@pytest.mark.parametrize(
    "rows",
    [
        # both stand in one article, which tells them apart
        [row("a", "x-sandpiper-bank", "Sandpiper Bank"), row("a", "x-sandpiper", "Sandpiper")],
        # many firms begin so
        [row("a", "x-first-bank", "First Bank"), row("b", "x-first", "First")],
        # a number is a name of its own
        [row("a", "x-terminal-21", "Terminal 21"), row("b", "x-terminal-12", "Terminal 12")],
        # the register knows both
        [row("a", "volvo-cars", "Volvo Cars"), row("b", "volvo-group", "Volvo")],
    ],
)
def test_names_that_are_two_firms(rows: list[dict[str, Any]]) -> None:
    assert report(rows, REGISTER).twins == ()


def test_a_name_that_the_register_reads_is_told_with_its_firm() -> None:
    (twin,) = report([row("a", "x-way-mo", "Way Mo")], REGISTER).twins
    assert twin == Twin("merge", "x-way-mo", "waymo", "'Way Mo' reads as Waymo", 1)


def test_one_id_with_two_long_names_may_be_two_firms() -> None:
    rows = [row("a", "x-sandpiper", "Sandpiper Technologies"), row("b", "x-sandpiper", "Sandpiper Motors")]
    rows += [row("c", "x-skua", "Skua Motors"), row("d", "x-skua", "Skua")]
    assert [(twin.problem, twin.first) for twin in report(rows, REGISTER).twins] == [("split", "x-sandpiper")]


def test_a_folder_without_tables_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no table companies"):
        read_mentions(tmp_path)

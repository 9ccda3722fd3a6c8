"""A ``Report`` of differences -> what people look at: text for a terminal, one page of HTML.

In: a ``Report``. Out: lines on a rich ``Console`` (80 columns are enough), or a page that holds everything it needs.
Texts of articles are shown as text whatever they hold. It counts nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, time
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pipeline.diff_records import ITEM_SEPARATOR, VALUE_SEPARATOR, Counts, Example, FieldChanges, Report, TableDiff
from pipeline.page import page, percent, printable

NONE = "–"
MOST_KINDS, MOST_VALUES, MOST_NAMES = 12, 4, 6
#: A change of value that happened once is listed where it is no longer than this; the examples have the others.
MOST_CHARS = 40
#: Fields whose values are all different from each other: a list of their commonest changes says nothing.
_UNIQUE_VALUES = frozenset({"evidence", "title", "url", "detail", "event_id"})
_MARKS = {"changed": ("~", "yellow"), "lost": ("-", "red"), "added": ("+", "green")}
# Which values of a struct name it, and which one stands in brackets after that.
_NAMING: Mapping[str, tuple[int, int | None]] = {"parties": (1, 2), "locations": (0, None)}


def print_report(report: Report, console: Console) -> None:
    """The whole report in the width of the console."""
    _head(report, console)
    _overview(report, console)
    for table in report.tables:
        if _differs(table):
            _section(table, console)
    for side, name in ((report.old, "old"), (report.new, "new")):
        if side.alone:
            console.print(_heading(f"articles only in {name}", f"{side.alone:,}{_reread(side.reread)}"))
            for article_id, title, source in side.named[:MOST_NAMES]:
                console.print(_line(("  ", ""), (article_id, "dim"), ("  ", ""), (title or source, "")))
            if side.alone > MOST_NAMES:
                console.print(f"  … and {side.alone - MOST_NAMES:,} more", style="dim")
            console.print()


def as_html(report: Report) -> str:
    """The report as one page without scripts or anything to load."""
    sections: list[dict[str, Any]] = [
        {
            "table": table,
            "kinds": _kinds(table),
            "fields": [(each, list(_transitions(each))) for each in table.fields],
            "examples": [
                (each, [(name, *shown(name, old, new)) for name, old, new in each.values]) for each in table.examples
            ],
        }
        for table in report.tables
        if _differs(table)
    ]
    names = {section["table"].name for section in sections}
    return page(
        "diff.html",
        report=report,
        versions=list(_versions(report)),
        sections=sections,
        names=names,
        printable=printable,
    )


def shown(field: str, old: Any, new: Any) -> tuple[str, str]:
    """Two values of one field as people read them, with what tells them apart where they would look alike."""
    values = _shown(field, old), _shown(field, new)
    return values if values[0] != values[1] or old == new else (_shown("", old), _shown("", new))


def _shown(field: str, value: Any) -> str:
    if value is None or value == "":
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}" if field in ("confidence", "relevance") else f"{value:,.4f}".rstrip("0").rstrip(".")
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}" if value.time() == time() else f"{value:%Y-%m-%d %H:%M}"
    text = str(value)
    if VALUE_SEPARATOR in text:
        text = ", ".join(_item(field, item.split(VALUE_SEPARATOR)) for item in text.split(ITEM_SEPARATOR))
    return printable(text)


def _item(field: str, values: Sequence[str]) -> str:
    if field not in _NAMING:
        return " ".join(value for value in values if value)
    name, detail = _NAMING[field]
    return f"{values[name]} ({values[detail]})" if detail is not None else values[name]


def _head(report: Report, console: Console) -> None:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    grid.add_column(overflow="fold")
    grid.add_column()
    grid.add_row("", _line((report.old.folder, "bold")), _line((report.new.folder, "bold")))
    for name, old, new, differs in _versions(report):
        grid.add_row(name, _line((old, "")), _line((new, "")), Text("differs", style="yellow") if differs else "")
    console.print(grid)
    console.print()


def _versions(report: Report) -> Iterator[tuple[str, str, str, bool]]:
    names = sorted({*report.old.versions, *report.new.versions}, key=lambda name: (name != "pipeline", name))
    for name in names:
        old, new = (", ".join(side.versions.get(name, (NONE,))) for side in (report.old, report.new))
        yield name, printable(old), printable(new), old != new
    for name, counts in (
        ("batches", (report.old.batches, report.new.batches)),
        ("articles", (report.old.articles, report.new.articles)),
    ):
        yield name, f"{counts[0]:,}", f"{counts[1]:,}", False
    yield "on both sides", f"{report.common:,}", f"{report.common:,}", False


def _overview(report: Report, console: Console) -> None:
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="dim")
    table.add_column("table")
    for name in ("old", "new", "changed", "lost", "added", "rescored", "differ"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in report.tables:
        table.add_row(each.name, *_numbers(each.counts))
    console.print(table)
    console.print(
        Text(
            f"differ: changed, lost or added, of all rows of either side. rescored: only a score moved, by more than "
            f"{report.tolerance:g}.",
            style="dim",
        )
    )
    for aside in report.tables:
        if any(aside.aside):
            text = f"{aside.name}: {aside.aside[0]:,} old and {aside.aside[1]:,} new rows of articles on one side only"
            console.print(Text(text, style="dim"))
    console.print()


def _numbers(counts: Counts) -> list[str | Text]:
    numbers: list[str | Text] = [short(counts.old), short(counts.new)]
    for value, style in ((counts.changed, "yellow"), (counts.lost, "red"), (counts.added, "green")):
        numbers.append(Text(short(value), style=style if value else "dim"))
    return [*numbers, Text(short(counts.rescored), style="dim"), percent(counts.share)]


def short(number: int) -> str:
    """A count in at most six characters: 99,999, then 123k, then 1.2m."""
    if number < 100_000:
        return f"{number:,}"
    return f"{number // 1000}k" if number < 1_000_000 else f"{number / 1e6:.1f}m"


def _section(table: TableDiff, console: Console) -> None:
    counts = table.counts
    rows = counts.changed + counts.lost + counts.added
    console.print(
        _heading(table.name, f"{rows:,} of {counts.old + counts.added:,} rows differ, {percent(counts.share)}")
    )
    if len(table.kinds) > 1:
        grid = Table(box=None, padding=(0, 1), pad_edge=False, header_style="dim")
        grid.add_column("  kind")
        for name in ("old", "new", "changed", "lost", "added", "rescored", "differ"):
            grid.add_column(name, justify="right", no_wrap=True)
        for kind, own in _kinds(table):
            grid.add_row(f"  {printable(kind)}", *_numbers(own))
        console.print(grid)
    if table.fields:
        grid = Table(box=None, padding=(0, 1), pad_edge=False, header_style="dim")
        grid.add_column("  field", no_wrap=True)
        grid.add_column("rows", justify="right")
        grid.add_column("commonest changes")
        for field in table.fields:
            values = "; ".join(f"{old} → {new} {n:,}" for old, new, n in _transitions(field))
            grid.add_row(f"  {field.name}", f"{field.rows:,}", Text(values))
        console.print(grid)
    for change, names in (("lost", table.lost_names), ("added", table.added_names)):
        if names and names[0][1] > 1:
            told = ", ".join(f"{printable(name)} {n:,}" for name, n in names[:MOST_NAMES])
            console.print(
                Padding(_line((f"{change} most: ", _MARKS[change][1]), (told, "")), (0, 0, 0, 2), expand=False)
            )
    console.print()
    for example in table.examples:
        _print_example(example, console)


def _print_example(example: Example, console: Console) -> None:
    mark, style = _MARKS[example.change]
    about = example.title or example.article_id or ""
    console.print(
        Padding(
            _line((f"{mark} {example.change} ", style), (example.kind, "bold"), (f"  {about}", "dim")),
            (0, 2),
            expand=False,
        )
    )
    if example.passage:
        part = bool(example.before or example.after)
        left, right = ("[", "]") if part and not console.is_terminal else ("", "")
        quote = _line(("“" + example.before + left, ""), (example.passage, f"bold {style}" if part else ""))
        console.print(Padding(quote + Text(printable(right + example.after + "”")), (0, 0, 0, 4), expand=False))
    if example.change == "changed":
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(ratio=1, overflow="fold")
        grid.add_column(width=1)
        grid.add_column(ratio=1, overflow="fold")
        for name, old, new in example.values:
            values = shown(name, old, new)
            plain = name == "confidence"
            grid.add_row(
                name, Text(values[0], "dim" if plain else "red"), "→", Text(values[1], "dim" if plain else "green")
            )
        console.print(Padding(grid, (0, 0, 0, 4), expand=False))
    else:
        told = " · ".join(
            f"{name} {value}"
            for name, *pair in example.values
            if (value := shown(name, *pair)[example.change == "added"]) != NONE and name not in ("evidence", "surface")
        )
        console.print(Padding(Text(told, style="dim"), (0, 0, 0, 4), expand=False))
    console.print()


def _transitions(field: FieldChanges) -> Iterator[tuple[str, str, int]]:
    if field.name not in _UNIQUE_VALUES:
        for old, new, n in field.values[:MOST_VALUES]:
            values = shown(field.name, old, new)
            if n > 1 or sum(map(len, values)) <= MOST_CHARS:
                yield (*values, n)


def _kinds(table: TableDiff) -> list[tuple[str, Counts]]:
    """The kinds of row among which something differs, the largest first."""
    return [(kind, own) for kind, own in table.kinds.items() if own.changed + own.lost + own.added][:MOST_KINDS]


def _differs(table: TableDiff) -> bool:
    counts = table.counts
    return bool(counts.changed or ((counts.lost or counts.added) and table.name != "articles"))


def _reread(n: int) -> str:
    return f", {n:,} of them from a source that the other side has with another text" if n else ""


def _heading(name: str, detail: str) -> Text:
    return _line((name, "bold underline"), (f"  {detail}", "dim"))


def _line(*parts: tuple[str, str]) -> Text:
    return Text.assemble(*((printable(text), style) for text, style in parts))

"""The command ``roadwire fetch``: what is new in the sources of ``sources.toml`` into a raw store.

In: arguments, and the time. Out: a line a source and a table of failures for people, or one JSON object on standard
output with ``--json``, and an exit code. How anything is fetched is decided in ``pipeline.sources``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from pipeline.sources import FetchReport
    from pipeline.sources.session import SourceReport

EXIT_CODES = {
    0: "done",
    1: "failed: the raw store cannot be written; what was fetched before is safe",
    2: "wrong usage, or a list of sources that cannot be used",
    3: "done, but something could not be fetched: the report says what and why",
    130: "interrupted; the same command goes on from there",
}
#: Failures that are shown; all of them stand in the report.
SHOWN = 30

err = Console(stderr=True)


def add_to(parent: typer.Typer) -> None:
    """Register the command with the program's own."""
    parent.command(
        epilog="Exit codes: " + "; ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items()) + "."
    )(fetch)


def fetch(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Sources to fetch; all that are listed by default.")
    ] = None,
    sources: Annotated[Path, typer.Option("--sources", "-s", help="The list of sources.")] = Path("sources.toml"),
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the raw store.")] = Path("raw"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Fetch what is new in feeds, folders, object stores and WARC lists, and keep it as it came.

    The same command again fetches only what is new since. Then: roadwire run RAW, or 'RAW/*/2025-10-06' for a day.
    """
    from pipeline.sources import RawStoreError, SourcesError, load_sources
    from pipeline.sources import fetch as fetch_sources
    from pipeline.sources.fetch import Surroundings

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        listed = load_sources(sources)
        chosen = listed.named(names or [])
        world = Surroundings(lambda: datetime.now(UTC))
        tell = _silent if quiet or as_json else _tell
        report = fetch_sources(chosen, out, world, listed.at_once, tell)
    except SourcesError as error:
        _stop(str(error), 2)
    except RawStoreError as error:
        _stop(str(error), 1)
    if as_json:
        typer.echo(json.dumps({"out": str(out), "new": report.new, **asdict(report)}))
    elif not quiet:
        _summary(report, out)
    if report.failures:
        raise typer.Exit(3)


def _silent(report: SourceReport) -> None: ...


def _tell(report: SourceReport) -> None:
    parts = [f"{report.new:,} new", f"{report.known:,} known"]
    parts += [f"{report.waiting:,} waiting"] if report.waiting else []
    parts += [f"{len(report.failures):,} failed"] if report.failures else []
    err.print(f"{report.source}: {', '.join(parts)}", highlight=False, markup=False)


def _summary(report: FetchReport, out: Path) -> None:
    console = Console()
    if report.failures:
        table = Table("source", "url", "why", box=None, pad_edge=False)
        for failure in report.failures[:SHOWN]:
            table.add_row(*(escape(text) for text in (failure.source, failure.url, failure.why)))
        console.print(table)
        if len(report.failures) > SHOWN:
            console.print(f"and {len(report.failures) - SHOWN:,} more in {out}/.fetch/report.json", highlight=False)
    size = sum(source.bytes for source in report.sources)
    failed = f", {len(report.failures):,} failed" if report.failures else ""
    console.print(f"{report.new:,} new, {size:,} bytes{failed} -> {out}", highlight=False, soft_wrap=True)


def _interrupt(*_: object) -> None:
    """End at once: what is fetched is safe, and the rest is found again."""
    err.print("roadwire: interrupted; the same command goes on from there")
    os._exit(130)


def _stop(message: str, code: int) -> NoReturn:
    err.print(f"[red]roadwire:[/red] {escape(message)}", highlight=False, soft_wrap=True)
    sys.exit(code)

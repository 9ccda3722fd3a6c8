"""The commands ``roadwire companies add|merge|check|report``: the register of companies, edited with validation.

In: arguments. Out: what was done, a line each, or tables of what deserves a look; with ``--json`` one JSON object. The
register is changed by ``pipeline.register_edits``, a run is judged by ``pipeline.company_report``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

EXIT_CODES = {
    0: "done",
    2: "the change or the register cannot be right; nothing was changed, and the message says what to do",
}
EPILOG = "Exit codes: " + "; ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items()) + "."

app = typer.Typer(no_args_is_help=True, help="Edit and check the register of companies.")
err = Console(stderr=True)

Folder = Annotated[
    Path | None,
    typer.Option("--register", help="Folder of the gazetteers. Default: the one that ships.", show_default=False),
]


def add_to(parent: typer.Typer) -> None:
    """Make the commands part of ``roadwire``."""
    parent.add_typer(app, name="companies")


@app.command(epilog=EPILOG)
def add(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="The everyday name, then other spellings.")],
    to: Annotated[str | None, typer.Option(help="company_id that the names are further spellings of.")] = None,
    company_id: Annotated[str | None, typer.Option("--id", help="Default: made from the first name.")] = None,
    kind: Annotated[str, typer.Option(help="automaker, developer, supplier, ... as in the table companies.")] = "other",
    country: Annotated[str, typer.Option(help="Headquarters, ISO 3166-1 alpha-2.")] = "",
    city: Annotated[str, typer.Option(help="Headquarters.")] = "",
    ticker: Annotated[str, typer.Option(help="MIC:SYMBOL.")] = "",
    parent: Annotated[str, typer.Option(help="company_id of the owner.")] = "",
    founded: Annotated[str, typer.Option(help="Year, year-month or day; older articles then mean another firm.")] = "",
    risk: Annotated[
        str | None,
        typer.Option(help="Why the names need a second cue: english_word, short_acronym, place_name, surname, none."),
    ] = None,
    register: Folder = None,
) -> None:
    """Add a firm, or with --to spellings of one. The id that it had as an unknown firm stays valid."""
    from pipeline import register_edits

    folder = _folder(register)
    if to is not None:
        _edit(lambda: register_edits.add_names(folder, to, names, risk))
        return
    new = register_edits.NewCompany(tuple(names), company_id, kind, country, city, ticker, parent, risk, founded)
    _edit(lambda: register_edits.add(folder, new))


@app.command(epilog=EPILOG)
def merge(
    old: Annotated[str, typer.Argument(help="company_id that is given up: a record's, or one beginning with x-.")],
    new: Annotated[str, typer.Argument(help="company_id of the record that stays.")],
    register: Folder = None,
) -> None:
    """Make OLD mean NEW. Names, products and subsidiaries move; OLD stays valid in company_redirects.csv."""
    from pipeline import register_edits

    _edit(lambda: register_edits.merge(_folder(register), old, new))


@app.command(epilog=EPILOG)
def check(register: Folder = None) -> None:
    """Check the register: errors stop, doubtful records are listed."""
    from pipeline import register_edits
    from pipeline.gazetteer import GazetteerError

    try:
        doubts = register_edits.check(_folder(register), register_edits.ordinary_words())
    except GazetteerError as error:
        _stop(str(error))
    for line in doubts or ["nothing to look at"]:
        typer.echo(line)


@app.command(epilog=EPILOG)
def report(
    tables: Annotated[Path, typer.Argument(help="Folder of tables that roadwire run wrote.")],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Rows of each list.")] = 40,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    register: Folder = None,
) -> None:
    """List the most frequent firms that the register lacks, and likely twins, of a run."""
    from pipeline import company_report
    from pipeline.gazetteer import GazetteerError, load_register

    try:
        rows = company_report.read_mentions(tables)
        found = company_report.report(rows, load_register(_folder(register)), limit)
    except (GazetteerError, FileNotFoundError) as error:
        _stop(str(error))
    if as_json:
        typer.echo(json.dumps(asdict(found), ensure_ascii=False))
        return
    console = Console()
    console.print(f"{found.companies:,} companies; {found.linked_share:.1%} of the mentions are in the register")
    missing = Table("firm outside the register", "id", "articles", "mentions", title="most frequent", box=None)
    for one in found.unlinked:
        missing.add_row(escape(one.name), one.company_id, f"{one.articles:,}", f"{one.mentions:,}")
    twins = Table("do", "id", "and", "why", "articles", title="likely twins", box=None)
    for twin in found.twins:
        twins.add_row(twin.problem, twin.first, twin.second, escape(twin.reason), f"{twin.articles:,}")
    console.print(missing)
    console.print(twins)


def _folder(register: Path | None) -> Path:
    from pipeline.gazetteer import GAZETTEERS

    return register or GAZETTEERS


def _edit(change: Callable[[], list[str]]) -> None:
    from pipeline.gazetteer import GazetteerError
    from pipeline.register_edits import EditError

    try:
        for line in change():
            typer.echo(line)
    except (EditError, GazetteerError, OSError) as error:
        _stop(str(error))


def _stop(message: str) -> NoReturn:
    err.print(f"[red]roadwire:[/red] {escape(message)}", highlight=False, soft_wrap=True)
    sys.exit(2)

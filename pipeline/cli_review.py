"""The commands to judge an output by: ``roadwire diff`` and ``roadwire explain``.

In: arguments. Out: a report on standard output, files where they are asked for, and an exit code. What differs and
why a row exists is found out in ``pipeline.diff`` and ``pipeline.explain``.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

err = Console(stderr=True)


def add_to(parent: typer.Typer) -> None:
    """Register the commands with the program's own."""
    parent.command(
        epilog="Exit codes: 0 compared; 1 with --fail-above, more rows differ than that, or a file cannot be written; "
        "2 wrong usage, or folders that cannot be compared."
    )(diff)
    parent.command(
        epilog="Exit codes: 0 explained; 1 no article could be read, a model not be loaded or a file not be written; "
        "2 wrong usage or input."
    )(explain)


def diff(
    old: Annotated[Path, typer.Argument(help="Folder of tables, as written by run.")],
    new: Annotated[Path, typer.Argument(help="Another one, of the same articles by another version.")],
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write the report as JSON; - prints it instead.")
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report as one page of HTML.")] = None,
    fail_above: Annotated[
        float | None,
        typer.Option(min=0, max=1, metavar="SHARE", help="End with code 1 where more of any table's rows differ."),
    ] = None,
    examples: Annotated[int, typer.Option(min=0, help="Rows shown of each table and kind of change.")] = 3,
    tolerance: Annotated[float, typer.Option(min=0, max=1, help="A score that moved by no more is the same.")] = 0.05,
) -> None:
    """Show what another version of models, register or code changes in the tables of an archive."""
    from pipeline import diff as differences
    from pipeline import diff_records, diff_report

    try:
        report = differences.compare(old, new, examples, tolerance)
    except differences.DiffError as error:
        _stop(str(error), 2)
    if json_file == "-":
        typer.echo(diff_records.as_json(report))
    else:
        diff_report.print_report(report, Console())
        if json_file:
            _write(Path(json_file), diff_records.as_json(report) + "\n")
    if html:
        _write(html, diff_report.as_html(report))
    table, share = report.worst()
    if fail_above is not None and share > fail_above:
        _stop(f"{share:.1%} of the rows of {table} differ, more than {fail_above:.1%}", 1)


def explain(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="One or few articles in any format that run reads; - is stdin."),
    ],
    settings: Annotated[Path | None, typer.Option(help="TOML file of settings that differ from the defaults.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Articles to explain; the others are left out.")] = 10,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the explanations as JSON, one article a line.")
    ] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write one page of HTML as well.")] = None,
) -> None:
    """Show an article with everything that is read out of it, why, and what nearly was."""
    from pipeline import explain as reasons
    from pipeline import explain_report
    from pipeline import settings as options
    from pipeline.model_files import ModelError
    from pipeline.readers import InputError
    from pipeline.records import Document
    from pipeline.run import load_models

    try:
        chosen = options.load(settings)
        found = list(itertools.islice(reasons.documents(files, chosen), limit + 1))
        models = load_models(chosen) if any(isinstance(item, Document) for item in found) else None
    except (options.SettingsError, InputError) as error:
        _stop(str(error), 2)
    except ModelError as error:
        _stop(str(error), 1)
    explained = []
    console = Console()
    for item in found[:limit]:
        if not isinstance(item, Document):
            err.print(f"left out, {item.reason}: {escape(item.source_uri)} ({escape(item.detail)})", soft_wrap=True)
        elif models:
            explained.append(reasons.explain(item, models, chosen))
            if as_json:
                typer.echo(json.dumps(reasons.as_record(explained[-1]), default=str, ensure_ascii=False))
                continue
            if len(explained) == 1:
                explain_report.print_legend(console)
            explain_report.print_explanation(explained[-1], console)
    if len(found) > limit:
        err.print(f"more than {limit} articles; the others are left out (--limit)")
    if not explained:
        _stop("no article to explain", 1)
    if html:
        _write(html, explain_report.as_html(explained))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        _stop(f"{path}: cannot be written ({error.strerror or error})", 1)


def _stop(message: str, code: int) -> NoReturn:
    err.print(f"[red]roadwire:[/red] {escape(message)}", highlight=False, soft_wrap=True)
    sys.exit(code)

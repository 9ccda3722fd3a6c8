"""The commands about annotated corpora: ``roadwire evaluate`` and ``roadwire corpora validate``.

In: arguments. Out: a table or a list of faults on standard output, and an exit code. What is measured and checked is
decided in ``pipeline.evaluation``, ``pipeline.floors`` and ``corpora.validate``.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from pipeline.evaluation import Evaluation

app = typer.Typer(no_args_is_help=True, help="Check the annotated corpora.")

_Data = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder of the third-party sources. Default: shared/data beside the repository."),
]
_Texts = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder of ID.txt for articles that carry no text themselves.")
]


def add_to(parent: typer.Typer) -> None:
    """Register the commands with the program's own."""
    parent.add_typer(app, name="corpora")
    parent.command(epilog="Exit codes: 0 measured; 1 a figure lies below its floor; 2 wrong usage or input.")(evaluate)


@app.command(epilog="Exit codes: 0 sound; 1 at least one fault; 2 wrong usage or a missing path.")
def validate(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="Files or folders. Default: our own corpora.")
    ] = None,
    data: _Data = None,
    texts: _Texts = None,
    write_digests: Annotated[
        bool,
        typer.Option("--write-digests", help="First write the SHA-256 of the files of our gold corpora to their list."),
    ] = False,
) -> None:
    """Check offsets, labels, digests, duplicates, and that nothing to be measured on stands in what is learnt from."""
    from corpora import standoff
    from corpora import validate as checks

    if write_digests:
        checks.write_digests(checks.OURS[0])
    try:
        report = checks.validate(paths or checks.OURS, data or standoff.DATA, texts)
    except FileNotFoundError as error:
        _stop(str(error), 2)
    for fault in report.faults:
        typer.echo(str(fault))
    for note in report.notes:
        typer.echo(f"note: {note}", err=True)
    typer.echo(checks.summary(report), err=True)
    if report.faults:
        raise typer.Exit(1)


def evaluate(
    gold: Annotated[Path, typer.Argument(metavar="GOLD", help="Annotated articles or standoff annotations.")],
    texts: _Texts = None,
    data: _Data = None,
    ids: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSON list of the ids to keep, as of a held-out fold.")
    ] = None,
    settings: Annotated[Path | None, typer.Option(help="TOML file of settings that differ from the defaults.")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all figures there, also those of small groups.")
    ] = None,
    errors: Annotated[int, typer.Option(min=0, metavar="N", help="List up to N errors of each kind.")] = 0,
    pin: Annotated[
        bool, typer.Option("--pin", help="Raise the floors in corpora/floors.json to what is reached.")
    ] = False,
    lower_floors: Annotated[
        bool, typer.Option("--lower-floors", help="With --pin: also lower them, or start afresh on a changed GOLD.")
    ] = False,
) -> None:
    """Run the pipeline over annotated articles and print how well its rows agree, with 95 % bootstrap intervals.

    Definitions: docs/evaluation.md. Figures below a floor that is pinned for GOLD end with code 1.
    """
    if (lower_floors and not pin) or (pin and (ids or settings)):
        _stop("floors are pinned with --pin, on all of GOLD and with the default settings", 2)
    records = _records(gold, texts, data)
    if ids:
        try:
            kept = set(json.loads(ids.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            _stop(f"{ids}: no list of ids: {error}", 2)
        records = [record for record in records if record["id"] in kept]
    if not records:
        _stop(f"{gold}: no article to measure on", 2)
    evaluation = _evaluated(records, settings)
    from pipeline import versions
    from pipeline.evaluation import table

    typer.echo(table(evaluation), nl=False)
    shown: Counter[str] = Counter()
    for kind, text in sorted(evaluation.errors, key=lambda error: error[0]) if errors else []:
        shown[kind] += 1
        if shown[kind] <= errors:
            typer.echo(f"{kind:20s}{text}")
    if json_file:
        told = {"gold": str(gold), "versions": dataclasses.asdict(versions.current()), **evaluation.as_json()}
        try:
            json_file.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        except OSError as error:
            _stop(f"{json_file}: cannot be written ({error.strerror})", 1)
    if not ids and not settings:
        _hold(evaluation, gold, texts, pin, lower_floors)


def _records(gold: Path, texts: Path | None, data: Path | None) -> list[dict[str, Any]]:
    from corpora import annotations, standoff

    try:
        records = annotations.read_records(gold, texts)
        if any("sha256" in record for record in records):
            return standoff.read_standoff([gold], data or standoff.DATA)
    except FileNotFoundError as error:
        _stop(f"no such file: {error.filename}", 2)
    except ValueError as error:
        _stop(f"{gold}: {error}", 2)
    bare = next((record["id"] for record in records if "text" not in record), None)
    if bare is not None:
        _stop(f"{gold}: {bare} carries no text; name the folder of the texts with --texts", 2)
    return records


def _evaluated(records: list[dict[str, Any]], settings_file: Path | None) -> Evaluation:
    from pipeline import settings
    from pipeline.evaluation import measure
    from pipeline.model_files import ModelError

    try:
        return measure(records, settings.load(settings_file))
    except settings.SettingsError as error:
        _stop(str(error), 2)
    except ModelError as error:
        _stop(str(error), 1)


def _hold(evaluation: Evaluation, gold: Path, texts: Path | None, pin: bool, lower: bool) -> None:
    """Pin the figures where that is asked for; otherwise compare them with what is pinned for this file."""
    from pipeline import floors

    try:
        if pin:
            pinned, missed = floors.pin(evaluation, gold, texts, lower)
            typer.echo(f"floors of {pinned.gold} -> {floors.FLOORS}", err=True)
        else:
            held = floors.read_floors()
            known = held.sets.get(floors.relative(gold))
            missed = floors.below(evaluation, known, held.tolerance) if known else []
    except floors.FloorsError as error:
        _stop(str(error), 2)
    for what in missed:
        typer.echo(f"floor: {what}", err=True)
    if missed:
        _stop("figures lie below their floors; --pin --lower-floors would lower these", 1)


def _stop(message: str, code: int) -> NoReturn:
    typer.echo(f"roadwire: {message}", err=True)
    sys.exit(code)

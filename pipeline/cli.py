"""The command ``roadwire``: what a person or a script asks for, and what is told back.

In: arguments. Out: a progress bar and a summary for people on standard error and standard output, or one JSON object
on standard output with ``--json``. Exit codes are in ``EXIT_CODES``. It decides nothing about news.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

import pipeline
from pipeline import cli_companies, cli_corpora, cli_review, cli_sources

if TYPE_CHECKING:
    from pipeline.batches import Outcome
    from pipeline.shards import Order, Shard

EXIT_CODES = {
    0: "done; items may have been left out for a reason that the table rejects gives",
    1: "failed: the tables are those from before the run",
    2: "wrong usage or input: an unknown option, a missing path, a settings file that cannot be used",
    3: "done, but the program failed at some items: they are in rejects with the reason failed",
    130: "interrupted; the same command goes on from there",
}

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="News text in, typed tables of companies, autonomy levels, places and deals out.",
)
cli_companies.add_to(app)
cli_corpora.add_to(app)
cli_review.add_to(app)
cli_sources.add_to(app)
err = Console(stderr=True)


class Screen:
    """Progress for people, on standard error: a bar where it is a terminal, a line now and then where it is a file."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=err,
            disable=quiet or not err.is_terminal,
            transient=True,
        )
        self._read: TaskID | None = None
        self._extract: TaskID | None = None
        self._begun = time.monotonic()
        self._first = 0
        self._last_line = self._begun

    def __enter__(self) -> Screen:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def interrupt(self, *_: object) -> None:
        """End this process now, as a signal asks: unfinished work is safe, and so are the tables.

        At once, because what waits for workers or for Prefect's server, which the same Ctrl-C has stopped, hangs.
        """
        self._bar.stop()
        err.print("roadwire: interrupted; the same command goes on from there")
        os._exit(130)

    def note(self, text: str) -> None:
        if not self._quiet:
            err.print(f"[dim]{escape(text)}[/dim]")

    def reading(self, items: int) -> None:
        if self._read is None:
            self._read = self._bar.add_task("reading", total=None, rate="")
            self._begun = time.monotonic()
        self._bar.update(self._read, completed=items, rate=self._rate(items))
        self._line(f"read {items:,} items")

    def extracting(self, done: int, total: int) -> None:
        if self._extract is None:
            if self._read is not None:
                self._bar.remove_task(self._read)
            self._extract = self._bar.add_task("extracting", total=total, rate="", start=True)
            self._begun, self._first = time.monotonic(), done
            self.note(f"extracting {total:,} articles" + (f", {done:,} of them are done already" if done else ""))
        self._bar.update(self._extract, completed=done, rate=self._rate(done - self._first))
        self._line(f"extracted {done:,} of {total:,} articles")

    def _rate(self, done: int) -> str:
        seconds = time.monotonic() - self._begun
        return f"{done / seconds:,.1f}/s" if done and seconds > 1 else ""

    def _line(self, text: str) -> None:
        """A line every half minute where no bar can be drawn, as in a log file."""
        if not self._quiet and not err.is_terminal and time.monotonic() - self._last_line > 30:
            self._last_line = time.monotonic()
            err.print(text, highlight=False)


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(f"roadwire {pipeline.__version__} (tables {pipeline.SCHEMA_VERSION})")
        raise typer.Exit


@app.command(
    epilog="Exit codes: " + "; ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items()) + ".",
)
def run(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files, folders, globs or URIs to read.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the tables; made if it is not there.")] = Path(
        "tables"
    ),
    batch: Annotated[
        str | None,
        typer.Option(help="Partition that the run writes and replaces. Default: one made from the paths as named."),
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", "-w", min=0, help="Processes that extract; 0 is one for each core.")
    ] = 0,
    no_prefect: Annotated[bool, typer.Option("--no-prefect", help="Run without Prefect; same tables.")] = False,
    settings: Annotated[Path | None, typer.Option(help="TOML file of settings that differ from the defaults.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Read news and write its tables.

    The same command again replaces the batch by the same rows; after an interruption it goes on where it stopped.
    """
    begun = time.monotonic()
    with Screen(quiet) as screen, _handling(screen.interrupt):
        screen.note("loading")
        outcome = _run(paths, out, batch, workers or _cores(), no_prefect, settings, screen)
    seconds = time.monotonic() - begun
    if as_json:
        typer.echo(json.dumps(_as_json(outcome, out, seconds)))
    elif not quiet:
        _summary(outcome, out, seconds)
    if outcome.manifest.rejects.get("failed"):
        raise typer.Exit(3)


@app.command()
def events(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the tables, as written by run.")] = Path("tables"),
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="Show what was known by the end of that day (UTC)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the events as JSON, one a line.")] = False,
) -> None:
    """Join the deals of all articles into one row a real-world deal, and write deal_events.

    With --as-of, nothing is written: the events are shown as the articles published until then tell them.
    """
    from pipeline import event_store
    from pipeline.publish import PublishError

    try:
        outcome = None if as_of else event_store.update(out)
        table = event_store.as_known_on(out, as_of.date()) if as_of else event_store.current(out)
    except event_store.EventError as error:
        _stop(str(error), 2)
    except PublishError as error:
        _stop(str(error), 1)
    if as_json:
        for row in table.to_pylist():
            typer.echo(json.dumps(row, default=str, ensure_ascii=False))
        return
    _show_events(table.sort_by([("last_seen", "descending"), ("event_id", "ascending")]).slice(0, 20).to_pylist())
    known = f" as known on {as_of.date()}" if as_of else ""
    err.print(f"{table.num_rows:,} events{known}, the latest of them above", highlight=False)
    if outcome:
        done = "unchanged" if outcome.unchanged else f"{outcome.deals:,} deals, {outcome.taken_over:,} settled before"
        err.print(f"{done} -> {out / 'deal_events'}", highlight=False, soft_wrap=True)


@app.command()
def dictionary() -> None:
    """Print the data dictionary: every table and column, in Markdown."""
    from pipeline.tables import data_dictionary

    typer.echo(data_dictionary(), nl=False)


def main() -> None:
    """The console command. Mistakes of the user end in a message and an exit code, never in a traceback."""
    # One thread a process: workers share the cores, and results do not depend on how a sum was split.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    # After Ctrl-C, Python's bookkeeper of a pool's semaphores cleans them up and complains.
    os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker")
    app()


@contextlib.contextmanager
def _handling(interrupt: Callable[..., None]) -> Iterator[None]:
    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(
    paths: list[str],
    out: Path,
    batch_id: str | None,
    workers: int,
    no_prefect: bool,
    settings_file: Path | None,
    screen: Screen,
) -> Outcome:
    from pipeline import batches, settings
    from pipeline.checks import CheckError
    from pipeline.model_files import ModelError
    from pipeline.publish import PublishError
    from pipeline.readers import InputError, check_local
    from pipeline.workers import WorkerError

    try:
        chosen = settings.load(settings_file)  # first, so that a slip in it is told at once
        check_local(paths)
        name = batch_id or batches.default_batch_id(paths)
        if no_prefect:
            return batches.run(
                paths, out, name, chosen, lambda pending, order: _without_prefect(pending, order, workers), screen
            )
        return _with_prefect(paths, out, name, settings_file, workers, screen)
    except (settings.SettingsError, InputError, batches.BatchError) as error:
        _stop(str(error), 2)
    except CheckError as error:
        _stop(f"the rows break an invariant, so nothing was published:\n{error}", 1)
    except (PublishError, ModelError, WorkerError, batches.ExtractionError) as error:
        _stop(str(error), 1)
    except OSError as error:
        _stop(f"the machine refused: {error}", 1)
    except MemoryError:
        _stop("out of memory; finished work is kept, run the same command again, with fewer --workers", 1)


def _without_prefect(pending: Sequence[Shard], order: Order, workers: int) -> Iterator[Shard]:
    from pipeline.workers import in_processes, in_this_process

    if workers == 1 or len(pending) == 1:
        return in_this_process(pending, order)
    return in_processes(pending, order, workers)


def _with_prefect(
    paths: list[str], out: Path, batch_id: str, settings_file: Path | None, workers: int, screen: Screen
) -> Outcome:
    # The run's own messages are for the terminal; Prefect's are in its server, for those who look there.
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
    screen.note("loading Prefect")
    import flows

    try:
        return flows.run_and_tell(
            paths, str(out), batch_id, str(settings_file) if settings_file else None, workers, screen
        )
    except flows.OrchestratorError as error:
        _stop(str(error), 1)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _stop(message: str, code: int) -> NoReturn:
    err.print(f"[red]roadwire:[/red] {escape(message)}", highlight=False, soft_wrap=True)
    sys.exit(code)


def _as_json(outcome: Outcome, out: Path, seconds: float) -> dict[str, Any]:
    manifest = dataclasses.asdict(outcome.manifest)
    del manifest["files"], manifest["inputs"]
    told = {"out": str(out), "unchanged": outcome.unchanged, "resumed": outcome.resumed, "seconds": round(seconds, 1)}
    return {**manifest, "sightings": outcome.manifest.rows["sightings"], **told}


def _summary(outcome: Outcome, out: Path, seconds: float) -> None:
    manifest = outcome.manifest
    rejected = sum(manifest.rejects.values())
    exact = manifest.rows["sightings"] - manifest.articles
    table = Table.grid(padding=(0, 2))
    table.add_row("items read", f"{manifest.items:,}")
    table.add_row("articles", f"{manifest.articles:,}", f"{manifest.near_duplicates:,} near copies among them")
    table.add_row("known copies", f"{exact:,}", "in this or another batch already: a sighting each, not read again")
    table.add_row("rejects", f"{rejected:,}", _counts(manifest.rejects))
    for name in ("companies", "autonomy_levels", "locations", "deals"):
        table.add_row(name, f"{manifest.rows[name]:,}", _counts(manifest.deals) if name == "deals" else "")
    console = Console()
    console.print(table)
    done = "unchanged since it was published" if outcome.unchanged else f"written in {seconds:,.1f} s"
    console.print(f"batch {manifest.batch_id}: {done} -> {out}", highlight=False, soft_wrap=True)


def _show_events(rows: Sequence[dict[str, Any]]) -> None:
    """A table on a terminal; elsewhere one line an event, with two spaces between fields and - for what is unknown."""
    console = Console()
    if not console.is_terminal:
        for row in rows:
            typer.echo("  ".join(" ".join(field.split()) or "-" for field in _event_fields(row)))
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("event", "type", "status", "parties", "places", "amount", "first seen", "last seen", "sources"):
        table.add_column(name, overflow="fold")
    for row in rows:
        seen = [row[name].date().isoformat() if row[name] else "" for name in ("first_seen", "last_seen")]
        table.add_row(
            row["event_id"],
            row["deal_type"],
            row["status"],
            escape(", ".join(party["company_name"] for party in row["parties"])),
            escape(", ".join(place["name"] for place in row["locations"])),
            f"{row['amount']:,.0f} {row['currency']}" if row["amount"] else "",
            *seen,
            str(row["n_sources"]),
        )
    console.print(table)


def _event_fields(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["last_seen"].date().isoformat() if row["last_seen"] else "",
        row["deal_type"],
        row["status"],
        ", ".join(party["company_name"] for party in row["parties"]),
        ", ".join(place["name"] for place in row["locations"]),
        f"{row['amount']:,.0f} {row['currency']}" if row["amount"] else "",
        f"{row['n_sources']} source{'' if row['n_sources'] == 1 else 's'}",
        row["event_id"],
    )


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


if __name__ == "__main__":
    main()

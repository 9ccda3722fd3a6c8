"""The command as people and scripts meet it: what it prints, where, and how it ends."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from pyarrow import feather
from test_batches import STORIES, executing, write
from typer.testing import CliRunner, Result

import pipeline
from pipeline import batches, cli, publish, workers
from pipeline.tables import SCHEMAS

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """``roadwire run ... --no-prefect`` in this process, with a tiny extractor instead of the models."""
    monkeypatch.setattr(workers, "in_this_process", executing())
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(cli.app, ["run", "--no-prefect", "--workers", "1", *arguments])

    return invoke


def test_a_run_ends_with_a_summary(run: Run, tmp_path: Path) -> None:
    result = run(*write(tmp_path / "news", *STORIES, STORIES[0], "Too short."))
    assert result.exit_code == 0
    summary = [line.split() for line in result.stdout.splitlines()]
    assert ["items", "read", "7"] in summary
    assert ["rejects", "1", "too_short", "1"] in summary
    assert ["deals", "5", "testing", "5"] in summary
    assert summary[-1][-1] == "tables"


def test_the_tables_go_to_the_folder_that_was_asked_for(run: Run, tmp_path: Path) -> None:
    run(*write(tmp_path / "news", *STORIES), "--out", "elsewhere/deep", "--batch", "march")
    assert len(pd.read_parquet("elsewhere/deep/articles/march.parquet")) == 5


def test_json_is_all_that_stands_on_standard_output(run: Run, tmp_path: Path) -> None:
    result = run(*write(tmp_path / "news", *STORIES), "--json")
    told = json.loads(result.stdout)
    assert told["articles"] == told["sightings"] == told["items"] == 5
    assert told["rows"].keys() == SCHEMAS.keys()
    assert told["deals"] == {"testing": 5}
    assert (told["out"], told["unchanged"], told["resumed"]) == ("tables", False, 0)


def test_the_same_command_again_says_that_nothing_changed(run: Run, tmp_path: Path) -> None:
    paths = write(tmp_path / "news", *STORIES)
    first, second = run(*paths, "--json"), run(*paths, "--json")
    assert not json.loads(first.stdout)["unchanged"]
    assert json.loads(second.stdout)["unchanged"]
    assert "unchanged since it was published" in run(*paths).stdout


def test_quiet_is_quiet(run: Run, tmp_path: Path) -> None:
    result = run(*write(tmp_path / "news", *STORIES), "--quiet")
    assert (result.stdout, result.stderr) == ("", "")


def test_items_at_which_the_program_failed_end_in_code_3(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "in_this_process", executing(failing="Turin"))
    result = run(*write(tmp_path / "news", *STORIES))
    assert result.exit_code == 3
    assert "failed 1" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere"),
        (["no-*.txt"], "no-*.txt"),
        (["news", "--settings", "nowhere.toml"], "nowhere.toml: cannot be read"),
        (["news", "--settings", "slip.toml"], "unknown key running.shard_sice; did you mean shard_size?"),
        (["news", "--batch", "a/b"], "batch id 'a/b'"),
        (["news", "--workers=-1"], "Invalid value"),
        (["news", "--no-such-option"], "--no-such-option"),
        ([], "PATH"),
    ],
)
def test_a_mistake_of_the_user_is_told_without_a_traceback(
    run: Run, tmp_path: Path, arguments: list[str], message: str
) -> None:
    write(tmp_path / "news", STORIES[0])
    (tmp_path / "slip.toml").write_text("[running]\nshard_sice = 3\n")
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "tables" / "articles").exists()


def test_a_mistyped_path_is_told_before_prefect_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*_: object) -> None:
        raise AssertionError("Prefect was started")

    monkeypatch.setattr(cli, "_with_prefect", started)
    result = CliRunner().invoke(cli.app, ["run", str(tmp_path / "nothere.txt")])
    assert result.exit_code == 2
    assert "nothere.txt: no such file or folder" in result.stderr.replace("\n", "")


def test_a_locked_output_is_told(run: Run, tmp_path: Path) -> None:
    with publish.locked(tmp_path / "tables"):
        result = run(*write(tmp_path / "news", *STORIES))
    assert result.exit_code == 1
    assert "another run" in result.stderr


def test_an_output_in_the_way_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tables").write_text("a file")
    result = run(*write(tmp_path / "news", *STORIES))
    assert result.exit_code == 1
    assert "tables" in result.stderr
    assert "nothing was published" in result.stderr


def test_a_row_that_cannot_be_right_is_told(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from test_batches import capitals

    monkeypatch.setattr(workers, "in_this_process", executing(lambda each: replace(capitals(each), relevance=7.0)))
    result = run(*write(tmp_path / "news", STORIES[0]))
    assert result.exit_code == 1
    assert "nothing was published" in result.stderr
    assert "relevance is 7.0" in result.stderr


def test_a_full_disk_is_told_and_nothing_is_published(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(feather, "write_feather", full)
    result = run(*write(tmp_path / "news", *STORIES))
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    assert "nothing was published" in result.stderr
    assert not (tmp_path / "tables" / "articles").exists()


@pytest.mark.parametrize("step", ["prepare", "read"])
def test_trouble_of_the_machine_is_not_the_fault_of_an_item(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(batches, step, broken)
    result = run(*write(tmp_path / "news", *STORIES))
    assert result.exit_code == 1
    assert "Input/output error" in result.stderr


def test_version_and_help() -> None:
    version = CliRunner().invoke(cli.app, ["--version"])
    assert version.stdout.split()[:2] == ["roadwire", pipeline.__version__]
    usage = CliRunner().invoke(cli.app, ["run", "--help"]).stdout
    assert all(option in usage for option in ("--out", "--batch", "--workers", "--no-prefect", "--json", "--quiet"))
    assert "130 interrupted" in " ".join(usage.split())


def test_the_data_dictionary_is_printed() -> None:
    assert CliRunner().invoke(cli.app, ["dictionary"]).stdout.startswith("# Data dictionary")

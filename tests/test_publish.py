"""What is published is complete, readable at every moment, and there once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from batch_factories import VERSIONS, document, extraction, reject, sighting

from pipeline import publish
from pipeline.publish import Manifest, PublishError
from pipeline.tables import SCHEMAS, article_tables, ledger_tables


def tables_of(batch_id: str, *texts: str) -> dict[str, list[pa.Table]]:
    """The tables of a batch with one article a text, each article a part of its own as if it were a shard."""
    documents = [document(text, f"news/{n}.txt") for n, text in enumerate(texts)]
    parts = [
        article_tables([extraction(each, companies=[], levels=[], locations=[], deals=[])], batch_id, VERSIONS)
        for each in documents
    ]
    ledgers = ledger_tables([sighting(each) for each in documents], [reject()], batch_id)
    made = {name: [part[name] for part in parts] for name in SCHEMAS if name not in ledgers}
    return made | {name: [table] for name, table in ledgers.items()}


def manifest_of(batch_id: str, inputs: str = "inputs") -> Manifest:
    return Manifest(batch_id, inputs, VERSIONS, 1, 1, 0, {}, {}, {}, {})


def put(out: Path, batch_id: str, *texts: str) -> Manifest:
    with publish.locked(out):
        publish.recover(out)
        return publish.publish(out, manifest_of(batch_id), tables_of(batch_id, *texts))


def contents(out: Path) -> dict[str, bytes]:
    """Every file that a reader could see, with its bytes."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and ".roadwire" not in path.parts
    }


def test_a_batch_is_one_file_a_table_and_a_manifest(tmp_path: Path) -> None:
    put(tmp_path, "night", "One.", "Two.")
    assert sorted(contents(tmp_path)) == sorted(
        [*(f"{name}/night.parquet" for name in SCHEMAS), "manifests/night.json"]
    )


@pytest.mark.parametrize("table", SCHEMAS)
def test_every_reader_reads_a_table_whole(tmp_path: Path, table: str) -> None:
    put(tmp_path, "first", "One.", "Two.")
    put(tmp_path, "second", "Three.")
    put(tmp_path, "third")
    expected = {"articles": 3, "sightings": 3, "rejects": 3}.get(table, 0)
    assert len(pd.read_parquet(tmp_path / table)) == expected
    assert pq.read_table(tmp_path / table).num_rows == expected
    assert len(duckdb.sql(f"from '{tmp_path}/{table}/*.parquet'").fetchall()) == expected
    assert pl.read_parquet(f"{tmp_path}/{table}/*.parquet").height == expected


def test_a_batch_without_rows_gives_typed_tables(tmp_path: Path) -> None:
    put(tmp_path, "empty")
    frame = pd.read_parquet(tmp_path / "articles")
    assert list(frame.columns) == SCHEMAS["articles"].names
    assert str(frame.published_at.dtype) == "datetime64[us, UTC]"
    assert str(pd.read_parquet(tmp_path / "deals").amount.dtype) == "float64"


def test_the_same_batch_again_gives_the_same_bytes(tmp_path: Path) -> None:
    put(tmp_path, "night", "One.", "Two.")
    before = contents(tmp_path)
    put(tmp_path, "night", "One.", "Two.")
    assert contents(tmp_path) == before


def test_a_batch_replaces_what_it_held_before(tmp_path: Path) -> None:
    put(tmp_path, "night", "One.", "Two.", "Three.")
    put(tmp_path, "night", "Two.")
    assert pd.read_parquet(tmp_path / "articles").text.tolist() == ["Two."]
    assert len(pd.read_parquet(tmp_path / "sightings")) == 1


def test_the_file_says_which_versions_made_it(tmp_path: Path) -> None:
    put(tmp_path, "night", "One.")
    metadata = pq.read_schema(tmp_path / "deals" / "night.parquet").metadata
    assert metadata[b"roadwire.batch_id"] == b"night"
    assert {metadata[f"roadwire.{key}".encode()] for key in ("code", "models", "gazetteers")} == {
        b"code", b"models", b"gazetteers",
    }  # fmt: skip


def test_columns_keep_their_description_in_the_file(tmp_path: Path) -> None:
    put(tmp_path, "night", "One.")
    field = pq.read_schema(tmp_path / "deals" / "night.parquet").field("amount")
    assert b"full units" in field.metadata[b"description"]


def test_the_manifest_counts_rows_and_is_believed_only_with_its_files(tmp_path: Path) -> None:
    written = put(tmp_path, "night", "One.", "Two.")
    assert written.rows == dict.fromkeys(SCHEMAS, 0) | {"articles": 2, "sightings": 2, "rejects": 1}
    assert publish.published(tmp_path, "night") == written
    assert publish.published(tmp_path, "other") is None
    (tmp_path / "deals" / "night.parquet").write_bytes(b"not parquet")
    assert publish.published(tmp_path, "night") is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"batch_id": "night"}', "{"])
def test_a_manifest_of_another_layout_is_no_manifest(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "night.json").write_text(text)
    assert publish.published(tmp_path, "night") is None


def test_article_ids_of_the_other_batches(tmp_path: Path) -> None:
    assert publish.article_ids(tmp_path, "articles", without_batch="a") == set()
    put(tmp_path, "a", "One.")
    put(tmp_path, "b", "Two.", "Three.")
    ids = {text: document(text).article_id for text in ("One.", "Two.", "Three.")}
    assert publish.article_ids(tmp_path, "articles", without_batch="b") == {ids["One."]}
    assert publish.article_ids(tmp_path, "sightings", without_batch="a") == {ids["Two."], ids["Three."]}


def test_stored_articles_are_those_of_one_batch(tmp_path: Path) -> None:
    assert publish.stored_articles(tmp_path, "a").num_rows == 0
    put(tmp_path, "a", "One.")
    assert publish.stored_articles(tmp_path, "a")["text"].to_pylist() == ["One."]


# Failures


def test_a_failure_while_writing_publishes_nothing(tmp_path: Path) -> None:
    put(tmp_path, "night", "One.")
    before = contents(tmp_path)

    def parts() -> Iterator[pa.Table]:
        yield SCHEMAS["rejects"].empty_table()
        raise OSError(28, "No space left on device")

    with publish.locked(tmp_path), pytest.raises(PublishError, match=r"No space left on device.*nothing was published"):
        publish.publish(tmp_path, manifest_of("night"), tables_of("night", "Two.") | {"rejects": parts()})
    assert contents(tmp_path) == before


@pytest.mark.parametrize("moves", range(9))
def test_a_run_killed_between_two_moves_is_finished_by_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    out, undisturbed = tmp_path / "out", tmp_path / "undisturbed"
    for folder in (out, undisturbed):
        put(folder, "night", "One.", "Two.")
    put(undisturbed, "night", "Three.")
    left = moves + 1  # the commit is a rename, too
    replace = os.replace

    def dying(source: Path, target: Path) -> None:
        nonlocal left
        if not left:
            raise KeyboardInterrupt  # nothing of ours handles it, as nothing handles kill -9
        left -= 1
        replace(source, target)

    monkeypatch.setattr(os, "replace", dying)
    if moves < 8:
        with pytest.raises(KeyboardInterrupt):
            put(out, "night", "Three.")
    else:
        put(out, "night", "Three.")
    monkeypatch.undo()
    with publish.locked(out):
        publish.recover(out)
    assert contents(out) == contents(undisturbed)


def test_a_run_killed_before_the_commit_has_published_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "night", "One.")
    before = contents(tmp_path)

    def dying(source: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", dying)
    with pytest.raises(KeyboardInterrupt):
        put(tmp_path, "night", "Two.")
    monkeypatch.undo()
    with publish.locked(tmp_path):
        publish.recover(tmp_path)
    assert contents(tmp_path) == before


def test_recovering_twice_is_recovering_once(tmp_path: Path) -> None:
    put(tmp_path, "night", "One.")
    before = contents(tmp_path)
    publish.recover(tmp_path)
    assert contents(tmp_path) == before


def test_a_second_run_on_the_same_output_is_told_who_is_writing(tmp_path: Path) -> None:
    with publish.locked(tmp_path):
        program = (
            "import sys; from pathlib import Path; from pipeline import publish\n"
            "with publish.locked(Path(sys.argv[1])): pass"
        )
        second = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False
        )
    assert f"another run (process {os.getpid()}) is writing here" in second.stderr


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from pipeline import publish\n"
        "with publish.locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    with publish.locked(tmp_path):
        assert json.loads((tmp_path / ".roadwire" / "lock").read_text()) == os.getpid()


def test_an_output_that_cannot_be_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(PublishError, match=r"file.*cannot be written \(Not a directory|File exists"),
        publish.locked(tmp_path / "file" / "tables"),
    ):
        pass


@pytest.mark.parametrize("batch_id", ["2026-11-22", "a", "news.v2_b-3"])
def test_a_batch_id_is_a_safe_file_name(batch_id: str) -> None:
    assert publish.BATCH_ID.fullmatch(batch_id)


@pytest.mark.parametrize("batch_id", ["", ".", "../x", "a/b", "-a", ".hidden", "a b", "ä", "x" * 101, "a\n"])
def test_what_is_no_safe_file_name_is_no_batch_id(batch_id: str) -> None:
    assert not publish.BATCH_ID.fullmatch(batch_id)

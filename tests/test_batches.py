"""One run after another on one output folder: what is delivered twice, interrupted, changed or broken."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from batch_factories import company, deal
from test_publish import contents

from pipeline import batches, checks, publish, settings, shards
from pipeline.batches import Outcome, Silent
from pipeline.readers import InputError
from pipeline.records import Document, Extraction
from pipeline.shards import Order, Shard
from pipeline.tables import ARTICLE_TABLES, SCHEMAS, article_tables

SETTINGS = settings.load()
SMALL_SHARDS = replace(SETTINGS, running=replace(SETTINGS.running, shard_size=2))

#: Sentences that no near-copy index takes for each other.
STORIES = [
    "Volta Ride opens a depot for its driverless taxis on the western edge of Oslo this spring.",
    "A carmaker from Turin has ordered nine hundred lidar units for a sedan that nobody has seen.",
    "Regulators in Austin want reports about every remote operator who touches a steering wheel.",
    "The merger of two mapping firms failed because neither could say who owned the old streets.",
    "Farmers near Fresno now lend their tractors to a company that teaches them to plough alone.",
]


def write(folder: Path, *stories: str) -> list[str]:
    """One file a story, named by its place; returns the folder as the run's path."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for number, story in enumerate(stories):
        (folder / f"{number}.txt").write_text(story, encoding="utf-8")
    return [str(folder)]


def capitals(document: Document) -> Extraction:
    """A tiny extractor: the first word is a company, and it has a deal."""
    word = document.text.split()[0]
    found = replace(company(), end=len(word), surface=word)
    told = replace(deal(document.article_id), evidence=word, evidence_end=len(word))
    return Extraction(document, 0.5, (found,), (), (), (told,))


def executing(
    extract: Callable[[Document], Extraction] = capitals, failing: str = "", dying_after: int | None = None
) -> batches.Execute:
    """Work through shards in this process; fail at texts that hold ``failing``, die after so many shards."""

    def execute(pending: Sequence[Shard], order: Order) -> Iterator[Shard]:
        for done, shard in enumerate(pending):
            if done == dying_after:
                raise KeyboardInterrupt
            documents = shards.documents_of(shard.path)
            failed = {d.article_id: "ValueError: odd" for d in documents if failing and failing in d.text}
            read = [extract(document) for document in documents if document.article_id not in failed]
            made = article_tables(read, order.batch_id, order.versions)
            checks.check_tables(made)
            shards.save(shard.path, made, failed)
            yield shard

    return execute


def never(pending: Sequence[Shard], order: Order) -> Iterator[Shard]:
    raise AssertionError("finished work was done again")
    yield


def run(
    paths: list[str],
    out: Path,
    batch_id: str = "night",
    execute: batches.Execute | None = None,
    chosen: settings.Settings = SETTINGS,
) -> Outcome:
    return batches.run(paths, out, batch_id, chosen, execute or executing(), Silent())


def texts(out: Path) -> list[str]:
    return sorted(pd.read_parquet(out / "articles").text)


def test_every_item_is_a_sighting_or_a_reject(tmp_path: Path) -> None:
    paths = write(tmp_path / "news", STORIES[0], STORIES[1], STORIES[0], "Too short.", "")
    manifest = run(paths, tmp_path / "out").manifest
    assert (manifest.items, manifest.articles, manifest.rows["sightings"]) == (5, 2, 3)
    assert sum(manifest.rejects.values()) == manifest.rows["rejects"] == 2
    assert manifest.deals == {"testing": 2}
    assert texts(tmp_path / "out") == sorted(STORIES[:2])


def test_nothing_but_rejects_gives_typed_tables(tmp_path: Path) -> None:
    run(write(tmp_path / "news", "Too short."), tmp_path / "out")
    for name, schema in SCHEMAS.items():
        assert list(pd.read_parquet(tmp_path / "out" / name).columns) == schema.names


def test_the_same_run_again_is_recognised_and_changes_nothing(tmp_path: Path) -> None:
    paths = write(tmp_path / "news", *STORIES)
    first = run(paths, tmp_path / "out")
    before = contents(tmp_path / "out")
    again = run(paths, tmp_path / "out", execute=never)
    assert again.unchanged
    assert again.manifest == first.manifest
    assert contents(tmp_path / "out") == before


def test_the_same_run_again_mends_a_file_that_was_lost(tmp_path: Path) -> None:
    paths = write(tmp_path / "news", *STORIES)
    run(paths, tmp_path / "out")
    before = contents(tmp_path / "out")
    (tmp_path / "out" / "deals" / "night.parquet").unlink()
    assert not run(paths, tmp_path / "out").unchanged
    assert contents(tmp_path / "out") == before


def test_a_batch_that_shrank_keeps_no_row_of_what_is_gone(tmp_path: Path) -> None:
    run(write(tmp_path / "news", *STORIES), tmp_path / "out", chosen=SMALL_SHARDS)
    run(write(tmp_path / "news", STORIES[3]), tmp_path / "out", chosen=SMALL_SHARDS)
    assert texts(tmp_path / "out") == [STORIES[3]]
    assert len(pd.read_parquet(tmp_path / "out" / "deals")) == 1


def test_an_article_that_another_batch_wrote_gives_a_sighting_only(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(write(tmp_path / "monday", *STORIES[:2]), out, "monday")
    manifest = run(write(tmp_path / "tuesday", STORIES[1], STORIES[2]), out, "tuesday").manifest
    assert (manifest.articles, manifest.rows["sightings"]) == (1, 2)
    assert texts(out) == sorted(STORIES[:3])
    seen = pd.read_parquet(out / "sightings").groupby("article_id").batch_id.agg(sorted)
    assert sorted(seen, key=len)[-1] == ["monday", "tuesday"]


@pytest.mark.parametrize("order", [("monday", "tuesday"), ("tuesday", "monday"), ("monday", "monday", "tuesday")])
def test_batches_run_again_in_any_order_leave_the_same_tables(tmp_path: Path, order: tuple[str, ...]) -> None:
    out = tmp_path / "out"
    paths = {"monday": write(tmp_path / "m", *STORIES[:3]), "tuesday": write(tmp_path / "t", *STORIES[1:4])}
    for batch_id in ("monday", "tuesday"):
        run(paths[batch_id], out, batch_id)
    before = contents(out)
    for batch_id in order:
        run(paths[batch_id], out, batch_id)
    assert contents(out) == before


def test_an_article_stays_while_another_batch_has_seen_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(write(tmp_path / "m", *STORIES[:3]), out, "monday")
    run(write(tmp_path / "t", STORIES[1]), out, "tuesday")
    run(write(tmp_path / "m", STORIES[0]), out, "monday")
    assert texts(out) == sorted(STORIES[:2])
    assert set(pd.read_parquet(out / "sightings").article_id) == set(pd.read_parquet(out / "articles").article_id)
    assert run([str(tmp_path / "m")], out, "monday", execute=never).unchanged


def test_a_near_copy_points_to_the_first(tmp_path: Path) -> None:
    story = " ".join(STORIES)
    paths = write(tmp_path / "news", story, f"{story} The city had no comment on Friday.")
    assert run(paths, tmp_path / "out").manifest.near_duplicates == 1
    first, second = pd.read_parquet(tmp_path / "out" / "articles").itertuples()
    assert second.duplicate_of == first.article_id


def test_an_article_that_fails_becomes_a_reject_in_each_of_its_deliveries(tmp_path: Path) -> None:
    paths = write(tmp_path / "news", *STORIES[:3], STORIES[1])
    manifest = run(paths, tmp_path / "out", execute=executing(failing="Turin")).manifest
    assert (manifest.articles, manifest.rejects) == (2, {"failed": 2})
    rejects = pd.read_parquet(tmp_path / "out" / "rejects")
    assert set(rejects.detail) == {"ValueError: odd"}
    assert [Path(uri).name for uri in rejects.source_uri] == ["1.txt", "3.txt"]


def test_a_copy_of_an_article_that_failed_is_a_copy_of_nothing(tmp_path: Path) -> None:
    story = " ".join(STORIES)
    paths = write(tmp_path / "news", f"{story} Unreadable words.", story)
    manifest = run(paths, tmp_path / "out", execute=executing(failing="Unreadable")).manifest
    assert (manifest.articles, manifest.near_duplicates) == (1, 0)
    assert pd.read_parquet(tmp_path / "out" / "articles").duplicate_of.isna().all()


def test_where_every_article_fails_nothing_is_published(tmp_path: Path) -> None:
    paths = write(tmp_path / "news", *STORIES)
    with pytest.raises(batches.ExtractionError, match="every article failed, the first one with ValueError: odd"):
        run(paths, tmp_path / "out", execute=executing(failing=" "))
    assert not contents(tmp_path / "out")


@pytest.mark.parametrize("shards_done", [0, 1, 2])
def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path, shards_done: int) -> None:
    paths = write(tmp_path / "news", *STORIES)
    undisturbed = tmp_path / "undisturbed"
    run(paths, undisturbed, chosen=SMALL_SHARDS)
    with pytest.raises(KeyboardInterrupt):
        run(paths, tmp_path / "out", execute=executing(dying_after=shards_done), chosen=SMALL_SHARDS)
    assert not contents(tmp_path / "out")
    assert run(paths, tmp_path / "out", chosen=SMALL_SHARDS).resumed == 2 * shards_done
    assert contents(tmp_path / "out") == contents(undisturbed)


def test_work_left_by_other_inputs_is_not_used(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run(write(tmp_path / "news", *STORIES), out, execute=executing(dying_after=2), chosen=SMALL_SHARDS)
    outcome = run(write(tmp_path / "news", STORIES[0], STORIES[4]), out, chosen=SMALL_SHARDS)
    assert outcome.resumed == 0
    assert texts(out) == sorted([STORIES[0], STORIES[4]])


def test_work_left_under_other_settings_is_not_used(tmp_path: Path) -> None:
    paths, out = write(tmp_path / "news", *STORIES), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run(paths, out, execute=executing(dying_after=2), chosen=SMALL_SHARDS)
    stricter = replace(SMALL_SHARDS, thresholds=replace(SETTINGS.thresholds, company=0.9))
    assert run(paths, out, chosen=stricter).resumed == 0


def test_nothing_is_left_behind_but_the_lock(tmp_path: Path) -> None:
    run(write(tmp_path / "news", *STORIES), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out" / ".roadwire").iterdir()] == ["lock"]


def test_a_row_that_cannot_be_right_stops_the_batch_and_leaves_the_old_one(tmp_path: Path) -> None:
    paths, out = write(tmp_path / "news", STORIES[0]), tmp_path / "out"
    run(paths, out)
    before = contents(out)
    write(tmp_path / "news", STORIES[1])

    def impossible(document: Document) -> Extraction:
        return replace(capitals(document), relevance=2.0)

    with pytest.raises(checks.CheckError, match=r"relevance is 2\.0"):
        run(paths, out, execute=executing(impossible))
    assert contents(out) == before


def test_a_deal_id_in_two_shards_is_refused(tmp_path: Path) -> None:
    def same(document: Document) -> Extraction:
        read = capitals(document)
        return replace(read, deals=(replace(read.deals[0], deal_id="same"),))

    single = replace(SETTINGS, running=replace(SETTINGS.running, shard_size=1))
    with pytest.raises(checks.CheckError, match="deal_id same is there 5 times"):
        run(write(tmp_path / "news", *STORIES), tmp_path / "out", execute=executing(same), chosen=single)


def test_a_path_that_is_not_there_is_told_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        run([str(tmp_path / "nowhere")], tmp_path / "out")
    assert not contents(tmp_path / "out")


def test_a_batch_id_that_is_no_file_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(batches.BatchError, match=r"batch id '\.\./x'"):
        run(write(tmp_path / "news", STORIES[0]), tmp_path / "out", batch_id="../x")


def test_a_second_run_meets_the_lock(tmp_path: Path) -> None:
    paths = write(tmp_path / "news", STORIES[0])
    with publish.locked(tmp_path / "out"), pytest.raises(publish.PublishError, match="another run"):
        run(paths, tmp_path / "out")


@pytest.mark.parametrize(
    ("paths", "same"),
    [
        (["news/march"], ["./news/march"]),
        (["news/march"], ["news/march/"]),
        (["a", "b"], ["a", "b"]),
        (["s3://bucket/news"], ["s3://bucket/news"]),
    ],
)
def test_the_default_batch_is_the_same_for_the_same_paths(paths: list[str], same: list[str]) -> None:
    assert batches.default_batch_id(paths) == batches.default_batch_id(same)
    assert publish.BATCH_ID.fullmatch(batches.default_batch_id(paths))


def test_the_default_batch_differs_for_other_paths_and_is_readable() -> None:
    assert batches.default_batch_id(["news/march"]).startswith("march-")
    assert batches.default_batch_id(["news/march"]) != batches.default_batch_id(["news/april"])
    assert batches.default_batch_id(["news/*.txt"]).startswith("batch-")


def test_the_manifest_is_plain_json_with_the_versions(tmp_path: Path) -> None:
    run(write(tmp_path / "news", STORIES[0]), tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifests" / "night.json").read_text())
    assert set(manifest["versions"]) == {"schema", "pipeline", "code", "models", "gazetteers"}
    assert set(manifest["files"]) == {f"{name}/night.parquet" for name in SCHEMAS}
    assert set(manifest["rows"]) >= set(ARTICLE_TABLES)

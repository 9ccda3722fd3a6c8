"""Folders, globs, object stores and WARC lists into the raw store; the raw store into articles; kill -9 in between."""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fsspec
import pytest
from reader_factories import PAGE, SETTINGS, warc
from typer.testing import CliRunner
from web_factories import (
    HASTY,
    HTML,
    NOW,
    STORY,
    Answer,
    Website,
    captures,
    failures,
    feed,
    fetched,
    page,
    report_file,
    rss,
    serving,
)

from pipeline import cli
from pipeline.captures import Capture, read_capture
from pipeline.prepare import prepare
from pipeline.readers import read
from pipeline.records import Article, Reject
from pipeline.sources import RawStoreError
from pipeline.sources.raw_store import RawStore, file_name, locked
from pipeline.sources.source_list import FileSource, WarcListSource

LATER = NOW + timedelta(days=1)


@pytest.fixture
def site() -> Iterator[Website]:
    yield from serving()


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return tmp_path / "raw"


def folder(path: Path, **changes: object) -> FileSource:
    return FileSource("desk", "folder", str(path), **changes)  # type: ignore[arg-type]


def articles(*paths: Path | str) -> list[Article]:
    items = list(read([str(path) for path in paths], SETTINGS))
    assert not [item for item in items if isinstance(item, Reject)]
    return [item for item in items if isinstance(item, Article)]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


# --- files ---


def test_files_of_a_folder_are_copied_once_and_again_when_they_change(tmp_path: Path, raw: Path) -> None:
    one = write(tmp_path / "in" / "deep" / "one.txt", STORY)
    write(tmp_path / "in" / "two.txt", f"{STORY} Twice.")
    write(tmp_path / "in" / ".hidden" / "three.txt", STORY)
    source = folder(tmp_path / "in", publisher="Example Wire")
    runs = [fetched(raw, source).sources[0] for _ in range(2)]
    assert [(run.new, run.known) for run in runs] == [(2, 0), (0, 2)]
    os.utime(one, (1, 1))  # touched, not changed
    assert fetched(raw, source).new == 0
    one.write_text(f"{STORY} Changed.")
    assert fetched(raw, source, now=LATER).new == 1
    one.unlink()
    *first_night, changed = articles(raw)
    assert {a.source_uri for a in first_night} == {str(one), str(tmp_path / "in" / "two.txt")}
    assert (changed.source_uri, changed.publisher) == (str(one), "Example Wire")
    assert changed.text.endswith("Changed.")


def test_a_glob_takes_what_matches(tmp_path: Path, raw: Path) -> None:
    write(tmp_path / "in" / "a" / "one.txt", STORY)
    write(tmp_path / "in" / "a" / "one.csv", STORY)
    source = FileSource("desk", "glob", str(tmp_path / "in" / "**" / "*.txt"))
    assert fetched(raw, source).new == 1


def test_an_object_store_is_listed_by_prefix_or_glob(raw: Path) -> None:
    store = fsspec.filesystem("memory")
    store.pipe({"/news/2025/a.jsonl.gz": gzip.compress(json.dumps({"text": STORY}).encode()), "/news/b.txt": b"x"})
    try:
        report = fetched(raw, FileSource("bucket", "object_store", "memory://news/2025/"))
        assert (report.new, report.failures) == (1, [])
        assert [a.source_uri for a in articles(raw)] == ["memory:///news/2025/a.jsonl.gz#1"]
        assert fetched(raw, FileSource("bucket", "object_store", "memory://news/**/*.gz")).new == 0
    finally:
        store.rm("/news", recursive=True)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (FileSource("desk", "folder", "/nowhere/news"), "missing"),
        (FileSource("desk", "object_store", "memory://nowhere/at/all/"), "missing"),
        (WarcListSource("crawl", "/nowhere/warc.paths"), "missing"),
    ],
)
def test_a_source_that_is_not_there_is_a_row(raw: Path, source: FileSource, reason: str) -> None:
    assert [row.reason for row in fetched(raw, source).failures] == [reason]


def test_a_store_without_its_driver_is_a_row(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    report = fetched(raw, FileSource("bucket", "object_store", "s3://bucket/news"))
    assert [row.reason for row in report.failures] == ["no_driver"]
    assert "s3fs" in report.failures[0].why


def test_files_that_are_too_large_or_may_not_be_read_do_not_stop_the_others(tmp_path: Path, raw: Path) -> None:
    write(tmp_path / "in" / "large.txt", "x" * 2_000)
    write(tmp_path / "in" / "small.txt", STORY)
    os.symlink(tmp_path / "in" / "nowhere", tmp_path / "in" / "link.txt")
    report = fetched(raw, folder(tmp_path / "in", manners=dataclasses.replace(HASTY, max_file_bytes=1_000)))
    assert report.new == 1
    assert [(Path(row.url).name, row.reason) for row in report.failures if "large" in row.url] == [
        ("large.txt", "too_large")
    ]


def test_a_file_that_is_still_written_is_taken_by_the_next_run(
    tmp_path: Path, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    growing = write(tmp_path / "in" / "growing.txt", STORY)
    listed = fsspec.implementations.local.LocalFileSystem.open

    def grow(self: object, path: str, *rest: object, **options: object) -> object:
        stream = listed(self, path, *rest, **options)  # type: ignore[arg-type]
        growing.write_text(f"{STORY} And more.")
        return stream

    with monkeypatch.context() as patch:
        patch.setattr(fsspec.implementations.local.LocalFileSystem, "open", grow)
        report = fetched(raw, folder(tmp_path / "in"))
    assert (report.new, [row.reason for row in report.failures]) == (0, ["changed"])
    assert fetched(raw, folder(tmp_path / "in")).new == 1


# --- WARC lists ---


def test_warc_files_of_a_list_are_fetched_a_few_a_run(site: Website, raw: Path) -> None:
    site["/warc.paths.gz"] = Answer(gzip.compress(b"crawl/1.warc.gz\ncrawl/2.warc.gz\ncrawl/3.warc.gz\n"))
    for n in (1, 2, 3):
        site[f"/data/crawl/{n}.warc.gz"] = Answer(warc(packed=True))
    source = WarcListSource("crawl", site.url("/warc.paths.gz"), site.url("/data/"), max_files=2, manners=HASTY)
    runs = [fetched(raw, source).sources[0] for _ in range(3)]
    assert [(run.new, run.waiting, run.failures) for run in runs] == [(2, 1, []), (1, 0, []), (0, 0, [])]
    assert len(captures(raw, "list")) == 1
    found = [item for item in read([str(raw)], SETTINGS) if isinstance(item, Article)]
    assert f"{site.url('/data/crawl/1.warc.gz')}#2" in {article.source_uri for article in found}
    assert found[0].fetched_at == NOW
    assert len(found) == 9


def test_a_list_on_this_machine_names_files_beside_it(tmp_path: Path, raw: Path) -> None:
    (tmp_path / "crawl").mkdir()
    (tmp_path / "crawl" / "1.warc").write_bytes(warc(packed=False))
    write(tmp_path / "crawl" / "list.txt", "# news\n1.warc\n2.warc\n")
    report = fetched(raw, WarcListSource("crawl", str(tmp_path / "crawl" / "list.txt"), manners=HASTY))
    assert report.new == 1
    assert [(Path(row.url).name, row.reason) for row in report.failures] == [("2.warc", "missing")]


@pytest.mark.parametrize(
    ("body", "base"),
    [
        (page("No list"), None),
        (b"\xff\xfe\0", None),
        (gzip.compress(b"a\n" * 50_000)[:60], None),
        ("etc/passwd", "/"),  # the web does not choose among the files of this machine
        ("file:///etc/passwd", "s3://bucket/"),
        ("s3://mine/a.warc.gz", None),
        ("memory://mine/secret.csv", "memory://crawl"),
        ("memory://crawl-mine/secret.csv", "memory://crawl/"),
        ("memory://crawl/2025/../../mine/secret.csv", "memory://crawl/2025"),
        ("../mine/secret.csv", "memory://crawl"),
        ("memory://crawl/a::memory://mine/secret.csv", "memory://crawl"),
        ("memory://mine/secret.csv", "memory://"),
        ("crawl/a.warc.gz\nlocal:///etc/passwd", "local:///"),
    ],
)
def test_what_is_no_list_is_a_row(site: Website, raw: Path, body: str | bytes, base: str | None) -> None:
    site["/list"] = Answer(body)
    report = fetched(raw, WarcListSource("crawl", site.url("/list"), base, manners=HASTY))
    assert failures(report) == [("/list", "unreadable")]


@pytest.mark.parametrize("line", ["memory://mine/1.warc", "/etc/passwd", "../mine/1.warc", "file:///etc/passwd"])
def test_a_list_in_an_object_store_names_files_below_it(raw: Path, line: str) -> None:
    store = fsspec.filesystem("memory")
    store.pipe({"/crawl/list": b"1.warc\n", "/crawl/1.warc": warc(packed=False), "/mine/1.warc": b"secret"})
    source = WarcListSource("crawl", "memory://crawl/list", manners=HASTY)
    assert fetched(raw, source).new == 1
    store.pipe("/crawl/list", f"1.warc\n{line}\n".encode())
    assert [row.reason for row in fetched(raw, source).failures] == ["unreadable"]


def test_a_list_from_the_web_names_files_below_base(site: Website, raw: Path) -> None:
    fsspec.filesystem("memory").pipe({"/crawl/x/1.warc": warc(packed=False), "/crawl/x/2.warc": warc(packed=False)})
    site["/list"] = Answer("x/1.warc\nmemory://crawl/x/2.warc\n")
    report = fetched(raw, WarcListSource("crawl", site.url("/list"), "memory://crawl/", manners=HASTY))
    assert (report.new, report.failures) == (2, [])


# --- from the raw store to articles ---


def test_a_page_is_read_under_its_address_with_what_the_feed_said(site: Website, raw: Path) -> None:
    site["/feed"] = Answer(rss(site.url("/vans")))
    site["/vans"] = page("Vans")
    fetched(raw, feed(site))
    (article,) = articles(raw)
    assert article.source_uri == site.url("/vans")
    assert article.published == "Mon, 06 Oct 2025 01:15:00 GMT"
    assert article.fetched_at == NOW
    assert STORY in article.text
    prepared = prepare(article, SETTINGS)
    assert not isinstance(prepared, Reject)
    document, sighting = prepared
    assert (document.published_at, sighting.fetched_at) == (datetime(2025, 10, 6, 1, 15, tzinfo=UTC), NOW)


def test_what_a_page_says_about_itself_goes_before_the_feed(site: Website, raw: Path) -> None:
    site["/feed"] = Answer(rss(site.url("/vans")))
    site["/vans"] = PAGE  # with JSON-LD
    fetched(raw, feed(site))
    (article,) = articles(raw)
    assert (article.published, article.publisher) == ("2025-10-06T08:30:00+01:00", "Example Times")
    assert article.title == "Vans for Leeds"


@pytest.mark.parametrize("header", ["text/html; charset=iso-8859-2", "text/html; charset=utf-8", "text/html"])
def test_the_charset_of_the_response_counts_where_the_bytes_agree(site: Website, raw: Path, header: str) -> None:
    site["/feed"] = Answer(rss(site.url("/vans")))
    encoding = "utf-8" if "8859" not in header else "iso-8859-2"
    body = page("Vans", f"{STORY} Škoda joins.").encode(encoding)
    site["/vans"] = Answer(body, headers={"Content-Type": header})
    fetched(raw, feed(site))
    assert "Škoda joins." in articles(raw)[0].text


def test_entries_of_a_feed_without_pages_are_read_once(site: Website, raw: Path) -> None:
    site["/feed"] = Answer(rss("/a", "/b"))
    fetched(raw, feed(site, pages=False))
    site["/feed"] = Answer(rss("/c", "/a", "/b"))
    fetched(raw, feed(site, pages=False), now=LATER)
    assert [a.source_uri for a in articles(raw)] == [site.url(f"/feed#{n}") for n in (1, 2, 1)]
    assert {a.publisher for a in articles(raw)} == {"Example Wire"}


def test_any_part_of_the_store_can_be_read(site: Website, raw: Path) -> None:
    for day, path in ((NOW, "/a"), (LATER, "/b")):
        site["/feed"] = Answer(rss(site.url(path)))
        site[path] = page(f"Vans {path}")
        fetched(raw, feed(site), now=day)
    one = [site.url("/b")]
    assert [a.source_uri for a in articles(raw)] == [site.url("/a"), *one]
    assert [a.source_uri for a in articles(f"{raw}/*/2025-10-07")] == one
    assert [a.source_uri for a in articles(f"{raw}/wire/2025-10-07/**/*.html")] == one
    assert [a.source_uri for a in articles(f"{raw}/wire/2025-10-07/**/*")] == one


def test_a_folder_with_a_file_of_that_name_is_no_capture(tmp_path: Path) -> None:
    write(tmp_path / "in" / "capture.json", json.dumps({"text": STORY}))
    write(tmp_path / "in" / "a.txt", STORY)
    assert len(articles(tmp_path / "in")) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"format": "roadwire-capture/9"},
        {"file": "../../secret.txt"},
        {"fetched_at": "today"},
        {"entries": 7},
        {"new": 1},
    ],
)
def test_a_damaged_record_is_no_capture(tmp_path: Path, raw: Path, change: dict[str, object]) -> None:
    write(tmp_path / "in" / "one.txt", STORY)
    fetched(raw, folder(tmp_path / "in"))
    (record,) = raw.glob("*/*/*/capture.json")
    assert read_capture(record.parent)
    record.write_text(json.dumps(json.loads(record.read_text()) | change))
    assert read_capture(record.parent) is None


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a.warc.gz", "a.warc.gz"),
        ("capture.json", "content-capture.json"),
        (".profile", "profile"),
        ("Ünï cödé?.csv", "n-c-d-.csv"),
        ("…", "content"),
        ("x" * 300 + ".jsonl.gz", "x" * 91 + ".jsonl.gz"),
    ],
)
def test_file_names_are_safe_and_keep_their_suffix(name: str, safe: str) -> None:
    assert file_name(name) == safe


# --- the store stays right ---


def test_two_fetches_into_one_store_at_once_are_refused(tmp_path: Path, raw: Path) -> None:
    with locked(raw), pytest.raises(RawStoreError, match="another fetch"):
        fetched(raw, folder(tmp_path))


def test_a_full_disk_ends_the_fetch_and_leaves_nothing_half(
    tmp_path: Path, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "in" / "one.txt", STORY)

    def full(handle: int) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(RawStoreError, match="No space left"):
            fetched(raw, folder(tmp_path / "in"))
    assert captures(raw) == []
    assert fetched(raw, folder(tmp_path / "in")).new == 1


@pytest.mark.parametrize("damage", ["lost", "no database", "empty"])
def test_a_lost_or_damaged_state_is_rebuilt_from_the_captures(
    site: Website, tmp_path: Path, raw: Path, damage: str
) -> None:
    write(tmp_path / "in" / "one.txt", STORY)
    site["/feed"] = Answer(rss(site.url("/a"), site.url("/b")), headers={"ETag": '"v1"'})
    site["/a"], site["/b"] = page("A"), Answer("", 500)
    fetched(raw, folder(tmp_path / "in"), feed(site))
    state = raw / ".fetch" / "state.sqlite"
    state.unlink() if damage == "lost" else state.write_bytes(b"" if damage == "empty" else b"no database" * 500)
    site["/b"] = page("B")
    report = fetched(raw, folder(tmp_path / "in"), feed(site), now=LATER)
    assert (report.new, report.failures) == (1, [])
    assert site.headers[site.asked.index("/feed", 3)]["If-None-Match"] == '"v1"'
    assert [len(captures(raw, kind)) for kind in ("file", "feed", "page")] == [1, 1, 2]
    assert site.times_asked("/a") == 1


def test_a_capture_that_the_state_did_not_hear_of_is_not_fetched_again(
    site: Website, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the rename of a capture and the note of it."""
    site["/feed"] = Answer(rss(site.url("/a"), site.url("/b")))
    site["/a"], site["/b"] = page("A"), page("B")
    keep = RawStore.keep

    def keep_and_die(self: RawStore, draft: object, capture: Capture) -> Capture:
        kept = keep(self, draft, capture)  # type: ignore[arg-type]
        if capture.kind == "page":
            raise sqlite3.OperationalError("the power went")
        return kept

    with monkeypatch.context() as patch:
        patch.setattr(RawStore, "keep", keep_and_die)
        with pytest.raises(RawStoreError):
            fetched(raw, feed(site))
    assert fetched(raw, feed(site), now=LATER).new == 1
    assert sorted(capture.uri for capture in captures(raw, "page")) == [site.url("/a"), site.url("/b")]
    assert site.times_asked("/a") == 1


def listing(site: Website, path: Path, **keys: object) -> Path:
    lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    return write(
        path,
        '[fetch]\nseconds_between_requests = 0\nretries = 0\nallow_networks = ["127.0.0.1/32"]\n'
        f'[sources.wire]\nkind = "feed"\nurl = "{site.url("/feed")}"\n' + "\n".join(lines) + "\n",
    )


def test_killed_at_any_moment_a_fetch_goes_on_without_loss_and_without_copies(
    site: Website, tmp_path: Path, raw: Path
) -> None:
    paths = [f"/{n}" for n in range(16)]

    def slowly(path: str) -> Answer:
        body = page(f"Story at {path}").encode()

        def send(handler: object) -> None:
            handler.wfile.write(body[:400])  # type: ignore[attr-defined]
            handler.wfile.flush()  # type: ignore[attr-defined]
            time.sleep(0.01)
            handler.wfile.write(body[400:])  # type: ignore[attr-defined]

        return Answer(then=send, headers={**HTML, "Content-Length": str(len(body))})

    for path in paths:
        site[path] = slowly(path)
    site["/feed"] = Answer(rss(*(site.url(path) for path in paths)), headers={"ETag": '"v1"'})
    command = [sys.executable, "-m", "pipeline.cli", "fetch", "--quiet", "--out", str(raw)]
    command += ["--sources", str(listing(site, tmp_path / "sources.toml"))]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    for enough in (4, 11):
        with subprocess.Popen(command, env=environment) as process:
            deadline = time.monotonic() + 30
            while len(site.asked) < enough and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        for capture in captures(raw):  # what is visible is whole
            assert capture.size > 0
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stderr) == (0, "")
    found = captures(raw, "page")
    assert sorted(capture.uri for capture in found) == sorted(site.url(path) for path in paths)
    assert len(captures(raw, "feed")) == 1
    assert not list((raw / ".fetch" / "partial").glob("*"))
    for record in raw.glob("*/*/*/capture.json"):
        capture = read_capture(record.parent)
        assert capture
        assert (record.parent / capture.file).stat().st_size == capture.size
    # At most the page that was under way at each kill was asked for twice.
    assert sum(site.times_asked(path) for path in paths) <= len(paths) + 2
    assert len(articles(raw)) == len(paths)


# --- the command ---


def test_the_command_tells_what_was_new_and_what_failed(
    site: Website, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    site["/feed"] = Answer(rss(site.url("/a"), site.url("/gone")))
    site["/a"] = page("A")
    listing(site, tmp_path / "sources.toml")
    first = CliRunner().invoke(cli.app, ["fetch"])
    assert first.exit_code == 3
    assert "wire: 1 new, 0 known, 1 failed" in first.stderr
    assert "HTTP status 404" in first.stdout
    assert first.stdout.splitlines()[-1].startswith("1 new, ")
    again = CliRunner().invoke(cli.app, ["fetch", "wire", "--json"])
    assert (again.exit_code, json.loads(again.stdout)["new"]) == (0, 0)
    assert report_file(tmp_path / "raw")["begun"] == json.loads(again.stdout)["begun"]
    quiet = CliRunner().invoke(cli.app, ["fetch", "--quiet"])
    assert (quiet.exit_code, quiet.output) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--sources", "nowhere.toml"], 2, "nowhere.toml: cannot be read"),
        (["wirr"], 2, "no source is named wirr; did you mean wire?"),
        (["--out", "file"], 1, "file"),
    ],
)
def test_mistakes_are_told_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "file", "in the way")
    listing(Website("http://127.0.0.1:1"), tmp_path / "sources.toml")
    result = CliRunner().invoke(cli.app, ["fetch", *arguments])
    assert result.exit_code == code
    assert message in result.stderr
    assert "Traceback" not in result.output

"""sources.toml: what it may say, and what is told where it says something else."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from pipeline.sources import SourcesError, load_sources
from pipeline.sources.hosts import FailureReason
from pipeline.sources.source_list import FeedSource, FileSource, Manners, SourceList, WarcListSource

FEED = '[sources.wire]\nkind = "feed"\nurl = "https://news.example/rss"\n'


def listed(tmp_path: Path, toml: str) -> SourceList:
    path = tmp_path / "sources.toml"
    path.write_text(toml, encoding="utf-8")
    return load_sources(path)


def test_every_kind(tmp_path: Path) -> None:
    found = listed(
        tmp_path,
        """
        [fetch]
        at_once = 2
        retries = 1
        [sources.wire]
        kind = "feed"
        url = "https://news.example/rss"
        publisher = "Example Wire"
        retries = 5
        [sources.desk]
        kind = "folder"
        path = "news"
        [sources.exports]
        kind = "glob"
        path = "/exports/**/*.jsonl.gz"
        max_files = 3
        [sources.bucket]
        kind = "object_store"
        uri = "s3://bucket/news/"
        options = { anon = true }
        [sources.crawl]
        kind = "warc_list"
        uri = "https://crawl.example/warc.paths.gz"
        base = "https://crawl.example/"
        """,
    )
    once, five = Manners(retries=1), Manners(retries=5)
    assert found.at_once == 2
    assert found.sources == (
        FeedSource("wire", "https://news.example/rss", "Example Wire", manners=five),
        FileSource("desk", "folder", str(tmp_path / "news"), manners=once),
        FileSource("exports", "glob", "/exports/**/*.jsonl.gz", max_files=3, manners=once),
        FileSource("bucket", "object_store", "s3://bucket/news/", options={"anon": True}, manners=once),
        WarcListSource("crawl", "https://crawl.example/warc.paths.gz", "https://crawl.example/", manners=once),
    )


def test_sources_are_chosen_by_name(tmp_path: Path) -> None:
    found = listed(tmp_path, FEED + '[sources.desk]\nkind = "folder"\npath = "in"\n')
    assert [source.name for source in found.named([])] == ["wire", "desk"]
    assert [source.name for source in found.named(["desk", "desk"])] == ["desk"]
    with pytest.raises(SourcesError, match=r"no source is named dask; did you mean desk\?"):
        found.named(["dask"])


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("", "lists no sources"),
        ("[sources]\n", "lists no sources"),
        ("sources = 3\n", r"\[sources\] must be a table"),
        ("[sources.wire]\nurl = 'https://a.example'\n", "sources.wire: kind must be one of folder, .*; it has none"),
        ("[sources.wire]\nkind = 'ftp'\n", "sources.wire: kind must be one of folder, .*; 'ftp' is none"),
        ("[sources.wire]\nkind = 'feed'\n", "sources.wire: a feed needs url"),
        ("[sources.wire]\nkind = 'folder'\npath = ' '\n", "sources.wire: a folder needs path"),
        ("[sources.wire]\nkind = 'feed'\nurl = 'news.example'\n", "wire.url must begin with http:// or https://"),
        ("[sources.wire]\nkind = 'feed'\nurl = 7\n", "sources.wire.url must be a text, not 7"),
        (FEED + "page = true\n", "sources.wire: unknown key page for a feed; did you mean pages?"),
        (FEED + "pages = 'yes'\n", "sources.wire.pages must be true or false, not 'yes'"),
        (FEED + "max_pages = -1\n", "sources.wire.max_pages must be 0 or more, not -1"),
        (FEED + "retries = 1.5\n", "sources.wire.retries must be a whole number, not 1.5"),
        (FEED + "total_timeout = 0\n", "sources.wire.total_timeout must be more than 0"),
        (FEED + "seconds_between_requests = -1\n", "seconds_between_requests must be 0 or more"),
        (FEED + "allow_networks = ['10.0.0.1/8']\n", "wire.allow_networks: 10.0.0.1/8 has host bits set"),
        (FEED + "allow_networks = '10.0.0.0/8'\n", "wire.allow_networks must be a list of texts"),
        (FEED + 'user_agent = "a\\r\\nb"\n', "user_agent must be a line of ASCII"),
        (FEED.replace("wire", '"a/b"'), "sources.a/b: a name has up to 80 letters"),
        (FEED.replace("wire", '"../b"'), "a name has up to 80 letters"),
        (FEED + FEED.replace("wire", "Wire"), "differ in letter case only"),
        ("[sources.a]\nkind = 'folder'\npath = 's3://b/c'\n", "a.path must be a path on this machine"),
        ("[sources.a]\nkind = 'object_store'\nuri = '/b/c'\n", "a.uri must begin with s3://"),
        ("[fetch]\nretrys = 1\n" + FEED, "fetch: unknown key retrys; did you mean retries?"),
        ("[fetch]\nat_once = 0\n" + FEED, "fetch.at_once must be 1 or more"),
        ("[fetsh]\n" + FEED, "unknown section fetsh; did you mean fetch?"),
        ("[sources.wire\n", "not valid TOML"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, toml: str, message: str) -> None:
    with pytest.raises(SourcesError, match=rf"sources\.toml: .*{message}|sources\.toml: {message}"):
        listed(tmp_path, toml)


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourcesError, match=r"absent\.toml: cannot be read"):
        load_sources(tmp_path / "absent.toml")


DOCS = (Path(__file__).parents[1] / "docs" / "sources.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name",
    [
        *sorted({each.name for kind in (Manners, FeedSource) for each in fields(kind)} - {"name", "manners"}),
        "base",
        "max_files",
        "options",
        "at_once",
        *get_args(FailureReason),
    ],
)
def test_every_key_and_reason_is_documented(name: str) -> None:
    assert f"`{name}`" in DOCS or f"\n{name} = " in DOCS


def test_the_example_in_the_docs_can_be_used(tmp_path: Path) -> None:
    example = DOCS.partition("```toml\n")[2].partition("```")[0]
    kinds = {table["kind"] for table in tomllib.loads(example)["sources"].values()}
    assert kinds == {"feed", "folder", "glob", "object_store", "warc_list"}
    assert len(listed(tmp_path, example).sources) == 5

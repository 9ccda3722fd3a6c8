"""Files in files: archives and compressed files of any depth, cut, damaged or endless."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reader_factories import MORE, PAGE, STORY, article_in, items_of, limited, outcomes, tarred, warc, zipped

from pipeline.records import Article, Reject

MEMBERS = {
    "a.txt": STORY.encode(), "deep/b.jsonl": json.dumps({"text": MORE}).encode(), ".hidden.txt": b"no",
    "__MACOSX/a.txt": b"no", "c.html.gz": gzip.compress(PAGE.encode()), "d.png": b"\x89PNG\r\n\x1a\n",
}  # fmt: skip
EXPECTED = [
    ("!/a.txt", "article"),
    ("!/deep/b.jsonl#1", "article"),
    ("!/c.html.gz", "article"),
    ("!/d.png", "unsupported_format"),
]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.zip", zipped(MEMBERS)),
        ("a.tar", tarred(MEMBERS)),
        ("a.tar.gz", tarred(MEMBERS, "w:gz")),
        ("a.tgz", tarred(MEMBERS, "w:gz")),
        ("a.tar.bz2", tarred(MEMBERS, "w:bz2")),
        ("a.tar.xz", tarred(MEMBERS, "w:xz")),
        ("a", zipped(MEMBERS)),
        ("b", tarred(MEMBERS)),
    ],
)
def test_archives(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    items = items_of(path)
    reasons = [item.reason if isinstance(item, Reject) else "article" for item in items]
    assert list(zip([item.source_uri.removeprefix(str(path)) for item in items], reasons, strict=True)) == EXPECTED


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("known", [True, False])
def test_a_compressed_file_keeps_its_uri(tmp_path: Path, pack: Callable[[bytes], bytes], known: bool) -> None:
    suffix = {gzip.compress: ".gz", bz2.compress: ".bz2", lzma.compress: ".xz"}[pack]
    name = f"a.jsonl{suffix}" if known else "a"
    article = article_in(tmp_path / name, pack(json.dumps({"text": STORY}).encode() + b"\n"))
    assert article.source_uri == f"{tmp_path}/{name}#1"


def test_archives_in_archives(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [STORY]}), sink := pa.BufferOutputStream())
    inner = zipped({"a.parquet": sink.getvalue().to_pybytes(), "b.warc.gz": warc(True)})
    path = tmp_path / "a.tar.gz"
    path.write_bytes(
        tarred({"inner.zip": inner, "more.zip": zipped({"x.zip": zipped({"y.txt": STORY.encode()})})}, "w:gz")
    )
    uris = [item.source_uri.removeprefix(str(path)) for item in items_of(path) if isinstance(item, Article)]
    assert uris == [
        "!/inner.zip!/a.parquet#1", "!/inner.zip!/b.warc.gz#2", "!/inner.zip!/b.warc.gz#5", "!/inner.zip!/b.warc.gz#7",
        "!/more.zip!/x.zip!/y.txt",
    ]  # fmt: skip


def test_archives_are_nested_only_so_deep(tmp_path: Path) -> None:
    data = STORY.encode()
    for _ in range(8):
        data = zipped({"a.zip": data})
    (tmp_path / "a.zip").write_bytes(data)
    (item,) = items_of(tmp_path)
    assert isinstance(item, Reject)
    assert (item.reason, "deeper" in item.detail) == ("unsupported_format", True)


@pytest.mark.parametrize(
    "name", ["a.txt.gz", "a.json.gz", "a.jsonl.gz", "a.csv.gz", "a.html.gz", "a.parquet.gz", "a.zip.gz"]
)
def test_a_bomb_stops_at_the_bound(tmp_path: Path, name: str) -> None:
    head = {"json": b'[{"text": "', "jsonl": b'{"text": "', "csv": b'text\n"'}.get(name.split(".")[1], b"")
    (tmp_path / name).write_bytes(gzip.compress(head + b"a" * 30_000_000, 1))
    assert [outcome for _, outcome in outcomes(items_of(tmp_path, limited(100_000)))] == ["oversized"]


def test_one_oversized_line_or_element_is_one_reject(tmp_path: Path) -> None:
    long, short = json.dumps({"text": "a" * 500_000}), json.dumps({"text": STORY})
    (tmp_path / "a.jsonl").write_text(f"{short}\n{long}\n{short}\n")
    assert outcomes(items_of(tmp_path, limited(200_000))) == [
        ("a.jsonl#1", "article"), ("a.jsonl#2", "oversized"), ("a.jsonl#3", "article"),
    ]  # fmt: skip


def test_an_array_may_be_longer_than_an_item(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([{"text": STORY}] * 4_000))
    assert len(items_of(tmp_path, limited(200_000))) == 4_000


@pytest.mark.parametrize(
    "name", ["a.zip", "a.tar", "a.tar.gz", "a.txt.gz", "a.txt.bz2", "a.txt.xz", "a.parquet", "a.warc.gz"]
)
@pytest.mark.parametrize("data", [b"", b"not what the suffix says", b"\x1f\x8b\x08\x00cut off", b"PK\x03\x04cut off"])
def test_damaged_containers_are_one_reject_or_empty(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    items = items_of(tmp_path)
    assert len(items) <= 1
    for item in items:
        # A compressed file of no bytes holds an empty text, which is refused when it is prepared.
        assert str(tmp_path / name) in item.detail if isinstance(item, Reject) else item.text == ""


def test_a_cut_archive_keeps_the_members_before_the_cut(tmp_path: Path) -> None:
    data = tarred({"a.txt": STORY.encode(), "b.txt": MORE.encode() * 2000})
    (tmp_path / "a.tar").write_bytes(data[:5000])
    assert [outcome for _, outcome in outcomes(items_of(tmp_path))][:2] == ["article", "unreadable"]

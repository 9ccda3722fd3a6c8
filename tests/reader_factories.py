"""Small files of every kind with invented stories, and what reading them gives, for the tests of the readers."""

from __future__ import annotations

import dataclasses
import gzip
import io
import tarfile
import zipfile
from pathlib import Path

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from pipeline import settings as settings_module
from pipeline.readers import read
from pipeline.records import Article, Reject
from pipeline.settings import Settings

SETTINGS = settings_module.load()
STORY = "Northgate Motors will test driverless vans in Leeds next spring, the company said on Tuesday."
MORE = "The vans, built with Kestrel Robotics, will carry parcels between two depots at night for six months."
PAGE = f"""<!doctype html><html lang="en"><head><title>Vans for Leeds | Example Times</title>
<meta property="og:site_name" content="Example Times">
<script type="application/ld+json">{{"@context": "https://schema.org", "@type": "NewsArticle",
"headline": "Vans for Leeds", "datePublished": "2025-10-06T08:30:00+01:00"}}</script></head>
<body><nav><a href="/">Home</a> <a href="/cars">Cars</a></nav><article><h1>Vans for Leeds</h1>
<p>{STORY}</p><p>{MORE}</p><p>{STORY} {MORE}</p></article>
<footer>© 2025 Example Times. All rights reserved.</footer></body></html>"""


def limited(max_bytes: int) -> Settings:
    return dataclasses.replace(SETTINGS, reading=dataclasses.replace(SETTINGS.reading, max_bytes=max_bytes))


def items_of(path: Path | str, settings: Settings = SETTINGS) -> list[Article | Reject]:
    return list(read([str(path)], settings))


def article_in(path: Path, data: bytes | str) -> Article:
    path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8"))
    (item,) = items_of(path)
    assert isinstance(item, Article), item
    return item


def outcomes(items: list[Article | Reject]) -> list[tuple[str, str]]:
    """The part of the URI after the file, and the reason or "article"."""
    return [
        (item.source_uri.rpartition("/")[2], item.reason if isinstance(item, Reject) else "article") for item in items
    ]


def warc(packed: bool) -> bytes:
    stream = io.BytesIO()
    writer = WARCWriter(stream, gzip=packed)
    writer.write_record(writer.create_warcinfo_record("a.warc", {"software": "test"}))

    def response(url: str, body: bytes, status: str, *headers: tuple[str, str]) -> None:
        http = StatusAndHeaders(status, list(headers), protocol="HTTP/1.1")
        writer.write_record(writer.create_warc_record(url, "response", payload=io.BytesIO(body), http_headers=http))

    html = ("Content-Type", "text/html; charset=utf-8")
    response("https://example.com/a", PAGE.encode(), "200 OK", html)
    response("https://example.com/b.png", b"\x89PNG", "200 OK", ("Content-Type", "image/png"))
    response("https://example.com/c", PAGE.encode(), "404 Not Found", html)
    response("https://example.com/d", gzip.compress(PAGE.encode()), "200 OK", html, ("Content-Encoding", "gzip"))
    response("https://example.com/e", b"", "200 OK", html)
    headers = {"Content-Type": "text/plain"}
    text = writer.create_warc_record(
        "https://example.com/f", "conversion", payload=io.BytesIO(STORY.encode()), warc_headers_dict=headers,
        warc_content_type="text/plain",
    )  # fmt: skip
    writer.write_record(text)
    return stream.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("deep")
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def tarred(members: dict[str, bytes], mode: str = "w") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]
        link = tarfile.TarInfo("link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link)
        for name, data in members.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()

"""Reading: files, folders, globs and URIs become articles.

In: what the user typed, and the settings. Out: one ``Article`` or one ``Reject`` for every item, in a fixed
order, read one by one. Nothing is cleaned or judged here (see ``pipeline.prepare``), and nothing is fetched
except the URIs that were named.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from pipeline.captures import read_capture
from pipeline.readers.captured import read_captured
from pipeline.readers.formats import read_source
from pipeline.readers.inputs import Input, InputError, check_local, find_inputs
from pipeline.readers.source import Source
from pipeline.records import Article, Reject
from pipeline.settings import Settings

__all__ = ["Input", "InputError", "check_local", "find_inputs", "read", "read_inputs"]


def read(paths: Sequence[str], settings: Settings) -> Iterator[Article | Reject]:
    """The items of all files that ``paths`` mean.

    Raises ``InputError`` at once, before the first item, where a path names nothing; a file that cannot be
    read, or an item in it, is a ``Reject``.
    """
    return read_inputs(find_inputs(paths), settings)


def read_inputs(inputs: Sequence[Input], settings: Settings) -> Iterator[Article | Reject]:
    """The items of ``inputs``, file by file, bytes in names that are no Unicode escaped."""
    for item in _items(inputs, settings):
        names = {"source_uri": item.source_uri}
        if isinstance(item, Reject):
            names["detail"] = item.detail
        escaped = {field: text.encode("utf-8", "backslashreplace").decode("utf-8") for field, text in names.items()}
        yield item if escaped == names else dataclasses.replace(item, **escaped)  # type: ignore[arg-type]


def _items(inputs: Sequence[Input], settings: Settings) -> Iterator[Article | Reject]:
    for each in inputs:
        try:
            stream = each.open()
        except OSError as error:
            yield Reject(each.uri, None, "unreadable", f"{each.uri}: {error.strerror or error}")
            continue
        with stream:
            capture = read_capture(each.capture) if each.capture else None
            if capture:
                yield from read_captured(capture, stream, settings)
            else:
                yield from read_source(Source(each.uri, each.name, stream), settings)

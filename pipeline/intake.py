"""Items -> distinct documents, with the double entry: every item read is a sighting or a reject.

In: articles and rejects in the order in which they were read. Out: the documents that are new, each once, and the
``Ledger`` that accounts for every item. It will not extract anything and not write anything.
"""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePath

from pipeline.duplicates import CopyIndex, signature
from pipeline.records import Article, Document, Reject, Sighting
from pipeline.settings import Settings

Prepare = Callable[[Article], tuple[Document, Sighting] | Reject]
#: The article of which a document is a near copy; asked in reading order, once a distinct document.
FirstCopy = Callable[[Document], str | None]


@dataclass(slots=True)
class Ledger:
    """What became of every item so far."""

    items: int = 0
    sightings: list[Sighting] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)


def near_copies(settings: Settings) -> FirstCopy:
    """A fresh index of near copies, to be asked about each document of a batch in reading order."""
    index = CopyIndex(settings.near_duplicates)
    near = settings.near_duplicates
    return lambda document: index.add(document.article_id, signature(document.text, near), document.publisher)


def distinct_documents(
    items: Iterable[Article | Reject],
    ledger: Ledger,
    prepare: Prepare,
    first_copy: FirstCopy,
    known: Collection[str] = frozenset(),
) -> Iterator[Document]:
    """The documents to extract, in reading order, while ``ledger`` is filled.

    An exact copy of an earlier item, and an article that is ``known`` (another batch wrote it), give a sighting only.
    An item at which ``prepare`` fails becomes a reject: one broken page never ends an archive run.
    """
    seen: set[str] = set()
    for item in items:
        ledger.items += 1
        prepared = item if isinstance(item, Reject) else _prepared(item, prepare)
        if isinstance(prepared, Reject):
            ledger.rejects.append(prepared)
            continue
        document, sighting = prepared
        ledger.sightings.append(sighting)
        if document.article_id in seen:
            continue
        seen.add(document.article_id)
        copy_of = first_copy(document)
        if document.article_id not in known:
            yield dataclasses.replace(document, duplicate_of=copy_of)


def move_to_rejects(ledger: Ledger, failed: dict[str, str]) -> None:
    """Turn every sighting of an article that could not be extracted (id -> what went wrong) into a reject."""
    for sighting in ledger.sightings:
        if sighting.article_id in failed:
            ledger.rejects.append(failed_item(sighting.source_uri, failed[sighting.article_id]))
    ledger.sightings[:] = [sighting for sighting in ledger.sightings if sighting.article_id not in failed]


def failed_item(source_uri: str, detail: str) -> Reject:
    """The reject of one item at which the program failed."""
    _, _, item = source_uri.rpartition("#")
    return Reject(source_uri, item if item.isdigit() else None, "failed", detail)


def describe(error: Exception) -> str:
    """An exception in one line: type, message and the line of our code that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({PurePath(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:500]}{place}"


def _prepared(article: Article, prepare: Prepare) -> tuple[Document, Sighting] | Reject:
    try:
        return prepare(article)
    except (MemoryError, OSError):
        raise  # trouble of the machine, not of the item
    except Exception as error:
        return failed_item(article.source_uri, describe(error))

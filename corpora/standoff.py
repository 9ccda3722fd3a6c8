"""Annotations of texts that belong to others: kept as ids, digests and offsets, joined with the text where it is.

In: annotation records (``docs/annotation.md``) with ``text`` and ``source`` (``file`` below the data folder, ``id`` of
the item in it). Out: the same records without any text, and back. What stays readable is our own: canonical names,
labels, codes, sums. Every surface and every evidence becomes ``[start, end]``, code points of the text that
``text_of_item`` makes of the source item. It fetches no source: where one is not here, it says which.

    python -m corpora.standoff write ANNOTATED.jsonl OUT.jsonl [--data DIR]
    python -m corpora.standoff read STANDOFF.jsonl... --out ANNOTATED.jsonl [--data DIR]
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import re
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from corpora.annotations import read_records

#: Where the sources lie beside a clone; any other folder can be named.
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

#: Fields of a source item that make its text: the title (None: left out), then the first body that is not empty.
FIELDS: dict[str, tuple[str | None, tuple[str, ...]]] = {
    "text/ai_digest_items_2018_2021.jsonl.gz": ("title", ("text",)),
    "text/ai_news_leads_2019_2020.jsonl.gz": ("title", ("excerpt", "text")),
    "text/auto_feed_items_2021_2022.jsonl.gz": ("title", ("text",)),
    "text/av_items_2010_2021.jsonl.gz": ("title", ("text",)),
    "text/finance_news_2023.jsonl.gz": (None, ("content",)),
    "text/reuters_auto_2006_2013.jsonl.gz": ("title", ("text",)),
    "text/yahoo_finance_2017_2020.jsonl.gz": ("title", ("text",)),
}

#: Longer texts are cut at their last sentence end below LONGEST, unless that leaves no more than SHORTEST.
LONGEST, SHORTEST = 1700, 400

#: Lists whose items are surfaces, or objects that hold some.
_LISTS = (
    "companies", "not_companies", "levels", "not_levels", "locations", "deals",
    "optional_companies", "optional_locations", "optional_levels",
)  # fmt: skip


class StandoffError(ValueError):
    """A source that is absent or not what was annotated, or a record that cannot be kept without its text."""


def text_of_item(file: str, item: dict[str, Any]) -> str:
    """The text that was annotated: title and body of a source item, runs of blanks joined, long ones cut."""
    if file not in FIELDS:
        raise StandoffError(f"{file}: corpora/standoff.py does not say which of its fields make the text")
    title_field, bodies = FIELDS[file]
    title = (item.get(title_field) or "") if title_field else ""
    body = next((item[name] for name in bodies if item.get(name)), "").strip()
    text = f"{title.strip().strip(chr(34))}\n{body}" if title else body
    text = re.sub(r"[ \t]+", " ", text)
    if len(text) <= LONGEST:
        return text
    end = text.rfind(". ", 0, LONGEST)
    return text[: end + 1] if end > SHORTEST else text[:LONGEST]


def digest(text: str) -> str:
    """SHA-256 of the text in UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def without_text(record: dict[str, Any]) -> dict[str, Any]:
    """The record as offsets. Raises ``StandoffError`` for a surface or evidence that is not in its text."""
    text = record["text"]

    def place(surface: str) -> list[int]:
        whole = re.search(rf"(?<!\w){re.escape(surface)}(?!\w)", text)
        start = whole.start() if whole else text.find(surface)
        if start < 0 or not surface:
            raise StandoffError(f"{record['id']}: {surface!r} is not in the text")
        return [start, start + len(surface)]

    kept: dict[str, Any] = {}
    for key, value in record.items():
        if key == "text":
            kept |= {"sha256": digest(text), "characters": len(text)}
        else:
            kept[key] = _mapped(value, place) if key in _LISTS else value
    return kept


def with_text(item: dict[str, Any], text: str) -> dict[str, Any]:
    """The annotation record of a standoff item. Raises ``StandoffError`` where ``text`` is not the annotated one."""
    if digest(text) != item["sha256"]:
        raise StandoffError(
            f"{item['id']}: the text of {item['source']['id']} is not the one that was annotated "
            f"(SHA-256 {digest(text)[:12]}…, annotated {item['sha256'][:12]}…)"
        )

    def surface(place: list[int]) -> str:
        return text[place[0] : place[1]]

    record: dict[str, Any] = {}
    for key, value in item.items():
        if key == "sha256":
            record["text"] = text
        elif key != "characters":
            record[key] = _mapped(value, surface) if key in _LISTS else value
    return record


def places(item: dict[str, Any]) -> list[list[int]]:
    """Every ``[start, end]`` of a standoff item, in order of fields."""
    found: list[list[int]] = []
    for key in _LISTS:
        if key in item:
            _mapped(item[key], found.append)
    return found


def _mapped(items: Sequence[Any], turn: Callable[[Any], Any]) -> list[Any]:
    """The list with each surface and evidence turned, be it an item itself or a field of one."""
    turned: list[Any] = []
    for item in items:
        if not isinstance(item, dict):
            turned.append(turn(item))
            continue
        new = dict(item)
        for key in ("surface", "evidence"):
            if key in item:
                new[key] = turn(item[key])
        if "surfaces" in item:
            new["surfaces"] = [turn(surface) for surface in item["surfaces"]]
        turned.append(new)
    return turned


def item_texts(data: Path, file: str, ids: Collection[str]) -> dict[str, str]:
    """The texts of those of the items ``ids`` that the source ``file`` below ``data`` holds."""
    texts: dict[str, str] = {}
    with gzip.open(data / file, "rt", encoding="utf-8") as lines:
        for line in lines:
            item = json.loads(line)
            if str(item.get("id")) in ids:
                texts[str(item["id"])] = text_of_item(file, item)
    return texts


def source_texts(items: Iterable[dict[str, Any]], data: Path) -> dict[tuple[str, str], str]:
    """The texts of the items' sources below ``data``, by file and id. Raises ``StandoffError`` where one is absent."""
    wanted: dict[str, set[str]] = {}
    for item in items:
        wanted.setdefault(item["source"]["file"], set()).add(item["source"]["id"])
    texts: dict[tuple[str, str], str] = {}
    for file, ids in sorted(wanted.items()):
        path = data / file
        if not path.exists():
            raise StandoffError(
                f"{path} is not here: it holds the texts of {len(ids)} annotated items, which belong to their "
                "publishers and are not in this repository; name a folder that has it with --data"
            )
        found = item_texts(data, file, ids)
        missing = sorted(ids - found.keys())
        if missing:
            raise StandoffError(f"{path}: item {missing[0]!r} is not in it (items missing: {len(missing)})")
        texts |= {(file, item_id): text for item_id, text in found.items()}
    return texts


def read_standoff(paths: Iterable[Path], data: Path = DATA) -> list[dict[str, Any]]:
    """The annotation records, text included, of standoff files. Raises ``StandoffError``."""
    items = [item for path in paths for item in read_records(path)]
    texts = source_texts(items, data)
    return [with_text(item, texts[item["source"]["file"], item["source"]["id"]]) for item in items]


def write_standoff(records: Iterable[dict[str, Any]], path: Path, data: Path = DATA) -> int:
    """Write records without their text and return how many. Raises ``StandoffError`` where one would not come back."""
    records = list(records)
    items = [without_text(record) for record in records]
    texts = source_texts(items, data)
    for record, item in zip(records, items, strict=True):
        if with_text(item, texts[item["source"]["file"], item["source"]["id"]]) != record:
            raise StandoffError(f"{record['id']}: does not come back as it was")
    _write(items, path)
    return len(items)


def _write(records: Iterable[dict[str, Any]], path: Path) -> None:
    lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    path.write_text("".join(lines), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    write = actions.add_parser("write")
    write.add_argument("annotated", type=Path)
    write.add_argument("out", type=Path)
    read = actions.add_parser("read")
    read.add_argument("standoff", type=Path, nargs="+")
    read.add_argument("--out", type=Path, required=True)
    for action in (write, read):
        action.add_argument("--data", type=Path, default=DATA)
    arguments = parser.parse_args()
    try:
        if arguments.action == "write":
            print(write_standoff(read_records(arguments.annotated), arguments.out, arguments.data), "items")
        else:
            _write(read_standoff(arguments.standoff, arguments.data), arguments.out)
    except StandoffError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

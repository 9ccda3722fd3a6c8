"""Whether the annotated corpora are sound: fields, offsets, duplicates, digests, and nothing that leaks between splits.

In: files of annotated articles, standoff annotations and gold phrases. Out: faults, each with file, line, item and what
is wrong, and notes on what could not be checked here. It changes no file.

Sides: a file whose name begins with ``train``, ``written`` or ``annotated``, and everything in ``standoff``, is learnt
from; every other file is measured on. Text, near copies, source items and ``event:`` tags of the one side must not
stand on the other.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corpora import standoff
from corpora.annotations import group_near_copies
from corpora.record_checks import article_faults, phrase_faults

ROOT = Path(__file__).resolve().parents[1]
OURS = (ROOT / "corpora" / "gold", ROOT / "corpora" / "standoff")
DIGESTS = "SHA256SUMS"

#: Of the articles written after the first 510, every one whose digest of the id this number divides is in test.jsonl.
TEST_SHARE = 6
_SPLIT_IDS = re.compile(r"g[a-z]\d{3}")
_LEARNT = re.compile(r"(?:train|written|annotated)\b")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong. ``line`` counts from 1; ``item`` is the id of the record where it has one."""

    file: str
    line: int | None
    item: str | None
    what: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{where}: {self.item}: {self.what}" if self.item else f"{where}: {self.what}"


@dataclass(slots=True)
class Report:
    """What was found. ``counts``: files, articles, companies, levels, locations, deals, phrases."""

    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Item:
    """A record with where it stands; ``record`` has its text wherever that is at hand."""

    path: Path
    line: int
    record: dict[str, Any]
    checked: bool  # False: only here to compare others with

    @property
    def id(self) -> str:
        return str(self.record.get("id") or "")

    @property
    def text(self) -> str | None:
        text = self.record.get("text")
        return text if isinstance(text, str) else None

    @property
    def learnt(self) -> bool:
        return self.path.parent.name == "standoff" or bool(_LEARNT.match(self.path.name))

    def fault(self, what: str) -> Fault:
        return Fault(_shown(self.path), self.line, self.id or None, what)


def in_test_part(article_id: str) -> bool:
    """Whether an article of ours with an id such as ``gs001`` is measured on, and never learnt from."""
    return int(hashlib.sha256(article_id.encode()).hexdigest(), 16) % TEST_SHARE == 0


def corpus_files(paths: Iterable[Path]) -> list[Path]:
    """The files among and below ``paths``. Raises ``FileNotFoundError`` for one that is not there."""
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"no such file or folder: {path}")
        files += (
            sorted(p for p in path.rglob("*") if p.name.endswith((".jsonl", ".jsonl.gz"))) if path.is_dir() else [path]
        )
    return list(dict.fromkeys(file.resolve() for file in files))


def validate(
    paths: Sequence[Path], data: Path = standoff.DATA, texts: Path | None = None, compare: Sequence[Path] | None = None
) -> Report:
    """Check the files at ``paths``.

    ``data``: the folder with the sources of standoff annotations, and, where they are there, ``train/annotated`` and
    ``dev``. ``texts``: the folder of ``ID.txt`` for articles that carry no text. ``compare``: files that are only
    compared with; by default our own corpora and those two of ``data``.
    """
    report = Report()
    files = corpus_files(paths)
    items = [item for file in files for item in _read(file, True, texts, report)]
    items = _joined_with_text(items, data, report)
    for item in items:
        report.faults += [item.fault(what) for what in _record_faults(item.record)]
        _count(item.record, report.counts)
    report.counts["files"] = len(files)
    for folder in sorted({file.parent for file in files}):
        report.faults += _digest_faults(folder, files)
    others = _compared(files, data, compare)
    report.faults += list(_split_faults(items))
    report.faults += list(_cross_faults(items + others))
    return report


def _compared(files: Sequence[Path], data: Path, compare: Sequence[Path] | None) -> list[Item]:
    """The items that are only compared with; faults of theirs are not told."""
    known = [
        (file, data / "dev" / "texts" if file.parent.name == "dev" else None)
        for file in (
            corpus_files(compare)
            if compare is not None
            else [
                *corpus_files(folder for folder in OURS if folder.exists()),
                *(path for path in (data / "train/annotated.jsonl.gz", data / "dev/gold.jsonl") if path.exists()),
            ]
        )
    ]
    silent = Report()
    found = [item for file, texts in known if file not in files for item in _read(file, False, texts, silent)]
    return _joined_with_text(found, data, silent)


def _read(path: Path, checked: bool, texts: Path | None, report: Report) -> Iterator[Item]:
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        lines = content.decode("utf-8").split("\n")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        report.faults.append(Fault(_shown(path), None, None, f"cannot be read: {error}"))
        return
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            report.faults.append(Fault(_shown(path), number, None, f"no JSON: {error}"))
            continue
        if not isinstance(record, dict):
            report.faults.append(Fault(_shown(path), number, None, "no JSON object"))
            continue
        if texts is not None and "text" not in record and "sha256" not in record:
            own = texts / f"{record.get('id')}.txt"
            if own.exists():
                record["text"] = own.read_text(encoding="utf-8")
        yield Item(path, number, record, checked)


def _joined_with_text(items: Sequence[Item], data: Path, report: Report) -> list[Item]:
    """The items, those of standoff files with their texts where the sources are here."""
    joined = [item for item in items if not _is_standoff(item.record)]
    by_file: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        if _is_standoff(item.record):
            by_file[item.record["source"]["file"]].append(item)
    for file, own in sorted(by_file.items()):
        broken = {id(item) for item in own if _told(item, _offset_faults(item.record), report)}
        if file not in standoff.FIELDS or not (data / file).exists():
            why = "is not here" if file in standoff.FIELDS else "is no source that corpora/standoff.py knows"
            report.notes.append(f"{data / file} {why}: {len(own)} items of {_shown(own[0].path)} lack their texts")
            joined += own
            continue
        texts = standoff.item_texts(data, file, {item.record["source"]["id"] for item in own})
        for item in own:
            text = texts.get(item.record["source"]["id"])
            if text is None:
                report.faults.append(item.fault(f"{file} has no item {item.record['source']['id']!r}"))
            elif standoff.digest(text) != item.record["sha256"]:
                report.faults.append(
                    item.fault(f"the text in {file} is not the one that was annotated (digest differs)")
                )
            elif id(item) not in broken:
                joined.append(Item(item.path, item.line, standoff.with_text(item.record, text), item.checked))
    return joined


def _told(item: Item, faults: Iterable[str], report: Report) -> bool:
    told = [item.fault(what) for what in faults]
    report.faults += told
    return bool(told)


def _is_standoff(record: dict[str, Any]) -> bool:
    source = record.get("source")
    return "sha256" in record and isinstance(source, dict) and {"file", "id"} <= source.keys()


def _offset_faults(record: dict[str, Any]) -> Iterator[str]:
    if "text" in record:
        yield "has text: annotations of others' texts are kept without it"
    if not re.fullmatch(r"[0-9a-f]{64}", str(record["sha256"])):
        yield f"sha256 is no digest: {record['sha256']!r}"
    size = record.get("characters")
    if not isinstance(size, int):
        yield "characters is missing or no number"
        return
    try:
        places = standoff.places(record)
    except TypeError as error:
        yield f"a field is of the wrong type: {error}"
        return
    for place in places:
        if not (isinstance(place, list) and len(place) == 2 and all(isinstance(n, int) for n in place)):
            yield f"no offsets but {place!r}"
        elif not 0 <= place[0] < place[1] <= size:
            yield f"offsets {place} lie outside the text of {size} characters"


def _record_faults(record: dict[str, Any]) -> list[str]:
    if _is_standoff(record) and "text" not in record:
        return []  # its offsets were checked; the rest needs the text
    return phrase_faults(record) if _is_phrase(record) else article_faults(record)


def _is_phrase(record: dict[str, Any]) -> bool:
    """Whether it is a sentence of a gold set that marks one kind of thing, and no article annotated in full."""
    return not {"deals", "locations", "levels"} & set(record)


def _count(record: dict[str, Any], counts: Counter[str]) -> None:
    if _is_phrase(record):
        counts["phrases"] += 1
        return
    counts["articles"] += 1
    for name in ("companies", "levels", "locations", "deals"):
        counts[name] += len(record[name]) if isinstance(record.get(name), list) else 0


def _split_faults(items: Iterable[Item]) -> Iterator[Fault]:
    for item in items:
        if _SPLIT_IDS.fullmatch(item.id) and not _is_phrase(item.record):
            if in_test_part(item.id) and item.learnt:
                yield item.fault(
                    "is of the test part (digest of the id) and must not be learnt from: move it to test.jsonl"
                )
            elif not in_test_part(item.id) and item.path.name == "test.jsonl":
                yield item.fault("is of the training part (digest of the id): move it to a train file")


def _cross_faults(items: Sequence[Item]) -> Iterator[Fault]:
    """Repeated ids and texts, and what stands on both sides. Of two items the later one that is checked is named."""
    yield from _pairs(items, lambda item: [item.id], "the same id as", any_side=True)
    texts = [item for item in items if item.text and not item.record.get("copy_of")]
    yield from _pairs(texts, lambda item: [standoff.digest(item.text or "")], "the same text as", any_side=True)
    sourced = [item for item in items if isinstance(item.record.get("source"), dict)]
    yield from _pairs(
        sourced, lambda item: [json.dumps(item.record["source"])], "the same source item as", any_side=True
    )
    yield from _pairs(items, _events, "leak: the same event as", any_side=False)
    groups = group_near_copies([item.text or "" for item in texts]) if len(texts) > 1 else []
    of = {id(item): [group] for item, group in zip(texts, groups, strict=False)}
    yield from _pairs(texts, lambda item: of.get(id(item), []), "leak: a near copy of", any_side=False)


def _events(item: Item) -> list[str]:
    tags = item.record.get("tags")
    return [tag for tag in tags if str(tag).startswith("event:")] if isinstance(tags, list) else []


def _pairs(items: Iterable[Item], keys: Callable[[Item], list[Any]], what: str, any_side: bool) -> Iterator[Fault]:
    """A fault for each checked item that shares a key with one before it; not ``any_side``: one of the other side."""
    first: dict[tuple[Any, bool], Item] = {}
    for item in sorted(items, key=lambda item: item.checked):
        for key in keys(item):
            sides = (True, False) if any_side else (not item.learnt,)
            twin = next((first[key, side] for side in sides if (key, side) in first), None)
            if twin is not None and item.checked:
                yield item.fault(f"{what} {twin.id or 'line ' + str(twin.line)} in {_shown(twin.path)}")
            first.setdefault((key, item.learnt), item)


def _digest_faults(folder: Path, files: Sequence[Path]) -> Iterator[Fault]:
    """Files of ``folder`` that its list of digests names and that are not what it says."""
    told = folder / DIGESTS
    if not told.exists():
        return
    for number, line in enumerate(told.read_text(encoding="utf-8").splitlines(), 1):
        wanted, _, name = line.partition("  ")
        path = folder / name
        if not path.exists():
            yield Fault(_shown(told), number, name, "is not there")
        elif path in files and hashlib.sha256(path.read_bytes()).hexdigest() != wanted:
            yield Fault(
                _shown(told),
                number,
                name,
                "the file has changed; if that is meant: `roadwire corpora validate --write-digests`",
            )


def write_digests(folder: Path) -> None:
    """List the SHA-256 of the corpus files in ``folder``, as ``sha256sum`` does."""
    files = [file for file in corpus_files([folder]) if file.parent == folder]
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    (folder / DIGESTS).write_text("".join(lines), encoding="utf-8")


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def summary(report: Report) -> str:
    """One line: what was read and how many faults it has."""
    counted = ", ".join(f"{report.counts[name]:,} {name}" for name in sorted(report.counts) if name != "files")
    return f"{report.counts['files']:,} files: {counted}; {len(report.faults):,} faults"

"""Two outputs of the same archive -> what differs: the gate before an archive is read again by a new version.

In: two folders of tables, as ``roadwire run`` writes them. Out: a ``Report``: rows added, lost and changed by table,
kind and field, with examples. Articles that only one side has are counted as such; their other rows are set aside.
A confidence that moved makes a row ``rescored``, not ``changed``. Tables are read in parts of ``PART_ROWS`` rows
(``pipeline.diff_parts``), all rows of an article in one part. It decides nothing and leaves nothing behind;
``pipeline.diff_report`` shows the report.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.diff_parts import PAIR, DiffError, Folder, numbered, parts_of
from pipeline.diff_records import (
    ITEM_SEPARATOR,
    VALUE_SEPARATOR,
    Counts,
    Example,
    FieldChanges,
    Report,
    Side,
    TableDiff,
)
from pipeline.row_matching import Matched, match_deals, match_events, match_keys, match_mentions

#: Rows of both sides that are in memory at once (some 600 bytes a row).
PART_ROWS = 1_000_000
#: Most frequent changes of value that are kept for each field, and one-sided articles that are named.
KEPT_VALUES, NAMED_ARTICLES = 200, 1000

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Spec:
    """How a table is compared. ``kind``: the column that rows are counted by; ``label``: the one that names a row.

    ``ignored``: where the row came from, and what follows from other columns. ``paired_by``: the columns that ``match``
    needs, of a table whose rows belong to no article: they are matched before the table is read in parts.
    """

    match: Callable[[pa.Table, pa.Table], Matched]
    kind: str
    label: str | None
    ignored: frozenset[str] = frozenset()
    span: tuple[str, str] | None = None
    gates: bool = True
    paired_by: tuple[str, ...] = ()


_ORIGIN = {PAIR, "article_id", "batch_id", "schema_version", "pipeline_version", "model_version", "source_uri"}
_OFFSETS = {"start", "end", "evidence_start", "evidence_end"}
SPECS: Mapping[str, Spec] = {
    "articles": Spec(partial(match_keys, keys=("article_id",)), "language", None, frozenset({"text"})),
    "companies": Spec(
        match_mentions, "kind", "company_name", frozenset({"mention_id", "sentence_index"}), ("start", "end")
    ),
    "autonomy_levels": Spec(match_mentions, "level_max", "surface", span=("start", "end")),
    "locations": Spec(match_mentions, "kind", "name", frozenset({"latitude", "longitude"}), ("start", "end")),
    "deals": Spec(
        match_deals, "deal_type", None, frozenset({"deal_id", "event_id"}), ("evidence_start", "evidence_end")
    ),
    "deal_events": Spec(
        match_events,
        "deal_type",
        None,
        frozenset({"best_deal_id", "history"}),
        paired_by=("event_id", "deal_type", "evidence"),
    ),
    "rejects": Spec(partial(match_keys, keys=("source_uri", "item")), "reason", None, frozenset({"item"}), gates=False),
}
_SCORES = ("confidence", "relevance")


@dataclass(slots=True)
class _Tally:
    """What was counted so far, part by part."""

    kinds: dict[str, Counter[str]] = field(default_factory=dict)
    fields: Counter[str] = field(default_factory=Counter)
    values: dict[str, Counter[tuple[Any, Any]]] = field(default_factory=dict)
    names: dict[str, Counter[str]] = field(default_factory=lambda: {"lost": Counter(), "added": Counter()})
    picked: list[tuple[str, str, dict[str, Any] | None, dict[str, Any] | None, tuple[str, ...]]] = field(
        default_factory=list
    )


def compare(old: Path, new: Path, examples: int = 3, tolerance: float = 0.05, part_rows: int = PART_ROWS) -> Report:
    """What differs between the tables in two folders.

    ``examples``: rows shown of each table and kind of change; ``tolerance``: a score that moved by no more is the
    same. Raises ``DiffError`` for a folder without articles and for tables that have no column in common.
    """
    folders = [Folder(old), Folder(new)]
    ids = [folder.column("articles", "article_id") for folder in folders]
    common = ids[0].filter(pc.is_in(ids[0], value_set=ids[1]))
    tables = [
        _table(name, spec, folders, common, examples, tolerance, part_rows)
        for name, spec in SPECS.items()
        if all(folder.files(name) for folder in folders)
    ]
    sides = [
        _side(folders[i], ids[i], common, set(_sources(folders[1 - i], ids[1 - i], common).values())) for i in (0, 1)
    ]
    return Report(sides[0], sides[1], len(common), tolerance, tuple(tables))


def _table(
    name: str,
    spec: Spec,
    folders: Sequence[Folder],
    common: pa.Array,
    examples: int,
    tolerance: float,
    part_rows: int,
) -> TableDiff:
    sets = [folder.dataset(name) for folder in folders]
    columns = [column for column in sets[0].schema.names if column in sets[1].schema.names and column != "text"]
    rows = sum(each.count_rows() for each in sets)
    tally = _Tally()
    parts = max(1, -(-rows // part_rows))
    wanted = common if "article_id" in columns and name != "articles" else None
    numbers = numbered(sets, spec.match, spec.paired_by) if spec.paired_by else (None, None)
    with (
        parts_of(sets[0], columns, wanted, parts, numbers[0]) as old_side,
        parts_of(sets[1], columns, wanted, parts, numbers[1]) as new_side,
    ):
        for part in range(parts):
            old, new = old_side.read(part), new_side.read(part)
            try:
                new = new.cast(old.schema)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise DiffError(f"{name}: the columns of the two sides are of different types ({error})") from error
            _count(tally, old, new, spec, examples, tolerance)
        aside = (old_side.left_out, new_side.left_out)
    texts = _texts(folders[1], tally.picked) if spec.span or name == "articles" else {}
    return TableDiff(
        name=name,
        counts=_counts(sum(tally.kinds.values(), Counter())),
        kinds={kind: _counts(count) for kind, count in sorted(tally.kinds.items(), key=lambda p: -sum(p[1].values()))},
        fields=tuple(
            FieldChanges(each, n, tuple((*pair, m) for pair, m in _commonest(tally.values[each])))
            for each, n in tally.fields.most_common()
        ),
        lost_names=tuple(_commonest(tally.names["lost"])[:10]),
        added_names=tuple(_commonest(tally.names["added"])[:10]),
        examples=tuple(_example(picked, spec, texts) for picked in _varied(tally.picked, examples)),
        aside=aside,
        gates=spec.gates,
    )


def _count(tally: _Tally, old: pa.Table, new: pa.Table, spec: Spec, examples: int, tolerance: float) -> None:
    matched = match_keys(old, new, (PAIR,)) if spec.paired_by else spec.match(old, new)
    at_old, at_new = pa.array(matched.old), pa.array(matched.new)
    changed, rescored = np.zeros(len(at_old), bool), np.zeros(len(at_old), bool)
    fields: dict[str, Mask] = {}
    for name in old.schema.names:
        if name in _ORIGIN | _OFFSETS | spec.ignored:
            continue
        before, after = plain(old[name].take(at_old)), plain(new[name].take(at_new))
        if name in _SCORES:
            gap = pc.abs(pc.subtract(before, after))
            # Scores have four decimals; the half of the last one is there for the arithmetic.
            rescored |= pc.fill_null(pc.greater(gap, tolerance + 5e-5), False).to_numpy(zero_copy_only=False)
            continue
        differs = _differs(before, after)
        changed |= differs
        if differs.any():
            fields[name] = differs
            tally.fields[name] += int(differs.sum())
            pairs = zip(before.filter(differs).to_pylist(), after.filter(differs).to_pylist(), strict=True)
            counted = tally.values.setdefault(name, Counter())
            counted.update(pairs)
            if len(counted) > 10 * KEPT_VALUES:
                tally.values[name] = Counter(dict(counted.most_common(KEPT_VALUES)))
    rescored &= ~changed
    same = ~changed & ~rescored
    kinds = [
        _kinds(table[spec.kind].take(rows), spec)
        for table, rows in ((old, at_old), (old, pa.array(matched.lost)), (new, pa.array(matched.added)))
    ]
    for what, values in (
        ("same", kinds[0][same]),
        ("rescored", kinds[0][rescored]),
        ("changed", kinds[0][changed]),
        ("lost", kinds[1]),
        ("added", kinds[2]),
    ):
        for kind, n in Counter(values.tolist()).items():
            tally.kinds.setdefault(kind, Counter())[what] += n
    if spec.label:
        tally.names["lost"].update(old[spec.label].take(pa.array(matched.lost)).drop_null().to_pylist())
        tally.names["added"].update(new[spec.label].take(pa.array(matched.added)).drop_null().to_pylist())
    _pick(tally, old, new, matched, fields, changed, (kinds[1], kinds[2]), spec, examples)


def _pick(
    tally: _Tally,
    old: pa.Table,
    new: pa.Table,
    matched: Matched,
    fields: Mapping[str, Mask],
    changed: Mask,
    kinds: tuple[npt.NDArray[Any], npt.NDArray[Any]],
    spec: Spec,
    examples: int,
) -> None:
    """Keep rows to show: of each kind of change (the fields that changed, the kind of row) a few, spread over all."""
    numbers = np.flatnonzero(changed)
    combined = np.zeros(len(numbers), np.uint64)
    for position, mask in enumerate(fields.values()):
        combined |= mask[numbers].astype(np.uint64) << np.uint64(position % 64)
    for at in _spread(combined, examples):
        row = int(numbers[at])
        names = tuple(name for name, mask in fields.items() if mask[row])
        pair = _row(old, matched.old[row]), _row(new, matched.new[row])
        tally.picked.append(("changed", _kind_name(pair[0][spec.kind], spec), *pair, names))
    if spec.kind == "language":
        return  # one-sided articles are listed apart
    for change, table, rows, own in (
        ("lost", old, matched.lost, kinds[0]),
        ("added", new, matched.added, kinds[1]),
    ):
        for at in _spread(own, examples):
            row_values = _row(table, rows[at])
            pair_values = (row_values, None) if change == "lost" else (None, row_values)
            tally.picked.append((change, _kind_name(row_values[spec.kind], spec), *pair_values, ()))


def _spread(groups: npt.NDArray[Any], examples: int) -> list[int]:
    """Positions of up to ``examples`` members of each group, large groups first; the same on every machine."""
    found = []
    frame = pd.DataFrame({"group": groups, "at": np.arange(len(groups))})
    members = [positions for _, positions in frame.groupby("group", sort=False)["at"]]
    for positions in sorted(members, key=len, reverse=True):
        step = max(1, len(positions) // max(1, examples))
        found += positions.iloc[step // 2 :: step].head(examples).tolist()
    return found


def _varied(picked: Sequence[Any], examples: int) -> Iterator[Any]:
    """Of each change up to ``examples``, first those that are unlike each other, none that repeats another."""
    for change in ("changed", "lost", "added"):
        own = [each for each in picked if each[0] == change]
        seen: Counter[Any] = Counter()
        ranked: list[tuple[int, int]] = []
        for at, (_, kind, old, new, names) in enumerate(own):
            told = tuple((name, str(row.get(name))) for row in (old, new) if row for name in names or _telling(row))
            group = names or kind
            if not seen[told]:
                ranked.append((seen[group], at))
                seen[group] += 1
            seen[told] += 1
        yield from (own[at] for _, at in sorted(ranked)[:examples])


def _telling(row: Mapping[str, Any]) -> list[str]:
    """The columns by which two rows of different articles say the same."""
    return [name for name in row if name not in _ORIGIN | _OFFSETS and name not in _SCORES and not name.endswith("_id")]


def _differs(before: pa.ChunkedArray, after: pa.ChunkedArray) -> Mask:
    unequal = pc.fill_null(pc.not_equal(before, after), False)
    one_null = pc.not_equal(pc.is_null(before), pc.is_null(after))
    mask: Mask = pc.or_(unequal, one_null).to_numpy(zero_copy_only=False).astype(bool)
    return mask


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A list of structs as one string that is equal where the lists hold the same; other columns as they are.

    The order of parties and places is that of their probabilities and says nothing that the roles do not.
    """
    if not pa.types.is_list(column.type):
        return column
    lists = pa.chunked_array(column).combine_chunks() if isinstance(column, list) else column.combine_chunks()
    flat = pc.list_flatten(lists)
    if pa.types.is_struct(flat.type):
        parts = [pc.fill_null(pc.cast(each, pa.string()), "") for each in flat.flatten()]
        flat = pc.binary_join_element_wise(*parts, VALUE_SEPARATOR)
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    frame = pa.table({"parent": pc.list_parent_indices(lists), "item": pc.cast(flat, pa.string())})
    ordered = frame.take(pc.sort_indices(frame, [("parent", "ascending"), ("item", "ascending")]))
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    items = ordered["item"].combine_chunks()
    joined = pc.binary_join(pa.ListArray.from_arrays(offsets, items), ITEM_SEPARATOR)
    return pa.chunked_array([pc.if_else(pc.is_null(lists), None, joined)], pa.string())


def _kinds(column: pa.ChunkedArray, spec: Spec) -> npt.NDArray[Any]:
    encoded = column.combine_chunks().dictionary_encode()
    names = np.array([*(_kind_name(value, spec) for value in encoded.dictionary.to_pylist()), "unknown"], object)
    return names[pc.fill_null(encoded.indices, len(names) - 1).to_numpy(zero_copy_only=False)]


def _kind_name(value: Any, spec: Spec) -> str:
    return "unknown" if value is None else f"level {value}" if spec.kind == "level_max" else str(value)


def _row(table: pa.Table, number: Any) -> dict[str, Any]:
    row: dict[str, Any] = table.slice(int(number), 1).to_pylist()[0]
    lists = {name: plain(table[name].slice(int(number), 1))[0].as_py() for name in row if isinstance(row[name], list)}
    return {**row, **lists}


def _counts(count: Counter[str]) -> Counts:
    return Counts(**{each.name: count[each.name] for each in dataclasses.fields(Counts)})


def _commonest(counter: Counter[Any]) -> list[tuple[Any, int]]:
    """By count, then by value, so that the report does not depend on the order of rows."""
    return sorted(counter.items(), key=lambda pair: (-pair[1], str(pair[0])))[:KEPT_VALUES]


def _texts(folder: Folder, picked: Sequence[Any]) -> dict[str, tuple[str | None, str]]:
    """Title and text of the articles of the examples."""
    ids = {(old or new)["article_id"] for _, _, old, new, _ in picked}
    if not ids:
        return {}
    chosen = pc.field("article_id").isin(sorted(ids))
    table = folder.dataset("articles").to_table(columns=["article_id", "title", "text"], filter=chosen)
    return {row["article_id"]: (row["title"], row["text"]) for row in table.to_pylist()}


_AROUND = 90  # characters of the text shown on either side of a mention


def _example(picked: Any, spec: Spec, texts: Mapping[str, tuple[str | None, str]]) -> Example:
    change, kind, old, new, names = picked
    row = new or old
    title, text = texts.get(row.get("article_id"), (None, ""))
    before = after = ""
    passage = row.get("evidence") or ""
    if spec.span:
        start, end = row[spec.span[0]], row[spec.span[1]]
        passage = text[start:end]
        if spec.span[0] == "start":
            left = text[max(0, start - _AROUND) : start].rpartition("\n")[2]
            before = left if len(left) < min(_AROUND, start) or start <= _AROUND else "…" + left.partition(" ")[2]
            right = text[end : end + _AROUND].partition("\n")[0]
            after = right if len(right) < _AROUND else right.rpartition(" ")[0] + "…"
    columns = names or [
        name for name, value in row.items() if value is not None and name not in _ORIGIN | _OFFSETS | spec.ignored
    ]
    if change == "changed" and "confidence" in row:
        columns = [*columns, "confidence"]
    values = tuple((name, old.get(name) if old else None, new.get(name) if new else None) for name in columns)
    return Example(change, kind, row.get("article_id"), title, before, passage, after, values)


def _sources(folder: Folder, ids: pa.Array, common: pa.Array) -> dict[str, str]:
    """Article -> source of the articles that only this side has."""
    if len(ids) == len(common):
        return {}
    table = folder.dataset("articles").to_table(columns=["article_id", "source_uri"])
    table = table.filter(pc.invert(pc.is_in(table["article_id"], value_set=common)))
    return dict(zip(table["article_id"].to_pylist(), table["source_uri"].to_pylist(), strict=True))


def _side(folder: Folder, ids: pa.Array, common: pa.Array, other_sources: set[str]) -> Side:
    sources = _sources(folder, ids, common)
    named = sorted(sources)[:NAMED_ARTICLES]
    titles: dict[str, str | None] = {}
    if named:
        chosen = pc.field("article_id").isin(named)
        table = folder.dataset("articles").to_table(columns=["article_id", "title"], filter=chosen)
        titles = dict(zip(table["article_id"].to_pylist(), table["title"].to_pylist(), strict=True))
    return Side(
        folder=str(folder.path),
        versions=folder.versions(),
        batches=len(folder.files("articles")),
        articles=len(ids),
        alone=len(sources),
        named=tuple((each, titles.get(each), sources[each]) for each in named),
        reread=sum(source in other_sources for source in sources.values()),
    )

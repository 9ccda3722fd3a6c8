"""What ``roadwire diff`` finds out, as plain frozen records, and as JSON.

In: nothing. Out: the nouns of a comparison of two folders of tables. Counts are rows; a share is 0 to 1.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

#: Between the values of one struct, and between structs, where a list of structs is written as one string; neither
#: character stands in cleaned text.
VALUE_SEPARATOR, ITEM_SEPARATOR = "\x1f", "\x1e"


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows by what became of them. ``rescored``: only a confidence moved."""

    same: int = 0
    rescored: int = 0
    changed: int = 0
    lost: int = 0
    added: int = 0

    @property
    def old(self) -> int:
        return self.same + self.rescored + self.changed + self.lost

    @property
    def new(self) -> int:
        return self.same + self.rescored + self.changed + self.added

    @property
    def share(self) -> float:
        """Rows changed, lost or added, of all rows of either side."""
        return (self.changed + self.lost + self.added) / max(1, self.old + self.added)


@dataclass(frozen=True, slots=True)
class FieldChanges:
    """Rows in which one field changed, and the commonest changes of its value: (old, new, rows)."""

    name: str
    rows: int
    values: tuple[tuple[Any, Any, int], ...]


@dataclass(frozen=True, slots=True)
class Example:
    """One row. ``values``: (field, old, new), only those that changed where both sides have the row."""

    change: str
    kind: str
    article_id: str | None
    title: str | None
    before: str
    passage: str
    after: str
    values: tuple[tuple[str, Any, Any], ...]


@dataclass(frozen=True, slots=True)
class TableDiff:
    """``aside``: rows of articles that only one side has, old and new. ``names``: what was lost and added most."""

    name: str
    counts: Counts
    kinds: dict[str, Counts]
    fields: tuple[FieldChanges, ...]
    lost_names: tuple[tuple[str, int], ...]
    added_names: tuple[tuple[str, int], ...]
    examples: tuple[Example, ...]
    aside: tuple[int, int]
    gates: bool


@dataclass(frozen=True, slots=True)
class Side:
    """One folder: the versions that its files state, and the articles that only it has: (id, title, source).

    ``reread``: of those, how many stand on the other side with another text (the same source, another id).
    """

    folder: str
    versions: dict[str, tuple[str, ...]]
    batches: int
    articles: int
    alone: int
    named: tuple[tuple[str, str | None, str], ...]
    reread: int


@dataclass(frozen=True, slots=True)
class Report:
    old: Side
    new: Side
    common: int  # articles on both sides
    tolerance: float
    tables: tuple[TableDiff, ...]

    def worst(self) -> tuple[str, float]:
        """The table of which most changed, and its share; what ``--fail-above`` looks at."""
        shares = [(table.counts.share, table.name) for table in self.tables if table.gates]
        share, name = max(shares, key=lambda pair: pair[0])
        return name, share


def as_json(report: Report) -> str:
    """The whole report, with the counts that follow from others written out."""
    told: dict[str, Any] = dataclasses.asdict(report)
    for table, own in zip(told["tables"], report.tables, strict=True):
        table["counts"] = _told(own.counts)
        table["kinds"] = {kind: _told(counts) for kind, counts in own.kinds.items()}
    name, share = report.worst()
    told["worst"] = {"table": name, "share": round(share, 6)}
    return json.dumps(_readable(told), indent=1, ensure_ascii=False, default=str)


def _told(counts: Counts) -> dict[str, Any]:
    return {"old": counts.old, "new": counts.new, **dataclasses.asdict(counts), "share": round(counts.share, 6)}


def _readable(value: Any) -> Any:
    """Lists of structs as lists again."""
    if isinstance(value, dict):
        return {key: _readable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(each) for each in value]
    if isinstance(value, str) and VALUE_SEPARATOR in value:
        return [item.split(VALUE_SEPARATOR) for item in value.split(ITEM_SEPARATOR)]
    return value

"""Which row of one table is which row of another table of the same articles.

In: two arrow tables with the same key columns. Out: ``Matched``, row numbers. A row is found again by its key (offsets,
an id); where the key moved, by the place in the text: a mention whose borders were drawn anew, a deal that gained a
party. So a changed row is one change and not a loss and a gain. No row is matched twice, and nothing is compared here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Matched:
    """Row numbers: ``old[i]`` and ``new[i]`` are the same row, ``lost`` and ``added`` are on one side only."""

    old: Rows
    new: Rows
    lost: Rows
    added: Rows


def match_keys(old: pa.Table, new: pa.Table, keys: Sequence[str]) -> Matched:
    """Rows with equal keys; the first with the first where a key stands more than once."""
    left, right = _key_frames(old, new, keys)
    pairs = left.merge(right, on=[*keys, "copy"], suffixes=("_old", "_new"))
    return _matched(
        pairs["row_old"].to_numpy(np.int64), pairs["row_new"].to_numpy(np.int64), old.num_rows, new.num_rows
    )


def match_mentions(old: pa.Table, new: pa.Table) -> Matched:
    """Mentions with the same offsets, then those that overlap in the text of the same article."""
    exact = match_keys(old, new, ("article_id", "start", "end"))
    if not len(exact.lost) or not len(exact.added):
        return exact
    left, right = _spans(old, exact.lost, new, exact.added, "start", "end")
    pairs: list[tuple[int, int]] = []
    at = 0
    ahead = list(right.itertuples(index=False, name=None))
    for article, start, end, row in left.itertuples(index=False, name=None):
        while at < len(ahead) and (ahead[at][0], ahead[at][2]) <= (article, start):
            at += 1  # ends before this one begins
        if at < len(ahead) and ahead[at][0] == article and ahead[at][1] < end:
            pairs.append((row, ahead[at][3]))
            at += 1
    return _joined(exact, pairs, old.num_rows, new.num_rows)


def match_deals(old: pa.Table, new: pa.Table) -> Matched:
    """Deals with the same id, then by article, type and what parties and evidence have in common, then by those alone.

    A pair of one type needs a common party or overlapping evidence; a pair of two types needs both.
    """
    matched = match_keys(old, new, ("deal_id",))
    for same_type in (True, False):
        if len(matched.lost) and len(matched.added):
            pairs = _best_pairs(_alike(old, matched.lost, new, matched.added, same_type))
            matched = _joined(matched, pairs, old.num_rows, new.num_rows)
    return matched


def match_events(old: pa.Table, new: pa.Table) -> Matched:
    """Events with the same id, then those with the same best evidence: a party more gives an event another id."""
    matched = match_keys(old, new, ("event_id",))
    for keys in (("evidence", "deal_type"), ("evidence",)):
        if len(matched.lost) and len(matched.added):
            more = match_keys(old.take(pa.array(matched.lost)), new.take(pa.array(matched.added)), keys)
            pairs = zip(matched.lost[more.old].tolist(), matched.added[more.new].tolist(), strict=True)
            matched = _joined(matched, list(pairs), old.num_rows, new.num_rows)
    return matched


def _alike(old: pa.Table, lost: Rows, new: pa.Table, added: Rows, same_type: bool) -> pd.DataFrame:
    """Candidate pairs of deals with a score: columns ``row_old``, ``row_new``, ``score``."""
    left, right = _spans(old, lost, new, added, "evidence_start", "evidence_end")
    left["deal_type"] = old["deal_type"].take(left["row"].to_numpy()).to_pandas().to_numpy()
    right["deal_type"] = new["deal_type"].take(right["row"].to_numpy()).to_pandas().to_numpy()
    on = ["article", "deal_type"] if same_type else ["article"]
    pairs = left.merge(right, on=on, suffixes=("_old", "_new"))
    common = np.minimum(pairs["end_old"], pairs["end_new"]) - np.maximum(pairs["start_old"], pairs["start_new"])
    union = np.maximum(pairs["end_old"], pairs["end_new"]) - np.minimum(pairs["start_old"], pairs["start_new"])
    pairs["overlap"] = np.clip(common, 0, None) / union
    pairs = _with_shared(pairs, _names_of_parties(old, lost), _names_of_parties(new, added))
    if same_type:
        pairs = pairs[(pairs["shared"] > 0) | (pairs["overlap"] > 0)]
    else:
        pairs = pairs[(pairs["shared"] > 0) & (pairs["overlap"] > 0)]
    return pairs.assign(score=pairs["shared"] + pairs["overlap"])[["row_old", "row_new", "score"]]


def _with_shared(pairs: pd.DataFrame, left: pd.DataFrame, right: pd.DataFrame) -> pd.DataFrame:
    """``pairs`` with ``shared``: the share of the names of both sides that both have (Dice)."""
    both = pairs[["row_old", "row_new"]].merge(left.rename(columns={"row": "row_old"}), on="row_old")
    both = both.merge(right.rename(columns={"row": "row_new"}), on=["row_new", "name"])
    common = both.groupby(["row_old", "row_new"]).size().rename("common").reset_index()
    pairs = pairs.merge(common, how="left", on=["row_old", "row_new"])
    sizes = pairs["row_old"].map(left["row"].value_counts()) + pairs["row_new"].map(right["row"].value_counts())
    return pairs.assign(shared=(2 * pairs["common"] / sizes).fillna(0.0))


def _names_of_parties(table: pa.Table, rows: Rows) -> pd.DataFrame:
    """Ids and names of the parties of these rows: a new register may change either one."""
    column = pa.chunked_array(table["parties"]).combine_chunks().take(pa.array(rows))
    parents = rows[pc.list_parent_indices(column).to_numpy()]
    flat = pc.list_flatten(column)
    frames = [
        pd.DataFrame({"row": parents, "name": pc.struct_field(flat, field).to_pandas().to_numpy()})
        for field in ("company_id", "company_name")
    ]
    return pd.concat(frames).drop_duplicates()


def _best_pairs(pairs: pd.DataFrame) -> list[tuple[int, int]]:
    """One to one, the highest score first."""
    taken_old: set[int] = set()
    taken_new: set[int] = set()
    best = []
    ordered = pairs.sort_values(["score", "row_old", "row_new"], ascending=[False, True, True])
    for left, right in zip(ordered["row_old"].tolist(), ordered["row_new"].tolist(), strict=True):
        if left not in taken_old and right not in taken_new:
            taken_old.add(left)
            taken_new.add(right)
            best.append((left, right))
    return best


def _spans(
    old: pa.Table, lost: Rows, new: pa.Table, added: Rows, start: str, end: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows left over on both sides with article numbers that both share, in text order."""
    old, new = old.take(pa.array(lost)), new.take(pa.array(added))
    articles = _numbers(old["article_id"], new["article_id"])
    frames = [
        pd.DataFrame(
            {
                "article": numbers,
                "start": table[start].to_numpy().astype(np.int64),
                "end": table[end].to_numpy().astype(np.int64),
                "row": rows,
            }
        ).sort_values(["article", "start", "end"], ignore_index=True)
        for table, numbers, rows in ((old, articles[0], lost), (new, articles[1], added))
    ]
    return frames[0], frames[1]


def _key_frames(old: pa.Table, new: pa.Table, keys: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    columns: list[dict[str, Rows]] = [{}, {}]
    for key in keys:
        if pa.types.is_integer(old.schema.field(key).type):
            numbers = old[key].to_numpy().astype(np.int64), new[key].to_numpy().astype(np.int64)
        else:
            numbers = _numbers(old[key], new[key])
        columns[0][key], columns[1][key] = numbers
    frames = [pd.DataFrame(each) for each in columns]
    for frame in frames:
        frame["row"] = np.arange(len(frame), dtype=np.int64)
        frame["copy"] = frame.groupby(list(keys)).cumcount() if frame.duplicated(list(keys)).any() else 0
    return frames[0], frames[1]


def _numbers(old: pa.ChunkedArray, new: pa.ChunkedArray) -> tuple[Rows, Rows]:
    """Equal strings get equal numbers; null has one too."""
    both = pa.chunked_array([*old.chunks, *new.chunks], type=old.type).combine_chunks()
    codes = pc.fill_null(both.dictionary_encode().indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes[: len(old)], codes[len(old) :]


def _joined(matched: Matched, pairs: Sequence[tuple[int, int]], old_rows: int, new_rows: int) -> Matched:
    more = np.array(pairs, np.int64).reshape(-1, 2)
    return _matched(
        np.concatenate([matched.old, more[:, 0]]), np.concatenate([matched.new, more[:, 1]]), old_rows, new_rows
    )


def _matched(old: Rows, new: Rows, old_rows: int, new_rows: int) -> Matched:
    lost, added = np.ones(old_rows, bool), np.ones(new_rows, bool)
    lost[old] = added[new] = False
    order = np.argsort(old, kind="stable")
    return Matched(old[order], new[order], np.flatnonzero(lost), np.flatnonzero(added))

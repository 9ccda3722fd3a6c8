"""Deals of all articles -> events: which rows of ``deals`` tell one real-world deal, and the id of it.

In: the tables ``deals``, ``articles``, ``sightings`` and ``locations`` of any number of batches. Out: ``Tellings`` (the
deals in the order of publication), for each the number of its event, and the ids of the events.

The order of publication, not of arrival, decides: each article is laid beside the events that earlier ones told, once,
and nothing is moved afterwards. So the outcome does not depend on batches or on the order of arrival; what is
known on a day is what the articles up to that day give, whatever came later; and an event keeps its id when articles
are added that were published after it (docs/decisions/deal-events.md). It reads no text and writes nothing.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.records import DEAL_TYPES
from pipeline.same_deal import GROUPS, MUTUAL, Event, Fit, PlaceRelation, Relation, Telling, fit

# Two firms, a firm in one place, and a firm in deals of one type are looked up with so many of their latest events: the
# worst case stays linear. Older ones are out of their windows, which are short where only one firm agrees.
MAX_CANDIDATES = 8

# Words for a financing round, as they stand in the evidence; \W? takes "Series-B" and "pre IPO".
_ROUND = (
    r"(?i)\b(?P<round>series[ -]?[a-k]\d?|(?:pre-?)?seed|pre-?ipo|ipo|initial public offering|bridge|"
    r"convertible|debt)\b"
)
_ROUND_NAMES = {"initialpublicoffering": "ipo"}

# A district and its town are one place; two towns, or two unknown ones, are not.
_WIDTH = {"region": 2, "city": 1, "other": 0}

Column = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Tellings:
    """The deals in the order of publication, undated ones last, one array a column."""

    table: pa.Table  # the rows of ``deals``, in this order
    known_at: pd.Series  # when the article was first published; NaT where nobody says
    sources: Column  # of each row the independent source: copies of one article, and one publisher's articles, share it
    publishers: Column
    articles: Column  # article ids
    digests: Column  # one number for all that is read of a row, its article and its places
    companies: list[str]
    company_of: Column  # company numbers of all rows, one after the other
    company_ends: Column
    place_of: Column
    place_ends: Column
    relation: PlaceRelation
    types: Column
    statuses: Column
    amounts: Column  # NaN where none
    currencies: Column
    days: Column  # days since 1970, -1 where unknown
    dated: Column
    rounds: list[str | None]

    def __len__(self) -> int:
        return int(self.table.num_rows)


def order(
    deals: pa.Table, articles: pa.Table, sightings: pa.Table, locations: pa.Table, as_of: date | None = None
) -> Tellings:
    """Put the deals in the order of publication; with ``as_of``, only those published up to the end of that day (UTC).

    An article is known from its first sighting. Articles without a time are left out of a reading ``as_of`` a day.
    """
    known = _known(articles, sightings)
    frame = pd.DataFrame({"article_id": deals["article_id"].to_pandas(), "deal_id": deals["deal_id"].to_pandas()})
    frame["known_at"] = frame["article_id"].map(known["known_at"])
    frame = frame.sort_values(["known_at", "article_id", "deal_id"], na_position="last", kind="stable")
    if as_of is not None:
        frame = frame[frame["known_at"] < pd.Timestamp(as_of + timedelta(days=1), tz="UTC")]
    rows = deals.take(pa.array(frame.index.to_numpy()))
    company_of, company_ends, companies = _numbers(rows["parties"], ["company_id"])
    place_of, place_ends, places = _numbers(rows["locations"], ["geoname_id", "name", "country_code"])
    attributes = _place_attributes(places, locations)
    announced = rows["announced_on"].to_pandas()
    published = frame["known_at"].dt.tz_localize(None).to_numpy("datetime64[D]")
    days = np.where(announced.isna(), published, pd.to_datetime(announced).to_numpy("datetime64[D]"))
    days = np.fmin(days, np.where(np.isnat(published), days, published))  # nothing is announced after it was told
    of_article = known.reindex(frame["article_id"]).reset_index(drop=True)
    return Tellings(
        table=rows,
        known_at=of_article["known_at"],
        sources=of_article["source"].to_numpy(),
        publishers=of_article["publisher"].to_numpy(),
        articles=frame["article_id"].to_numpy(),
        digests=_digests(rows, of_article, attributes.iloc[place_of]),
        companies=companies["company_id"].tolist(),
        company_of=company_of,
        company_ends=company_ends,
        place_of=place_of,
        place_ends=place_ends,
        relation=_place_relation(attributes),
        types=_interned(rows["deal_type"]),
        statuses=_interned(rows["status"]),
        amounts=rows["amount"].to_numpy(),
        currencies=_interned(rows["currency"]),
        days=np.where(np.isnat(days), -1, days.astype("datetime64[D]").astype(np.int64)),
        dated=announced.notna().to_numpy(),
        rounds=_rounds(rows),
    )


def assign(tellings: Tellings, settled: Sequence[int] = ()) -> npt.NDArray[np.int64]:
    """For each telling the number of its event, counted from 0 in the order in which they are first told.

    ``settled``: these numbers for the first so many tellings, from an earlier call in which they were the same; they
    are taken over, and only events that the rest might belong to are looked at again.
    """
    numbers = np.full(len(tellings), -1, dtype=np.int64)
    numbers[: len(settled)] = settled
    looked_up = _Candidates(tellings.relation)
    for row in _rows_to_restore(tellings, numbers, len(settled)):
        looked_up.put(int(numbers[row]), _telling(tellings, int(row)))
    following = int(numbers.max(initial=-1)) + 1
    for first, last in _articles(tellings, len(settled)):
        told = [_telling(tellings, row) for row in range(first, last)]
        matched = _match(told, looked_up)
        for telling in told:
            number = matched.get(telling.row)
            if number is None:
                number, following = following, following + 1
            numbers[telling.row] = number
            looked_up.put(number, telling)
    return numbers


def event_ids(tellings: Tellings, numbers: npt.NDArray[np.int64]) -> list[str]:
    """The id of each event, by number: a digest of the group of its type, its leading company and its first day.

    All of them are taken from the tellings of the first day, so later ones change nothing. Where two events share
    them (twins told on one day), other parties and places of the first telling are part of the id too.
    """
    first_rows = _first_day_rows(tellings, numbers)
    plain = [_plain_key(tellings, rows) for rows in first_rows]
    twins = {key for key, n in pd.Series(plain, dtype=object).value_counts().items() if n > 1}
    taken: set[str] = set()
    ids = []
    for key, rows in zip(plain, first_rows, strict=True):
        if key in twins:
            telling = _telling(tellings, rows[0])
            parties = sorted(tellings.companies[number] for number in telling.companies)
            places = sorted(place["name"] for place in tellings.table["locations"][rows[0]].as_py())
            key = (*key, telling.deal_type, *parties, "", *places)
        event_id = _digest(*key)
        if event_id in taken:  # twins down to their places, told in one article
            event_id = _digest(*key, tellings.table["deal_id"][rows[0]].as_py())
        taken.add(event_id)
        ids.append(event_id)
    return ids


class _Candidates:
    """Events under the keys by which a telling may find them, the latest last."""

    def __init__(self, relation: PlaceRelation) -> None:
        self.relation = relation
        self.events: dict[int, Event] = {}
        self._by_key: dict[int, list[int]] = {}

    def put(self, number: int, telling: Telling) -> None:
        event = self.events.get(number)
        if event is None:
            self.events[number] = Event.of(number, telling, self.relation)
        else:
            event.add(telling, self.relation)
        for key in [*_keys(telling), *_own_keys(telling, len(telling.companies) == 1)]:
            held = self._by_key.setdefault(key, [])
            if number in held:
                held.remove(number)
            held.append(number)
            if len(held) > MAX_CANDIDATES:
                del held[0]

    def of(self, telling: Telling) -> list[Event]:
        keys = [*_keys(telling), *_own_keys(telling, True)]
        if len(telling.companies) == 1 or telling.deal_type == "investment":  # else other partners are other deals
            keys += _own_keys(telling, False)
        found = {number for key in keys for number in self._by_key.get(key, ())}
        return [self.events[number] for number in sorted(found)]


def _keys(telling: Telling) -> list[int]:
    """A number for each pair of companies, and for the acting company in each place, within a group of types."""
    group = _GROUP_NUMBERS[GROUPS[telling.deal_type]]
    companies = sorted(telling.companies)[:8]
    keys = [((left << 31 | right) << 2 | group) << 2 for left, right in itertools.combinations(companies, 2)]
    return keys + [((telling.acting << 31 | place) << 2 | group) << 2 | 1 for place in telling.places]


def _own_keys(telling: Telling, alone: bool) -> list[int]:
    """A number for each company that may suffice to know the deal by, its type, and whether it is told alone."""
    companies = telling.companies if telling.deal_type in MUTUAL else (telling.acting,)
    return [(company << 4 | _TYPE_NUMBERS[telling.deal_type]) << 2 | 2 + alone for company in companies]


_TYPE_NUMBERS = {deal_type: number for number, deal_type in enumerate(DEAL_TYPES)}
_GROUP_NUMBERS = {group: number for number, group in enumerate(sorted(set(GROUPS.values())))}


def _match(told: Sequence[Telling], looked_up: _Candidates) -> dict[int, int]:
    """Row -> number of its event: the best fits first, and no event twice, for an article tells a deal once."""
    fits: list[tuple[Fit, int, int]] = []
    for telling in told:
        for event in looked_up.of(telling):
            fitting = fit(telling, event, looked_up.relation)
            if fitting is not None:
                fits.append((fitting, -event.number, -telling.row))
    matched: dict[int, int] = {}
    taken: set[int] = set()
    for _, number, row in sorted(fits, reverse=True):
        if -row not in matched and -number not in taken:
            matched[-row] = -number
            taken.add(-number)
    return matched


def _articles(tellings: Tellings, start: int) -> Iterator[tuple[int, int]]:
    """First row and one past the last row of each article from row ``start`` on."""
    changes = np.flatnonzero(tellings.articles[start + 1 :] != tellings.articles[start:-1]) + start + 1
    bounds = [start, *changes.tolist(), len(tellings)]
    return ((first, last) for first, last in itertools.pairwise(bounds) if first < last)


def _telling(tellings: Tellings, row: int) -> Telling:
    parties = tellings.company_of[tellings.company_ends[row] : tellings.company_ends[row + 1]].tolist()
    places = tellings.place_of[tellings.place_ends[row] : tellings.place_ends[row + 1]].tolist()
    day, amount = int(tellings.days[row]), float(tellings.amounts[row])
    return Telling(
        row,
        tellings.types[row],
        tellings.statuses[row],
        parties[0],
        frozenset(parties),
        frozenset(places),
        None if math.isnan(amount) else amount,
        tellings.currencies[row],
        tellings.rounds[row],
        day if day >= 0 else None,
        bool(tellings.dated[row]),
    )


def _rows_to_restore(tellings: Tellings, numbers: npt.NDArray[np.int64], settled: int) -> npt.NDArray[np.int64]:
    """Settled rows of events that share a company with a row that is not settled."""
    if settled == 0:
        return np.empty(0, dtype=np.int64)
    wanted = np.zeros(len(tellings.companies), dtype=bool)
    wanted[tellings.company_of[tellings.company_ends[settled] :]] = True
    row_of = np.repeat(np.arange(len(tellings)), np.diff(tellings.company_ends))
    touched = np.unique(row_of[wanted[tellings.company_of]])
    events = np.unique(numbers[touched[touched < settled]])
    return np.flatnonzero(np.isin(numbers[:settled], events))


def _first_day_rows(tellings: Tellings, numbers: npt.NDArray[np.int64]) -> list[list[int]]:
    days = tellings.known_at.dt.floor("D").astype("int64").to_numpy()  # the smallest number for NaT
    first: dict[int, list[int]] = defaultdict(list)
    for row, number in enumerate(numbers.tolist()):
        held = first[number]
        if not held or days[held[0]] == days[row]:
            held.append(row)
    return [first[number] for number in sorted(first)]


def _plain_key(tellings: Tellings, rows: Sequence[int]) -> tuple[str, ...]:
    """Group, leading company and day. It leads who acts; where neither does, who comes first by id."""
    known_at = tellings.known_at.iloc[rows[0]]
    leading: set[int] = set()
    for row in rows:
        start, end = tellings.company_ends[row], tellings.company_ends[row + 1]
        leading.update(tellings.company_of[start : end if tellings.types[row] in MUTUAL else start + 1].tolist())
    group = GROUPS[tellings.types[rows[0]]]
    day = "undated" if pd.isna(known_at) else known_at.date().isoformat()
    return group, min(tellings.companies[number] for number in leading), day


def _known(articles: pa.Table, sightings: pa.Table) -> pd.DataFrame:
    """By article id: when it was first published, its publisher, and the independent source that it counts for.

    Near copies count for the one of them that was published first, whichever arrived first: what a copy counts for on
    a day then does not hang on a copy of a later day.
    """
    frame = articles.select(["article_id", "published_at", "publisher", "duplicate_of"]).to_pandas()
    frame = frame.drop_duplicates("article_id").set_index("article_id")
    seen = sightings.select(["article_id", "published_at"]).to_pandas().groupby("article_id")["published_at"].min()
    frame["known_at"] = (
        pd.DataFrame({"article": frame["published_at"], "sighting": seen}).min(axis=1).reindex(frame.index)
    )
    original = frame["duplicate_of"].where(frame["duplicate_of"].isin(frame.index)).fillna(frame.index.to_series())
    in_order = (
        pd.DataFrame({"original": original, "known_at": frame["known_at"]}).rename_axis("article_id").reset_index()
    )
    in_order = in_order.sort_values(["known_at", "article_id"], na_position="last", kind="stable")
    first = original.map(in_order.drop_duplicates("original").set_index("original")["article_id"])
    publishers = frame["publisher"].reindex(first).to_numpy()
    frame["source"] = np.where(pd.isna(publishers), first.to_numpy(), publishers)
    return frame[["known_at", "publisher", "source"]]


def _numbers(lists: pa.ChunkedArray, names: list[str]) -> tuple[Column, Column, pd.DataFrame]:
    """Lists of structs as numbers of distinct values, where each list ends, and the values by number."""
    values, ends = _flattened(lists)
    if len(names) == 1:
        codes, unique = pd.factorize(values[names[0]])
        return codes, ends, pd.DataFrame({names[0]: unique})
    codes, _ = pd.factorize(values[names[0]].fillna(values[names[1]] + "\x1f" + values[names[2]].fillna("")))
    first = np.unique(codes, return_index=True)[1]
    return codes, ends, values[names].iloc[first].reset_index(drop=True)


def _flattened(lists: pa.ChunkedArray) -> tuple[pd.DataFrame, Column]:
    """The structs of all lists, one after the other, and where each list ends."""
    array = lists.combine_chunks()
    array = array if isinstance(array, pa.ListArray) else pa.concat_arrays(array.chunks)
    values = array.flatten()
    frame = pd.DataFrame({field.name: values.field(field.name).to_pandas() for field in values.type})
    ends = np.concatenate([[0], np.cumsum(pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False))])
    return frame, ends.astype(np.int64)


def _interned(values: pa.ChunkedArray) -> Column:
    """Texts as Python objects, one object for each distinct value."""
    series = values.to_pandas(deduplicate_objects=True).astype(object)
    return series.where(series.notna(), None).to_numpy()


def _place_attributes(places: pd.DataFrame, locations: pa.Table) -> pd.DataFrame:
    """Country, kind and first-order division of each place, by number; ``locations`` knows the last two."""
    known = locations.select(["geoname_id", "name", "kind", "country_code", "admin1"]).to_pandas()
    known["key"] = known["geoname_id"].fillna(known["name"] + "\x1f" + known["country_code"].fillna(""))
    known = known.sort_values(["key", "kind", "admin1"]).drop_duplicates("key").set_index("key")
    keys = places["geoname_id"].fillna(places["name"] + "\x1f" + places["country_code"].fillna(""))
    return pd.DataFrame(
        {"country": places["country_code"], "kind": keys.map(known["kind"]), "division": keys.map(known["admin1"])},
        dtype=object,
    )


def _place_relation(attributes: pd.DataFrame) -> PlaceRelation:
    """Compares two places by country, first-order division and kind."""
    countries = attributes["country"].where(attributes["country"].notna(), None).tolist()
    kinds, divisions = attributes["kind"].tolist(), attributes["division"].tolist()

    @functools.lru_cache(maxsize=1 << 18)
    def relation(left: int, right: int) -> Relation:
        if left == right:
            return "same"
        if countries[left] is None or countries[right] is None:
            return "open"  # a continent, a region of several countries
        if countries[left] != countries[right]:
            return "clash"
        if "country" in (kinds[left], kinds[right]):
            return "holds" if kinds[left] == "country" else "inside"
        if not (isinstance(divisions[left], str) and isinstance(divisions[right], str)):
            return "open" if "other" in (kinds[left], kinds[right]) else "apart"  # no gazetteer lists a street
        widths = _WIDTH.get(kinds[left], 1), _WIDTH.get(kinds[right], 1)
        if divisions[left] != divisions[right] or widths[0] == widths[1]:
            return "apart"
        return "holds" if widths[0] > widths[1] else "inside"

    return relation


def _rounds(deals: pa.Table) -> list[str | None]:
    """The financing round that the evidence names: "seriesb", "seed", "ipo"."""
    found = pc.struct_field(pc.extract_regex(deals["evidence"], _ROUND), "round")
    is_investment = pc.equal(deals["deal_type"], "investment")
    names = pc.if_else(is_investment, pc.replace_substring_regex(pc.utf8_lower(found), "[ -]", ""), None)
    return [_ROUND_NAMES.get(name, name) for name in names.to_pylist()]


def _digests(deals: pa.Table, of_article: pd.DataFrame, of_place: pd.DataFrame) -> Column:
    """A number for each row: all of the row, what is read of its article, and what is read of each of its places."""
    frame = deals.drop_columns(["event_id", "parties", "locations"]).to_pandas()
    parties, party_ends = _flattened(deals["parties"])
    places, place_ends = _flattened(deals["locations"])
    frame["parties"] = _list_digests(parties, party_ends)
    frame["locations"] = _list_digests(places.join(of_place.reset_index(drop=True)), place_ends)
    frame = frame.join(of_article)
    dates = ["announced_on", "effective_on"]
    frame[dates] = frame[dates].astype(str)
    return pd.util.hash_pandas_object(frame, index=False).to_numpy()


def _list_digests(values: pd.DataFrame, ends: Column) -> Column:
    """A number for each list, from its values in their order."""
    position = np.arange(len(values)) - np.repeat(ends[:-1], np.diff(ends))
    hashed = pd.util.hash_pandas_object(values.assign(position=position), index=False).to_numpy()
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(hashed, dtype=np.uint64)])
    return sums[ends[1:]] - sums[ends[:-1]]


def _digest(*parts: str) -> str:
    return "e" + hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]

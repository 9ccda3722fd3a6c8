"""Invariants of the tables. All of them are fatal: a batch that breaks one is not published.

In: the tables of a shard or the counts of a batch. Out: nothing, or ``CheckError`` naming table, row and value.
It will not repair a row and not judge whether one is true, only whether it can be.
"""

from __future__ import annotations

import math
import re
import typing
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping

import pyarrow as pa

from pipeline.records import DEAL_STATUSES, DEAL_TYPES, CompanyKind, DatePrecision, PlaceKind, RejectReason
from pipeline.tables import ARTICLE_TABLES, SCHEMAS, Row

#: How many broken rows one message names.
NAMED = 5

_COUNTRY = re.compile(r"[A-Z]{2}")  # ISO 3166-1 alpha-2
_CURRENCY = re.compile(r"[A-Z]{3}")  # ISO 4217
_TICKER = re.compile(r"[A-Z0-9]{3,5}:\S{1,20}")  # market code (ISO 10383), symbol
_UNIQUE = {"articles": "article_id", "companies": "mention_id", "deals": "deal_id"}
_VOCABULARIES: Mapping[str, Mapping[str, Collection[str]]] = {
    "companies": {"kind": typing.get_args(CompanyKind)},
    "locations": {"kind": typing.get_args(PlaceKind)},
    "deals": {
        "deal_type": DEAL_TYPES,
        "status": DEAL_STATUSES,
        "effective_precision": typing.get_args(DatePrecision),
    },
    "rejects": {"reason": typing.get_args(RejectReason)},
}


class CheckError(ValueError):
    """Tables that break an invariant; nothing of their batch is published."""


def check_tables(tables: Mapping[str, pa.Table]) -> None:
    """Check every row of these tables; ``articles`` must be among them where an article-level table is.

    Raises ``CheckError`` that names the first rows which break an invariant.
    """
    problems = [problem for name, table in tables.items() for problem in _schema_problems(name, table)]
    if not problems:
        texts = _texts(tables["articles"]) if "articles" in tables else {}
        problems = [problem for name, table in tables.items() for problem in _row_problems(name, table, texts)]
    _refuse(problems)


def check_counts(batch_id: str, items: int, sightings: int, rejects: int) -> None:
    """The double entry: every item read is a sighting or a reject."""
    if items != sightings + rejects:
        _refuse([f"batch {batch_id}: {items} items read, but {sightings} sightings + {rejects} rejects"])


def check_articles(batch_id: str, own: Collection[str], elsewhere: Collection[str], sighted: Collection[str]) -> None:
    """Every article exists once over all batches, and every sighting's article exists.

    ``own``: ids in this batch's ``articles``; ``elsewhere``: in those of other batches; ``sighted``: of its sightings.
    """
    twice = [article_id for article_id, n in Counter(own).items() if n > 1 or article_id in elsewhere]
    known = set(own).union(elsewhere)
    _refuse(
        [f"articles: article {article_id} of batch {batch_id} is there twice" for article_id in twice]
        + [
            f"sightings: no article {article_id} (batch {batch_id})"
            for article_id in sighted
            if article_id not in known
        ]
    )


def check_unique(table: str, column: str, values: Collection[str]) -> None:
    """No identifier stands twice in a table of a batch."""
    _refuse([f"{table}: {column} {value} is there {n} times" for value, n in Counter(values).items() if n > 1])


def _refuse(problems: list[str]) -> None:
    if problems:
        more = f"\n... and {len(problems) - NAMED} more" if len(problems) > NAMED else ""
        raise CheckError("\n".join(problems[:NAMED]) + more)


def _schema_problems(name: str, table: pa.Table) -> Iterator[str]:
    if not table.schema.equals(SCHEMAS[name]):
        yield f"{name}: the columns are not those of the schema"
        return
    for field in table.schema:
        nulls = table[field.name].null_count
        if nulls and not field.nullable:
            yield f"{name}: {nulls} rows without {field.name}"


def _row_problems(name: str, table: pa.Table, texts: Mapping[str, str]) -> Iterator[str]:
    row_checks = _ROW_CHECKS.get(name, ())
    vocabularies = _VOCABULARIES.get(name, {})
    unique = _UNIQUE.get(name)
    seen: set[str] = set()
    for row in table.to_pylist():
        found = [problem for check in (*_COMMON_CHECKS, *row_checks) if (problem := check(row)) is not None]
        found += [
            f"{column} is {row[column]!r}"
            for column, words in vocabularies.items()
            if row[column] is not None and row[column] not in words
        ]
        if name in ARTICLE_TABLES:
            found += _text_problems(row, texts)
        if unique is not None:
            if row[unique] in seen:
                found.append(f"{unique} is not unique")
            seen.add(row[unique])
        for problem in found:
            yield f"{name}: {_where(row)}: {problem}"


def _texts(articles: pa.Table) -> dict[str, str]:
    return dict(zip(articles["article_id"].to_pylist(), articles["text"].to_pylist(), strict=True))


def _where(row: Row) -> str:
    parts = [f"{key} {row[key]}" for key in ("article_id", "deal_id", "source_uri") if row.get(key)]
    if "surface" in row:
        parts.append(f"{row['surface']!r} at {row['start']}")
    return ", ".join(parts)


def _text_problems(row: Row, texts: Mapping[str, str]) -> Iterator[str]:
    text = texts.get(row["article_id"])
    if text is None:
        yield "no such article"
        return
    for surface, start, end in (("surface", "start", "end"), ("evidence", "evidence_start", "evidence_end")):
        if surface not in row:
            continue
        found = text[row[start] : row[end]]
        if not 0 <= row[start] < row[end] or found != row[surface]:
            yield f"text[{row[start]}:{row[end]}] is {found!r}, not the {surface} {row[surface]!r}"


def _empty_string(row: Row) -> str | None:
    """Missing is null, never an empty string."""
    empty = [column for column, value in row.items() if value == "" and column not in ("text", "detail")]
    return f"{empty[0]} is an empty string" if empty else None


def _probability(row: Row) -> str | None:
    for column in ("confidence", "relevance"):
        value = row.get(column)
        if value is not None and not 0.0 <= value <= 1.0:  # not true for NaN either
            return f"{column} is {value}, not 0 to 1"
    return None


def _level(row: Row) -> str | None:
    low, high = row["level_min"], row["level_max"]
    if (low is None) != (high is None):
        return f"level_min is {low}, level_max is {high}"
    if low is not None and not 0 <= low <= high <= 5:
        return f"level {low} to {high}: not within 0 to 5, lower end first"
    return None


def _company(row: Row) -> str | None:
    if row["hq_country"] is not None and not _COUNTRY.fullmatch(row["hq_country"]):
        return f"hq_country {row['hq_country']!r} is no ISO 3166-1 alpha-2 code"
    if row["ticker"] is not None and not _TICKER.fullmatch(row["ticker"]):
        return f"ticker {row['ticker']!r} is not MIC:SYMBOL"
    return None


def _level_company(row: Row) -> str | None:
    return "company_id without company_name" if (row["company_id"] is None) != (row["company_name"] is None) else None


def _place(row: Row) -> str | None:
    if row["country_code"] is not None and not _COUNTRY.fullmatch(row["country_code"]):
        return f"country_code {row['country_code']!r} is no ISO 3166-1 alpha-2 code"
    latitude, longitude = row["latitude"], row["longitude"]
    if (latitude is None) != (longitude is None):
        return "one coordinate without the other"
    if latitude is not None and not (abs(latitude) <= 90 and abs(longitude) <= 180):
        return f"coordinates {latitude}, {longitude} are not on Earth"
    return None


def _deal_parties(row: Row) -> str | None:
    if not row["parties"]:
        return "a deal without a party"
    ids = [party["company_id"] for party in row["parties"]]
    return "one company is a party twice" if len(set(ids)) < len(ids) else None


def _deal_places(row: Row) -> str | None:
    codes = [place["country_code"] for place in row["locations"]]
    wrong = [code for code in codes if code is not None and not _COUNTRY.fullmatch(code)]
    return f"country_code {wrong[0]!r} is no ISO 3166-1 alpha-2 code" if wrong else None


def _deal_amount(row: Row) -> str | None:
    amount, currency = row["amount"], row["currency"]
    if (amount is None) != (currency is None):
        return f"amount is {amount}, currency is {currency}"
    if amount is not None and not (math.isfinite(amount) and amount >= 0):
        return f"amount is {amount}"
    if currency is not None and not _CURRENCY.fullmatch(currency):
        return f"currency {currency!r} is no ISO 4217 code"
    return None


def _deal_dates(row: Row) -> str | None:
    if (row["effective_on"] is None) != (row["effective_precision"] is None):
        return f"effective_on is {row['effective_on']}, effective_precision is {row['effective_precision']}"
    return None


Check = Callable[[Row], str | None]
_COMMON_CHECKS: tuple[Check, ...] = (_empty_string, _probability)
_ROW_CHECKS: Mapping[str, tuple[Check, ...]] = {
    "companies": (_company,),
    "autonomy_levels": (_level, _level_company),
    "locations": (_place,),
    "deals": (_level, _deal_parties, _deal_places, _deal_amount, _deal_dates),
}

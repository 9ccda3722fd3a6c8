"""What must hold for one annotated article (``docs/annotation.md``), checked field by field.

In: one annotation object with its ``text``, or one phrase of a gold set. Out: a message for each fault, naming field,
value and reason; none for a sound record. It reads no file and compares no records.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, get_args

from pipeline.records import DEAL_STATUSES, DEAL_TYPES, PlaceKind

_GAZETTEERS = Path(__file__).parent / "gazetteers"
_PLACE_KINDS = get_args(PlaceKind)

_LISTS = ("tags", "companies", "not_companies", "levels", "locations", "deals")
_KNOWN = {
    "id", "text", "published", "source", "words", "copy_of", *_LISTS,
    "not_levels", "optional_companies", "optional_locations", "optional_levels",
}  # fmt: skip
_KNOWN_OF_DEALS = {
    "type", "alt_types", "parties", "status", "alt_status", "locations", "level", "amount", "currency", "evidence",
    "optional", "event", "background",
}  # fmt: skip


@cache
def _column(file: str, column: str) -> frozenset[str]:
    with (_GAZETTEERS / file).open(encoding="utf-8", newline="") as lines:
        return frozenset(row[column] for row in csv.DictReader(lines))


def article_faults(record: dict[str, Any]) -> list[str]:
    """The faults of one annotated article that carries its text."""
    shape = list(_shape_faults(record))
    if shape:
        return shape  # what follows needs the fields to be there
    try:
        return [
            *_company_faults(record),
            *_level_faults(record),
            *_location_faults(record),
            *(
                f"deal {number}: {fault}"
                for number, deal in enumerate(record["deals"], 1)
                for fault in _deal_faults(deal, record)
            ),
            *_repeated_deals(record["deals"]),
        ]
    except (KeyError, TypeError, AttributeError) as error:
        return [f"a field is missing or of the wrong type: {error!r}"]


def phrase_faults(record: dict[str, Any]) -> list[str]:
    """The faults of one phrase of a gold set that is no annotated article: names, evidence and currencies."""
    text = record.get("text")
    if not isinstance(text, str) or not text.strip():
        return ["text is missing or empty"]
    deal = record.get("deal")
    faults = [
        f"no {mention['surface']!r} at {mention['start']}"
        for mention in record.get("companies", [])
        if not text.startswith(mention["surface"], mention["start"])
    ]
    for holder in (record, deal if isinstance(deal, dict) else {}):
        evidence = holder.get("evidence")
        if evidence is not None and evidence not in text:
            faults.append(f"evidence is not in the text: {evidence!r}")
    for item in (*record.get("amounts", []), *([deal] if isinstance(deal, dict) else [])):
        faults += _amount_faults(item)
    return faults


def _shape_faults(record: dict[str, Any]) -> Iterator[str]:
    if not isinstance(record.get("id"), str) or not record["id"]:
        yield "id is missing"
    if not isinstance(record.get("text"), str) or not record["text"].strip():
        yield "text is missing or empty"
    for name in _LISTS:
        if not isinstance(record.get(name), list):
            yield f"{name} is missing or no list"
    for name in sorted(set(record) - _KNOWN):
        yield f"unknown field {name!r}"
    published = record.get("published")
    if published is not None and (not isinstance(published, str) or not published):
        yield f"published is neither text nor null: {published!r}"
    elif published and re.fullmatch(r"\d{4}-\d{2}-\d{2}", published):
        try:
            date.fromisoformat(published)
        except ValueError:
            yield f"published is no day: {published!r}"


def _surface_faults(surface: Any, text: str, what: str) -> Iterator[str]:
    if not isinstance(surface, str) or not surface:
        yield f"{what}: empty surface"
    elif surface not in text:
        yield f"{what}: surface is not in the text: {surface!r}"
    elif not re.search(rf"(?<!\w){re.escape(surface)}(?!\w)", text):
        yield f"{what}: surface stands only inside a longer word: {surface!r}"


def _company_faults(record: dict[str, Any]) -> Iterator[str]:
    text = record["text"]
    owner: dict[str, str] = {}
    names: set[str] = set()
    for company in record["companies"]:
        name = company["name"]
        if not name or name in names:
            yield f"company {name!r} stands twice" if name else "a company has no name"
        names.add(name)
        if not company["surfaces"]:
            yield f"company {name!r} has no surface"
        for surface in company["surfaces"]:
            yield from _surface_faults(surface, text, f"company {name!r}")
            if owner.setdefault(surface, name) != name:
                yield f"surface {surface!r} belongs to two companies: {owner[surface]!r} and {name!r}"
    for surface in record["not_companies"]:
        yield from _surface_faults(surface, text, "not_companies")
        if surface in owner:
            yield f"{surface!r} is a company and none at once"
    for item in record.get("optional_companies") or []:
        for surface in [item] if isinstance(item, str) else item.get("surfaces", []):
            yield from _surface_faults(surface, text, "optional_companies")
            if surface in owner:
                yield f"{surface!r} is a required company and an optional one at once"


def _level_faults(record: dict[str, Any]) -> Iterator[str]:
    text = record["text"]
    names = {company["name"] for company in record["companies"]} | _optional_names(record)
    for field in ("levels", "optional_levels"):
        for item in record.get(field) or []:
            if isinstance(item, str):
                yield from _surface_faults(item, text, field)
                continue
            surface, low, high = item["surface"], item["min"], item["max"]
            if not isinstance(surface, str) or surface not in text:
                yield f"{field}: surface is not in the text: {surface!r}"
            if not (_is_level(low) and _is_level(high) and low <= high):
                yield f"{field}: {surface!r} goes from {low!r} to {high!r}; levels are 0 to 5"
            for flag in ("plus", "negated"):
                if not isinstance(item[flag], bool):
                    yield f"{field}: {surface!r}: {flag} is neither true nor false: {item[flag]!r}"
            if item.get("company") is not None and item["company"] not in names:
                yield f"{field}: {surface!r} belongs to {item['company']!r}, which is no company of the article"
    for surface in record.get("not_levels") or []:
        if surface not in text:
            yield f"not_levels: surface is not in the text: {surface!r}"


def _is_level(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 5


def _optional_names(record: dict[str, Any]) -> set[str]:
    return {item if isinstance(item, str) else item["name"] for item in record.get("optional_companies") or []}


def _location_faults(record: dict[str, Any]) -> Iterator[str]:
    named: dict[str, str] = {}
    for field in ("locations", "optional_locations"):
        for item in record.get(field) or []:
            if isinstance(item, str):
                yield from _surface_faults(item, record["text"], field)
                continue
            surface, name, country = item["surface"], item["name"], item.get("country")
            yield from _surface_faults(surface, record["text"], field)
            if not name:
                yield f"{field}: {surface!r} has no name"
            if item["kind"] not in _PLACE_KINDS:
                yield f"{field}: {surface!r} has the unknown kind {item['kind']!r}"
            if country is not None and country not in _column("places_countries.csv", "code"):
                yield f"{field}: {surface!r} has the unknown country {country!r}"
            if item["kind"] == "country" and country is None:
                yield f"{field}: the country {surface!r} has no code"
            if item["kind"] == "continent" and country is not None:
                yield f"{field}: the continent {surface!r} has the country {country!r}"
            if field == "locations" and named.setdefault(surface, name) != name:
                yield f"{field}: {surface!r} is {named[surface]!r} and {name!r} at once"


def _deal_faults(deal: dict[str, Any], record: dict[str, Any]) -> Iterator[str]:
    names = {company["name"] for company in record["companies"]}
    names |= _optional_names(record) if deal.get("optional") else set()
    places = {p[key] for p in record["locations"] for key in ("name", "surface")}
    for item in record.get("optional_locations") or []:
        places |= {item} if isinstance(item, str) else {item["name"], item["surface"]}
    for name in sorted(set(deal) - _KNOWN_OF_DEALS):
        yield f"unknown field {name!r}"
    for value in (deal["type"], *deal.get("alt_types", [])):
        if value not in DEAL_TYPES:
            yield f"unknown type {value!r}"
    for value in (deal["status"], *deal.get("alt_status", [])):
        if value not in DEAL_STATUSES:
            yield f"unknown status {value!r}"
    if not deal["parties"] or len(set(deal["parties"])) < len(deal["parties"]):
        yield f"no party, or one twice: {deal['parties']!r}"
    for party in deal["parties"]:
        if party not in names:
            yield f"party {party!r} is no company of the article"
    for place in deal["locations"]:
        if place not in places:
            yield f"place {place!r} is no location of the article"
    if deal["level"] is not None and not _is_level(deal["level"]):
        yield f"level {deal['level']!r} is none of 0 to 5"
    yield from _amount_faults(deal)
    if not deal["evidence"] or deal["evidence"] not in record["text"]:
        yield f"evidence is not in the text: {deal['evidence']!r}"


def _amount_faults(item: dict[str, Any]) -> Iterator[str]:
    amount, currency = item.get("amount"), item.get("currency")
    if (amount is None) != (currency is None):
        yield f"amount {amount!r} with currency {currency!r}: both or none"
    elif amount is not None:
        if isinstance(amount, bool) or not isinstance(amount, int | float) or amount <= 0:
            yield f"amount is no positive number: {amount!r}"
        if currency not in _column("currencies.csv", "currency"):
            yield f"unknown currency {currency!r}"


def _repeated_deals(deals: list[dict[str, Any]]) -> Iterator[str]:
    """One deal for each type, set of parties, status and market: the same twice could be found but once."""
    first: dict[tuple[Any, ...], int] = {}
    for number, deal in enumerate(deals, 1):
        key = (deal["type"], frozenset(deal["parties"]), deal["status"], frozenset(deal["locations"]), deal["evidence"])
        if first.setdefault(key, number) != number:
            yield f"deal {number}: the same as deal {first[key]}"

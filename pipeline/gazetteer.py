"""The company register: what is known by name, loaded from ``corpora/gazetteers`` into frozen records.

In: ``companies.csv`` with ``company_history.csv``, ``company_ids.csv`` and ``company_redirects.csv``, ``aliases.csv``,
``publishers.csv``, ``public_bodies.csv``, ``products.csv`` and ``alias_clashes.csv``. Out: ``CompanyRegister``. A row
that cannot be right (a company twice, an unknown kind, an alias of an unknown company, one name for two things that the
clash list does not state) is an error that names file and line. It does not read text;
``pipeline.extract.company_candidates`` does.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cache, partial
from pathlib import Path
from typing import Literal, NamedTuple, cast, get_args

import corpora
from pipeline.company_history import Event, HistoryEvent, founded, parse_day, past, problem
from pipeline.records import CompanyKind

GAZETTEERS = Path(next(iter(corpora.__path__))) / "gazetteers"

#: Why a name needs a second cue before it counts: it is also a word, an acronym of much else, a place or a surname.
Risk = Literal["none", "english_word", "short_acronym", "place_name", "surname"]
#: ``shared_first``: many firms begin so; ``generic_tail``, ``unit_tail``: the last word of one name and not of another.
NameWordUse = Literal["descriptive", "shared_first", "generic_tail", "unit_tail"]
Catalogue = Literal["company", "publisher", "public_body", "product"]

_COUNTRY = re.compile(r"[A-Z]{2}")
_TICKER = re.compile(r"X?[A-Z0-9]{3,4}:[A-Z0-9.&-]+")  # market identifier code (ISO 10383) and symbol
_WORD = re.compile(r"\w+")
CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")  # scripts that write no spaces between words, and Korean
_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}\d")


class GazetteerError(ValueError):
    """A gazetteer that cannot be used; the message names file and line."""


@dataclass(frozen=True, slots=True)
class Company:
    """One firm. ``brand``: a marque that annotators count as a company only where it acts for itself."""

    company_id: str
    name: str
    kind: CompanyKind
    hq_country: str | None  # ISO 3166-1 alpha-2
    ticker: str | None  # "MIC:SYMBOL"
    parent_id: str | None
    brand: bool


@dataclass(frozen=True, slots=True)
class KnownName:
    """One spelling of something known. ``company_id``: the firm, or the maker of a product."""

    text: str
    catalogue: Catalogue
    risk: Risk
    company_id: str | None
    kind: str | None  # kind of public body, publisher or product


class Spelling(NamedTuple):
    """A known name as the matcher needs it. ``lead``: characters before its first word (".", "(")."""

    text: str
    lead: int
    folded: str | None  # lower case where other capitalisation is safe to accept ("TESLA", "Deeproute.ai")


@dataclass(frozen=True, eq=False)
class CompanyRegister:
    """Companies by id, and every known spelling. Two registers are the same only where they are one object.

    ``by_first_word``: spellings, longest first, under their first word in lower case; those that begin with a
    lower-case letter or digit also under ``"=" + word``, for words that the text writes so.
    ``redirects``: ids that were used before, or that firms had before the register knew them, and the id now.
    ``legal_names``: names in registers of firms, which link but are not searched for.
    """

    companies: Mapping[str, Company]
    names: Mapping[str, tuple[KnownName, ...]]
    by_first_word: Mapping[str, tuple[Spelling, ...]]
    history: Mapping[str, tuple[Event, ...]]
    redirects: Mapping[str, str]
    legal_names: Mapping[str, str]

    def current_id(self, company_id: str) -> str:
        """The id in use today for one that any version of the register gave."""
        return self.redirects.get(company_id, company_id)

    def at(self, company_id: str, day: date | None) -> Company | None:
        """The company with the owner and the ticker of ``day``, None: as of today. Its name stays the same."""
        company, events = self.companies.get(company_id), self.history.get(company_id)
        if company is None or day is None or not events:
            return company
        then = past(events, day, company.ticker, company.parent_id)
        return replace(company, parent_id=then.parent_id, ticker=then.ticker)

    def existed(self, company_id: str | None, day: date | None) -> bool:
        """False where the firm was founded later. News precedes the register's year by one at most: the figures
        are of incorporation, and some firms are talked of before."""
        begun = founded(self.history.get(company_id, ())) if company_id and day else None
        return begun is None or day is None or begun.year <= day.year + 1

    def borne(self, name: KnownName, day: date | None) -> bool:
        """Whether the firm was there and bore the name by ``day``; safe names of later days can only mean it."""
        if day is None or name.company_id is None:
            return True
        if name.risk != "none" and name.text.startswith(self.companies[name.company_id].name):
            taken = [event.on for event in self.history.get(name.company_id, ()) if event.kind == "renamed"]
            if taken and day < taken[-1]:
                return False
        return self.existed(name.company_id, day)


@cache
def load_register(folder: Path = GAZETTEERS) -> CompanyRegister:
    """Read and check the gazetteers in ``folder``. Raises ``GazetteerError`` with file and line."""
    companies = _companies(folder / "companies.csv")
    clashes = {row["alias"]: row["candidates"].split("|") for _, row in _rows(folder / "alias_clashes.csv")}
    names: dict[str, list[KnownName]] = defaultdict(list)
    sources = [
        ("aliases.csv", _aliases(folder / "aliases.csv", companies)),
        ("publishers.csv", _others(folder / "publishers.csv", "publisher")),
        ("public_bodies.csv", _others(folder / "public_bodies.csv", "public_body")),
        ("products.csv", _products(folder / "products.csv", companies)),
    ]
    for file, entries in sources:
        for line, name in entries:
            if names[name.text] and name.text not in clashes:
                raise GazetteerError(f"{folder / file}:{line}: {name.text!r} is listed already; see alias_clashes.csv")
            names[name.text].append(name)
    for company in companies.values():
        if not any(name.company_id == company.company_id for name in names.get(company.name, ())):
            raise GazetteerError(f"{folder / 'aliases.csv'}: the name {company.name!r} is not among its aliases")
    return CompanyRegister(
        companies=companies,
        names={text: tuple(sorted(found, key=partial(_rank, clashes.get(text, [])))) for text, found in names.items()},
        by_first_word=_index(names),
        history=_history(folder / "company_history.csv", companies),
        redirects=_redirects(folder / "company_redirects.csv", companies),
        legal_names=_legal_names(folder / "company_ids.csv", companies),
    )


def _rank(candidates: list[str], name: KnownName) -> int:
    """Place among the things that a spelling can mean; ``alias_clashes.csv`` names the likeliest first."""
    key = f"companies:{name.company_id}" if name.catalogue == "company" else name.catalogue
    return candidates.index(key) if key in candidates else len(candidates)


def _index(names: Mapping[str, list[KnownName]]) -> dict[str, tuple[Spelling, ...]]:
    index: dict[str, list[Spelling]] = defaultdict(list)
    for text, entries in names.items():
        first = _WORD.search(text)
        if first is None:
            continue
        safe = len(text) >= 4 and all(entry.risk == "none" and entry.catalogue != "product" for entry in entries)
        spelling = Spelling(text, first.start(), text.lower() if safe else None)
        index[first.group().lower()].append(spelling)
        if not first.group()[0].isupper():
            index["=" + (first.group()[0] if CJK.match(first.group()) else first.group())].append(spelling)
    return {word: tuple(sorted(found, key=lambda s: -len(s.text))) for word, found in index.items()}


@cache
def load_name_words(use: NameWordUse, folder: Path = GAZETTEERS) -> frozenset[str]:
    """Lower-case words of company names by what they do there."""
    return frozenset(row["word"] for _, row in _rows(folder / "name_words.csv") if row["use"] == use)


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            for row in reader:
                if None in row or None in row.values():
                    raise GazetteerError(f"{path}:{reader.line_num}: wrong number of columns")
                yield reader.line_num, {key: value.strip() for key, value in row.items()}
    except (OSError, UnicodeDecodeError) as error:
        raise GazetteerError(f"{path}: cannot be read ({error})") from error


def _companies(path: Path) -> dict[str, Company]:
    companies: dict[str, Company] = {}
    lines: dict[str, int] = {}
    names: set[str] = set()
    for line, row in _rows(path):
        where = f"{path}:{line}"
        company_id, kind, ticker, country = row["company_id"], row["kind"], row["ticker"], row["hq_country"]
        if company_id in companies or row["name"] in names:
            raise GazetteerError(f"{where}: company {row['name']!r} ({company_id}) is listed twice")
        if kind not in get_args(CompanyKind):
            raise GazetteerError(f"{where}: unknown kind {kind!r}; known are {', '.join(get_args(CompanyKind))}")
        if country and not _COUNTRY.fullmatch(country):
            raise GazetteerError(f"{where}: {country!r} is no ISO 3166-1 alpha-2 code")
        if ticker and not _TICKER.fullmatch(ticker):
            raise GazetteerError(f"{where}: ticker {ticker!r} is not MIC:SYMBOL")
        names.add(row["name"])
        lines[company_id] = line
        companies[company_id] = Company(
            company_id=company_id,
            name=row["name"],
            kind=cast(CompanyKind, kind),
            hq_country=country or None,
            ticker=ticker or None,
            parent_id=row["parent_id"] or None,
            brand=row["brand"] == "1",
        )
    for company in companies.values():
        if company.parent_id is not None and company.parent_id not in companies:
            raise GazetteerError(f"{path}:{lines[company.company_id]}: unknown parent {company.parent_id!r}")
    return companies


def _aliases(path: Path, companies: Mapping[str, Company]) -> Iterator[tuple[int, KnownName]]:
    for line, row in _rows(path):
        if row["company_id"] not in companies:
            raise GazetteerError(f"{path}:{line}: alias {row['alias']!r} of unknown company {row['company_id']!r}")
        if row["risk"] not in get_args(Risk):
            raise GazetteerError(f"{path}:{line}: unknown risk {row['risk']!r}; known are {', '.join(get_args(Risk))}")
        yield line, KnownName(row["alias"], "company", cast(Risk, row["risk"]), row["company_id"], None)


def _others(path: Path, catalogue: Catalogue) -> Iterator[tuple[int, KnownName]]:
    for line, row in _rows(path):
        risk: Risk = "english_word" if row.get("ambiguous") == "1" else "none"
        for text in (row["name"], *filter(None, row["aliases"].split("|"))):
            acronym = text.isupper() and len(text) <= 4
            yield line, KnownName(text, catalogue, "short_acronym" if acronym else risk, None, row["kind"])


def _products(path: Path, companies: Mapping[str, Company]) -> Iterator[tuple[int, KnownName]]:
    for line, row in _rows(path):
        if row["company_id"] and row["company_id"] not in companies:
            raise GazetteerError(f"{path}:{line}: product {row['name']!r} of unknown company {row['company_id']!r}")
        risk: Risk = "english_word" if row["common_word"] == "1" else "none"
        yield line, KnownName(row["name"], "product", risk, row["company_id"] or None, row["kind"])


def _history(path: Path, companies: Mapping[str, Company]) -> dict[str, tuple[Event, ...]]:
    events: dict[str, list[Event]] = defaultdict(list)
    lines: dict[str, int] = {}
    for line, row in _rows(path):
        where, company_id, kind = f"{path}:{line}", row["company_id"], row["event"]
        if company_id not in companies:
            raise GazetteerError(f"{where}: unknown company {company_id!r}")
        if kind not in get_args(HistoryEvent):
            raise GazetteerError(f"{where}: unknown event {kind!r}; known are {', '.join(get_args(HistoryEvent))}")
        if kind in ("owned_by", "succeeded_by") and row["other"] and row["other"] not in companies:
            raise GazetteerError(f"{where}: unknown company {row['other']!r}")
        if kind in ("listed", "delisted") and not _TICKER.fullmatch(row["other"]):
            raise GazetteerError(f"{where}: ticker {row['other']!r} is not MIC:SYMBOL")
        try:
            event = Event(cast(HistoryEvent, kind), parse_day(row["date"]), row["other"] or None)
        except ValueError as error:
            raise GazetteerError(f"{where}: {error}") from error
        events[company_id].append(event)
        lines[company_id] = line
    told = {company_id: tuple(sorted(found, key=lambda e: e.on)) for company_id, found in events.items()}
    for company_id, found in told.items():
        trouble = problem(found, companies[company_id].parent_id)
        if trouble:
            raise GazetteerError(f"{path}:{lines[company_id]}: history of {company_id!r}: {trouble}")
    return told


def _redirects(path: Path, companies: Mapping[str, Company]) -> dict[str, str]:
    redirects: dict[str, str] = {}
    for line, row in _rows(path):
        old, new = row["old_id"], row["company_id"]
        if old in companies or old in redirects:
            raise GazetteerError(f"{path}:{line}: {old!r} is in use or redirected already")
        if new not in companies:
            raise GazetteerError(f"{path}:{line}: {old!r} leads to the unknown company {new!r}")
        redirects[old] = new
    return redirects


def _legal_names(path: Path, companies: Mapping[str, Company]) -> dict[str, str]:
    names: dict[str, str] = {}
    seen: set[str] = set()
    for line, row in _rows(path):
        company_id, isin = row["company_id"], row["isin"]
        if company_id not in companies or company_id in seen:
            raise GazetteerError(f"{path}:{line}: company {company_id!r} is unknown or listed twice")
        if row["sec_cik"] and not row["sec_cik"].isdigit():
            raise GazetteerError(f"{path}:{line}: {row['sec_cik']!r} is no central index key")
        if isin and not (_ISIN.fullmatch(isin) and _isin_checks(isin)):
            raise GazetteerError(f"{path}:{line}: {isin!r} is no ISIN; its check digit or form is wrong")
        seen.add(company_id)
        if row["legal_name"]:
            names[row["legal_name"]] = company_id
    return names


def _isin_checks(isin: str) -> bool:
    """Luhn's sum over the digits, letters counted from A = 10 (ISO 6166)."""
    digits = [int(digit) for char in isin for digit in str(int(char, 36))]
    doubled = (2 * digit if place % 2 else digit for place, digit in enumerate(reversed(digits)))
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0

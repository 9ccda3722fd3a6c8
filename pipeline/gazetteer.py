"""The company register: what is known by name, loaded from ``corpora/gazetteers`` into frozen records.

In: ``companies.csv``, ``aliases.csv``, ``publishers.csv``, ``public_bodies.csv``, ``products.csv`` and
``alias_clashes.csv``. Out: ``CompanyRegister``. A row that cannot be right (a company twice, an unknown kind, an alias
of an unknown company, one name for two things that the clash list does not state) is an error that names file and line.
It does not read text; ``pipeline.extract.company_candidates`` does.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, cast, get_args

import corpora
from pipeline.records import CompanyKind

GAZETTEERS = Path(next(iter(corpora.__path__))) / "gazetteers"

#: Why a name needs a second cue before it counts: it is also a word, an acronym of much else, a place or a surname.
Risk = Literal["none", "english_word", "short_acronym", "place_name", "surname"]
Catalogue = Literal["company", "publisher", "public_body", "product"]

_COUNTRY = re.compile(r"[A-Z]{2}")
_TICKER = re.compile(r"X?[A-Z0-9]{3,4}:[A-Z0-9.&-]+")  # market identifier code (ISO 10383) and symbol
_WORD = re.compile(r"\w+")


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


@dataclass(frozen=True, slots=True)
class CompanyRegister:
    """Companies by id, and every known spelling.

    ``by_first_word``: spellings, longest first, under their first word in lower case; those that begin with a
    lower-case letter or digit also under ``"=" + word``, for words that the text writes so.
    """

    companies: Mapping[str, Company]
    names: Mapping[str, tuple[KnownName, ...]]
    by_first_word: Mapping[str, tuple[Spelling, ...]]


@cache
def load_register(folder: Path = GAZETTEERS) -> CompanyRegister:
    """Read and check the gazetteers in ``folder``. Raises ``GazetteerError`` with file and line."""
    companies = _companies(folder / "companies.csv")
    clashes = {row["alias"] for _, row in _rows(folder / "alias_clashes.csv")}
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
    return CompanyRegister(
        companies=companies,
        names={text: tuple(found) for text, found in names.items()},
        by_first_word=_index(names),
    )


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
            index[f"={first.group()}"].append(spelling)
    return {word: tuple(sorted(found, key=lambda s: -len(s.text))) for word, found in index.items()}


@cache
def load_name_words(use: Literal["descriptive", "shared_first"], folder: Path = GAZETTEERS) -> frozenset[str]:
    """Lower-case words of company names: those that tell the trade, and first words that many firms share."""
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

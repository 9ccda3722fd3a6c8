"""Changes to the company register: a firm added, two records merged, the whole checked.

In: the folder of the gazetteers and what to change. Out: the changed CSV files, and lines that say what was done. A
change is written only where the register that it gives loads; otherwise every file stays as it was. Ids that go out of
use stay valid: ``company_redirects.csv`` leads from them to the ids in use. It does not judge which firms belong there.
"""

from __future__ import annotations

import csv
import difflib
import json
import re
import shutil
import tempfile
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from pipeline.gazetteer import CJK, GAZETTEERS, CompanyRegister, GazetteerError, Risk, load_register
from pipeline.link.companies import identity_form, link_name, normal_form, unknown_company_id

Row = dict[str, str]

GOLD = GAZETTEERS.parent / "gold"
_SMALL_WORD = re.compile(r"(?<![\w.@/-])[a-z]{3,20}(?![\w@/])")

#: Files with a column that names a company; where a record is merged away, they name the one that stays.
_NAMING = {
    "aliases.csv": ("company_id",),
    "products.csv": ("company_id",),
    "companies.csv": ("parent_id",),
    "company_history.csv": ("company_id", "other"),
    "company_ids.csv": ("company_id",),
    "company_redirects.csv": ("company_id",),
}

#: In the order of ids, a difference of versions shows what was changed; names and events of a firm keep theirs.
_SORTED_BY = {
    "companies.csv": "company_id",
    "aliases.csv": "company_id",
    "company_history.csv": "company_id",
    "company_redirects.csv": "old_id",
}


class EditError(ValueError):
    """A change that cannot be made; the message says why and what could be done."""


@dataclass(frozen=True, slots=True)
class NewCompany:
    """A firm to add. ``names``: the everyday one first. ``risk``: why they need a second cue; None: by their shape."""

    names: tuple[str, ...]
    company_id: str | None = None
    kind: str = "other"
    hq_country: str = ""
    hq_city: str = ""
    ticker: str = ""
    parent_id: str = ""
    risk: str | None = None
    founded: str = ""


def add(folder: Path, new: NewCompany) -> list[str]:
    """Add a firm with its names. Raises ``EditError`` where a name is taken, ``GazetteerError`` for a wrong field."""
    register = load_register(folder)
    company_id = new.company_id or slug(new.names[0])
    if company_id in register.companies or company_id in register.redirects:
        raise EditError(f"the id {company_id!r} is or was another firm's; choose one with --id")
    _check_free(new.names, register)
    if new.parent_id and new.parent_id not in register.companies:
        raise EditError(f"unknown parent {new.parent_id!r}{_like(new.parent_id, register.companies)}")
    tables = _Tables(folder)
    tables.rows["companies.csv"].append(
        {
            "company_id": company_id, "name": new.names[0], "kind": new.kind, "hq_country": new.hq_country,
            "hq_city": new.hq_city, "ticker": new.ticker, "parent_id": new.parent_id, "brand": "0",
        }
    )  # fmt: skip
    done = [f"added {new.names[0]} as {company_id}"]
    done += _add_names(tables, company_id, new.names, new.risk, register)
    if new.founded:
        event = {"company_id": company_id, "event": "founded", "date": new.founded, "other": ""}
        tables.rows["company_history.csv"].append(event)
    tables.save()
    return done


def add_names(folder: Path, company_id: str, names: Sequence[str], risk: str | None = None) -> list[str]:
    """Add spellings to a registered firm. Raises ``EditError``."""
    register = load_register(folder)
    if company_id not in register.companies:
        raise EditError(f"unknown company {company_id!r}{_like(company_id, register.companies)}")
    _check_free(names, register, company_id)
    tables = _Tables(folder)
    done = _add_names(tables, company_id, names, risk, register)
    tables.save()
    return done


def merge(folder: Path, old: str, new: str) -> list[str]:
    """Make ``old``, a record or the id of a firm outside the register, mean ``new``. Raises ``EditError``."""
    register = load_register(folder)
    new = register.current_id(new)
    if new not in register.companies:
        raise EditError(f"unknown company {new!r}{_like(new, register.companies)}; add it first")
    if register.current_id(old) == new:
        raise EditError(f"{old!r} means {new!r} already")
    if old not in register.companies and not old.startswith("x-"):
        raise EditError(f"unknown company {old!r}{_like(old, register.companies)}")
    tables = _Tables(folder)
    moved: dict[str, int] = defaultdict(int)
    if old in register.companies:
        tables.rows["companies.csv"] = [row for row in tables.rows["companies.csv"] if row["company_id"] != old]
        known = {row["alias"] for row in tables.rows["aliases.csv"] if row["company_id"] == new}
        for name in ("company_history.csv", "company_ids.csv"):  # those of the record that stays hold
            if any(row["company_id"] == new for row in tables.rows[name]):
                tables.rows[name] = [row for row in tables.rows[name] if row["company_id"] != old]
        tables.rows["aliases.csv"] = [
            row for row in tables.rows["aliases.csv"] if row["company_id"] != old or row["alias"] not in known
        ]
        for name, columns in _NAMING.items():
            for row in tables.rows[name]:
                for column in columns:
                    if row[column] == old and (column != "other" or row["event"] in ("owned_by", "succeeded_by")):
                        row[column] = new
                        moved[name] += 1
    else:
        tables.rows["company_redirects.csv"] = [r for r in tables.rows["company_redirects.csv"] if r["old_id"] != old]
    tables.rows["company_redirects.csv"].append({"old_id": old, "company_id": new})
    tables.save()
    told = ", ".join(f"{count} rows of {name}" for name, count in sorted(moved.items()))
    return [f"{old} now means {new}" + (f"; moved {told}" if told else "")]


def check(folder: Path, words: Iterable[str] = ()) -> list[str]:
    """What loads but deserves a look, a line each. ``words``: ordinary words of English, in small letters.

    Raises ``GazetteerError`` for what does not load.
    """
    register = load_register(folder)
    with (folder / "alias_clashes.csv").open(encoding="utf-8", newline="") as file:
        stated = [frozenset(re.findall(r"companies:([\w-]+)", row["candidates"])) for row in csv.DictReader(file)]
    return [
        *_twins(register, stated),
        *_shared_tickers(register),
        *_ordinary(register, frozenset(words)),
        *_circles(register),
    ]


def ordinary_words(folder: Path = GOLD) -> frozenset[str]:
    """Words that the texts written for this project use in small letters at least twice; none where they are absent."""
    counts: Counter[str] = Counter()
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            counts.update(set(_SMALL_WORD.findall(json.loads(line).get("text") or "")))
    return frozenset(word for word, count in counts.items() if count > 1)


def slug(name: str) -> str:
    """The id of a firm called so: "Rhino Drive & Co" gives "rhino-drive". Raises ``EditError`` for no Latin letter."""
    form = unicodedata.normalize("NFKD", normal_form(name).replace("'", "")).encode("ascii", "ignore").decode()
    text = re.sub(r"[^a-z0-9]+", "-", form.replace("&", " and ").replace("+", " plus ")).strip("-")
    if not text:
        raise EditError(f"{name!r} has no Latin letter to make an id of; give one with --id")
    return text


def shape_risk(name: str) -> Risk:
    """The risk that the shape of a name shows: three letters or four capitals are an acronym of much else."""
    short = len(name) <= 3 or (len(name) == 4 and name.isupper())
    return "short_acronym" if short and not CJK.search(name) else "none"


def _add_names(
    tables: _Tables, company_id: str, names: Sequence[str], risk: str | None, register: CompanyRegister
) -> list[str]:
    if risk is not None and risk not in get_args(Risk):
        raise EditError(f"unknown risk {risk!r}; known are {', '.join(get_args(Risk))}")
    done = []
    redirects = {row["old_id"] for row in tables.rows["company_redirects.csv"]} | register.companies.keys()
    for name in dict.fromkeys(names):
        given = risk or shape_risk(name)
        tables.rows["aliases.csv"].append({"alias": name, "company_id": company_id, "risk": given})
        done.append(f"name {name!r}" + (f", which needs a second cue ({given})" if given != "none" else ""))
        old = unknown_company_id(name)
        if given == "none" and old not in redirects:  # that of an ordinary word was that of any firm called so
            tables.rows["company_redirects.csv"].append({"old_id": old, "company_id": company_id})
            redirects.add(old)
            done.append(f"{old}, its id before the register knew it, now means {company_id}")
    return done


def _check_free(names: Sequence[str], register: CompanyRegister, company_id: str | None = None) -> None:
    for name in names:
        if not name.strip() or name != name.strip() or not re.search(r"\w", name):
            raise EditError(f"{name!r} is no name")
        for known in register.names.get(name, ()):
            of = f"{known.catalogue}" + (f" {known.company_id}" if known.company_id else "")
            raise EditError(f"{name!r} is a name of the {of} already; alias_clashes.csv lists names of two things")
        linked = link_name(name, register)
        if linked is not None and linked != company_id:
            raise EditError(
                f"{name!r} reads as {linked} ({register.companies[linked].name}) already; "
                f"if it is that firm, use: roadwire companies add {name!r} --to {linked}"
            )


def _like(company_id: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(company_id, list(known), 3, 0.7)
    return f"; did you mean {', '.join(near)}?" if near else ""


class _Tables:
    """The CSV files of the register as rows, saved only together and only where they load."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._heads: dict[str, list[str]] = {}
        self.rows: dict[str, list[Row]] = {}
        for name in _NAMING:
            with (folder / name).open(encoding="utf-8", newline="") as file:
                reader = csv.DictReader(file)
                self.rows[name] = list(reader)
                self._heads[name] = list(reader.fieldnames or ())

    def save(self) -> None:
        """Raises ``GazetteerError`` for rows that cannot be right."""
        with tempfile.TemporaryDirectory() as name:
            trial = Path(name)
            for path in self._folder.glob("*.csv"):
                shutil.copy(path, trial / path.name)
            self._write(trial)
            try:
                load_register(trial)
            except GazetteerError as error:
                raise GazetteerError(str(error).replace(str(trial), str(self._folder))) from error
        self._write(self._folder)
        load_register.cache_clear()

    def _write(self, folder: Path) -> None:
        for name, rows in self.rows.items():
            partial = folder / f"{name}.partial"
            with partial.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, self._heads[name], lineterminator="\n")
                writer.writeheader()
                key = _SORTED_BY.get(name)
                writer.writerows(sorted(rows, key=lambda row: row[key]) if key else rows)
            partial.replace(folder / name)


def _twins(register: CompanyRegister, stated: Sequence[frozenset[str]]) -> list[str]:
    """Records whose names differ in case, spaces, legal form or a generic last word only, unless ``stated`` so."""
    by_form: dict[str, set[str]] = defaultdict(set)
    for text, entries in register.names.items():
        for known in entries:
            if known.catalogue == "company" and known.risk == "none" and known.company_id:
                by_form[re.sub(r"[\W_]+", "", identity_form(text))].add(known.company_id)
    related = {(c.company_id, c.parent_id) for c in register.companies.values()}
    related |= {(i, e.other) for i, events in register.history.items() for e in events if e.kind == "succeeded_by"}
    found = []
    for form, ids in sorted(by_form.items()):
        pairs = [(a, b) for a in sorted(ids) for b in sorted(ids) if a < b]
        found += [
            f"{a} and {b} share the form {form!r}: one firm twice?"
            for a, b in pairs
            if (a, b) not in related and (b, a) not in related and not any({a, b} <= group for group in stated)
        ]
    return found


def _shared_tickers(register: CompanyRegister) -> list[str]:
    bearers: dict[str, list[str]] = defaultdict(list)
    for company in register.companies.values():
        if company.ticker:
            bearers[company.ticker].append(company.company_id)
    return [f"{ticker} is the ticker of {' and '.join(ids)}" for ticker, ids in bearers.items() if len(ids) > 1]


def _ordinary(register: CompanyRegister, words: frozenset[str]) -> list[str]:
    return [
        f"{text!r} ({known.company_id}) is an ordinary word, but its risk is none"
        for text, entries in sorted(register.names.items())
        for known in entries
        if known.catalogue == "company" and known.risk == "none" and text.lower() in words
    ]


def _circles(register: CompanyRegister) -> list[str]:
    found = []
    for company_id in register.companies:
        seen, at = {company_id}, register.companies[company_id].parent_id
        while at is not None and at not in seen:
            seen.add(at)
            at = register.companies[at].parent_id
        if at == company_id:
            found.append(f"{company_id} is its own ancestor")
    return found

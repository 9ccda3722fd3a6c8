"""What a run says about the register: firms that it lacks, one firm under two ids, two firms under one id.

In: the rows of the table ``companies`` (article_id, company_id, company_name, surface, linked) and the register. Out:
``CompanyReport``, for people who then use ``roadwire companies add`` or ``merge``. It proposes and changes nothing.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.gazetteer import CompanyRegister
from pipeline.link.companies import DESCRIPTIVE, SHARED_FIRST, identity_form, link_name, normal_form

#: Shorter forms are a letter apart by chance.
MIN_TYPO_LENGTH = 5
#: Likeness of two forms (difflib's ratio) from which one is a slip of the other: one letter in six to ten.
TYPO_LIKENESS = 0.9


@dataclass(frozen=True, slots=True)
class Unlinked:
    """A firm outside the register, in how many articles, and the register's firm that its name is near to."""

    company_id: str
    name: str
    articles: int
    mentions: int


@dataclass(frozen=True, slots=True)
class Twin:
    """Two ids that may be one firm (``merge``), or one id that may be two firms (``split``)."""

    problem: str
    first: str
    second: str
    reason: str
    articles: int


@dataclass(frozen=True, slots=True)
class CompanyReport:
    companies: int
    linked_share: float
    unlinked: tuple[Unlinked, ...]
    twins: tuple[Twin, ...]


@dataclass(slots=True)
class _Seen:
    names: Counter[str] = field(default_factory=Counter)
    surfaces: Counter[str] = field(default_factory=Counter)
    articles: set[str] = field(default_factory=set)
    linked: bool = False

    @property
    def name(self) -> str:
        return min(self.names, key=lambda name: (-self.names[name], name))


def read_mentions(tables: Path) -> list[dict[str, Any]]:
    """The rows of the table ``companies`` in a folder of tables. Raises ``FileNotFoundError``."""
    import pyarrow.dataset as ds

    folder = tables / "companies"
    if not folder.is_dir():
        raise FileNotFoundError(f"{tables} holds no table companies: name the folder that roadwire run wrote")
    columns = ["article_id", "company_id", "company_name", "surface", "linked"]
    return ds.dataset(sorted(folder.glob("*.parquet"))).to_table(columns=columns).to_pylist()


def report(rows: Iterable[Mapping[str, Any]], register: CompanyRegister, limit: int = 40) -> CompanyReport:
    """The most frequent firms outside the register and the likely twins, the ``limit`` most frequent of each."""
    seen: dict[str, _Seen] = defaultdict(_Seen)
    mentions = linked = 0
    for row in rows:
        company_id = register.current_id(row["company_id"])
        firm = seen[company_id]
        firm.names[row["company_name"]] += 1
        firm.surfaces[row["surface"]] += 1
        firm.articles.add(row["article_id"])
        firm.linked = firm.linked or company_id in register.companies
        mentions += 1
        linked += company_id in register.companies
    unlinked = [
        Unlinked(company_id, firm.name, len(firm.articles), firm.surfaces.total())
        for company_id, firm in seen.items()
        if not firm.linked
    ]
    unlinked.sort(key=lambda one: (-one.articles, -one.mentions, one.company_id))
    twins = [*_one_firm_twice(seen, register), *_two_firms_in_one(seen)]
    twins.sort(key=lambda twin: (-twin.articles, twin.first, twin.second))
    return CompanyReport(len(seen), linked / max(1, mentions), tuple(unlinked[:limit]), tuple(twins[:limit]))


def _one_firm_twice(seen: Mapping[str, _Seen], register: CompanyRegister) -> list[Twin]:
    """Pairs with an id outside the register whose names are the same but for spaces, first words or a slip.

    Two names that stand in one article are two firms, or the article's grouping would have joined them.
    """
    forms = {company_id: normal_form(firm.name) for company_id, firm in seen.items()}
    by_first: dict[str, list[str]] = defaultdict(list)
    by_letters: dict[str, list[str]] = defaultdict(list)
    for company_id, form in forms.items():
        if form:
            by_first[form.split()[0]].append(company_id)
            by_letters[_letters(form)[:3]].append(company_id)
    found: dict[tuple[str, str], str] = {}
    for group in (*by_first.values(), *by_letters.values()):
        for first, second in _pairs(group):
            if seen[first].linked and seen[second].linked:
                continue
            reason = _likeness(forms[first], forms[second])
            if reason and not seen[first].articles & seen[second].articles:
                found.setdefault((first, second), reason)
    for company_id, firm in seen.items():
        if not firm.linked:
            for surface in firm.surfaces:
                known = link_name(surface, register)
                if known is not None:
                    found.setdefault((company_id, known), f"{surface!r} reads as {register.companies[known].name}")
    return [
        Twin(
            "merge",
            first,
            second,
            reason,
            len(seen[first].articles) + len(seen[second].articles if second in seen else ()),
        )
        for (first, second), reason in found.items()
    ]


def _pairs(ids: Sequence[str]) -> Iterable[tuple[str, str]]:
    ordered = sorted(ids)
    return ((a, b) for number, a in enumerate(ordered) for b in ordered[number + 1 :])


def _likeness(first: str, second: str) -> str | None:
    """Why two forms may be one name, None where they hardly are."""
    if _letters(first) == _letters(second):
        return "same letters"
    short, long = sorted((first, second), key=len)
    words = short.split()
    if long.startswith(short + " ") and not all(word in SHARED_FIRST or word in DESCRIPTIVE for word in words):
        return f"{long!r} begins with {short!r}"
    if min(len(first), len(second)) >= MIN_TYPO_LENGTH:
        likeness = difflib.SequenceMatcher(None, _letters(first), _letters(second)).ratio()
        if likeness >= TYPO_LIKENESS and _digits(first) == _digits(second):
            return "a letter apart"
    return None


def _two_firms_in_one(seen: Mapping[str, _Seen]) -> list[Twin]:
    """Ids outside the register whose long names differ after the first words: "Phoenix Group", "Phoenix Motor"."""
    found = []
    for company_id, firm in seen.items():
        longest = {normal_form(name): name for name in firm.names}
        different = [form for form in longest if form != identity_form(longest[form])]
        if not firm.linked and len(different) > 1:
            first, second = sorted(different)[:2]
            reason = f"{longest[first]!r} and {longest[second]!r} have one id"
            found.append(Twin("split", company_id, company_id, reason, len(firm.articles)))
    return found


def _letters(form: str) -> str:
    return re.sub(r"[\W_]+", "", form)


def _digits(form: str) -> str:
    return re.sub(r"\D", "", form)

"""How far the rows of a run agree with annotated articles.

In: an annotation record (``docs/annotation.md``) and the rows that a run made of its text. Out: counts, whose sums over
articles give the figures of ``pipeline.evaluation``. It runs nothing and reads no file.

- companies: an item is one company of an article with all its surfaces; found where normalised surfaces or names meet.
- levels: distinct (min, max, plus, negated) of an article; ``levels_company`` also asks whose it is.
- locations: distinct places of an article; ``country`` is the share of right ISO codes among those found.
- deals: ``strict`` asks for type and all parties, ``typed`` for type, acting party and half of the parties, ``pair``
  for the parties alone. ``status`` and ``deal_where`` are shares among the typed ones that were found.
- ``not_companies_reported``: the share of names that are no companies and were reported as one.

Optional items count neither when found nor when missed; the ``alt_*`` values of a deal are as good as its own.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

F1_FIGURES = ("companies", "levels", "levels_company", "locations", "deals_strict", "deals_typed", "deals_pair")
SHARES = ("country", "status", "deal_where")
NOT_COMPANIES = "not_companies_reported"

_LEGAL_FORM = re.compile(
    r"(?:,?\s+(?:inc|corp|corporation|co|company|ltd|limited|llc|plc|ag|se|gmbh|"
    r"sa|s\.a|nv|n\.v|ab|oy|kk|group|holdings?))+\.?$"
)

Row = dict[str, Any]
Keys = set[str]
CountKey = tuple[str, str]  # figure, or "deals of TYPE"; what is counted: tp, pred, gold, ok, n


@dataclass(frozen=True, slots=True)
class ArticleRows:
    """The rows of one article, as the tables have them."""

    companies: Sequence[Row] = ()
    levels: Sequence[Row] = ()
    locations: Sequence[Row] = ()
    deals: Sequence[Row] = ()


@dataclass(slots=True)
class ArticleScore:
    """What agrees in one article. ``errors``: kind and wording of each false or missed item."""

    counts: Counter[CountKey] = field(default_factory=Counter)
    errors: list[tuple[str, str]] = field(default_factory=list)

    def count(self, figure: str, **numbers: int) -> None:
        for name, number in numbers.items():
            self.counts[figure, name] += number


@dataclass(frozen=True, slots=True)
class Parties:
    """Companies as the annotation calls them, whichever name the run gave them."""

    by_id: dict[Any, str]  # company_id -> annotated name
    annotated: list[tuple[Keys, str]]

    def name(self, company_id: Any, name: str | None) -> str:
        if company_id in self.by_id:
            return fold(self.by_id[company_id])
        own = keys([name])
        return next((fold(gold) for gold_keys, gold in self.annotated if own & gold_keys), "?" + fold(name or ""))


@dataclass(frozen=True, slots=True)
class _Deal:
    types: list[str]
    parties: list[str]
    statuses: list[str]
    places: Keys
    optional: bool = False


def fold(text: str) -> str:
    """The name in lower case without possessive, article, quotes and odd spacing."""
    text = unicodedata.normalize("NFKC", str(text)).replace("’", "'").casefold().strip()
    text = re.sub(r"'s?$", "", text)
    text = re.sub(r"^(the|a|an)\s+", "", text)
    text = re.sub(r"[\"“”]", "", text)
    return re.sub(r"[\s\-‐‑–]+", " ", text).strip(" .,")


def keys(names: Iterable[str | None]) -> Keys:
    """The names folded, each with and without its legal form."""
    found: Keys = set()
    for name in names:
        folded = fold(name) if name is not None else ""
        if folded:
            found.add(folded)
            short = _LEGAL_FORM.sub("", folded).strip()
            if len(short) > 1:
                found.add(short)
    return found


def score_article(gold: Row, rows: ArticleRows) -> ArticleScore:
    """Compare the rows of one article with its annotation."""
    score = ArticleScore()
    parties = _score_companies(gold, rows.companies, score)
    _score_levels(gold, rows.levels, parties, score)
    _score_locations(gold, rows.locations, score)
    _score_deals(gold, rows.deals, parties, score)
    score.errors = [(kind, f"{gold['id']}: {text}") for kind, text in score.errors]
    return score


def _score_companies(gold: Row, rows: Sequence[Row], score: ArticleScore) -> Parties:
    surfaces: dict[Any, list[str | None]] = {}
    for row in rows:
        surfaces.setdefault(row["company_id"], []).extend((row["surface"], row["company_name"]))
    ids, found = list(surfaces), [keys(own) for own in surfaces.values()]
    wanted = [keys([company["name"], *company["surfaces"]]) for company in gold["companies"]]
    names = [company["name"] for company in gold["companies"]]
    pairs = _matched(found, wanted)
    optional = _optional_keys(gold.get("optional_companies"))
    matched = {i for i, _ in pairs}
    ignored = {i for i, own in enumerate(found) if own & optional} - matched
    score.count("companies", tp=len(pairs), pred=len(found) - len(ignored), gold=len(wanted))
    for i in sorted(set(range(len(found))) - matched - ignored):
        score.errors.append(("companies_false", str(sorted(found[i])[:3])))
    for j in sorted(set(range(len(wanted))) - {j for _, j in pairs}):
        score.errors.append(("companies_missed", names[j]))
    none = gold.get("not_companies", [])
    banned = keys(none)
    score.count(NOT_COMPANIES, ok=sum(1 for own in found if own & banned), n=len(none))
    return Parties({ids[i]: names[j] for i, j in pairs}, list(zip(wanted, names, strict=True)))


def _score_levels(gold: Row, rows: Sequence[Row], parties: Parties, score: ArticleScore) -> None:
    optional = {_level_of(item) for item in gold.get("optional_levels") or []}
    wanted = {_level_of(item) for item in gold["levels"]}
    wanted_owners = {
        (*_level_of(item), fold(item["company"]) if item.get("company") else None) for item in gold["levels"]
    }
    found, owners = set(), set()
    for row in rows:
        level = (int(row["level_min"]), int(row["level_max"]), bool(row["plus"]), bool(row["negated"]))
        if row.get("explicit") is False or level in optional - wanted:
            continue
        name = row.get("company_name")
        found.add(level)
        owners.add((*level, parties.name(row.get("company_id"), name) if name else None))
    score.count("levels", tp=len(found & wanted), pred=len(found), gold=len(wanted))
    score.count("levels_company", tp=len(owners & wanted_owners), pred=len(owners), gold=len(wanted_owners))
    score.errors += [("levels_false", str(level)) for level in sorted(found - wanted)]
    score.errors += [("levels_missed", str(level)) for level in sorted(wanted - found)]


def _score_locations(gold: Row, rows: Sequence[Row], score: ArticleScore) -> None:
    found: dict[str, Keys] = {}
    country: dict[str, str | None] = {}
    for row in rows:
        place = str(row["geoname_id"]) if row.get("geoname_id") is not None else fold(row["name"])
        found.setdefault(place, set()).update(keys([row["surface"], row["name"]]))
        country[place] = row["country_code"]
    wanted: dict[tuple[str, str | None], Keys] = {}
    for item in gold["locations"]:
        wanted.setdefault((fold(item["name"]), item.get("country")), set()).update(
            keys([item["surface"], item["name"]])
        )
    places, gold_places = list(found), list(wanted)
    pairs = _matched(list(found.values()), list(wanted.values()))
    optional = _optional_keys(gold.get("optional_locations"))
    matched = {i for i, _ in pairs}
    ignored = {i for i, place in enumerate(places) if found[place] & optional} - matched
    score.count("locations", tp=len(pairs), pred=len(places) - len(ignored), gold=len(wanted))
    for i, j in pairs:
        code = gold_places[j][1]
        if code:
            score.count("country", ok=int(country[places[i]] == code), n=1)
    for i in sorted(set(range(len(places))) - matched - ignored):
        score.errors.append(("locations_false", str(sorted(found[places[i]])[:2])))
    for j in sorted(set(range(len(gold_places))) - {j for _, j in pairs}):
        score.errors.append(("locations_missed", str(gold_places[j])))


def _score_deals(gold: Row, rows: Sequence[Row], parties: Parties, score: ArticleScore) -> None:
    found = [
        _Deal(
            [row["deal_type"]],
            [parties.name(party.get("company_id"), party.get("company_name")) for party in row["parties"] or ()],
            [row["status"]],
            {fold(place.get("name", "")) for place in row["locations"] or ()},
        )
        for row in rows
    ]
    wanted = [
        _Deal(
            [item["type"], *item.get("alt_types", [])],
            [fold(party) for party in item["parties"]],
            [item["status"], *item.get("alt_status", [])],
            {fold(place) for place in item["locations"]},
            bool(item.get("optional")),
        )
        for item in gold["deals"]
    ]
    required = sum(1 for deal in wanted if not deal.optional)
    typed = _deal_pairs(found, wanted, _typed)
    for name, pairs in (
        ("deals_strict", _deal_pairs(found, wanted, _strict)),
        ("deals_typed", typed),
        ("deals_pair", _deal_pairs(found, wanted, _same_parties)),
    ):
        free = sum(1 for _, j in pairs if wanted[j].optional)
        score.count(name, tp=len(pairs) - free, pred=len(found) - free, gold=required)
    for i, j in typed:
        score.count("status", ok=int(found[i].statuses[0] in wanted[j].statuses), n=1)
        if wanted[j].places:
            score.count("deal_where", ok=int(bool(found[i].places & wanted[j].places)), n=1)
    _count_types(found, wanted, dict(typed), score)
    for i in sorted(set(range(len(found))) - {i for i, _ in typed}):
        score.errors.append(("deals_false", str((found[i].types[0], found[i].parties, found[i].statuses[0]))))
    for j in sorted(set(range(len(wanted))) - {j for _, j in typed}):
        if not wanted[j].optional:
            score.errors.append(("deals_missed", str((wanted[j].types, wanted[j].parties, wanted[j].statuses))))


def _count_types(found: Sequence[_Deal], wanted: Sequence[_Deal], typed: dict[int, int], score: ArticleScore) -> None:
    for i, deal in enumerate(found):
        if i not in typed:
            score.count(f"deals of {deal.types[0]}", pred=1)
        elif not wanted[typed[i]].optional:
            score.count(f"deals of {wanted[typed[i]].types[0]}", pred=1, tp=1)
    for deal in wanted:
        score.count(f"deals of {deal.types[0]}", gold=int(not deal.optional))


def _strict(found: _Deal, wanted: _Deal) -> float:
    return float(found.types[0] in wanted.types and set(found.parties) == set(wanted.parties))


def _same_parties(found: _Deal, wanted: _Deal) -> float:
    return float(set(found.parties) == set(wanted.parties))


def _typed(found: _Deal, wanted: _Deal) -> float:
    """The share of common parties where the type is right, the acting party is there and the share at least half."""
    own, other = set(found.parties), set(wanted.parties)
    share = len(own & other) / len(own | other) if own | other else 0.0
    return share if found.types[0] in wanted.types and wanted.parties[0] in own and share >= 0.5 else 0.0


def _deal_pairs(
    found: Sequence[_Deal], wanted: Sequence[_Deal], likeness: Callable[[_Deal, _Deal], float]
) -> list[tuple[int, int]]:
    """One-to-one pairs (found, wanted): required deals first, then those of many parties; each takes its likest."""
    used: set[int] = set()
    pairs = []
    for j in sorted(range(len(wanted)), key=lambda j: (wanted[j].optional, -len(wanted[j].parties))):
        options = [(likeness(found[i], wanted[j]), -i) for i in range(len(found)) if i not in used]
        best, i = max(options, default=(0.0, 0))
        if best:
            used.add(-i)
            pairs.append((-i, j))
    return pairs


def _matched(found: Sequence[Keys], wanted: Sequence[Keys]) -> list[tuple[int, int]]:
    """One-to-one pairs (found, wanted) of key sets that meet, largest overlap first."""
    overlaps = sorted(
        (
            (len(own & other), -len(own), i, j)
            for i, own in enumerate(found)
            for j, other in enumerate(wanted)
            if own & other
        ),
        reverse=True,
    )
    used_found: set[int] = set()
    used_wanted: set[int] = set()
    pairs = []
    for _, _, i, j in overlaps:
        if i not in used_found and j not in used_wanted:
            used_found.add(i)
            used_wanted.add(j)
            pairs.append((i, j))
    return pairs


def _optional_keys(items: Iterable[str | Row] | None) -> Keys:
    """Keys of borderline names: plain, or objects with name, surface or surfaces."""
    found: Keys = set()
    for item in items or ():
        found |= keys(
            [item] if isinstance(item, str) else [item.get("name"), item.get("surface"), *item.get("surfaces", [])]
        )
    return found


def _level_of(item: str | Row) -> tuple[int, int, bool, bool]:
    """(min, max, plus, negated) of an annotated level: an object, or the surface of a borderline one."""
    if isinstance(item, str):
        digits = [int(digit) for digit in re.findall(r"[0-5]", item)] or [-1]
        return min(digits), max(digits), "+" in item, False
    return item["min"], item["max"], bool(item.get("plus")), bool(item.get("negated"))

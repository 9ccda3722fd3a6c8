"""Toponym resolution: which place of that name does this document mean?

In: the toponyms of one document (offsets and surface), its text, the gazetteer. Out: one ``LocationMention`` a
toponym, in order, with the GeoNames record, or with null ids and confidence 0 where the gazetteer has no such name.
All mentions of a name in a document mean one place, unless "X, Parent" tells them apart. Candidates start from
population and kind, then vote for each other's country, first-order division and neighbourhood, three times.
It finds no toponyms and draws no boundaries.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.link.place_gazetteer import ALIAS, CANONICAL, DEMONYM, PREFERRED, Gazetteer, Place, fold
from pipeline.records import LocationMention, PlaceKind

Mention = tuple[int, int, str]

_KINDS: dict[str, PlaceKind] = {
    "city": "city", "admin1": "region", "admin2": "region", "region": "region",
    "country": "country", "continent": "continent", "other": "other",
}  # fmt: skip
# ISO gives them a code of their own; news means the city.
_CITY_COUNTRIES = {"HK", "MO"}

# Weights in powers of ten of population: a vote of 2.0 outweighs a namesake some hundred times larger. Fitted by random
# search on LGL (local news) and on the countries of business news. _FAMOUS is for a city of 630,000 or more, and in
# part for one of 160,000 or more: without it, a page on Connecticut would turn its Lisbon from the capital.
_PARENT = 7.0
_COUNTRY, _ADMIN1, _NEAR = 2.5, 3.8, 2.7
_SIZE, _FAMOUS = 0.8, 2.0
_NAME_CLASS = {PREFERRED: 2.4, CANONICAL: 0.0, ALIAS: -1.2, DEMONYM: 0.0}
_SHARPNESS = 1.5  # of the shares: 1.0 makes one power of ten 2.7 times as likely
_MOST_CANDIDATES = 80
_ROUNDS = 3
_DWARFED = 5

_WORD = r"[A-Z][\w'’-]*\.?(?:[A-Z]\.)*"
_FOLLOWING = re.compile(rf"(?:,\s{{1,3}}|\s\()(?:in\s)?(?:the\s)?({_WORD}(?:\s{_WORD}){{0,3}})")
_LIST = re.compile(r"\s*(?:,|,?\s(?:and|or|to|&))\s+")
_STATE = re.compile(r"\s+[Ss]tate\b(?!\s+(?:[A-Z]|[Dd]epartment|[Uu]niversity))")
_CAPITALISED = re.compile(r"\b(?:(?:North|South|Saudi|New|Costa|Puerto|Sri)\s)?[A-Z][a-z]{2,}\b")


@dataclass(slots=True)
class _Candidate:
    place: Place
    base: float
    score: float = 0.0
    share: float = 0.0


@dataclass(slots=True)
class _Group:
    """All mentions of one name in the document that mean the same place."""

    candidates: list[_Candidate]
    mentions: list[int] = field(default_factory=list)


def resolve(mentions: Sequence[Mention], text: str, gazetteer: Gazetteer) -> list[LocationMention]:
    """The place of each ``(start, end, surface)`` of ``text``, in order."""
    groups: dict[tuple[str, str], _Group] = {}
    parents = [_parent(text, end, gazetteer) for _, end, _ in mentions]
    told = {fold(surface): parent for (_, _, surface), parent in zip(mentions, parents, strict=True) if parent}
    contains = _containers(mentions, text, gazetteer) | _listed_divisions(mentions, text, gazetteer)
    for index, (_, end, surface) in enumerate(mentions):
        name = fold(surface)
        parent = parents[index] or told.get(name) or ""
        wants = "state" if _STATE.match(text, end) or index in contains else ""
        group = groups.get((name, parent + wants))
        if group is None:
            group = groups[name, parent + wants] = _Group(_candidates(surface, parent, wants, gazetteer))
        group.mentions.append(index)
    _settle([group for group in groups.values() if group.candidates], _country_evidence(text, gazetteer))
    rows: dict[int, LocationMention] = {}
    for group in groups.values():
        for index in group.mentions:
            rows[index] = _row(mentions[index], group.candidates, gazetteer)
    return [rows[index] for index in range(len(mentions))]


def _parent(text: str, end: int, gazetteer: Gazetteer) -> str | None:
    """Code of the country ("US") or first-order division ("US.CA") that the text puts behind a toponym, if any."""
    found = _FOLLOWING.match(text, end)
    if not found:
        return None
    words = found[1].split()
    for length in range(len(words), 0, -1):
        phrase = re.sub(r"['’]s$", "", " ".join(words[:length])).rstrip(",;:")
        for form in (phrase, phrase.rstrip(".")):
            if form in gazetteer.abbreviations:
                return gazetteer.abbreviations[form][0]
        places = [place for place, name_class in gazetteer.lookup(phrase) if name_class != DEMONYM]
        above = [place for place in places if place.kind in ("country", "admin1")]
        if above:
            best = max(above, key=lambda place: place.population)
            return best.country if best.kind == "country" else best.admin1
    return None


def _containers(mentions: Sequence[Mention], text: str, gazetteer: Gazetteer) -> set[int]:
    """Mentions that stand as the second part of "X, Parent" and are a division that holds an X."""
    found = set()
    for index in range(1, len(mentions)):
        (_, end, name), (start, _, surface) = mentions[index - 1], mentions[index]
        if not 0 < start - end <= 3 or text[end:start].strip() != ",":
            continue
        codes = {place.admin1 for place, _ in gazetteer.lookup(surface) if place.kind == "admin1"}
        if any(place.admin1 in codes and place.kind in ("city", "admin2") for place, _ in gazetteer.lookup(name)):
            found.add(index)
    return found


def _listed_divisions(mentions: Sequence[Mention], text: str, gazetteer: Gazetteer) -> set[int]:
    """Names of a division and a city ("New York") that stand in a list beside a name that is a division first."""
    if not mentions:
        return set()
    kinds = [
        [(p.kind, p.country) for p, _ in sorted(gazetteer.lookup(s), key=lambda e: (e[1], -e[0].population))]
        for _, _, s in mentions
    ]
    found = set()
    for index, own in enumerate(kinds):
        divisions = {country for kind, country in own if kind == "admin1"}
        for other in (index - 1, index + 1):
            if divisions and 0 <= other < len(kinds) and kinds[other] and kinds[other][0][0] == "admin1":
                left, right = sorted((index, other))
                gap = text[mentions[left][1] : mentions[right][0]]
                if kinds[other][0][1] in divisions and _LIST.fullmatch(gap):
                    found.add(index)
    return found


def _lookup(surface: str, gazetteer: Gazetteer) -> tuple[tuple[Place, int], ...]:
    """Candidates for a surface, with the rewritings that news uses: "X, Parent", "greater X", "X's", "city of X"."""
    forms = [surface, surface.split(",")[0], re.sub(r"['’]s?$", "", surface)]
    forms.append(
        re.sub(
            r"^(?:[Gg]reater|[Mm]etro(?:politan)?|[Dd]owntown|[Cc]entral|(?:[NSEW]\w+ern|[Uu]pstate))\s", "", surface
        )
    )
    forms.append(re.sub(r"^(?:[Cc]ity|[Tt]own|[Vv]illage|[Ss]tate|[Pp]rovince|[Cc]ounty) of\s", "", surface))
    forms.append(
        re.sub(
            r"\s(?:[Cc]ity|[Pp]rovince|[Ss]tate|[Rr]egion|[Tt]ownship|[Cc]o\.|[Dd]istrict|metro area|area)$",
            "",
            surface,
        )
    )
    for form in forms:
        if found := gazetteer.lookup(form):
            return found
    return gazetteer.lookup(re.sub(r"\sCo\.$", " County", surface))


def _base(place: Place, name_class: int) -> float:
    size = _SIZE * math.log10(place.population + 100)
    if place.kind == "city":
        size += _FAMOUS * min(max(math.log10(place.population + 100) - 5.2, 0.0) / 0.6, 1.0)
    if place.kind in ("country", "continent", "region"):
        size = max(size, 5.5) + 2.0
    elif place.kind == "admin1":
        size = max(size, 4.0) + 0.5
    elif place.kind == "admin2":
        size -= 1.0
    elif place.kind == "other":
        size = max(size, 5.0)
    return size + _NAME_CLASS[name_class]


def _dwarfs(division: Place, city: Place) -> bool:
    """Is the division so much larger than the city of the same name that the bare name means the division?"""
    return division.population > _DWARFED * city.population


def _candidates(surface: str, parent: str, wants: str, gazetteer: Gazetteer) -> list[_Candidate]:
    best: dict[int, _Candidate] = {}
    bare = len(surface) == 2 and surface.isupper()  # "IN" and "OR" are states only where nothing else has that name
    if surface in gazetteer.abbreviations and not (bare and gazetteer.lookup(surface)):
        codes = gazetteer.abbreviations[surface]
        names = [gazetteer.admin1_names[code] for code in codes if code in gazetteer.admin1_names]
        entries = [
            entry for name in names for entry in gazetteer.lookup(name)
            if entry[0].kind == "admin1" and entry[0].admin1 in codes
        ]  # fmt: skip
    else:
        entries = list(_lookup(surface, gazetteer))
    divisions = {fold(place.name): place for place, _ in entries if place.kind == "admin1"}
    # "China, Japan and Mexico" is a list, whatever village of that name Japan has.
    is_country = any(place.kind == "country" and name_class <= CANONICAL for place, name_class in entries)
    for place, name_class in entries:
        base = _base(place, name_class)
        division = divisions.get(fold(place.name))
        if place.kind == "city" and division and place.admin1 == division.admin1 and not _dwarfs(division, place):
            base = max(base, _base(division, CANONICAL) + 0.5)  # Geneva is the city, not its canton
        if parent and not is_country and parent in (place.country, place.admin1):
            base += _PARENT if place.admin1 != parent or place.kind != "admin1" else 0.0
        if wants and place.kind == "admin1":
            base += _PARENT
        best[place.row] = _Candidate(place, base)
    return sorted(best.values(), key=lambda each: -each.base)[:_MOST_CANDIDATES]


def _country_evidence(text: str, gazetteer: Gazetteer) -> dict[str | None, float]:
    """Countries that the text names by an adjective of nationality, counted on a slow scale."""
    names = (fold(found[0]) for found in _CAPITALISED.finditer(text))
    counts = Counter(gazetteer.demonyms[name] for name in names if name in gazetteer.demonyms)
    return {country: math.log2(1 + count) / 2 for country, count in counts.items()}


def _cells(place: Place) -> tuple[int, int] | None:
    """The 1 degree cell of a point-like place: neighbours are those in the 3 x 3 cells around it."""
    if place.kind in ("city", "admin2", "other"):
        return round(place.latitude), round(place.longitude)
    return None


def _settle(groups: list[_Group], evidence: dict[str | None, float]) -> None:
    """Let the candidates of all names vote for each other until the shares settle."""
    for group in groups:
        for candidate in group.candidates:
            candidate.score = candidate.base
        _share(group)
    for _ in range(_ROUNDS):
        country: defaultdict[str | None, float] = defaultdict(float, evidence)
        admin1: defaultdict[str | None, float] = defaultdict(float)
        cell: defaultdict[tuple[int, int], float] = defaultdict(float)
        for group in groups:
            for each in group.candidates:
                _vote(each, country, admin1, cell, 1.0)
        for group in groups:
            for each in group.candidates:
                _vote(each, country, admin1, cell, -1.0)
            for each in group.candidates:
                each.score = each.base + _support(each.place, country, admin1, cell)
            for each in group.candidates:
                _vote(each, country, admin1, cell, 1.0)
        for group in groups:
            _share(group)


def _share(group: _Group) -> None:
    top = max(each.score for each in group.candidates)
    weights = [math.exp(_SHARPNESS * (each.score - top)) for each in group.candidates]
    total = sum(weights)
    for each, weight in zip(group.candidates, weights, strict=True):
        each.share = weight / total


def _vote(
    each: _Candidate,
    country: defaultdict[str | None, float],
    admin1: defaultdict[str | None, float],
    cell: defaultdict[tuple[int, int], float],
    sign: float,
) -> None:
    weight = sign * each.share
    country[each.place.country] += weight
    admin1[each.place.admin1] += weight
    if here := _cells(each.place):
        cell[here] += weight


def _support(
    place: Place,
    country: defaultdict[str | None, float],
    admin1: defaultdict[str | None, float],
    cell: defaultdict[tuple[int, int], float],
) -> float:
    """What the rest of the document adds; each kind of vote saturates, so long lists do not drown everything."""
    total = 0.0
    if place.country:
        total += _COUNTRY * _saturated(country.get(place.country, 0.0))
    if place.admin1:
        total += _ADMIN1 * _saturated(admin1.get(place.admin1, 0.0))
    if here := _cells(place):
        near = sum(cell.get((here[0] + dy, here[1] + dx), 0.0) for dy in (-1, 0, 1) for dx in (-1, 0, 1))
        total += _NEAR * _saturated(near)
    return total


def _saturated(votes: float) -> float:
    return max(votes, 0.0) / (max(votes, 0.0) + 1.0)


def _row(mention: Mention, candidates: list[_Candidate], gazetteer: Gazetteer) -> LocationMention:
    start, end, surface = mention
    if not candidates:
        return LocationMention(start, end, surface, surface, "other", None, None, None, None, None, 0.0)
    best = max(candidates, key=lambda each: each.score)
    place = best.place
    # Namesakes a few kilometres apart (a city, its county) are the same answer.
    near = [
        each.share for each in candidates
        if abs(each.place.latitude - place.latitude) < 0.5 and abs(each.place.longitude - place.longitude) < 0.5
    ]  # fmt: skip
    return LocationMention(
        start=start,
        end=end,
        surface=surface,
        name=place.name,
        kind="city" if place.kind == "country" and place.country in _CITY_COUNTRIES else _KINDS[place.kind],
        country_code=place.country,
        admin1=gazetteer.admin1_names.get(place.admin1) if place.admin1 else None,
        geoname_id=place.geoname_id,
        latitude=place.latitude,
        longitude=place.longitude,
        confidence=round(min(1.0, sum(near)), 4),
    )

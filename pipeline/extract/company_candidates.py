"""Where company names may stand: every known name, every name that a recogniser found, every name with a legal form.

In: text, name spans, the register. Out: ``Entity`` records, each a name of the document with all its occurrences and
what was seen there. Overlaps are resolved here (the longest known name wins, "Bill Ford" is a person, "Tesla Model 3"
names Tesla), and the names of one firm are joined. Nothing is accepted or refused here; ``company_features`` and
``companies`` weigh the evidence.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from pipeline.gazetteer import CJK, CompanyRegister, KnownName
from pipeline.link.companies import (
    DESCRIPTIVE,
    HARD_FORM,
    LEGAL_FORM,
    SHARED_FIRST,
    join_names,
    normal_form,
    resolve,
    short_form,
)
from pipeline.records import NameSpan

_UNITS = frozenset({"HP"})  # company names that are also units of measure
_HAS_CAPITAL = re.compile(r"[A-Z\u00c0-\u00de]|\d|[^\x00-\x7f]")

MAX_NAME_CHARS = 80  # longer spans of recognisers are run-on headlines

_WORD_START = re.compile(r"(?<![\w@#\\])(?<![/.]/)\w+")
_STRAIGHT = re.compile("[’‘]")
_ADDRESS = re.compile(r"[./][\w-]+[^\s]*$|//[^\s]*$")
_TITLE = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|Sir|Lord|Lady|Prof|Professor|Judge|Justice|Senator|Sen|Rep|Gov)\.?\s+$")
_LEAD = re.compile(
    r"^(?:(?:the|a|an|and|or|of|at|by|with|for|from|in|its|former|rival|startup|start-up|automaker|carmaker|chipmaker|"
    r"The|A|An|And|But|While|When|If|As|At|By|For|From|In|Its|CEO|President|Chairman)\s+|[\"“”'‘’(\[]+)"
)
_TAIL = re.compile(r"(?:(?:['’]s|['’](?=$))|[\s,;:\"“”'‘’)\]]+|\s+(?:and|or|of|in|to|for|CEO|shares|stock))$")
_CAPITAL = r"[A-Z0-9][\w&+’'-]{0,30}(?:\.(?:ai|io|com|auto))?"
_WITH_FORM = re.compile(
    rf"(?<![\w.&-])(?:{_CAPITAL}(?:[ \u00a0]&)?[ \u00a0]){{0,4}}?{_CAPITAL}{HARD_FORM.pattern}(?!['’]?\w)"
)
_TICKERED = re.compile(
    rf"(?<![\w.&-])((?:{_CAPITAL}(?:[ \u00a0]&)?[ \u00a0]){{0,4}}{_CAPITAL}(?:,? (?:Inc|Corp|Co|Ltd|plc|AG)\.?)?)"
    r"[ \u00a0]\((?:NASDAQ|Nasdaq|NYSE|OTC|TSX|LSE|HKEX|NasdaqGS|NASDAQGS|[A-Z]{2,4})\s?:\s?[A-Z0-9.]{1,8}\)"
)
_DOT_COM = re.compile(r"(?<![\w@/.-])[A-Z][\w-]{1,24}\.(?:ai|AI|io|auto)\b")
_ACRONYM = re.compile(r"[ \u00a0]\(\s?(?:the\s)?[\"“]?([A-Z][A-Za-z0-9&.-]{1,7})[\"”]?(?:[;,:][^)]{0,30})?\)")
_OWN_PREFIX = re.compile(r"(?:[A-Z][\w&.-]*[ \u00a0]){1,3}")
_NATION = re.compile(
    r"\b(?:\w+(?:ese|ish|ian|ean|ican)|German|Dutch|French|Swiss|Thai|Czech|Greek|Israeli|Saudi|U\.?S\.?|U\.?K\.?|Inc\.?)\s$"
)
# What shares its first word with a firm: "the Amazon rainforest", "Kodiak bears", "the Juno spacecraft".
_NATURE = re.compile(
    r"[ \u00a0](?:rain ?forests?|forests?|basin|jungle|delta|bears?|trees?|groves?|juice|pie|orchards?|growers?|"
    r"pickers?|flowers?|ponds?|spacecraft|space probe|telescope)\b"
)
_HYPHENATED = re.compile(r"-[A-Z]")
_COMPOUND = re.compile(r"[-–](?:maker|owner|based|owned|backed|parent|listed|controlled)[ \u00a0]$")
_NEXT_CAPITALISED = re.compile(r"[ \u00a0]([A-Z][\w’'-]*)")
_INSTITUTION = re.compile(
    r"\b(?:Foundation|University|College|Center|Centre|Stadium|Museum|Building|Field|Arena|Park|Tower|Plaza|Award|Prize|"
    r"Institute|School|Hospital|Street|Avenue|River|Valley|County|Airport|Bridge|Cup|Open|Forum|Act|Law)\b"
)


@dataclass(frozen=True, slots=True)
class Mention:
    """One occurrence. ``known``: the register's entries; ``spans``: what recognisers and spelling say of this place.

    ``model``: a brand inside the name of a model or product.
    """

    start: int
    end: int
    surface: str
    known: tuple[KnownName, ...]
    spans: tuple[NameSpan, ...]
    model: bool


@dataclass(frozen=True, slots=True)
class Entity:
    """A name of the document with all its occurrences; ``company_id`` where the register knows it."""

    key: str
    company_id: str | None
    mentions: tuple[Mention, ...]


def entities(
    text: str, name_spans: Sequence[NameSpan], register: CompanyRegister, published: date | None = None
) -> list[Entity]:
    """All names of ``text`` that could be companies, in order of their first occurrence; see ``known_names``."""
    spans = [s for span in (*name_spans, *_spelled_companies(text)) if (s := _clean(text, span)) is not None]
    lookup = _Overlaps(spans)
    hits = list(known_names(text, register, published))
    read = [_known_mention(text, hit, lookup) for hit in hits]
    mentions = [mention for mention in read if mention is not None]
    refused = {hit[:2] for hit, mention in zip(hits, read, strict=True) if mention is None}
    taken = _Overlaps(mentions)
    loose = [
        s
        for s in spans
        if s.label in ("COMPANY", "ORGANISATION", "PRODUCT")
        and (s.start, s.end) not in refused
        and not taken.touching(s.start, s.end)
    ]
    mentions += _unknown_mentions(text, loose, lookup)
    mentions += _repeated(text, mentions, lookup)
    return _group(text, mentions, register)


def known_names(
    text: str, register: CompanyRegister, published: date | None = None
) -> Iterator[tuple[int, int, tuple[KnownName, ...], bool]]:
    """Occurrences of known names: start, end, entries, and whether it is a brand inside a model name.

    The longest name at a place wins. Spelling is exact for risky names; safe ones may also be in capitals
    ("TESLA") or capitalised differently ("Deeproute.ai"). Names that nobody bore when the article was ``published``
    are left out: "Cruise" was no firm in 1999.
    """
    plain = _STRAIGHT.sub("'", text)
    lower = plain.lower()
    if len(lower) != len(text):  # a few capitals have two-character small letters
        lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in plain)
    position = 0
    for word in _WORD_START.finditer(text):
        begin = word.start()
        if begin < position:
            continue
        upper = text[begin].isupper()
        key = word.group().lower() if upper else "=" + (text[begin] if CJK.match(text, begin) else word.group())
        for spelling in register.by_first_word.get(key, ()):
            start = begin - spelling.lead
            end = start + len(spelling.text)
            if not plain.startswith(spelling.text, start):
                if spelling.folded is None or not upper or not lower.startswith(spelling.folded, start):
                    continue
                if len(spelling.text) == 4 and not text[start:end].isupper():
                    continue
            if start < position or not _free(text, start, end) or _is_quantity(text, start, spelling.text):
                continue
            known = tuple(name for name in register.names[spelling.text] if register.borne(name, published))
            if not known:
                continue
            yield from _brand_of_product(start, known, register)
            yield start, end, known, False
            position = end
            break


def _is_quantity(text: str, start: int, name: str) -> bool:
    """ "1,100 HP" is horsepower; "1,350 GM workers" are General Motors'."""
    return name in _UNITS and bool(re.search(r"\d[ \u00a0]?$", text[max(0, start - 2) : start]))


def _brand_of_product(
    start: int, known: tuple[KnownName, ...], register: CompanyRegister
) -> Iterator[tuple[int, int, tuple[KnownName, ...], bool]]:
    """The maker's name at the head of a product name: "Tesla" of "Tesla Semi" names Tesla."""
    for name in known:
        if name.catalogue != "product" or name.company_id is None:
            continue
        words = name.text.split()
        for count in range(len(words) - 1, 0, -1):
            head = " ".join(words[:count])
            entries = register.names.get(head, ())
            if any(entry.company_id == name.company_id and entry.catalogue == "company" for entry in entries):
                yield start, start + len(head), entries, True
                return


def _free(text: str, start: int, end: int) -> bool:
    """No part of a longer word, a domain, an address or a handle."""
    if end < len(text):
        after = text[end]
        if (after.isalnum() or after in "@_") and not (CJK.match(after) and CJK.match(text, end - 1)):
            return False
        if after == "." and end + 1 < len(text) and text[end + 1].islower():
            return False
    if start and text[start - 1] == "." and start > 1 and text[start - 2].isalnum():
        return False
    if start and text[start - 1] == "/":  # "Waymo/Google" is a list, "example.org/Waymo" an address
        return start > 1 and text[start - 2].isalpha() and not _ADDRESS.search(text[max(0, start - 60) : start])
    return not (start and (text[start - 1].isalnum() or text[start - 1] in "@#_"))


def _clean(text: str, span: NameSpan) -> NameSpan | None:
    """The span without articles, quotes, possessives and line ends at its borders; None where no name is left."""
    start, end = span.start, min(span.end, len(text))
    newline = text.find("\n", start, end)
    if newline > start:
        end = newline
    while start < end and (match := _LEAD.match(text[start:end])):
        start += match.end()
    while start < end and text[start].isspace():
        start += 1
    while start < end and (match := _TAIL.search(text[max(start, end - 12) : end])):
        end -= match.end() - match.start()
    surface = text[start:end]
    if not 1 < len(surface) <= MAX_NAME_CHARS or not _HAS_CAPITAL.search(surface):
        return None
    return replace(span, start=start, end=end)


class _Overlaps:
    """Which of some sorted, possibly nested ranges touch a range; ranges are at most ``MAX_NAME_CHARS`` long or so."""

    def __init__(self, items: Iterable[NameSpan | Mention]) -> None:
        self._items = sorted(items, key=lambda item: item.start)
        self._starts = [item.start for item in self._items]
        self._longest = max((item.end - item.start for item in self._items), default=0)

    def touching(self, start: int, end: int) -> list[NameSpan | Mention]:
        first = bisect_left(self._starts, start - self._longest)
        last = bisect_left(self._starts, end)
        return [item for item in self._items[first:last] if item.end > start]


def _known_mention(text: str, hit: tuple[int, int, tuple[KnownName, ...], bool], lookup: _Overlaps) -> Mention | None:
    """A known name at one place, unless the place shows that something else is meant."""
    start, end, known, model = hit
    spans = _spans(lookup, start, end)
    companies = [name for name in known if name.catalogue == "company"]
    if companies:
        risk = companies[0].risk
        if _TITLE.search(text[max(0, start - 12) : start]) or _NATURE.match(text, end):
            return None
        if risk != "none" and _is_place_before_its_parent(text, end, lookup):
            return None
        if _is_the_place(text, start, end, spans):
            return None
        for span in spans:
            around = (span.start < start or span.end > end) and span.start <= start and span.end >= end
            if around and _is_another_thing(text, start, end, risk, span):
                return None
        if (
            risk in ("english_word", "short_acronym")
            and text[end : end + 1] == "-"
            and text[end + 1 : end + 2].islower()
        ):
            return None
        form = LEGAL_FORM.match(text, end)
        if form and not model:
            end = (
                form.end()
                if not text[end : form.end()].endswith(".") or _keeps_stop(text, form.end())
                else form.end() - 1
            )
    return Mention(start, end, text[start:end], known, spans, model)


def _is_place_before_its_parent(text: str, end: int, lookup: _Overlaps) -> bool:
    """ "Aurora, Colorado, voted": a place that recognisers find after the comma."""
    if not text.startswith(", ", end):
        return False
    parents = [s for s in _spans(lookup, end + 2, end + 3) if s.label == "PLACE" and s.start == end + 2]
    return any(text[s.end : s.end + 1] in ("", ",", ".", ")", ";") for s in parents)


def _is_the_place(text: str, start: int, end: int, spans: Sequence[NameSpan]) -> bool:
    """ "In the Amazon, drones count": with an article and no noun after it, where a recogniser reads a place."""
    alone = text.endswith("the ", 0, start) and text[end : end + 1] in ("", ",", ".", ";", ")")
    return alone and any(span.label == "PLACE" for span in spans)


def _is_another_thing(text: str, start: int, end: int, risk: str, span: NameSpan) -> bool:
    rest, prefix = text[end : span.end], text[span.start : start]
    if span.label == "PERSON":
        return risk != "none" and span.end == end and start > span.start and text[start - 1] == " "
    if span.label == "PLACE":
        return risk != "none" or bool(_INSTITUTION.search(rest))
    if _INSTITUTION.search(rest):
        return True
    if span.label == "ORGANISATION" and span.method == "classifier" and _HYPHENATED.match(rest):
        return True  # "Nuro-Linguistic Society"
    if (
        span.label == "COMPANY"
        and span.method != "spacy"
        and _OWN_PREFIX.fullmatch(prefix)
        and not _NATION.search(prefix)
        and not (span.method in ("legal_form", "ticker") and _may_be_no_name(text, span.start, prefix))
    ):
        return True  # "Shanghai Volkswagen" is a firm of its own
    follows = _NEXT_CAPITALISED.match(rest)
    return bool(follows) and risk in ("english_word", "place_name", "short_acronym") and not LEGAL_FORM.match(rest)


def _may_be_no_name(text: str, start: int, prefix: str) -> bool:
    """The capital may be that of a sentence, and "Benz-maker" is no name: spelling proves no longer name there."""
    before = text[max(0, start - 3) : start].rstrip(" \u00a0\"“'‘")
    return not before or before[-1] in ".!?:;\n)-–—*" or bool(_COMPOUND.search(prefix))


def _keeps_stop(text: str, end: int) -> bool:
    """The full stop of "Inc." belongs to the name unless it also ends the sentence."""
    return bool(re.match(r"[ \u00a0]?[a-z,;)]|['’]", text[end : end + 2]))


def _spelled_companies(text: str) -> Iterator[NameSpan]:
    """Names that their spelling shows to be firms; ``method`` says by what."""
    for match in _WITH_FORM.finditer(text):
        end = match.end() if not match.group().endswith(".") or _keeps_stop(text, match.end()) else match.end() - 1
        yield NameSpan(match.start(), end, "COMPANY", 1.0, "legal_form")
    for match in _TICKERED.finditer(text):
        yield NameSpan(match.start(1), match.end(1), "COMPANY", 1.0, "ticker")
    for match in _DOT_COM.finditer(text):
        yield NameSpan(match.start(), match.end(), "COMPANY", 1.0, "domain")


# Where spans of several methods overlap, the first of these draws the borders of the name.
_BORDERS = {"classifier": 0, "legal_form": 1, "ticker": 2, "spacy": 3, "domain": 4}


def _unknown_mentions(text: str, spans: Sequence[NameSpan], lookup: _Overlaps) -> list[Mention]:
    """Names outside the register, each place once; a legal form that follows belongs to the name."""
    taken: dict[int, int] = {}
    for span in sorted(spans, key=lambda s: (_BORDERS.get(s.method, 9), s.start, -s.end)):
        start, end = span.start, span.end
        form = HARD_FORM.match(text, end)
        if form:
            end = form.end() if not form.group().endswith(".") or _keeps_stop(text, form.end()) else form.end() - 1
        if end - start < 2 or not _free(text, start, end) or any(s < end and e > start for s, e in taken.items()):
            continue
        taken[start] = end
    return [
        Mention(start, end, text[start:end], (), _spans(lookup, start, end), False)
        for start, end in sorted(taken.items())
    ]


def _spans(lookup: _Overlaps, start: int, end: int) -> tuple[NameSpan, ...]:
    return tuple(s for s in lookup.touching(start, end) if isinstance(s, NameSpan))


def _repeated(text: str, mentions: Sequence[Mention], lookup: _Overlaps) -> list[Mention]:
    """Further occurrences of unknown names and of their certain short forms, which no recogniser marked."""
    surfaces: dict[str, None] = {}
    for mention in mentions:
        if mention.known:
            continue
        short = short_form(mention.surface)
        acronym = _ACRONYM.match(text, mention.end)
        further = [short, acronym.group(1) if acronym and acronym.group(1)[0] == mention.surface[0] else None]
        for name in (mention.surface, LEGAL_FORM.sub("", mention.surface), *filter(None, further)):
            if len(name) > 2 and not name.islower():
                surfaces.setdefault(name, None)
    if not surfaces:
        return []
    alternatives = "|".join(re.escape(name) for name in sorted(surfaces, key=len, reverse=True))
    taken = _Overlaps(mentions)
    found = []
    for match in re.finditer(rf"(?<!\w)(?:{alternatives})(?!\w)", text):
        start, end = match.span()
        if taken.touching(start, end) or not _free(text, start, end):
            continue
        spans = _spans(lookup, start, end)
        person = any(s.label == "PERSON" and s.start < start and s.end == end for s in spans)
        if not person and not _TITLE.search(text[max(0, start - 12) : start]):
            found.append(Mention(start, end, match.group(), (), spans, False))
    return found


def _may_abbreviate(short: str, mention: Mention, register: CompanyRegister, company_id: str | None) -> bool:
    """The letters in brackets after a firm's name: its acronym or its ticker symbol."""
    ticker = register.companies[company_id].ticker if company_id else None
    return short[0] == mention.surface[0] or (ticker is not None and ticker.endswith(f":{short}"))


def _first_words(company_of_form: Mapping[str, str], certain: Collection[str]) -> dict[str, str]:
    """The first words of a certain company's name, where no other known name begins so: "Starsky" of "Starsky
    Robotics"."""
    found: dict[str, set[str]] = defaultdict(set)
    for form, company_id in company_of_form.items():
        words = form.split()
        for count in range(1, len(words)):
            found[" ".join(words[:count])].add(company_id)
    return {
        head: min(ids)
        for head, ids in found.items()
        if len(ids) == 1 and ids <= set(certain) and len(head) > 3 and head not in SHARED_FIRST | DESCRIPTIVE
    }


def _group(text: str, mentions: Sequence[Mention], register: CompanyRegister) -> list[Entity]:
    """Join the names of one firm: the register's spellings, short names, acronyms in brackets."""
    certain = {
        name.company_id
        for mention in mentions
        for name in mention.known
        if name.catalogue == "company" and name.company_id and name.risk == "none" and len(mention.known) == 1
    }
    companies = {id(m): resolve(m.known, sorted(certain)) for m in mentions}
    forms = {id(m): normal_form(m.surface) for m in mentions}
    acronyms = {}
    for mention in mentions:
        match = _ACRONYM.match(text, mention.end)
        if match and match.group(1)[0].casefold() == forms[id(mention)][:1] and " " in forms[id(mention)]:
            acronyms[normal_form(match.group(1))] = forms[id(mention)]
    loose = [m for m in mentions if companies[id(m)] is None]
    joined = join_names([forms[id(m)] for m in loose] + list(acronyms.values()), acronyms)
    new = {forms[id(m)] for m in loose if not m.known and not m.surface.split()[-1][0].islower()}
    company_of_form = {forms[i]: c for i, c in companies.items() if c is not None}
    for mention in mentions:
        company_id = companies[id(mention)]
        match = _ACRONYM.match(text, mention.end)
        if match and company_id in certain and _may_abbreviate(match.group(1), mention, register, company_id):
            company_of_form.setdefault(normal_form(match.group(1)), company_id)
    company_of_form = _first_words(company_of_form, certain) | company_of_form
    grouped: dict[str, list[Mention]] = defaultdict(list)
    ids: dict[str, str | None] = {}
    for mention in mentions:
        company_id, form = companies[id(mention)], forms[id(mention)]
        if company_id is not None and company_id not in certain and mention.known[0].risk != "none":
            longer = {joined[f] for f in new if f.startswith(form + " ")}
            if len(longer) == 1:  # "Aurora" in a text about Aurora Cannabis
                company_id, form = None, longer.pop()
        if company_id is None:
            form = joined.get(form, form)
            company_id = company_of_form.get(form) if not mention.known else None
        key = company_id or f" {form}"  # a form may be spelled as an id
        grouped[key].append(mention)
        ids[key] = company_id
    found = [
        Entity(key.strip(), ids[key], tuple(sorted(group, key=lambda m: m.start)))
        for key, group in grouped.items()
        if key != " "
    ]
    return sorted(found, key=lambda entity: entity.mentions[0].start)

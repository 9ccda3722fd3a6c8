"""Find statements of SAE J3016 driving-automation levels.

In: plain text. Out: ``LevelMention`` rows in text order, with range, plus, negation and confidence; spans never
overlap. Whose system has the level is decided by ``pipeline.extract.level_owners``; ``company_*`` stay None here.

Two sorts of wording: explicit ones ("Level 4", "L2+", "Levels 3 to 5", "SAE level three") are a small grammar in this
module; wordings that only imply a level ("eyes-off", "driverless") and those that look like one but are none
("Level 2 charger", "L4 engine") are rows of ``corpora/gazetteers/levels.csv``.

It will not guess a level from "self-driving", nor read tables or levels written inside images.
"""

from __future__ import annotations

import csv
import functools
import re
from dataclasses import dataclass
from importlib import resources

from pipeline.extract.negation import is_denied
from pipeline.records import LevelMention

WORDS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5,
    "null": 0, "eins": 1, "zwei": 2, "drei": 3, "vier": 4, "fünf": 5,
    "i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5,
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5,
}  # fmt: skip
HIGHEST = 5
# Characters on each side in which a driving word makes "Level 4" a level of driving automation: about a sentence.
# F1 on half of the written articles: 80 gives .958, 160 .968, 320 .970; wider takes in the next of several short items.
NEAR = 160
# Confidence of a level with no driving word near, in an article about driving.
IN_PASSING = 0.65

_WORD = r"(?:[Zz]ero|ZERO|[Oo]ne|[Tt]wo|[Tt]hree|[Ff]our|[Ff]ive|ONE|TWO|THREE|FOUR|FIVE)"
_GERMAN_WORD = r"(?:[Nn]ull|[Ee]ins|[Zz]wei|[Dd]rei|[Vv]ier|[Ff]ünf)"
_ROMAN = r"(?:I{1,3}|IV|V)"
# "2.9" is marketing for a strong Level 2; "2.0" is Level 2; "L2.5" must not be read as "L2".
_DIGIT = r"(?:2\.\d{1,2}|[0-5])(?![\d]|[.,]\d)"
_DASH = r"[-\u2010-\u2015]"
_PLUS = rf"(?:\s?\+{{1,2}}|[\s]?{_DASH}?[Pp](?:lus|LUS){_DASH}?\b(?:[\s-][Pp]lus\b)?|{_DASH}?\s[Pp]lus\b)?"
_AREA = r"(?:[Aa]utonomous[\s-]driving|[Aa]utomated[\s-]driving|[Dd]riving[\s-][Aa]utomation|[Aa]utonomy|[Aa]utomation)"
_SAE = rf"(?:SAE(?:\s(?:J3016|International)){{0,2}}|J3016)(?:\s|{_DASH})?"
_LONG = (
    rf"(?:{_AREA}\s)?(?:[Ll]evels?|LEVELS?|[Ss]tufen?|Autonomiestufen?|Autonomielevels?|Automatisierungsstufen?|"
    rf"Automatisierungsgrad|[Nn]iveau|[Nn]ivel|[Ll]ivello|[Nn]iv[åa]|razin[aeu]|stupanj|レベル|레벨)(?:\s|{_DASH})?L?"
)
_SHORT = rf"L{_DASH}?"
_NUMBER = rf"(?:{_DIGIT}|{_WORD}\b|{_GERMAN_WORD}\b|{_ROMAN}\b)"
_HEAD = rf"(?:{_SAE})?(?:{_LONG}(?={_DIGIT}|\b{_WORD}\b|{_GERMAN_WORD}\b|{_ROMAN}\b)|{_SHORT}(?={_DIGIT}))"
_JOIN = (
    rf"(?:\s(?:to|through|thru|bis|and|or|und|oder|and/or|or\seven(?:\son)?)\s|"
    rf"-to-|\s?(?:{_DASH}|[/&~\u301c至到、])\s?|,\s(?:and\s|or\s)?)"
)
_UP = (
    r"(?:,?\s(?:or|and)\s(?:higher|above|beyond|more|greater|up|upwards?|better|over)\b|\s(?:onwards?|upwards?)\b|"
    r"\s(?:und|oder)\s(?:höher|darüber)\b)?"
)
_DOWN = r"(?:,?\s(?:or|and)\s(?:lower|below|under|less|beneath)\b)?"
_EXPLICIT = re.compile(
    rf"(?P<before>\b(?i:at\sleast|no\sless\sthan|minimum\sof|above|beyond|higher\sthan)\s)?"
    rf"(?P<item>(?<![A-Za-z0-9_.])(?P<head>{_HEAD})(?P<n1>{_NUMBER})(?P<p1>{_PLUS})"
    rf"(?P<rest>(?:{_JOIN}(?:{_HEAD})?{_NUMBER}{_PLUS}(?![A-Za-z0-9_%])){{0,5}})"
    rf"(?P<up>{_UP})(?P<down>{_DOWN}))(?![A-Za-z0-9_%])"
)
_NEXT = re.compile(rf"(?P<join>{_JOIN})(?P<head>{_HEAD})?(?P<n>{_NUMBER})(?P<p>{_PLUS})")
# Other word orders, all directly at a word of driving: "class 3 autonomous driving", "third-level self-driving",
# "level of automation is 4".
_REORDERED = re.compile(
    r"\b(?:[Gg]rade|[Cc]lass|[Ss]tage|[Rr]ank)[\s-]L?(?P<a>[0-5])(?=\s(?:(?:and\s)?above\s)?(?:autonom|"
    r"automa|self-driv|intelligent\sdriv))"
    r"|\b(?P<b>[Ff]irst|[Ss]econd|[Tt]hird|[Ff]ourth|[Ff]ifth)[\s-]level(?=\s(?:of\s)?(?:autonom|"
    r"automat|self-driv|driving))"
    rf"|\b[Ll]evel\sof\s(?:driving\s)?(?:autonomy|automation)\s(?:is|of|at|to)\s(?P<c>[0-5]\b|{_WORD}\b)"
)
# Cheap tests that a text may state a level at all; most articles of an archive stop here.
_HINT_WORDS = (
    "level", "j3016", "stufe", "automatisierungsgrad", "niveau", "nivel", "livello", "nivå", "niva", "razin", "stup",
    "レベル", "레벨", "grade ", "grade-", "class ", "class-", "stage ", "stage-", "rank ", "rank-",
)  # fmt: skip
_HINT_SHORT = re.compile(r"L[-\u2010-\u2015]?[0-5]")
_DRIVING_NOUN = re.compile(
    r"[\s-]?(?:级|級|-?(?:level|ready|capable|enabled|rated|class|grade|certified))?\s?(?:[\w-]+\s)?"
    r"(?:autonom|automat|self-driv|driv(?:e|ing)\b|driver|vehicle|car\b|cars\b|"
    r"truck|shuttle|taxi|robo|bus\b|van\b|system|"
    r"function|feature|ADAS|technolog|capab|software|pilot|Fahr)"
)
# "Somebody's L4 stack": the maker and the product say it, whatever the article is about.
_POSSESSIVE = ("'s ", "’s ", "its ", "our ", "their ")
_PRODUCT = re.compile(
    r"\s(?:stack|software|kit|suite|system|pilot|chauffeur|platform|computer|product|feature|function)s?\b"
)
_TRANSITION = re.compile(r"^[\s,-]*(?:to|through|thru|bis|至|到)", re.IGNORECASE)
_DENIED_FLOOR = re.compile(r"\b(?:nothing|not|no|never|neither|nor|none|without)\b[^.;!?\n]{0,60}$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Reading:
    """One match of the grammar. ``sae``: its own words say that it is a driving level; ``foreign``: they are ambiguous
    ones (Stufe, Niveau, roman numerals) that need a driving word close by.
    """

    start: int
    end: int
    low: int
    high: int
    plus: bool
    sae: bool
    foreign: bool


@dataclass(frozen=True, slots=True)
class _Wordings:
    """``corpora/gazetteers/levels.csv`` compiled: what implies a level, what is none, what says it is about driving."""

    implied: tuple[tuple[re.Pattern[str], int, int, float, tuple[str, ...]], ...]
    vetoes: tuple[re.Pattern[str], ...]
    any_veto: re.Pattern[str]
    cue: re.Pattern[str]
    weak_cue: re.Pattern[str]


@functools.cache
def wordings() -> _Wordings:
    """Read and compile the rows once a process. A row with a bad pattern raises ``re.error`` naming the pattern."""
    source = resources.files("corpora").joinpath("gazetteers/levels.csv")
    rows = list(csv.DictReader(source.read_text(encoding="utf-8").splitlines()))
    by_kind: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_kind.setdefault(row["kind"], []).append(row)
    return _Wordings(
        implied=tuple(
            (
                re.compile(r["pattern"]),
                int(r["level_min"]),
                int(r["level_max"]),
                float(r["confidence"]),
                tuple(r["hint"].split("|")),  # one of them stands in every lower-cased text that the pattern reads
            )
            for r in by_kind["implied"]
        ),
        any_veto=re.compile("|".join(f"(?:{r['pattern']})" for r in by_kind["veto"])),
        vetoes=tuple(re.compile(r["pattern"]) for r in by_kind["veto"]),
        cue=re.compile("|".join(f"(?:{r['pattern']})" for r in by_kind["cue"]), re.IGNORECASE),
        weak_cue=re.compile("|".join(f"(?:{r['pattern']})" for r in by_kind["weak_cue"]), re.IGNORECASE),
    )


def find_levels(text: str) -> list[LevelMention]:
    """All level statements of ``text``, explicit and implied, in text order and without overlap.

    Confidence is graded by how near a word of driving stands: .97 with "SAE" or an autonomy word beside the level,
    .9 with one within a sentence's length, .8 with a car or a driver there, ``IN_PASSING`` elsewhere in an article
    about driving. A level in a text that has none of these is left out.
    """
    lowered = text.lower()
    may_state = _HINT_SHORT.search(text) is not None or any(word in lowered for word in _HINT_WORDS)
    explicit = _find_explicit(text) if may_state else []
    taken = [(m.start, m.end) for m in explicit]
    implied = [
        m for m in _find_implied(text, lowered) if not any(m.start < end and start < m.end for start, end in taken)
    ]
    return sorted(explicit + implied, key=lambda m: (m.start, m.end))


def _find_explicit(text: str) -> list[LevelMention]:
    graded: list[tuple[_Reading, float]] = []
    position = 0
    while match := _EXPLICIT.search(text, position):
        reading = _read(match)
        position = max(reading.end, match.start() + 1)
        if reading.low <= HIGHEST and not _is_vetoed(text, reading.start, reading.end):
            graded.append((reading, _confidence(text, reading)))
    # A bare "level four" counts in an article that speaks of driving levels elsewhere, of automated driving at all, or
    # of three different levels: floors and chargers do not come in such ladders without a veto.
    about_driving = any(c for _, c in graded) or len({r.low for r, _ in graded if not r.foreign}) >= 3
    about_driving = about_driving or (bool(graded) and wordings().cue.search(text) is not None)
    out = [
        _mention(text, r.start, r.end, r.low, r.high, r.plus, c or IN_PASSING)
        for r, c in graded
        if c or (about_driving and not r.foreign)
    ]
    for match in _REORDERED.finditer(text):
        if not any(m.start < match.end() and match.start() < m.end for m in out):
            level = _value(match["a"] or match["b"] or match["c"])[0]
            out.append(_mention(text, match.start(), match.end(), level, level, False, 0.85))
    return sorted(out, key=lambda m: m.start)


def _mention(text: str, start: int, end: int, low: int, high: int, plus: bool, confidence: float) -> LevelMention:
    return LevelMention(
        start, end, text[start:end], low, high, plus, True, is_denied(text, start, end), None, None, confidence
    )


def _value(number: str) -> tuple[int, bool]:
    """Level and plus of one number: "four" is (4, False), "2.9" is (2, True), "2.0" is (2, False)."""
    if number[0].isdigit():
        fraction = number.partition(".")[2]
        return int(number[0]), bool(fraction) and fraction[0] >= "5"
    return WORDS[number.lower()], False


def _read(match: re.Match[str]) -> _Reading:
    """Span, lowest and highest level and plus of one match of the grammar.

    "N+" is N to N with plus for Level 2, as carmakers use it; above that it reads "N or higher".
    """
    text = match.string
    first, strong = _value(match["n1"])
    plus = strong or bool(match["p1"].strip())
    low = high = first
    end = match.end("p1")
    plural = "s" in match["head"].lower().removeprefix("sae")
    position = end
    while position < match.end("rest") and (more := _NEXT.match(text, position)):
        value, strong = _value(more["n"])
        if not _joins(text, more, high, plus, value, plural):
            break
        low, high = min(low, value), max(high, value)
        plus = plus or strong or bool(more["p"].strip())
        end = position = more.end()
    complete = end == match.end("rest")
    plus = plus and low == high
    if plus and low > 2:
        high, plus = HIGHEST, False
    if complete and match["up"]:
        high, end = HIGHEST, match.end("up")
    elif complete and match["down"]:
        low, end = 0, match.end("down")
    start = match.start("item")
    before = (match["before"] or "").strip().lower()
    if before in ("above", "beyond", "higher than"):
        # "certified no higher than", "nothing above Level 2": what it has is Level 2.
        if not _DENIED_FLOOR.search(text[max(0, match.start() - 70) : match.start()]) and low == high < HIGHEST:
            start, low, high, plus = match.start(), low + 1, HIGHEST, False
    elif before:
        start, high = match.start(), HIGHEST
    sae = re.search(rf"SAE|J3016|{_AREA}|Automati|Autonomie", match["head"]) is not None
    foreign = re.match(r"[LlÀ-ɏ]", match["head"]) is None or match["n1"][0] in "IV"
    return _Reading(start, end, low, high, plus, sae, foreign)


def _joins(text: str, more: re.Match[str], before: int, plus: bool, value: int, plural: bool) -> bool:
    """Whether the next number belongs to the same item: "Levels 3 and 4", "L2-L4", but not "Level 4 and two partners".

    A range rises. Without "to" or a dash the levels are neighbours: "L2 and L4" are two items.
    """
    join = more["join"].strip().lower()
    reaching = bool(_TRANSITION.match(more["join"])) or re.fullmatch(rf"{_DASH}|~|\u301c", join) is not None
    if value == before and more["p"]:
        return join in ("/", "or")
    if not reaching and (strong := bool(more["p"].strip())) != plus and (strong or plus):
        return False
    if value <= before or (value != before + 1 and not reaching):
        return False
    if more["head"]:
        return not join.startswith(",")
    if plural:
        return True
    if not more["n"][0].isdigit():
        return reaching and not text[more.end() : more.end() + 1].isspace()
    after = text[more.end() : more.end() + 40]
    ends = not after.strip() or after.lstrip()[0] in ".,;:!?)\"”'’"
    return reaching or join in ("/", "or", "&") or ends or _DRIVING_NOUN.match(after) is not None


def _is_vetoed(text: str, start: int, end: int) -> bool:
    left = max(0, start - 60)
    window = text[left : end + 60].replace("\n", " ")
    return any(begin < end - left and start - left < stop for begin, stop in _vetoes(window))


# A page that repeats one line, as boilerplate does, is looked at once.
@functools.lru_cache(maxsize=1024)
def _vetoes(window: str) -> tuple[tuple[int, int], ...]:
    if not wordings().any_veto.search(window):
        return ()
    return tuple(hit.span() for veto in wordings().vetoes for hit in veto.finditer(window))


def _confidence(text: str, reading: _Reading) -> float:
    """By what stands around; 0.0 where nothing near says that the level is one of driving."""
    if reading.sae:
        return 0.97
    start, end = reading.start, reading.end
    cue = _cue(text[max(0, start - NEAR) : start] + " " + text[end : end + NEAR])
    if cue == "strong":
        return 0.97 if _DRIVING_NOUN.match(text[end : end + 45]) else 0.9
    if reading.foreign:
        return 0.0
    if cue == "weak":
        return 0.8
    return (
        0.7
        if reading.plus
        or (text[max(0, start - 6) : start].endswith(_POSSESSIVE) and _PRODUCT.match(text[end : end + 20]))
        else 0.0
    )


@functools.lru_cache(maxsize=1024)
def _cue(near: str) -> str:
    if wordings().cue.search(near):
        return "strong"
    return "weak" if wordings().weak_cue.search(near) else ""


def _find_implied(text: str, lowered: str) -> list[LevelMention]:
    found: list[LevelMention] = []
    for pattern, low, high, confidence, hints in wordings().implied:
        if not any(hint in lowered for hint in hints):
            continue
        for match in pattern.finditer(text):
            start, end = match.span()
            if any(start < m.end and m.start < end for m in found):
                continue
            denied = is_denied(text, start, end)
            found.append(LevelMention(start, end, match[0], low, high, False, False, denied, None, None, confidence))
    return found

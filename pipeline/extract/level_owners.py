"""Decide whose system has a stated level of driving automation.

In: the levels and company mentions of one document and its spaCy ``Doc`` (tokens and sentences suffice, no parser).
Out: the same levels with ``company_id`` and ``company_name``, None where the remark is a general one.

Each level weighs every company of the document, and "nobody in particular", by a linear score over the cues that a
reader uses: a possessive before the level, the company last named, "by X" after it, a pronoun that points back, the
subject of the headline, generic plurals, the voice of a regulator. The weights are learnt
(``models/level_owners``); this module will not find levels or companies.
"""

from __future__ import annotations

import bisect
import functools
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import TYPE_CHECKING

from pipeline.records import CompanyMention, LevelMention

if TYPE_CHECKING:
    from spacy.tokens import Doc

NOBODY = ""
# Of a document with more mentions in all than these, a level is weighed against those of the title and so many before
# and after it: the work grows with the square of the mentions (400 firms and 800 levels took 60 s, now 4 s).
MENTIONS_BEFORE, MENTIONS_AFTER = 80, 20
# What the encoder makes of a level counts as one more cue. Held-out levels with company .654 without it, .748 with
# weights from .5 to 1.5, .617 with it almost alone; a company out of its reach counts as one of a hundred.
READ_WEIGHT = 1.0
UNREAD_SHARE = 0.01
_POINTER = re.compile(
    r"\b(?:[Ii]ts?|[Tt]he(?:ir|y)|[Oo]urs?|[Ww]e|us|[Hh]is|[Hh]er)\b"
    r"|\b[Tt]he\s(?:[\w-]+\s)?(?:company|firm|start-?up|group|car-?maker|automaker|"
    r"manufacturer|supplier|developer|maker|operator|"
    r"vendor|concern|enterprise|brand|producer|builder|newcomer|challenger|applicant|venture|unit|subsidiary)\b"
)
_PRODUCT = re.compile(
    r"\b[Tt]he\s(?:[\w-]+\s){0,2}(?:systems?|software|vehicles?|cars?|shuttles?|"
    r"bus(?:es)?|trucks?|vans?|pilot|assistant|function|stack|"
    r"kit|platform|fleet|chip|model|technology|product|robotaxis?|cabs?|pods?|minibus(?:es)?|tractors?)\b"
)
_CLASSED = re.compile(
    r"\b(?:rat|class|classif|describ|call|label|designat|specif|claim|certif|"
    r"approv|file|rank|market|sold|sell|offer|develop|build|built|"
    r"mak|has|have|had|want|plan|aim|promis|launch|present|unveil|equip|fit|"
    r"us|work|run|operat|test|achiev|reach|pass|drive)\w{0,4}\b"
)
_GENERAL = re.compile(
    r"\b(?:laws?|legal|rules?|regulat\w+|ministr\w+|ministers?|authorit\w+|SAE|"
    r"J3016|standards?|defin\w+|surveys?|analysts?|forecasts?|"
    r"market|study|scale|stud(?:y|ies)|consultanc\w+|experts?|professor|ladder|"
    r"anyone|whoever|drafts?|committee|parliament|lawmakers|"
    r"industry|carmakers|automakers|suppliers|manufacturers|people|liabilit\w+|"
    r"insur\w+|categor\w+|bill|proposal|respondents|per\s?cent)\b"
)
_MODAL = re.compile(r"\b(?:would|could|should|might|must|needs?|requires?|required|if|whether|when|means?|is\swhen)\b")
_FORECAST = re.compile(r"\b(?:by|in|until|before)\s20[2-9]\d\b|\bper\s?cent\b|%|\bmillion\s(?:cars|vehicles)\b")
_PLURAL_NEXT = re.compile(
    r"[\s-](?:[\w-]+\s){0,2}(?:vehicles|cars|systems|trucks|functions|features|"
    r"shuttles|robotaxis|taxis|vans|models|technologies|autonomy|automation)\b"
)
_BARE_NEXT = re.compile(
    r"\s?(?:[.,;:?!)\"”]|(?:is|are|was|will|would|means|could|may|might|can|and|or|needs|requires)\b)"
)
_POSSESSED = re.compile(r"^['’](?:s\b)?[^.;:!?\n]{0,45}$")
_MAKER_AFTER = re.compile(r"^[^.;:!?\n]{0,70}\b(?:by|from|of)\s(?:[\w.'’-]+\s){0,4}$")
_PREPOSITION = re.compile(
    r"\b(by|from|of|with|to|for|at|in|and|or|on|than|unlike|like|against|rival|"
    r"competitor)\s(?:the\s|its\s)?(?:[\w.'’-]+\s){0,2}$",
    re.I,
)
_CLAUSE = re.compile(
    r"[;:\u2013\u2014]|\s-\s|,\s(?:while|whereas|but|and|which|who|though|although)\s|\b(?:while|whereas)\b"
)


_MADE = (
    r"(?:software|technolog\w+|systems?|kits?|stacks?|driving\s\w+|pilots?|brains?|"
    r"vehicles?|shuttles?|robotaxis?|autonomy|platform|driver|function|suite|"
    r"assistant)"
)
# How a document speaks of a company, by what stands before and after one of its mentions.
_ROLES_BEFORE = {
    "provider": re.compile(rf"\b{_MADE}\s(?:[\w-]+\s){{0,3}}(?:from|by|of)\s(?:the\s)?(?:[\w.'’-]+\s){{0,3}}$", re.I),
    "developer": re.compile(
        r"\b(?:developer|start-?up|software\s(?:house|maker|firm)|specialist|autonomy\s(?:firm|"
        r"company)|robotaxi\s(?:firm|company))\s$",
        re.I,
    ),
    "supplied_by": re.compile(
        r"\b(?:suppl(?:y|ied)|provided|developed|built|made|produced|delivered|programmed|"
        r"written)\s(?:\w+\s)?by\s(?:the\s)?(?:[\w.'’-]+\s){0,3}$",
        re.I,
    ),
    "customer": re.compile(
        r"\b(?:to|for|customers?|operator|retailer|grocer|haulier|carrier|fleet|"
        r"client|buyer)\s(?:the\s)?(?:[\w.'’-]+\s){0,2}$",
        re.I,
    ),
    "investor": re.compile(
        r"\b(?:investors?|fund|backers?|led\sby|bank|insurer|shareholders?)\s(?:the\s)?(?:[\w.'’-]+\s){0,2}$", re.I
    ),
    "chipmaker": re.compile(
        r"\b(?:chips?|processors?|sensors?|lidars?|radars?|cameras?|computers?|domain\scontrollers?|"
        r"maps?)\s(?:\w+\s)?(?:from|by|of)\s(?:the\s)?(?:[\w.'’-]+\s){0,3}$",
        re.I,
    ),
    "rival": re.compile(
        r"\b(?:rivals?|competitors?|unlike|peers?|against|compared\swith)\s(?:the\s)?(?:[\w.'’-]+\s){0,2}$", re.I
    ),
}
_ROLES_AFTER = {
    "provider": re.compile(rf"(?:['’]s?)?\s(?:own\s)?(?:[\w-]+\s){{0,2}}{_MADE}\b", re.I),
    "developer": re.compile(
        r",?\s(?:is\s)?(?:an?|the)\s(?:[\w'’-]+\s){0,3}(?:developer|start-?up|software\shouse|"
        r"specialist|robotaxi)",
        re.I,
    ),
    "customer": re.compile(
        r",?\s(?:has\s|had\s|will\s)?(?:order|buy|bought|pay|paid|operates|an?\s(?:\w+\s)?(?:operator|"
        r"retailer|carrier))",
        re.I,
    ),
    "investor": re.compile(r"\s(?:Capital|Ventures|Partners|Holding|Fund|Invest\w*|Bank|led|invest\w*)\b"),
    "chipmaker": re.compile(
        r"(?:['’]s?)?\s(?:[\w-]+\s){0,2}(?:chips?|processors?|sensors?|lidars?|radars?|"
        r"cameras?|maps?|lens\w*)\b",
        re.I,
    ),
}
_DESCRIBED = re.compile(
    r"\b[Tt]he\s(?P<origin>[A-Z][\w-]+\s)?(?:[\w-]+\s)?(?P<noun>firm|company|"
    r"start-?up|group|car-?maker|automaker|manufacturer|supplier|developer|"
    r"maker|operator|vendor|brand|producer|builder|newcomer|challenger|subsidiary|venture)\b"
)
_ORIGIN = re.compile(r"\b[Tt]he\s(?P<origin>[A-Z][a-z]{3,}[\w-]*?)s?\b(?!['’])")
_FIRST_PERSON = re.compile(r"\b(?:[Ww]e|[Oo]ur|us)\b")


@dataclass(frozen=True, slots=True)
class Scene:
    """What the features look at: the text, its sentence starts, and the company mentions in order."""

    text: str
    starts: tuple[int, ...]
    mentions: tuple[CompanyMention, ...]
    counts: Mapping[str, int]
    title_end: int
    roles: Mapping[str, Mapping[str, float]]

    def sentence(self, position: int) -> tuple[int, int]:
        index = max(0, bisect.bisect_right(self.starts, position) - 1)
        end = self.starts[index + 1] if index + 1 < len(self.starts) else len(self.text)
        return self.starts[index], end


def scene_of(companies: Sequence[CompanyMention], doc: Doc) -> Scene:
    """Sentences are those of ``doc``, cut at line ends too: a headline is no part of the sentence after it."""
    text = doc.text
    starts = {sent.start_char for sent in doc.sents} if doc.has_annotation("SENT_START") else {0}
    starts |= {match.end() for match in re.finditer(r"\n+", text)} | {0}
    mentions = tuple(sorted(companies, key=lambda m: (m.start, -m.end)))
    title_end = text.find("\n")
    return Scene(
        text,
        tuple(sorted(s for s in starts if s < len(text) or s == 0)),
        mentions,
        Counter(m.company_id for m in mentions),
        title_end if 0 < title_end < 200 else 0,
        _roles(text, mentions),
    )


def around(scene: Scene, level: LevelMention) -> Scene:
    """The part of a long document that a level may belong to; any other document as it is."""
    if len(scene.mentions) <= MENTIONS_BEFORE + MENTIONS_AFTER:
        return scene
    starts = [mention.start for mention in scene.mentions]
    index = bisect.bisect_left(starts, level.start)
    first = max(0, index - MENTIONS_BEFORE)
    title = scene.mentions[: min(first, bisect.bisect_left(starts, scene.title_end))]
    mentions = (*title, *scene.mentions[first : index + MENTIONS_AFTER])
    return replace(scene, mentions=mentions, counts=Counter(m.company_id for m in mentions))


def _roles(text: str, mentions: Sequence[CompanyMention]) -> Mapping[str, Mapping[str, float]]:
    out: dict[str, dict[str, float]] = {}
    for mention in mentions:
        own = out.setdefault(mention.company_id, {})
        before = text[max(0, mention.start - 60) : mention.start].rpartition("\n")[2]
        after = text[mention.end : mention.end + 50]
        for name, pattern in _ROLES_BEFORE.items():
            if pattern.search(before):
                own[f"role_{name}"] = 1.0
        for name, pattern in _ROLES_AFTER.items():
            if pattern.match(after) or (name == "investor" and pattern.search(f" {mention.surface} ")):
                own[f"role_{name}"] = 1.0
    return out


def candidate_features(scene: Scene, level: LevelMention, company_id: str) -> dict[str, float]:
    """Named cues that ``company_id`` (or ``NOBODY``) owns ``level``; a missing name is 0."""
    left, right = scene.sentence(level.start)
    before = [m for m in scene.mentions if left <= m.start < level.start]
    after = [m for m in scene.mentions if level.end <= m.start < right]
    lead = scene.text[left : level.start]
    points_back = _POINTER.search(lead) is not None
    if company_id == NOBODY:
        return _nobody(scene, level, left, right, bool(before), bool(after), points_back)
    out = {"share": scene.counts[company_id] / len(scene.mentions)}
    out.update(scene.roles[company_id])
    out["log_count"] = math.log(scene.counts[company_id])
    if scene.counts[company_id] == max(scene.counts.values()):
        out["most_named"] = 1.0
    if len(scene.counts) == 1:
        out["only_company"] = 1.0
    if any(m.company_id == company_id and m.start < scene.title_end for m in scene.mentions):
        out["in_title"] = 1.0
        if next(m for m in scene.mentions).company_id == company_id:
            out["title_subject"] = 1.0
    if any(m.company_id == company_id and m.kind == "investor" for m in scene.mentions):
        out["investor"] = 1.0
    _same_sentence(out, scene, level, company_id, before, after)
    _earlier(out, scene, company_id, left, bool(before), points_back, lead)
    _described(out, scene, company_id, left, lead)
    if _FIRST_PERSON.search(scene.text[left : level.end + 60]):
        first = scene.mentions[0].company_id == company_id
        out["first_person_main"] = float(first) + float("most_named" in out)
        if own_past := [m for m in scene.mentions if m.start < level.start]:
            out["first_person_last"] = float(own_past[-1].company_id == company_id)
    quoted = scene.text[max(0, level.start - 400) : level.start]
    if quoted.count("“") + quoted.count('"') > quoted.count("”") + (quoted.count('"') // 2) * 2:
        near = [m for m in scene.mentions if level.end <= m.start < level.end + 200]
        if near and near[0].company_id == company_id:
            out["speaker_after_quote"] = 1.0
    return out


def role_before(scene: Scene, mention: CompanyMention) -> re.Match[str] | None:
    """The preposition or "rival" that governs a mention, if any."""
    return _PREPOSITION.search(scene.text[max(0, mention.start - 25) : mention.start])


def _same_sentence(
    out: dict[str, float],
    scene: Scene,
    level: LevelMention,
    company_id: str,
    before: list[CompanyMention],
    after: list[CompanyMention],
) -> None:
    own = [m for m in before if m.company_id == company_id]
    if own:
        last = own[-1]
        between = scene.text[last.end : level.start]
        out["before"] = 1.0
        out["before_distance"] = math.log1p(len(between) / 20)
        if before[-1].company_id == company_id:
            out["nearest_before"] = 1.0
            if _POSSESSED.match(between):
                out["possessive"] = 1.0
            if _CLASSED.search(between):
                out["verb_between"] = 1.0
        if before[0].company_id == company_id:
            out["first_in_sentence"] = 1.0
        if not _CLAUSE.search(between):
            out["same_clause"] = 1.0
            if last.start - scene.sentence(level.start)[0] < 25 and not role_before(scene, last):
                out["subject"] = 1.0
        if re.match(r"^['’]", between):
            out["possessive_any"] = 1.0
        for name in scene.roles[company_id]:
            out[f"{name}_before"] = 1.0
        if len(own) == len(before):
            out["alone_before"] = 1.0
        role = role_before(scene, last)
        if role:
            out[f"after_{role[1].lower()}"] = 1.0
    following = [m for m in after if m.company_id == company_id]
    if following:
        between = scene.text[level.end : following[0].start]
        out["after"] = 1.0
        out["after_distance"] = math.log1p(len(between) / 20)
        if after[0].company_id == company_id:
            out["nearest_after"] = 1.0
            if _MAKER_AFTER.match(between):
                out["maker_after"] = 1.0
        if not before:
            out["after_none_before"] = 1.0
        if not _CLAUSE.search(between):
            out["after_same_clause"] = 1.0


def _earlier(
    out: dict[str, float],
    scene: Scene,
    company_id: str,
    left: int,
    named_before: bool,
    points_back: bool,
    lead: str,
) -> None:
    past = [m for m in scene.mentions if m.start < left]
    own = [m for m in past if m.company_id == company_id]
    if not own:
        return
    paragraph = scene.text.rfind("\n", 0, left) + 1
    in_paragraph = [m for m in past if m.start >= paragraph]
    previous, _ = scene.sentence(max(0, left - 1))
    in_previous = [m for m in past if m.start >= previous]
    if not named_before:
        for name in scene.roles[company_id]:
            out[f"{name}_earlier"] = 1.0
    suffix = "_named" if named_before else "_pointed" if points_back else "_silent"
    out[f"earlier_distance{suffix}"] = math.log1p((left - own[-1].end) / 100)
    if past[-1].company_id == company_id:
        out[f"last_named{suffix}"] = 1.0
    if in_previous and in_previous[0].company_id == company_id:
        out[f"previous_subject{suffix}"] = 1.0
    if any(m.company_id == company_id for m in in_previous):
        out[f"in_previous{suffix}"] = 1.0
    if in_paragraph and in_paragraph[0].company_id == company_id:
        out[f"paragraph_subject{suffix}"] = 1.0
    if any(m.company_id == company_id for m in in_paragraph):
        out[f"in_paragraph{suffix}"] = 1.0
    if _PRODUCT.search(lead) and past[-1].company_id == company_id:
        out["product_of_last"] = 1.0


def _described(out: dict[str, float], scene: Scene, company_id: str, left: int, lead: str) -> None:
    """ "The start-up", "the French supplier": does the text call the company so, or place it there?"""
    noun = origin = None
    for match in _DESCRIBED.finditer(lead):
        noun, origin = match["noun"], (match["origin"] or "").strip() or origin
    if origin is None and (place := _ORIGIN.search(lead)):
        origin = place["origin"]
    around = [
        scene.text[max(0, m.start - 70) : m.end + 70]
        for m in scene.mentions
        if m.company_id == company_id and m.start < left
    ]
    if noun:
        pattern = re.compile(rf"\b{noun[:5]}", re.I)
        out["described"] = 1.0 if any(pattern.search(a) for a in around) else 0.0
    if origin:
        out["origin"] = 1.0 if any(origin[:4] in a for a in around) else 0.0


def _nobody(
    scene: Scene, level: LevelMention, left: int, right: int, before: bool, after: bool, points_back: bool
) -> dict[str, float]:
    out = {"nobody": 1.0}
    sentence = scene.text[left : level.start] + " " + scene.text[level.end : right]
    following = scene.text[level.end : level.end + 40]
    flags = {
        "nobody_no_company": not before and not after,
        "nobody_none_before": not before,
        "nobody_no_pointer": not points_back,
        "nobody_neither": not before and not after and not points_back,
        "nobody_general": _GENERAL.search(sentence) is not None,
        "nobody_plural": _PLURAL_NEXT.match(following) is not None,
        "nobody_bare": _BARE_NEXT.match(following) is not None,
        "nobody_starts_sentence": level.start - left < 12,
        "nobody_range": level.level_max > level.level_min,
        "nobody_negated": level.negated,
        "nobody_question": "?" in sentence,
        "nobody_product": _PRODUCT.search(scene.text[left : level.start]) is not None,
        "nobody_many_companies": len(scene.counts) > 4,
        "nobody_few_mentions": len(scene.mentions) <= 3,
        "nobody_level_five": level.level_max == 5,
        "nobody_no_company_in_paragraph": not any(
            scene.text.rfind("\n", 0, left) < m.start < level.start for m in scene.mentions
        ),
        "nobody_title": level.start < scene.title_end,
        "nobody_indefinite": re.search(r"\b(?:an?|any|every|each|no)\s(?:\w+\s)?$", scene.text[left : level.start])
        is not None,
        "nobody_modal": _MODAL.search(sentence) is not None,
        "nobody_forecast": _FORECAST.search(sentence) is not None,
        "nobody_comparison": re.search(r"\b(?:than|as|for|of|about|between|from)\s$", scene.text[left : level.start])
        is not None,
    }
    out.update({name: 1.0 for name, is_set in flags.items() if is_set})
    out["nobody_general_words"] = float(len(_GENERAL.findall(sentence)))
    return out


@functools.cache
def weights() -> Mapping[str, float]:
    """Learnt by ``models/level_owners/train.py``."""
    source = resources.files("models").joinpath("level_owners/weights.json")
    return dict(json.loads(source.read_text(encoding="utf-8")))


def attribute_levels(
    levels: Sequence[LevelMention],
    companies: Sequence[CompanyMention],
    doc: Doc,
    read: Sequence[Mapping[str, float]] | None = None,
    learnt: Mapping[str, float] | None = None,
) -> list[LevelMention]:
    """``levels`` in the same order, each with the company whose system has, or is to have, that level.

    ``read``: for each level what the encoder makes of it, company -> probability, the rest being nobody's; it joins
    the cues as evidence of its own. ``learnt`` replaces the shipped weights. ``company_*`` stay None for a general
    remark and where no company is named.
    """
    if not levels or not companies:
        return list(levels)
    scene = scene_of(companies, doc)
    names = {m.company_id: m.company_name for m in scene.mentions}
    weight = weights() if learnt is None else learnt
    out = []
    for index, level in enumerate(levels):
        near = around(scene, level)
        cues = owner_cues(near, level, read[index] if read else {}, weight)
        scores = {company: sum(parts.values()) for company, parts in cues.items()}
        owner = max(scores, key=lambda c: (scores[c], c))
        out.append(level if owner == NOBODY else replace(level, company_id=owner, company_name=names[owner]))
    return out


def owner_cues(
    scene: Scene, level: LevelMention, shares: Mapping[str, float], learnt: Mapping[str, float]
) -> dict[str, dict[str, float]]:
    """Company (or ``NOBODY``) -> cue -> what it adds to the score. ``shares``: what the encoder makes of the level."""
    found = {}
    for company in (NOBODY, *scene.counts):
        cues = candidate_features(scene, level, company)
        found[company] = {name: learnt.get(name, 0.0) * value for name, value in cues.items()}
        if shares:
            found[company]["read_as_owner"] = READ_WEIGHT * log_share(shares, company)
    return found


def log_share(shares: Mapping[str, float], company_id: str) -> float:
    """Log of the probability that the encoder gives a company, or nobody; one out of its reach counts as unlikely."""
    share = 1 - sum(shares.values()) if company_id == NOBODY else shares.get(company_id, 0.0)
    return math.log(max(share, UNREAD_SHARE))

"""What speaks for and against a name being a company: one small dictionary of numbers for each entity of a document.

In: text, entities, sentence starts. Out: ``features(...) -> dict[str, float]``, every value in 0 to 1 or a small
logarithm, absent means 0. It knows no weights; ``models/companies/train.py`` fits them and ``companies`` applies them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.extract.company_candidates import Entity, Mention
from pipeline.gazetteer import CompanyRegister
from pipeline.link.companies import DESCRIPTIVE, HARD_FORM, LEGAL_FORM
from pipeline.records import NameSpan

BEFORE, AFTER = 60, 80  # characters of context that the cues look at

# More mentions say no more: training articles are short, and in a long one a country is named fifty times.
MANY_MENTIONS = 5
_COMPANY_WORDS = re.compile(
    r"\b(?:Motors?|Robotics|Technolog(?:y|ies)|Capital|Ventures|Partners|Automotive|Mobility|Electronics|"
    r"Semiconductors?|"
    r"Systems|Labs|Logistics|Industries|Energy|Securities|Bank|Airlines|Pharmaceuticals|Therapeutics|Networks|"
    r"Software|"
    r"Solutions|Enterprises|Investments?|Advisors|Management|Insurance|Steel|Chemicals?|Trucks?|Trucking|"
    r"Freight|Auto|"
    r"Automobiles?|Electric|Sensors|Dynamics|Airways|Foods|Stores|Brands|Entertainment|Studios|Games|Telecom|Realty|"
    r"Properties|Resources|Mining|Petroleum|Oil|Gas|Power|Financial|Acquisition|Associates|LLP|Driving|Lidar|AI)$"
)
_ORGANISATION_WORDS = re.compile(
    r"\b(?:University|Universität|College|School|Institute|Ministry|Minister|Department|Agency|Administration|"
    r"Authority|"
    r"Commission|Committee|Council|Court|Congress|Senate|Parliament|Government|Police|Army|Navy|Union|Association|"
    r"Federation|Alliance|Society|Foundation|Exchange|Bureau|Board|Office|Center|Centre|Laboratory|Museum|"
    r"Church|Party|"
    r"Workers|Teamsters|Chamber|Forum|City|County|State|Republic|Reserve|Treasury|Hospital|Academy|League|Team|Club|"
    r"Consortium|Coalition|Initiative|Project|Program|Programme|Fund|Trust|House|District|DMV|Organization|"
    r"Organisation)\b"
)
_THING_WORDS = re.compile(
    r"(?:\b(?:Show|Summit|Conference|Awards?|Prize|Index|Act|Bill|Law|Day|Week|Series|Edition|Report|Survey|"
    r"Study|Times|"
    r"Post|News|Journal|Daily|Herald|Tribune|Magazine|Review|Gazette|Chronicle|Press|Radio|TV|Network|Podcast|"
    r"Blog|Coin|"
    r"Token|Protocol|Chain|NFT|Cup|Championship|Prix|Open|Games|Festival|Platform|Tunnel|Bridge|Highway|Hybrid|Coupe|"
    r"Sedan|SUV|Plus|Pro|Max|Mini|GT|Car|Cars|Vehicle|Level|Model|Phase|Stage|Deal|Plan|Agreement|Treaty)$|\d$)"
)
_SAID_AFTER = re.compile(
    r"^,?\s+(?:also |has |have |had |will |would |is |was |and \w+ )?(?:said|says|announced?|announces|plans?|"
    r"planned|unveil(?:s|ed)|"
    r"launch(?:es|ed)|agreed|expects?|declined|confirmed|told|added|began|begins|started|wants|hopes|aims|"
    r"intends|signed|"
    r"filed|posted|reported|introduced|revealed)\b"
)
_DEALS_AFTER = re.compile(
    r"^,?\s+(?:also |has |have |had |will |would |is |was )?(?:acquir\w+|bought|buys?|rais(?:es|ed|ing)|sells?|"
    r"sold|makes?|made|builds?|built|"
    r"develop(?:s|ed|ing)|supplies|supplied|operat(?:es|ed|ing)|invest(?:s|ed|ing)|partner(?:s|ed|ing)|own(?:s|"
    r"ed)|hir(?:es|ed)|employ(?:s|ed)|"
    r"test(?:s|ed|ing)|recall(?:s|ed)|deliver(?:s|ed)|produc(?:es|ed|ing)|deploy(?:s|ed|ing)|provid(?:es|ed|"
    r"ing)|merg(?:es|ed|ing)|sued?)\b"
)
_FIRM_NOUN_AFTER = re.compile(
    r"^(?:['’]s?)?\s+(?:\w+\s)?(?:shares?|stocks?|CEO|CFO|chief|chairman|spokes\w+|executives?|engineers?|"
    r"employees?|founders?|co-founders?|"
    r"investors?|shareholders?|subsidiary|unit|headquarters|revenues?|sales|profits?|earnings|valuation|"
    r"customers?|vehicles?|"
    r"cars?|trucks?|robotaxis?|factory|plant|dealers?|president|board|bonds|debt|bankruptcy|technology|platform)\b"
)
_FIRM_NOUN_BEFORE = re.compile(
    r"(?:\b(?:CEO|chief executive|founder|co-founder|chairman|president|shares|stock|stake|unit|subsidiary|"
    r"division|spokesman|"
    r"spokeswoman|spokesperson|engineers?|employees|customers|executives?|investors?|owner|parent|maker|head|"
    r"part|analysts?)\s(?:of|at|in|for)|"
    r"\b(?:startup|start-up|automaker|carmaker|truckmaker|supplier|chipmaker|maker|giant|company|firm|rival|"
    r"subsidiary|unit|owner|parent|"
    r"investor|bank|manufacturer|developer|provider|operator|retailer|brokerage|exchange|conglomerate|unicorn|"
    r"group|partner|lender|insurer|airline)s?)"
    r"\s+$",
    re.I,
)
_DEAL_BEFORE = re.compile(
    r"\b(?:with|by|from|acquir\w+|buy\w*|bought|backed by|led by|owned by|invest\w* in|partner\w* with|"
    r"competitors?|rivals?|like|including|"
    r"such as|against|joins?|joined|takeover of|merger with)\s+$"
)
_APPOSITION = re.compile(
    r"^(?:,| is| \(|,? which is)\s?(?:a|an|the|one of|Europe|China|America)\b[\w\s’'-]{0,45}\b(?:company|"
    r"companies|startup|start-up|"
    r"maker|supplier|firm|developer|manufacturer|provider|subsidiary|unit|bank|fund|operator|automaker|carmaker|"
    r"retailer|"
    r"business|brand|arm|lender|insurer|group|giant)\b"
)
_SOURCE_BEFORE = re.compile(
    r"(?:\b(?:according to|told|reported by|reports? (?:from|by|in)|source:|citing|cited by|interview with|"
    r"said in|per|article (?:in|by)|"
    r"published (?:in|by)|quoted by|data from|survey by|research by|study by|seen by|obtained by|© ?(?:\d{4} )?|"
    r"copyright|Photo by|Image:)"
    r"\s+(?:the\s)?|\()$",
    re.I,
)
_SOURCE_AFTER = re.compile(
    r"^(?:\)\s?[-—–]|\s+(?:reported|reports|wrote|writes|noted|quoted|analysts?|survey|poll|Intelligence|data|"
    r"article|story|reporter|journalist|"
    r"report|newspaper|magazine|website|news agency|first reported)\b|,? citing)"
)
_PAPER_BEFORE = re.compile(
    r"\b(?:newspaper|daily|magazine|weekly|agency|website|broadcaster|blog|portal|publication)\s+$", re.I
)
_THE_BEFORE = re.compile(r"\bthe\s+$", re.I)
_MODEL_AFTER = re.compile(
    r"^\s+(?:sedans?|SUVs?|crossovers?|hatchbacks?|pickups?|coupes?|minivans?|convertibles?|hybrids?|models?|"
    r"smartphones?|tokens?|coins?|app|"
    r"phones?|software|system|feature|wagon|series|blockchain|network|ecosystem|protocol)\b"
)
_PLACE_BEFORE = re.compile(r"\b(?:in|near|at|outside|around|to|across)\s+$")
_CAPITAL_BEFORE = re.compile(r"[a-z,] (?:[A-Z][\w.&-]*) $")
_CAPITAL_AFTER = re.compile(r"^ ([A-Z][a-z]+)")
_BYLINE = re.compile(r"\b(?:[Rr]eporting|[Ee]diting|[Ww]riting) by\b[^.()]*$")
_ON_BEFORE = re.compile(r"\b(?:on|via|through)\s+$")
_ROLE_AFTER = re.compile(r"^,\s+(?:who|an? (?:analyst|professor|lawyer|economist|researcher|director))\b")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all entities of a document share: sentence starts, and the surnames that its persons bear."""

    sentence_starts: frozenset[int]
    surnames: frozenset[str]
    words: frozenset[str]  # lower-case words of the text
    companies: frozenset[int]  # starts of mentions of safely registered companies
    company_ends: frozenset[int]


def surroundings(
    text: str, entities: Sequence[Entity], sentence_starts: Sequence[int], persons: Sequence[str]
) -> Surroundings:
    """Gather the facts of a document once; ``persons`` are the person names that a recogniser found."""
    safe = [m for e in entities if e.company_id for m in e.mentions if m.known and m.known[0].risk == "none"]
    return Surroundings(
        sentence_starts=frozenset(sentence_starts),
        surnames=frozenset(name.split()[-1] for name in persons if " " in name),
        words=frozenset(re.findall(r"(?<!\w)[a-z]{2,20}(?!\w)", text)),
        companies=frozenset(m.start for m in safe),
        company_ends=frozenset(m.end for m in safe),
    )


def features(text: str, entity: Entity, around: Surroundings, register: CompanyRegister) -> dict[str, float]:
    """The evidence about one entity. Shares are over its mentions; ``any`` features are 1 where one mention has it."""
    found: dict[str, float] = {}
    found |= _catalogue(entity, register)
    found |= _recognised(entity)
    found |= _context(text, entity, around)
    found |= _shape(entity, around)
    standing = (
        "reg" if found["registered"] else "risky" if entity.company_id else "new" if found["unknown"] else "other"
    )
    found |= {f"{standing}:{name}": found[name] for name in _BY_STANDING if name in found}
    return {name: value for name, value in found.items() if value}


# Cues that weigh differently for safely registered, riskily registered and new names: each standing has its own
# weight for them beside the common one.
_BY_STANDING = (
    "spacy_company", "spacy_company_any", "spacy_person", "spacy_place", "classifier_company", "classifier_company_any",
    "classifier_organisation", "classifier_place", "firm_noun", "said_any", "deals_any", "the_before", "legal_form",
    "source", "mentions", "headline",
    "one_word", "surname", "lower_word", "capital_before", "capital_after", "after_company", "acronym", "on_before",
)  # fmt: skip


def _catalogue(entity: Entity, register: CompanyRegister) -> dict[str, float]:
    names = [name for mention in entity.mentions for name in mention.known]
    catalogues = {name.catalogue for name in names}
    companies = [name for name in names if name.catalogue == "company"]
    safe = any(name.risk == "none" for name in companies)
    risks = {name.risk for name in companies} if not safe else set()
    company = register.companies.get(entity.company_id) if entity.company_id else None
    seen = any(span.label == "COMPANY" for mention in entity.mentions for span in mention.spans)
    product = "product" in catalogues and not companies
    common = product and all(name.risk != "none" for name in names if name.catalogue == "product")
    return {
        "registered": float(safe),
        **{f"{risk}_unseen": float(not seen) for risk in risks},
        **{f"registered_{risk}": 1.0 for risk in risks},
        "brand": float(company is not None and company.brand),
        "investor": float(company is not None and company.kind == "investor"),
        "mobility_firm": float(company is not None and company.kind not in ("other", "investor")),
        "publisher": float("publisher" in catalogues),
        "data_provider": float(any(n.kind == "data_provider" for n in names)),
        "public_body": float("public_body" in catalogues),
        "product": float(product and not common),
        "product_word": float(common),
        "unknown": float(not catalogues),
    }


def _recognised(entity: Entity) -> dict[str, float]:
    """Recognisers' readings: the best and the mean probability over the mentions, by method and label."""
    found: dict[str, float] = {}
    n = len(entity.mentions)
    for method in ("spacy", "classifier"):
        for label in ("COMPANY", "ORGANISATION", "PRODUCT", "PERSON", "PLACE"):
            seen = [
                max((_agreement(m, s) for s in m.spans if s.method == method and s.label == label), default=0.0)
                for m in entity.mentions
            ]
            if any(seen):
                found[f"{method}_{label.lower()}"] = sum(seen) / n
                found[f"{method}_{label.lower()}_any"] = max(seen)
    return found


def _agreement(mention: Mention, span: NameSpan) -> float:
    """Probability of the span, less where it covers much more or less than the mention."""
    common = min(span.end, mention.end) - max(span.start, mention.start)
    union = max(span.end, mention.end) - min(span.start, mention.start)
    return span.probability * common / union


def _context(text: str, entity: Entity, around: Surroundings) -> dict[str, float]:
    counts: dict[str, int] = {}
    for mention in entity.mentions:
        for name in _cues(text, mention, around):
            counts[name] = counts.get(name, 0) + 1
    n = len(entity.mentions)
    found = {name: count / n for name, count in counts.items()}
    for name in ("said", "deals", "firm_noun", "apposition", "beside_company"):
        if counts.get(name):
            found[f"{name}_any"] = 1.0
    return found


def _cues(text: str, mention: Mention, around: Surroundings) -> list[str]:
    before, after = text[max(0, mention.start - BEFORE) : mention.start], text[mention.end : mention.end + AFTER]
    possessive = re.sub(r"^['’]s", "", after)
    title = _in_title(text, mention)
    cues = {
        "said": _SAID_AFTER.match(after),
        "deals": _DEALS_AFTER.match(after) or _DEAL_BEFORE.search(before),
        "firm_noun": _FIRM_NOUN_AFTER.match(after) or _FIRM_NOUN_BEFORE.search(before),
        "apposition": _APPOSITION.match(after),
        "source": _SOURCE_BEFORE.search(before) or _SOURCE_AFTER.match(after) or _PAPER_BEFORE.search(before),
        "the_before": _THE_BEFORE.search(before),
        "model_after": _MODEL_AFTER.match(after) or mention.model,
        "place_before": _PLACE_BEFORE.search(before),
        "possessive": possessive != after,
        "role_after": _ROLE_AFTER.match(after),
        "based": re.match(r"^-(?:based|backed|owned|led|made|built)\b", after),
        "sentence_start": mention.start in around.sentence_starts,
        "beside_company": _beside(text, mention, around),
        "after_company": _directly_after(text, mention, around),
        "capital_before": not title and _CAPITAL_BEFORE.search(before) and not _directly_after(text, mention, around),
        "capital_after": not title
        and (follows := _CAPITAL_AFTER.match(after))
        and follows.group(1).lower() not in DESCRIPTIVE,
        "byline": _BYLINE.search(before),
        "on_before": _ON_BEFORE.search(before),
        "in_brackets": before.endswith("(") and after.startswith(")"),
        "quoted": before.endswith(('"', "“")) and after.startswith(('"', "”")),
    }
    return [name for name, cue in cues.items() if cue]


def _in_title(text: str, mention: Mention) -> bool:
    """Inside a headline in title case, where a capital before or after a name says nothing."""
    start = text.rfind("\n", 0, mention.start) + 1
    end = text.find("\n", mention.end)
    line = text[start : end if end >= 0 else len(text)]
    if len(line) > 180:
        return False
    words = [word for word in re.findall(r"[^\W\d]{4,}", line) if word not in mention.surface]
    return bool(words) and sum(word[0].isupper() for word in words) > 0.6 * len(words)


_AND_AFTER = re.compile(r"^(?:'s|’s)?(?:,| and| or|, and| &|/)\s?")
_AND_BEFORE = re.compile(r"(?:,|\band|\bor|, and|&|/)\s?$")


def _beside(text: str, mention: Mention, around: Surroundings) -> bool:
    """In a list with a registered company: "Uber and X", "X, Lyft"."""
    after = _AND_AFTER.match(text[mention.end : mention.end + 12])
    if after and mention.end + after.end() in around.companies:
        return True
    before = _AND_BEFORE.search(text[max(0, mention.start - 8) : mention.start])
    return bool(before) and (max(0, mention.start - 8) + before.start()) in around.company_ends if before else False


def _directly_after(text: str, mention: Mention, around: Surroundings) -> bool:
    """ "Nissan Leaf", "Google's Pixel": what follows a company's name is mostly its product."""
    for gap in (" ", "'s ", "’s ", "' ", "’ "):
        if text.endswith(gap, 0, mention.start) and mention.start - len(gap) in around.company_ends:
            return True
    return False


def _shape(entity: Entity, around: Surroundings) -> dict[str, float]:
    surfaces = list(dict.fromkeys(mention.surface for mention in entity.mentions))
    longest = max(surfaces, key=len)  # the first of equals, as in ``display_name``: the order of a set is not fixed
    bare = LEGAL_FORM.sub("", longest).strip()
    words = bare.split()
    methods = {span.method for mention in entity.mentions for span in mention.spans if span.start == mention.start}
    first = entity.mentions[0]
    return {
        "bias": 1.0,
        "mentions": math.log(min(len(entity.mentions), MANY_MENTIONS)),
        "headline": float(first.start < 90),
        "late": float(first.start > 1500),
        "legal_form": float("legal_form" in methods or any(HARD_FORM.search(s) for s in surfaces)),
        "ticker": float("ticker" in methods),
        "domain": float("domain" in methods),
        "company_word": float(any(_COMPANY_WORDS.search(LEGAL_FORM.sub("", s).strip()) for s in surfaces)),
        "organisation_word": float(bool(_ORGANISATION_WORDS.search(bare))),
        "thing_word": float(bool(_THING_WORDS.search(bare))),
        "one_word": float(len(words) == 1),
        "two_words": float(len(words) == 2),
        "many_words": float(len(words) > 3),
        "acronym": float(len(words) == 1 and bare.isupper() and len(bare) <= 5),
        "digit": float(any(c.isdigit() for c in bare)),
        "camel": float(len(words) == 1 and any(c.isupper() for c in bare[1:]) and not bare.isupper()),
        "lower_word": float(len(words) == 1 and bare.casefold() in around.words),
        "surname": float(bare in around.surnames),
        "of_or_for": float(bool(re.search(r"\b(?:of|for|on|to|in)\b", bare))),
        "ampersand": float("&" in bare),
        "all_model": float(all(m.model for m in entity.mentions)),
    }

"""Choose the amount of a deal among the sums of money in its evidence.

In: the text, its amounts, the type of the deal and the span of the sentences that tell it. Out: one ``Amount`` or None.
For an investment it is the round, for a purchase the price, for an order or a supply contract its value.

Valuations, revenues, prices per share or per car, totals raised to date and conversions in brackets are not the amount
of the deal. The cues are words around the sum; nothing is added up or converted. Where the evidence states no sum, the
sentence after it may: one that goes on about "the round", "the contract", "the plant" or says who will pay.
"""

from __future__ import annotations

import functools
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.records import Amount, DealType

# Cues that a sum beside them is something else; each is looked for right before or right after the sum.
_OTHER_BEFORE = re.compile(
    r"(?:\bat\s(?:an?\s)?(?:pre-?money\s|post-?money\s)?(?:valuation\s(?:of\s)?)"
    r"|\bvaluation(?::\s|\s(?:\w+\s){0,4}(?:of|at|to|from|exceeds|near|around|above)\s)"
    r"|\b(?:it|firm|company|start-?up|group|carmaker|business|unicorn|automaker|"
    r"developer|maker)\s(?:is\s|was\s|now\s|last\s)*(?:valued\sat|worth)\s"
    r"|\b(?:now|once|last|currently|recently|already|briefly|be)\s(?:valued\sat|worth)\s"
    r"|\bmarket\s(?:value|capitali[sz]ation|cap)\s(?:\w+\s){0,3}(?:of|at|to)\s"
    r"|\b(?:revenues?|sales|turnover|profits?|loss(?:es)?|earnings|income|ebitda?|"
    r"debts?|backlog|order\sbook|assets|dividend|fine|fees?\sof|penalt\w+|damages|savings|synerg\w+|"
    r"(?:break-?up|termination)\sfee|guidance)"
    r"(?::\s|\s(?:\w+\s){0,5}(?:of|to|at|by|was|were|is|from|about|around|totall?ed|reached|hit|exceed\w*)\s)"
    r"|\b(?:manag(?:es|ing|ed)|oversees|overseeing|looks\safter)\s"
    r"|\b(?:lost|earned|saved?|sav\w+|owed?|owes|costs?\ssavings\sof)\s"
    r"|\b(?:tariffs?|taxes|salar\w+|wages?|bonus\w*)\s(?:of|worth)\s"
    r")(?:about\s|around\s|roughly\s|nearly\s|almost\s|more\sthan\s|over\s|some\s|"
    r"up\sto\s|just\s|an?\s|approximately\s|at\sleast\s|close\sto\s|between\s|"
    r"estimated\s)*$",
    re.IGNORECASE,
)
# A deal that values a firm at a sum: the price of a purchase where no other is told, never that of a round.
_VALUING = re.compile(
    r"\bvalu(?:es?|ed|ing)\s(?:the\s|its\s)?(?!at|deal|transaction|purchase|stake|order|contract|offer)"
    r"[\w.'’-]+(?:\s[\w.'’-]+){0,4}\sat\s(?:\w+\s){0,2}$",
    re.IGNORECASE,
)
_OTHER_AFTER = re.compile(
    r"^(?:['’]s)?[\s-]?(?:\([^)]{0,40}\)\s)?(?:[\w-]+\s)?(?:valuation|market\s(?:value|"
    r"cap)|in\s(?:\w+\s)?(?:revenues?|sales|profits?|losses|savings|taxes|earnings|"
    r"fines|damages)"
    r"|(?:net\s|quarterly\s|annual\s|operating\s)*(?:loss|profit|revenues?|turnover|"
    r"write-?down|charge|fine|dividend|salary|backlog)\b)"
    r"|^[\s-](?:(?!for\b|in\b|of\b|to\b|by\b|from\b|and\b|on\b|with\b|at\b|as\b|the\b|an?\b|its\b|their\b|"
    r"this\b|his\b|her\b|\w+ed\b|\w+ing\b)[a-z-]+\s){0,2}(?:companies|"
    r"(?:company|group|firm|business|start-?up|giant|[a-z]*maker)(?!\s(?:purchase|sale|takeover|buyout|deal|stake))|unicorn|"
    r"conglomerate|behemoth|industry|market)\b"
    r"|^\s(?:in\strust|under\smanagement|in\scash\s(?:left|in\shand)|of\s(?:\w+\s)?deals)\b"
    r"|^\s?-?(?:a|per|each|apiece|an?\s)\s?-?(?:share|unit|vehicle|car|truck|"
    r"bus|piece|month|mile|kilomet\w+|hour|ride|trip|ounce|barrel|tonne|ton|"
    r"head|seat|person|set|copy|day|kWh)\b"
    r"|^\s(?:each|apiece)\b"
    r"|^\s(?:it|that|which|they)\s(?:had\s|has\s|have\s)?(?:already\s|previously\s)?(?:lost|earned|made)\b"
    r"|^\s(?:raised|in\s(?:total|overall|all)|to\sdate|so\sfar)\b(?=.{0,20}(?:date|so\sfar|since|total))",
    re.IGNORECASE,
)
_PRICE_BEFORE = re.compile(
    r"\b(?:priced?|starts?|sells?|sold|retails?|lists?|listed|costs?|costing|fares?)\s(?:at|"
    r"from|for|about)?\s?(?:about\s|around\s|only\s)?$",
    re.IGNORECASE,
)
# Sold for next to nothing.
_NOMINAL = re.compile(r"\b(?:symbolic|nominal|token)\s(?:sum\sof\s|price\sof\s)?$", re.I)
# Below this a price word makes a sum the price of one thing, above it of the deal.
_ONE_THING = 1e6
# "Rollo is now valued at ..." speaks of the firm, "the deal is valued at ..." of the deal.
_VALUED = re.compile(
    r"\b(?:is|was|are|were|been|be)\s(?:\w+\s){0,2}(?:valued|worth)\s(?:at\s)?(?:\w+\s){0,2}$", re.IGNORECASE
)
_DEAL_NOUN = re.compile(
    r"\b(?:deal|transaction|contract|orders?|offer|purchase|acquisition|takeover|merger|stake|sale|agreement|round|bid)"
    r"(?:\s(?:from|in|with|for|by|of|to)\s(?:[\w’'-]+\s?){1,4})?(?:,?\s(?:which|that|itself))?,?\s*$"
    r"|\bstake\b[^.;,\n]{0,60}\b(?:that|which)\s$",
    re.IGNORECASE,
)
_PER_UNIT = re.compile(
    r"(?:\bper\s(?:share|vehicle|car|unit)|\b(?:share|issue|offer|strike)\sprice|"
    r"\b(?:shares?|units?|cars?|vehicles?)\sat)\b[^.;,\d]{0,15}$",
    re.I,
)

_MONEY_VERB = (
    r"rais\w+|secur\w+|clos\w+|land\w+|rec(?:ei|ie)v\w+|pull\w+|collect\w+|complet\w+|"
    r"obtain\w+|borrow\w*|attract\w+|bag\w+|nets?|netted|took|take|get|got"
)
# Cues for each type within the same clause; the sum nearest to one is preferred.
_CUES: dict[str, re.Pattern[str]] = {
    "investment": re.compile(
        rf"\b(?:{_MONEY_VERB}|invest\w*|rounds?|fund(?:ed|ing|rais\w+)|series|stake|"
        rf"inject\w*|pump\w*|put\w*|pledg\w+|loans?|financ\w+|"
        r"ipos?|offerings?|listing|capital|shares?|back(?:ed|ing)|lend\w*|credit|"
        r"bail-?out|guarantees?|aid|commit\w*|led|bonds?|equity|"
        r"sell\w*|sold|sale|buy\w*|bought|pa(?:y|id|ying)|proceeds|grants?|facility|infus\w+|cash)\b",
        re.I,
    ),
    "acquisition": re.compile(
        r"\b(?:acqui\w+|b(?:uy|ought|uys|uying)|purchas\w+|take-?over|merge\w*|deal|"
        r"sale|sold|sell\w*|for|worth|valued|price|bid|offer\w*|pa(?:y|id|ying)|gets?|got|receiv\w+|fetch\w*|proceeds)\b",
        re.I,
    ),
    "expansion": re.compile(
        r"\b(?:invest\w*|spend\w*|plants?|factor\w+|build\w*|built|expan\w+|site|"
        r"open\w*|cost\w*|outlay|facilit\w+|headquarters|centre|center|upgrade|worth)\b",
        re.I,
    ),
    "joint_venture": re.compile(
        r"\b(?:capital|ventures?|invest\w*|put\w*|contribut\w+|company|cost\w*|each|"
        r"spend\w*|worth)\b",
        re.I,
    ),
    "licensing": re.compile(r"\b(?:licen[cs]\w*|fees?|royalt\w+|pa(?:y|id|ys|ying)|for|worth|pour\w*)\b", re.I),
}
_ORDER = re.compile(
    r"\b(?:worth|orders?|ordered|contracts?|deal|value\w*|for|cost\w*|amount\w*|"
    r"pa(?:y|id|ys)|price|total\w*|purchas\w+|bought|buy\w*|suppl\w+|agreement)\b",
    re.I,
)
# Types whose articles state sums of other things as a rule: the cue has to stand close by.
_RARELY_PRICED = frozenset({"partnership", "testing", "deployment", "permit"})
_RARE = re.compile(
    rf"{_ORDER.pattern}|\b(?:invest(?:s|ed|ing)?|spen[dt]|commit\w*|contribut\w+|put\s(?:up|in)|set\saside|budget\w*|projects?|scheme|backed|funded|financed)\b",
    re.I,
)
# Lowest score that gives an amount. A large sum in the evidence of a deal is nearly always its amount. Where a cue must
# stand close by, it has to. Chosen on one half of the annotated articles; re-run benchmarks.values.
_THRESHOLD, _RARE_THRESHOLD = 0.25, 0.7
_CLAUSE_REACH = 90
# More sums in one evidence are a table's.
_MOST_SUMS = 30
_CLOSE_REACH = 30

# "Rollo put $5 million into the $25 million round": the sum that the deal's own noun carries is the deal's.
_DEAL_AFTER = re.compile(
    r"[\s-](?:(?!in\b|for\b|of\b|to\b|and\b)[\w-]+\s){0,3}?(?:round|deal|contract|order|acquisition|takeover|purchase|"
    r"financing|fundraising|raise|merger|buyout|transaction|ipo|offering)\b",
    re.IGNORECASE,
)
# A clause in commas that says something about a party: ", which borrowed $1.4 billion in 2023,".
_ASIDE = re.compile(
    r"(?:^|,\s)(?:(?:in\s|of\s|for\s)?which|who|whose|with\s(?:an?\s)?|once\s|(?:an?|the)\s[a-z]+\s(?:on|of|in|with)\s|having\s)"
    r"[^,;:\n]*$",
    re.IGNORECASE,
)
_ASIDE_PENALTY = 0.25
# It is an aside where a main clause goes before or on after it; an evidence may also be such a clause and no more.
_MAIN_CLAUSE = 40
_CLOSED_ASIDE = re.compile(r"[^,;.]{0,60},\s\S+\s\S+")
_OWN_NOUN = re.compile(
    r"[\s-](?:[\w-]+\s){0,2}(?:project|commitment|investment|plant|deal|contract|order|site)\b", re.I
)
_APPOSITION = re.compile(r"(?:^|,\s)(?:an?|the)\s$")
# "fresh from a $60 million round": what a company has raised is no price of what it does now.
_RAISED_AFTER = re.compile(r"[\s-](?:[\w-]+\s){0,2}(?:round|raise|fundrais\w+|funding|series\s[a-k])\b", re.IGNORECASE)
# What was raised before, or in all: the amount only where no other sum is told.
_EARLIER_BEFORE = re.compile(
    r"\b(?:had\s(?:already\s|previously\s|earlier\s)?(?:paid|bought|raised|sold|invested|taken|offered|put|"
    r"lent|spent|bid)|once|follow(?:s|ed|ing)|fresh\s(?:from|off)|on\stop\sof|previously|"
    r"sought\sto\s\w+|(?:had\s)?(?:hoped|planned|wanted)\sto\s\w+|instead\sof|"
    r"(?:sold|bought)\s(?:his|her|their)\s(?:last|first|previous)|"
    r"(?:bring|tak|lift)\w*\s(?:[\w’'-]+\s){0,5}to|"
    r"(?:total|overall|altogether|in\sall|lifetime|cumulative|so\sfar)\s(?:\w+\s){0,3}(?:funding|raised))"
    r"\b[^.;,\n]{0,40}$",
    re.IGNORECASE,
)
_EARLIER_AFTER = re.compile(
    r"^[^.;,$€£\n]{0,35}\b(?:last\s(?:year|month|spring|summer|autumn|fall|winter)|to\sdate|so\sfar|in\sits\slifetime|since\s(?:then|its|it|20\d\d)|in\stotal|in\s(?:19|20)\d\d)\b",
    re.IGNORECASE,
)
_EARLIER_PENALTY = 0.35


def deal_amount(
    text: str, amounts: Sequence[Amount], deal_type: DealType, evidence_span: tuple[int, int]
) -> Amount | None:
    """The sum that the deal told in ``text[start:end]`` is about, or None where none is stated.

    ``amounts``: those of ``find_amounts(text)``; sums that begin inside the evidence are looked at first, then those
    of the sentence after it.
    """
    start, end = evidence_span
    first = bisect_left(amounts, start, key=lambda a: a.start)
    last = bisect_left(amounts, end, key=lambda a: a.start)
    chosen = _best(text, amounts[first : min(last, first + _MOST_SUMS)], deal_type, evidence_span)
    return chosen or _told_after(text, amounts, deal_type, evidence_span)


def _best(text: str, inside: Sequence[Amount], deal_type: DealType, evidence_span: tuple[int, int]) -> Amount | None:
    best: tuple[float, Amount] | None = None
    for index, amount in enumerate(inside):
        left = text[max(evidence_span[0], amount.start - 140) : amount.start]
        right = text[amount.end : amount.end + 60]
        if _is_other(left, right, amount) or _is_conversion(left, inside[:index], amount, text):
            continue
        if deal_type != "investment" and _RAISED_AFTER.match(right):
            continue
        if deal_type != "acquisition" and _VALUING.search(left):
            continue
        score = (
            _score(left, text[amount.end : min(amount.end + 90, evidence_span[1])], amount, deal_type) - 0.05 * index
        )
        if best is None or score > best[0]:
            best = (score, amount)
    threshold = _RARE_THRESHOLD if deal_type in _RARELY_PRICED else _THRESHOLD
    if best is None or best[0] < threshold:
        return None
    return _upper_end(text, inside, best[1])


def _upper_end(text: str, amounts: Sequence[Amount], chosen: Amount) -> Amount:
    """ "$500 million to $1 billion": the annotation takes the higher figure."""
    following = next((a for a in amounts if a.start >= chosen.end), None)
    if following and following.currency == chosen.currency and following.amount > chosen.amount:
        between = text[chosen.end : following.start]
        if re.fullmatch(r"\s?[-\u2010-\u2015]\s?|\sto\s", between) or (
            between == " and " and re.search(r"\bbetween\s$", text[max(0, chosen.start - 9) : chosen.start])
        ):
            return following
    return chosen


def _is_other(left: str, right: str, amount: Amount) -> bool:
    clause = re.split(r"[.;\n]\s", left)[-1]
    if amount.amount < _ONE_THING and _PRICE_BEFORE.search(clause):
        return True
    valued = _VALUED.search(clause)
    if valued and not _DEAL_NOUN.search(clause[: valued.start()]):
        return True
    return bool(_OTHER_BEFORE.search(clause) or _OTHER_AFTER.match(right) or _PER_UNIT.search(clause))


def _is_conversion(left: str, earlier: Sequence[Amount], amount: Amount, text: str) -> bool:
    """ "7 billion euros ($9.3 billion)": the sum in brackets repeats the one before it in another currency."""
    if not earlier or not re.search(
        r"[(\[,]\s?(?:or\s|about\s|around\s|some\s|roughly\s|approximately\s|i\.e\.\s|=\s?)*$", left
    ):
        return False
    previous = earlier[-1]
    return previous.currency != amount.currency and len(text[previous.end : amount.start].strip()) <= 16


def _score(left: str, right: str, amount: Amount, deal_type: DealType) -> float:
    is_rare = deal_type in _RARELY_PRICED
    cue = _RARE if is_rare else _CUES.get(deal_type, _ORDER)
    clause = re.split(r"[.;:\n]\s", left)[-1]
    after = re.split(r"[.;:\n]", right)[0]
    score = 0.0
    aside = _ASIDE.search(clause)
    is_closed = _CLOSED_ASIDE.match(right) is not None
    if aside and not is_closed and aside.start() <= _MAIN_CLAUSE:
        aside = None
    if aside is None and is_closed and not _OWN_NOUN.match(right):
        aside = _APPOSITION.search(clause)
    if aside:
        clause, after = aside[0], after.split(",")[0]
        score -= _ASIDE_PENALTY
    if _EARLIER_BEFORE.search(clause) or _VALUING.search(clause) or _EARLIER_AFTER.match(right):
        score -= _EARLIER_PENALTY
    reach = _CLOSE_REACH if is_rare else _CLAUSE_REACH
    near = bool(cue.search(clause[-_CLOSE_REACH:]) or cue.search(after[:_CLOSE_REACH]))
    score += 0.6 if near else 0.4 if cue.search(clause[-reach:]) or cue.search(after[:reach]) else 0.0
    if _DEAL_AFTER.match(right):
        score += 0.1
    # A sum under 10,000 is the price of a thing; deals are told in hundred thousands and more.
    score += 0.3 if amount.amount >= 1e5 or _NOMINAL.search(clause) else -0.4
    return score


# What the sentence after the evidence calls the deal, by type, and what those who pay for it do.
_ANY_DEAL = r"deal|transaction|agreement|(?:total\s)?(?:cost|value|price)|price\stag"
_DEAL_NOUNS: dict[DealType, str] = {
    "investment": r"rounds?|investment|stake|funding|financing|fundraising|offering|ipo|listing|raise|loan|"
    r"capital\sincrease|grant|facility",
    "acquisition": r"acquisition|takeover|purchase|sale|offer|bid|merger|buyout",
    "expansion": r"plant|factory|facility|project|site|cent(?:re|er)|investment|campus|construction|expansion|"
    r"headquarters",
    "joint_venture": r"venture|project|plant|investment",
    "licensing": r"licen[cs]e|fee|licen[cs]ing",
    "order": r"orders?|contracts?|purchase",
    "supply": r"contracts?|orders?",
    "testing": r"pilot|trial|project|contract|program(?:me)?",
    "partnership": r"partnership|alliance|project|collaboration|contract",
    "deployment": r"contract|project",
}
_PAYING: dict[DealType, str] = {
    "investment": r"invest(?:s|ed|ing)?|put(?:s|ting)?\sin|inject\w*|raised|contribut\w+|pay(?:s|ing)?|paid",
    "acquisition": r"pay(?:s|ing)?|paid",
    "expansion": r"invest(?:s|ed|ing)?|spen(?:d|ds|t)",
    "joint_venture": r"invest(?:s|ed|ing)?|put(?:s|ting)?\sin|contribut\w+|spen(?:d|ds|t)",
    "licensing": r"pay(?:s|ing)?|paid",
    "order": r"pay(?:s|ing)?|paid",
}
_VALUE = r"worth|valued?|values|costs?|total\w*|amount\w*|price\w*|sums?|is|was|of|for|at"
# An evidence that ends further from its full stop is one clause of several, and the next sentence may mean another.
_ATTRIBUTION_REACH = 60
_SENTENCE_REACH = 300
_SENTENCE_END = re.compile(r"[.!?][\"”’)]?(?=\s+[“\"(]?[A-Z0-9$€£])|\n\s*\n")


# Such a sentence looks back at something else: "The two had invested ...", "The offer comes in the wake of ...".
_LOOKS_BACK = re.compile(r"\b(?:had|wake|last\syear|earlier|previous)\b", re.IGNORECASE)
# The price hangs on the last word of the evidence: "... agreed to buy the unit" + " for about $37 million".
_ATTACHED = re.compile(
    r"[\s,]*(?:(?:for|worth|at|valued\sat|in\san?|(?:in|with)\san?\s(?:deal|transaction|investment|order)\s(?:worth|valued\sat|of))"
    r"\s(?:an?\s(?:total\s)?(?:price|sum|cost)\sof\s)?)?"
    r"(?:about\s|around\s|some\s|roughly\s|nearly\s|almost\s|approximately\s|up\sto\s|more\sthan\s|an?\s|estimated\s)*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _GoesOn:
    """How a sentence goes on about a deal of one type: what stands before its sum, and after it."""

    before: re.Pattern[str]
    definite: re.Pattern[str]
    noun: re.Pattern[str]


@functools.cache
def _goes_on(deal_type: DealType) -> _GoesOn:
    nouns = f"{_ANY_DEAL}|{_DEAL_NOUNS[deal_type]}"
    # "The contract is worth ...", "The Oxford plant has an estimated cost of ...", "The price: ..."
    before = (
        rf"\W*(?:under\s|for\s)?(?:the|this|its)\s(?:[\w’'-]+\s){{0,3}}?(?:{nouns})"
        rf"(?::|\b[^.;:,$€£]{{0,50}}?\b(?:{_VALUE})\b)"
    )
    if deal_type in _PAYING:
        before += (
            r"|\W*(?:it|they|together|both|\w+\s(?:will|would)|the\s(?:[\w-]+\s){0,2}"
            r"(?:compan(?:y|ies)|group|firms?|pair|two|partners|[a-z]*maker|start-?up|supplier))\b"
            rf"[^.;:$€£]{{0,50}}?\b(?:{_PAYING[deal_type]})\b"
        )
    return _GoesOn(
        re.compile(rf"^(?:{before})[^.;:$€£]{{0,40}}$", re.IGNORECASE),
        re.compile(r"(?:^|\s)(?:the|this|its)\s(?:[\w-]+\s){0,2}$", re.IGNORECASE),
        re.compile(rf"[\s-](?:(?!in\b|for\b|of\b)[\w-]+\s){{0,3}}?(?:{nouns})\b", re.IGNORECASE),
    )


def _told_after(
    text: str, amounts: Sequence[Amount], deal_type: DealType, evidence_span: tuple[int, int]
) -> Amount | None:
    """The sum right behind the evidence, or in the sentence after it where that goes on about the deal."""
    if deal_type not in _DEAL_NOUNS:
        return None
    start, end = evidence_span
    first = bisect_left(amounts, end, key=lambda a: a.start)
    if first < len(amounts) and amounts[first].start - end < _ATTRIBUTION_REACH:
        amount = amounts[first]
        left, right = text[end : amount.start], text[amount.end : amount.end + 60]
        if _ATTACHED.fullmatch(left) and not _is_other(left, right, amount):
            return _upper_end(text, amounts[first : first + 2], amount)
    # The evidence may end with its full stop or before it.
    closing = _SENTENCE_END.search(text, max(start, end - 2), end + _ATTRIBUTION_REACH)
    if closing is None:
        return None
    start = closing.end()
    first = bisect_left(amounts, start, key=lambda a: a.start)
    if first == len(amounts) or amounts[first].start > start + _SENTENCE_REACH:
        return None
    amount, goes_on = amounts[first], _goes_on(deal_type)
    left, right = text[start : amount.start].lstrip(), text[amount.end : amount.end + 60]
    if _SENTENCE_END.search(f"{left}0") or _LOOKS_BACK.search(left) or _VALUING.search(left):
        return None
    if _is_other(left, right, amount):
        return None
    is_told = goes_on.before.search(left) or (goes_on.definite.search(left) and goes_on.noun.match(right))
    return _upper_end(text, amounts[first : first + 2], amount) if is_told else None

"""Choose the amount of a deal among the sums of money in its evidence.

In: the text, its amounts, the type of the deal and the span of the sentences that tell it. Out: one ``Amount`` or None.
For an investment it is the round, for a purchase the price, for an order or a supply contract its value.

Valuations, revenues, prices per share or per car, totals raised to date and conversions in brackets are not the amount
of the deal. The cues are words around the sum; nothing is added up or converted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.records import Amount, DealType

# Cues that a sum beside them is something else; each is looked for right before or right after the sum.
_OTHER_BEFORE = re.compile(
    r"(?:\bat\s(?:an?\s)?(?:pre-?money\s|post-?money\s)?(?:valuation\s(?:of\s)?)"
    r"|\bvaluation\s(?:\w+\s){0,4}(?:of|at|to|from|exceeds|near|around|above)\s"
    r"|\b(?:valu(?:es|ed|ing)\s(?:the\s|its\s)?(?!at|deal|transaction|purchase|"
    r"stake|order|contract|offer)[\w.'’-]+(?:\s[\w.'’-]+){0,4}\sat\s)"
    r"|\b(?:it|firm|company|start-?up|group|carmaker|business|unicorn|automaker|"
    r"developer|maker)\s(?:is\s|was\s|now\s|last\s)*(?:valued\sat|worth)\s"
    r"|\bmarket\s(?:value|capitali[sz]ation|cap)\s(?:\w+\s){0,3}(?:of|at|to)\s"
    r"|\b(?:revenues?|sales|turnover|profits?|loss(?:es)?|earnings|income|ebitda?|"
    r"debts?|backlog|assets|dividend|fine|fees?\sof|penalt\w+|damages|savings|"
    r"guidance)\s"
    r"(?:\w+\s){0,5}(?:of|to|at|by|was|were|is|from|about|around|totall?ed|reached|hit|exceed\w*)\s"
    r"|\b(?:lost|earned|saved?|sav\w+|owed?|owes|costs?\ssavings\sof)\s"
    r"|\bbring\w*\s(?:its\s|the\s|their\s)?(?:[\w-]+\s){0,4}(?:to|at)\s"
    r"|\b(?:total|overall|altogether|in\sall|lifetime|cumulative|so\sfar)\s(?:\w+\s){0,3}(?:funding|raised)\s(?:\w+\s)?"
    r"|\b(?:tariffs?|taxes|salar\w+|wages?|bonus\w*)\s(?:of|worth)\s"
    r")(?:about\s|around\s|roughly\s|nearly\s|almost\s|more\sthan\s|over\s|some\s|"
    r"up\sto\s|just\s|an?\s|approximately\s|at\sleast\s|close\sto\s|between\s|"
    r"estimated\s)*$",
    re.IGNORECASE,
)
_OTHER_AFTER = re.compile(
    r"^(?:['’]s)?[\s-]?(?:\([^)]{0,40}\)\s)?(?:[\w-]+\s)?(?:valuation|market\s(?:value|"
    r"cap)|in\s(?:\w+\s)?(?:revenues?|sales|profits?|losses|savings|taxes|earnings|"
    r"fines|damages)"
    r"|(?:net\s|quarterly\s|annual\s|operating\s)*(?:loss|profit|revenues?|turnover|"
    r"write-?down|charge|fine|dividend|salary|backlog)\b)"
    r"|^\s?-?(?:a|per|each|apiece|an?\s)\s?-?(?:share|unit|vehicle|car|truck|"
    r"bus|piece|month|mile|kilomet\w+|hour|ride|trip|ounce|barrel|tonne|ton|"
    r"head|seat|person|set|copy|day|kWh)\b"
    r"|^\s(?:each|apiece)\b"
    r"|^\s(?:it|that|which|they)\s(?:had\s|has\s|have\s)?(?:already\s|previously\s)?(?:lost|earned|made)\b"
    r"|^\s(?:raised|in\s(?:total|overall|all)|to\sdate|so\sfar)\b(?=.{0,20}(?:date|so\sfar|since|total))",
    re.IGNORECASE,
)
_PRICE_BEFORE = re.compile(
    r"\b(?:priced?|starts?|sells?|sold|retails?|costs?|costing|fares?)\s(?:at|"
    r"from|for|about)?\s?(?:about\s|around\s|only\s)?$",
    re.IGNORECASE,
)
# Below this a price word makes a sum the price of one thing, above it of the deal.
_ONE_THING = 1e6
# "Rollo is now valued at ..." speaks of the firm, "the deal is valued at ..." of the deal.
_VALUED = re.compile(
    r"\b(?:is|was|are|were|been)\s(?:\w+\s){0,2}(?:valued|worth)\s(?:at\s)?(?:\w+\s){0,2}$", re.IGNORECASE
)
_DEAL_NOUN = re.compile(
    r"\b(?:deal|transaction|contract|orders?|offer|purchase|acquisition|takeover|merger|stake|sale|agreement|round|bid)\b",
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
        rf"\b(?:{_MONEY_VERB}|invest\w*|rounds?|fund(?:ing|rais\w+)|series|stake|"
        rf"inject\w*|pump\w*|put\w*|pledg\w+|loans?|financ\w+|"
        r"ipos?|offerings?|listing|capital|shares?|back(?:ed|ing)|lend\w*|credit|"
        r"bail-?out|guarantees?|aid|commit\w*|led|bonds?|equity|"
        r"sell\w*|sold|sale|buy\w*|bought|pa(?:y|id|ying)|proceeds|grants?|facility|infus\w+|cash)\b",
        re.I,
    ),
    "acquisition": re.compile(
        r"\b(?:acqui\w+|b(?:uy|ought|uys|uying)|purchas\w+|take-?over|merge\w*|deal|"
        r"sale|sold|sell\w*|for|worth|valued|price|bid|offer\w*|pa(?:y|id|ying))\b",
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
# Lowest score that gives an amount. A large sum in the evidence of a deal is nearly always its amount: of 4,334
# annotated deals without one, 37 get one. Where a cue must stand close by, it has to.
_THRESHOLD, _RARE_THRESHOLD = 0.25, 0.7
_CLAUSE_REACH = 90
_CLOSE_REACH = 30


def deal_amount(
    text: str, amounts: Sequence[Amount], deal_type: DealType, evidence_span: tuple[int, int]
) -> Amount | None:
    """The sum that the deal told in ``text[start:end]`` is about, or None where its evidence states none.

    ``amounts``: those of ``find_amounts(text)``; only sums inside the evidence are looked at.
    """
    start, end = evidence_span
    inside = [a for a in amounts if start <= a.start and a.end <= end]
    best: tuple[float, Amount] | None = None
    for index, amount in enumerate(inside):
        left = text[max(start, amount.start - 140) : amount.start]
        right = text[amount.end : min(len(text), amount.end + 60)]
        if _is_other(left, right, amount) or _is_conversion(left, inside[:index], amount, text):
            continue
        score = _score(left, right, amount, deal_type) - 0.05 * index
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
    clause = re.split(r"[.;:\n]\s", left)[-1]
    if amount.amount < _ONE_THING and _PRICE_BEFORE.search(clause):
        return True
    if _VALUED.search(clause) and not _DEAL_NOUN.search(clause):
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
    cue = _CUES.get(deal_type, _ORDER)
    clause = re.split(r"[.;:\n]\s", left)[-1]
    after = re.split(r"[.;:\n]", right)[0]
    reach = _CLOSE_REACH if deal_type in _RARELY_PRICED else _CLAUSE_REACH
    near = bool(cue.search(clause[-_CLOSE_REACH:]) or cue.search(after[:_CLOSE_REACH]))
    score = 0.6 if near else 0.4 if cue.search(clause[-reach:]) or cue.search(after[:reach]) else 0.0
    # A sum under 10,000 is the price of a thing; deals are told in hundred thousands and more.
    score += 0.3 if amount.amount >= 1e5 else -0.4
    return score

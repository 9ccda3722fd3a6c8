"""Find sums of money.

In: plain text. Out: ``Amount`` rows in text order, in full units of an ISO 4217 currency, with the exact span.

Signs, codes and names of currencies, and which one a shared name means: ``pipeline.extract.currencies``. Numbers in
digits and words: ``pipeline.extract.numerals``. Both ends of a range ("$5-$7 million") and a conversion in brackets
("35 billion yen ($230 million)") are amounts of their own.

It will not read cents, shares, percentages, bare numbers ("took in 40 million"; "120 crore" is money, though, where
nothing is counted), figures of speech ("a billion-dollar bet") or amounts spelled in other languages. Which amount is
that of a deal: ``pipeline.extract.deal_amounts``.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right

from pipeline.extract.currencies import CurrencyReader, currency_table
from pipeline.extract.numerals import DIGITS, SCALE, SCALES, number_value, scale_factor
from pipeline.records import Amount

_RANGE = r"(?:\s?[-\u2010-\u2015]\s?|\s(?:to|and|or)\s)"
# Indian papers leave the rupees out; "3 crore riders" counts riders, "120 crore from two banks" is money.
_RUPEES = re.compile(
    rf"(?<![\w.,$€£¥₹])(?P<number>{DIGITS})\s(?P<scale>(?:lakh\s)?crores?)\b"
    r"(?=\s?(?:$|[.;)(\u2013-]|,\s|(?:from|for|to|by|as|into|with|through|via|fund|funding|investment|round|loan|deal)\b))"
)
# The second end of a range without its sign: "$1.2 billion to 1.5 billion", "between $40 and 50 million".
_SECOND_END = re.compile(
    rf"(?P<link>\s?[-\u2010-\u2015]\s?|\s(?:to|and)\s)(?P<number>\d+(?:\.\d+)?){SCALE}(?![\w%$€£¥])"
    r"(?!\s(?:cars|vehicles|trucks|buses|vans|units|people|riders|users|rides|trips|shares|jobs|miles|km|kilomet\w+)\b)"
)


def find_amounts(text: str) -> list[Amount]:
    """All sums of money of ``text`` in text order and without overlap."""
    table = currency_table()
    if not table.hint.search(text):
        return []
    reader = CurrencyReader(text)
    found: list[Amount] = []
    for match in table.prefixed.finditer(text):
        if _is_sum(match, table.symbol_needs.get(match["symbol"], "")):
            found += _amount(text, match, reader.of_symbol(match["symbol"], *match.span()))
    others: list[Amount] = []
    for match in table.suffixed.finditer(text):
        others += _amount(text, match, _named(reader, match))
    for match in _RUPEES.finditer(text):
        factor = math.prod(SCALES[word.removesuffix("s")] for word in match["scale"].split())
        value = number_value(match["number"])
        if value is not None and math.isfinite(value * factor):
            others.append(Amount(*match.span(), match[0], round(value * factor, 2), "INR"))
    return _with_ranges(text, _merged(found, others))


def _merged(first: list[Amount], second: list[Amount]) -> list[Amount]:
    """Both lists in text order; a sum of the second is left out where it overlaps one that is already there."""
    ends = [a.end for a in first]
    fresh: list[Amount] = []
    for amount in sorted(second, key=lambda a: (a.start, -a.end)):
        index = bisect_right(ends, amount.start)
        is_free = index == len(first) or first[index].start >= amount.end
        if is_free and not (fresh and amount.start < fresh[-1].end):
            fresh.append(amount)
    return sorted([*first, *fresh], key=lambda a: a.start)


def _is_sum(match: re.Match[str], needs: str) -> bool:
    """Is a number behind an ambiguous sign money? ``needs``: what it takes ("COP 26 million", "Rs 45")."""
    if not needs or match["scale"] or match["lead"] or match["trail"] or "," in match["number"]:
        return True
    return needs == "digits" and len(match["number"]) > 1


def _amount(text: str, match: re.Match[str], currency: str | None) -> list[Amount]:
    """The sum that ``match`` has read; nothing where its figures are none, or too many for a number."""
    number = match["number"]
    value = number_value(number)
    groups = match.groupdict()
    factor = scale_factor(match)
    if lead := groups.get("lead") or groups.get("trail"):
        factor *= SCALES["thousand" if lead == "T" else lead.lower()]
    if currency is None or value is None or not math.isfinite(value * factor):
        return []
    if number.lower() == "a" and "-" in match[0]:  # "a billion-dollar bet"
        return []
    start, end = match.span()
    return [Amount(start, end, text[start:end], round(value * factor, 2), currency)]


def _named(reader: CurrencyReader, match: re.Match[str]) -> str | None:
    if match["sign"]:
        return currency_table().symbols[str(match["sign"])]
    if match["code"]:
        return str(match["code"])
    value = number_value(match["number"]) or 0.0
    return reader.of_word(match["word"], match["adjective"] or "", bool(match["scale"]), value)


def _with_ranges(text: str, amounts: list[Amount]) -> list[Amount]:
    """Give each end of a range the scale and currency that are only written at the other."""
    out: list[Amount] = []
    for index, amount in enumerate(amounts):
        previous = out[-1] if out else None
        if previous and re.fullmatch(_RANGE, text[previous.end : amount.start]):
            unit = _unit(amount)
            if unit > 1 and _unit(previous) == 1 and previous.amount < 1000:
                value = round(previous.amount * unit, 2)
                out[-1] = Amount(previous.start, previous.end, previous.surface, value, previous.currency)
        elif low := re.search(rf"(?<![\w.,])({DIGITS}){_RANGE}$", text[max(0, amount.start - 24) : amount.start]):
            lower = number_value(low[1])
            # Only a rising pair is a range: "in 2025 and 3 million euros" is none.
            if lower and amount.surface[0].isdigit() and lower * _unit(amount) < amount.amount and _unit(amount) > 1:
                start = max(0, amount.start - 24) + low.start(1)
                value = round(lower * _unit(amount), 2)
                out.append(Amount(start, start + len(low[1]), low[1], value, amount.currency))
        following = amounts[index + 1].start if index + 1 < len(amounts) else len(text)
        out += _both_ends(text, amount, following)
    return out


def _both_ends(text: str, amount: Amount, following: int) -> list[Amount]:
    """The sum, and the second end of its range where that is written without a sign."""
    match = _SECOND_END.match(text, amount.end)
    if not match or not match["scale"] or match.end() > following or amount.surface[0].isdigit():
        return [amount]
    if match["link"].strip() == "and" and not re.search(r"\bbetween\s$", text[max(0, amount.start - 9) : amount.start]):
        return [amount]
    factor = scale_factor(match)
    first, second = amount.amount, float(match["number"]) * factor
    if _unit(amount) == 1 and first < 1000:
        first *= factor
    if not first < second <= 10 * first:
        return [amount]
    start = match.start("number")
    return [
        Amount(amount.start, amount.end, amount.surface, round(first, 2), amount.currency),
        Amount(start, match.end(), text[start : match.end()], round(second, 2), amount.currency),
    ]


def _unit(amount: Amount) -> float:
    scales = [m for m in re.finditer(rf"\d{SCALE}", amount.surface) if m["scale"]]
    return scale_factor(scales[-1]) if scales else 1.0

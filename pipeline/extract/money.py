"""Find sums of money.

In: plain text. Out: ``Amount`` rows in text order, in full units of an ISO 4217 currency, with the exact span.

Symbols, ISO codes and names of currencies are rows of ``corpora/gazetteers/currencies.csv``; a name that several
countries share ("crowns", "riyals") is settled by the word before it, else by the countries the text names, else by the
row without a context. A "$" alone is the US dollar. Both ends of a range ("$5-$7 million") and a conversion in brackets
("35 billion yen ($230 million)") are amounts of their own.

It will not read cents, shares, percentages, bare numbers ("took in 40 million") or amounts spelled in other languages.
Which amount is that of a deal: ``pipeline.extract.deal_amounts``.
"""

from __future__ import annotations

import csv
import functools
import math
import re
from dataclasses import dataclass
from importlib import resources

from pipeline.records import Amount

SCALES = {
    "hundred": 1e2, "thousand": 1e3, "k": 1e3, "lakh": 1e5, "lac": 1e5,
    "million": 1e6, "mln": 1e6, "mn": 1e6, "mio": 1e6, "m": 1e6, "mm": 1e6,
    "crore": 1e7, "cr": 1e7,
    "billion": 1e9, "billon": 1e9, "mrd": 1e9, "bln": 1e9, "bn": 1e9, "b": 1e9,
    "trillion": 1e12, "trn": 1e12, "tn": 1e12, "t": 1e12,
}  # fmt: skip
_SMALL = [
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
WORDS: dict[str, float] = {word: float(i) for i, word in enumerate(_SMALL, 1)}
WORDS |= {ten: 10.0 * i for i, ten in enumerate(_TENS, 2)}
WORDS |= {f"{ten}-{one}": 10.0 * i + j for i, ten in enumerate(_TENS, 2) for j, one in enumerate(_SMALL[:9], 1)}
WORDS |= {"a": 1.0, "half a": 0.5, "a quarter of a": 0.25, "three quarters of a": 0.75, "a hundred": 100.0,
          "one and a half": 1.5, "two and a half": 2.5, "three and a half": 3.5}  # fmt: skip

_DIGITS = r"\d{1,3}(?:,\d{2,3})+(?:\.\d+)?|\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?![\d.])|\d+(?:[.,]\d+)?"
_SPELLED = "|".join(sorted((re.escape(w).replace(r"\ ", r"\s") for w in WORDS), key=len, reverse=True))
# Full names only need a letter boundary; one-letter scales ("$20M", "€300m") must touch the number or follow one space.
_SCALE_WORDS = r"hundred|thousand|million|billion|billon|trillion|crores?|lakhs?|lac"
_SCALE_SHORT = r"Mrd|Mio|mln|bln|trn|mio|mn|bn|tn|cr|MM|M|m|B|b|K|k|T"
_SCALE = (
    rf"(?:[\s\u00a0-]?(?P<scale>(?i:{_SCALE_WORDS})|{_SCALE_SHORT})(?:-(?:plus|"
    rf"odd))?\b(?:\s(?P<scale2>(?i:crores?|million|billion|trillion))\b)?)?"
)
_RANGE = r"(?:\s?[-\u2010-\u2015]\s?|\s(?:to|and|or)\s)"


@dataclass(frozen=True, slots=True)
class _Name:
    pattern: re.Pattern[str]
    currency: str
    before: re.Pattern[str] | None
    context: re.Pattern[str] | None
    needs_scale: bool


@dataclass(frozen=True, slots=True)
class _Currencies:
    symbols: dict[str, str]
    symbols_by_context: dict[str, tuple[re.Pattern[str], str]]  # "¥" is the yuan in a text about China
    symbols_with_scale: frozenset[str]  # "COP26" is no sum, "COP 26 million" is
    names: tuple[_Name, ...]
    prefixed: re.Pattern[str]
    suffixed: re.Pattern[str]
    hint: re.Pattern[str]


@functools.cache
def currencies() -> _Currencies:
    """Read and compile the currency rows once a process."""
    source = resources.files("corpora").joinpath("gazetteers/currencies.csv")
    rows = list(csv.DictReader(source.read_text(encoding="utf-8").splitlines()))
    signs = [r for r in rows if r["kind"] == "symbol"]
    symbols = {r["text"]: r["currency"] for r in signs if not r["context"]}
    names = []
    for row in rows:
        if row["kind"] == "word":
            context = row["context"].removeprefix("before:")
            is_before = row["context"].startswith("before:")
            names.append(
                _Name(
                    re.compile(rf"{row['text']}\b", re.I),
                    row["currency"],
                    re.compile(rf"\b(?:{context})\s$") if is_before else None,
                    re.compile(rf"\b(?:{row['context']})") if row["context"] and not is_before else None,
                    row["needs"] == "scale",
                )
            )
    symbol = "|".join(_bounded(s) for s in sorted(symbols, key=len, reverse=True))
    code = "|".join(s for s in symbols if re.fullmatch(r"[A-Z]{3}", s))
    word = "|".join(sorted({r["text"] for r in rows if r["kind"] == "word"}, key=lambda w: (-len(w), w)))
    adjective = r"(?:(?:U\.?S\.?|American|[A-Z][a-z]+(?:\s[A-Z][a-z]+)?|NT)\s)?"
    return _Currencies(
        symbols,
        {r["text"]: (re.compile(rf"\b(?:{r['context']})"), r["currency"]) for r in signs if r["context"]},
        frozenset(r["text"] for r in signs if r["needs"] == "scale"),
        tuple(names),
        re.compile(rf"(?<![A-Za-z0-9$€£])(?P<symbol>{symbol})\s?(?P<number>{_DIGITS}){_SCALE}"),
        re.compile(
            rf"(?<![\w.,$€£¥])(?P<number>{_DIGITS}|(?i:{_SPELLED})(?=[\s-](?i:{_SCALE_WORDS}|mln|bln)\b)){_SCALE}"
            rf"[\s\u00a0-]?(?:(?P<sign>[€£¥₩])|(?P<code>{code})\b|(?P<adjective>{adjective})(?P<word>(?i:{word}))\b)"
        ),
        re.compile(
            rf"\d\s?[€£¥₩]|[$€£¥￥₩₹₺₪฿₫₱₽₦₴]|\b(?:{code}|RMB|Rs|Rp|RM|Dhs?|Kč|SFr|FFr|DM)\b|\b(?:{word})\b", re.I
        ),
    )


def _bounded(symbol: str) -> str:
    return re.escape(symbol) + (r"(?=\s?\d)" if symbol[-1].isalpha() else "")


def find_amounts(text: str) -> list[Amount]:
    """All sums of money of ``text`` in text order and without overlap."""
    known = currencies()
    if not known.hint.search(text):
        return []
    found: list[Amount] = []
    for match in known.prefixed.finditer(text):
        symbol = match["symbol"]
        if symbol in known.symbols_with_scale and not match["scale"] and "," not in match["number"]:
            continue
        context = known.symbols_by_context.get(symbol)
        is_other = context is not None and context[0].search(text) is not None
        currency = context[1] if context and is_other else known.symbols[symbol]
        if amount := _amount(text, match, currency):
            found.append(amount)
    for match in known.suffixed.finditer(text):
        named = _named(text, match)
        amount = _amount(text, match, named) if named else None
        if amount and not any(a.start < amount.end and amount.start < a.end for a in found):
            found.append(amount)
    return _with_ranges(text, sorted(found, key=lambda a: a.start))


def _value(number: str) -> float | None:
    """What the digits or words say; None where commas and points group no number ("1,23,45", "12,50.75")."""
    if not number[0].isdigit():
        return WORDS[re.sub(r"\s", " ", number.lower())]
    plain = re.sub(r"[ \u00a0\u202f]", "", number)
    # "1,500" groups thousands, "1,5" is a decimal comma; Indian grouping is "12,34,000".
    plain = plain.replace(",", "") if re.search(r",\d{3}(?!\d)", plain) else plain.replace(",", ".")
    return float(plain) if plain.count(".") <= 1 else None


def _scale(match: re.Match[str]) -> float:
    factor = 1.0
    for name in (match["scale"], match["scale2"]):
        if name:
            factor *= SCALES[name.lower().removesuffix("s")]
    return factor


def _amount(text: str, match: re.Match[str], currency: str) -> Amount | None:
    """The sum that ``match`` has read; None where its figures are none, or too many for a number."""
    value = _value(match["number"])
    if value is None or not math.isfinite(value * _scale(match)):
        return None
    start, end = match.span()
    return Amount(start, end, text[start:end], round(value * _scale(match), 2), currency)


def _named(text: str, match: re.Match[str]) -> str | None:
    """ISO code of the currency that the words after the number name; None where they are no money ("5,000 pounds")."""
    known = currencies()
    if match["sign"]:
        return known.symbols[match["sign"]]
    if match["code"]:
        return str(match["code"])
    adjective, word = match["adjective"] or "", match["word"]
    rows = [n for n in known.names if n.pattern.fullmatch(word)]
    rows = [n for n in rows if not n.needs_scale or match["scale"]]
    for name in rows:
        if name.before and name.before.search(adjective):
            return name.currency
    for name in rows:
        if name.context and name.context.search(text):
            return name.currency
    return next((n.currency for n in rows if not n.before and not n.context), None)


def _with_ranges(text: str, amounts: list[Amount]) -> list[Amount]:
    """Give the first end of a range the scale and currency that are only written at the second."""
    out: list[Amount] = []
    for amount in amounts:
        previous = out[-1] if out else None
        if previous and re.fullmatch(_RANGE, text[previous.end : amount.start]):
            unit = _unit(amount)
            if unit > 1 and _unit(previous) == 1 and previous.amount < 1000:
                value = round(previous.amount * unit, 2)
                out[-1] = Amount(previous.start, previous.end, previous.surface, value, previous.currency)
        elif low := re.search(rf"(?<![\w.,])({_DIGITS}){_RANGE}$", text[max(0, amount.start - 24) : amount.start]):
            lower = _value(low[1])
            # Only a rising pair is a range: "in 2025 and 3 million euros" is none.
            if lower and amount.surface[0].isdigit() and lower * _unit(amount) < amount.amount and _unit(amount) > 1:
                start = max(0, amount.start - 24) + low.start(1)
                value = round(lower * _unit(amount), 2)
                out.append(Amount(start, start + len(low[1]), low[1], value, amount.currency))
        out.append(amount)
    return out


def _unit(amount: Amount) -> float:
    scales = [m for m in re.finditer(rf"\d{_SCALE}", amount.surface) if m["scale"]]
    return _scale(scales[-1]) if scales else 1.0

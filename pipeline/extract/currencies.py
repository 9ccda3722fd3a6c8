"""The currencies that texts name, and which one a shared sign or name means.

In: ``corpora/gazetteers/currencies.csv``; a text. Out: the compiled patterns, and ``CurrencyReader``, which settles
names that several countries share ("crowns", "riyals", "¥") for one text: by the word before, else by the countries the
text names, else by the row without a context.

A bare "$" is the US dollar unless the text says otherwise: the words after the sum ("$12 million Canadian"), a general
remark ("all figures in Australian dollars"), a conversion beside it ("$30 million (US$22 million)" cannot be US
dollars), or a government that pays in its own money ("the Ontario government will give $12 million"). The home of a
company proves nothing: start-ups of Toronto and Sydney raise US dollars.

It will not look for sums; that is ``pipeline.extract.money``.
"""

from __future__ import annotations

import csv
import functools
import re
from dataclasses import dataclass
from importlib import resources

from pipeline.extract.numerals import DIGITS, SCALE, SCALE_WORDS, SPELLED

# A government that pays; one that only approves a deal says nothing about its currency.
_PAYER = (
    r"(?:taxpayers?\b|(?:government|ministry|treasury)\b[^.;$]{0,40}\b(?:giv|gave|grant|lend|lent|loan|contribut|"
    r"provid|invest|spen[dt]|hand|put|pledg|commit|earmark|fund|pay|paid|subsid|award|allocat|budget|chip))"
)
# Codes that annual reports write with the scale before them ("MSEK 45", "TEUR 310") or behind ("SEKm 45").
_REPORTED = r"(?:EUR|SEK|NOK|DKK|CHF|USD|GBP)"


@dataclass(frozen=True, slots=True)
class _Name:
    pattern: re.Pattern[str]
    currency: str
    before: re.Pattern[str] | None
    context: re.Pattern[str] | None
    needs: str  # "scale": money only with "million" after the number; "hundred": only from 100 on


@dataclass(frozen=True, slots=True)
class _Dollar:
    currency: str
    places: re.Pattern[str]
    public_money: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class CurrencyTable:
    symbols: dict[str, str]
    symbols_by_context: dict[str, tuple[re.Pattern[str], str]]  # "¥" is the yuan in a text about China
    symbol_needs: dict[str, str]  # "COP26" is no sum, "COP 26 million" is; "RS 3" is a car
    names: tuple[_Name, ...]
    dollars: tuple[_Dollar, ...]
    dollar_after: re.Pattern[str]
    dollar_remark: re.Pattern[str]
    prefixed: re.Pattern[str]
    suffixed: re.Pattern[str]
    hint: re.Pattern[str]  # a text without any of these has no sum


@functools.cache
def currency_table() -> CurrencyTable:
    """Read and compile the currency rows once a process."""
    source = resources.files("corpora").joinpath("gazetteers/currencies.csv")
    rows = list(csv.DictReader(source.read_text(encoding="utf-8").splitlines()))
    signs = [r for r in rows if r["kind"] == "symbol"]
    dollars = [r for r in rows if r["kind"] == "dollar"]
    symbols = {r["text"]: r["currency"] for r in signs if not r["context"]}
    symbol = "|".join(_bounded(s) for s in sorted(symbols, key=len, reverse=True))
    code = "|".join(s for s in symbols if re.fullmatch(r"[A-Z]{3}", s))
    spelled = "|".join(re.escape(s) for s in symbols if s[-1].isalpha())
    word = "|".join(sorted({r["text"] for r in rows if r["kind"] == "word"}, key=lambda w: (-len(w), w)))
    adjective = r"(?:(?:U\.?S\.?|American|[A-Z][a-z]+(?:\s[A-Z][a-z]+)?|NT)\s)?"
    dollar = "|".join(f"(?P<{r['currency']}>{r['text']}|{r['currency']})" for r in dollars)
    return CurrencyTable(
        symbols,
        {r["text"]: (re.compile(rf"\b(?:{r['context']})"), r["currency"]) for r in signs if r["context"]},
        {r["text"]: r["needs"] for r in signs if r["needs"]},
        tuple(_name(r) for r in rows if r["kind"] == "word"),
        tuple(_dollar(r) for r in dollars),
        re.compile(rf"[\s,(]{{0,2}}(?:in\s)?(?:{dollar})(?!\w)(?!\s(?!dollars|currency|funds)[a-z])"),
        re.compile(
            r"\b(?:figures|amounts|sums|prices|values|dollars)\s(?:(?:are|stated|given|quoted|expressed)\s){0,2}"
            rf"in\s(?:{dollar})(?:\s(?:dollars|currency|funds)\b|(?<=[A-Z]{{3}})\b)"
        ),
        re.compile(
            rf"(?<![A-Za-z0-9$€£])(?P<lead>[MTk](?={_REPORTED}))?(?P<symbol>{symbol})(?P<trail>(?<=[A-Z]{{3}})(?:m|bn)\b)?"
            rf"\s?(?P<number>{DIGITS}){SCALE}"
        ),
        re.compile(
            rf"(?<![\w.,$€£¥])(?P<number>{DIGITS}|(?i:{SPELLED})(?=[\s-](?i:{SCALE_WORDS}|mln|bln)\b)){SCALE}"
            rf"[\s\u00a0-]?(?:(?P<sign>[€£¥₩])|(?P<lead>[MT](?={_REPORTED}))?(?P<code>{code})\b|"
            rf"(?P<adjective>{adjective})(?P<word>(?i:{word}))\b)"
        ),
        re.compile(
            rf"\d\s?[€£¥₩]|[$€£¥￥₩₹₺₪฿₫₱₽₦₴]|(?<![a-z])[MTk]?(?:{spelled})(?:m|bn)?(?![a-z])|\b(?:{word}|crores?)\b",
            re.I,
        ),
    )


class CurrencyReader:
    """What the shared signs and names of one text mean; each question about the whole text is asked once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._table = currency_table()
        self._answers: dict[re.Pattern[str], bool] = {}

    def of_symbol(self, symbol: str, start: int, end: int) -> str:
        """ISO code of the sum ``text[start:end]`` that is led by ``symbol``."""
        if symbol == "$":
            return self._of_dollar(start, end)
        context = self._table.symbols_by_context.get(symbol)
        return context[1] if context and self._names(context[0]) else self._table.symbols[symbol]

    def of_word(self, word: str, adjective: str, has_scale: bool, value: float) -> str | None:
        """ISO code of a sum that ``word`` follows; None where that is no money ("5,000 pounds")."""
        rows = [n for n in self._table.names if n.pattern.fullmatch(word)]
        rows = [n for n in rows if has_scale or not n.needs or (n.needs == "hundred" and value >= 100)]
        for name in rows:
            if name.before and name.before.search(adjective):
                return name.currency
        for name in rows:
            if name.context and self._names(name.context):
                return name.currency
        return next((n.currency for n in rows if not n.before and not n.context), None)

    def _of_dollar(self, start: int, end: int) -> str:
        if match := self._table.dollar_after.match(self._text, end):
            return str(match.lastgroup)
        if self._stated:
            return self._stated
        converted = re.match(r"\s?[(\[](?:about\s|some\s|roughly\s)?US\s?\$", self._text[end : end + 16]) or re.search(
            r"US\s?\$[\d.,]+\s?\w{0,8}\s?[(\[](?:about\s)?$", self._text[max(0, start - 40) : start]
        )
        if converted and (home := next((d.currency for d in self._table.dollars if self._names(d.places)), None)):
            return home
        payers = [d for d in self._table.dollars if self._names(d.public_money)]
        around = _sentence(self._text, start, end) if payers else ""
        return next((d.currency for d in payers if d.public_money.search(around)), "USD")

    @functools.cached_property
    def _stated(self) -> str | None:
        match = self._table.dollar_remark.search(self._text)
        return match.lastgroup if match else None

    def _names(self, pattern: re.Pattern[str]) -> bool:
        if pattern not in self._answers:
            self._answers[pattern] = pattern.search(self._text) is not None
        return self._answers[pattern]


def _bounded(symbol: str) -> str:
    if re.fullmatch(_REPORTED, symbol):
        return re.escape(symbol) + r"(?=(?:m|bn)?\s?\d)"
    return re.escape(symbol) + (r"(?=\s?\d)" if symbol[-1].isalpha() else "")


def _name(row: dict[str, str]) -> _Name:
    context = row["context"].removeprefix("before:")
    is_before = row["context"].startswith("before:")
    return _Name(
        re.compile(rf"{row['text']}\b", re.I),
        row["currency"],
        re.compile(rf"\b(?:{context})\s$") if is_before else None,
        re.compile(rf"\b(?:{context})") if context and not is_before else None,
        row["needs"],
    )


def _dollar(row: dict[str, str]) -> _Dollar:
    places = rf"\b(?:{row['context']}|{row['text']})"
    return _Dollar(
        row["currency"],
        re.compile(rf"{places}\b"),
        re.compile(rf"{places}(?:['’]s)?\s(?:(?:federal|state|provincial)\s)?{_PAYER}"),
    )


def _sentence(text: str, start: int, end: int) -> str:
    """The sentence around a span, at most 200 characters to either side."""
    before = re.split(r"[.!?]\s+(?=[A-Z“\"])|\n\n", text[max(0, start - 200) : start])[-1]
    after = re.split(r"[.!?]\s+(?=[A-Z“\"])|\n\n", text[end : end + 200], maxsplit=1)[0]
    return before + text[start:end] + after

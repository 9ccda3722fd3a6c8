"""Read numbers as news texts write them.

In: a matched piece of text. Out: its value. ``DIGITS``, ``SPELLED`` and ``SCALE`` are pieces of regular expressions for
the extractors that look for quantities: figures with any grouping of thousands ("1,200", "12,34,000", "1.250.000",
"1 200 000"), numbers in words ("twenty-five", "two point five", "half a") and the scale behind them ("million", "bn").

It will not look for numbers itself, nor read fractions ("3/4"), ordinals or roman numerals.
"""

from __future__ import annotations

import re

SCALES = {
    "hundred": 1e2, "thousand": 1e3, "k": 1e3, "lakh": 1e5, "lac": 1e5,
    "million": 1e6, "mln": 1e6, "mn": 1e6, "mio": 1e6, "m": 1e6, "mm": 1e6,
    "crore": 1e7, "cr": 1e7,
    "billion": 1e9, "billon": 1e9, "mrd": 1e9, "bln": 1e9, "bn": 1e9, "b": 1e9,
    "trillion": 1e12, "trn": 1e12, "tn": 1e12, "t": 1e12,
}  # fmt: skip
_ONES = [
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_WORDS: dict[str, float] = {word: float(i) for i, word in enumerate(_ONES, 1)}
_WORDS |= {ten: 10.0 * i for i, ten in enumerate(_TENS, 2)}
_FRACTIONS = {"half a": 0.5, "a quarter of a": 0.25, "quarter of a": 0.25, "three quarters of a": 0.75}

DIGITS = (
    r"\d{1,3}(?:,\d{2,3})+(?:\.\d+)?|\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?![\d.])|\d{1,3}(?:\.\d{3}){2,}(?![\d.,])|"
    r"\d+(?:[.,]\d+)?"
)
_ONE = "|".join(sorted(_WORDS, key=len, reverse=True))
# "one hundred and twenty", "two point five", "one and a half"; seven words at most, so that the work stays linear.
SPELLED = (
    "|".join(word.replace(" ", r"\s") for word in sorted(_FRACTIONS, key=len, reverse=True))
    + rf"|(?:a|{_ONE})\b(?:[\s-](?:hundred|point|{_ONE})\b|\sand\s(?:a\shalf|{_ONE})\b){{0,6}}"
)
SCALE_WORDS = r"hundred|thousand|million|billion|billon|trillion|crores?|lakhs?|lac"
# One-letter scales touch the number or follow one space ("$20M", "€300 m"); "Mio." and "Mrd." end in a point.
_SCALE_SHORT = r"Mrd|Mio|mio|mln|bln|trn|mn|bn|tn|cr|MM"
# A letter that stands apart begins a word of its own where a hyphen, slash or ampersand joins more to it:
# "$30 T-shirt", "$3 b/w prints", "$25 M&A fee". What may follow a scale there is a measure: "$5 M-a-year",
# "$90 m-plus", "$5 M/year".
_MEASURE = (
    r"(?:plus|odd|strong|worth|valued|rated|backed|funded|dollars?|euros?|pounds?|yen|yuan|won|rupees?|to"
    r"|an?|per|each|yr|years?|mo|months?|weeks?|days?|quarters?|unit|vehicle|car)\b"
)
_SCALE_LETTER = (
    rf"(?:T(?![-\u2010\u2011\s]?(?i:shirts?)\b)|[MmBbKk])"
    rf"(?:(?<=\d.)(?!&[A-Za-z])|(?<!\d.)(?![-\u2010\u2011/&](?!{_MEASURE})[A-Za-z]))"
)
SCALE = (
    rf"(?:[\s\u00a0-]?(?P<scale>(?i:{SCALE_WORDS})|{_SCALE_SHORT}|{_SCALE_LETTER})"
    r"(?:-(?:plus|odd))?\b(?:(?<=[Mm]io|Mrd)\.(?=\s))?"
    r"(?:\s(?P<scale2>(?i:crores?|million|billion|trillion))\b)?)?"
)


def number_value(number: str) -> float | None:
    """What digits or words say; None where commas and points group no number ("1,23,45", "12,50.75")."""
    if not number[0].isdigit():
        return _spelled_value(number)
    plain = re.sub(r"[ \u00a0\u202f]", "", number)
    if plain.count(".") > 1:  # "1.250.000"
        plain = plain.replace(".", "")
    # "1,500" groups thousands, "1,5" is a decimal comma; Indian grouping is "12,34,000".
    plain = plain.replace(",", "") if re.search(r",\d{3}(?!\d)", plain) else plain.replace(",", ".")
    return float(plain) if plain.count(".") <= 1 else None


def scale_factor(match: re.Match[str]) -> float:
    """What the scale of a match of ``SCALE`` multiplies by: "million" 1e6, "lakh crore" 1e12, none 1."""
    factor = 1.0
    for name in (match["scale"], match["scale2"]):
        if name:
            factor *= SCALES[name.lower().removesuffix("s")]
    return factor


def _spelled_value(words: str) -> float | None:
    plain = " ".join(words.lower().split())
    if plain in _FRACTIONS:
        return _FRACTIONS[plain]
    whole, _, digits = plain.partition(" point ")
    half = whole.endswith(" and a half")
    total = 0.0
    for word in re.split(r"[\s-]", whole.removesuffix(" and a half")):
        if word == "hundred":
            total = max(total, 1.0) * 100
        elif word not in ("and", "a"):
            total += _WORDS.get(word, 0.0)
    tail = [int(_WORDS.get(word, 10)) for word in digits.split()]
    if any(digit > 9 for digit in tail):
        return None
    total = max(total, 1.0) if whole.startswith("a") else total
    return total + 0.5 * half + (float("0." + "".join(map(str, tail))) if tail else 0.0)

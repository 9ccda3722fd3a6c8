# ruff: noqa: SIM905
"""Other names in the same sentences, so that the model learns contexts rather than a list of firms.

In: an annotated article with its sentence spans. Out: the same article with some companies renamed throughout, and
every offset moved along; its ``record`` stays that of the original.
"""

from __future__ import annotations

import bisect
import dataclasses
import random
from collections.abc import Sequence

from corpora.annotations import AnnotatedArticle, GoldSpan

_ONSETS = "b br c ch d dr f fl g gr h j k kl l m n p pl qu r s sh st t tr v w x y z zh".split(" ")
_VOWELS = "a e i o u ai ea ia io ou".split(" ")
_CODAS = ("", "", "", "n", "r", "s", "l", "x", "th", "ck", "nd", "ro", "va", "ra")
_SECOND = (
    "Robotics Technologies Motors Auto AI Mobility Systems Group Holdings Energy Logistics Trucks Semiconductor "
    "Electronics Capital Ventures Partners Automotive Labs Drive Intelligence Networks Industries Bank Software"
).split(" ")
_TAILS = (".ai", " AI", "Drive", "Tech", "-Tech", "Bot", " & Co", " AG", " Inc", " Ltd", " GmbH", " SE", " NV", " Co.")


def invented_name(rng: random.Random) -> str:
    """A company name that no list holds: one to three syllables, sometimes a second word or a legal form."""
    word = "".join(
        rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(rng.choice([1, 2, 2, 3]))
    )
    word = word.upper() if len(word) < 6 and rng.random() < 0.25 else word.capitalize()
    draw = rng.random()
    if draw < 0.4:
        return f"{word} {rng.choice(_SECOND)}"
    return word + rng.choice(_TAILS) if draw < 0.6 else word


def rename_companies(
    article: AnnotatedArticle,
    sentences: Sequence[tuple[int, int]],
    names: Sequence[str],
    rng: random.Random,
    share: float,
) -> tuple[AnnotatedArticle, list[tuple[int, int]]]:
    """Rename that share of the companies, half to invented names, half to ``names`` (real ones from the register)."""
    new_name: dict[str, str] = {}
    for name in sorted({s.name for s in article.spans if s.label == "COMPANY"}):
        if rng.random() < share:
            new_name[name] = invented_name(rng) if rng.random() < 0.5 else rng.choice(names)
    if not new_name:
        return article, list(sentences)
    longest = {n: max((s.end - s.start for s in article.spans if s.name == n), default=0) for n in new_name}
    pieces: list[str] = []
    old_ends, new_ends = [0], [0]
    for span in article.spans:
        if span.label != "COMPANY" or span.name not in new_name:
            continue
        full = new_name[span.name]
        new = full if span.end - span.start == longest[span.name] else full.split()[0]
        pieces += [article.text[old_ends[-1] : span.start], new]
        new_ends.append(new_ends[-1] + span.start - old_ends[-1] + len(new))
        old_ends.append(span.end)
    text = "".join([*pieces, article.text[old_ends[-1] :]])

    def moved(offset: int) -> int:
        following = bisect.bisect_right(old_ends, offset)
        new = offset + new_ends[following - 1] - old_ends[following - 1]
        return min([new, *new_ends[following : following + 1]])  # an offset inside a name stays inside the new one

    spans = tuple(GoldSpan(moved(s.start), moved(s.end), s.name, s.label) for s in article.spans)
    deals = tuple(dataclasses.replace(d, start=moved(d.start), end=moved(d.end)) for d in article.deals)
    renamed = dataclasses.replace(article, text=text, spans=spans, deals=deals)
    return renamed, [(moved(a), moved(b)) for a, b in sentences]

"""Score companies of annotated articles, entity by entity, as the project's table scorer does.

In: annotated articles and, for each, the key sets of the companies that were found. Out: precision, recall, F1 and the
share of stated non-companies that were reported. One found company matches one annotated company when their normal
surfaces or names meet; borderline names count neither when found nor when missed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_SUFFIX = re.compile(
    r"(?:,?\s+(?:inc|corp|corporation|co|company|ltd|limited|llc|plc|ag|se|gmbh|"
    r"sa|s\.a|nv|n\.v|ab|oy|kk|group|holdings?))+\.?$"
)


@dataclass(frozen=True, slots=True)
class Counts:
    matched: int = 0
    found: int = 0
    annotated: int = 0
    banned_found: int = 0
    banned: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.matched + other.matched,
            self.found + other.found,
            self.annotated + other.annotated,
            self.banned_found + other.banned_found,
            self.banned + other.banned,
        )

    def figures(self) -> dict[str, float]:
        precision = self.matched / self.found if self.found else 0.0
        recall = self.matched / self.annotated if self.annotated else 0.0
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        return {
            "precision": precision,
            "recall": recall,
            "f1": f1,
            "not_companies_reported": self.banned_found / max(1, self.banned),
        }


def fold(text: str) -> str:
    """Casefolded surface without possessive, article, quotes and odd spacing."""
    text = unicodedata.normalize("NFKC", text).replace("’", "'").casefold().strip()
    text = re.sub(r"'s?$", "", text)
    text = re.sub(r"^(the|a|an)\s+", "", text)
    text = re.sub(r"[\"“”]", "", text)
    return re.sub(r"[\s\-‐‑–]+", " ", text).strip(" .,")


def surface_keys(names: Iterable[str | None]) -> set[str]:
    """The folded names, each also without its legal form."""
    out = set()
    for name in filter(None, names):
        folded = fold(name)
        if folded:
            out.add(folded)
            short = _SUFFIX.sub("", folded).strip()
            if len(short) > 1:
                out.add(short)
    return out


def optional_keys(items: Sequence[Any] | None) -> set[str]:
    """Keys of borderline names: plain strings, or objects with name and surfaces."""
    out: set[str] = set()
    for item in items or []:
        out |= surface_keys([item] if isinstance(item, str) else [item.get("name"), *item.get("surfaces", [])])
    return out


def match(found: Sequence[set[str]], annotated: Sequence[set[str]]) -> list[tuple[int, int]]:
    """Greedy one-to-one pairs (found, annotated), largest overlap first."""
    pairs = sorted(
        ((len(f & a), -len(f), i, j) for i, f in enumerate(found) for j, a in enumerate(annotated) if f & a),
        reverse=True,
    )
    used_found: set[int] = set()
    used_annotated: set[int] = set()
    out = []
    for _, _, i, j in pairs:
        if i not in used_found and j not in used_annotated:
            used_found.add(i)
            used_annotated.add(j)
            out.append((i, j))
    return out


def count_article(article: Mapping[str, Any], found: Sequence[set[str]]) -> Counts:
    """Counts of one annotated article; ``found`` holds the keys of each company that was reported."""
    annotated = [surface_keys([c["name"], *c["surfaces"]]) for c in article["companies"]]
    pairs = match(found, annotated)
    matched = {i for i, _ in pairs}
    free = optional_keys(article.get("optional_companies"))
    ignored = {i for i, keys in enumerate(found) if keys & free} - matched
    banned = surface_keys(article.get("not_companies", []))
    return Counts(
        len(pairs),
        len(found) - len(ignored),
        len(annotated),
        sum(1 for keys in found if keys & banned),
        len(article.get("not_companies", [])),
    )

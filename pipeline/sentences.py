"""Sentence boundaries that survive headlines, abbreviations and hard-wrapped lines, as a spaCy component.

In: a tokenised ``Doc``. Out: the same ``Doc``, where ``line_breaks`` has fixed what is certain: a line break starts a
sentence (headlines, bullets and datelines have no full stop), nothing starts inside a line without a mark that can end
a sentence. The trained ``senter`` after it decides the rest and leaves these decisions alone.
It does not look at meaning, and it does not join what the text separates by an empty line.

Importing this module registers the component: import it before ``spacy.load`` of ``models/names/pipeline``.
"""

from __future__ import annotations

from spacy.language import Language
from spacy.tokens import Doc

# After these a name or a number follows. Company forms (Inc., Corp.), "U.S.", "a.m." and American states are absent:
# sentences do end with them, so the senter decides, except before a lower-case word.
NEVER_LAST = frozenset(
    [
        *("Mr.", "Mrs.", "Ms.", "Dr.", "Prof.", "Gov.", "Sen.", "Rep.", "Gen.", "Lt.", "Col.", "Capt.", "Sgt.", "Hon."),
        *("Rev.", "St.", "Mt.", "Ft.", "No.", "Nos.", "vs.", "v.", "approx.", "ca.", "cf.", "e.g.", "i.e."),
        *("Jan.", "Feb.", "Aug.", "Sept.", "Oct.", "Nov.", "Dec."),
    ]
)
ENDS = tuple(".!?…:;")
CLOSERS = frozenset(['"', "”", "’", "'", "''", ")", "]", "}", "»"])
CANNOT_OPEN = frozenset([*",;:.!?…%)]}”’", "'s", "’s"])
# Share of single line breaks inside running text (next line starts in lower case) from which a document counts as
# hard-wrapped: wire archives wrap every line (above .4 there), elsewhere only quotations and code do (below .1).
WRAPPED_SHARE = 0.2


@Language.component("line_breaks", assigns=["token.is_sent_start"])
def line_breaks(doc: Doc) -> Doc:
    """Start a sentence after each line break that ends a line of text; forbid a start where none can be."""
    words = [token.text for token in doc]
    continued = _continuations(words)
    wrapped = _is_wrapped(words, continued)
    ended = False  # a mark that can end a sentence was met, and since then only closing marks and blanks
    line_break = -1  # index of the last line break, while nothing but blanks has followed it
    for i, (token, word) in enumerate(zip(doc, words, strict=True)):
        if word.isspace():
            line_break = i if "\n" in word else line_break
            if i:
                token.is_sent_start = False
            continue
        after_break = line_break >= 0
        if after_break and not (line_break in continued or (wrapped and words[line_break].count("\n") == 1)):
            token.is_sent_start = True
        elif i and (not (ended or after_break) or line_break in continued or word.islower() or word in CANNOT_OPEN):
            token.is_sent_start = False
        line_break = -1
        if word not in CLOSERS:
            ended = word.endswith(ENDS) and word not in NEVER_LAST
    return doc


def _continuations(words: list[str]) -> set[int]:
    """Indices of single line breaks inside running text: no end mark before, a lower-case word after."""
    found = set()
    for i in range(1, len(words) - 1):
        word = words[i]
        if (
            word.isspace()
            and word.count("\n") == 1
            and not words[i - 1].endswith(ENDS)
            and words[i + 1].islower()
            and words[i + 1].isalpha()
        ):
            found.add(i)
    return found


def _is_wrapped(words: list[str], continued: set[int]) -> bool:
    single = sum(word.isspace() and word.count("\n") == 1 for word in words)
    return len(continued) >= 3 and len(continued) >= WRAPPED_SHARE * single

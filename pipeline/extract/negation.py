"""Say whether a text denies the thing that stands at a span.

In: text and a span. Out: True for "not a Level 3 system", "stops short of Level 4", "Level 3 is not planned"; False for
"not only Level 3", for a target ("will not stop until Level 4") and for a denial that belongs to another clause.

English cue words by distance within the clause, in the manner of NegEx (Chapman et al. 2001); no parser.
"""

from __future__ import annotations

import re

# What stands between the denial and the level: at most a handful of words of the same clause.
_BEFORE = re.compile(
    r"(?:"
    r"\b(?:not|never|n['’]t|cannot|nor|nicht|kein\w*|hardly|scarcely|far\sfrom|"
    r"anything\sbut)\b(?!\s(?:only|just|merely|nur)\b)"
    r"(?!\s(?:until|before|unless))"
    r"|n['’]t\b(?!\s(?:only|just|merely)\b)"
    r"|\bno\b(?!\s(?:longer\s(?:only|mention\w*|sp(?:ea|o)k\w*|talk\w*)|doubt|sooner|later|matter|question|fewer|less))"
    r"|\b(?:stop(?:s|ped|ping)?|fall(?:s|ing)?|fell|come(?:s)?|came)\s(?:well\s|just\s)?short\sof"
    r"|\bstop(?:s|ped)?\s(?:calling|describing|marketing|selling)|\b(?:rather\sthan|"
    r"short\sof|rul(?:es|ed)\sout|den(?:y|ies|ied)|dismiss(?:es|ed)|reject(?:s|"
    r"ed))"
    r")",
    re.IGNORECASE,
)
_NOBODY = re.compile(
    r"\b(?:[Nn]obody|[Nn]o\sone|[Nn]either|[Nn]one|[Nn]othing(?!\sto\sdo))\b[^.;:!?\n]{0,70}$",
)
_GAP_WORDS = 7
_SENTENCE_END = re.compile(r"[.;:!?\n]")
# A new clause, a contrast or an exception ends the reach of the denial.
_CLAUSE = re.compile(
    r"\b(?:but|although|though|while|whereas|because|since|until|unless|before|"
    r"beyond|above|exceed\w*|except|than|only|that|so|can|may|must|(?:requir|need)ed\s(?:by|for|in|at)|necessary|which|who|where|when|if)\b"
    r"|\S,\s|[()\u2013\u2014]|\s-\s",
    re.IGNORECASE,
)
# Up to a few words of the same noun phrase ("a Level 3 version for vans", "a Level 4 car, as rumoured, ...").
_PHRASE = r"(?:(?!\b(?:and|but|or|which|that|who)\b)[^.;:!?\n,]){0,45}(?:,[^.;!?\n,]{0,60},\s?)?"
_AFTER = re.compile(
    _PHRASE + r"\b(?:is|are|was|were|has|have|will|would|does|do|did)(?:n['’]t|\s(?:not|never|no))\s"
    r"(?:yet\s|currently\s|at\spresent\s|being\s|be\s|been\s)?(?:coming|come|"
    r"planned|on\s(?:sale|offer|the\stable|the\sagenda)|"
    r"in\sthe\sworks|intended|foreseen|envisaged|included|supported|a\s(?:goal|topic|target|subject|theme|plan)|"
    r"under\sdevelopment|for\ssale|exist|met|reached|achieved|claimed|ours|what\sit)\b",
    re.IGNORECASE,
)
_DELETED = re.compile(
    _PHRASE + r"\b(?:was|were|has|have|is|are)\s(?:been\s)?(?:deleted|dropped|scrapped|"
    r"ruled\sout|abandoned|shelved|vanished|left\sout|"
    r"out\sof\sthe\squestion|off\sthe\stable|incorrect|wrong|false|untrue|unfounded|nonsense|a\smyth|no\sbasis)\b"
    r"|[^.;:!?\n]{0,80}?\b(?:has|have|had)\sno\sbasis\b",
    re.IGNORECASE,
)
# A speaker's answer: "Is it Level 4?" "It is not."
_ANSWER = re.compile(
    r"[^.;:!?\n]{0,30}[.?!][\"”]?\s{1,2}[\"“]?(?:[Nn]o[.,]\s)?(?:[Ii]t|[Tt]hey|"
    r"[Tt]hat)(?:\s(?:is|are|was)\snot|\s?(?:is|are|was)n['’]t|['’]s\snot)[.,]"
)


def is_denied(text: str, start: int, end: int) -> bool:
    """True where the clause around ``text[start:end]`` denies what stands there."""
    before = _SENTENCE_END.split(text[max(0, start - 90) : start])[-1]
    cues = list(_BEFORE.finditer(before))
    gap = before[cues[-1].end() :] if cues else None
    if gap is not None and len(gap.split()) <= _GAP_WORDS and not _CLAUSE.search(gap):
        return True
    if (nobody := _NOBODY.search(before)) and not _CLAUSE.search(nobody[0]):
        return True
    after = text[end : end + 150]
    return any(pattern.match(after) for pattern in (_AFTER, _DELETED, _ANSWER))

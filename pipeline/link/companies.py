"""Company names: their normal form, the record or stable id they stand for, and which names of a text are one firm.

In: surfaces. Out: normal forms, ids, the groups of names that mean one firm in one document.
It does not decide whether a name is a company at all; ``pipeline.extract.companies`` does.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from pipeline.gazetteer import CompanyRegister, KnownName, load_name_words

# Legal forms as they follow a name in English news; sources: GLEIF entity legal forms list, shortened to common ones.
_HARD_FORMS = (
    r"Inc|Incorporated|Corp|Corporation|Cos|Co|Ltd|Limited|LLC|L\.L\.C|LLP|LP|L\.P|PLC|plc|AG|SE|GmbH|S\.A|SA|SpA|S\.p\.A|"
    r"SpA|NV|N\.V|BV|B\.V|AB|ASA|A/S|Oyj|Oy|K\.K|KK|KGaA|KG|Pte|Pty|Bhd|Berhad|SAS|S\.A\.S|S\.r\.l|Srl|OAO|OJSC|PJSC|JSC"
)
_SOFT_FORMS = r"Company|Companies|Group|Holdings?|Groupe|Groep"
HARD_FORM = re.compile(rf"(?:,?[ \u00a0]+&?[ \u00a0]?(?:{_HARD_FORMS})\b\.?)+")
LEGAL_FORM = re.compile(rf"(?:,?[ \u00a0]+&?[ \u00a0]?(?:{_HARD_FORMS}|{_SOFT_FORMS})\b\.?)+")
_FORM_AT_END = re.compile(
    rf"(?:(?:,?[ \u00a0]+(?:&|and\b)?[ \u00a0]?(?:{_HARD_FORMS}|{_SOFT_FORMS}|INC|CORP|CO|LTD|LIMITED|GROUP)\.?)+"
    r"|[ \u00a0]?(?:股份|集团|控股)*(?:有限公司|有限责任公司|公司|集团)|[ \u00a0]?(?:株式会社|주식회사|㈜|\(주\)))$"
)
# Forms that stand before the name: Swedish, Indonesian, Russian, Japanese, Korean.
_FORM_AT_START = re.compile(r"^(?:(?:AB|PT|OAO|OOO|PJSC)[ \u00a0]+(?=[A-Z])|(?:株式会社|주식회사|㈜|\(주\))[ \u00a0]?)")
_ARTICLE = re.compile(r"^(?:the|The|THE)[ \u00a0]+")
_NOT_WORD = re.compile(r"[^\w&+.]+")

# Words that tell what a firm does: "Nordhavn" is the short form of "Nordhavn Mobility", but "General" is none of
# "General Mills". Only names whose other words are all of this kind are shortened unseen.
DESCRIPTIVE = load_name_words("descriptive")

# First words that many firms share; they never stand for one of them.
SHARED_FIRST = load_name_words("shared_first")

# Last words that come and go with one firm's name ("Kestrel Robotics", "Kestrel"). Of 2,880 annotated firms, dropping
# them gives two firms one name in 3 cases; dropping every descriptive word would in 30.
_GENERIC_TAIL = load_name_words("generic_tail")

# Last words of a part of a firm that carries its name ("Nissan North America"), which the guide counts with the firm.
_UNIT_TAIL = load_name_words("unit_tail")
_DOMAIN = re.compile(r"\.(?:ai|io|auto)$")


def strip_form(name: str) -> str:
    """``name`` without article, legal form and closing punctuation: "the Baidu, Inc." gives "Baidu"."""
    bare = _ARTICLE.sub("", name.strip())
    stripped = _FORM_AT_START.sub("", _FORM_AT_END.sub("", bare)).strip(" ,")
    return stripped if len(stripped) > 1 else bare


def normal_form(name: str) -> str:
    """What two spellings of one name share: no case, accents, punctuation, article or legal form."""
    text = unicodedata.normalize("NFKD", strip_form(name)).replace("’", "'")
    text = "".join(c for c in text if not unicodedata.combining(c)).casefold()
    text = re.sub(r"'s$", "", text)
    return _NOT_WORD.sub(" ", text).strip(" .")


def identity_form(name: str) -> str:
    """The normal form without the last words that come and go: "Kestrel Robotics Inc" and "Kestrel" give "kestrel".

    A first word that many firms share keeps what follows it: "General Robotics" stays as it is.
    """
    return _without_tail(_DOMAIN.sub("", normal_form(name)), _GENERIC_TAIL)


def _without_tail(form: str, tail: frozenset[str]) -> str:
    words = form.split()
    end = len(words)
    while end > 1 and words[end - 1].strip(".") in tail and _is_distinctive(words[: end - 1]):
        end -= 1
    return " ".join(words[:end])


def _is_distinctive(words: Sequence[str]) -> bool:
    """Whether these first words can stand for one firm alone."""
    if len(words) > 1:
        return not all(word in SHARED_FIRST or word in DESCRIPTIVE for word in words)
    return len(words[0]) >= 4 and words[0] not in SHARED_FIRST and words[0] not in DESCRIPTIVE


def unknown_company_id(name: str) -> str:
    """Id of a firm that the register lacks, from its name alone: the same in every article and run.

    Names without Latin letters get a digest, so that no two of them share an id.
    """
    form = identity_form(name)
    slug = re.sub(r"[^a-z0-9]+", "-", form.replace("&", " and ").replace("+", " plus ")).strip("-")
    if not slug or not form.isascii():
        slug = "-".join(filter(None, [slug, hashlib.sha256(form.encode()).hexdigest()[:10]]))
    return f"x-{slug}"


@dataclass(frozen=True, slots=True)
class _LinkIndex:
    """Companies by their safe names, as ``_squashed`` writes them; None where two companies share one."""

    whole: Mapping[str, str | None]
    core: Mapping[str, str | None]  # without the last words that come and go


def link_name(name: str, register: CompanyRegister) -> str | None:
    """Id of the registered company that a whole name means though no alias is spelled so: "Space X", "Waymo
    Technologies", "Nissan North America". None where that is not certain.
    """
    spelled = {
        known.company_id
        for known in register.names.get(name, ())
        if known.risk == "none" and known.catalogue == "company"
    }
    if len(spelled) == 1:
        return spelled.pop()
    index = _link_index(register)
    form = normal_form(name)
    found = index.whole.get(_squashed(form))
    if found is None and _squashed(form) not in index.whole:
        found = index.core.get(_squashed(identity_form(name)))
    if found is None:
        found = index.core.get(_squashed(_without_tail(form, _GENERIC_TAIL | _UNIT_TAIL)))
    return found or register.redirects.get(unknown_company_id(name))


@cache
def _link_index(register: CompanyRegister) -> _LinkIndex:
    whole: dict[str, str | None] = {}
    core: dict[str, str | None] = {}
    risky: set[str] = set()
    spellings = [(name.text, name) for entries in register.names.values() for name in entries]
    for text, known in spellings:
        if known.catalogue == "publisher":
            continue  # one that acts is a firm
        if known.catalogue != "company" or known.risk != "none" or known.company_id is None:
            risky |= {_squashed(normal_form(text)), _squashed(identity_form(text))}
            continue
        _enter(whole, _squashed(normal_form(text)), known.company_id)
        _enter(core, _squashed(identity_form(text)), known.company_id)
    for text, company_id in register.legal_names.items():
        _enter(whole, _squashed(normal_form(text)), company_id)
    return _LinkIndex(
        {form: company_id for form, company_id in whole.items() if form not in risky},
        {form: company_id for form, company_id in core.items() if form not in risky and len(form) >= 4},
    )


def _enter(index: dict[str, str | None], form: str, company_id: str) -> None:
    index[form] = company_id if index.get(form, company_id) == company_id else None


def _squashed(form: str) -> str:
    """What "Space X" and "SpaceX", "AT&T" and "AT and T" share."""
    return re.sub(r"\band\b|[\W_]+", "", form.replace("&", " and "))


def short_form(name: str) -> str | None:
    """The distinctive head of a long name ("Nordhavn" of "Nordhavn Mobility AB"), None where none is certain."""
    words = strip_form(name).split()
    head = words[0] if words else ""
    if len(words) < 2 or len(head) < 4 or normal_form(head) in SHARED_FIRST or normal_form(head) in DESCRIPTIVE:
        return None
    if all(word.casefold().strip(".,") in DESCRIPTIVE for word in words[1:]):
        return head
    return None


def resolve(names: Sequence[KnownName], certain: Iterable[str]) -> str | None:
    """The company that a known spelling means: one that ``certain`` names elsewhere in the text, else the first."""
    candidates = [name.company_id for name in names if name.catalogue == "company" and name.company_id]
    known = set(certain)
    return next((c for c in candidates if c in known), candidates[0] if candidates else None)


def join_names(forms: Iterable[str], acronyms: Mapping[str, str]) -> dict[str, str]:
    """For each normal form of a document the form it stands for: short names join the long name they begin.

    ``acronyms`` maps a form to the long form that the text explains it by. A short name joins only where a single
    long name of the text begins with its words; words that many firms share join nothing.
    """
    known = sorted(set(forms), key=len)
    longer: dict[str, list[str]] = defaultdict(list)
    for form in known:
        words = form.split()
        for count in range(1, len(words)):
            longer[" ".join(words[:count])].append(form)
    target = {form: form for form in known}
    for form in known:
        if form in acronyms and acronyms[form] in target:
            target[form] = acronyms[form]
        elif form in longer and form not in SHARED_FIRST and form not in DESCRIPTIVE and len(form) > 2:
            heads = [
                name for name in longer[form] if not any(name != n and name.startswith(n + " ") for n in longer[form])
            ]
            if len(heads) == 1:
                target[form] = heads[0]
    return {form: _end(form, target) for form in known}


def _end(form: str, target: Mapping[str, str]) -> str:
    seen = {form}
    while target[form] != form and target[form] not in seen:
        form = target[form]
        seen.add(form)
    return form


def display_name(surfaces: Iterable[str], register: CompanyRegister, company_id: str | None) -> str:
    """Canonical name: the register's, else the longest surface without its legal form (the first of equals)."""
    if company_id is not None and company_id in register.companies:
        return register.companies[company_id].name
    candidates = [re.sub(r"\s+", " ", strip_form(surface)) for surface in surfaces]
    return max(candidates, key=lambda name: (len(name) if len(name) <= 60 else 0, not name.isupper()))

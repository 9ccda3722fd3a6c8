"""Company names: their normal form, a stable id for firms outside the register, and which names of a text are one firm.

In: surfaces. Out: normal forms, ids, the groups of names that mean one firm in one document.
It does not decide whether a name is a company at all; ``pipeline.extract.companies`` does.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from pipeline.gazetteer import CompanyRegister, KnownName, load_name_words

# Legal forms as they follow a name in English news; sources: GLEIF entity legal forms list, shortened to common ones.
_HARD_FORMS = (
    r"Inc|Incorporated|Corp|Corporation|Cos|Co|Ltd|Limited|LLC|L\.L\.C|LLP|LP|L\.P|PLC|plc|AG|SE|GmbH|S\.A|SA|SpA|S\.p\.A|"
    r"SpA|NV|N\.V|BV|B\.V|AB|ASA|A/S|Oyj|Oy|K\.K|KK|KGaA|KG|Pte|Pty|Bhd|Berhad|SAS|S\.A\.S|S\.r\.l|Srl|OAO|OJSC|PJSC|JSC"
)
_SOFT_FORMS = r"Company|Companies|Group|Holdings?|Groupe|Groep"
HARD_FORM = re.compile(rf"(?:,?[ \u00a0]+&?[ \u00a0]?(?:{_HARD_FORMS})\b\.?)+")
LEGAL_FORM = re.compile(rf"(?:,?[ \u00a0]+&?[ \u00a0]?(?:{_HARD_FORMS}|{_SOFT_FORMS})\b\.?)+")
_FORM_AT_END = re.compile(rf"(?:,?[ \u00a0]+&?[ \u00a0]?(?:{_HARD_FORMS}|{_SOFT_FORMS})\.?)+$")
_ARTICLE = re.compile(r"^(?:the|The|THE)[ \u00a0]+")
_NOT_WORD = re.compile(r"[^\w&+.]+")

# Words that tell what a firm does: "Nordhavn" is the short form of "Nordhavn Mobility", but "General" is none of
# "General Mills". Only names whose other words are all of this kind are shortened unseen.
DESCRIPTIVE = load_name_words("descriptive")

# First words that many firms share; they never stand for one of them.
SHARED_FIRST = load_name_words("shared_first")


def strip_form(name: str) -> str:
    """``name`` without article, legal form and closing punctuation: "the Baidu, Inc." gives "Baidu"."""
    bare = _ARTICLE.sub("", name.strip())
    stripped = _FORM_AT_END.sub("", bare).strip(" ,")
    return stripped if len(stripped) > 1 else bare


def normal_form(name: str) -> str:
    """What two spellings of one name share: no case, accents, punctuation, article or legal form."""
    text = unicodedata.normalize("NFKD", strip_form(name)).replace("’", "'")
    text = "".join(c for c in text if not unicodedata.combining(c)).casefold()
    text = re.sub(r"'s$", "", text)
    return _NOT_WORD.sub(" ", text).strip(" .")


def unknown_company_id(name: str) -> str:
    """Id of a firm that the register lacks, from its normal form alone: the same in every article and run.

    Names without Latin letters get a digest, so that no two of them share an id.
    """
    form = normal_form(name)
    slug = re.sub(r"[^a-z0-9]+", "-", form.replace("&", " and ").replace("+", " plus ")).strip("-")
    if not slug or not form.isascii():
        slug = "-".join(filter(None, [slug, hashlib.sha256(form.encode()).hexdigest()[:10]]))
    return f"x-{slug}"


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

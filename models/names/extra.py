"""Public name corpora -> labelled texts: their organisations do not say company or not, so a first model decides.

In: the folders of ``worldwide_newswire_train``, ``finer_ord_traindev`` and ``finentity_companies`` and a model of ours.
Out: ``Labelled`` texts. An organisation gets a label only where the register, its words or an agreeing reading of the
model give one; otherwise it is unknown ("?") and teaches nothing. Nothing of these texts is stored.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from models.names.corpus import ORGANISATION_WORD, Item, Labelled, read_items

COMPANY_WORD = re.compile(
    r"\b(?:Inc|Corp|Corporation|Co|Ltd|Limited|PLC|plc|AG|SE|SA|NV|GmbH|Holdings?|Group|Motors?|Capital|Partners|Airlines|"
    r"Technologies|Securities|Bank|Ventures|Energy|Pharma\w*|Insurance)\b\.?$"
)
# FiNER-ORD and WorldWide mark places as we do; facilities and "Misc" mix labels of ours, so they stay unknown.
SAME = {
    "Person": "PERSON", "PER": "PERSON", "Location": "PLACE", "LOC": "PLACE", "Date": "DATE", "Money": "MONEY",
    "Product": "PRODUCT", "COMPANY": "COMPANY", "Facility": "?", "Misc": "?",
}  # fmt: skip
# What each corpus leaves unmarked: the model's own reading fills these labels in.
UNMARKED = {
    "worldwide_newswire_train": (),
    "finer_ord_traindev": ("DATE", "MONEY", "PRODUCT"),
    "finentity_companies": ("DATE", "MONEY", "PRODUCT", "PERSON", "PLACE", "ORGANISATION"),
}


def label_extra(folder: Path, model: Language, register: frozenset[str]) -> Iterator[Labelled]:
    """Labelled texts of the three corpora, in chunks of at most some 600 words."""
    for name, unmarked in UNMARKED.items():
        items = read_items(folder / f"{name}.jsonl.gz")
        if name.startswith("finer"):
            items = _joined(items)
        for item, doc in zip(items, model.pipe([item["text"] for item in items], batch_size=64), strict=True):
            yield Labelled(f"{name}:{item['id']}", item["text"], tuple(_spans(item, doc, unmarked, name, register)))


def _spans(
    item: Item, doc: Doc, unmarked: tuple[str, ...], corpus: str, register: frozenset[str]
) -> list[tuple[int, int, str]]:
    own = {(ent.start_char, ent.end_char): ent.label_ for ent in doc.ents}
    taken = bytearray(len(item["text"]))
    spans = []
    for span in item["spans"]:
        start, end, label = span["start"], span["end"], span["label"]
        if label == "NORP":
            continue
        text = item["text"][start:end]
        known = SAME.get(label) or _company_or_not(text, own.get((start, end)), register)
        if any(taken[start:end]) or not text.strip():
            continue
        taken[start:end] = b"\1" * (end - start)
        spans.append((start, end, known))
    for ent in doc.ents:
        if any(taken[ent.start_char : ent.end_char]):
            continue
        if ent.label_ in unmarked:
            spans.append((ent.start_char, ent.end_char, ent.label_))
        elif ent.label_ == "COMPANY" and corpus == "finentity_companies":
            spans.append((ent.start_char, ent.end_char, "?"))  # not every company is marked there
    return sorted(spans)


def _company_or_not(text: str, own: str | None, register: frozenset[str]) -> str:
    if text in register or text.removeprefix("the ") in register:
        return "ORGANISATION"
    if ORGANISATION_WORD.search(text):
        return "?" if own == "COMPANY" else "ORGANISATION"
    if COMPANY_WORD.search(text):
        return "?" if own == "ORGANISATION" else "COMPANY"
    return own if own in ("COMPANY", "ORGANISATION") else "?"


def _joined(sentences: list[Item]) -> list[Item]:
    """Sentences of one document with BIO tags, joined to texts with character spans."""
    documents: dict[str, list[Item]] = defaultdict(list)
    for sentence in sentences:
        documents[sentence["doc"]].append(sentence)
    items: list[dict[str, Any]] = []
    for key, parts in documents.items():
        text, spans = "", []
        for part in sorted(parts, key=lambda part: int(part["id"].rsplit("-", 1)[1])):
            at = 0
            for token, tag in zip(part["tokens"], part["tags"], strict=True):
                found = part["text"].find(token, at)
                if found < 0:
                    continue
                at = found + len(token)
                if tag.startswith("B-"):
                    spans.append({"start": len(text) + found, "end": len(text) + at, "label": tag[2:]})
                elif tag.startswith("I-") and spans:
                    spans[-1]["end"] = len(text) + at
            text += part["text"].rstrip() + " "
        items.append({"id": key, "text": text.rstrip(), "spans": spans})
    return items

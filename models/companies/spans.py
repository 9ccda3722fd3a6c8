"""Write what the shipped recognisers say of the held-out articles: the input of ``models.companies.train``.

    python -m models.companies.spans --data DIR --newswire FILE --out SPANS.jsonl.gz

``--data`` holds annotated.jsonl.gz and written.jsonl.gz. Only the fold that no recogniser learnt from is read
(``corpora.annotations.HELD_OUT_FOLD``): on the others their names are too good to weigh. ``--newswire``: the Worldwide
newswire NER set, from which no recogniser learnt either.
"""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import json
from pathlib import Path

from corpora.annotations import FOLDS, HELD_OUT_FOLD, read_annotations, read_records, split_by_group
from models.companies.newswire import newswire_articles
from pipeline import settings
from pipeline.annotate import annotate, load_nlp
from pipeline.classify import load_classifier
from pipeline.records import Document


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--newswire", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    articles = [a for n in ("annotated", "written") for a in read_annotations(arguments.data / f"{n}.jsonl.gz")]
    _, held_out = split_by_group(articles, FOLDS)[HELD_OUT_FOLD]
    texts = [(a.id, a.text) for a in held_out]
    texts += [(a["id"], a["text"]) for a in newswire_articles(read_records(arguments.newswire))]
    defaults = settings.load()
    nlp, classifier = load_nlp(defaults), load_classifier(defaults)
    with gzip.open(arguments.out, "wt", encoding="utf-8") as file:
        for key, text in texts:
            document = Document(key, key, text)
            with nlp.memory_zone():
                doc = annotate(nlp, [document])[0]
                reading = classifier.read([(document, doc)])[0]
                starts = [sentence.start_char for sentence in doc.sents]
            row = {
                "id": key,
                "sentence_starts": starts,
                "spans": [list(dataclasses.astuple(span)) for span in reading.names],
            }
            file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()

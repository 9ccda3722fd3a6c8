"""Score the whole pipeline against annotated articles.

    python -m benchmarks.quality GOLD [--texts DIR] [--ids FILE] [--scorer FILE] [--json FILE] [--errors N]

GOLD is in the annotation format, gzipped or not; articles that carry no ``text`` are read from ``--texts``/ID.txt.
``--ids`` keeps the ids of a JSON list (a fold that the models did not learn from). The run is the product's own
``run_batch``; the figures are those of the project's scorer, which reads the tables as any consumer would.
"""

from __future__ import annotations

import argparse
import json
import runpy
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from corpora.annotations import read_records
from pipeline import settings as settings_file
from pipeline.records import Article
from pipeline.run import load_models, run_batch

SCORER = Path(__file__).resolve().parent.parent.parent / "shared" / "eval" / "score.py"


def write_tables(records: list[dict[str, Any]], out: Path, settings: settings_file.Settings) -> None:
    """Run the pipeline over the records' texts and write its tables under ``out``."""
    articles = [
        Article(source_uri=f"{record['id']}.txt", text=record["text"], published=record.get("published"))
        for record in records
    ]
    for name, table in run_batch(articles, "quality", settings, load_models(settings)).items():
        (out / name).mkdir()
        pq.write_table(table, out / name / "quality.parquet")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gold", type=Path)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--ids", type=Path)
    parser.add_argument("--scorer", type=Path, default=SCORER)
    parser.add_argument("--settings", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--errors", default="0")
    arguments = parser.parse_args()
    for needed in (arguments.gold, arguments.scorer):
        if not needed.exists():
            sys.exit(f"skipped: {needed} is not here (annotated articles belong to their publishers)")
    records = read_records(arguments.gold, arguments.texts)
    if arguments.ids:
        kept = set(json.loads(arguments.ids.read_text()))
        records = [record for record in records if record["id"] in kept]
    with tempfile.TemporaryDirectory() as folder:
        tables, gold = Path(folder) / "tables", Path(folder) / "gold.jsonl"
        tables.mkdir()
        gold.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
        write_tables(records, tables, settings_file.load(arguments.settings))
        command = [str(gold), str(tables), "--errors", arguments.errors]
        sys.argv = ["score.py", *command, *(["--json", str(arguments.json)] if arguments.json else [])]
        runpy.run_path(str(arguments.scorer), run_name="__main__")


if __name__ == "__main__":
    main()

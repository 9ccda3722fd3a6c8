"""Train the news encoder.

    python -m models.news_encoder.train --data DIR --base DIR --out DIR [--fold N] [--epochs N]

``--data`` holds annotated.jsonl.gz and written.jsonl.gz; ``--base`` the all-MiniLM-L6-v2 folder. One fold of eight
(near copies and articles on one event kept together) is held out: it picks the epoch and fits the calibration.
Writes checkpoint.pt after every epoch that improves the held-out loss, and held_out.json with the ids held out.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from corpora.annotations import FOLDS, HELD_OUT_FOLD, AnnotatedArticle, company_names, read_annotations, split_by_group
from models.news_encoder.augment import rename_companies
from models.news_encoder.dataset import IGNORED, Example, examples
from models.news_encoder.network import Encoder, Heads, pool
from pipeline import classify, settings
from pipeline.annotate import load_nlp
from pipeline.windows import load_tokenizer

TOKENS_PER_BATCH = 3000
RENAMED_ARTICLES = 0.4  # share of articles in an epoch in which companies get other names
RENAMED_COMPANIES = 0.6
DISTRACTORS = 0.35
WEIGHTS = {"tags": 1.0, "sentence": 0.5, "role": 1.0, "pair": 1.0, "status": 0.3, "place": 0.5}


class Network(nn.Module):
    def __init__(self, base: Path, dropout: float = 0.15) -> None:
        super().__init__()
        self.encoder = Encoder(base)
        self.heads = Heads(dropout)


def batches(data: Sequence[Example], rng: random.Random) -> Iterator[list[Example]]:
    """Windows of like length together, at most ``TOKENS_PER_BATCH`` with padding, in random order."""
    order = sorted(data, key=lambda e: len(e.window.input_ids) + rng.random() * 8)
    groups: list[list[Example]] = [[]]
    for example in order:
        if len(example.window.input_ids) * (len(groups[-1]) + 1) > TOKENS_PER_BATCH and groups[-1]:
            groups.append([])
        groups[-1].append(example)
    rng.shuffle(groups)
    yield from groups


def collate(batch: Sequence[Example]) -> dict[str, Tensor]:
    longest = max(len(e.window.input_ids) for e in batch)

    def padded(arrays: Sequence[np.ndarray], fill: int) -> Tensor:
        out = np.full((len(arrays), longest), fill, np.int64)
        for row, values in enumerate(arrays):
            out[row, : len(values)] = values
        return torch.from_numpy(out)

    tensors = {
        "input_ids": padded([e.window.input_ids for e in batch], 0),
        "attention_mask": padded([np.ones_like(e.window.input_ids) for e in batch], 0),
        "type_ids": padded([e.window.type_ids for e in batch], 0),
        "tags": padded([e.tags for e in batch], IGNORED),
    }
    for name in ("sentence", "role", "pair", "place"):
        at = [getattr(e, f"{name}_at") for e in batch]
        tensors[f"{name}_at"] = torch.from_numpy(np.concatenate(at))
        tensors[f"{name}_window"] = torch.from_numpy(np.repeat(np.arange(len(batch)), [len(a) for a in at]))
        tensors[f"{name}_types"] = torch.from_numpy(np.concatenate([getattr(e, f"{name}_types") for e in batch]))
    tensors["role_status"] = torch.from_numpy(np.concatenate([e.role_status for e in batch]))
    return tensors


def forward(network: Network, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Logits of every head for one batch."""
    hidden, tags = network.encoder(batch["input_ids"], batch["attention_mask"], batch["type_ids"])
    hidden = hidden.float()
    heads = network.heads

    def spans(name: str, *columns: int) -> list[Tensor]:
        at, window = batch[f"{name}_at"], batch[f"{name}_window"]
        return [pool(hidden, window, at[:, c], at[:, c + 1]) for c in columns]

    out = {"tags": tags.float(), "sentence": heads.sentence(spans("sentence", 0)[0])}
    mention, sentence = spans("role", 0, 2)
    out["role"], out["status"] = heads.roles(mention, sentence, batch["role_at"][:, 4], batch["role_at"][:, 5])
    for index, name in enumerate(("pair", "place")):
        at = batch[f"{name}_at"]
        out[name] = heads.pairs(*spans(name, 0, 2, 4, 6), at[:, 8], at[:, 9])[index]
    return out


def losses(out: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
    found = {"tags": F.cross_entropy(out["tags"].flatten(0, 1), batch["tags"].flatten(), ignore_index=IGNORED)}
    for name in ("sentence", "role", "pair", "place"):
        target = batch[f"{name}_types"]
        if not len(target):
            continue
        known = target != IGNORED
        each = F.binary_cross_entropy_with_logits(out[name], target.clamp(min=0), reduction="none")
        scale = len(target) if name != "place" else max(1, int(known.any(-1).sum()))
        found[name] = (each * known).sum() / scale
    status = batch["role_status"]
    if (status != IGNORED).any():
        found["status"] = F.cross_entropy(out["status"].flatten(0, 1), status.flatten(), ignore_index=IGNORED)
    return found


@torch.no_grad()
def evaluate(network: Network, data: Sequence[Example]) -> dict[str, float]:
    """Held-out loss, F1 at 0.5 of the type heads, accuracy of tags on names and of status."""
    network.eval()
    total: dict[str, list[float]] = {}
    hits: dict[str, np.ndarray] = {}
    for group in batches(data, random.Random(0)):
        batch = collate(group)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = forward(network, batch)
        for name, value in losses(out, batch).items():
            total.setdefault(name, []).append(float(value))
        for name in ("sentence", "role", "pair", "place"):
            target = batch[f"{name}_types"]
            said, known = out[name] > 0, target != IGNORED
            counts = [(said & known & (target == 1)).sum(), (said & known).sum(), (target == 1).sum()]
            hits[name] = hits.get(name, np.zeros(3)) + np.array([float(c) for c in counts])
        for name, logits, target in (
            ("tags", out["tags"], batch["tags"]),
            ("status", out["status"], batch["role_status"]),
        ):
            said = logits.argmax(-1)
            named = (target > 0) if name == "tags" else (target != IGNORED)
            wrong_name = (said > 0) & (target == 0) if name == "tags" else torch.zeros_like(named)
            right = float(((said == target) & named).sum())
            hits[name] = hits.get(name, np.zeros(3)) + np.array(
                [right, float((named | wrong_name).sum()), float(named.sum())]
            )
    figures = {f"loss_{k}": float(np.mean(v)) for k, v in total.items()}
    figures |= {k: float(2 * v[0] / max(1.0, v[1] + v[2])) for k, v in hits.items()}
    figures["loss"] = sum(WEIGHTS[k] * figures[f"loss_{k}"] for k in total)
    network.train()
    return figures


def parameter_groups(network: Network, rate: float) -> list[dict[str, Any]]:
    """The word table stays as it was: rare names keep their place in the space they were pretrained in."""
    network.encoder.bert.embeddings.word_embeddings.weight.requires_grad = False
    encoder = [p for n, p in network.named_parameters() if p.requires_grad and n.startswith("encoder.bert")]
    fresh = [p for n, p in network.named_parameters() if p.requires_grad and not n.startswith("encoder.bert")]
    return [{"params": encoder, "lr": rate}, {"params": fresh, "lr": rate * 8}]


def train(
    training: Sequence[tuple[AnnotatedArticle, list[tuple[int, int]]]],
    held_out: Sequence[tuple[AnnotatedArticle, list[tuple[int, int]]]],
    base: Path,
    out: Path,
    names: Sequence[str],
    epochs: int,
    rate: float,
    resume: Path | None = None,
    seed: int = 7,
) -> None:
    rng = random.Random(seed)
    torch.manual_seed(seed)
    tokenizer = load_tokenizer(base / "tokenizer.json")
    network = Network(base)
    fixed = [e for a, s in held_out for e in examples(a, s, tokenizer, random.Random(0), 0.0)]
    plain = {a.id: examples(a, s, tokenizer, rng, DISTRACTORS) for a, s in training}
    steps = epochs * sum(1 for _ in batches([e for es in plain.values() for e in es], rng))
    optimizer = torch.optim.AdamW(parameter_groups(network, rate), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / (0.06 * steps)) * max(0.02, 1 - step / (steps * 1.02))
    )
    if resume:
        state = torch.load(resume, map_location="cpu")
        network.encoder.load_state_dict(state["encoder"])
        network.heads.load_state_dict(state["heads"])
    best = float("inf")
    for epoch in range(epochs):
        started = time.monotonic()
        data: list[Example] = []
        for article, sentences in training:
            if rng.random() < RENAMED_ARTICLES:
                renamed, moved = rename_companies(article, sentences, names, rng, RENAMED_COMPANIES)
                data += examples(renamed, moved, tokenizer, rng, DISTRACTORS)
            else:
                data += plain[article.id]
        running: list[float] = []
        for group in batches(data, rng):
            batch = collate(group)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                result = forward(network, batch)
            loss = sum(WEIGHTS[k] * v for k, v in losses(result, batch).items())
            loss.backward()  # type: ignore[union-attr]
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            running.append(float(loss.detach()))  # type: ignore[union-attr]
        figures = evaluate(network, fixed)
        row = {"epoch": epoch + 1, "training_loss": float(np.mean(running)), **figures}
        print(json.dumps({k: round(v, 4) for k, v in row.items()}), f"{time.monotonic() - started:.0f} s", flush=True)
        if epoch == epochs - 1 or figures["loss"] < best:
            best = min(best, figures["loss"])
            torch.save(
                {"encoder": network.encoder.state_dict(), "heads": network.heads.state_dict()}, out / "checkpoint.pt"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--fold", type=int, default=HELD_OUT_FOLD)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--rate", type=float, default=8e-5)
    parser.add_argument("--resume", type=Path, help="checkpoint whose weights to start from")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    articles = [a for n in ("annotated", "written") for a in read_annotations(arguments.data / f"{n}.jsonl.gz")]
    training, held_out = split_by_group(articles, FOLDS)[arguments.fold]
    (arguments.out / "held_out.json").write_text(json.dumps([a.id for a in held_out]))
    spans = sentence_spans(articles)
    train(
        [(a, spans[a.id]) for a in training],
        [(a, spans[a.id]) for a in held_out],
        arguments.base,
        arguments.out,
        company_names(training),
        arguments.epochs,
        arguments.rate,
        arguments.resume,
    )


def sentence_spans(articles: Sequence[AnnotatedArticle]) -> dict[str, list[tuple[int, int]]]:
    """Sentence spans of each article, by the pipeline's own sentence splitter."""
    nlp = load_nlp(settings.load())
    with nlp.select_pipes(disable=["ner"]), nlp.memory_zone():
        return {a.id: classify.sentence_spans(a.text, nlp(a.text)) for a in articles}


if __name__ == "__main__":
    main()

"""Train the news encoder, and the deal layers on top of it.

    python -m models.news_encoder.train --data DIR --base DIR --out NAMES
    python -m models.news_encoder.train --data DIR --base DIR --out DEALS --deals --resume NAMES/checkpoint.pt

``--data`` holds annotated.jsonl.gz and written.jsonl.gz; ``--base`` the all-MiniLM-L6-v2 folder. The first call learns
names and deals in one encoder; the second leaves that as it is and learns deal layers, which start as copies of its
upper layers. One fold of eight (near copies and articles on one event kept together) is held out: it fits the
calibration. Writes checkpoint.pt after every epoch, prints the held-out figures, and held_out.json with the ids.
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
from tokenizers import Tokenizer
from torch import Tensor, nn

from corpora.annotations import FOLDS, HELD_OUT_FOLD, AnnotatedArticle, company_names, read_annotations, split_by_group
from models.news_encoder.augment import rename_companies
from models.news_encoder.dataset import IGNORED, Example, examples
from models.news_encoder.network import DealLayers, Encoder, Heads, pool
from pipeline import classify, settings
from pipeline.annotate import load_nlp
from pipeline.entities import COMPANY_NUMBERS
from pipeline.windows import load_tokenizer

SEED = 7
RENAMED_ARTICLES = 0.5  # share of articles in an epoch in which companies get other names
RENAMED_COMPANIES = 0.6
DISTRACTORS = 0.35
WEIGHTS = {"tags": 1.0, "sentence": 0.5, "role": 1.0, "pair": 1.0, "status": 0.5, "place": 0.5, "owner": 0.5}


class Network(nn.Module):
    """The encoder and the heads; with ``deals``, the heads read its deal layers and the encoder stays as it is."""

    def __init__(self, base: Path, deals: bool, dropout: float = 0.15) -> None:
        super().__init__()
        self.encoder = Encoder(base)
        self.heads = Heads(dropout)
        self.deals = DealLayers(self.encoder) if deals else None

    def load(self, checkpoint: Path) -> None:
        """Take the weights of a checkpoint; one without deal layers gives them its upper layers to start from."""
        state = torch.load(checkpoint, map_location="cpu")
        self.encoder.load_state_dict(state["encoder"])
        self.heads.load_state_dict({**self.heads.state_dict(), **state["heads"]})
        if self.deals is not None and "deals" in state:
            self.deals.load_state_dict(state["deals"])
        elif self.deals is not None:
            self.deals = DealLayers(self.encoder)

    def save(self, checkpoint: Path) -> None:
        """Write the weights by part."""
        torch.save({name: part.state_dict() for name, part in self.named_children()}, checkpoint)


def batches(data: Sequence[Example], tokens: int, rng: random.Random) -> Iterator[list[Example]]:
    """Windows of like length together, at most so many tokens with padding, in random order."""
    order = sorted(data, key=lambda e: len(e.window.input_ids) + rng.random() * 8)
    groups: list[list[Example]] = [[]]
    for example in order:
        if len(example.window.input_ids) * (len(groups[-1]) + 1) > tokens and groups[-1]:
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
        "marks": padded([e.marks for e in batch], 0),
        "numbers": padded([e.numbers for e in batch], 0),
    }
    for name in ("sentence", "role", "pair", "place", "owner"):
        at = [getattr(e, f"{name}_at") for e in batch]
        tensors[f"{name}_at"] = torch.from_numpy(np.concatenate(at))
        tensors[f"{name}_window"] = torch.from_numpy(np.repeat(np.arange(len(batch)), [len(a) for a in at]))
        if name != "owner":
            tensors[f"{name}_types"] = torch.from_numpy(np.concatenate([getattr(e, f"{name}_types") for e in batch]))
    levels = np.concatenate([e.owner_level + 1000 * i for i, e in enumerate(batch)])
    tensors["owner_level"] = torch.from_numpy(np.unique(levels, return_inverse=True)[1])
    tensors["owner_right"] = torch.from_numpy(np.concatenate([e.owner_right for e in batch]))
    tensors["role_status"] = torch.from_numpy(np.concatenate([e.role_status for e in batch]))
    return tensors


def forward(network: Network, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Logits of every head for one batch."""
    words = (batch["input_ids"], batch["attention_mask"], batch["type_ids"])
    heads = network.heads
    out: dict[str, Tensor] = {}
    if network.deals is None:
        _, hidden, tags = network.encoder(*words)
        out["tags"] = tags.float()
    else:
        with torch.no_grad():
            shared = network.encoder.shared(*words)
        hidden = network.deals(shared, batch["attention_mask"], batch["marks"], batch["numbers"])
    hidden = hidden.float()

    def spans(name: str, *columns: int) -> list[Tensor]:
        at, window = batch[f"{name}_at"], batch[f"{name}_window"]
        return [pool(hidden, window, at[:, c], at[:, c + 1]) for c in columns]

    out["sentence"] = heads.sentence(spans("sentence", 0)[0])
    mention, sentence = spans("role", 0, 2)
    out["role"], out["status"] = heads.roles(mention, sentence, batch["role_at"][:, 4], batch["role_at"][:, 5])
    for index, name in enumerate(("pair", "place", "owner")):
        at = batch[f"{name}_at"]
        out[name] = heads.pairs(*spans(name, 0, 2, 4, 6), at[:, 8], at[:, 9])[index]
    return out


def losses(out: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    if "tags" in out:
        found["tags"] = F.cross_entropy(out["tags"].flatten(0, 1), batch["tags"].flatten(), ignore_index=IGNORED)
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
    if len(batch["owner_right"]):
        found["owner"] = owner_loss(out["owner"], batch["owner_level"], batch["owner_right"])
    return found


def owner_loss(logits: Tensor, level: Tensor, right: Tensor) -> Tensor:
    """Mean over levels of the negative log of the share that a softmax over companies and nobody gives the owners.

    The logit of nobody is 0. A level without an owner among its companies belongs to nobody.
    """
    odds = logits.float().clamp(-15, 15).exp()
    levels = int(level.max()) + 1
    every = torch.ones(levels).index_add(0, level, odds)
    owned = torch.zeros(levels).index_add(0, level, odds * right)
    nobody = torch.zeros(levels).index_add(0, level, right) == 0
    return -torch.log(torch.where(nobody, 1.0, owned) / every).mean()


@torch.no_grad()
def evaluate(network: Network, data: Sequence[Example], tokens: int) -> dict[str, float]:
    """Held-out loss; best F1 of the type heads over thresholds; share right of tags on names, status and owners."""
    network.eval()
    total: dict[str, list[float]] = {}
    said: dict[str, list[Tensor]] = {}
    for group in batches(data, tokens, random.Random(0)):
        batch = collate(group)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = forward(network, batch)
        for name, value in losses(out, batch).items():
            total.setdefault(name, []).append(float(value))
        for name in ("sentence", "role", "pair", "place"):
            target = batch[f"{name}_types"]
            known = target != IGNORED
            said.setdefault(name, []).append(torch.stack([out[name][known].float(), target[known]]))
        status, right = out["status"].argmax(-1), batch["role_status"]
        said.setdefault("status", []).append((status == right)[right != IGNORED].float())
        if "tags" in out:
            tags, right = out["tags"].argmax(-1), batch["tags"]
            named = (right > 0) | ((tags > 0) & (right == 0))
            said.setdefault("tags", []).append((tags == right)[named].float())
    network.train()
    figures = {f"loss_{name}": float(np.mean(values)) for name, values in total.items()}
    for name, parts in said.items():
        joined = torch.cat(parts, -1)
        figures[name] = best_f1(joined[0], joined[1]) if joined.dim() == 2 else float(joined.mean())
    figures["loss"] = sum(WEIGHTS[name] * figures[f"loss_{name}"] for name in total)
    return figures


def best_f1(logits: Tensor, targets: Tensor) -> float:
    """The F1 of the threshold that has the best."""
    right = targets[logits.argsort(descending=True)].cumsum(0)
    found = torch.arange(1, len(right) + 1)
    return float((2 * right / (found + right[-1])).max()) if len(right) else 0.0


def parameter_groups(network: Network, rate: float) -> list[dict[str, Any]]:
    """Layers at ``rate``, what starts from nothing at eight times that.

    The word table stays as it was: rare names keep their place in the space they were pretrained in. With deal
    layers the whole encoder stays, so that names are read as before.
    """
    network.encoder.requires_grad_(network.deals is None)
    network.encoder.bert.embeddings.word_embeddings.weight.requires_grad = False
    trained = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    layers = [p for name, p in trained if name.startswith(("encoder.bert", "deals.layers"))]
    fresh = [p for name, p in trained if not name.startswith(("encoder.bert", "deals.layers"))]
    return [{"params": layers, "lr": rate}, {"params": fresh, "lr": rate * 8}]


def train(
    network: Network,
    training: Sequence[tuple[AnnotatedArticle, list[tuple[int, int]]]],
    held_out: Sequence[tuple[AnnotatedArticle, list[tuple[int, int]]]],
    tokenizer: Tokenizer,
    out: Path,
    names: Sequence[str],
    epochs: int,
    rate: float,
    tokens: int,
) -> None:
    rng = random.Random(SEED)
    fixed = [e for a, s in held_out for e in examples(a, s, tokenizer, random.Random(0), 0.0)]
    plain = {a.id: examples(a, s, tokenizer, rng, DISTRACTORS) for a, s in training}
    steps = epochs * sum(1 for _ in batches([e for es in plain.values() for e in es], tokens, rng))
    optimizer = torch.optim.AdamW(parameter_groups(network, rate), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / (0.06 * steps)) * max(0.02, 1 - step / (steps * 1.02))
    )
    for epoch in range(epochs):
        started = time.monotonic()
        data: list[Example] = []
        for article, sentences in training:
            if rng.random() < RENAMED_ARTICLES:
                renamed, moved = rename_companies(article, sentences, names, rng, RENAMED_COMPANIES)
                data += examples(renamed, moved, tokenizer, rng, DISTRACTORS)
            else:
                data += plain[article.id]
        if network.deals is not None:
            data = [e for e in data if len(e.role_at)]
        running: list[float] = []
        for group in batches(data, tokens, rng):
            batch = collate(group)
            other = torch.cat([torch.zeros(1, dtype=torch.long), torch.randperm(COMPANY_NUMBERS - 1) + 1])
            batch["numbers"] = other[batch["numbers"]]  # a number says which names are one company, and no more
            with torch.autocast("cpu", dtype=torch.bfloat16):
                result = forward(network, batch)
            loss = sum(WEIGHTS[k] * v for k, v in losses(result, batch).items())
            loss.backward()  # type: ignore[union-attr]
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            running.append(float(loss.detach()))  # type: ignore[union-attr]
        row = {"epoch": epoch + 1, "training_loss": float(np.mean(running)), **evaluate(network, fixed, tokens)}
        print(json.dumps({k: round(v, 4) for k, v in row.items()}), f"{time.monotonic() - started:.0f} s", flush=True)
        network.save(out / "checkpoint.pt")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--more", type=Path, nargs="*", default=[], help="files of articles that are learnt from in any fold"
    )
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--deals", action="store_true", help="learn deal layers over the encoder of --resume")
    parser.add_argument("--resume", type=Path, help="checkpoint whose weights to start from")
    parser.add_argument("--fold", type=int, default=HELD_OUT_FOLD)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--rate", type=float, default=8e-5)
    parser.add_argument("--tokens", type=int, default=3000, help="word pieces of a batch")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    articles = [a for n in ("annotated", "written") for a in read_annotations(arguments.data / f"{n}.jsonl.gz")]
    training, held_out = split_by_group(articles, FOLDS)[arguments.fold]
    more = [a for path in arguments.more for a in read_annotations(path)]
    (arguments.out / "held_out.json").write_text(json.dumps([a.id for a in held_out]))
    spans = sentence_spans([*articles, *more])
    torch.manual_seed(SEED)
    network = Network(arguments.base, arguments.deals)
    if arguments.resume:
        network.load(arguments.resume)
    train(
        network,
        [(a, spans[a.id]) for a in [*training, *more]],
        [(a, spans[a.id]) for a in held_out],
        load_tokenizer(arguments.base / "tokenizer.json"),
        arguments.out,
        company_names(training),
        arguments.epochs,
        arguments.rate,
        arguments.tokens,
    )


def sentence_spans(articles: Sequence[AnnotatedArticle]) -> dict[str, list[tuple[int, int]]]:
    """Sentence spans of each article, by the pipeline's own sentence splitter."""
    nlp = load_nlp(settings.load())
    with nlp.select_pipes(disable=["ner"]), nlp.memory_zone():
        return {a.id: classify.sentence_spans(a.text, nlp(a.text)) for a in articles}


if __name__ == "__main__":
    main()

"""Fit one temperature for each head on the held-out fold (Guo et al. 2017, arXiv:1706.04599).

    python -m models.news_encoder.calibrate --data DIR --base DIR --run DIR [--weights DIR]

``--run`` is the folder that train.py wrote: its checkpoint, and the ids of the articles it did not learn from.
Writes calibration.json beside the ONNX files and prints, for each head, the expected calibration error before and
after (15 bins of equal width). The acting role is left to thresholds.py, which fits it to whole rows.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from corpora.annotations import read_annotations
from models.news_encoder.dataset import IGNORED, examples
from models.news_encoder.train import Network, batches, collate, forward, owner_loss, sentence_spans
from pipeline.windows import load_tokenizer

BINARY = ("pair", "place")
BINS = 15


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Logits and targets over the held-out articles: by head, without positions that have no target; and by level."""

    heads: dict[str, tuple[torch.Tensor, torch.Tensor]]
    owners: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]  # logits, level, right; one for each batch


def held_out_logits(data: Path, base: Path, run: Path) -> HeldOut:
    """Read the articles that the run did not learn from."""
    kept = set(json.loads((run / "held_out.json").read_text()))
    articles = [a for n in ("annotated", "written") for a in read_annotations(data / f"{n}.jsonl.gz") if a.id in kept]
    spans = sentence_spans(articles)
    network = Network(base, deals=True)
    network.load(run / "checkpoint.pt")
    network.eval()
    tokenizer = load_tokenizer(base / "tokenizer.json")
    rows = [e for a in articles for e in examples(a, spans[a.id], tokenizer, random.Random(0), 1.0)]
    found: dict[str, list[tuple[torch.Tensor, torch.Tensor]]] = {}
    owners = []
    with torch.no_grad():
        for group in batches(rows, 3000, random.Random(0)):
            batch = collate(group)
            out = forward(network, batch)
            out["tags"] = network.encoder(batch["input_ids"], batch["attention_mask"], batch["type_ids"])[2]
            targets = {name: batch[f"{name}_types"] for name in BINARY}
            targets |= {"tags": batch["tags"], "status": batch["role_status"]}
            for name, target in targets.items():
                known = target != IGNORED
                found.setdefault(name, []).append((out[name][known], target[known]))
            if len(batch["owner_right"]):
                owners.append((out["owner"], batch["owner_level"], batch["owner_right"]))
    heads = {name: (torch.cat([x for x, _ in v]), torch.cat([y for _, y in v])) for name, v in found.items()}
    return HeldOut(heads, owners)


def fit_temperature(loss: Callable[[float], float]) -> float:
    """The temperature with the least loss (negative log-likelihood), of a fine grid from 0.5 to 4."""
    return float(min(np.geomspace(0.5, 4, 121), key=loss))


def _loss(logits: torch.Tensor, targets: torch.Tensor) -> float:
    if logits.dim() == targets.dim():
        return float(F.binary_cross_entropy_with_logits(logits, targets))
    return float(F.cross_entropy(logits, targets))


def calibration_error(logits: torch.Tensor, targets: torch.Tensor) -> float:
    """Expected calibration error of the stated probability: of the positive class, or of the best one."""
    if logits.dim() == targets.dim():
        said, right = torch.sigmoid(logits), targets
    else:
        said, best = logits.softmax(-1).max(-1)
        right = (best == targets).float()
    bins = (said * BINS).long().clamp(max=BINS - 1)
    gaps = [
        float((bins == b).float().mean() * (said[bins == b].mean() - right[bins == b].mean()).abs())
        for b in range(BINS)
        if (bins == b).any()
    ]
    return sum(gaps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--weights", type=Path, default=Path(__file__).parent / "weights")
    arguments = parser.parse_args()
    temperatures: dict[str, object] = {"role": {"scale": 1.0, "shift": 0.0}}
    report: dict[str, Mapping[str, float]] = {}
    held_out = held_out_logits(arguments.data, arguments.base, arguments.run)
    temperatures["owner"] = round(
        fit_temperature(lambda t: float(sum(owner_loss(x / t, level, right) for x, level, right in held_out.owners))), 4
    )
    for name, (logits, targets) in held_out.heads.items():
        temperature = fit_temperature(lambda t, x=logits, y=targets: _loss(x / t, y))  # type: ignore[misc]
        temperatures[name] = round(temperature, 4)
        report[name] = {
            "before": round(calibration_error(logits, targets), 4),
            "after": round(calibration_error(logits / temperature, targets), 4),
            "n": len(targets),
        }
    (arguments.weights / "calibration.json").write_text(json.dumps(temperatures, indent=1) + "\n")
    print(json.dumps({"calibration": temperatures, "expected_calibration_error": report}, indent=1))


if __name__ == "__main__":
    main()

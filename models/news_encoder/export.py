"""Turn a training checkpoint into the weights that ship: two ONNX files and the tokenizer.

    python -m models.news_encoder.export --checkpoint FILE --base DIR [--out DIR]

encoder.onnx holds 16-bit weights that ONNX Runtime widens to 32 bits when it loads: half the size on disk, the same
arithmetic whatever the batch (dynamic int8 moved labels with the composition of the batch). heads.onnx holds the
deal heads in 32 bits. Prints the largest difference between PyTorch and ONNX Runtime on random input, and fails
above ``TOLERANCE``.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from models.news_encoder.network import HIDDEN, Encoder, Heads

TOLERANCE = 0.05  # logits; 16-bit weights alone account for about 0.01
FLOAT16_FROM = 1024  # elements; smaller tensors stay in 32 bits


HEAD_INPUTS = (
    "mention", "sentence", "distance", "count", "first", "second", "between", "around", "near", "far",
)  # fmt: skip


class _HeadsGraph(nn.Module):
    """All heads as one graph: spans of roles, pairs and places in, logits out."""

    def __init__(self, heads: Heads) -> None:
        super().__init__()
        self.heads = heads

    def forward(
        self, mention: Tensor, sentence: Tensor, distance: Tensor, count: Tensor,
        first: Tensor, second: Tensor, between: Tensor, around: Tensor, near: Tensor, far: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
        role, status = self.heads.roles(mention, sentence, distance, count)
        pair, place = self.heads.pairs(first, second, between, around, near, far)
        return role, status, pair, place


def export_encoder(encoder: Encoder, path: Path) -> None:
    """Write the encoder with dynamic batch and length."""
    ids = torch.ones(2, 16, dtype=torch.long)
    axes = {0: torch.export.Dim("batch", min=1, max=4096), 1: torch.export.Dim("tokens", min=2, max=512)}
    torch.onnx.export(
        encoder.eval(),
        (ids, torch.ones_like(ids), torch.zeros_like(ids)),  # three tensors: one shared one becomes one graph input
        path,
        input_names=["input_ids", "attention_mask", "type_ids"],
        output_names=["hidden", "tags"],
        dynamic_shapes=(axes, axes, axes),
        opset_version=18,
        dynamo=True,
        external_data=False,
    )
    onnx.save(_narrow(onnx.load(path)), path)


def export_heads(heads: Heads, path: Path) -> None:
    """Write the heads with dynamic numbers of roles and pairs."""
    roles, pairs = torch.export.Dim("roles", min=1, max=1 << 20), torch.export.Dim("pairs", min=1, max=1 << 20)
    vector, index = torch.zeros(3, HIDDEN), torch.zeros(3, dtype=torch.long)
    vectors, indexes = torch.zeros(5, HIDDEN), torch.zeros(5, dtype=torch.long)
    torch.onnx.export(
        _HeadsGraph(heads).eval(),
        (vector, vector, index, index, vectors, vectors, vectors, vectors, indexes, indexes),
        path,
        input_names=list(HEAD_INPUTS),
        output_names=["role", "status", "pair", "place"],
        dynamic_shapes=({0: roles},) * 4 + ({0: pairs},) * 6,
        opset_version=18,
        dynamo=True,
        external_data=False,
    )


def _narrow(model: onnx.ModelProto) -> onnx.ModelProto:
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < FLOAT16_FROM:
            continue
        values = numpy_helper.to_array(tensor).astype(np.float16)
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values, f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def difference(encoder: Encoder, path: Path) -> float:
    """Largest difference of tag logits between PyTorch and ONNX Runtime on random windows."""
    generator = np.random.default_rng(0)
    ids = generator.integers(1000, 20000, (3, 40))
    mask = np.ones_like(ids)
    types = generator.integers(0, 8, ids.shape)
    with torch.no_grad():
        expected = encoder(*(torch.from_numpy(a) for a in (ids, mask, types)))[1].numpy()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = session.run(["tags"], {"input_ids": ids, "attention_mask": mask, "type_ids": types})[0]
    return float(np.abs(expected - found).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "weights")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    state = torch.load(arguments.checkpoint, map_location="cpu")
    encoder, heads = Encoder(arguments.base).eval(), Heads(0.0).eval()
    encoder.load_state_dict(state["encoder"])
    heads.load_state_dict(state["heads"])
    export_encoder(encoder, arguments.out / "encoder.onnx")
    export_heads(heads, arguments.out / "heads.onnx")
    shutil.copy(arguments.base / "tokenizer.json", arguments.out / "tokenizer.json")
    shift = difference(encoder, arguments.out / "encoder.onnx")
    print(json.dumps({"largest_difference": shift, "bytes": (arguments.out / "encoder.onnx").stat().st_size}))
    if shift > TOLERANCE:
        raise SystemExit(f"ONNX Runtime and PyTorch differ by {shift:.3f}, more than {TOLERANCE}")


if __name__ == "__main__":
    main()

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
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from models.news_encoder.network import HIDDEN, Encoder, Heads
from pipeline.entities import DISTANCES
from pipeline.windows import SHAPES

TOLERANCE = 0.05  # logits; 16-bit weights alone account for about 0.01
FLOAT16_FROM = 1024  # elements; smaller tensors stay in 32 bits


ENCODER_INPUTS = ("input_ids", "attention_mask", "type_ids")
HEAD_INPUTS = (
    "mention", "sentence", "distance", "count", "first", "second", "between", "around", "near", "far",
)  # fmt: skip

INDEXES = frozenset({"distance", "count", "near", "far"})


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
        input_names=list(ENCODER_INPUTS),
        output_names=["hidden", "tags"],
        dynamic_shapes=(axes, axes, axes),
        opset_version=18,
        dynamo=True,
        external_data=False,
    )
    onnx.save(_bare(_narrow(onnx.load(path))), path)


def export_heads(heads: Heads, path: Path) -> None:
    """Write the heads with dynamic numbers of roles and pairs."""
    roles, pairs = torch.export.Dim("roles", min=1, max=1 << 20), torch.export.Dim("pairs", min=1, max=1 << 20)
    torch.onnx.export(
        _HeadsGraph(heads).eval(),
        head_inputs(3, 5),
        path,
        input_names=list(HEAD_INPUTS),
        output_names=["role", "status", "pair", "place"],
        dynamic_shapes=({0: roles},) * 4 + ({0: pairs},) * 6,
        opset_version=18,
        dynamo=True,
        external_data=False,
    )
    onnx.save(_bare(onnx.load(path)), path)


def _bare(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without the source lines that the exporter notes at every node: they name folders of the machine."""
    graph = model.graph
    parts = [*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer]
    for part in (model, graph, *parts):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    return model


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


def head_inputs(roles: int, pairs: int) -> tuple[Tensor, ...]:
    """Random input of the heads. No tensor stands for two inputs: the exporter would make them one."""
    sizes = [roles] * 4 + [pairs] * 6
    return tuple(
        torch.randint(0, DISTANCES, (n,)) if name in INDEXES else torch.randn(n, HIDDEN)
        for name, n in zip(HEAD_INPUTS, sizes, strict=True)
    )


@torch.no_grad()
def encoder_difference(encoder: Encoder, path: Path) -> float:
    """Largest difference of hidden states and tag logits between PyTorch and ONNX Runtime on random windows."""
    ids = torch.randint(1000, 20000, (3, 40))
    inputs = (ids, torch.ones_like(ids), torch.randint(0, 2 * SHAPES, ids.shape))
    return _difference(path, dict(zip(ENCODER_INPUTS, inputs, strict=True)), encoder(*inputs))


@torch.no_grad()
def heads_difference(heads: Heads, path: Path) -> float:
    """Largest difference of the logits of all heads on random spans, every input another one."""
    inputs = head_inputs(7, 11)
    return _difference(path, dict(zip(HEAD_INPUTS, inputs, strict=True)), _HeadsGraph(heads).eval()(*inputs))


def _difference(path: Path, feed: dict[str, Tensor], expected: Sequence[Tensor]) -> float:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = session.run(None, {name: tensor.numpy() for name, tensor in feed.items()})
    return max(float(np.abs(e.numpy() - f).max()) for e, f in zip(expected, found, strict=True))


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
    shifts = {
        "encoder": encoder_difference(encoder, arguments.out / "encoder.onnx"),
        "heads": heads_difference(heads, arguments.out / "heads.onnx"),
    }
    print(json.dumps({"largest_difference": shifts, "bytes": (arguments.out / "encoder.onnx").stat().st_size}))
    if max(shifts.values()) > TOLERANCE:
        raise SystemExit(f"ONNX Runtime and PyTorch differ by more than {TOLERANCE}")


if __name__ == "__main__":
    main()

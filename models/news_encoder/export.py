"""Turn a training checkpoint into the weights that ship: three ONNX files and the tokenizer.

    python -m models.news_encoder.export --checkpoint FILE --base DIR [--out DIR]

encoder.onnx reads words, deals.onnx the states of its shared layers with marks, heads.onnx pooled spans of those.
Weights are stored in 16 bits, the word table in 8 with a scale for each word, and ONNX Runtime widens them to 32 bits
when it loads: half the size on disk, the same arithmetic whatever the batch (dynamic int8 moved labels with the
composition of the batch, static int8 moved one label of ten on names). Prints the largest difference between PyTorch
and ONNX Runtime on random input, and fails above ``TOLERANCE``.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from models.news_encoder.network import HIDDEN, DealLayers, Encoder, Heads
from models.news_encoder.train import Network
from pipeline.entities import COMPANY_NUMBERS, DISTANCES, MARKS
from pipeline.windows import SHAPES

TOLERANCE = 0.1  # logits; narrow weights alone account for about 0.03
FLOAT16_FROM = 1024  # elements; smaller tensors stay in 32 bits
INT8_FROM = 1 << 22  # elements: the word table, whose rows have a scale each

ENCODER_INPUTS = ("input_ids", "attention_mask", "type_ids")
DEAL_INPUTS = ("shared", "attention_mask", "marks", "numbers")
HEAD_INPUTS = (
    "mention", "sentence", "distance", "count", "first", "second", "between", "around", "near", "far",
)  # fmt: skip

INDEXES = frozenset({"distance", "count", "near", "far"})


class _EncoderGraph(nn.Module):
    """The encoder without the hidden states that only training reads."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor, type_ids: Tensor) -> tuple[Tensor, Tensor]:
        shared, _, tags = self.encoder(input_ids, attention_mask, type_ids)
        return shared, tags


class _HeadsGraph(nn.Module):
    """All heads as one graph: spans of roles, pairs and places in, logits out."""

    def __init__(self, heads: Heads) -> None:
        super().__init__()
        self.heads = heads

    def forward(
        self, mention: Tensor, sentence: Tensor, distance: Tensor, count: Tensor,
        first: Tensor, second: Tensor, between: Tensor, around: Tensor, near: Tensor, far: Tensor,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        role, status = self.heads.roles(mention, sentence, distance, count)
        return role, status, *self.heads.pairs(first, second, between, around, near, far)


def export_encoder(encoder: Encoder, path: Path) -> None:
    """Write the encoder with dynamic batch and length."""
    _export(_EncoderGraph(encoder), encoder_inputs(2, 16), path, ENCODER_INPUTS, ("shared", "tags"), _window_axes(3))


def export_deals(layers: DealLayers, path: Path) -> None:
    """Write the deal layers with dynamic batch and length."""
    _export(layers, deal_inputs(2, 16), path, DEAL_INPUTS, ("hidden",), _window_axes(4))


def export_heads(heads: Heads, path: Path) -> None:
    """Write the heads with dynamic numbers of roles and pairs."""
    roles, pairs = torch.export.Dim("roles", min=1, max=1 << 20), torch.export.Dim("pairs", min=1, max=1 << 20)
    axes = ({0: roles},) * 4 + ({0: pairs},) * 6
    outputs = ("role", "status", "pair", "place", "owner")
    _export(_HeadsGraph(heads), head_inputs(3, 5), path, HEAD_INPUTS, outputs, axes)


def _window_axes(inputs: int) -> tuple[dict[int, Any], ...]:
    batch, tokens = torch.export.Dim("batch", min=1, max=4096), torch.export.Dim("tokens", min=2, max=512)
    return ({0: batch, 1: tokens},) * inputs


def _export(
    network: nn.Module,
    inputs: tuple[Tensor, ...],
    path: Path,
    input_names: Sequence[str],
    output_names: Sequence[str],
    axes: tuple[dict[int, Any], ...],
) -> None:
    torch.onnx.export(
        network.eval(),
        inputs,
        path,
        input_names=list(input_names),
        output_names=list(output_names),
        dynamic_shapes=axes,
        opset_version=18,
        dynamo=True,
        external_data=False,
    )
    onnx.save(_bare(_narrow(onnx.load(path))), path)


def _bare(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without the source lines that the exporter notes at every node: they name folders of the machine."""
    graph = model.graph
    parts = [*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer]
    for part in (model, graph, *parts):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    return model


def _narrow(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store large tensors in fewer bits, and widen them in front of the graph."""
    widened: list[onnx.NodeProto] = []
    scales: list[onnx.TensorProto] = []
    for tensor in model.graph.initializer:
        size = int(np.prod(tensor.dims))
        if tensor.data_type != TensorProto.FLOAT or size < FLOAT16_FROM:
            continue
        name, values = tensor.name, numpy_helper.to_array(tensor)
        if size < INT8_FROM:
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
            widened.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
            continue
        scale = np.maximum(np.abs(values).max(-1, keepdims=True) / 127, 1e-12).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(np.rint(values / scale).astype(np.int8), f"{name}.byte"))
        scales.append(numpy_helper.from_array(scale, f"{name}.scale"))
        widened.append(helper.make_node("Cast", [f"{name}.byte"], [f"{name}.wide"], to=TensorProto.FLOAT))
        widened.append(helper.make_node("Mul", [f"{name}.wide", f"{name}.scale"], [name]))
    model.graph.initializer.extend(scales)
    nodes = [*widened, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def encoder_inputs(windows: int, tokens: int) -> tuple[Tensor, ...]:
    """Random words without padding. No tensor stands for two inputs: the exporter would make them one."""
    ids = torch.randint(1000, 20000, (windows, tokens))
    return ids, torch.ones_like(ids), torch.randint(0, 2 * SHAPES, ids.shape)


def deal_inputs(windows: int, tokens: int) -> tuple[Tensor, ...]:
    """Random states with marks, the last token of the first window padded."""
    mask = torch.ones(windows, tokens, dtype=torch.long)
    mask[0, -1] = 0
    marks, numbers = (torch.randint(0, n, (windows, tokens)) for n in (MARKS, COMPANY_NUMBERS))
    return torch.randn(windows, tokens, HIDDEN), mask, marks, numbers


def head_inputs(roles: int, pairs: int) -> tuple[Tensor, ...]:
    """Random input of the heads. No tensor stands for two inputs: the exporter would make them one."""
    sizes = [roles] * 4 + [pairs] * 6
    return tuple(
        torch.randint(0, DISTANCES, (n,)) if name in INDEXES else torch.randn(n, HIDDEN)
        for name, n in zip(HEAD_INPUTS, sizes, strict=True)
    )


@torch.no_grad()
def difference(network: nn.Module, inputs: tuple[Tensor, ...], names: Sequence[str], path: Path) -> float:
    """Largest difference of any output between PyTorch and ONNX Runtime on one input."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    feed = {name: tensor.numpy() for name, tensor in zip(names, inputs, strict=True)}
    expected = network.eval()(*inputs)
    expected = expected if isinstance(expected, tuple) else (expected,)
    known = inputs[1].bool().numpy() if names[1] == "attention_mask" else ...
    return max(
        float(np.abs(e.numpy() - f)[known].max()) for e, f in zip(expected, session.run(None, feed), strict=True)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "weights")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    network = Network(arguments.base, deals=True, dropout=0.0).eval()
    network.load(arguments.checkpoint)
    if network.deals is None:
        raise SystemExit(f"{arguments.checkpoint}: no deal layers")
    paths = {name: arguments.out / f"{name}.onnx" for name in ("encoder", "deals", "heads")}
    export_encoder(network.encoder, paths["encoder"])
    export_deals(network.deals, paths["deals"])
    export_heads(network.heads, paths["heads"])
    shutil.copy(arguments.base / "tokenizer.json", arguments.out / "tokenizer.json")
    shifts = {
        "encoder": difference(_EncoderGraph(network.encoder), encoder_inputs(3, 40), ENCODER_INPUTS, paths["encoder"]),
        "deals": difference(network.deals, deal_inputs(3, 40), DEAL_INPUTS, paths["deals"]),
        "heads": difference(_HeadsGraph(network.heads), head_inputs(7, 11), HEAD_INPUTS, paths["heads"]),
    }
    sizes = {name: path.stat().st_size for name, path in paths.items()}
    print(json.dumps({"largest_difference": shifts, "bytes": sizes}))
    if max(shifts.values()) > TOLERANCE:
        raise SystemExit(f"ONNX Runtime and PyTorch differ by more than {TOLERANCE}")


if __name__ == "__main__":
    main()

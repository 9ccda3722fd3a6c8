"""The network: one pass of a small encoder over a window, and heads that read spans of it.

In: padded batches of windows and the token ranges of sentences, companies, pairs and places. Out: logits.
The encoder is all-MiniLM-L6-v2 (Apache-2.0; Wang et al. 2020, arXiv:2002.10957) with a token-type table widened to
letter case and headline, because its vocabulary is uncased.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import BertModel

from pipeline.entities import DISTANCES
from pipeline.records import DEAL_STATUSES, DEAL_TYPES
from pipeline.windows import SHAPES

TAG_COUNT = 7
HIDDEN = 384
WIDTH = 256


class Encoder(nn.Module):
    """Hidden states (batch, tokens, 384) and tag logits (batch, tokens, 7)."""

    def __init__(self, base: Path) -> None:
        super().__init__()
        self.bert = BertModel.from_pretrained(base, add_pooling_layer=False, attn_implementation="sdpa")
        table = nn.Embedding(2 * SHAPES, HIDDEN)
        table.weight.data[:] = self.bert.embeddings.token_type_embeddings.weight.data[0]
        self.bert.embeddings.token_type_embeddings = table
        self.tagger = nn.Linear(HIDDEN, TAG_COUNT)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, type_ids: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.bert(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=type_ids
        ).last_hidden_state
        return hidden, self.tagger(hidden)


def _head(inputs: int, outputs: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Dropout(dropout), nn.Linear(inputs, WIDTH), nn.GELU(), nn.Dropout(dropout), nn.Linear(WIDTH, outputs)
    )


class Heads(nn.Module):
    """Deal heads over pooled spans: vectors in, logits by deal type out."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        types = len(DEAL_TYPES)
        self.distance = nn.Embedding(DISTANCES, 32)
        self.count = nn.Embedding(4, 16)
        self.sentence = _head(HIDDEN, types, dropout)
        self.role = _head(2 * HIDDEN + 48, types, dropout)
        self.status = _head(2 * HIDDEN + 48, types * len(DEAL_STATUSES), dropout)
        self.pair = _head(4 * HIDDEN + 64, types, dropout)
        self.place = _head(4 * HIDDEN + 64, types, dropout)

    def roles(self, mention: Tensor, sentence: Tensor, distance: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
        """(roles, types) logits of acting, and (roles, types, statuses) logits."""
        read = torch.cat([mention, sentence, self.distance(distance), self.count(count)], -1)
        return self.role(read), self.status(read).view(-1, len(DEAL_TYPES), len(DEAL_STATUSES))

    def pairs(
        self, first: Tensor, second: Tensor, between: Tensor, sentence: Tensor, near: Tensor, far: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(pairs, types) logits twice: the second is a party of the first's deal; the second is where it happens."""
        read = torch.cat([first, second, between, sentence, self.distance(near), self.distance(far)], -1)
        return self.pair(read), self.place(read)


def pool(hidden: Tensor, window: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Mean of hidden states over token ranges: (spans, 384). ``window`` says which row of the batch each is in."""
    sums = torch.cat([torch.zeros_like(hidden[:, :1]), hidden.cumsum(1)], 1)
    length = (last - first).clamp(min=1).unsqueeze(-1)
    return (sums[window, last] - sums[window, first]) / length

"""The networks: an encoder that reads a window for names, and layers on top of it that read for deals.

In: padded batches of windows; for deals, what each token belongs to, and the token ranges of sentences, companies,
pairs and places. Out: hidden states and logits.
The encoder is all-MiniLM-L6-v2 (Apache-2.0; Wang et al. 2020, arXiv:2002.10957) with a token-type table widened to
letter case and headline, because its vocabulary is uncased. The deal layers start as copies of its upper layers and
are told which tokens are names of companies, places and levels, as entity markers tell a relation model
(Zhong and Chen 2021, arXiv:2010.12812), without a second pass through the lower layers.
"""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import BertModel

from pipeline.entities import COMPANY_NUMBERS, DISTANCES, MARKS
from pipeline.records import DEAL_STATUSES, DEAL_TYPES
from pipeline.windows import SHAPES

TAG_COUNT = 7
HIDDEN = 384
WIDTH = 256
SHARED_LAYERS = 2  # of the encoder's six; names and deals are read from them by four layers each


class Encoder(nn.Module):
    """Hidden states after the shared layers and after the last one (batch, tokens, 384), and tag logits (…, 7)."""

    def __init__(self, base: Path) -> None:
        super().__init__()
        self.bert = BertModel.from_pretrained(base, add_pooling_layer=False, attn_implementation="sdpa")
        table = nn.Embedding(2 * SHAPES, HIDDEN)
        table.weight.data[:] = self.bert.embeddings.token_type_embeddings.weight.data[0]
        self.bert.embeddings.token_type_embeddings = table
        self.tagger = nn.Linear(HIDDEN, TAG_COUNT)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, type_ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Read windows; ``attention_mask`` is 0 at padding."""
        shared = self.shared(input_ids, attention_mask, type_ids)
        hidden = shared
        for layer in self.bert.encoder.layer[SHARED_LAYERS:]:
            hidden = layer(hidden, attention_bias(attention_mask))
        return shared, hidden, self.tagger(hidden)

    def shared(self, input_ids: Tensor, attention_mask: Tensor, type_ids: Tensor) -> Tensor:
        """Hidden states after the shared layers alone."""
        hidden = self.bert.embeddings(input_ids=input_ids, token_type_ids=type_ids)
        for layer in self.bert.encoder.layer[:SHARED_LAYERS]:
            hidden = layer(hidden, attention_bias(attention_mask))
        return hidden


class DealLayers(nn.Module):
    """Hidden states of the shared layers, with marks, to hidden states that deals are read from."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.mark = nn.Embedding(MARKS, HIDDEN)
        self.number = nn.Embedding(COMPANY_NUMBERS, HIDDEN)
        for table in (self.mark, self.number):
            nn.init.normal_(table.weight, std=0.1)
            table.weight.data[0] = 0
        self.layers = nn.ModuleList(copy.deepcopy(layer) for layer in encoder.bert.encoder.layer[SHARED_LAYERS:])

    def forward(self, shared: Tensor, attention_mask: Tensor, marks: Tensor, numbers: Tensor) -> Tensor:
        """``marks`` and ``numbers`` as ``pipeline.entities.marks_of_window`` gives them, (batch, tokens)."""
        hidden = shared + self.mark(marks) + self.number(numbers)
        for layer in self.layers:
            hidden = layer(hidden, attention_bias(attention_mask))
        return hidden


def attention_bias(attention_mask: Tensor) -> Tensor:
    """(batch, 1, 1, tokens) added to the attention logits: 0, or the least float at padding."""
    return (1.0 - attention_mask[:, None, None, :].float()) * torch.finfo(torch.float32).min


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
        self.owner = _head(4 * HIDDEN + 64, 1, dropout)

    def roles(self, mention: Tensor, sentence: Tensor, distance: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
        """(roles, types) logits of acting, and (roles, types, statuses) logits."""
        read = torch.cat([mention, sentence, self.distance(distance), self.count(count)], -1)
        return self.role(read), self.status(read).view(-1, len(DEAL_TYPES), len(DEAL_STATUSES))

    def pairs(
        self, first: Tensor, second: Tensor, between: Tensor, sentence: Tensor, near: Tensor, far: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(pairs, types) logits that the second is a party of the first's deal, and that it is where that happens.

        The third, (pairs,), reads the first as a level: the second's system has it.
        """
        read = torch.cat([first, second, between, sentence, self.distance(near), self.distance(far)], -1)
        return self.pair(read), self.place(read), self.owner(read).squeeze(-1)


def pool(hidden: Tensor, window: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Mean of hidden states over token ranges: (spans, 384). ``window`` says which row of the batch each is in."""
    sums = torch.cat([torch.zeros_like(hidden[:, :1]), hidden.cumsum(1)], 1)
    length = (last - first).clamp(min=1).unsqueeze(-1)
    return (sums[window, last] - sums[window, first]) / length

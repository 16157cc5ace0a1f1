"""The parts of a transformer: Vaswani et al. 2017, "Attention is all you need"; Huang et al. 2016, "Deep networks with
stochastic depth".

Shapes: N pictures, T tokens, D width, H heads.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn


class SingleAttention(nn.Module):
    """Vaswani et al. 2017, "Attention is all you need", equation 1: softmax(q k^T / sqrt(d)) v, step by step.

    The whole idea, for reading. The transformer uses MultiHeadAttention, which a test proves to be several of these.
    """

    def __init__(self, width: int, head_width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, head_width)
        self.key = nn.Linear(width, head_width)
        self.value = nn.Linear(width, head_width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(N, T, D) -> (N, T, d)."""
        queries, keys, values = self.query(tokens), self.key(tokens), self.value(tokens)  # each (N, T, D) -> (N, T, d)
        scores = queries @ keys.transpose(1, 2)  # (N, T, d) @ (N, d, T) -> (N, T, T): how well each fits each
        weights = torch.softmax(scores / math.sqrt(queries.shape[-1]), dim=-1)  # each token's row sums to 1
        return weights @ values  # (N, T, T) @ (N, T, d) -> (N, T, d)


class MultiHeadAttention(nn.Module):
    """H attentions side by side, each on its own part of the width, then one linear layer."""

    def __init__(self, width: int, heads: int, *, attention_dropout: float = 0.0, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.attention_dropout = attention_dropout
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(N, T, D) -> (N, T, D)."""
        count, length, width = tokens.shape
        qkv = self.qkv(tokens)  # -> (N, T, 3 * D)
        qkv = qkv.reshape(count, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        queries, keys, values = qkv.unbind(0)  # (3, N, H, T, D / H) -> three times (N, H, T, D / H)
        dropout = self.attention_dropout if self.training else 0.0
        # softmax(q k^T / sqrt(d)) v of every head at once, without the (T, T) matrix where torch can do without it.
        mixed = F.scaled_dot_product_attention(queries, keys, values, dropout_p=dropout)  # -> (N, H, T, D / H)
        mixed = mixed.transpose(1, 2).reshape(count, length, width)  # (N, H, T, D / H) -> (N, T, D)
        return self.dropout(self.proj(mixed))


class MLP(nn.Module):
    """Two linear layers with GELU between them, on each token by itself."""

    def __init__(self, width: int, hidden: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(N, T, D) -> (N, T, hidden) -> (N, T, D)."""
        return self.dropout(self.fc2(self.dropout(F.gelu(self.fc1(tokens)))))


class DropPath(nn.Module):
    """Stochastic depth (Huang et al. 2016): in training a picture skips the branch with `probability`.

    What is kept is divided by 1 - probability, so that the expected sum stays.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(N, T, D) -> the same shape, zero for some of the N."""
        if not self.training or self.probability == 0:
            return tokens
        keep = 1 - self.probability
        kept = torch.rand(len(tokens), 1, 1, device=tokens.device) < keep  # (N, 1, 1)
        return tokens * kept / keep

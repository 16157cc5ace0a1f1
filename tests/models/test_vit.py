from __future__ import annotations

import pytest
import torch

from pictaxa.errors import ModelError
from pictaxa.models.standardised_resnet import StandardisedConv2d
from pictaxa.models.transformer import DropPath, MultiHeadAttention, SingleAttention
from pictaxa.models.vit import SIZES, Options, Size, VisionTransformer

TINY = Size(width=32, depth=2, heads=4, mlp=64, patch=8)


def tiny(size: int = 32, **options: float) -> VisionTransformer:
    torch.manual_seed(0)
    chosen = {"representation_size": 0, "dropout": 0.0, "attention_dropout": 0.0, "drop_path": 0.0} | options
    return VisionTransformer(5, 3, form=TINY, options=Options(size=size, **chosen)).eval()  # type: ignore[arg-type]  # words from a table


def test_attention_mixes_values_by_weights_that_sum_to_one():
    """Equal values come out as they are, and a query that fits one key alone takes that key's value."""
    torch.manual_seed(0)
    layer, tokens = SingleAttention(6, 4).double(), torch.randn(2, 5, 6, dtype=torch.float64)
    with torch.no_grad():
        layer.value.weight.zero_()
        assert torch.allclose(layer(tokens), layer.value.bias.expand(2, 5, 4))
        eye = torch.eye(4, dtype=torch.float64)[None]
        sharp = SingleAttention(4, 4).double()
        for part in (sharp.query, sharp.key, sharp.value):
            part.weight.copy_(eye[0])
            part.bias.zero_()
        sharp.query.weight.mul_(200)
        assert torch.allclose(sharp(eye), eye)


def test_heads_are_single_attentions_side_by_side():
    """Multi-head attention is one attention for each head on its rows of `qkv`, joined, and one linear layer."""
    torch.manual_seed(0)
    layer = MultiHeadAttention(24, 3).double()
    tokens = torch.randn(2, 5, 24, dtype=torch.float64)
    parts = []
    for head in range(3):
        single = SingleAttention(24, 8).double()
        for place, part in enumerate((single.query, single.key, single.value)):
            rows = slice(24 * place + 8 * head, 24 * place + 8 * head + 8)
            part.weight = torch.nn.Parameter(layer.qkv.weight[rows])
            part.bias = torch.nn.Parameter(layer.qkv.bias[rows])
        parts.append(single(tokens))
    assert torch.allclose(layer(tokens), layer.proj(torch.cat(parts, dim=-1)))


def test_drop_path_keeps_the_expectation():
    """Pictures are dropped whole, the kept ones are scaled up, and nothing happens in eval mode."""
    torch.manual_seed(0)
    drop, tokens = DropPath(0.25), torch.ones(4000, 2, 3)
    out = drop.train()(tokens)
    per_picture = out[:, 0, 0]
    assert torch.equal(out, per_picture[:, None, None].expand_as(out))
    assert sorted(set(per_picture.tolist())) == pytest.approx([0, 4 / 3])
    assert abs(out.mean().item() - 1) < 0.03
    assert torch.equal(drop.eval()(tokens), tokens)


def test_positions_are_resized_for_other_sizes():
    """At its own size the embeddings are the parameters; at another each corner keeps its own, roughly."""
    model = tiny()
    assert model.positions(4, 4) is model.pos_embed
    torch.nn.init.zeros_(model.pos_embed)
    with torch.no_grad():
        model.pos_embed[0, 1:, 0] = torch.linspace(0, 1, 4).repeat(4)  # grows from left to right
    grid = model.positions(8, 8)[0, 1:, 0].reshape(8, 8)
    assert (grid.diff(dim=1) > -1e-3).all() and grid.diff(dim=0).abs().max() < 1e-5
    assert model(torch.rand(2, 3, 64, 48)).shape == (2, 5)


def test_sizes_must_be_multiples_of_the_patch():
    """Pictures and the size option that no whole number of patches fills are told, with the nearest that fits."""
    with pytest.raises(ModelError, match=r"multiples of 8.*--size 40"):
        tiny()(torch.rand(1, 3, 36, 38))
    with pytest.raises(ModelError, match="multiple of 8"):
        tiny(size=30)


def test_the_grid_holds_the_patches_in_their_places():
    """grid drops the class token and lays the others out by row."""
    model = tiny()
    features = torch.arange(2 * 17 * 32.0).reshape(2, 17, 32)
    grid = model.grid(features)
    assert grid.shape == (2, 32, 4, 4)
    assert torch.equal(grid[:, :, 1, 2], features[:, 1 + 4 + 2])


def test_pre_logits_stand_before_the_classifier():
    """representation_size adds a linear layer and tanh on the class token."""
    model = tiny(representation_size=16)
    features = torch.randn(2, 17, 32)
    assert torch.allclose(model.head(features), model.classifier(torch.tanh(model.pre_logits(features[:, 0]))))


def test_weights_are_standardised():
    """Scaling and shifting a standardised convolution's weights changes nothing."""
    torch.manual_seed(0)
    conv = StandardisedConv2d(4, 6, 3, stride=2, bias=False)
    images = torch.randn(1, 4, 9, 9)
    before = conv(images)
    with torch.no_grad():
        conv.weight.mul_(3).add_(1)
    assert torch.allclose(conv(images), before, atol=1e-5)


def test_the_hybrids_grid_is_the_patch_grid():
    """The hybrid's ResNet gives the grid that its patch size says: 14 x 14 and 7 x 7 at 224 px."""
    for name, side in (("vit_r50_b_16", 14), ("vit_r50_l_32", 7)):
        with torch.device("meta"):
            model = VisionTransformer(2, 3, form=SIZES[name], options=Options(224, 0, 0.0, 0.0, 0.0))
            tokens = model.patch_embed(torch.empty(1, 3, 224, 224))
        assert tokens.shape[1] == side * side

"""Vision Transformer: Dosovitskiy et al. 2020, "An image is worth 16x16 words", and its ResNet hybrid.

    patches -> linear embedding, class token, position embeddings -> encoder blocks -> norm -> class token -> dense

A picture is cut into patches, each becomes a token, and blocks of attention and MLP mix the tokens (figure 1). The
hybrid takes its tokens from the last grid of a ResNet whose convolutions are weight-standardised and whose norms are
over groups of channels (Kolesnikov et al. 2019, "Big Transfer"). Module names are timm's, so its checkpoints load as
they are.

Shapes: N pictures, T tokens (patches and the class token), D width, H heads.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from ..errors import ModelError
from .contract import NORMALIZATIONS, Classifier, classifier_layer
from .entry import Elsewhere, Entry, Rule, layer_rules, torchvision_file
from .initialisation import lecun_initialise, xavier_initialise
from .standardised_resnet import JAX_LAYERS, StandardisedResNet
from .transformer import MLP, DropPath, MultiHeadAttention

EPSILON = 1e-6  # of layer norm, as in the published code


@dataclass(frozen=True)
class Size:
    """A row of SIZES: table 1 of the paper."""

    width: int
    depth: int
    heads: int
    mlp: int  # width of the MLP's hidden layer
    patch: int  # side of a patch, pixels
    resnet: tuple[int, ...] = ()  # blocks of the hybrid's stages; then `patch` is the stride of their last grid


SIZES = {
    "vit_b_16": Size(width=768, depth=12, heads=12, mlp=3072, patch=16),
    "vit_b_32": Size(width=768, depth=12, heads=12, mlp=3072, patch=32),
    "vit_l_16": Size(width=1024, depth=24, heads=16, mlp=4096, patch=16),
    "vit_l_32": Size(width=1024, depth=24, heads=16, mlp=4096, patch=32),
    "vit_h_14": Size(width=1280, depth=32, heads=16, mlp=5120, patch=14),
    # The paper's B/16 hybrid replaces the fourth ResNet stage by a longer third one; L/32 keeps all four.
    "vit_r50_b_16": Size(width=768, depth=12, heads=12, mlp=3072, patch=16, resnet=(3, 4, 9)),
    "vit_r50_l_32": Size(width=1024, depth=24, heads=16, mlp=4096, patch=32, resnet=(3, 4, 6, 3)),
}


class EncoderBlock(nn.Module):
    """Norm, attention, sum; norm, MLP, sum (figure 1, right)."""

    def __init__(self, size: Size, *, dropout: float, attention_dropout: float, drop_path: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(size.width, eps=EPSILON)
        self.attn = MultiHeadAttention(size.width, size.heads, attention_dropout=attention_dropout, dropout=dropout)
        self.norm2 = nn.LayerNorm(size.width, eps=EPSILON)
        self.mlp = MLP(size.width, size.mlp, dropout=dropout)
        self.drop_path = DropPath(drop_path)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(N, T, D) -> (N, T, D)."""
        tokens = tokens + self.drop_path(self.attn(self.norm1(tokens)))
        return tokens + self.drop_path(self.mlp(self.norm2(tokens)))


class PatchEmbedding(nn.Module):
    """Patches to tokens: a convolution whose kernel and stride are the patch; in the hybrid a 1x1 on ResNet maps."""

    def __init__(self, in_channels: int, size: Size) -> None:
        super().__init__()
        if size.resnet:
            self.backbone: nn.Module = StandardisedResNet(in_channels, blocks=size.resnet)
            self.proj = nn.Conv2d(256 * 2 ** (len(size.resnet) - 1), size.width, kernel_size=1)
        else:
            self.backbone = nn.Identity()
            self.proj = nn.Conv2d(in_channels, size.width, kernel_size=size.patch, stride=size.patch)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, S, S) -> (N, D, S / patch, S / patch) -> (N, (S / patch)^2, D)."""
        return self.proj(self.backbone(images)).flatten(2).transpose(1, 2)


def resize_positions(embeddings: torch.Tensor, *, side: int, size: tuple[int, int]) -> torch.Tensor:
    """Resize the position embeddings of a grid; the class token's stays.

    Args:
        embeddings: (1, 1 + side * side, D) float.
        side: of their grid.
        size: rows and columns of the new one.

    Returns:
        (1, 1 + rows * columns, D).
    """
    grid = embeddings[:, 1:].transpose(1, 2).unflatten(2, (side, side))  # (1, side^2, D) -> (1, D, side, side)
    grid = F.interpolate(grid, size=size, mode="bicubic", antialias=True)
    return torch.cat([embeddings[:, :1], grid.flatten(2).transpose(1, 2)], dim=1)


class VisionTransformer(Classifier):
    """Patch embedding, class token, position embeddings, encoder blocks, norm, dense.

    `size` is the side of the pictures for which position embeddings are made; they are resized for others.
    `representation_size` puts a linear layer and tanh before the classifier, as in pre-training on ImageNet-21k.
    """

    def __init__(self, num_classes: int, in_channels: int, *, form: Size, options: Options) -> None:
        super().__init__(num_classes, in_channels)
        self.patch = form.patch
        if options.size % form.patch:
            raise ModelError(
                f"size= a multiple of {form.patch}", found=str(options.size), fix=f"Use size={form.patch * 14}."
            )
        self.grid_side = options.size // form.patch
        self.patch_embed = PatchEmbedding(in_channels, form)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, form.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + self.grid_side**2, form.width))
        self.dropout = nn.Dropout(options.dropout)
        # Stochastic depth grows linearly with depth (section 3 of its paper).
        rates = [options.drop_path * i / max(1, form.depth - 1) for i in range(form.depth)]
        self.blocks = nn.Sequential(
            *(
                EncoderBlock(form, dropout=options.dropout, attention_dropout=options.attention_dropout, drop_path=rate)
                for rate in rates
            )
        )
        self.norm = nn.LayerNorm(form.width, eps=EPSILON)
        width = options.representation_size or form.width
        self.pre_logits = nn.Linear(form.width, width) if options.representation_size else None
        self.classifier = classifier_layer(width, num_classes)
        self._initialise()
        self.set_normalization(*NORMALIZATIONS["-1-1"])

    def _initialise(self) -> None:
        """As the published code: Xavier in the blocks, LeCun in the embedding, a classifier of zeros."""
        xavier_initialise(self.blocks)
        for part in self.blocks.modules():
            if isinstance(part, MultiHeadAttention):
                bound = math.sqrt(3 / part.qkv.in_features)  # each of its three matrices is (D, D)
                nn.init.uniform_(part.qkv.weight, -bound, bound)
        lecun_initialise(self.patch_embed)
        if self.pre_logits is not None:
            lecun_initialise(self.pre_logits)
        if isinstance(self.classifier, nn.Linear):
            nn.init.zeros_(self.classifier.weight)
            nn.init.zeros_(self.classifier.bias)
        nn.init.normal_(self.pos_embed, std=0.02)

    def backbone(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, S, S) -> (N, T, D), the class token first."""
        return self.norm(self.blocks(self._embed(images)))

    def _embed(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, S, S) -> (N, T, D): what the first block is given."""
        height, width = images.shape[2:]
        if height % self.patch or width % self.patch:
            raise ModelError(
                f"sides that are multiples of {self.patch} pixels",
                found=f"{width} x {height}",
                fix=f"Use --size {max(1, round(width / self.patch)) * self.patch}.",
            )
        tokens = self.patch_embed(images)  # -> (N, T - 1, D)
        tokens = torch.cat([self.cls_token.expand(tokens.shape[0], -1, -1), tokens], dim=1)  # -> (N, T, D)
        positions = self.positions(height // self.patch, width // self.patch)
        return self.dropout(tokens + positions)

    def positions(self, rows: int, columns: int) -> torch.Tensor:
        """Position embeddings of a grid, (1, 1 + rows * columns, D): the parameters, resized to other grids."""
        side = self.grid_side
        if (rows, columns) == (side, side):
            return self.pos_embed
        return resize_positions(self.pos_embed, side=side, size=(rows, columns))

    def spatial_features(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, S, S) -> (N, T, D) before the last block, where the class token looks at the others a last time."""
        self.check(images)
        return self.blocks[:-1](self._embed(self.normalise(images)))

    def spatial_head(self, activations: torch.Tensor) -> torch.Tensor:
        """(N, T, D) -> the last block, norm -> (N, num_classes)."""
        return self.head(self.norm(self.blocks[-1](activations)))

    def grid(self, features: torch.Tensor) -> torch.Tensor:
        """(N, T, D) -> (N, D, h, w): the patches' tokens in their places, for square pictures."""
        side = math.isqrt(features.shape[1] - 1)
        return features[:, 1:].transpose(1, 2).unflatten(2, (side, side))

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """(N, T, D) -> the class token (N, D) -> (N, num_classes)."""
        token = features[:, 0]
        if self.pre_logits is not None:
            token = torch.tanh(self.pre_logits(token))
        return self.classifier(token)


@dataclass(frozen=True)
class Options:
    """What can be chosen of any Vision Transformer."""

    size: int
    representation_size: int
    dropout: float
    attention_dropout: float
    drop_path: float


def builder(name: str) -> Callable[..., VisionTransformer]:
    """The constructor of a row of SIZES."""

    def build(
        num_classes: int,
        in_channels: int,
        *,
        size: int = 224,
        representation_size: int = 0,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        drop_path: float = 0.0,
    ) -> VisionTransformer:
        options = Options(size, representation_size, dropout, attention_dropout, drop_path)
        return VisionTransformer(num_classes, in_channels, form=SIZES[name], options=options)

    return build


# Of several published sets the one trained on ImageNet alone; those after it are not for commerce.
_PUBLISHED = {
    "vit_b_16": torchvision_file("vit_b_16-c867db91.pth", 81.072),
    "vit_b_32": torchvision_file("vit_b_32-d86f8d99.pth", 75.912),
    "vit_l_16": torchvision_file("vit_l_16-852ce7e3.pth", 79.662, resized=242),
    "vit_l_32": torchvision_file("vit_l_32-c7638314.pth", 76.972),
}

# torchvision's published files have the MLP's layers by name, newer models by number.
_TORCHVISION_BLOCK = r"encoder\.layers\.encoder_layer_(\d+)\."
_TORCHVISION = Elsewhere(
    (
        Rule("class_token", "cls_token"),
        Rule(r"encoder\.pos_embedding", "pos_embed"),
        Rule(_TORCHVISION_BLOCK + r"ln_([12])\.(.+)", r"blocks.\1.norm\2.\3"),
        Rule(_TORCHVISION_BLOCK + r"self_attention\.in_proj_(.+)", r"blocks.\1.attn.qkv.\2"),
        Rule(_TORCHVISION_BLOCK + r"self_attention\.out_proj\.(.+)", r"blocks.\1.attn.proj.\2"),
        Rule(_TORCHVISION_BLOCK + r"mlp\.(?:0|linear_1)\.(.+)", r"blocks.\1.mlp.fc1.\2"),
        Rule(_TORCHVISION_BLOCK + r"mlp\.(?:3|linear_2)\.(.+)", r"blocks.\1.mlp.fc2.\2"),
        *layer_rules([("conv_proj", "patch_embed.proj"), ("encoder.ln", "norm")]),
        *layer_rules([("heads.pre_logits", "pre_logits"), ("heads.head", "classifier")]),
    ),
    normalization="imagenet",  # where Google's code, which the entry follows, has [-1, 1]
)

_TIMM = Elsewhere(layer_rules([("head", "classifier")]))  # a module there; a method of the contract here

# The arrays of Google's checkpoints, but for queries, keys and values, which are one layer here (weights/jax.py).
_JAX_BLOCK = r"Transformer/encoderblock_(\d+)/"
_JAX = Elsewhere(
    (
        Rule("cls", "cls_token"),
        Rule("Transformer/posembed_input/pos_embedding", "pos_embed"),
        Rule("embedding/(kernel|bias)", r"patch_embed.proj.\1"),
        Rule(_JAX_BLOCK + "LayerNorm_0/(.+)", r"blocks.\1.norm1.\2"),
        Rule(_JAX_BLOCK + "LayerNorm_2/(.+)", r"blocks.\1.norm2.\2"),
        Rule(_JAX_BLOCK + "MlpBlock_3/Dense_0/(.+)", r"blocks.\1.mlp.fc1.\2"),
        Rule(_JAX_BLOCK + "MlpBlock_3/Dense_1/(.+)", r"blocks.\1.mlp.fc2.\2"),
        Rule(_JAX_BLOCK + "MultiHeadDotProductAttention_1/out/(.+)", r"blocks.\1.attn.proj.\2"),
        Rule(_JAX_BLOCK + "MultiHeadDotProductAttention_1/(query|key|value)/(.+)", r"blocks.\1.attn.\2.\3"),
        Rule("Transformer/encoder_norm/(.+)", r"norm.\1"),
        Rule("pre_logits/(.+)", r"pre_logits.\1"),
        Rule("head/(.+)", r"classifier.\1"),
        *(Rule(f"{theirs}/(.+)", rf"patch_embed.backbone.{ours}.\1") for theirs, ours in JAX_LAYERS.items()),
    ),
    normalization="-1-1",
)

# A ViT as tutorials write it in Keras, a subclassed model: its files have its attributes as groups (Keras 3), or the
# names of its layers, which are Google's, behind the model's own (legacy .h5).
_KERAS_BLOCKS = (
    (r"(?:.*/)?(?:encoderblock|(?:blocks|layers)/[a-z_]+?)_(\d+)/", r"blocks.\1."),
    (r"(?:.*/)?(?:blocks|layers)/[a-z_]+/", "blocks.0."),  # the first of a list has no number
)
_KERAS_PARTS = {
    "norm1|LayerNorm_0": "norm1",
    "norm2|LayerNorm_[12]": "norm2",
    "(?:attn|MultiHeadAttention(?:_1)?)/qkv": "attn.qkv",
    "(?:attn|MultiHeadAttention(?:_1)?)/(?:proj|out)": "attn.proj",
    "(?:mlp|MlpBlock(?:_3)?)/(?:fc1|Dense_0)": "mlp.fc1",
    "(?:mlp|MlpBlock(?:_3)?)/(?:fc2|Dense_1)": "mlp.fc2",
}
_KERAS = Elsewhere(
    (
        *(
            Rule(f"{block}(?:{part})", into + ours)
            for block, into in _KERAS_BLOCKS
            for part, ours in _KERAS_PARTS.items()
        ),
        Rule(r"(?:.*/)?(?:patch_embed|layers/[a-z_]+)/(?:proj|embedding|conv2d(?:_\d+)?)", "patch_embed.proj"),
        Rule(r"(?:.*/)?(?:cls_token_pos_embed|cls_pos|concat_class_token_add_pos_embed)", "pos_embed"),  # and the token
        Rule(r"(?:.*/)?(?:encoder_norm|norm|layer_normalization(?:_\d+)?)", "norm"),
        Rule(r"(?:.*/)?(?:pre_logits|dense(?:_\d+)?)", "pre_logits"),
        Rule(r"(?:.*/)?head", "classifier"),
    ),
    by_place=True,
)

ENTRIES = {
    name: Entry(
        builder(name), "vit", 2020, "Dosovitskiy et al. 2020, An image is worth 16x16 words", size=224,
        min_size=row.patch, multiple=row.patch, published=_PUBLISHED.get(name),
        elsewhere={
            "torchvision": _TORCHVISION, "timm": _TIMM, "jax": _JAX, **({} if row.resnet else {"keras": _KERAS}),
        },
    )
    for name, row in SIZES.items()
}  # fmt: skip

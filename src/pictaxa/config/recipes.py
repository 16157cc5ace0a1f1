"""Well-known set-ups, each with every setting that it is taught with: `pictaxa train DATA --recipe NAME`.

Settings stand under the names of their flags. What none of these set-ups does, and pictaxa does by default, is turned
off in AS_TAUGHT. A flag beside --recipe wins. ATTAINED is what they came to when they were run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError, close_matches

Settings = dict[str, Any]


@dataclass(frozen=True)
class Recipe:
    """A set-up in a sentence, where it comes from, what it was written for, and its settings by their flags' names."""

    what: str
    source: str
    data: str
    settings: Settings
    needs: str = ""  # a flag that has to stand beside it, as one writes it


@dataclass(frozen=True)
class Attained:
    """One run of a recipe on two CPU cores (AMD EPYC, float32): on what, how long, and what came of it."""

    data: str
    train_pictures: int
    val_pictures: int
    right: int  # of the latter
    epochs: int
    time: str  # minutes:seconds
    beside: str = ""  # flags that stood beside the recipe

    @property
    def accuracy(self) -> str:
        """In percent, with the interval of 95%."""
        from ..metrics import wilson_interval

        low, high = wilson_interval(self.right, self.val_pictures)
        return f"{self.right / self.val_pictures:.1%} ({100 * low:.1f}-{100 * high:.1f})"


AS_TAUGHT: Settings = {
    "policy": "none", "tta": "none", "progressive_resizing": 0.0, "warmup": 0.0, "lr_schedule": "constant",
    "weight_decay": 0.0, "clip_grad_norm": None, "label_smoothing": 0.0, "ema_decay": 0.0, "best_by": "last",
    "backbone_lr_scale": 1.0, "standardise": "no", "solve_head": "no", "norm_statistics": "update",
    "view": "squash",
}  # fmt: skip
KERAS_ADAM: Settings = {"optimizer": "adam", "eps": 1e-7}
TORCH_ADAM: Settings = {"optimizer": "adam", "eps": 1e-8}

# 224 px squashed, [0, 1], mirrored, the epoch of the least validation loss: one loop, several networks.
_FLOWERS: Settings = AS_TAUGHT | KERAS_ADAM | {
    "size": 224, "square": 224, "normalization": "0-1", "augment": ("horizontal_flip=0.5",), "lr": 5e-4,
    "batch_size": 32, "epochs": 10, "best_by": "loss",
}  # fmt: skip
_BIRDS: Settings = AS_TAUGHT | {"model": "resnet50v2", "size": 224, "square": 224, "best_by": "accuracy"}

# He et al. 2015, section 4.2, and He et al. 2016, appendix: 64,000 steps of 128, whatever the network.
_CIFAR: Settings = AS_TAUGHT | {
    "size": 32, "augment": ("pad=4", "horizontal_flip=0.5"), "optimizer": "sgd", "momentum": 0.9, "nesterov": "no",
    "lr": 0.1, "weight_decay": 1e-4, "batch_size": 128, "steps": 64_000,
    "lr_schedule": "steps:0=1,32000=0.1,48000=0.01",
}  # fmt: skip
_DEEP = {"lr_schedule": "steps:0=0.1,400=1,32000=0.1,48000=0.01"}  # 0.01 at first: 110 layers don't start at 0.1

_GLOROT: Settings = {"model_options": ("first_weights=glorot",)}  # what Keras gives every layer
_TENSORFLOW = "TensorFlow's quick-start for experts"
_KERAS_CLASSICS = "widely taught Keras versions of the classics, on the flower photographs"
_HE_2015 = "He et al. 2015, Deep residual learning, section 4.2"
_HE_2016 = "He et al. 2016, Identity mappings in deep residual networks"


def _flowers(network: str, model: str, **changes: Any) -> Recipe:
    return Recipe(f"{network}, from scratch", _KERAS_CLASSICS, "flowers", _FLOWERS | {"model": model} | changes)


def _cifar(model: str, *options: str, source: str) -> Recipe:
    deep = {} if int("".join(c for c in model if c.isdecimal())) < 110 else _DEEP
    told = f" with {', '.join(options)}" if options else ""
    settings = _CIFAR | deep | {"model": model, "model_options": options}
    return Recipe(f"{model}{told}", source, "cifar10", settings)


# Dosovitskiy et al. 2020, appendix B.1.1, with a batch and a length for few pictures.
_VIT: Settings = AS_TAUGHT | {
    "model": "vit_b_16", "size": 224, "optimizer": "sgd", "momentum": 0.9, "nesterov": "no", "lr": 0.003,
    "clip_grad_norm": 1.0, "batch_size": 32, "epochs": 5, "lr_schedule": "cosine", "warmup": 0.1, "best_by": "accuracy",
}  # fmt: skip
_DOSOVITSKIY = "Dosovitskiy et al. 2020, An image is worth 16x16 words, section 4.1 and appendix B.1.1"

# Names of the second paper's experiments, and the options that make them of a network.
_ABLATIONS: dict[str, tuple[str, ...]] = {
    "original": (),
    "constant-half": ("shortcut=constant",),
    "constant-0-1": ("shortcut=constant", "shortcut_scale=0.0", "residual_scale=1.0"),
    "constant-half-1": ("shortcut=constant", "residual_scale=1.0"),
    "exclusive-gating-6": ("shortcut=exclusive_gating", "gate_bias=-6.0"),
    "exclusive-gating-7": ("shortcut=exclusive_gating", "gate_bias=-7.0"),
    "shortcut-only-gating-0": ("shortcut=shortcut_only_gating", "gate_bias=0.0"),
    "shortcut-only-gating-6": ("shortcut=shortcut_only_gating", "gate_bias=-6.0"),
    "conv1x1": ("shortcut=conv1x1",),
    "dropout": ("shortcut=dropout",),
    "bn-after-addition": ("order=bn_after_addition",),
    "relu-before-addition": ("order=relu_before_addition",),
    "relu-only-preact": ("order=relu_only_preact",),
    "full-preact": ("order=full_preact",),
}

RECIPES: dict[str, Recipe] = {
    "default": Recipe("what pictaxa train does without a recipe", "ours; docs/measured.md", "photographs", {}),
    "mnist-simple-cnn": Recipe(
        "one convolution and two dense layers", _TENSORFLOW, "mnist",
        AS_TAUGHT | KERAS_ADAM
        | {"model": "simple_cnn", "size": 28, "normalization": "0-1", "lr": 1e-3, "batch_size": 32, "epochs": 5},
    ),
    "mnist-alexnet": Recipe(
        "AlexNet on 28 px digits, on a black 227 px square", "a widely taught Keras exercise", "mnist",
        AS_TAUGHT
        | {"model": "alexnet", **_GLOROT, "channels": "1", "size": 227, "view": "fit", "normalization": "0-1",
           "optimizer": "sgd", "momentum": 0.0, "lr": 0.01, "batch_size": 128, "epochs": 3, "fold": "1/10"},
    ),
    "flowers-leaky-resnet50": Recipe(
        "the Keras exercise's ResNet-50 with leaky ReLU, pixels from 0 to 255", _KERAS_CLASSICS, "flowers",
        AS_TAUGHT | KERAS_ADAM
        | {"model": "resnet50_course_leaky", "size": 128, "square": 128, "normalization": "0-255", "lr": 1e-4,
           "batch_size": 256, "epochs": 30, "steps_per_epoch": 100},
    ),
    "flowers-alexnet": _flowers("half-width AlexNet", "alexnet_half", **_GLOROT),
    "flowers-alexnet-slim": _flowers("the same with dense layers of 1024 and 128", "alexnet_half_slim", **_GLOROT),
    "flowers-vgg16": _flowers("VGG-16", "vgg16", lr=1e-4, model_options=("first_weights=fan_out",)),
    "flowers-googlenet": _flowers("GoogLeNet, its auxiliary heads at 0.3", "googlenet"),
    "flowers-resnet50-transfer": Recipe(
        "a new head with 1024 units on a frozen ResNet-50", _KERAS_CLASSICS, "flowers",
        AS_TAUGHT | KERAS_ADAM
        | {"model": "resnet50", "model_options": ("padding=same",), "size": 224, "square": 224,
           "normalization": "caffe", "tune": "head", "head": "dropout:0.5,1024,dropout:0.5", "lr": 2e-4,
           "batch_size": 16, "epochs": 20, "best_by": "accuracy"},
        needs="--weights FILE",
    ),
    "birds-resnet50v2": Recipe(
        "Keras' ResNet50V2 from scratch", "a widely taught Keras exercise", "birds",
        _BIRDS | KERAS_ADAM | {"normalization": "0-1", "lr": 1e-3, "batch_size": 8, "epochs": 10},
    ),
    "birds-resnet50v2-torch": Recipe(
        "the same as PyTorch exercises have it", "a widely taught PyTorch exercise", "birds",
        _BIRDS | TORCH_ADAM
        | {"normalization": "imagenet", "lr": 1e-4, "batch_size": 32, "epochs": 30, "lr_schedule": "every:4=0.92"},
    ),
    "signs-resnet50": Recipe(
        "the Keras exercise's ResNet-50; its write-up has 89.2% on its own 120 pictures",
        "a widely taught Keras exercise", "signs",
        AS_TAUGHT | KERAS_ADAM
        | {"model": "resnet50_course", "only": ("0", "1", "2", "3", "4", "5"), "size": 64, "square": 64,
           "normalization": "0-1", "lr": 1e-3, "batch_size": 32, "epochs": 20},
    ),
    "hotdog-frozen-resnet50": Recipe(
        "two classes from the 1,000 probabilities of a whole, frozen ResNet-50", "a widely taught Keras exercise",
        "hot dogs and others",
        AS_TAUGHT | KERAS_ADAM
        | {"model": "resnet50_v1", "size": 224, "square": 224, "normalization": "0-1", "tune": "head",
           "head": "outputs:1000", "feature_views": 0, "lr": 1e-3, "batch_size": 32, "epochs": 3, "steps_per_epoch": 10,
           "validation_pictures": 320},
        needs="--weights imagenet",
    ),
    **{f"cifar-resnet{n}": _cifar(f"cifar_resnet{n}", source=_HE_2015) for n in (20, 32, 44, 56, 110)},
    **{f"cifar-preresnet{n}": _cifar(f"cifar_preresnet{n}", source=_HE_2016) for n in (110, 164, 1001)},
    **{
        f"cifar-ablation-{name}": _cifar("cifar_resnet110", *options, source=f"{_HE_2016}, tables 1 and 2")
        for name, options in _ABLATIONS.items()
    },
    "vit-finetune": Recipe(
        "ViT-B/16 from ImageNet-21k, new head", _DOSOVITSKIY, "photographs", _VIT, needs="--weights FILE --source jax"
    ),
    "vit-finetune-head": Recipe(
        "the same, but only the pre-logits and the head are trained", _DOSOVITSKIY, "photographs",
        _VIT | {"model_options": ("representation_size=768",), "tune": "last:1"}, needs="--weights FILE --source jax",
    ),
}  # fmt: skip

_FLOWER_PHOTOS = ("flowers", 1250, 250)
ATTAINED: list[tuple[str, Attained]] = [
    ("default", Attained(*_FLOWER_PHOTOS, 209, 47, "9:58", "--weights none --minutes 10")),
    ("default", Attained(*_FLOWER_PHOTOS, 190, 21, "4:28", "--weights none --minutes 4.5")),
    ("flowers-alexnet-slim", Attained(*_FLOWER_PHOTOS, 163, 10, "3:59")),
    ("flowers-alexnet", Attained(*_FLOWER_PHOTOS, 158, 10, "4:30")),
    ("flowers-leaky-resnet50", Attained(*_FLOWER_PHOTOS, 105, 2, "10:11", "--minutes 10")),
    ("flowers-googlenet", Attained(*_FLOWER_PHOTOS, 104, 4, "9:54", "--minutes 10")),
    ("flowers-vgg16", Attained(*_FLOWER_PHOTOS, 56, 2, "9:12", "--minutes 10")),
    ("signs-resnet50", Attained("hand signs 0 to 5", 991, 246, 237, 20, "8:34")),
    ("mnist-simple-cnn", Attained("MNIST", 48_000, 12_000, 11_778, 5, "3:09")),
    ("mnist-alexnet", Attained("MNIST", 54_001, 5_999, 3_797, 1, "6:57", "--size 67 --epochs 1")),
    (
        "cifar-resnet20",
        Attained(
            "CIFAR-10", 40_000, 10_000, 7_799, 14, "21:10",
            "--steps 2800 --steps-per-epoch 200 --lr-schedule steps:0=1,1400=0.1,2100=0.01",
        ),
    ),
]  # fmt: skip


def find_recipe(name: str) -> Recipe:
    """Find a recipe.

    Args:
        name: such as "cifar-resnet20".

    Returns:
        The Recipe.

    Raises:
        ConfigError: there is none of that name; close ones are told.
    """
    if name not in RECIPES:
        raise ConfigError("the name of a recipe", found=repr(name), fix=close_matches(name, RECIPES))
    return RECIPES[name]


def recipe_lines(name: str, recipe: Recipe) -> list[str]:
    """Describe a recipe as text: what it is, how to run it, every setting, and its results.

    Args:
        name: the recipe's name.
        recipe: what `find_recipe` returned for it.

    Returns:
        Lines of text.
    """
    words = f"pictaxa train DATA --recipe {name} {recipe.needs}".rstrip()
    lines = [f"what      {recipe.what}", f"from      {recipe.source}", f"for       {recipe.data}", f"run       {words}"]
    for setting, value in recipe.settings.items():
        shown = " ".join(value) if isinstance(value, tuple) else str(value)
        if shown:
            lines.append(f"          --{setting.replace('_', '-')} {shown}")
    for run in (run for whose, run in ATTAINED if whose == name):
        about = f"{run.train_pictures:,} to train, {run.epochs} epochs, {run.time} on two CPU cores"
        beside = f", with {run.beside}" if run.beside else ""
        lines.append(f"result    {run.accuracy} of {run.val_pictures:,}; {run.data}, {about}{beside}")
    return lines

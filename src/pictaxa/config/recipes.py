"""Well-known set-ups, each with every setting that it is taught with: `pictaxa train DATA --recipe NAME`.

Settings stand under the names of their flags. What none of these set-ups does, and pictaxa does by default, is turned
off in AS_TAUGHT. A flag beside --recipe wins; with another --model the recipe's options of its own model fall away, and
with that model's --weights its normalization too. attained.py has what they came to when they were run.

Each setting is the source's own, read in its code or text; comments beside them say what is easily missed there.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

from ..errors import ConfigError, close_matches
from .attained import ATTAINED

Settings = dict[str, Any]


@dataclass(frozen=True)
class Recipe:
    """A set-up in a sentence, where it comes from, what it was written for, and its settings by their flags' names."""

    what: str
    source: str
    data: str
    settings: Settings
    _: KW_ONLY
    validates: str  # which part of the data judges the epochs, and what the source does where that is something else
    needs: str = ""  # a flag that has to stand beside it, as one writes it
    reported: str = ""  # what the source says that it attains
    differs: str = ""  # what is done otherwise than there, and why


AS_TAUGHT: Settings = {
    "policy": "none", "tta": "none", "progressive_resizing": 0.0, "warmup": 0.0, "lr_schedule": "constant",
    "weight_decay": 0.0, "clip_grad_norm": None, "label_smoothing": 0.0, "ema_decay": 0.0, "best_by": "last",
    "backbone_lr_scale": 1.0, "standardise": "no", "solve_head": "no", "norm_statistics": "update",
    "view": "squash",
}  # fmt: skip
KERAS_ADAM: Settings = {"optimizer": "adam", "eps": 1e-7}
TORCH_ADAM: Settings = {"optimizer": "adam", "eps": 1e-8}  # so is that of tf.compat.v1.train
GLOROT = "first_weights=glorot"  # what Keras gives every layer
KERAS_NORMS = ("epsilon=0.001", "momentum=0.01")  # BatchNormalization() as Keras has it; its momentum is 0.99

# 224 px squashed, [0, 1], mirrored, the epoch of the least validation loss: one loop, several networks.
_FLOWERS: Settings = AS_TAUGHT | KERAS_ADAM | {
    "size": 224, "square": 224, "normalization": "0-1", "augment": ("horizontal_flip=0.5",), "lr": 5e-4,
    "batch_size": 32, "epochs": 10, "best_by": "loss",
}  # fmt: skip
_BIRDS: Settings = AS_TAUGHT | {"model": "resnet50v2", "size": 224, "square": 224, "best_by": "accuracy"}

# He et al. 2015, section 4.2, and He et al. 2016, appendix: 64,000 steps of 128, whatever the network; 45,000 pictures
# to train and 5,000 to validate.
_CIFAR: Settings = AS_TAUGHT | {
    "size": 32, "augment": ("pad=4", "horizontal_flip=0.5"), "optimizer": "sgd", "momentum": 0.9, "nesterov": "no",
    "lr": 0.1, "weight_decay": 1e-4, "batch_size": 128, "steps": 64_000, "fold": "1/10",
    "lr_schedule": "steps:0=1,32000=0.1,48000=0.01",
}  # fmt: skip
_DEEP = {"lr_schedule": "steps:0=0.1,400=1,32000=0.1,48000=0.01"}  # 0.01 at first: 110 layers don't start at 0.1

_TENSORFLOW = "TensorFlow's quick-start for experts"
_KERAS_CLASSICS = "widely taught Keras versions of the classics, on the flower photographs"
_HE_2015 = "He et al. 2015, Deep residual learning, section 4.2"
_HE_2016 = "He et al. 2016, Identity mappings in deep residual networks"

_VAL = "val/, which the tutorial's script makes of the pictures; a fifth of them where there is no val/"
_TENTH = "a tenth of the training pictures, as in the paper (45,000 + 5,000); pictaxa evaluate judges those for testing"


def _flowers(network: str, model: str, **changes: Any) -> Recipe:
    settings = _FLOWERS | {"model": model} | changes
    return Recipe(f"{network}, from scratch", _KERAS_CLASSICS, "flowers", settings, validates=_VAL)


def _cifar(model: str, *options: str, source: str, error: float | None = None) -> Recipe:
    deep = {} if int("".join(c for c in model if c.isdecimal())) < 110 else _DEEP
    told = f" with {', '.join(options)}" if options else ""
    settings = _CIFAR | deep | {"model": model, "model_options": options}
    reported = "it does not learn (more than 20% wrong)" if error is None else f"{100 - error:.2f}% of the 10,000 test"
    return Recipe(f"{model}{told}", source, "cifar10", settings, validates=_TENTH, reported=reported)


# Test errors, percent: table 6 of the first paper (the best of five runs for 110), tables 2 and 3 of the second.
_CIFAR_ERRORS = {
    "cifar_resnet20": 8.75, "cifar_resnet32": 7.51, "cifar_resnet44": 7.17, "cifar_resnet56": 6.97,
    "cifar_resnet110": 6.43, "cifar_preresnet110": 6.37, "cifar_preresnet164": 5.46, "cifar_preresnet1001": 4.92,
}  # fmt: skip

# Dosovitskiy et al. 2020, appendix B.1.1, with a batch and a length for few pictures.
_VIT: Settings = AS_TAUGHT | {
    "model": "vit_b_16", "size": 224, "optimizer": "sgd", "momentum": 0.9, "nesterov": "no", "lr": 0.003,
    "clip_grad_norm": 1.0, "batch_size": 32, "epochs": 5, "lr_schedule": "cosine", "warmup": 0.1, "best_by": "accuracy",
}  # fmt: skip
_DOSOVITSKIY = "Dosovitskiy et al. 2020, An image is worth 16x16 words, section 4.1 and appendix B.1.1"
_VIT_DIFFERS = "a batch of 32 and 5 epochs, where the paper has 512 and 500 steps and more: photographs are few"
_FIFTH = "a fifth of the pictures, or the data set's own val/"

# Names of the second paper's experiments, the options that make them of a network, and its test error (tables 1 and
# 2, ResNet-110); None: it does not learn.
_ABLATIONS: dict[str, tuple[tuple[str, ...], float | None]] = {
    "original": ((), 6.61),
    "constant-half": (("shortcut=constant",), 12.35),
    "constant-0-1": (("shortcut=constant", "shortcut_scale=0.0", "residual_scale=1.0"), None),
    "constant-half-1": (("shortcut=constant", "residual_scale=1.0"), None),
    "exclusive-gating-6": (("shortcut=exclusive_gating", "gate_bias=-6.0"), 8.70),
    "exclusive-gating-7": (("shortcut=exclusive_gating", "gate_bias=-7.0"), 9.81),
    "shortcut-only-gating-0": (("shortcut=shortcut_only_gating", "gate_bias=0.0"), 12.86),
    "shortcut-only-gating-6": (("shortcut=shortcut_only_gating", "gate_bias=-6.0"), 6.91),
    "conv1x1": (("shortcut=conv1x1",), 12.22),
    "dropout": (("shortcut=dropout",), None),
    "bn-after-addition": (("order=bn_after_addition",), 8.17),
    "relu-before-addition": (("order=relu_before_addition",), 7.84),
    "relu-only-preact": (("order=relu_only_preact",), 6.71),
    "full-preact": (("order=full_preact",), 6.37),
}

RECIPES: dict[str, Recipe] = {
    "default": Recipe(
        "what pictaxa train does without a recipe", "ours; docs/measured.md", "photographs", {}, validates=_FIFTH
    ),
    "mnist-simple-cnn": Recipe(
        "one convolution and two dense layers", _TENSORFLOW, "mnist",
        AS_TAUGHT | KERAS_ADAM
        | {"model": "simple_cnn", "size": 28, "normalization": "0-1", "lr": 1e-3, "batch_size": 32, "epochs": 5},
        validates="a fifth of the training pictures; the tutorial judges each epoch on the 10,000 test pictures, which "
        "here stay unseen for pictaxa evaluate",
    ),
    # Pixels are never divided; 256 of MNIST's pictures are drawn, and validation_split takes a tenth of them.
    # Such pixels make logits that bfloat16 soon can't hold.
    "mnist-alexnet": Recipe(
        "AlexNet on 256 digits of 28 px, on a black 227 px square", "a widely taught Keras exercise", "mnist",
        AS_TAUGHT
        | {"model": "alexnet", "model_options": (GLOROT,), "channels": "1", "size": 227, "view": "fit",
           "normalization": "0-255", "pictures": 256, "optimizer": "sgd", "momentum": 0.0, "lr": 0.01,
           "batch_size": 128, "epochs": 3, "fold": "1/10", "precision": "float32"},
        validates="a tenth of the 256 pictures; the exercise's 128 test pictures are for pictaxa evaluate RUN DATA "
        "--split test --pictures 128",
        differs="pictures are drawn once each and by class in proportion; the exercise may draw one twice",
    ),
    # Its Adam is that of tf.compat.v1.train, with epsilon 1e-8. OpenCV's pictures are BGR: from nothing it's the same.
    "flowers-leaky-resnet50": Recipe(
        "the Keras exercise's ResNet-50 with leaky ReLU, pixels from 0 to 255", _KERAS_CLASSICS, "flowers",
        AS_TAUGHT | TORCH_ADAM
        | {"model": "resnet50_course_leaky", "size": 128, "square": 128, "normalization": "0-255", "lr": 1e-4,
           "batch_size": 256, "epochs": 30, "steps_per_epoch": 100},
        validates="a fifth of the pictures; the exercise trains on all of them",
        reported="15 of 16 pictures of its author's",
    ),
    "flowers-alexnet": _flowers("half-width AlexNet", "alexnet_half", model_options=(GLOROT,)),
    "flowers-alexnet-slim": _flowers(
        "the same with dense layers of 1024 and 128", "alexnet_half_slim", model_options=(GLOROT,)
    ),
    "flowers-vgg16": _flowers(
        "VGG-16", "vgg16", lr=1e-4, model_options=("first_weights=fan_out", "dropout_first=true")
    ),
    "flowers-googlenet": _flowers("GoogLeNet, its auxiliary heads at 0.3", "googlenet"),
    # The generator mirrors the training pictures, so the frozen network sees them anew in every epoch.
    "flowers-resnet50-transfer": Recipe(
        "a new head with 1024 units on a frozen ResNet-50", _KERAS_CLASSICS, "flowers",
        AS_TAUGHT | KERAS_ADAM
        | {"model": "resnet50", "model_options": ("padding=same",), "size": 224, "square": 224,
           "normalization": "rgb-mean", "augment": ("horizontal_flip=0.5",), "tune": "head", "feature_views": 0,
           "head": "dropout:0.5,1024,dropout:0.5", "lr": 2e-4, "batch_size": 16, "epochs": 20, "best_by": "accuracy"},
        validates=_VAL, needs="--weights FILE --source keras",
        differs="its TensorFlow checkpoint is not read: FILE is a Keras file of the same network and weights",
    ),
    # Nothing divides the pixels of image_dataset_from_directory; every BatchNormalization() has Keras' defaults.
    "birds-resnet50v2": Recipe(
        "Keras' ResNet50V2 from scratch, pixels from 0 to 255", "a widely taught Keras exercise", "birds",
        _BIRDS | KERAS_ADAM
        | {"model_options": (*KERAS_NORMS, GLOROT), "normalization": "0-255", "lr": 1e-3, "batch_size": 8,
           "epochs": 10},
        validates="a fifth of the pictures, as the exercise", reported="80.5% of 113",
        differs="as many outputs as classes; the exercise leaves 1,000",
    ),
    # Its blocks have no biases, layers begin as torch leaves them, and the call that would lower the rate is a comment.
    "birds-resnet50v2-torch": Recipe(
        "the same as PyTorch exercises have it", "a widely taught PyTorch exercise", "birds",
        _BIRDS | TORCH_ADAM
        | {"model_options": ("epsilon=1e-5", "momentum=0.1", "bias=false", "pool_pads=lowest", "first_weights=torch"),
           "normalization": "imagenet", "lr": 1e-4, "batch_size": 32, "epochs": 30},
        validates="a fifth of the pictures, as the exercise", reported="90.3% of 113",
        differs="as many outputs as classes; the exercise leaves 1,000",
    ),
    "signs-resnet50": Recipe(
        "the Keras exercise's ResNet-50", "a widely taught Keras exercise", "signs",
        AS_TAUGHT | KERAS_ADAM
        | {"model": "resnet50_course", "only": ("0", "1", "2", "3", "4", "5"), "size": 64, "square": 64,
           "normalization": "0-1", "lr": 1e-3, "batch_size": 32, "epochs": 20},
        validates="a fifth of the training pictures; the exercise judges its 120 test pictures once, at the end",
        reported="89.2% of 120",
        differs="batch norm validates with its running statistics; the exercise leaves Keras in its learning phase",
    ),
    "hotdog-frozen-resnet50": Recipe(
        "two classes from the 1,000 probabilities of a whole, frozen ResNet-50", "a widely taught Keras exercise",
        "hot dogs and others",
        AS_TAUGHT | KERAS_ADAM
        | {"model": "resnet50_v1", "size": 224, "square": 224, "tune": "head", "head": "outputs:1000",
           "feature_views": 0, "lr": 1e-3, "batch_size": 32, "epochs": 3, "steps_per_epoch": 10,
           "validation_pictures": 320},
        validates="a fifth of train/, of which 320 pictures at most; the exercise takes its test/, and what epochs are "
        "judged by can't judge the result: here test/ stays unseen for pictaxa evaluate",
        needs="--weights imagenet",
        differs="pixels as the weights know them; the exercise divides them by 255, which contradicts these weights",
    ),
    **{
        f"cifar-resnet{n}": _cifar(f"cifar_resnet{n}", source=_HE_2015, error=_CIFAR_ERRORS[f"cifar_resnet{n}"])
        for n in (20, 32, 44, 56, 110)
    },
    **{
        f"cifar-preresnet{n}": _cifar(
            f"cifar_preresnet{n}", source=_HE_2016, error=_CIFAR_ERRORS[f"cifar_preresnet{n}"]
        )
        for n in (110, 164, 1001)
    },
    **{
        f"cifar-ablation-{name}": _cifar(
            "cifar_resnet110", *options, source=f"{_HE_2016}, tables 1 and 2", error=error
        )
        for name, (options, error) in _ABLATIONS.items()
    },
    "vit-finetune": Recipe(
        "ViT-B/16 from ImageNet-21k, new head", _DOSOVITSKIY, "photographs", _VIT, validates=_FIFTH,
        needs="--weights FILE --source jax", differs=_VIT_DIFFERS,
    ),
    "vit-finetune-head": Recipe(
        "the same, but only the pre-logits and the head are trained", _DOSOVITSKIY, "photographs",
        _VIT | {"model_options": ("representation_size=768",), "tune": "last:1"}, validates=_FIFTH,
        needs="--weights FILE --source jax", differs=_VIT_DIFFERS,
    ),
}  # fmt: skip


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
    lines.append(f"validates {recipe.validates}")
    lines += [f"differs   {recipe.differs}"] if recipe.differs else []
    lines += [f"reported  {recipe.reported}"] if recipe.reported else []
    for run in (run for whose, run in ATTAINED if whose == name):
        cores = "two CPU cores" if run.cores == 2 else "one CPU core"
        about = f"{run.train_pictures:,} to train, {run.epochs} epochs, {run.time} on {cores}"
        beside = f", with {run.beside}" if run.beside else ""
        lines.append(f"result    {run.accuracy} of {run.val_pictures:,}; {run.data}, {about}{beside}")
    return lines

"""Functions for networks: look, load_weights."""

from __future__ import annotations

from collections.abc import Sequence

from ..config.calls import given_path, says_what_it_takes
from ..config.learning import Normalization, Source
from ..explaining.look import Look, look_at
from ..explaining.subject import EntryWeights, find_subject
from ..inference.loading import checked_weights
from ..inference.predictor import Predictor
from ..models.contract import Classifier
from ..weights import loading
from ..weights.translated import Translated
from .given import Place, run_of


@says_what_it_takes
def look(
    model: Place | Predictor,
    picture: Place | None = None,
    out: Place = "look.png",
    *,
    show: Sequence[str] = (),
    weights: Place | None = None,
    source: Source = "pictaxa",
    normalization: Normalization | None = None,
    model_options: Sequence[str] = (),
    size: int | None = None,
    cache: Place | None = None,
) -> Look:
    """Draw what a network looks with and what it sees, as `pictaxa look` does.

    Args:
        model: folder of a trained run, what `train` and `load` return, or the name of an entry of the zoo.
        picture: a picture; by default a validation picture of the run. Of an entry without one only what needs none is
            drawn.
        out: the PNG or SVG to write, or a page that ends in .html.
        show: what to draw, of "kernels" (of the first layer), "features" (maps after each stage), "channels" (what of a
            run's validation pictures excites them most), "attention" (of each head), "positions" (similarity of their
            embeddings), "field" (what the middle unit of each stage sees) and "augmentation" (of the picture); by
            default all that the network has.
        weights: of an entry, "imagenet", a checkpoint or "none"; by default published ones if they are installed.
        source: library of a checkpoint, as `load_weights` takes it.
        normalization: of a checkpoint, as `load_weights` takes it.
        model_options: the entry's own options, such as ["padding=same"].
        size: side of the network's input, pixels; by default that of the run or the entry.
        cache: folder for published weights.

    Returns:
        A Look, with the path of the file and what is in it.

    Raises:
        SettingError: an argument is unknown or of another type; it is a TypeError too.
        ModelError: there is neither such a run nor such an entry.
        ConfigError: what is to be drawn is unknown, needs a picture, or is not in this network.
        RunError, WeightsError, FetchError, PictureError: the weights or the picture can't be read.

    Example:
        pictaxa.look("efficientnet_lite0", "photo.jpg", show=["kernels", "features"])
    """
    name = (
        str(run_of(model, "model")) if isinstance(model, Predictor) else str(given_path(model, "model", what="a run"))
    )
    chosen = EntryWeights(
        file=None if weights is None else given_path(weights, "weights", what="weights"), source=source,
        normalization=normalization, options=tuple(model_options),
        cache=None if cache is None else given_path(cache, "cache", what="a folder"),
    )  # fmt: skip
    shown = None if picture is None else given_path(picture, "picture", what="a picture")
    subject = find_subject(name, shown, weights=chosen, size=size)
    return look_at(subject, given_path(out, "out", what="a PNG, SVG or HTML file to write"), show=tuple(show))


@says_what_it_takes
def load_weights(
    model: Classifier,
    file: Place,
    *,
    source: Source,
    normalization: Normalization | None = None,
    prefix: str = "",
) -> Translated:
    """Fill a model of the zoo with the weights of a checkpoint, completely or not at all.

    A head for other classes is dropped, and the model keeps its own new head.

    Args:
        model: an entry of the zoo, from `create_model`; filled in place.
        file: the checkpoint, or the folder of an earlier run.
        source: the library that the file comes from: "pictaxa", "torchvision", "timm", "keras", "jax" or
            "efficientnet_pytorch". It is never guessed.
        normalization: the input normalization of the weights, "0-1", "0-255", "-1-1", "caffe", "rgb-mean", "imagenet"
            or "lite" (see NORMALIZATIONS in models/contract.py); it becomes the model's. A Keras file needs it; for the
            others it is known.
        prefix: what the names of the intended network begin with, if the file has several that fit (`teacher.`).

    Returns:
        A Translated: what was loaded, dropped, adapted or left new; its `lines()` report it as text.

    Raises:
        WeightsError: the file is missing, damaged, or does not fit the model, which is then unchanged.
        ConfigError: `source` or `normalization` is unknown, the weights are known to be fed otherwise, or a Keras file
            comes without a normalization.
        RunError: `file` is a folder without the weights of a run.
        MissingExtraError: a Keras file, without the `keras` extra.

    Example:
        model = pictaxa.create_model("resnet50", 5)
        print(pictaxa.load_weights(model, "resnet50.pth", source="torchvision").lines())
    """
    weights = checked_weights(given_path(file, "file", what="a checkpoint or a run folder"))
    return loading.load_weights(model, weights, source=source, normalization=normalization, prefix=prefix)

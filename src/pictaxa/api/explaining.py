"""Functions that show why: explain, nearest, picture_map."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..config.calls import given_path, says_what_it_takes
from ..explaining.checking import Checked, check_method
from ..explaining.methods import DEFAULT, MethodName
from ..explaining.nearest import NearestGrid, NearestList, find_nearest
from ..explaining.picture_map import draw_map
from ..explaining.pictures import Asked, Explanation, ExplanationList, explain_pictures
from ..explaining.sheet import draw_all
from ..inference import loading
from ..inference.inputs import Given, given_pictures
from ..inference.predictor import Predictor, tell_nobody
from ..judge.asked import answering_of
from ..reporting.preview import Preview
from .given import Place, device_of, run_of


@says_what_it_takes
def explain(
    run: Place | Predictor,
    pictures: Given | Iterable[Given],
    out: Place | None = None,
    *,
    classes: Sequence[str] = (),
    top: int = 1,
    method: MethodName = DEFAULT,
    device: str = "auto",
) -> ExplanationList:
    """Show what in pictures speaks for a run's answers, as `pictaxa explain` does.

    Args:
        run: folder of a trained run, or what `train` and `load` return.
        pictures: as `predict` takes them.
        out: a folder to draw a PNG of each picture into, or a .png file for all of them; None for no drawing.
        classes: names of classes to explain; by default the most probable ones.
        top: how many of the most probable ones, from 1 on.
        method: "grad-cam", "grad-cam++", "score-cam", "eigen-cam", "integrated-gradients", "occlusion" or
            "attention-rollout".
        device: as `load` takes it.

    Returns:
        An Explanation for each picture, in order: `.prediction`, and `.heats` with `values` over the network's input,
        `on_picture(width, height)` and `where` the heat is.

    Raises:
        SettingError: an argument is unknown or of another type, or no picture; it is a TypeError too.
        ConfigError: the run has no such class, the method is unknown or not for this network, or `out` can't be
            written.
        MissingExtraError: the method needs captum, which is not installed.
        RunError, DataError: as `predict`.

    Example:
        (explanation,) = pictaxa.explain("runs/photos-resnet18-1", "holiday.jpg", "why.png", top=2)
        print(explanation.heats[0].label, explanation.heats[0].where)
    """
    asked = Asked(tuple(classes), top, method)
    classifier = _answering(run, device)
    found: Iterable[Explanation] = explain_pictures(
        classifier, given_pictures(pictures, decoding=classifier.geometry.decoding), asked
    )
    if out is None:
        return ExplanationList(found)
    explained, drawn = ExplanationList(), []
    for explanation, path in draw_all(found, given_path(out, "out", what="a folder, or a PNG")):
        explained.append(explanation)
        if path is not None and path not in drawn:
            drawn.append(path)
    explained.drawn = tuple(drawn)
    return explained


@says_what_it_takes
def check_explanations(
    run: Place | Predictor, *, method: MethodName = DEFAULT, pictures: int = 32, seed: int = 0, device: str = "auto"
) -> Checked:
    """Check how well a method shows what a run goes by, as `pictaxa explain --check` does.

    Args:
        run: folder of a trained run, or what `train` and `load` return.
        method: as `explain` takes it.
        pictures: how many validation pictures, drawn at random.
        seed: decides which.
        device: as `load` takes it.

    Returns:
        A Checked: deletion and insertion areas against cells in random order and from the middle outwards.

    Raises:
        SettingError: an argument is unknown or of another type; it is a TypeError too.
        RunError: `run` is not a run folder, or has not been validated.
        ConfigError: fewer than two validation pictures can be read, or the method is unknown.

    Example:
        checked = pictaxa.check_explanations("runs/photos-resnet18-1")
        print(checked.orders[0].deletion_ratio)
    """
    Asked(method=method)
    classifier = _answering(run, device)
    return check_method(classifier, method, pictures=pictures, seed=seed)


@says_what_it_takes
def nearest(
    run: Place | Predictor,
    pictures: Given | Iterable[Given],
    *,
    count: int = 5,
    grid: Place | None = None,
    device: str = "auto",
) -> NearestList:
    """Find the training pictures that are most like others, as `pictaxa nearest` does.

    Args:
        run: folder of a trained run, or what `train` and `load` return.
        pictures: as `predict` takes them.
        count: how many training pictures for each, from 1 on.
        grid: a PNG to write: the first pictures, each beside those that are most like it.
        device: as `load` takes it.

    Returns:
        What is nearest to each picture, in order: its `prediction`, and `neighbours` with path, label and similarity.

    Raises:
        SettingError: an argument is unknown or of another type, or no picture; it is a TypeError too.
        ConfigError: `count` is below 1, or the PNG can't be written.
        RunError, DataError: as `predict`; also where the run keeps no vectors and its training pictures are gone.

    Example:
        for one in pictaxa.nearest("runs/photos-resnet18-1", "holiday.jpg")[0].neighbours:
            print(one.similarity, one.label, one.path)
    """
    classifier = _answering(run, device)
    drawn = None if grid is None else NearestGrid(classifier, given_path(grid, "grid", what="a PNG"))
    named = given_pictures(pictures, decoding=classifier.geometry.decoding)
    found = NearestList()
    look = tell_nobody if drawn is None else drawn.look
    for one in find_nearest(classifier, named, count=count, look=look):
        found.append(one)
        if drawn is not None:
            drawn.write(one)
    if drawn is not None:
        drawn.draw()
        found.grid = drawn.out
    return found


@says_what_it_takes
def picture_map(run: Place | Predictor, out: Place = "map.png", *, device: str = "auto") -> Preview:
    """Draw the validation pictures of a run, those that are alike near each other, as `pictaxa nearest --map` does.

    Args:
        run: folder of a trained run, or what `train` and `load` return.
        out: the PNG to write.
        device: as `load` takes it.

    Returns:
        A Preview with the path; a notebook shows it.

    Raises:
        ConfigError: the PNG can't be written.
        RunError, DataError: the run is damaged, or keeps no vectors and its pictures are gone.

    Example:
        pictaxa.picture_map("runs/photos-resnet18-1", "map.png")
    """
    path = given_path(out, "out", what="a PNG")
    draw_map(_answering(run, device), path)
    return Preview(path)


def _answering(run: Place | Predictor, device: str) -> Predictor:
    if isinstance(run, Predictor):
        return run
    path = run_of(run)
    return loading.load(path, device=device_of(device), answering=answering_of(path))

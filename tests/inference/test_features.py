from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import pictaxa
from pictaxa.augment.augmenter import Augmenter
from pictaxa.augment.policy import find_policy
from pictaxa.cli.main import main
from pictaxa.config.by_name import with_words
from pictaxa.config.learning import TransferConfig
from pictaxa.config.training import TrainConfig
from pictaxa.data.batches import Batch, read_batches
from pictaxa.inference import features
from pictaxa.inference.features import FeaturePass, FeatureSource, extract_features, without_head
from pictaxa.inference.logits import BATCH
from pictaxa.models.contract import Classifier
from pictaxa.models.heads import dropout_before, first_layer
from pictaxa.models.zoo import create_model
from pictaxa.runs.folder import Run, open_run
from pictaxa.runs.places import create_run
from pictaxa.training import loop
from pictaxa.training.checkpoint import Counters
from pictaxa.training.learner import (
    VECTOR_LENGTH,
    VectorHead,
    drop_,
    prediction_passes,
    standardise,
    train_passes,
)
from pictaxa.training.logistic import BLOCK
from pictaxa.training.setup import decode, prepare, setup

Make = Callable[..., Path]
TINY = ("--size", "32", "--batch-size", "8", "--precision", "float32")
BY_GRADIENT = ("--solve-head", "no")


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures went through the backbone, a number for each batch."""
    seen: list[int] = []

    def counted(*arguments: object, **named: object) -> Iterator[Batch]:
        for batch in read_batches(*arguments, **named):
            yield batch
            seen.append(len(batch.rows))  # its vectors are kept when the next one is asked for

    monkeypatch.setattr(features, "read_batches", counted)
    return seen


def train(data: Path, backbone: Path, out: Path, *words: str) -> Run:
    """A training of the head on a backbone."""
    assert (
        main(["train", str(data), "--weights", str(backbone), "--tune", "head", "--out", str(out), *TINY, *words]) == 0
    )
    return open_run(out)


@pytest.mark.parametrize(("policy", "views"), [("mirror", 2), ("none", 1)])
def test_twenty_epochs_cost_one_pass(
    data: Path, backbone: Path, tmp_path: Path, passes: list[int], policy: str, views: int
):
    """By gradient: each goes through the backbone once, those that judge mirrored too; a second training needs none."""
    run = train(data, backbone, tmp_path / "run", *BY_GRADIENT, "--policy", policy)
    assert sum(passes) == 64 + 16 * views
    rows = run.log_rows()
    assert len(rows) == 20 and float(rows[-1]["val_accuracy"]) >= 0.9
    train(data, backbone, tmp_path / "again", *BY_GRADIENT, "--policy", policy, "--lr", "0.01")
    assert sum(passes) == 64 + 16 * views


@pytest.mark.parametrize(("policy", "mirrors"), [("mirror", True), ("none", False)])
def test_a_solved_head_costs_one_pass(
    data: Path, backbone: Path, tmp_path: Path, passes: list[int], policy: str, mirrors: bool
):
    """A training picture goes through the backbone once, whatever prediction averages; another head needs no pass."""
    run = train(data, backbone, tmp_path / "run", "--policy", policy)
    assert sum(passes) == run.config["chosen"]["train_pictures"] == 64 and (run.geometry.tta == "flip") == mirrors
    train(data, backbone, tmp_path / "again", "--policy", policy, "--label-smoothing", "0.1")
    assert sum(passes) == 64


def test_views_are_passes(data: Path, backbone: Path, tmp_path: Path, passes: list[int]):
    """K views are K passes over the training pictures; by gradient validation ones are looked at as prediction does."""
    words = ("--feature-views", "3", "--epochs", "2")
    run = train(data, backbone, tmp_path / "solved", *words)
    val = run.config["chosen"]["val_pictures"]
    assert run.geometry.tta == "flip" and sum(passes) == 3 * (80 - val)
    train(data, backbone, tmp_path / "run", *words, *BY_GRADIENT)
    assert sum(passes) == 3 * (80 - val) + 2 * val


def test_other_weights_are_another_cache(data: Path, backbone: Path, tmp_path: Path, passes: list[int]):
    """The name holds the backbone's weights and the pictures' bytes: with others, vectors are computed anew."""
    words = (*BY_GRADIENT, "--policy", "none", "--epochs", "1")
    train(data, backbone, tmp_path / "one", *words)
    other = tmp_path / "other"
    assert main(["train", str(data), "--model", "resnet_lite", "--out", str(other), "--epochs", "1", *TINY]) == 0
    train(data, other, tmp_path / "two", *words)
    assert sum(passes) == 160
    (data / "w" / "0.png").write_bytes((data / "x" / "0.png").read_bytes())
    train(data, backbone, tmp_path / "three", *words)
    assert sum(passes) > 200


def test_other_options_are_another_cache():
    """The same weights pad otherwise with another option: their digests differ, those of equal models don't."""
    models = [create_model("resnet18", 3, padding=padding) for padding in ("symmetric", "same", "same")]
    for model in models[1:]:
        model.load_state_dict(models[0].state_dict())
    digests = [features._digest_of(model) for model in models]
    assert digests[0] != digests[1] == digests[2]


def test_the_kept_model_says_what_validation_said(data: Path, backbone: Path, tmp_path: Path):
    """The head is put back onto the backbone: prediction from files gives the logits that were validated."""
    run = train(data, backbone, tmp_path / "run", "--epochs", "3")
    squares, aspects, logits = run.probe()
    predictor = pictaxa.load(run.path)
    assert np.allclose(predictor.logits(squares, aspects), logits, atol=1e-4)


@pytest.mark.parametrize(("how", "pictures"), [((), 64), (BY_GRADIENT, 80)], ids=["solved", "by-gradient"])
def test_a_killed_pass_goes_on(
    data: Path, backbone: Path, tmp_path: Path, passes: list[int], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], how: tuple[str, ...], pictures: int,
):  # fmt: skip
    """Ctrl-C in the middle of the pass keeps what is computed, and --resume computes only the rest."""
    counted = features.read_batches

    def stop(*arguments: object, **named: object) -> Iterator[Batch]:
        for batch in counted(*arguments, **named):
            if sum(passes) >= 32:
                raise KeyboardInterrupt
            yield batch

    monkeypatch.setattr(features, "read_batches", stop)
    how = (*how, "--policy", "none", "--epochs", "4")
    words = ["--weights", str(backbone), "--tune", "head", *how, *TINY]
    assert main(["train", str(data), "--out", str(tmp_path / "cut"), *words]) == 130
    assert f"--resume {tmp_path / 'cut'}" in capsys.readouterr().out
    monkeypatch.setattr(features, "read_batches", counted)
    assert main(["train", "--resume", str(tmp_path / "cut")]) == 0
    assert sum(passes) == pictures
    whole = train(data, backbone, tmp_path / "whole", *how)
    assert sum(passes) == pictures
    cut = load_file(open_run(tmp_path / "cut").model_path)
    assert all(cut[name].equal(value) for name, value in load_file(whole.model_path).items())


def test_a_killed_training_of_the_head_is_exact(
    data: Path, backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Stopped where the third epoch begins and resumed, even without the file it started from: bitwise the weights."""
    whole = train(data, backbone, tmp_path / "whole", *BY_GRADIENT, "--epochs", "4")
    copy = tmp_path / "backbone.safetensors"
    copy.write_bytes((backbone / "model.safetensors").read_bytes())
    begin, begun = Counters.start_epoch, []

    def stop(counters: Counters) -> None:
        begin(counters)
        begun.append(1)
        if len(begun) == 2:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Counters, "start_epoch", stop)
    words = ["--weights", str(copy), "--model", "resnet_lite", "--tune", "head", *BY_GRADIENT, "--epochs", "4", *TINY]
    assert main(["train", str(data), "--out", str(tmp_path / "cut"), *words]) == 130
    monkeypatch.undo()
    copy.unlink()
    monkeypatch.setenv("PICTAXA_CACHE", str(tmp_path / "new-cache"))
    assert main(["train", "--resume", str(tmp_path / "cut")]) == 0
    cut = load_file(open_run(tmp_path / "cut").model_path)
    assert all(cut[name].equal(value) for name, value in load_file(whole.model_path).items())


def test_hidden_layers(data: Path, backbone: Path, tmp_path: Path):
    """--head puts layers before the classes; the run knows, so that prediction and further trainings do too."""
    run = train(data, backbone, tmp_path / "run", "--head", "24,dropout:0.5", "--epochs", "5")
    assert "head=24,dropout:0.5" in run.config["chosen"]["model_options"]
    assert load_file(run.model_path)["fc.0.weight"].shape[0] == 24
    assert pictaxa.load(run.path).predict(data / "w" / "0.png")[0].probabilities is not None
    again = train(data, run.path, tmp_path / "again", *BY_GRADIENT, "--epochs", "1", "--lr", "1e-9", "--ema-decay", "0")
    before, after = (load_file(path) for path in (run.model_path, again.model_path))
    assert all(torch.allclose(after[name], value, atol=1e-4) for name, value in before.items())


@pytest.mark.parametrize("views", ["1", "0"])
def test_the_outputs_of_the_weights_may_stay(data: Path, backbone: Path, tmp_path: Path, views: str):
    """--head outputs:2 learns from the backbone's two probabilities; its layer for them stays, bit for bit."""
    words = ["--head", "outputs:2", "--feature-views", views, "--epochs", "3", "--standardise", "no"]
    run = train(data, backbone, tmp_path / "run", *words)
    before, after = load_file(backbone / "model.safetensors"), load_file(run.model_path)
    assert all(after[name.replace("fc.", "fc.outputs.")].equal(value) for name, value in before.items())
    assert after.keys() - {name.replace("fc.", "fc.outputs.") for name in before} == {"fc.head.weight", "fc.head.bias"}
    two, four = create_model("resnet_lite", 2).eval(), create_model("resnet_lite", 4, head="outputs:2").eval()
    two.load_state_dict(before)
    four.load_state_dict(after)
    images = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        wanted = torch.softmax(two(images), dim=1) @ after["fc.head.weight"].T + after["fc.head.bias"]
        assert torch.allclose(four(images), wanted, atol=1e-5)
    again = train(data, run.path, tmp_path / "again", *BY_GRADIENT, "--epochs", "1", "--lr", "1e-9", "--ema-decay", "0")
    assert torch.allclose(load_file(again.model_path)["fc.head.weight"], after["fc.head.weight"], atol=1e-4)
    deeper = train(data, backbone, tmp_path / "deeper", "--head", "outputs:2,8", "--epochs", "1")
    assert load_file(deeper.model_path)["fc.head.0.weight"].shape == (8, 2)


def test_vectors_may_stay_as_they_are(data: Path, backbone: Path, tmp_path: Path):
    """--standardise no: other vectors are learnt from, and a head given them and taken back is the same to the bit."""
    words = [*BY_GRADIENT, "--epochs", "2", "--ema-decay", "0"]
    as_are, usual = (train(data, backbone, tmp_path / s, *words, "--standardise", s) for s in ("no", "yes"))
    assert not load_file(as_are.model_path)["fc.weight"].equal(load_file(usual.model_path)["fc.weight"])
    mean, scale = np.zeros(5, np.float32), np.ones(5, np.float32)
    head = torch.nn.Linear(5, 2)
    assert all(
        ours.equal(theirs)
        for ours, theirs in zip(
            VectorHead(head, mean=mean, scale=scale, dropout=0).plain().parameters(),
            head.parameters(), strict=True,
        )
    )  # fmt: skip


def test_a_head_on_vectors_is_the_head(backbone: Path):
    """VectorHead gives a head's logits whatever the mean and the scale, and gives that head back."""
    torch.manual_seed(0)
    for options in ({}, {"head": "16"}):
        model = create_model("resnet_lite", 3, **options).eval()
        head = model.get_submodule(model.main_head())
        vectors = torch.randn(8, first_layer(head).in_features) * 3 + 1
        mean, scale = standardise(vectors.numpy())
        moved = VectorHead(head, mean=mean, scale=scale, dropout=0.5).eval()
        assert torch.allclose(moved(vectors), head(vectors), atol=1e-4)
        assert torch.allclose(moved.plain()(vectors), head(vectors), atol=1e-4)


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.5, 0.9])
def test_dropout_leaves_out_its_rate_of_every_vector(rate: float):
    """As many as asked for to 1/256, anywhere, the rest larger by that much; the same again after the same seed."""
    torch.manual_seed(0)
    dropped = drop_(torch.ones(1000, 61), rate)
    kept = dropped[dropped > 0]
    assert kept.unique().numel() == 1 and abs(1 / kept[0].item() - (1 - rate)) <= 1 / 512
    shares = (dropped == 0).float()
    assert abs(shares.mean().item() - rate) < 0.005 + 1 / 512
    # A share of 1,000 draws strays by 0.016 at most, in 61 places 3.5 of these are rare.
    assert (shares.mean(dim=0) - rate).abs().max() < 3.5 * 0.016 + 1 / 512
    assert dropped.mean().item() == pytest.approx(1, abs=0.04)
    torch.manual_seed(0)
    assert drop_(torch.ones(1000, 61), rate).equal(dropped)
    assert not drop_(torch.ones(1000, 61), rate).equal(dropped)


def test_dropout_of_nearly_everything_stays_finite():
    """A rate that rounds to all of it leaves one value in 256."""
    assert drop_(torch.ones(1000, 61), 0.9999).isfinite().all()


def test_vectors_get_one_length():
    """Mean zero, one root mean square length, and what hardly varies stays small."""
    vectors = np.random.default_rng(0).normal(5, 3, (200, 64)).astype(np.float32)
    vectors[:, 7] = 2 + 1e-6 * vectors[:, 7]
    mean, scale = standardise(vectors)
    moved = (vectors - mean) * scale
    assert np.abs(moved.mean(axis=0)).max() < 1e-4
    assert np.sqrt((moved**2).sum(axis=1).mean()) == pytest.approx(VECTOR_LENGTH, rel=0.02)
    assert np.abs(moved[:, 7]).max() < 1e-3


@pytest.mark.parametrize(("name", "rate"), [("vgg11", 0.5), ("resnet18", 0.0), ("mobilenet_v2", 0.2), ("lenet5", 0.0)])
def test_dropout_before_the_head_is_found(name: str, rate: float):
    """The rate of the dropout whose result the last layer takes, wherever the family has it."""
    with torch.device("meta"):
        model = create_model(name, 4)
    assert dropout_before(model, size=32) == rate


def test_vectors_are_gone_through_in_blocks():
    """Mean and deviation of more vectors than a block has are those of all of them."""
    vectors = np.random.default_rng(0).normal(5, 3, (2 * BLOCK + 5, 3)).astype(np.float32)
    mean, scale = standardise(vectors)
    assert np.allclose(mean, vectors.mean(axis=0, dtype=np.float64), atol=1e-6)
    assert np.allclose(scale, VECTOR_LENGTH / np.sqrt(3) / vectors.std(axis=0, dtype=np.float64), rtol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_vectors_are_the_same_in_every_split(tmp_path: Path, make_photos: Make, precision: str):
    """The same pictures in train/ and in val/, in another order: their vectors are equal to the last bit.

    Also those of a last batch of few, or of a single picture, for which oneDNN has other kernels.
    """
    make_photos(tmp_path / "photos" / "train", {"a": 24, "b": 25})
    for name, count in (("a", 17), ("b", 16)):
        (tmp_path / "photos" / "val" / name).mkdir(parents=True)
        for number in range(count):
            shutil.copy(
                tmp_path / "photos" / "train" / name / f"{number}.png",
                tmp_path / "photos" / "val" / name / f"{99 - number}.png",
            )
    asked = {"weights": "imagenet", "tune": "head", "size": 64, "precision": precision}
    start = setup(with_words(TrainConfig(data=tmp_path / "photos"), asked))
    job, model = prepare(start, create_run(tmp_path / "run"))
    assert (len(job.train_rows), len(job.val_rows)) == (BATCH + 17, BATCH + 1) and job.geometry.tta == "flip"
    looks = [*train_passes(job, job.train_rows), *prediction_passes(job, job.val_rows)]
    plain, val_plain, val_mirrored = extract_features(job.feature_source, model, looks)
    hashes = job.index.column("hash")
    places = [list(hashes[job.train_rows]).index(wanted) for wanted in hashes[job.val_rows]]
    assert plain.shape == (49, 1280) and places != sorted(places)
    assert np.array_equal(plain[places], val_plain) and np.abs(val_plain - val_mirrored).max() > 0.1


def test_all_that_decides_vectors_is_in_their_name(data: Path, backbone: Path, monkeypatch: pytest.MonkeyPatch):
    """Other geometry, precision, pictures, mirror image, draws or version: another name."""
    start = setup(TrainConfig(data=data, transfer=TransferConfig(weights=backbone, tune="head"), model="resnet_lite"))
    cache, index = decode(start.config, start.index, start.geometry, plan=start.plan)
    source = FeatureSource(index, cache, start.geometry, start.plan, Path())
    augment = Augmenter(find_policy("light", ()), start.geometry.view, seed=0)
    rows = np.arange(10)

    plain = FeaturePass(rows)

    def name(source: FeatureSource = source, look: FeaturePass = plain, backbone: str = "a") -> str:
        hashes, precision = source.index.column("hash"), str(source.plan.precision)
        return features._name(look, backbone=backbone, hashes=hashes, geometry=source.geometry, precision=precision)

    def varied(**other: object) -> str:
        return name(look=replace(plain, **({"augment": augment, "size": 32} | other)))

    plans = [replace(start.plan, precision=precision) for precision in (torch.bfloat16, torch.float32)]
    names = [
        name(backbone="b"),
        name(replace(source, geometry=replace(start.geometry, view="fit"))),
        name(replace(source, geometry=replace(start.geometry, square=start.geometry.square + 8))),
        *(name(replace(source, plan=plan), FeaturePass(rows)) for plan in plans),
        name(look=FeaturePass(rows, mirrored=True)),
        name(look=FeaturePass(rows[1:])),
        varied(),
        varied(epoch=1),
        varied(size=64),
        varied(augment=Augmenter(find_policy("strong", ()), start.geometry.view, seed=0)),
        varied(augment=Augmenter(find_policy("light", ()), start.geometry.view, seed=1)),
    ]
    monkeypatch.setattr(features, "VERSION", features.VERSION + 1)
    names.append(name())
    monkeypatch.undo()
    monkeypatch.setattr(features, "PIXELS_VERSION", features.PIXELS_VERSION + 1)
    names.append(name())
    assert len(set(names)) == len(names)


def test_the_normalisation_is_a_part_of_the_backbone():
    """The same weights on pictures that are fed otherwise are another backbone."""
    models = [create_model("resnet18", 3) for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    models[1].set_normalization((0.5,) * 3, (0.5,) * 3)
    assert features._digest_of(models[0]) != features._digest_of(models[1])


def test_mixing_is_said_to_have_no_part(data: Path, backbone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A policy that mixes pictures does not on features; a line says so."""
    train(data, backbone, tmp_path / "run", "--feature-views", "2", "--augment", "cutmix=1", "--epochs", "1")
    assert "mixup and cutmix are off" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("--tune", "head,all", "--policy", "light"), id="head-all"),
        pytest.param(("--tune", "last:2", "--policy", "light"), id="last"),
        pytest.param(
            (
                "--tune", "head", *BY_GRADIENT, "--feature-views", "3", "--policy", "light", "--head", "16,dropout:0.5",
                "--sampling", "balanced", "--class-weights", "balanced",
            ),
            id="views",
        ),
    ],
)  # fmt: skip
def test_every_way_to_tune_is_exact_after_ctrl_c(
    data: Path, backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_cache: Path, words: tuple[str, ...]
):
    """Stopped in the middle of the second epoch and resumed without the features, the weights are bitwise the same."""
    same = ["train", str(data), "--weights", str(backbone), "--epochs", "3", *words, *TINY]
    assert main([*same, "--out", str(tmp_path / "whole")]) == 0
    steps, count = [], loop.count_step

    def stop(*arguments: object, **named: object) -> None:
        count(*arguments, **named)
        steps.append(1)
        if len(steps) == 12:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(loop, "count_step", stop)
    assert main([*same, "--out", str(tmp_path / "cut")]) == 130
    monkeypatch.undo()
    shutil.rmtree(own_cache / "features", ignore_errors=True)
    monkeypatch.setenv("PICTAXA_CACHE", str(own_cache))
    assert main(["train", "--resume", str(tmp_path / "cut")]) == 0
    cut, whole = (load_file(tmp_path / name / "model.safetensors") for name in ("cut", "whole"))
    assert all(cut[name].equal(value) for name, value in whole.items())


def test_a_backbone_without_its_head_gives_what_the_head_takes():
    """The head on the backbone's vectors gives the model's logits."""
    torch.manual_seed(0)
    model: Classifier = create_model("mobilenet_v3_small", 5).eval()
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        vectors = without_head(model, size=64)(images)
        assert vectors.shape == (2, 1024)
        assert torch.allclose(model.get_submodule(model.main_head())(vectors), model(images), atol=1e-4)


@pytest.mark.parametrize("note", ['{"done": 8}', "{", "[]", '{"done": "x"}'])
def test_torn_files_are_no_trap(data: Path, backbone: Path, tmp_path: Path, note: str, own_cache: Path):
    """A file that holds less than its note says, a torn note or whole file: the vectors come out the same."""
    train(data, backbone, tmp_path / "one", "--epochs", "1")
    whole = max((own_cache / "features").glob("*.f32"), key=lambda path: path.stat().st_size)
    vectors = whole.read_bytes()
    whole.write_bytes(vectors[:-9])
    whole.with_suffix(".partial").write_bytes(vectors[:100])
    whole.with_suffix(".json").write_text(note, encoding="utf-8")
    train(data, backbone, tmp_path / "two", "--epochs", "1")
    assert whole.read_bytes() == vectors


def test_a_model_without_classes_has_no_head_to_leave_out():
    """Its vectors are those of the same network with classes; its last block was taken for a head."""
    torch.manual_seed(0)
    model = create_model("resnet18", 5).eval()
    bare = create_model("resnet18", 0).eval()
    bare.load_state_dict({name: value for name, value in model.state_dict().items() if not name.startswith("fc.")})
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        one, other = without_head(model, size=64)(images), without_head(bare, size=64)(images)
    assert one.shape == (2, 512) and torch.equal(one, other)

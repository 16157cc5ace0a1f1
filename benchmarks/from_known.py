"""From ImageNet's weights: how fast, how good, and whether every choice of the default is worth its place.

    python benchmarks/from_known.py speed                      # a training step and features, beside plain torch
    python benchmarks/from_known.py cold FLOWERS               # --tune head from an empty cache, as a command
    python benchmarks/from_known.py both FLOWERS SIGNS=20 ...  # every start at equal time
    python benchmarks/from_known.py both MNIST=100 --policy light --minutes 1
    python benchmarks/from_known.py ablation FLOWERS           # the default with one thing changed

speed: pictures per second of EfficientNet-Lite0, the sides in turn within one run: a training step at 160 px against
the loop that one would write first (bfloat16 autocast, channels last, batch norms in evaluation mode, AdamW), and a
frozen backbone's features at 224 px against the same network in bfloat16, and as folding the batch norms alone has it.
cold: seconds of the whole command, Python's start, imports and decoding included, and the accuracy.
both: `pictaxa train` for --minutes from known weights, by the head alone, and from nothing. A set is a folder or a
file; NAME=N takes N pictures of each class to train on and the rest, at most --judged, to validate.
ablation: trainings of --steps steps on three fifths of the training pictures; the rest and the validation pictures
judge the last weights: accuracy and log loss, which tells small differences sooner.

Several --seeds each; a line for every run, and the median.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from pictaxa.config.by_name import with_words
from pictaxa.config.learning import OptimizerConfig
from pictaxa.config.machine import MachineConfig
from pictaxa.config.training import TrainConfig
from pictaxa.config.usual import FROM_KNOWN
from pictaxa.data.fetching import Fetcher
from pictaxa.data.reading import read_data
from pictaxa.images.decode import decode
from pictaxa.metrics import Metrics
from pictaxa.models.contract import Classifier
from pictaxa.models.convolution import Conv2d
from pictaxa.models.folding import fold_norms, share_norms
from pictaxa.models.fusing import fast_copy
from pictaxa.models.zoo import create_model
from pictaxa.system.device import Plan, choose_plan, keep_freed_memory
from pictaxa.training.loop import train_run
from pictaxa.training.optimizer import make_optimizer, set_lr
from pictaxa.training.transfer import set_training
from turns import seconds_in_turn

MODEL = "efficientnet_lite0"
WAYS: dict[str, dict[str, object]] = {
    "all, from known weights": {"weights": "imagenet"},
    "the head alone": {"weights": "imagenet", "tune": "head"},
    "from nothing": {"weights": "none"},
}
# What the default does, and each choice taken back.
ABLATIONS: dict[str, dict[str, object]] = {
    "as it is": {},
    "the head trained with all else": {"solve_head": "no"},
    "norms' statistics updated": {"norm_statistics": "update"},
    "sgd": {"optimizer": "sgd"},
    "a third of the rate": {"lr": 1e-4},
    "three times the rate": {"lr": 1e-3},
    "the backbone at a third of the rate": {"backbone_lr_scale": 1 / 3},
    "weight decay 0.0005": {"weight_decay": 5e-4},
    "weight decay 0.1": {"weight_decay": 0.1},
    "full size throughout": {"progressive_resizing": 0.0},
    "policy light": {"policy": "light"},
    "policy strong": {"policy": "strong"},
    "policy trivial": {"policy": "trivial"},
    "crops from 20%": {"augment": ("crop_area=0.2",)},
    "crops from 60%": {"augment": ("crop_area=0.6",)},
    "mixup in half the batches": {"augment": ("mixup=0.5", "mixup_alpha=0.4")},
    "cutmix in half the batches": {"augment": ("cutmix=0.5",)},
    "no average of weights": {"ema_decay": 0.0},
    "a longer average": {"ema_decay": 0.998},
    "no label smoothing": {"label_smoothing": 0.0},
    "half of the label smoothing": {"label_smoothing": 0.05},
    "a longer warm-up": {"warmup": 0.2},
    "squashed view": {"view": "squash"},
    "batch 64": {"batch_size": 64, "lr": 3e-4},
}


def plain_twin(model: Classifier) -> Classifier:
    """A copy whose convolutions are torch's own."""
    twin = copy.deepcopy(model)
    for part in twin.modules():
        if type(part) is Conv2d:
            part.__class__ = nn.Conv2d  # type: ignore[assignment]  # its methods, on the same weights
    return twin


def step_of(
    model: nn.Module, computed: nn.Module, update: Callable[[], None], plan: Plan, size: int
) -> Callable[[], object]:
    """A closure that does one training step on a batch of noise."""
    images = torch.rand(FROM_KNOWN.batch_size, 3, size, size).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, 5, (len(images),))

    def step() -> float:
        with plan.autocast():
            logits = computed(images)
        loss = F.cross_entropy(logits.float(), labels, label_smoothing=0.1)
        for parameter in model.parameters():
            parameter.grad = None
        loss.backward()
        nn.utils.clip_grad_norm_(list(model.parameters()), 5.0)
        update()
        return loss.item()

    return step


def show(title: str, pictures: int, seconds: dict[str, list[float]]) -> None:
    """Each side's pictures per second, and the median of its ratios to the first side, round by round."""
    print(title)
    first = next(iter(seconds.values()))
    for name, own in seconds.items():
        rates = [pictures / each for each in own]
        ratios = sorted(one / other for one, other in zip(first, own, strict=True))
        print(
            f"    {name:42} {statistics.median(rates):6.1f} pictures/s ({min(rates):.1f} to {max(rates):.1f})"
            f"   {statistics.median(ratios):.2f} times ({ratios[0]:.2f} to {ratios[-1]:.2f})",
            flush=True,
        )


def measure_speed(*, rounds: int) -> None:
    """A training step and features."""
    plan = choose_plan(MachineConfig())
    torch.set_num_threads(plan.threads)
    keep_freed_memory()
    print(plan.reason)
    torch.manual_seed(0)
    model = create_model(MODEL, 5)
    theirs = plain_twin(model)
    adamw = torch.optim.AdamW(theirs.parameters(), lr=3e-4, weight_decay=0.02)
    ours = make_optimizer(model, OptimizerConfig(optimizer="adamw", weight_decay=0.02))
    set_lr(ours, 3e-4)
    shared = set_training(share_norms(model, size=224), keep_statistics=True)
    sides = {
        "plain torch, bfloat16, channels last": step_of(
            theirs, set_training(theirs, keep_statistics=True), adamw.step, plan, 160
        ),
        "pictaxa's step": step_of(model, shared, ours.step, plan, 160),
    }
    show(f"training {MODEL} at 160 px", FROM_KNOWN.batch_size, seconds_in_turn(sides, rounds=rounds))

    images = torch.rand(32, 3, 224, 224).contiguous(memory_format=torch.channels_last)
    networks = {
        "plain torch, bfloat16, channels last": plain_twin(model).eval(),
        "batch norms folded": fold_norms(model, size=224),
    }
    networks["pictaxa's features"] = fast_copy(model, size=224, precision=plan.precision)

    def features(network: Classifier) -> Callable[[], object]:
        def look() -> torch.Tensor:
            with torch.inference_mode(), plan.autocast():
                return network.features(images).float()

        return look

    looks = {name: features(network) for name, network in networks.items()}
    show(f"features of {MODEL} at 224 px", 32, seconds_in_turn(looks, rounds=2 * rounds))


def measure_cold(data: Path, *, seeds: int) -> None:
    """`--tune head` as a command, from an empty cache."""
    seconds, accuracies = [], []
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run"
            words = ["train", str(data), "--tune", "head", "--seed", str(seed), "--out", str(run)]
            before = time.monotonic()
            done = subprocess.run(
                [sys.executable, "-m", "pictaxa", *words], capture_output=True, text=True, check=False,
                env={**os.environ, "PICTAXA_CACHE": str(Path(folder) / "cache")},
            )  # fmt: skip
            seconds.append(time.monotonic() - before)
            if done.returncode:
                raise SystemExit(done.stdout + done.stderr)
            accuracies.append(json.loads((run / "metrics.json").read_text(encoding="utf-8"))["accuracy"])
        print(f"seed {seed}: {accuracies[-1]:.1%} after {seconds[-1]:.1f} s", flush=True)
    print(f"median    {statistics.median(accuracies):.1%} after {statistics.median(seconds):.1f} s")


def trained(data: Path, settings: dict[str, object], *, folder: Path) -> Metrics:
    """The figures of a training."""
    with contextlib.redirect_stdout(io.StringIO()):
        run = train_run(with_words(TrainConfig(data=data, out=folder), settings))
    return run.metrics


def drawn(data: Path, folder: Path, *, teaching: int, judged: int) -> Path:
    """A folder with train/ and val/ of so many pictures a class, and in all, drawn from a data set."""
    index = read_data(data)
    random = np.random.default_rng(0)
    with Fetcher(index) as fetcher:
        for label, name in enumerate(index.classes):
            rows = random.permutation(np.flatnonzero(index.labels == label))
            for number, row in enumerate(rows[: teaching + judged // len(index.classes)]):
                place = folder / "drawn" / ("train" if number < teaching else "val") / name
                place.mkdir(parents=True, exist_ok=True)
                decode(fetcher.fetch(int(row)), name=fetcher.name(int(row))).save(place / f"{number}.png")
    return folder / "drawn"


def measure_both(
    sets: list[str], *, minutes: float, seeds: int, judged: int, only: list[str], policy: str | None
) -> None:
    """Every way to start, at equal time."""
    for word in sets:
        name, _, teaching = word.partition("=")
        with tempfile.TemporaryDirectory() as folder:
            data = Path(name)
            if teaching:
                data = drawn(data, Path(folder), teaching=int(teaching), judged=judged)
            for way, settings in WAYS.items():
                if only and way not in only:
                    continue
                own = settings if settings.get("tune") == "head" else {**settings, "minutes": minutes}
                own = own if policy is None else {**own, "policy": policy}
                found = []
                for seed in range(seeds):
                    figures = trained(data, {**own, "seed": seed}, folder=Path(folder) / f"run-{way}-{seed}")
                    found.append(figures["accuracy"])
                each = ", ".join(f"{value:.1%}" for value in found)
                print(
                    f"{word:40.40} {way:26} {minutes:g} min  median {statistics.median(found):.1%}   {each}", flush=True
                )


def measure_ablation(data: Path, *, steps: int, seeds: int, only: list[str]) -> None:
    """The default with one thing changed, judged by more pictures than the owner's own validation ones."""
    with tempfile.TemporaryDirectory() as folder:
        half = Path(folder) / "half"
        for split in ("train", "val"):
            for place in sorted((data / split).iterdir()):
                for number, file in enumerate(sorted(place.iterdir())):
                    side = "train" if split == "train" and number % 5 < 3 else "val"
                    (half / side / place.name).mkdir(parents=True, exist_ok=True)
                    (half / side / place.name / f"{split}-{file.name}").symlink_to(file.resolve())
        same = {"weights": "imagenet", "epochs": 1, "steps_per_epoch": steps, "best_by": "last"}
        for way, settings in ABLATIONS.items():
            if only and way not in only:
                continue
            accuracies, losses = [], []
            for seed in range(seeds):
                figures = trained(half, {**same, **settings, "seed": seed}, folder=Path(folder) / f"run-{way}-{seed}")
                accuracies.append(figures["accuracy"])
                losses.append(figures["log_loss"])
            print(
                f"{way:40} {statistics.mean(accuracies):6.1%}  loss {statistics.mean(losses):.3f}   "
                + ", ".join(f"{a:.1%} {loss:.3f}" for a, loss in zip(accuracies, losses, strict=True)),
                flush=True,
            )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "cold", "both", "ablation"])
    parser.add_argument("data", nargs="*")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--policy", help="of every way, such as light for digits; by default what each way has")
    parser.add_argument("--judged", type=int, default=1000, help="validation pictures of a set that is drawn")
    parser.add_argument("--steps", type=int, default=288)
    parser.add_argument("--only", nargs="*", default=[], help="of the ablation's rows, or of the ways to start")
    arguments = parser.parse_args()
    if arguments.what == "speed":
        measure_speed(rounds=arguments.rounds)
    elif arguments.what == "cold":
        measure_cold(Path(arguments.data[0]), seeds=arguments.seeds)
    elif arguments.what == "both":
        measure_both(
            arguments.data, minutes=arguments.minutes, seeds=arguments.seeds, judged=arguments.judged,
            only=arguments.only, policy=arguments.policy,
        )  # fmt: skip
    else:
        measure_ablation(Path(arguments.data[0]), steps=arguments.steps, seeds=arguments.seeds, only=arguments.only)


if __name__ == "__main__":
    main()

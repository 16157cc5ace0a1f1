"""Proof that each entry of the zoo is what it says: the reference's weights in, the reference's numbers out.

    make parity                                     everything
    .venv-parity/bin/python parity/compare.py --only resnet --no-speed

For each reference: the same count of trainable parameters, the same logits (auxiliary heads too) on the same pictures
to 1e-4 of the largest, and for convolutional networks the same gradient of the loss with respect to the pictures to
1e-6 of its largest. Gradients are computed in float64: in float32 a rounding opens or closes a ReLU here and there, and
the gradient jumps by percents though both sides are right.

Beside them the seconds of a forward pass and of a training step, theirs and ours in turn: `ours` is the same plain
float32 arithmetic, `folded` our forward pass as prediction does it, batch norms folded away (float32 too), `plan` what
this machine's plan makes of training. Timed rows have a process each, so that none inherits another's memory. The exit
status is 1 when any row fails; speed alone fails no row.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from cases import Case, Reference, pictures_for, torch_forward, torch_step

from pictaxa.config.learning import OptimizerConfig
from pictaxa.config.machine import MachineConfig
from pictaxa.models.contract import Classifier
from pictaxa.models.folding import fold_norms
from pictaxa.models.summary import summarise_model
from pictaxa.models.zoo import create_model
from pictaxa.system.device import apply_plan, choose_plan, to_device
from pictaxa.training.optimizer import make_optimizer, set_lr

STEP_MULTIPLY_ADDS = 24e9  # as many pictures in a timed batch as make so many, from 4 to 64
ENVIRONMENT = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}  # TensorFlow says much at its start
MIN_ROUNDS, MAX_ROUNDS, ROUNDS_SECONDS = 3, 9, 10.0  # of timing
REST_SECONDS = 0.2  # between two turns: threads of the side before go on turning for a while
GRADIENT_TOLERANCE = 1e-6  # of the largest


@dataclass(frozen=True)
class Times:
    """Seconds of each side, a number for each round."""

    rounds: dict[str, list[float]]

    def median(self, side: str) -> float:
        return statistics.median(self.rounds[side])

    def times_as_fast(self, side: str) -> list[float]:
        """How many times as fast as theirs a side is, from the slowest round to the fastest."""
        return sorted(a / b for a, b in zip(self.rounds["theirs"], self.rounds[side], strict=True))


@dataclass
class Result:
    """A row of the table."""

    case: Case
    theirs: int = 0
    ours: int = 0
    logits: float = float("nan")  # largest difference, in parts of the largest logit
    gradient: float | None = None
    forward: Times | None = None
    step: Times | None = None
    problem: str = ""


def relative(theirs: np.ndarray, ours: np.ndarray) -> float:
    """The largest difference in parts of the largest value."""
    assert theirs.shape == ours.shape, f"shapes {theirs.shape} and {ours.shape}"
    return float(np.abs(theirs - ours).max() / np.abs(theirs).max())


def check(case: Case, *, speed: bool) -> Result:
    """Build both, copy the weights, compare, and time."""
    result = Result(case)
    reference = case.build(case)
    model = create_model(case.entry, case.classes, in_channels=case.channels, **case.options)
    reference.give_weights(model)
    model.eval()
    images, labels = pictures_for(case, count=2)
    assert model.grid(model.features(torch.from_numpy(images))).ndim == 4, "no grid for explanations"
    result.theirs = reference.parameters
    result.ours = sum(parameter.numel() for parameter in model.parameters())
    expected = reference.heads(images)
    with torch.no_grad():
        found = [logits.numpy() for logits, _ in model.training_logits(torch.from_numpy(images))]
        assert relative(found[0], model(torch.from_numpy(images)).numpy()) < 1e-6, "the main head is not the model"
    if len(expected) != len(found):
        result.problem = f"{len(expected)} heads there, {len(found)} here"
        return result
    result.logits = max(relative(a, b) for a, b in zip(expected, found, strict=True))
    spread = float(np.abs(expected[0][0] - expected[0][1]).max() / np.abs(expected[0]).max())
    if spread < 10 * case.tolerance:
        result.problem = f"the reference hardly looks at the pictures ({spread:.1e})"
    if case.gradient:
        pictures = torch.from_numpy(images.astype(np.float64)).requires_grad_()
        F.cross_entropy(model.double()(pictures), torch.from_numpy(labels)).backward()
        assert pictures.grad is not None
        result.gradient = relative(reference.gradient(images, labels), pictures.grad.numpy())
        model.float().zero_grad(set_to_none=True)
    scales = 17_216 if case.entry == "inception_v3" and "keras" in case.reference else 0  # theirs has none
    if result.ours != result.theirs + scales:
        result.problem = "parameters differ"
    elif not result.logits < case.tolerance:
        result.problem = "logits differ"
    elif result.gradient is not None and not result.gradient < GRADIENT_TOLERANCE:
        result.problem = "gradients differ"
    if speed and case.gradient:
        try:
            _time(result, reference, model)
        finally:
            reference.close()
    return result


def _time(result: Result, reference: Reference, model: Classifier) -> None:
    case = result.case
    cost = summarise_model(case.entry, size=case.size, channels=case.channels, options=case.options).multiply_adds
    count = int(min(64, max(4, STEP_MULTIPLY_ADDS / cost)))
    images, labels = pictures_for(case, count=count)
    plan = choose_plan(MachineConfig())
    apply_plan(plan)
    folded = fold_norms(model, size=case.size)
    result.forward = _alternate(
        {
            "theirs": reference.forward(images),
            "ours": torch_forward(model, images),
            "folded": torch_forward(folded, images),
        }
    )
    del folded

    def loss(pictures: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        heads = model.training_logits(pictures)
        return torch.stack([weight * F.cross_entropy(logits.float(), targets) for logits, weight in heads]).sum()

    planned = create_model(case.entry, case.classes, in_channels=case.channels, **case.options)
    planned.load_state_dict(model.state_dict())
    planned = to_device(planned, plan)
    optimizer = make_optimizer(planned, OptimizerConfig(clip_grad_norm=None))
    pictures, targets = torch.from_numpy(images), torch.from_numpy(labels)

    def plan_step() -> None:
        planned.train()
        set_lr(optimizer, 1e-5)
        optimizer.zero_grad()
        with plan.autocast():
            heads = planned.training_logits(pictures)
        torch.stack([w * F.cross_entropy(logits.float(), targets) for logits, w in heads]).sum().backward()
        optimizer.step()

    steps = {
        "theirs": reference.train_step(images, labels),
        "ours": torch_step(model, loss, images, labels),
        "plan": plan_step,
    }
    result.step = _alternate(steps)


def _alternate(sides: dict[str, Callable[[], None]]) -> Times:
    """The sides in turn, after one call of each that does not count: 3 rounds, and up to 9 while they are short."""
    for run in sides.values():
        run()
    rounds: dict[str, list[float]] = {name: [] for name in sides}
    started = time.perf_counter()
    for done in range(MAX_ROUNDS):
        if done >= MIN_ROUNDS and time.perf_counter() - started > ROUNDS_SECONDS:
            break
        for name, run in sides.items():
            time.sleep(REST_SECONDS)
            before = time.perf_counter()
            run()
            rounds[name].append(time.perf_counter() - before)
    return Times(rounds)


HEADER = (
    f"{'entry':24}{'reference':36}{'parameters':>12}{'logits':>9}{'gradient':>10}"
    f"{'forward':>10}{'ours':>6}{'folded':>7}{'as fast':>18}{'folded as fast':>18}"
    f"{'step':>8}{'ours':>6}{'plan':>6}{'as fast':>18}{'plan as fast':>18}"
)


def line(result: Result) -> str:
    """The row as text."""
    case = result.case
    text = f"{case.entry:24}{case.reference:36}{result.ours:>12,}{result.logits:>9.1e}"
    text += f"{result.gradient:>10.1e}" if result.gradient is not None else f"{'':>10}"
    if result.forward and result.step:
        text += f"{_milliseconds(result.forward, 'theirs'):>10}{_milliseconds(result.forward, 'ours'):>6}"
        text += f"{_milliseconds(result.forward, 'folded'):>7}"
        text += "".join(f"{_ratio(result.forward, side):>18}" for side in ("ours", "folded"))
        text += f"{_milliseconds(result.step, 'theirs'):>8}"
        text += "".join(f"{_milliseconds(result.step, side):>6}" for side in ("ours", "plan"))
        text += "".join(f"{_ratio(result.step, side):>18}" for side in ("ours", "plan"))
    return text + (f"   FAILED: {result.problem}" if result.problem else "")


def _milliseconds(times: Times, side: str) -> str:
    return f"{1000 * times.median(side):.0f}"


def _ratio(times: Times, side: str) -> str:
    """How many times as fast as theirs: the median of the rounds, the slowest and the fastest."""
    ratios = times.times_as_fast(side)
    return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"


LIBRARIES = ("torch", "keras")


def cases_of(library: str) -> tuple[Case, ...]:
    """The rows whose references come from a library; loads it."""
    if library == "torch":
        from torch_references import CASES
    else:
        # Its LLVM and TensorFlow's abort in one process; torch's compiler, which wants it, is not used here.
        sys.modules["triton"] = None  # type: ignore[assignment]  # what the import system takes for "not there"
        from keras_references import CASES
    return CASES


def main() -> int:
    """Check every case that is asked for; 1 when any fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="entries whose name or reference has this in it")
    parser.add_argument("--no-speed", action="store_true", help="the proof alone")
    parser.add_argument("--library", choices=LIBRARIES, help="only the references from here, in this process")
    parser.add_argument("--row", type=int, help="only this one of them")
    parser.add_argument("--count", action="store_true", help="how many there are, and nothing else")
    arguments = parser.parse_args()
    if arguments.library is None:
        return _in_processes(speed=not arguments.no_speed)
    cases = [case for case in cases_of(arguments.library) if arguments.only in f"{case.entry} {case.reference}"]
    if arguments.count:
        print(len(cases))
        return 0
    results = []
    for case in cases if arguments.row is None else [cases[arguments.row]]:
        try:
            result = check(case, speed=not arguments.no_speed)
        except Exception as error:  # a row that can't be computed fails; the others go on
            traceback.print_exc()
            result = Result(case, problem=f"{type(error).__name__}: {error}")
        results.append(result)
        print(line(result), flush=True)
        gc.collect()
    return 1 if any(result.problem for result in results) else 0


def _in_processes(*, speed: bool) -> int:
    """A process for each library, as they don't go together; a process for each row where it is timed."""
    print("milliseconds, theirs first; how many times as fast as theirs: median (slowest to fastest round)\n")
    print(HEADER, flush=True)
    codes = []
    for library in LIBRARIES:
        command = [sys.executable, *sys.argv, "--library", library]
        if not speed:
            codes.append(subprocess.run(command, env=ENVIRONMENT).returncode)
            continue
        count = int(subprocess.run([*command, "--count"], env=ENVIRONMENT, stdout=subprocess.PIPE, check=True).stdout)
        codes += [subprocess.run([*command, "--row", str(row)], env=ENVIRONMENT).returncode for row in range(count)]
    print("\nevery row holds" if not any(codes) else "\nFAILED")
    return 1 if any(codes) else 0


if __name__ == "__main__":
    sys.exit(main())

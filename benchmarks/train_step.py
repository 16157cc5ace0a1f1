"""Pictures per second of a training step: the machine's chosen plan against the plain float32 contiguous loop.

    python benchmarks/train_step.py --model resnet18 --size 128 --batch 64 --steps 3 --rounds 4

Both sides do the whole step of pictaxa's loop on the same random pictures: forward, loss, backward, clip, update.
They take turns within one run; what counts is the ratio, round by round. `+memory` is the plan with freed memory kept
(system/device.py, keep_freed_memory), which is what `pictaxa train` does; it can't be undone, so its rounds come last.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from pictaxa.config.learning import OptimizerConfig
from pictaxa.config.machine import MachineConfig
from pictaxa.models.zoo import create_model
from pictaxa.system.device import Plan, choose_plan, keep_freed_memory, to_device
from pictaxa.training.optimizer import Optimizer, make_optimizer, set_lr


def make_step(name: str, plan: Plan, *, size: int, batch: int, ours: bool) -> Callable[[], None]:
    """A closure that does one training step, with pictaxa's optimizer or torch's."""
    torch.manual_seed(0)
    model = to_device(create_model(name, 10), plan).train()
    images = torch.rand(batch, 3, size, size, device=plan.device).contiguous(memory_format=plan.memory_format)
    labels = torch.randint(0, 10, (batch,), device=plan.device)
    parameters = list(model.parameters())
    config = OptimizerConfig(optimizer="sgd", weight_decay=5e-4)
    optimizer: Optimizer | torch.optim.SGD
    if ours:
        optimizer = make_optimizer(model, config)
        set_lr(optimizer, 0.01)
    else:
        optimizer = torch.optim.SGD(parameters, lr=0.01, momentum=config.momentum, nesterov=True, weight_decay=5e-4)

    def step() -> None:
        with plan.autocast():
            logits = model(images)
        loss = F.cross_entropy(logits.float(), labels, label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 5.0)
        optimizer.step()
        loss.item()

    return step


def pictures_per_second(step: Callable[[], None], *, batch: int, steps: int) -> float:
    """Over `steps` steps, after one that does not count."""
    step()
    before = time.perf_counter()
    for _ in range(steps):
        step()
    return batch * steps / (time.perf_counter() - before)


def show(name: str, rates: list[float], *, against: list[float]) -> None:
    """Median, spread, and the median of the ratios round by round."""
    ratios = [ours / theirs for ours, theirs in zip(rates, against, strict=True)]
    print(
        f"{name:30} {statistics.median(rates):7.1f} pictures/s ({min(rates):.1f} to {max(rates):.1f})"
        f"   ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--size", type=int, default=128, help="pixels")
    parser.add_argument("--batch", type=int, default=64, help="pictures in a step; `pictaxa train` has 64")
    parser.add_argument("--steps", type=int, default=3, help="in a round")
    parser.add_argument("--rounds", type=int, default=4)
    arguments = parser.parse_args()
    plan = choose_plan(MachineConfig())
    plain = choose_plan(MachineConfig(precision="float32", memory_format="contiguous"))
    torch.set_num_threads(plan.threads)
    print(f"{arguments.model} at {arguments.size} px, batch {arguments.batch}; plan: {plan.reason}")
    name, size, batch = arguments.model, arguments.size, arguments.batch
    sides = {
        "plain float32 contiguous": make_step(name, plain, size=size, batch=batch, ours=False),
        "the machine's plan": make_step(name, plan, size=size, batch=batch, ours=True),
    }
    for label in ("", " +memory"):
        if label:
            keep_freed_memory()
        rates: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(arguments.rounds):
            for name, step in sides.items():
                rates[name].append(pictures_per_second(step, batch=arguments.batch, steps=arguments.steps))
        plain_rates = rates["plain float32 contiguous"]
        for name in sides:
            show(name + label, rates[name], against=plain_rates)


if __name__ == "__main__":
    main()

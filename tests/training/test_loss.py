from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pictaxa.training.loss import total_loss, weigh_classes


def test_a_plain_loss_by_hand():
    """Two classes with equal logits cost ln 2 a picture, whatever the label."""
    logits, labels = torch.zeros(3, 2), torch.tensor([0, 1, 1])
    loss = total_loss(((logits, 1.0),), ((labels, 1.0),), weights=None, smoothing=0.0)
    assert loss.item() == pytest.approx(math.log(2))


def test_heads_and_shares_add_up():
    """Each head at its weight, each label at its share; a label of no share costs nothing."""
    torch.manual_seed(0)
    main, auxiliary = torch.randn(4, 3), torch.randn(4, 3)
    own, other = torch.tensor([0, 1, 2, 0]), torch.tensor([2, 2, 0, 1])
    loss = total_loss(((main, 1.0), (auxiliary, 0.3)), ((own, 0.8), (other, 0.2)), weights=None, smoothing=0.1)

    def one(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(logits, labels, label_smoothing=0.1)

    expected = 0.8 * one(main, own) + 0.2 * one(main, other)
    expected += 0.3 * (0.8 * one(auxiliary, own) + 0.2 * one(auxiliary, other))
    assert loss.item() == pytest.approx(expected.item())
    alone = total_loss(((main, 1.0),), ((own, 1.0), (other, 0.0)), weights=None, smoothing=0.1)
    assert alone.item() == pytest.approx(one(main, own).item())


def test_half_precision_is_summed_in_float32():
    """Logits of bfloat16 give the loss of their values in float32."""
    logits = torch.randn(64, 10).bfloat16()
    labels = torch.arange(64) % 10
    loss = total_loss(((logits, 1.0),), ((labels, 1.0),), weights=None, smoothing=0.0)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(F.cross_entropy(logits.float(), labels).item())


def a_job(labels: list[int], *, class_weights: str) -> Any:
    """As much of a Job as class weights are made of: three classes, and a last picture that is not trained on."""
    return SimpleNamespace(
        config=SimpleNamespace(optimization=SimpleNamespace(class_weights=class_weights)),
        index=SimpleNamespace(labels=np.array([*labels, 2]), classes=("a", "b", "c")),
        train_rows=np.arange(len(labels)), plan=SimpleNamespace(device=torch.device("cpu")),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("labels", "weights"), [([0, 0, 0, 1, 2, 2], [6 / 9, 6 / 3, 6 / 6]), ([0, 0, 0, 1], [4 / 9, 4 / 3, 4 / 3])]
)
def test_rare_classes_weigh_more(labels: list[int], weights: list[float]):
    """Pictures over classes times the class's own, of training pictures alone; one that has none counts as one."""
    found = weigh_classes(a_job(labels, class_weights="balanced"))
    assert found is not None and found.dtype == torch.float32 and found.tolist() == pytest.approx(weights)
    assert weigh_classes(a_job(labels, class_weights="none")) is None
    always = weigh_classes(a_job(labels, class_weights="none"), always=True)
    assert always is not None and always.equal(found)

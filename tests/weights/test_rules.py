from __future__ import annotations

import time

import pytest
import torch
from torch import nn

from pictaxa.errors import WeightsError
from pictaxa.weights.rules import Rule, assign, rename


def test_the_first_rule_that_fits_counts():
    """Names are matched whole; what no rule fits keeps its name; dropped names keep their reason."""
    rules = (Rule(r"features\.(\d+)\.(.+)", r"convs.\1.\2"), Rule("head.old", reason="of another head"))
    renamed = rename(["features.0.weight", "head.old", "my.features.0.weight"], rules)
    assert renamed.names == {"features.0.weight": "convs.0.weight", "my.features.0.weight": "my.features.0.weight"}
    assert renamed.dropped == {"head.old": "of another head"}


def test_two_names_never_become_one():
    """A rule that makes two names the same is an error that names it."""
    with pytest.raises(WeightsError, match="two for a"):
        rename(["b", "c"], (Rule("[bc]", "a"),))


def test_nothing_is_half_loaded():
    """Missing, unused and misshapen names are counted and named, and the model is untouched."""
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    tensors = {"0.weight": torch.ones(3, 2), "0.bias": torch.ones(4), "2.weight": torch.ones(1)}
    with pytest.raises(WeightsError) as told:
        assign(model, tensors)
    message = str(told.value)
    assert "2 missing: 1.bias, 1.weight" in message
    assert "1 unused: 2.weight" in message
    assert "1 misshapen: 0.bias (4,) instead of (3,)" in message
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_whole_set_is_loaded():
    """When every name fits, every weight is the file's."""
    model, other = nn.Linear(2, 3), nn.Linear(2, 3)
    assign(model, other.state_dict())
    assert torch.equal(model.weight, other.weight)


def test_tensors_of_other_kinds_are_told_before_anything_is_loaded():
    """Sparse, meta, complex, eight-bit and whole numbers, and numbers that are not finite, each in their group."""
    model = nn.BatchNorm1d(3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    good = {name: torch.full_like(value, 2) for name, value in before.items()}
    cases = {
        "1 not plain numbers: bias (sparse_coo float32)": torch.ones(3).to_sparse(),
        "1 not plain numbers: bias (meta float32)": torch.ones(3, device="meta"),
        "1 not plain numbers: bias (complex64)": torch.ones(3, dtype=torch.complex64),
        "1 not plain numbers: bias (int64)": torch.ones(3, dtype=torch.int64),
        "1 not plain numbers: bias (float8_e4m3fn)": torch.ones(3).to(torch.float8_e4m3fn),
        "1 not finite: bias": torch.tensor([1.0, float("nan"), 1.0]),
        "found 1 not finite: bias": torch.tensor([1e300, 1.0, 1.0], dtype=torch.float64),
    }
    for words, value in cases.items():
        with pytest.raises(WeightsError) as told:
            assign(model, {**good, "bias": value})
        assert words in str(told.value)
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assign(model, {**good, "bias": torch.ones(3, dtype=torch.bfloat16)})
    assert torch.equal(model.bias, torch.ones(3)) and model.num_batches_tracked == 2


def test_many_names_are_compared_at_once():
    """Twelve thousand names take no seconds, as each compared with each would."""
    names = [f"a{number}" for number in range(12_000)]
    start = time.process_time()
    assert len(rename(names, ()).names) == len(names) and time.process_time() - start < 1

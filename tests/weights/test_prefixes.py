from __future__ import annotations

import io
import pickle

from pictaxa.errors import WeightsError
from pictaxa.models.zoo import create_model
from pictaxa.weights.misfits import misfit
from pictaxa.weights.own_heads import place
from pictaxa.weights.pickles import check_pickle
from pictaxa.weights.prefixes import Needed, find_part, is_worth_a_word, nearest_part


def test_a_part_is_found_placed_and_told():
    """The prefix with the whole backbone is found; one that lacks a tensor is the nearest, and the error names it."""
    needed = Needed(create_model("cifar_resnet20", 4))
    tensors = {f"net.{name}": value for name, value in needed.own.items()}
    part = find_part(needed, tensors, ())
    assert part is not None and part.prefix == "net." and part.rank == 3
    assert place(part, tensors, prefix_worth_a_word=False).tensors.keys() == needed.own.keys()
    del tensors["net.conv1.weight"]
    assert find_part(needed, tensors, ()) is None
    assert "1 missing: conv1.weight" in str(misfit(nearest_part(needed, tensors, ()), tensors, source="torchvision"))


def test_only_a_scripts_own_prefix_is_worth_a_word():
    """What data-parallel training and the compiler put before all names is not."""
    assert not is_worth_a_word("module._orig_mod.") and is_worth_a_word("module.net.")


def test_plain_pickles_need_no_stand_in():
    """A dictionary of numbers names nothing."""
    pickled = io.BytesIO(pickle.dumps({"a": 1}, protocol=2))
    assert check_pickle(pickled, lambda found, fix: WeightsError("", found=found, fix=fix)) == set()

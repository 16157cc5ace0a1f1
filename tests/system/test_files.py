from __future__ import annotations

from pathlib import Path

import pytest

from pictaxa.cli.main import main
from pictaxa.errors import ConfigError
from pictaxa.system.files import write_atomically, writing


def test_a_file_is_the_old_or_the_new_one(tmp_path: Path):
    """Replaced in one step; where writing fails, what was there stays whole."""
    path = tmp_path / "notes.json"
    write_atomically(path, "old, 旧")
    assert path.read_text(encoding="utf-8") == "old, 旧"
    (tmp_path / "partial-notes.json").mkdir()  # in the way of what is written first
    with pytest.raises(IsADirectoryError):
        write_atomically(path, "new")
    assert path.read_text(encoding="utf-8") == "old, 旧"
    (tmp_path / "partial-notes.json").rmdir()
    write_atomically(path, "new")
    assert path.read_text(encoding="utf-8") == "new" and list(tmp_path.iterdir()) == [path]


DRAWINGS = {
    "curves {run}": "--out",
    "preview {data}": "--out",
    "preview {data} --grid 2x2": "--out",
    "predict {run} {data}": "--grid",
    "evaluate {run}": "--grid",
    "look {run}": "--out",
    "models lenet5": "--diagram",
    "models resnet18": "--block",
    "models --compare resnet18 vgg11": "--diagram",
}


@pytest.mark.parametrize("words", DRAWINGS)
def test_a_drawing_of_another_kind_is_refused_before_the_work(
    words: str, trained: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Every command that draws takes the suffixes that it can write; another is told in one line, by its flag."""
    data, run = trained
    flag, out = DRAWINGS[words], tmp_path / "drawing.txt"
    capsys.readouterr()
    assert main([*words.format(data=data, run=run).split(), flag, str(out)]) == 2
    said = capsys.readouterr()
    assert not said.out and said.err.count("\n") == 1, said
    assert f"{flag} with the suffix .png" in said.err.replace(".svg or ", "") and not out.exists()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path):
    """In one line, with the path, the system's reason and the flag; other errors pass."""
    path = tmp_path / "none" / "a.json"
    told = r"none/a\.json': No such file or directory\. Give another path with --json\."
    with pytest.raises(ConfigError, match=told), writing(path, flag="--json"):
        path.write_text("")
    with pytest.raises(ValueError, match="x"), writing(tmp_path, flag="--json"):
        raise ValueError("x")

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch

from pictaxa.errors import RunError
from pictaxa.weights.files import load_tensors, save_tensors


def test_weights_may_be_read_by_whoever_may_read_other_files(tmp_path: Path):
    """safetensors itself lets only the owner read what it writes."""
    (tmp_path / "text").touch()
    save_tensors({"a": torch.arange(3.0)}, tmp_path / "weights.safetensors")
    assert (tmp_path / "weights.safetensors").stat().st_mode == (tmp_path / "text").stat().st_mode


def test_where_nothing_can_be_written_is_told_as_python_tells_it(tmp_path: Path):
    """An OSError with its number, as any writing has, and not safetensors' own error."""
    with pytest.raises(OSError) as caught:
        save_tensors({"a": torch.zeros(3)}, tmp_path / "absent" / "weights.safetensors")
    assert caught.value.errno == errno.ENOENT


def test_a_file_that_was_cut_short_is_refused(tmp_path: Path):
    """One line, for every length."""
    path = tmp_path / "weights.safetensors"
    save_tensors({"a": torch.arange(3.0)}, path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(RunError, match="whole safetensors file"):
            load_tensors(path)

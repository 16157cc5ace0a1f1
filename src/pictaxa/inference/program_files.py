"""Whether a file of torch.export can be read without running what is in it.

`torch.export.load` reads raw numbers and JSON, but falls back to pickle for what the file marks so, and gives sizes
that are expressions to sympy, which evaluates them as Python. A file of ours has neither.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import RunError
from ..runs.exported import AGAIN

MAX_JSON = 2**28  # bytes of the graph and of each list
# Of a size: numbers, symbols as sympy writes them, and what joins them.
EXPRESSION = re.compile(r"(?:Symbol\('[a-z]\w*'(?:, (?:positive|integer)=True)*\)|Integer|Mul|Add|Pow|[\d ()*+/,-])*")
TENSOR = "tensor_"  # how the names of constants begin that are raw numbers; others are objects


def refuse_code(path: Path) -> None:
    """Refuse a file of which some part would be unpickled or evaluated.

    Args:
        path: of the file.

    Raises:
        RunError: it is no file of torch.export, or has a part that is more than numbers and a graph.

    Example:
        refuse_code(Path("flowers/network.pt2"))
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found = next(_suspects(archive), None)
    except (zipfile.BadZipFile, ValueError, OSError, RuntimeError, RecursionError, NotImplementedError) as error:
        raise RunError("a file of torch.export", found=f"{str(path)!r}: {first_line(error)}", fix=AGAIN) from None
    if found is not None:
        raise RunError(
            "a file of torch.export with numbers and a graph alone", found=f"{found} in {str(path)!r}", fix=AGAIN
        )


def first_line(error: BaseException) -> str:
    """What an error says, without the pages that some runtimes add.

    Args:
        error: any.

    Returns:
        Its first line, at most 300 characters; the name of its class where it says nothing.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]


def _suspects(archive: zipfile.ZipFile) -> Iterator[str]:
    graphs = 0
    for member in archive.infolist():
        name = member.filename.partition("/")[2]  # behind the archive's own name
        folder = name.rpartition("/")[0]
        if name.endswith(".json") and member.file_size > MAX_JSON:
            yield f"{name} of {member.file_size:,} bytes"
        elif folder == "models" and name.endswith(".json"):
            graphs += 1
            yield from (f"the size {text!r}" for text in _expressions(json.loads(archive.read(member))))
        elif folder in ("data/weights", "data/constants") and name.endswith("_config.json"):
            for told, entry in dict(json.loads(archive.read(member)).get("config", {})).items():
                plain = folder == "data/weights" or str(entry.get("path_name", "")).startswith(TENSOR)
                if entry.get("use_pickle") or not plain:
                    yield f"the pickled {told!r}"
        elif folder == "data/sample_inputs":
            if not _only_tensors(archive.read(member)):
                yield f"a pickle ({name})"
        elif folder not in ("data/weights", "data/constants", ".data", "") or name.endswith((".pkl", ".py", ".so")):
            yield name
    if graphs != 1:
        raise ValueError(f"{graphs} graphs")


def _expressions(document: Any) -> Iterator[str]:
    """Sizes that are more than symbols and numbers."""
    waiting = [document]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            text = one.get("expr_str", "")
            if not isinstance(text, str) or not EXPRESSION.fullmatch(text):
                yield str(text)[:60]
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def _only_tensors(data: bytes) -> bool:
    import torch

    try:
        torch.load(io.BytesIO(data), weights_only=True)
    except Exception:  # of what is no such file torch raises many kinds
        return False
    return True

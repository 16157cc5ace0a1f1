"""Names for class folders or class numbers: ImageNet synset files and lists of names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..config.documents import parse_json
from ..errors import DataError
from ..limits import MAX_TABLE_BYTES
from .encoding import guess_encoding

# Files that are looked for beside the pictures, as they are published.
USUAL_FILES = ("LOC_synset_mapping.txt", "synset_words.txt", "imagenet_class_index.json", "words.txt")


def find_names_file(root: Path) -> Path | None:
    """A file of synsets in a folder or the one above it."""
    return next(
        (folder / name for folder in (root, root.parent) for name in USUAL_FILES if (folder / name).is_file()), None
    )


def read_names(file: Path) -> dict[str, str]:
    """Code -> name: `n01440764 tench, Tinca tinca` in lines, {"n01440764": "tench"}, {"0": ["n01440764", "tench"]}, or
    ["tench", ...] by number. Of several words for a class the first is taken. DataError when it is none of these.
    """
    try:
        if file.stat().st_size > MAX_TABLE_BYTES:
            raise ValueError(f"{file.stat().st_size:,} bytes, more than {MAX_TABLE_BYTES:,}")
        data = file.read_bytes()
        text = data.decode(guess_encoding(data) or "utf-8").removeprefix("\ufeff")
        is_json = file.suffix.lower() == ".json"
        names = _from_json(parse_json(text)) if is_json else _from_lines(text.splitlines())
    except (OSError, ValueError) as error:
        raise DataError(
            "class names", found=f"{str(file)!r}: {error}", fix="Give another file with --class-names."
        ) from None
    if not names:
        raise DataError(
            "lines like `n01440764 tench`, or JSON of names",
            found=f"none in {str(file)!r}",
            fix="Give another file with --class-names.",
        )
    return names


def _from_json(document: object) -> dict[str, str]:
    if isinstance(document, list):
        return {str(number): str(name) for number, name in enumerate(document)}
    if not isinstance(document, dict):
        return {}
    names = {}
    for key, value in document.items():
        if isinstance(value, list) and len(value) == 2:
            names[str(value[0])] = str(value[1]).replace("_", " ")
        elif isinstance(value, int):  # Keras' class_indices: {"tench": 0}
            names[str(value)] = str(key)
        else:
            names[str(key)] = str(value)
    return names


def _from_lines(lines: Sequence[str]) -> dict[str, str]:
    names = {}
    for number, line in enumerate(line.strip() for line in lines if line.strip()):
        code, separator, words = line.partition("\t") if "\t" in line else line.partition(" ")
        if separator and (code.isdecimal() or (code[:1] == "n" and code[1:].isdecimal())):
            names[code] = words.split(",")[0].strip()
        else:  # a name to a line, by number
            names[str(number)] = line
    return names


def called(codes: Iterable[str], names: dict[str, str]) -> dict[str, str]:
    """Code -> what it is called; one without a name stays, and names of several codes get the code behind them."""
    distinct = dict.fromkeys(codes)
    counts = Counter(names.get(code, code) for code in distinct)
    return {
        code: f"{names[code]} ({code})" if code in names and counts[names[code]] > 1 else names.get(code, code)
        for code in distinct
    }

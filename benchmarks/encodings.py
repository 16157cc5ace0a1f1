"""How often the encoding of a short table is told rightly: by pictaxa, and by the libraries for it where installed.

    python benchmarks/encodings.py [--sets 150] [--names tests,cldr]

A table has 2 to 10 classes, each named twice. `tests` takes the class names of tests/data/test_encoding.py, `cldr` the
names of countries, languages, days and months in Unicode's CLDR (needs `pip install babel`), which nothing was tuned
on. The libraries (charset-normalizer, chardet) choose among the encodings of the eight languages; chardet sees the
cells that are no ASCII, each once, which serves it better than the whole table. A table is right when every letter is.
"""

from __future__ import annotations

import argparse
import importlib
import random
import runpy
from collections.abc import Callable
from pathlib import Path

from pictaxa.data.encoding import guess_encoding

TESTS = Path(__file__).parent.parent / "tests" / "data" / "test_encoding.py"
LOCALES = {
    "Chinese": "zh", "Chinese of Taiwan": "zh_Hant", "Japanese": "ja", "Korean": "ko", "German": "de", "French": "fr",
    "Spanish": "es", "Russian": "ru",
}  # fmt: skip
CANDIDATES = ["gb18030", "big5", "cp932", "cp949", "cp1252", "cp1251"]
Rule = Callable[[bytes], str]


def rules() -> dict[str, Rule]:
    """What tells an encoding, by its name and version."""
    found: dict[str, Rule] = {"pictaxa": guess_encoding}
    try:
        normalizer = importlib.import_module("charset_normalizer")

        def by_normalizer(data: bytes) -> str:
            best = normalizer.from_bytes(data, cp_isolation=CANDIDATES).best()
            return best.encoding if best else ""

        found[f"charset-normalizer {normalizer.__version__}"] = by_normalizer
    except ImportError:
        pass
    try:
        chardet = importlib.import_module("chardet")

        def by_chardet(data: bytes) -> str:
            lines = [cell for line in data.splitlines() for cell in line.split(b",") if not cell.isascii()]
            told = chardet.detect(b"\n".join(dict.fromkeys(lines)), include_encodings=CANDIDATES)
            return told["encoding"] or ""

        found[f"chardet {chardet.__version__}"] = by_chardet
    except ImportError:
        pass
    return found


def names_of(source: str) -> dict[str, tuple[str, list[str]]]:
    """Language -> encoding and class names."""
    words = runpy.run_path(str(TESTS))["WORDS"]
    if source == "tests":
        return {language: (encoding, sorted(text.split())) for language, (encoding, text) in words.items()}
    locale = importlib.import_module("babel").Locale
    found = {}
    for language, code in LOCALES.items():
        told = locale.parse(code)
        groups = (told.territories, told.languages, told.days["format"]["wide"], told.months["format"]["wide"])
        names = {name for group in groups for name in group.values() if len(name) < 24 and "," not in name}
        found[language] = (words[language][0], sorted(names))
    return found


def tables(encoding: str, names: list[str], *, sets: int, seed: str) -> list[tuple[str, bytes]]:
    """(text, bytes) of tables that are no ASCII."""
    draw = random.Random(seed)
    made: list[tuple[str, bytes]] = []
    while len(made) < sets:
        classes = draw.sample(names, draw.choice([2, 2, 2, 3, 3, 4, 6, 10]))
        rows = [f"img_{number:04}.jpg,{name}" for number, name in enumerate(classes * 2)]
        text = "path,label\r\n" + "\r\n".join(rows) + "\r\n"
        data = text.encode(encoding, "ignore")
        if not text.isascii() and data.decode(encoding) == text:
            made.append((text, data))
    return made


def reads(data: bytes, encoding: str, text: str) -> bool:
    """Whether the bytes become the text."""
    try:
        return bool(encoding) and data.decode(encoding) == text
    except (UnicodeDecodeError, LookupError):
        return False


def main() -> None:
    """Print a row for each language and rule."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=150)
    parser.add_argument("--names", default="tests")
    arguments = parser.parse_args()
    for source in arguments.names.split(","):
        languages = names_of(source)
        for name, rule in rules().items():
            shares = []
            for language, (encoding, names) in languages.items():
                made = tables(encoding, names, sets=arguments.sets, seed=language)
                shares.append(sum(reads(data, rule(data), text) for text, data in made) / len(made))
            told = "  ".join(f"{language} {share:.1%}" for language, share in zip(languages, shares, strict=True))
            print(f"{source:6} {name:28} right {sum(shares) / len(shares):.1%}   {told}")


if __name__ == "__main__":
    main()

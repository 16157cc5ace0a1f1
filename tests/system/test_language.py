from __future__ import annotations

import ast
import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pictaxa
from pictaxa.cli.main import main
from pictaxa.system.language import CATALOGUE, FIELD, language, shown, speaking

SOURCE = Path(pictaxa.__file__).parent
WORDS = re.compile(r"[A-Za-z]{2,}[,;:.!?)']* +[(']?[A-Za-z]{2,}")  # two beside each other: prose
CHINESE = re.compile("[\u3000-\u9fff\uff00-\uffef]")  # letters and punctuation


def rows() -> dict[str, str]:
    """The whole catalogue as it is written."""
    found: dict[str, str] = {}
    for file in sorted(CATALOGUE.glob("*.csv")):
        with file.open(encoding="utf-8", newline="") as lines:
            for english, chinese in csv.reader(lines):
                assert found.setdefault(english, chinese) == chinese, f"{file.name}: {english!r} has two translations"
    return found


def template(node: ast.AST) -> str:
    """A text of the source with numbered fields; empty for what is no text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return ""
    pieces, fields = [], 0
    for part in node.values:
        if isinstance(part, ast.Constant):
            pieces.append(part.value.replace("{", "{{").replace("}", "}}"))
        else:
            pieces.append(f"{{{fields}}}")
            fields += 1
    return "".join(pieces)


def messages(file: Path) -> Iterator[str]:
    """Each line of each text in a module that has two words beside each other and is no docstring."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    other: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            other.add(node.value)
        if isinstance(node, ast.JoinedStr):
            other.update(node.values)
            other.update(
                part.format_spec for part in node.values if isinstance(part, ast.FormattedValue) and part.format_spec
            )
    for node in ast.walk(tree):
        if node not in other:
            yield from (line for line in template(node).split("\n") if WORDS.search(FIELD.sub("{}", line)))


def helps(file: Path) -> Iterator[str]:
    """What --help shows of the dataclasses in a module: their docstrings and those of their fields."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef) and any("dataclass" in ast.dump(one) for one in node.decorator_list):
            if told := ast.get_docstring(node):
                yield " ".join(told.split())
            for field, text in zip(node.body, node.body[1:], strict=False):
                if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and template(text.value):
                    yield " ".join(template(text.value).split())


def test_every_text_of_a_page_has_a_translation():
    """What the templates of pages show through a filter."""
    texts = [file.read_text(encoding="utf-8") for file in SOURCE.rglob("*.html")]
    said = {text for page in texts for text in re.findall(r'"([^"]+)"\|(?:shown|filled|told)', page)}
    assert len(said) > 30 and said <= set(rows()), sorted(said - set(rows()))


@pytest.mark.parametrize("package", sorted(path.name for path in SOURCE.iterdir() if path.suffix in ("", ".py")))
def test_every_message_has_a_translation(package: str):
    """Each text of a package's source that is prose stands in the catalogue, as one that is shown or as none."""
    files = sorted((SOURCE / package).rglob("*.py")) if (SOURCE / package).is_dir() else [SOURCE / package]
    known = rows()
    missing = sorted({text for file in files for text in messages(file)} - set(known))
    assert not missing, "\n".join(missing)


def test_every_help_has_a_translation():
    """So does each setting and each command."""
    known, files = rows(), [*(SOURCE / "config").glob("*.py"), *(SOURCE / "cli").glob("*.py")]
    missing = sorted({text for file in files for text in helps(file)} - set(known))
    assert not missing, "\n".join(missing)


def heads(file: Path) -> Iterator[str]:
    """The heads of tables in a module: texts whose cells, four or more, are words with a width."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            values = [part.value.value if isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Constant)
                      else part.value.func.value.value if isinstance(part, ast.FormattedValue)
                      and isinstance(part.value, ast.Call) and isinstance(part.value.func, ast.Attribute)
                      and isinstance(part.value.func.value, ast.Constant)
                      else part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]  # fmt: skip
            cells = re.split(" {2,}", "  ".join(map(str, values)).strip())
            cells = [cell for cell in cells if cell]
            if len(cells) >= 4 and all(re.fullmatch(r"[A-Za-z]\w*([-/ ]\w+)*", cell) for cell in cells):
                yield "  ".join(cells)


def test_every_head_of_a_table_has_a_translation():
    """Each with as many cells as its original; no other row stands in tables.csv."""
    said = {head for file in SOURCE.rglob("*.py") for head in heads(file)}
    with (CATALOGUE / "tables.csv").open(encoding="utf-8", newline="") as lines:
        known = dict(csv.reader(lines))
    assert len(said) >= 6 and said == set(known), said ^ set(known)
    for english, chinese in known.items():
        assert len(english.split("  ")) == len(chinese.split("  ")), english


def test_a_head_keeps_its_columns():
    """A Chinese cell stands where its column begins, or ends where it ends; a character takes two columns."""
    with speaking("zh"):
        assert shown("class      pictures  precision  recall     F1") == "类别         图片数     精确率  召回率     F1"


def test_no_translation_is_of_what_nobody_says():
    """Rows of texts that were changed or deleted go; common.csv has short pieces, and what libraries say."""
    said = {text for file in SOURCE.rglob("*.py") for text in (*messages(file), *helps(file))}
    pages = [file.read_text(encoding="utf-8") for file in SOURCE.rglob("*.html")]
    said |= {text for page in pages for text in re.findall(r'"([^"]+)"\|(?:shown|filled|told)', page)}
    with (CATALOGUE / "common.csv").open(encoding="utf-8", newline="") as lines:
        common = {english for english, _ in csv.reader(lines)} | {
            head for f in SOURCE.rglob("*.py") for head in heads(f)
        }
    unused = sorted(set(rows()) - said - common)
    assert not unused, "\n".join(unused)


def test_nothing_is_lost_in_translation():
    """Each field, flag, and word of code stands in the translation as in the original; most of it is Chinese."""
    for english, chinese in rows().items():
        for kind in (r"\{\d+\}", r"--[a-z][a-z-]+", r"`[^`]+`"):
            assert set(re.findall(kind, english)) == set(re.findall(kind, chinese)), (english, chinese)
    translated = [chinese for english, chinese in rows().items() if english != chinese]
    assert len(translated) > 1000 and all(map(CHINESE.search, translated))


def test_the_language_is_asked_for_or_the_systems(monkeypatch: pytest.MonkeyPatch):
    """PICTAXA_LANGUAGE comes first, then the variables of POSIX in their order."""
    for name in ("PICTAXA_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    assert language() == "en"
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert language() == "zh"
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert language() == "en"
    with speaking("zh"):
        assert language() == "zh"
    assert language() == "en"


def test_messages_within_messages():
    """An error is translated with its parts; names, numbers and what is no message stay as they are."""
    told = "expected a whole number; found 'a file.jpg'. For example, use folds=5."
    assert shown(told) == told
    with speaking("zh"):
        assert shown(told) == "应为整数；实际为'a file.jpg'。例如使用 folds=5。"
        assert shown("daisy, tulip: 12.5%") == "daisy, tulip: 12.5%"
        assert shown("") == ""


def test_a_long_text_takes_one_pass():
    """A message with a stranger's text in it is as fast as another, whatever the text."""
    with speaking("zh"):
        text = "expected " + "; found " * 20_000
        assert "; found " in shown(text)


def test_a_command_in_chinese(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """--language stands anywhere, and holds for help, mistakes and what is told; another one is a mistake."""
    assert main(["evaluate", str(tmp_path / "none"), "--language", "zh"]) == 2
    assert CHINESE.search(capsys.readouterr().err)
    assert main(["--language=zh", "--help"]) == 0
    assert CHINESE.search(capsys.readouterr().out)
    with pytest.raises(SystemExit):
        main(["train", "--help", "--language", "zh"])
    assert CHINESE.search(capsys.readouterr().out)
    assert main(["--language", "en", "evaluate", str(tmp_path / "none")]) == 2
    assert not CHINESE.search(capsys.readouterr().err)
    assert main(["models", "--language", "latin"]) == 2
    assert "Use --language zh or --language en." in capsys.readouterr().err
    assert main(["models", "--language"]) == 2

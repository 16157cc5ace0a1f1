"""Where the cells of a line part, and which line a mistake is in."""

from __future__ import annotations

from pathlib import Path

import pytest

from pictaxa.data.columns import is_known
from pictaxa.data.text_tables import find_separator, read_text


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("path,label\na;b.jpg,cat\n", ","),
        ("path;label\na,b.jpg;cat\n", ";"),
        ("path\tlabel, in words\na.jpg\tcat\n", "\t"),
        ("a.jpg|cat, or so\nb.jpg|dog, or so\n", "|"),
        ('"path;x",label\n"a;b",cat\n', ","),
        ("path label\na.jpg cat\n", " "),
        ("file name,class name\nimg 1.jpg,big cat\n", ","),
        ("id,a;b,c;d\n1,2;3,4;5\n", ","),
    ],
)
def test_the_separator_is_what_gives_names_that_are_known(text: str, separator: str):
    """Marks within cells, in quotes or not, are no separators while another gives columns that are known."""
    assert find_separator(text, known=is_known) == separator


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("path,label\na.jpg,cat\nb.jpg\n", 3),
        ("# one\n# two\npath,label\na.jpg,cat,dog\n", 4),
        ('sep=,\npath,label\n"a\nb.jpg",cat\nc.jpg,"d\ne",f\n', 6),
        ("\n\npath,label\n\na.jpg\n", 5),
    ],
)
def test_a_mistake_is_told_by_its_line(text: str, line: int):
    """As an editor counts them, with what stands before the table, blank lines and lines within cells."""
    with pytest.raises(ValueError, match=f"cells in line {line},"):
        read_text(text, file=Path("a.csv"), notes=(), known=is_known)


def test_rows_come_back_without_what_is_no_cell():
    """Comments, blank lines and empty cells behind the last column are let go; blanks within cells stay."""
    text = "# x\npath , label,,\n\n a.jpg,big  cat ,,\n# y\nb.jpg,,\n"
    table = read_text(text, file=Path("a.csv"), notes=(), known=is_known)
    assert dict(table.columns) == {"path": [" a.jpg", "b.jpg"], "label": ["big  cat ", ""]}

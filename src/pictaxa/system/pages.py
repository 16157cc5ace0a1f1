"""The documentation's pages, as an installed package carries them and as they lie in the source."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError, close_matches
from .language import Language

PACKAGE = Path(__file__).resolve().parent.parent
README = "readme"
READMES: dict[Language, str] = {"en": "README.md", "zh": "README.zh-CN.md"}


@dataclass(frozen=True)
class Page:
    """A page of the documentation."""

    name: str  # as one asks for it, such as measured/data
    file: Path

    @property
    def text(self) -> str:
        """The page, in Markdown."""
        return self.file.read_text(encoding="utf-8")

    @property
    def title(self) -> str:
        """Its first heading."""
        heading = re.search(r"^# (.+)$", self.text, flags=re.MULTILINE)
        return heading[1] if heading else self.name


def pages(language: Language = "en") -> dict[str, Page]:
    """Find the pages of a language.

    Args:
        language: "en" or "zh".

    Returns:
        The pages by name, the README first.

    Raises:
        UsageError: the package was installed without them.

    Example:
        print(pages()["data"].title)
    """
    # In a wheel they are within the package; an editable install has the source's own.
    root = next((place for place in (PACKAGE / "pages", PACKAGE.parent.parent) if (place / "docs").is_dir()), None)
    if root is None:
        raise UsageError("This installation has no documentation.", fix="Install the wheel, which contains it.")
    folder = root / "docs" / "zh" if language == "zh" else root / "docs"
    found = {README: Page(README, root / READMES[language])} if (root / READMES[language]).exists() else {}
    for file in sorted(folder.rglob("*.md")):
        name = file.relative_to(folder).with_suffix("").as_posix()
        if language == "zh" or not name.startswith("zh/"):
            found[name] = Page(name, file)
    return found


def find_page(name: str, language: Language = "en") -> Page:
    """Find a page by its name, or by its path as other pages write it.

    Args:
        name: such as data, docs/data.md or measured/data.
        language: "en" or "zh".

    Returns:
        The page, in English where it is not translated.

    Raises:
        UsageError: there is no such page.

    Example:
        print(find_page("from-keras", "zh").text)
    """
    known = pages("en") | pages(language)
    plain = name.replace("\\", "/").removeprefix("docs/").removeprefix("zh/").removesuffix(".md")
    if plain.lower() in ("readme", "readme.zh-cn"):
        plain = README
    if plain in known:
        return known[plain]
    raise UsageError(f"There is no page {name!r}.", fix=close_matches(plain, known))

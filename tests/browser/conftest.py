"""A browser for all tests of pages, with axe-core, and pages to drive."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).parent
AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"


def load(name: str) -> ModuleType:
    """A module of this folder, which is no package."""
    spec = importlib.util.spec_from_file_location(f"pictaxa_tests_{name}", HERE / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, with one page."""
    driver = load("chromium")
    assert driver.chromium_path(), "Chromium is not installed: make browser does that"
    assert AXE.exists(), "axe-core is not installed: make browser does that"
    with driver.chromium() as started:
        yield started


@pytest.fixture
def page(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """A desk's window of the browser; what it complains of until the end of the test is a failure."""
    browser.complaints.clear()
    browser.resize(1280, 900)
    yield browser
    assert browser.complaints == []


@pytest.fixture
def faults(browser: Any) -> Callable[[], list[str]]:
    """Gives the serious and critical faults that axe-core finds in what is open."""

    def find() -> list[str]:
        browser.run(AXE.read_text(encoding="utf-8") + "; true")
        found = browser.run(
            "axe.run(document, {resultTypes: ['violations']}).then(result => result.violations"
            ".filter(one => ['serious', 'critical'].includes(one.impact))"
            ".map(one => one.id + ': ' + one.nodes.slice(0, 3).map(node => node.html.slice(0, 200)).join(' | ')))"
        )
        return list(found)

    return find


@pytest.fixture
def shot(browser: Any) -> Callable[[str], None]:
    """Keeps a picture of what is open, where PICTAXA_SHOTS names a folder."""

    def keep(name: str) -> None:
        if folder := os.environ.get("PICTAXA_SHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            browser.screenshot(Path(folder) / f"{name}.png")

    return keep

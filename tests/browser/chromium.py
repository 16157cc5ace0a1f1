"""Drives a headless Chromium through its DevTools protocol, over the two pipes that it offers for that.

Nothing is needed beside the browser and Python: no driver, no port, no library.
https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-extensions", "--remote-debugging-pipe", "about:blank",
)  # fmt: skip
SECONDS = 60.0  # for any one answer of the browser


class BrowserError(AssertionError):
    """What the browser or a script in a page says is wrong."""


class Chromium:
    """A browser with one page."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self._left = b""
        self._number = 0
        self._session = ""
        self.complaints: list[str] = []  # errors of the console, of scripts, and of what could not be loaded
        target = self._ask("Target.createTarget", {"url": "about:blank"})["targetId"]
        self._session = self._ask("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._ask(f"{domain}.enable")

    def resize(self, width: int, height: int, *, dark: bool = False, phone: bool = False) -> None:
        """Give the window a size in CSS pixels, a colour scheme, and the ways of a phone."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
        self._ask("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._ask("Emulation.setEmulatedMedia", {"features": [scheme]})

    def open(self, page: Path) -> None:
        """Show a page and wait until it is loaded."""
        self._ask("Page.navigate", {"url": page.resolve().as_uri()})
        self.wait("document.readyState === 'complete' && location.protocol === 'file:'")

    def run(self, script: str) -> Any:
        """Evaluate an expression in the page, or a promise; what it gives, as JSON has it."""
        answer = self._ask(
            "Runtime.evaluate",
            {"expression": script, "returnByValue": True, "awaitPromise": True, "userGesture": True},
        )
        if "exceptionDetails" in answer:
            raise BrowserError(json.dumps(answer["exceptionDetails"])[:2000])
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + SECONDS
        while not self.run(condition):
            if time.monotonic() > end:
                raise BrowserError(f"not within {SECONDS:g} s: {condition}")
            time.sleep(0.02)

    def press(self, key: str) -> None:
        """Press a key, such as Tab, Enter or a."""
        code = {"Tab": 9, "Enter": 13, "Escape": 27}.get(key, ord(key.upper()) if len(key) == 1 else 0)
        event: dict[str, Any] = {"key": key, "windowsVirtualKeyCode": code}
        if len(key) == 1 or key == "Enter":
            event["text"] = "\r" if key == "Enter" else key
        self._ask("Input.dispatchKeyEvent", {"type": "keyDown", **event})
        self._ask("Input.dispatchKeyEvent", {"type": "keyUp", "key": key, "windowsVirtualKeyCode": code})

    def save_downloads(self, folder: Path) -> None:
        """Let the page save files to a folder."""
        self._ask("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)})

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """Write what the window shows, or the whole page, as PNG."""
        answer = self._ask("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": whole})
        path.write_bytes(base64.b64decode(answer["data"]))

    def _ask(self, method: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask for something and wait for the answer; what the page complains of meanwhile is kept."""
        self._number += 1
        question = {"id": self._number, "method": method, "params": parameters or {}}
        if self._session:
            question["sessionId"] = self._session
        os.write(self._writing, json.dumps(question).encode() + b"\0")
        while True:
            message = self._message()
            if message.get("id") == self._number:
                if "error" in message:
                    raise BrowserError(f"{method}: {message['error']['message']}")
                return dict(message["result"])
            self._hear(message)

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._left:
            more = os.read(self._reading, 1 << 20)
            if not more:
                raise BrowserError("the browser has ended")
            self._left += more
        text, _, self._left = self._left.partition(b"\0")
        return dict(json.loads(text))

    def _hear(self, message: dict[str, Any]) -> None:
        method, told = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(told["exceptionDetails"])[:500])
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.complaints.append(json.dumps(told["args"])[:500])
        elif method == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.complaints.append(told["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            url = told["request"]["url"]
            if not url.startswith(("file:", "data:", "blob:", "about:")):
                self.complaints.append(f"asked for {url}")


def chromium_path() -> str | None:
    """Where the browser is; None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def chromium() -> Iterator[Chromium]:
    """Start a browser, and end it with all it has kept."""
    path = chromium_path()
    assert path is not None
    with tempfile.TemporaryDirectory(prefix="pictaxa-chromium-", ignore_cleanup_errors=True) as profile:
        pipes = [os.pipe(), os.pipe()]
        # Of the browser's side high numbers, so that giving them the numbers 3 and 4 overwrites neither.
        theirs = [fcntl.fcntl(end, fcntl.F_DUPFD, 20) for end in (pipes[0][0], pipes[1][1])]
        words = [path, f"--user-data-dir={profile}", *FLAGS]
        process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{theirs[0]} 4>&{theirs[1]}', "bash", *words],
            pass_fds=theirs, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for end in (*theirs, pipes[0][0], pipes[1][1]):
            os.close(end)
        try:
            yield Chromium(pipes[1][0], pipes[0][1])
        finally:
            os.close(pipes[0][1])  # without who asks, it ends
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            os.close(pipes[1][0])

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from pictaxa.cli.main import main
from pictaxa.errors import FetchError
from pictaxa.models.entry import Published
from pictaxa.models.zoo import ZOO, create_model
from pictaxa.runs.folder import open_run
from pictaxa.system import download
from pictaxa.system.download import fetch
from pictaxa.weights import published
from pictaxa.weights.published import PUBLISHED

CONTENT = bytes(range(256)) * 4000  # a megabyte


@dataclass
class Server:
    """A server on loopback that misbehaves as it is told."""

    content: bytes = CONTENT
    cut_after: int | None = None  # bytes of each answer, then the connection ends
    pause_seconds: float = 0.0  # before each half of an answer
    ignores_range: bool = False
    failures: list[int] = field(default_factory=list)  # statuses of the next answers
    ranges: list[str] = field(default_factory=list)  # what was asked for
    port: int = 0

    def address(self, name: str = "backbone-abc.pth") -> str:
        return f"http://127.0.0.1:{self.port}/{name}"

    def published(self, content: bytes = CONTENT) -> Published:
        digest = "sha256:" + hashlib.sha256(content).hexdigest()[:8]
        return Published(self.address(), digest, "torchvision", None, 70.0, 224, 256, "BSD-3-Clause")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """One that runs while a test does; waiting between tries is short."""
    told = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # http.server's name
            asked = self.headers.get("Range", "")
            told.ranges.append(asked)
            if told.failures:
                self.send_error(told.failures.pop(0))
                return
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and not told.ignores_range else 0
            if start >= len(told.content):
                self.send_error(416)
                return
            rest = told.content[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            part = rest[: told.cut_after]
            for half in (part[: len(part) // 2], part[len(part) // 2 :]):
                time.sleep(told.pause_seconds)
                self.wfile.write(half)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.port = http.server_port
    monkeypatch.setattr(download, "WAIT_SECONDS", 0.01)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    yield told
    http.shutdown()
    thread.join()
    http.server_close()


def take(row: Published, folder: Path) -> Path:
    """As a training takes a published file."""
    return fetch(row.address, folder, digest=row.digest)


def test_a_file_is_fetched_once(server: Server, tmp_path: Path):
    """It lies in the folder, whole, and is not asked for again."""
    for _ in range(2):
        path = take(server.published(), tmp_path)
        assert path.read_bytes() == CONTENT and path.name == "backbone-abc.pth"
    assert server.ranges == [""]
    assert not list(tmp_path.glob("*.partial"))


def test_what_is_cut_off_is_resumed(server: Server, tmp_path: Path):
    """A server that ends each answer after a fifth is asked for the rest, as often as something comes."""
    server.cut_after = len(CONTENT) // 8
    assert take(server.published(), tmp_path).read_bytes() == CONTENT
    assert len(server.ranges) == 8 > download.TRIES
    assert server.ranges[1] == f"bytes={len(CONTENT) // 8}-"


def test_a_killed_fetch_goes_on(server: Server, tmp_path: Path):
    """What an earlier process has left is not fetched again."""
    (tmp_path / "backbone-abc.pth.partial").write_bytes(CONTENT[:1000])
    assert take(server.published(), tmp_path).read_bytes() == CONTENT
    assert server.ranges == ["bytes=1000-"]


def test_a_server_that_knows_no_ranges(server: Server, tmp_path: Path):
    """It sends all again, and that replaces what was there."""
    server.ignores_range = True
    (tmp_path / "backbone-abc.pth.partial").write_bytes(b"x" * 1000)
    assert take(server.published(), tmp_path).read_bytes() == CONTENT


def test_a_partial_file_of_something_longer(server: Server, tmp_path: Path):
    """Asked for what lies beyond the end, the server says so; then it begins anew."""
    (tmp_path / "backbone-abc.pth.partial").write_bytes(CONTENT + b"more")
    assert take(server.published(), tmp_path).read_bytes() == CONTENT


def test_wrong_bytes_are_never_used(server: Server, tmp_path: Path):
    """Another content than the digest's is an error, and nothing of it stays."""
    server.content = CONTENT[::-1]
    with pytest.raises(FetchError, match="sha256"):
        take(server.published(), tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".lock"]


def test_a_file_put_there_by_hand_is_checked(server: Server, tmp_path: Path):
    """A right one is taken without asking anybody; a wrong one is told, and left to its owner."""
    path = tmp_path / "backbone-abc.pth"
    path.write_bytes(CONTENT)
    assert take(server.published(), tmp_path) == path and not server.ranges
    path.write_bytes(b"something else")
    with pytest.raises(FetchError, match="Remove it"):
        take(server.published(), tmp_path)
    assert path.read_bytes() == b"something else"


def test_a_slow_server_is_waited_for_and_a_silent_one_is_not(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Silence counts as a cut; with pauses below the limit the file comes."""
    monkeypatch.setattr(download, "SILENCE_SECONDS", 0.5)
    server.pause_seconds = 0.1
    assert take(server.published(), tmp_path / "a").read_bytes() == CONTENT
    monkeypatch.setattr(download, "SILENCE_SECONDS", 0.05)
    monkeypatch.setattr(download, "TRIES", 2)
    with pytest.raises(FetchError, match="backbone-abc"):
        take(server.published(), tmp_path / "b")


def test_passing_failures_are_tried_again(server: Server, tmp_path: Path):
    """503 and 500 pass; 404 does not, and is told at once with where the file would go."""
    server.failures = [503, 500]
    assert take(server.published(), tmp_path).read_bytes() == CONTENT
    server.failures = [404]
    with pytest.raises(FetchError, match=r"404.*put it at"):
        take(server.published(), tmp_path / "other")


def test_offline_it_says_where_the_file_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """No connection at all: one line with the address and the place."""
    monkeypatch.setattr(download, "WAIT_SECONDS", 0.01)
    nobody = Published("http://127.0.0.1:9/x-1.pth", "sha256:00", "torchvision", None, 1.0, 224, 256, "BSD-3-Clause")
    with pytest.raises(FetchError, match=r"127\.0\.0\.1:9/x-1\.pth.*refused.*put it at"):
        take(nobody, tmp_path)


def test_a_training_from_published_weights(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_photos: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    """--weights imagenet: fetched, checked, loaded, and the run remembers whose they were."""
    torch.manual_seed(0)
    names = {
        name: value for name, value in create_model("resnet18").state_dict().items() if name not in ("mean", "std")
    }
    torch.save(names, tmp_path / "backbone.pth")
    server.content = (tmp_path / "backbone.pth").read_bytes()
    monkeypatch.setitem(published.PUBLISHED, "resnet18", server.published(server.content))
    data = make_photos(tmp_path / "photos", {"a": 12, "b": 12})
    words = ["train", str(data), "--weights", "imagenet", "--size", "32", "--tune", "head", "--epochs", "2"]
    assert main([*words, "--model", "resnet18", "--precision", "float32", "--out", str(tmp_path / "run")]) == 0
    asked = open_run(tmp_path / "run").config["asked"]["transfer"]
    assert asked["source"] == "torchvision" and asked["weights"].endswith("weights/backbone-abc.pth")
    assert main([*words, "--model", "lenet5", "--out", str(tmp_path / "c")]) == 2
    assert "published weights" in capsys.readouterr().err


def test_the_table_names_entries_and_can_be_checked(capsys: pytest.CaptureFixture[str]):
    """Each row is of an entry with that size, and has a digest, a licence and an https address or a package."""
    for name, row in PUBLISHED.items():
        entry = ZOO[name]
        assert entry.size == row.size and 50 < row.accuracy < 90 and row.licence
        algorithm, _, digest = row.digest.partition(":")
        assert len(digest) == {"sha256": 64 if row.package else 8, "md5": 32}[algorithm] and int(digest, 16) >= 0
        assert row.address.startswith("https://") or row.package.endswith("-pytorch-model==0.1.0")
        assert row.normalization is not None or row.source == "torchvision"
    assert main(["weights", "list"]) == 0
    assert "resnet50-0676ba61.pth" in capsys.readouterr().out

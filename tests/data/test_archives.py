"""Pictures within zip and tar files."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from pictaxa.data import archives
from pictaxa.data.archives import archive_pictures, is_archive
from pictaxa.data.walk import PassedOver
from pictaxa.errors import DataError, PictureError

FILES = {"a/1.jpg": b"one", "a/b/2.png": b"two", "__MACOSX/a/._1.jpg": b"x", "read.me": b"x"}


def pack(path: Path) -> Path:
    """A file of FILES."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in FILES.items():
                archive.writestr(name, data)
        return path
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for name, data in FILES.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


@pytest.mark.parametrize("name", ["p.zip", "p.tar", "p.tgz", "p.tar.gz"])
def test_pictures_come_with_their_bytes(tmp_path: Path, name: str):
    """In order, named FILE#MEMBER; what systems leave and other files are counted."""
    passed = PassedOver()
    path = pack(tmp_path / name)
    found = [(name.removeprefix(f"{path}#"), fetch()) for name, fetch in archive_pictures(path, passed)]
    assert is_archive(path) and found == [("a/1.jpg", b"one"), ("a/b/2.png", b"two")]
    assert passed.hidden == {"__MACOSX": 1} and passed.other_files == {".me": 1}


def test_names_of_a_chinese_zip(tmp_path: Path):
    """A zip made on a Chinese Windows has names in GBK and doesn't say so."""
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo("hhhh.jpg"), b"x")
    data = (tmp_path / "x.zip").read_bytes().replace(b"hhhh.jpg", "花朵".encode("gbk") + b".jpg")
    (tmp_path / "x.zip").write_bytes(data)
    ((name, _),) = archive_pictures(tmp_path / "x.zip", PassedOver())
    assert name == f"{tmp_path}/x.zip#花朵.jpg"


def test_a_damaged_member_is_one_pictures_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The others go on; so do they behind one that would unpack to more than any picture."""
    data = pack(tmp_path / "p.zip").read_bytes()
    (tmp_path / "p.zip").write_bytes(data.replace(b"one", b"0ne", 1))
    first, second = [fetch for _, fetch in archive_pictures(tmp_path / "p.zip", PassedOver())]
    with pytest.raises(PictureError, match="damaged"):
        first()
    assert second() == b"two"
    monkeypatch.setattr(archives, "MAX_BYTES", 2)
    with pytest.raises(PictureError, match="decompression bomb: 3 bytes"):
        next(iter(archive_pictures(pack(tmp_path / "q.tar"), PassedOver())))[1]()


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tgz"])
def test_what_is_no_archive_is_one_line(tmp_path: Path, name: str):
    """Other bytes under an archive's name, or half of one."""
    (tmp_path / name).write_bytes(b"no archive")
    with pytest.raises(DataError, match="whole zip or tar"):
        list(archive_pictures(tmp_path / name, PassedOver()))

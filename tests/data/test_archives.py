"""Pictures within zip and tar files."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from pictaxa.data import archives
from pictaxa.data.archives import archive_pictures, is_archive
from pictaxa.data.reading import read_data
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
    monkeypatch.setattr(archives, "MAX_PICTURE_BYTES", 2)
    with pytest.raises(PictureError, match="decompression bomb: 3 bytes"):
        next(iter(archive_pictures(pack(tmp_path / "q.tar"), PassedOver())))[1]()


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packed_members_that_are_damaged(tmp_path: Path, method: int):
    """Whatever an unpacker raises of any changed byte is a picture's problem, or changes nothing."""
    with zipfile.ZipFile(tmp_path / "p.zip", "w", method) as archive:
        archive.writestr("a.jpg", bytes(range(256)) * 4)
    data = (tmp_path / "p.zip").read_bytes()
    begin, end = 30 + len("a.jpg"), data.index(b"PK\1\2")
    damaged = 0
    for place in range(begin, end):
        (tmp_path / "p.zip").write_bytes(data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :])
        ((_, fetch),) = archive_pictures(tmp_path / "p.zip", PassedOver())
        try:
            assert fetch() == bytes(range(256)) * 4
        except PictureError as error:
            damaged += 1
            assert "damaged" in str(error)
    assert damaged > (end - begin) // 2


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tgz"])
def test_what_is_no_archive_is_one_line(tmp_path: Path, name: str):
    """Other bytes under an archive's name, or half of one."""
    (tmp_path / name).write_bytes(b"no archive")
    with pytest.raises(DataError, match="whole zip or tar"):
        list(archive_pictures(tmp_path / name, PassedOver()))


def with_size(path: Path, size: int) -> Path:
    """A tar file of FILES whose second picture says that it has so many bytes, as GNU writes what is large."""
    data = bytearray(pack(path).read_bytes())
    begin = data.index(b"a/b/2.png")
    field = bytearray(size.to_bytes(12, "big", signed=True))
    field[0] |= 0x80
    data[begin + 124 : begin + 136] = field
    data[begin + 148 : begin + 156] = b" " * 8
    data[begin + 148 : begin + 156] = b"%06o\0 " % sum(data[begin : begin + 512])
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("size", [10**20, 2**63, -512, -1536, -(2**70)])
@pytest.mark.parametrize("name", ["a.tar", "shards"])
def test_sizes_that_no_file_has(tmp_path: Path, size: int, name: str):
    """Beyond every offset, or below 0, where tarfile would find the same member again and again."""
    if name == "shards":
        (tmp_path / "s").mkdir()
        with pytest.raises(DataError, match=r"uncompressed tar file.*2\.png' of -?[0-9,]+ bytes"):
            read_data(with_size(tmp_path / "s" / "a.tar", size))
    else:
        with pytest.raises(DataError, match=r"whole zip or tar file.*2\.png' of -?[0-9,]+ bytes"):
            list(archive_pictures(with_size(tmp_path / name, size), PassedOver()))


def test_a_name_of_a_gigabyte(tmp_path: Path):
    """tarfile reads a long name in one go; of a packed file a few kilobytes would do."""
    long = tarfile.TarInfo("././@LongLink")
    long.type, long.size = tarfile.GNUTYPE_LONGNAME, 2**30
    with gzip.open(tmp_path / "a.tar.gz", "wb") as file:
        file.write(long.tobuf(tarfile.GNU_FORMAT) + bytes(2**16))
    with pytest.raises(DataError, match="a header of 1,073,741,824 bytes"):
        list(archive_pictures(tmp_path / "a.tar.gz", PassedOver()))


def test_a_zip_that_says_less_than_it_unpacks_to(tmp_path: Path):
    """A member of 100 bytes by the directory, and of 200 MB when it is unpacked, ends at what is said."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", bytes(2 * 10**8))
    path.write_bytes(path.read_bytes().replace((2 * 10**8).to_bytes(4, "little"), (100).to_bytes(4, "little")))
    tracemalloc.start()
    ((_, fetch),) = archive_pictures(path, PassedOver())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    with pytest.raises(PictureError, match="damaged: Bad CRC"):
        fetch()
    assert peak < 10**7


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_under_an_archives_name(tmp_path: Path):
    """It is told, and not waited for."""
    os.mkfifo(tmp_path / "a.zip")
    with pytest.raises(DataError, match="a named pipe, not a file"):
        list(archive_pictures(tmp_path / "a.zip", PassedOver()))

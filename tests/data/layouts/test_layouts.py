"""One battery over every layout: the same pictures, written in each, are read back the same."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pictaxa.cli.main import main
from pictaxa.config.data import ReadingConfig
from pictaxa.data.cache import build_cache
from pictaxa.data.fetching import Fetcher
from pictaxa.data.reading import read_data, survey
from pictaxa.data.squares import CacheSpec
from pictaxa.data.table import as_words
from pictaxa.errors import DataError
from pictaxa.images.decode import decode, square_of

NAMES = ("cat", "dog", "emu")
COUNTS = {"train": 24, "test": 6}
SIDE = 32


def pixels(split: str, number: int) -> np.ndarray:
    """(32, 32, 3) uint8, no two the same; the label of a picture is its number modulo 3."""
    noise = np.random.default_rng([len(split), number]).integers(0, 60, (SIDE, SIDE, 3))
    return (noise + np.array([60, 90, 120]) * (number % 3 == np.arange(3))).astype(np.uint8)


def stack(split: str) -> np.ndarray:
    """(n, 32, 32, 3) uint8."""
    return np.stack([pixels(split, number) for number in range(COUNTS[split])])


def labels(split: str) -> np.ndarray:
    """(n,) int64."""
    return np.arange(COUNTS[split]) % 3


def png(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def write_folders(root: Path) -> Path:
    for split in COUNTS:
        for number, array in enumerate(stack(split)):
            folder = root / split / NAMES[number % 3]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number:03}.png").write_bytes(png(array))
    return root


def rows_of_files(root: Path) -> list[dict[str, object]]:
    write_folders(root)
    return [
        {"image": f"{split}/{NAMES[number % 3]}/{number:03}.png", "label": NAMES[number % 3], "split": split}
        for split, count in COUNTS.items()
        for number in range(count)
    ]


def write_csv(root: Path) -> Path:
    lines = ["image,label,split", *(",".join(map(str, row.values())) for row in rows_of_files(root))]
    (root / "all.csv").write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    return root / "all.csv"


def write_tsv(root: Path) -> Path:
    lines = ["文件\t标签\t划分", *("\t".join(map(str, row.values())) for row in rows_of_files(root))]
    (root / "all.tsv").write_bytes("\n".join(lines).encode("gb18030"))
    return root / "all.tsv"


def write_jsonl(root: Path) -> Path:
    (root / "x").mkdir()
    (root / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows_of_files(root)))
    return root / "all.jsonl"


def write_parquet_manifest(root: Path) -> Path:
    pq.write_table(pa.Table.from_pylist(rows_of_files(root)), root / "all.parquet")
    return root / "all.parquet"


def write_hugging_face(root: Path) -> Path:
    names = {"info": {"features": {"label": {"names": list(NAMES), "_type": "ClassLabel"}}}}
    (root / "data").mkdir()
    (root / "README.md").write_text("x")
    for split in COUNTS:
        table = pa.table(
            {
                "image": [{"bytes": png(array), "path": "a.png"} for array in stack(split)],
                "label": labels(split),
            }
        ).replace_schema_metadata({"huggingface": json.dumps(names)})
        pq.write_table(table, root / "data" / f"{split}-00000-of-00001.parquet", row_group_size=5)
    return root


def write_cifar_pickles(root: Path) -> Path:
    """With numpy's own pickles, as the published files have them."""
    planes = {split: stack(split).transpose(0, 3, 1, 2).reshape(-1, 3072) for split in COUNTS}
    for name, split in (("data_batch_1", "train"), ("test_batch", "test")):
        document = {b"data": planes[split], b"labels": labels(split).tolist(), b"batch_label": b"x"}
        (root / name).write_bytes(pickle.dumps(document, protocol=2))
    (root / "batches.meta").write_bytes(pickle.dumps({"label_names": list(NAMES), "num_vis": 3072}, protocol=2))
    return root


def write_cifar_binary(root: Path) -> Path:
    for name, split in (("train.bin", "train"), ("test.bin", "test")):
        planes = stack(split).transpose(0, 3, 1, 2).reshape(-1, 3072)
        coarse = np.zeros((len(planes), 1), dtype=np.uint8)
        (root / name).write_bytes(np.hstack([coarse, labels(split)[:, None].astype(np.uint8), planes]).tobytes())
    (root / "fine_label_names.txt").write_text("\n".join(NAMES) + "\n\n")
    return root


def write_npz(root: Path) -> Path:
    np.savez_compressed(
        root / "a.npz", x_train=stack("train"), y_train=labels("train"), x_test=stack("test"), y_test=labels("test"),
        class_names=np.array(NAMES),
    )  # fmt: skip
    return root / "a.npz"


def write_floats_by_planes(root: Path) -> Path:
    """(N, C, H, W) in [0, 1], one-hot labels, keys of their own."""
    arrays = {}
    for split in COUNTS:
        arrays[f"{split}_images"] = stack(split).transpose(0, 3, 1, 2).astype(np.float32) / 255
        arrays[f"{split}_labels"] = np.eye(3)[labels(split)]
    np.savez(root / "a.npz", names=np.array(NAMES), **arrays)
    return root / "a.npz"


def write_hdf5(root: Path) -> Path:
    with h5py.File(root / "signs.h5", "w") as file:
        for split in COUNTS:
            file[f"{split}_set_x"], file[f"{split}_set_y"] = stack(split), labels(split)[None]
        file["list_classes"] = np.array([name.encode() for name in NAMES])
    return root / "signs.h5"


def write_shards(root: Path) -> Path:
    for split, count in COUNTS.items():
        for shard in range(2):
            with tarfile.open(root / f"{split}-{shard:04}.tar", "w") as archive:
                for number in range(shard, count, 2):
                    name = NAMES[number % 3]
                    told = ("json", json.dumps({"label": name}).encode()) if shard else ("cls", name.encode() + b"\n")
                    for suffix, data in (("png", png(pixels(split, number))), told):
                        member = tarfile.TarInfo(f"./{number:04}.{suffix}")
                        member.size = len(data)
                        archive.addfile(member, io.BytesIO(data))
    return root / "{train,test}-{0000..0001}.tar"


WRITERS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "folders": ("folders", write_folders),
    "csv": ("manifest", write_csv),
    "chinese tsv": ("manifest", write_tsv),
    "json lines": ("manifest", write_jsonl),
    "parquet manifest": ("manifest", write_parquet_manifest),
    "hugging face": ("parquet", write_hugging_face),
    "cifar pickles": ("cifar", write_cifar_pickles),
    "cifar binary": ("cifar", write_cifar_binary),
    "npz": ("arrays", write_npz),
    "floats by planes": ("arrays", write_floats_by_planes),
    "hdf5": ("arrays", write_hdf5),
    "shards": ("shards", write_shards),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_layout_gives_the_same_pictures(name: str, tmp_path: Path):
    """Found without being told, with its classes, splits and exact pixels; a picture has one place in every split."""
    layout, write = WRITERS[name]
    index = read_data(write(tmp_path))
    assert index.classes == NAMES and len(index) == 30
    assert layout == "folders" or f"read as {layout} (--layout {layout})" in index.notes
    assert len(set(index.column("path"))) == 30 and index.usable.all()
    expected = {
        (split, number % 3, pixels(split, number).tobytes())
        for split, count in COUNTS.items()
        for number in range(count)
    }
    with Fetcher(index) as fetcher:
        found = {
            (index.column("split")[row], index.labels[row], np.asarray(decode(fetcher.fetch(row), name="x")).tobytes())
            for row in range(30)
        }
    assert found == expected
    assert survey(index) == (SIDE, False)


@pytest.mark.parametrize("name", WRITERS)
def test_only_some_classes(name: str, tmp_path: Path):
    """--only leaves the pictures of the others out and says so; for a class that isn't there a close one is named."""
    place = WRITERS[name][1](tmp_path)
    index = read_data(place, ReadingConfig(only=("cat", "emu")))
    assert index.classes == ("cat", "emu") and len(index) == 20
    assert "left out 1 of 3 classes (--only)" in index.notes
    with Fetcher(index) as fetcher:
        found = {np.asarray(decode(fetcher.fetch(row), name="x")).tobytes() for row in range(20)}
    assert found == {pixels(s, n).tobytes() for s, count in COUNTS.items() for n in range(count) if n % 3 != 1}
    with pytest.raises(DataError, match="Did you mean cat"):
        read_data(place, ReadingConfig(only=("cats",)))


@pytest.mark.parametrize("name", WRITERS)
def test_every_layout_is_cached_and_read_again(name: str, tmp_path: Path):
    """Through the cache in threads: the squares are the pictures, and a second opening decodes nothing."""
    place = WRITERS[name][1](tmp_path)
    index = read_data(place)
    decoded: list[int] = []
    spec = CacheSpec(side=SIDE, channels=3)
    for _ in range(2):
        cache, filled = build_cache(
            index, spec, root=tmp_path / "cache", threads=2, progress=lambda done, total: decoded.append(total)
        )
    assert len(decoded) == 30 and filled.usable.all() and len(set(filled.column("hash"))) == 30
    with Fetcher(filled) as fetcher:
        for row in (0, 7, 29):
            square = square_of(fetcher.fetch(row), name="x", side=SIDE, channels=3)
            assert np.array_equal(cache.read(np.array([row]))[0], square.pixels)


@pytest.mark.parametrize("name", ["csv", "hugging face", "cifar pickles", "hdf5", "shards"])
def test_a_training_and_what_follows(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """From the command line: train, evaluate on itself and on the test pictures, report, resume nothing, preview."""
    (tmp_path / "pictures").mkdir()
    place, run = WRITERS[name][1](tmp_path / "pictures"), tmp_path / "run"
    tiny = ["--model", "lenet5", "--size", "28", "--batch-size", "8", "--policy", "light", "--epochs", "2"]
    assert main(["train", str(place), "--out", str(run), *tiny]) == 0
    assert main(["evaluate", str(run)]) == 0
    assert main(["evaluate", str(run), str(place), "--split", "test"]) == 0
    assert "the test pictures" in capsys.readouterr().out
    assert main(["report", str(run)]) == 0
    page = (run / "report" / "index.html").read_text(encoding="utf-8")
    assert page.count("data:image/") >= 3
    assert main(["preview", str(place), "--out", str(tmp_path / "p.png")]) == 0
    assert main(["train", "--resume", str(run)]) == 0


IDX = struct.Struct(">HBB")


def write_idx(root: Path, *, prefix: str = "", suffix: str = ".gz") -> Path:
    """As MNIST's four files."""
    for split, word in (("train", "train"), ("test", "t10k")):
        grey = stack(split)[..., 0]
        for kind, array, axes in (("images-idx3", grey, 3), ("labels-idx1", labels(split).astype(np.uint8), 1)):
            data = IDX.pack(0, 8, axes) + struct.pack(f">{axes}i", *array.shape) + array.tobytes()
            file = root / f"{prefix}{word}-{kind}-ubyte{suffix}"
            file.write_bytes(gzip.compress(data) if suffix else data)
    return root


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx(suffix: str, tmp_path: Path):
    """Zipped or not, by the folder or by a file of pictures: grey pixels, digits as classes, t10k as the test."""
    write_idx(tmp_path, suffix=suffix)
    index = read_data(tmp_path)
    assert index.classes == ("0", "1", "2") and survey(index) == (SIDE, True)
    with Fetcher(index) as fetcher:
        assert np.array_equal(fetcher.fetch(5), pixels("train", 5)[..., 0])
        assert np.array_equal(fetcher.fetch(25), pixels("test", 1)[..., 0])
    assert len(read_data(tmp_path / f"train-images-idx3-ubyte{suffix}").rows("train")) == 24


def test_files_that_lie_packed_and_unpacked(tmp_path: Path):
    """The same pictures are read once."""
    for suffix in ("", ".gz"):
        write_idx(tmp_path, suffix=suffix)
    assert len(read_data(tmp_path)) == 30


def test_emnist_is_turned_upright(tmp_path: Path):
    """EMNIST's pictures lie on their side; its mapping names the characters, upper and lower case apart."""
    write_idx(tmp_path, prefix="emnist-byclass-")
    for word in ("images-idx3", "labels-idx1"):
        (tmp_path / f"emnist-byclass-t10k-{word}-ubyte.gz").rename(tmp_path / f"emnist-byclass-test-{word}-ubyte.gz")
    (tmp_path / "emnist-byclass-mapping.txt").write_text("0 48\n1 65\n2 97\n")
    index = read_data(tmp_path)
    assert index.classes == ("0", "A", "a")
    with Fetcher(index) as fetcher:
        assert np.array_equal(fetcher.fetch(5), pixels("train", 5)[..., 0].T)


def test_columns_by_other_names_and_groups(tmp_path: Path):
    """Columns can be named; a table without a header is path and label; groups come along."""
    rows = rows_of_files(tmp_path)
    lines = [f"{row['image']};{row['label']}".replace(";", ",") for row in rows]
    (tmp_path / "bare.csv").write_text("\n".join(lines))
    assert read_data(tmp_path / "bare.csv").classes == NAMES
    lines = ["where,what,who", *(f"{row['image']},{row['label']},{n // 4}" for n, row in enumerate(rows))]
    (tmp_path / "odd.csv").write_text("\n".join(lines))
    with pytest.raises(DataError, match="--label-column"):  # the one with names of pictures is found by these
        read_data(tmp_path / "odd.csv")
    index = read_data(tmp_path / "odd.csv", ReadingConfig(path_column="where", label_column="what", group_column="who"))
    assert index.column("group")[9] == "2" and "'who' is the group" in " ".join(index.notes)
    with pytest.raises(DataError, match="'wat'"):
        read_data(tmp_path / "odd.csv", ReadingConfig(path_column="where", label_column="wat"))


def test_labels_are_words():
    """Whatever type a column has: whole numbers without a point, categories by their names, nothing as nothing."""
    for values, words in (
        ([3, None, 5], ["3", None, "5"]),
        ([3.0, 4.0], ["3", "4"]),
        ([3.5, 4.0], ["3.5", "4"]),
        ([True, False], ["true", "false"]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
    ):
        assert as_words(pa.chunked_array([values])).to_pylist() == words


def test_rows_that_are_not_whole(tmp_path: Path):
    """A file that is not there, a row without a label or path: set aside with the reason; too many: an error."""
    rows = rows_of_files(tmp_path)[:12]
    rows[0]["image"], rows[1]["label"], rows[2]["image"] = "gone.png", None, None
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    index = read_data(tmp_path / "a.jsonl")
    told = [str(problem) for _, problem in index.set_aside()]
    assert told == ["unreadable: No such file or directory", "it has no label", "it has no path"]
    assert index.labels[1] == -1
    for row in rows[3:10]:
        row["image"] = str(row["image"]).replace(".png", " of another day.png")
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError, match="9 of 12"):
        read_data(tmp_path / "a.jsonl")


def test_numbers_get_their_names(tmp_path: Path):
    """Synsets of a file beside the folders, and any list of names; two classes of one name keep their codes."""
    for code in ("n01440764", "n02012849", "n03126707"):
        (tmp_path / "train" / code).mkdir(parents=True)
        (tmp_path / "train" / code / "a.png").write_bytes(png(pixels(code, 0)))
    (tmp_path / "LOC_synset_mapping.txt").write_text(
        "n01440764 tench, Tinca tinca\nn02012849 crane\nn03126707 crane\nn09999999 x\n"
    )
    index = read_data(tmp_path)
    assert index.classes == ("crane (n02012849)", "crane (n03126707)", "tench")
    assert index.classes[index.labels[0]] == "tench" and "LOC_synset_mapping.txt" in index.notes[0]
    (tmp_path / "a.json").write_text('{"0": ["n01440764", "big_fish"], "1": ["n02012849", "bird"]}')
    asked = ReadingConfig(class_names=tmp_path / "a.json")
    assert read_data(tmp_path, asked).classes == ("big fish", "bird", "n03126707")
    (tmp_path / "numbers").mkdir()
    write_idx(tmp_path / "numbers")
    (tmp_path / "names.txt").write_text("zero\none\ntwo\n")
    told = read_data(tmp_path / "numbers", ReadingConfig(class_names=tmp_path / "names.txt"))
    assert told.classes == ("zero", "one", "two")


def test_what_is_no_layout(tmp_path: Path):
    """Each mistake is one error that says what was looked for and what is there."""
    (tmp_path / "a.pdf").write_text("x")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "odd.npz").write_bytes(b"PK no zip")
    (tmp_path / "odd.parquet").write_bytes(b"PAR1 no parquet")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    np.savez(tmp_path / "short.npz", x=np.zeros((3, 8, 8), dtype=np.uint8), y=np.zeros(2))
    (tmp_path / "a.tar").write_bytes(b"no tar")
    (tmp_path / "idx").mkdir()
    (tmp_path / "idx" / "train-images-idx3-ubyte").write_bytes(IDX.pack(0, 8, 3) + struct.pack(">3i", 4, 8, 8))
    for name, match in (
        ("none", "nothing at"), ("a.pdf", "a file at"), ("empty.csv", "empty.csv"), ("odd.npz", "odd.npz"),
        ("odd.parquet", "odd.parquet"), ("other.npz", "--keys"), ("short.npz", "as many labels"), ("a.tar", "a.tar"),
        ("idx", "labels"), ("x-{0..2}.tar", "x-0.tar, .*x-1.tar"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=match):
            read_data(tmp_path / name)
    with pytest.raises(DataError, match="data_batch_1"):
        read_data(tmp_path, ReadingConfig(layout="cifar"))


class Harmful:
    """What a pickle may make run."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.file,)


@pytest.mark.parametrize(
    "document",
    [
        {"label_names": Harmful(Path("made"))},
        {"label_names": np.array([Harmful(Path("made"))], dtype=object)},
        {"label_names": range(3)},
        {"label_names": np.zeros(3)},
        [1, 2],
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_pickles_with_more_than_plain_values(
    document: object, protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Refused with one error, and nothing in them is run."""
    monkeypatch.chdir(tmp_path)
    write_cifar_pickles(tmp_path)
    (tmp_path / "batches.meta").write_bytes(pickle.dumps(document, protocol=protocol))
    with pytest.raises(DataError, match="only arrays"):
        read_data(tmp_path)
    assert not Path("made").exists()


def test_newer_pickles_of_cifar(tmp_path: Path):
    """What today's Python and numpy write is read as well."""
    write_cifar_pickles(tmp_path)
    for name in ("data_batch_1", "test_batch", "batches.meta"):
        document = pickle.loads((tmp_path / name).read_bytes())
        (tmp_path / name).write_bytes(pickle.dumps(document, protocol=5))
    index = read_data(tmp_path)
    with Fetcher(index) as fetcher:
        assert np.array_equal(fetcher.fetch(3), pixels("train", 3))


def test_links_out_of_a_file_are_not_followed(tmp_path: Path):
    """An HDF5 file whose arrays lie in other files has none."""
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x_train"] = stack("train")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x_train"] = h5py.ExternalLink("other.h5", "x_train")
        file["y_train"] = labels("train")
    with pytest.raises(DataError, match="y_train"):
        read_data(tmp_path / "a.h5")


def test_a_zip_bomb(tmp_path: Path):
    """An array that would take far more memory than its file has bytes is refused before it is read."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (300, 1024, 1024)})
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("x.npy", "w") as file:
            file.write(header.getvalue())
            for _ in range(300):
                file.write(bytes(2**20))
        labelled = io.BytesIO()
        np.save(labelled, np.arange(300) % 3)
        archive.writestr("y.npy", labelled.getvalue())
    with pytest.raises(DataError, match="would take 314,572,928 bytes"):
        read_data(tmp_path / "a.npz")

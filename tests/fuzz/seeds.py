"""Real files to begin from: small pictures of every format, every layout of data sets as its own tests write it, and
weights of every form.
"""

from __future__ import annotations

import io
import pickle
import runpy
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import tifffile
from checkpoints import write_weights
from damage import Seed
from PIL import Image
from pillow_heif import from_pillow

TESTS = Path(__file__).parents[1]
LAYOUTS = runpy.run_path(str(TESTS / "data" / "layouts" / "test_layouts.py"))
DICOM = runpy.run_path(str(TESTS / "images" / "test_dicom.py"))


def write_seeds(folder: Path) -> dict[str, list[Seed]]:
    """Kind, such as "PNG" or "hdf5" -> its seeds, the same whenever they are written."""
    return write_pictures(folder / "pictures") | write_sets(folder / "sets") | write_weights(folder / "weights")


def write_pictures(folder: Path) -> dict[str, list[Seed]]:
    """Each format in the forms that matter to its decoder."""
    kinds: dict[str, list[Seed]] = {}
    for kind, forms in pictures().items():
        for number, data in enumerate(forms):
            root = folder / f"{kind}-{number}"
            root.mkdir(parents=True)
            (root / "picture").write_bytes(data)
            kinds.setdefault(kind, []).append(Seed(root, "picture", ("picture",)))
    return kinds


def pictures() -> dict[str, list[bytes]]:
    """Format -> encoded pictures of 64 x 48 or so."""
    noise = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    photo = Image.fromarray(noise).resize((64, 48), Image.Resampling.BICUBIC)
    second = Image.fromarray(noise[::-1].copy()).resize((64, 48), Image.Resampling.BICUBIC)
    grey, palette, clear = photo.convert("L"), photo.quantize(32), photo.convert("RGBA")
    clear.putalpha(grey)
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    turned = Image.Exif()
    turned[0x0112] = 6
    turned[0x010F] = "maker"
    moving = {"save_all": True, "append_images": [second, photo]}
    fractions = Image.fromarray(np.asarray(grey).astype(np.float32) / 255)
    whole = encoded(photo, "BMP")
    return {
        "JPEG": [
            encoded(photo, "JPEG", quality=90), encoded(photo, "JPEG", progressive=True, quality=80),
            encoded(grey, "JPEG"), encoded(photo.convert("CMYK"), "JPEG", quality=60),
            encoded(photo, "JPEG", exif=turned, subsampling=0), encoded(photo, "JPEG", restart_marker_blocks=2),
            encoded(photo.resize((600, 400)), "JPEG"),
        ],
        "PNG": [
            encoded(photo, "PNG"), encoded(photo.convert("1"), "PNG"), encoded(deep, "PNG"),
            encoded(palette, "PNG", transparency=3), encoded(photo.quantize(16), "PNG", bits=4),
            encoded(clear, "PNG", exif=turned), encoded(photo, "PNG", transparency=(0, 0, 0)),
            encoded(grey.convert("LA"), "PNG"), encoded(photo, "PNG", **moving), interlaced(np.asarray(photo)),
        ],
        "WEBP": [
            encoded(photo, "WEBP"), encoded(photo, "WEBP", lossless=True), encoded(clear, "WEBP", quality=50),
            encoded(photo, "WEBP", **moving), encoded(clear, "WEBP", lossless=True, exif=turned),
        ],
        "BMP": [
            whole, encoded(grey, "BMP"), encoded(photo.convert("1"), "BMP"), encoded(clear, "BMP"), whole[14:],
            run_lengths(np.asarray(palette)),
        ],
        "GIF": [
            encoded(palette, "GIF"), encoded(grey, "GIF"), encoded(palette, "GIF", transparency=3, interlace=0),
            encoded(photo, "GIF", **moving),
        ],
        "TIFF": [
            *(encoded(photo, "TIFF", compression=name) for name in (
                None, "packbits", "tiff_lzw", "tiff_adobe_deflate", "jpeg",
            )),
            encoded(photo.convert("1"), "TIFF", compression="group4"), encoded(deep, "TIFF"),
            encoded(fractions, "TIFF", compression="tiff_lzw"), encoded(clear, "TIFF", exif=turned),
            encoded(photo, "TIFF", tiffinfo={278: 5}), encoded(palette, "TIFF"), encoded(photo, "TIFF", **moving),
            *numbers(np.asarray(photo)),
        ],
        "PPM": [
            encoded(photo, "PPM"), encoded(grey, "PPM"), encoded(photo.convert("1"), "PPM"), netpbm(np.asarray(photo)),
        ],
        "AVIF": [encoded(photo, "AVIF"), encoded(clear, "AVIF", quality=40, exif=turned)],
        "JPEG2000": [
            encoded(photo, "JPEG2000"), encoded(grey, "JPEG2000", no_jp2=True), encoded(deep, "JPEG2000"),
            encoded(clear, "JPEG2000", quality_mode="rates", quality_layers=[8]),
        ],
        "HEIF": [heif(photo), heif(clear), heif(photo, exif=turned.tobytes())],
        "DICOM": [dicom(np.asarray(grey)), dicom(np.asarray(deep)), dicom(np.asarray(photo))],
    }  # fmt: skip


def numbers(pixels: np.ndarray) -> list[bytes]:
    """(H, W, 3) uint8 as TIFFs of numbers, each of another type, packed in another way."""
    files = []
    forms = (
        ("uint16", {}),
        ("float32", {"compression": "zlib", "predictor": True}),
        ("uint32", {"compression": "lzw"}),
    )
    for kind, options in forms:
        for planar in ("contig", "separate"):
            file = io.BytesIO()
            shown = pixels if planar == "contig" else pixels.transpose(2, 0, 1)
            tifffile.imwrite(file, shown.astype(kind), photometric="rgb", planarconfig=planar, **options)
            files.append(file.getvalue())
    return files


def heif(image: Image.Image, **options: object) -> bytes:
    """A picture as HEIC."""
    file = io.BytesIO()
    from_pillow(image).save(file, quality=60, **options)
    return file.getvalue()


def netpbm(pixels: np.ndarray) -> bytes:
    """(H, W, 3) uint8 as a PPM of 12 bits."""
    head = f"P6 # made\n{pixels.shape[1]} {pixels.shape[0]}\n4095\n".encode()
    return head + (pixels.astype(np.uint16) * 16).astype(">u2").tobytes()


def dicom(pixels: np.ndarray) -> bytes:
    """(H, W) or (H, W, 3) uint8 or uint16 as a DICOM file, which has a slope where it has 16 bits."""
    return DICOM["written"](pixels, slope=2.0 if pixels.dtype == np.uint16 else None)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """A picture's file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def interlaced(pixels: np.ndarray) -> bytes:
    """(H, W, 3) uint8 as a PNG in Adam7's seven passes, which Pillow reads and does not write."""
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    rows = [b"\0" + row.tobytes() for y, x, dy, dx in passes for row in pixels[y::dy, x::dx]]
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 2, 0, 0, 1)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b""))
    written = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


def run_lengths(indices: np.ndarray) -> bytes:
    """(H, W) uint8 as a BMP of runs, which Pillow reads and does not write."""
    data = b"".join(b"".join(bytes((1, value)) for value in row) + b"\0\0" for row in indices[::-1].tolist()) + b"\0\1"
    palette = bytes(value for number in range(256) for value in (number, 255 - number, number // 2, 0))
    height, width = indices.shape
    about = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(data), 0, 0, 256, 0)
    begin = 14 + len(about) + len(palette)
    return struct.pack("<2sIHHI", b"BM", begin + len(data), 0, 0, begin) + about + palette + data


def write_sets(folder: Path) -> dict[str, list[Seed]]:
    """Each layout, with the files that its reader reads."""
    made: dict[str, list[Seed]] = {}
    for name, write, patterns in sets():
        root = folder / name.replace(" ", "-")
        root.mkdir(parents=True)
        place = write(root)
        files = sorted(file for pattern in patterns for file in root.glob(pattern) if file.is_file())
        assert files, name
        inside = tuple(file.relative_to(root).as_posix() for file in files)
        made.setdefault(name, []).append(Seed(root, place.relative_to(root).as_posix(), inside))
    return made


def sets() -> list[tuple[str, Callable[[Path], Path], tuple[str, ...]]]:
    """Kind, its writer, and the names of the files that are damaged."""
    names = {
        "csv": "*.csv", "chinese tsv": "*.tsv", "json lines": "*.jsonl", "parquet manifest": "*.parquet",
        "hugging face": "data/*", "cifar pickles": "*_batch*", "cifar binary": "*", "npz": "*.npz",
        "floats by planes": "*.npz", "hdf5": "*.h5", "shards": "*.tar",
    }  # fmt: skip
    made = [(name, LAYOUTS["WRITERS"][name][1], (pattern,)) for name, pattern in names.items()]
    made += [
        ("idx zipped", lambda root: LAYOUTS["write_idx"](root), ("*.gz",)),
        ("idx plain", lambda root: LAYOUTS["write_idx"](root, suffix=""), ("*ubyte",)),
        ("emnist mapping", write_emnist, ("*mapping.txt",)),
        ("cifar10 binary", write_cifar10, ("*",)),
        ("cifar100 pickles", write_cifar100, ("*",)),
        ("hdf5 packed", write_packed, ("*.h5",)),
        ("synsets", write_synsets, ("LOC*.txt",)),
        ("zip archive", write_zip, ("*.zip",)),
        ("packed tar", write_packed_tar, ("*.tgz",)),
        ("settings", write_settings, ("*.yaml",)),
    ]
    return made


def write_emnist(root: Path) -> Path:
    """IDX files with the codes of their characters."""
    LAYOUTS["write_idx"](root, prefix="emnist-", suffix="")
    (root / "emnist-mapping.txt").write_text("0 48\n1 65\n2 97\n")
    return root


def write_cifar10(root: Path) -> Path:
    """CIFAR-10's binary form."""
    for name, split in (("data_batch_1.bin", "train"), ("test_batch.bin", "test")):
        planes = LAYOUTS["stack"](split).transpose(0, 3, 1, 2).reshape(-1, 3072)
        labels = LAYOUTS["labels"](split)[:, None].astype(np.uint8)
        (root / name).write_bytes(np.hstack([labels, planes]).tobytes())
    (root / "batches.meta.txt").write_text("\n".join(LAYOUTS["NAMES"]) + "\n")
    return root


def write_cifar100(root: Path) -> Path:
    """CIFAR-100's pickled form, as today's Python pickles."""
    for split in ("train", "test"):
        planes = LAYOUTS["stack"](split).transpose(0, 3, 1, 2).reshape(-1, 3072)
        document = {"data": planes, "fine_labels": LAYOUTS["labels"](split).tolist()}
        (root / split).write_bytes(pickle.dumps(document, protocol=4))
    (root / "meta").write_bytes(pickle.dumps({"fine_label_names": list(LAYOUTS["NAMES"])}))
    return root


def write_packed(root: Path) -> Path:
    """HDF5 in chunks, packed and with checksums."""
    with h5py.File(root / "a.h5", "w") as file:
        for split in ("train", "test"):
            options = {"compression": "gzip", "shuffle": True, "fletcher32": True, "chunks": (4, 32, 32, 3)}
            file.create_dataset(f"x_{split}", data=LAYOUTS["stack"](split), **options)
            file[f"y_{split}"] = LAYOUTS["labels"](split)
    return root / "a.h5"


def write_zip(root: Path) -> Path:
    """Pictures for a prediction, packed as every system packs them."""
    with zipfile.ZipFile(root / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"a/{number}.png", LAYOUTS["png"](LAYOUTS["pixels"]("x", number)))
    return root / "a.zip"


def write_packed_tar(root: Path) -> Path:
    """The same in a tar file, one under a name that takes a header of its own."""
    with tarfile.open(root / "a.tgz", "w:gz", format=tarfile.GNU_FORMAT) as archive:
        for name in ("a/0.png", f"{'long/' * 30}1.png", "2.png"):
            data = LAYOUTS["png"](LAYOUTS["pixels"]("x", len(name)))
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return root / "a.tgz"


def write_settings(root: Path) -> Path:
    """What --augment and --config take."""
    (root / "a.yaml").write_text(
        "data: photos\nlr: 0.01\naugment: [rotation=30, 'erase=0.5']  # ours\nbest_by: accuracy\n"
    )
    return root / "a.yaml"


def write_synsets(root: Path) -> Path:
    """Folders called by codes, with a file of their names."""
    for code in ("n01440764", "n02012849", "n03126707"):
        (root / "train" / code).mkdir(parents=True)
        (root / "train" / code / "a.png").write_bytes(LAYOUTS["png"](LAYOUTS["pixels"](code, 0)))
    lines = ("n01440764 tench, Tinca tinca", "n02012849 crane", "n03126707 crane", "n09999999 x")
    (root / "LOC_synset_mapping.txt").write_text("\n".join(lines) + "\n")
    return root

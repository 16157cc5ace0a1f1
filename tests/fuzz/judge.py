"""What must hold of a damaged file, and the worker that tries one after another and says how each went."""

from __future__ import annotations

import json
import os
import resource
import shutil
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from checkpoints import WEIGHTS, load
from damage import Case, Seed, case_of
from PIL import Image, ImageFile

from pictaxa.config.by_name import read_config_file
from pictaxa.data.archives import archive_pictures
from pictaxa.data.fetching import Fetcher
from pictaxa.data.reading import read_data
from pictaxa.data.walk import PassedOver
from pictaxa.errors import PictaxaError, PictureError, ProblemKind
from pictaxa.images import decode as pictures
from pictaxa.images.decoding import Decoding

MAX_SECONDS, MAX_BYTES = 1.0, 256 * 2**20
GUARD_BYTES = 6 * 2**30  # of address space: what runs away stops here, and not the machine
SIDE = 24
CHECKED = (
    "PNG",
    "idx zipped",
    "npz",
    "floats by planes",
    "weights npz",
    "weights keras",
    "zip archive",
)  # checksums tell whatever was done to their pixels
PICTURES = (*pictures.FORMATS, "HEIF", "DICOM")
# What a picture may take follows from the pixels that are allowed: here so many that none of it takes MAX_BYTES.
DECODING = Decoding(max_pixels=2**22)
ARCHIVES = ("zip archive", "packed tar")
LINES = (".csv", ".tsv", ".txt")  # without an end of their own: a last line that was cut looks like any other
TALKATIVE = ("TIFF",)  # libtiff writes to the terminal by itself

Row = tuple[str, str, str, bytes]  # path, class, split, pixels


class Wrong(Exception):
    """What must hold does not."""


@dataclass
class Answer:
    """What became of a file: `refused` names the error, else the pixels or the rows."""

    refused: str = ""
    pixels: np.ndarray | None = None
    rows: set[Row] = field(default_factory=set)


def ask(call: Callable[[], object]) -> object:
    """An answer or one named error; anything else goes on as it is."""
    try:
        return call()
    except PictaxaError as error:
        if "\n" in str(error):
            raise Wrong(f"an error of several lines: {error}") from None
        return error


def picture_answer(data: bytes) -> Answer:
    """Everything that decode.py says of encoded bytes, checked against each other."""
    asked = {
        "square": ask(lambda: pictures.square_of(data, name="x", side=SIDE, channels=3, decoding=DECODING)),
        "grey": ask(lambda: pictures.square_of(data, name="x", side=SIDE, channels=1, decoding=DECODING)),
        "measured": ask(lambda: pictures.measure(data, name="x")),
    }
    pictures.examine(data)
    shown = []
    for ImageFile.ImageFile.load_prepare in (prepare_dark, prepare_light):
        shown.append(ask(lambda: pictures.decode(data, name="x", decoding=DECODING)))
    if all(isinstance(answer, PictureError) and answer.problem.kind is ProblemKind.BOMB for answer in shown):
        return Answer(refused=shown[0].reason)  # as it is; a JPEG may be small enough for a square of it
    if any(isinstance(answer, PictaxaError) for answer in (*shown, asked["square"], asked["grey"])):
        answers = [*shown, asked["square"], asked["grey"]]
        if not all(isinstance(answer, PictaxaError) for answer in answers):
            raise Wrong(f"refused by one way and answered by another: {[str(answer)[:120] for answer in answers]}")
        return Answer(refused=answers[0].reason)
    pixels, again = (np.asarray(answer) for answer in shown)
    if not np.array_equal(pixels, again):
        raise Wrong(f"half decoded: {np.mean(pixels != again):.0%} of its pixels were never written")
    square, measured = asked["square"], asked["measured"]
    if isinstance(measured, PictaxaError) or {*measured[:2]} != {*pixels.shape[:2]}:
        raise Wrong(f"measured as {measured}, decoded to {pixels.shape}")
    if (square.height, square.width) != pixels.shape[:2] or square.pixels.shape != (SIDE, SIDE, 3):
        raise Wrong(f"a square of {square.width} x {square.height}, decoded to {pixels.shape}")
    return Answer(pixels=pixels)


prepare = ImageFile.ImageFile.load_prepare


def prepare_with(image: ImageFile.ImageFile, share: int) -> None:
    """What no decoder writes then shows this."""
    fresh = image._im is None
    prepare(image)
    if fresh:
        ink = share if len(image.getbands()) == 1 else (share,) * len(image.getbands())
        image.im = Image.core.fill(image.mode, image.size, ink)


def prepare_dark(image: ImageFile.ImageFile) -> None:
    prepare_with(image, 3)


def prepare_light(image: ImageFile.ImageFile) -> None:
    prepare_with(image, 201)


def weights_answer(kind: str, place: Path) -> Answer:
    """Every tensor that a file fills a network with."""
    loaded = ask(lambda: load(kind, place))
    return Answer(refused=str(loaded)) if isinstance(loaded, PictaxaError) else Answer(rows=loaded)


def set_answer(place: Path) -> Answer:
    """Every row of a data set as a square; rows that are set aside are in none."""
    index = ask(lambda: read_data(place))
    if isinstance(index, PictaxaError):
        return Answer(refused=str(index))
    rows = set()
    labels, splits, usable = index.labels, index.column("split"), index.usable
    with Fetcher(index) as fetcher:
        for row in np.flatnonzero(usable).tolist()[:40]:
            name = fetcher.name(row)
            square = ask(lambda row=row, name=name: square_of_row(fetcher, row, name))
            if not isinstance(square, PictaxaError):
                rows.add((index.name(row), index.classes[labels[row]], splits[row], square.pixels.tobytes()))
    return Answer(rows=rows)


def archive_answer(place: Path) -> Answer:
    """Every member of a zip or tar file that a prediction would see."""
    listed = ask(lambda: [(name, ask(fetch)) for name, fetch in archive_pictures(place, PassedOver())])
    if isinstance(listed, PictaxaError):
        return Answer(refused=str(listed))
    rows = ((name.removeprefix(f"{place}#"), data) for name, data in listed)
    return Answer(rows={(name, "", "", data) for name, data in rows if not isinstance(data, PictaxaError)})


def settings_answer(place: Path) -> Answer:
    """What a config file comes to."""
    config = ask(lambda: read_config_file(place))
    return Answer(refused=str(config) if isinstance(config, PictaxaError) else "")


def square_of_row(fetcher: Fetcher, row: int, name: str) -> pictures.Square:
    """As the cache makes it."""
    return pictures.square_of(fetcher.fetch(row), name=name, side=32, channels=3)


def check_picture(kind: str, answer: Answer, before: Answer, *, cut: bool) -> None:
    """Wrong: a picture of which a part is missing."""
    if answer.pixels is None or before.pixels is None:
        return
    same = np.array_equal(answer.pixels, before.pixels)
    if (cut or kind in CHECKED) and not same:
        raise Wrong("other pixels than before")
    if kind == "JPEG" and not same:
        below = answer.pixels[-8:, -16:]
        if np.isin(below, (127, 128)).all() and not np.isin(answer.pixels, (127, 128)).all():
            raise Wrong("grey from some row on")


def check_set(kind: str, answer: Answer, before: Answer, *, cut: bool, file: str) -> None:
    """Wrong: a row that the whole file did not have."""
    rows, whole = answer.rows, before.rows
    if file.endswith(".txt"):  # names of classes, not rows
        rows, whole = ({(path, "", split, pixels) for path, _, split, pixels in own} for own in (rows, whole))
    strange = rows - whole
    if cut and len(strange) > file.endswith(LINES):
        raise Wrong(f"{len(strange)} rows that were not there, such as {[row[:3] for row in strange][:2]}")
    if kind in CHECKED and not {row[3] for row in answer.rows} <= {row[3] for row in before.rows}:
        raise Wrong("rows with other pixels than before")


def try_case(kind: str, case: Case, before: Answer, *, at_work: Path) -> Answer:
    """Wrong, or any exception, when it does not hold. `at_work` is a copy of the case's folder."""
    cut = case.told.startswith("cut")
    if kind in PICTURES:
        answer = picture_answer(case.data)
        check_picture(kind, answer, before, cut=cut)
        return answer
    file = at_work / case.file
    try:
        file.write_bytes(case.data)
        answer = answer_of(kind, at_work / case.seed.place)
    finally:
        file.unlink()  # a new file: what still maps the damaged one keeps it
        shutil.copyfile(case.seed.root / case.file, file)
    check_set(kind, answer, before, cut=cut, file=case.file)
    return answer


def work(seeds: dict[str, list[Seed]], cases: list[tuple[str, int]], *, seed: int, first: int) -> None:
    """Try cases from the place `first` on, saying of each that it begins and how it went, a line of JSON each."""
    resource.setrlimit(resource.RLIMIT_AS, (GUARD_BYTES, GUARD_BYTES))
    warnings.simplefilter("always", append=True)  # what pictaxa itself passes over stays passed over
    known, copies, before, resting = "", {}, {}, 0
    for place, (kind, number) in enumerate(cases[first:], start=first):
        if kind != known:
            copies = {one.root: copied(one.root) for one in seeds[kind]}
            before = {one.root: answer_of(kind, copies[one.root] / one.place) for one in seeds[kind]}
            assert not any(answer.refused for answer in before.values()), before
            known, resting = kind, memory_bytes("VmRSS")
        tell({"begin": place})
        case = case_of(kind, seeds[kind], seed=seed, number=number)
        noise, begin, wrong, answer = os.fstat(2).st_size, time.process_time(), "", Answer()
        forget_peak()
        with warnings.catch_warnings(record=True) as said:
            try:
                root = case.seed.root
                answer = try_case(kind, case, before[root], at_work=copies[root])
            except Wrong as error:
                wrong = str(error)
            except BaseException:
                wrong = traceback.format_exc(limit=-4)
        seconds, peak = time.process_time() - begin, max(0, memory_bytes("VmHWM") - resting)
        if said:
            wrong = wrong or f"a warning: {said[0].message}"
        if os.fstat(2).st_size != noise and kind not in TALKATIVE:
            wrong = wrong or "something was written to the terminal"
        if seconds > MAX_SECONDS:
            wrong = wrong or f"took {seconds:.1f} s"
        if peak > MAX_BYTES:
            wrong = wrong or f"took {peak / 2**20:.0f} MB"
        tell({"end": place, "wrong": wrong, "refused": answer.refused, "seconds": seconds, "bytes": peak})


def copied(root: Path) -> Path:
    """A copy of a seed's folder to work in: what it was made from stays whole if the worker does not."""
    copy = root.with_name(f"{root.name}-at-work")
    shutil.rmtree(copy, ignore_errors=True)
    return shutil.copytree(root, copy)


def answer_of(kind: str, place: Path) -> Answer:
    """Of what lies at a place."""
    if kind in WEIGHTS:
        return weights_answer(kind, place)
    if kind in ARCHIVES:
        return archive_answer(place)
    if kind == "settings":
        return settings_answer(place)
    return picture_answer(place.read_bytes()) if kind in PICTURES else set_answer(place)


def tell(line: dict[str, object]) -> None:
    """To whoever started the worker."""
    print(json.dumps(line), flush=True)


def memory_bytes(key: str) -> int:
    """Memory of the process by the system's count; the most that it ever had where there is no such count."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))


def forget_peak() -> None:
    """Let the most memory be counted from now on; where the system can't, it is counted from the beginning."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return

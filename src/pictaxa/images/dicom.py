"""DICOM: the numbers of the first frame, by pydicom, after the file's own slope and intercept."""

from __future__ import annotations

import importlib
import io
import warnings
from typing import Any

import numpy as np

from ..errors import Problem, ProblemKind
from .formats import RefusedError, needed
from .integrity import TruncatedError, check_scans
from .numbers import NumberFile, Numbers

# pydicom warns of odd metadata, which does no harm to the numbers.
warnings.filterwarnings("ignore", module=r"pydicom\.")
FRAMES = "with several frames: the first one is used"

GREYS = {"MONOCHROME1": True, "MONOCHROME2": False}  # whether the lowest number is white
COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT", "PALETTE COLOR")


def dicom_file(data: bytes) -> NumberFile:
    """The header of a DICOM file; RefusedError where it holds no picture, or pydicom is not installed."""
    pydicom = needed("pydicom", extra="dicom", what="a DICOM file")
    about = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
    colours = str(about.get("PhotometricInterpretation", ""))
    if "Rows" not in about or "Columns" not in about or colours not in (*GREYS, *COLOURS):
        kind = about.get("Modality") or "unknown"
        told = f"a DICOM file without a picture that is read (modality {kind}, colours {colours or 'none'})"
        raise RefusedError(Problem(ProblemKind.UNSUPPORTED, told))
    grey = colours in GREYS
    mode = f"{about.get('BitsStored', 8)}-bit {'grey' if grey else 'RGB'}"
    return NumberFile("DICOM", mode, int(about.Columns), int(about.Rows), grey, 1, lambda: _read(pydicom, data))


def _read(pydicom: Any, data: bytes) -> Numbers:
    pixels = importlib.import_module("pydicom.pixels")
    file = pydicom.dcmread(io.BytesIO(data))
    if "PixelData" not in file:
        raise TruncatedError("its pixel data is truncated")
    jpeg = file.PixelData.find(b"\xff\xd8\xff") if file.file_meta.TransferSyntaxUID.is_encapsulated else -1
    if jpeg >= 0:
        check_scans(file.PixelData[jpeg:], pixels=int(file.Columns) * int(file.Rows))
    note = FRAMES if int(file.get("NumberOfFrames") or 1) > 1 else ""
    try:
        values = pixels.pixel_array(file, index=0)
    except (RuntimeError, NotImplementedError) as error:  # what pydicom raises where no decoder is installed
        if "missing dependencies" not in str(error) and "plugin" not in str(error):
            raise
        reason = f"a DICOM file compressed as {file.file_meta.TransferSyntaxUID.name}, which pydicom has no decoder for"
    else:
        colours = str(file.PhotometricInterpretation)
        if colours == "PALETTE COLOR":
            values = pixels.apply_color_lut(values, file)
            return Numbers(values, white=float(np.iinfo(values.dtype).max), note=note)
        bits, signed = int(file.BitsStored), bool(file.PixelRepresentation)
        if colours in COLOURS:
            return Numbers(values, white=float(2**bits - 1), note=note)
        physical = _narrowed(pixels.apply_modality_lut(values, file))
        declared = not signed and np.array_equal(physical, values)  # else the file has no word for white
        white = float(2**bits - 1) if declared else None
        return Numbers(physical, white, negative=GREYS[colours], note=note)
    raise RefusedError(ProblemKind.UNREADABLE.told(reason))


def _narrowed(values: np.ndarray) -> np.ndarray:
    """Numbers that pydicom has made float64 of, as int16 where they are whole and fit: most slopes are 1."""
    if values.dtype.kind != "f":
        return values
    whole = np.rint(values)
    fits = np.array_equal(whole, values) and values.min() >= -(2**15) and values.max() < 2**15
    return whole.astype(np.int16) if fits else values.astype(np.float32)

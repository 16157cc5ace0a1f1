from __future__ import annotations

import io

import numpy as np
import pytest

from pictaxa.errors import PictureError
from pictaxa.images import dicom
from pictaxa.images.decode import decode, examine, is_picture, measure, square_of
from pictaxa.images.decoding import Decoding, Level
from pictaxa.images.formats import is_dicom

pydicom = pytest.importorskip("pydicom", reason="the extra `dicom` is not installed")

GREY = "MONOCHROME2"


def written(
    values: np.ndarray,
    *,
    colours: str = "",
    bits: int | None = None,
    slope: float | None = None,
    intercept: float = 0.0,
    frames: int = 1,
) -> bytes:
    """(H, W), (H, W, 3) or (frames, H, W) numbers as a DICOM file, as they are."""
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset("", Dataset(), file_meta=meta, preamble=bytes(128))
    file.SOPClassUID, file.SOPInstanceUID, file.Modality = SecondaryCaptureImageStorage, "1.2.3", "OT"
    shape = values.shape if frames == 1 else values.shape[1:]
    file.Rows, file.Columns = shape[:2]
    file.SamplesPerPixel = 3 if shape[2:] else 1
    file.PhotometricInterpretation = colours or ("RGB" if shape[2:] else GREY)
    if shape[2:]:
        file.PlanarConfiguration = 0
    file.BitsAllocated = values.dtype.itemsize * 8
    file.BitsStored = bits or file.BitsAllocated
    file.HighBit = file.BitsStored - 1
    file.PixelRepresentation = int(values.dtype.kind == "i")
    if slope is not None:
        file.RescaleSlope, file.RescaleIntercept = slope, intercept
    if frames > 1:
        file.NumberOfFrames = frames
    file.PixelData = values.tobytes() + bytes(values.nbytes % 2)
    buffer = io.BytesIO()
    file.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


STEPS = np.array([[0, 1024, 2048], [3072, 4095, 4095]], dtype=np.uint16)


def test_the_file_says_how_many_bits_it_stores():
    """Of 12 bits stored in 16 the 4095th is white: 1024 is 1024 x 255 / 4095 = 63.8, and so on."""
    data = written(STEPS, bits=12)
    assert np.asarray(decode(data, name="x")).tolist() == [[0, 64, 128], [191, 255, 255]]
    assert measure(data, name="x") == (3, 2, True)
    assert examine(data).format == "DICOM" and is_picture("scan.DCM") and is_dicom(data)


def test_monochrome1_is_a_negative():
    """In MONOCHROME1 the lowest number is white."""
    shown = np.asarray(decode(written(STEPS, bits=12, colours="MONOCHROME1"), name="x"))
    assert shown.tolist() == [[255, 191, 127], [64, 0, 0]]


def test_hounsfield_units_have_the_sets_range():
    """Slope and intercept come first: stored 24, 1024 and 3024 with -1024 are -1000, 0 and 2000 HU."""
    stored = np.array([[24, 1024, 3024]], dtype=np.uint16)
    data = written(stored, bits=12, slope=1.0, intercept=-1024.0)
    decoding = Decoding(levels=(Level("int16", -1000.0, 2000.0),))
    assert np.asarray(decode(data, name="x", decoding=decoding)).tolist() == [[0, 85, 255]]
    assert square_of(data, name="x", side=8, channels=1, decoding=decoding).width == 3


def test_colour_and_frames():
    """RGB keeps its bytes; of several frames the first is read, and it is told."""
    colour = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    assert np.array_equal(np.asarray(decode(written(colour), name="x")), colour)
    frames = np.random.default_rng(1).integers(0, 256, (3, 6, 4), dtype=np.uint8)
    square = square_of(written(frames, frames=3), name="x", side=4, channels=1)
    assert (square.width, square.height) == (4, 6) and square.notes == (dicom.FRAMES,)
    assert np.array_equal(np.asarray(decode(written(frames, frames=3), name="x")), frames[0])


def test_what_is_no_picture_or_cut():
    """A report without pixels, and a file that ends early, are refused by what they are."""
    data = written(STEPS)
    with pytest.raises(PictureError, match="less than expected"):
        decode(data[:-6], name="x")
    file = pydicom.dcmread(io.BytesIO(data))
    del file.Rows, file.PixelData
    buffer = io.BytesIO()
    file.save_as(buffer)
    with pytest.raises(PictureError, match="DICOM file without a picture"):
        decode(buffer.getvalue(), name="x")

"""What a stranger's bytes may take: how large, how deep, how many, how long. Whatever parses them keeps to these.

A file that asks for more is refused, or its picture is set aside, with a reason that says which limit it met. Each is
many times what real data has; where a limit is a setting too (--max-pixels), this is its default. What a network may
take follows from its own size instead (weights/foreign.py).
"""

from __future__ import annotations

# Pictures
MAX_PIXELS = 2 * 89_478_485  # of a picture as it is decoded: what Pillow refuses by itself
MAX_PICTURE_BYTES = 2**30  # of an encoded picture: in a file, an archive's member, a table's cell
MAX_PICTURE_SECONDS = 20.0  # of processor time while a picture's file is read; 180 megapixels take about 3
# Going through all of a picture takes as long for an empty scan of 60 bytes as for a full one.
MAX_SCANS = 100  # of a JPEG: a photograph has about 10
USUAL_SCANS, MAX_SCANNED = 20, 2**31  # beyond so many scans, pixels times scans may be no more than the latter
MAX_SEGMENTS = 100_000  # of a JPEG; each is at most 64 KiB
MAX_TIFF_VALUES, MAX_TIFF_PAGES = 2**16, 10_000  # numbers of a tag, and pages that are counted

# Tables and text
MAX_TABLE_BYTES = 2**31  # of a table, packed or not
MAX_CELLS = 2 * 10**8  # rows times columns of a table, and numbers in its lists
MAX_JSON_DEPTH = 64  # brackets within brackets: Label Studio, which nests most, has about 10
MAX_REVIEW_BYTES = 2**26  # of a file with reviewed labels: 200 bytes for each of 300,000 pictures
MAX_SETTINGS_BYTES, MAX_SETTINGS_DEPTH = 2**18, 16  # of a config or augmentation file

# Files with many pictures in them
# What takes more memory than the first, from fewer bytes than a part of the second, is no set of pictures.
BOMB_BYTES, BOMB_PART = 2**28, 200
MAX_GROUP_BYTES = 2**32  # of a row group's pictures, unpacked; writers make them of 100 MB to 1 GB
MAX_ARRAY_BYTES = 2**31  # of an IDX file's pictures, of a CIFAR pickle
MAX_LABEL_BYTES = 2**20  # of a label's file in a tar shard
MAX_TAR_HEADER_BYTES = 2**20  # of a long name or of PAX's words, which tarfile reads in one go
MAX_TAR_SIZE = 2**62  # of a member as a tar file states it: beyond it no file has an offset

# Pickles. A few bytes can name one tuple within another twice, and again: hashing it goes through all of them.
MAX_PICKLE_WORK = 5_000_000  # values that hashing and building go through; a network of 10,000 tensors has 300,000
MAX_PICKLE_DEPTH = 100  # tuples within tuples, which Python hashes by recursion

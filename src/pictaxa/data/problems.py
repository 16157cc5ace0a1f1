"""Problems of pictures as two columns: the kind, for whatever decides something, and the sentence, for people.

Index, journal and run folder all have both. What an earlier version wrote has the sentence alone; its kind is found
here, once, when it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import Problem, ProblemKind

SENTENCE, KIND = "problem", "problem_kind"  # the columns; both are "" for a picture without a problem
KIND_TYPE = pa.dictionary(pa.int8(), pa.string())  # a byte for each picture
NAMES = ("", *ProblemKind)  # by their codes, which are the same in every column of this type

# How the sentences of each kind began, or ended, before kinds were kept.
SENTENCES: tuple[tuple[str, ProblemKind], ...] = (
    ("unreadable: ", ProblemKind.UNREADABLE),
    ("truncated: ", ProblemKind.TRUNCATED),
    ("damaged: ", ProblemKind.DAMAGED),
    ("decompression bomb: ", ProblemKind.BOMB),
    ("empty file$|its row has no bytes$", ProblemKind.EMPTY),
    ("not a picture of a known format|not a picture: |not pictures: ", ProblemKind.NOT_A_PICTURE),
    ("a TIFF with |a DICOM file without a picture ", ProblemKind.UNSUPPORTED),
    ("no longer complete in its shard$", ProblemKind.TRUNCATED),
    ("it has no path$", ProblemKind.NO_PATH),
    ("a URL: ", ProblemKind.REMOTE),
    ("it has no label$", ProblemKind.NO_LABEL),
    ("(train|the run) has no class of its label$", ProblemKind.UNKNOWN_LABEL),
    ("it has several labels: ", ProblemKind.SEVERAL_LABELS),
)


def problem_columns(problems: Sequence[Problem | None]) -> dict[str, pa.Array]:
    """Put problems into their two columns.

    Args:
        problems: of each picture; None for one without.

    Returns:
        The sentences and the kinds, (pictures,) strings each, by the columns' names.

    Example:
        problem_columns([None, Problem(ProblemKind.EMPTY, "empty file")])["problem_kind"]  # ["", "empty"]
    """
    return {
        SENTENCE: pa.array(["" if one is None else one.detail for one in problems], pa.string()),
        KIND: pa.array(["" if one is None else one.kind.value for one in problems], pa.string()),
    }


def kind_column(kinds: pa.Array | pa.ChunkedArray | Iterable[str]) -> pa.DictionaryArray:
    """Make a column of kinds, with the codes that all such columns have.

    Args:
        kinds: names, "" for none, of any type that Arrow makes strings of.

    Returns:
        (pictures,) of KIND_TYPE.

    Raises:
        ValueError: a name is no kind's.
    """
    column = kinds if isinstance(kinds, (pa.Array, pa.ChunkedArray)) else pa.array(kinds, pa.string())
    names = column.cast(pa.string())
    codes = pc.index_in(names, value_set=pa.array(NAMES, pa.string())).cast(pa.int8())
    if codes.null_count:
        unknown = names.filter(pc.is_null(codes))[0].as_py()
        raise ValueError(f"no kind of problem is called {unknown!r}")
    plain = codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
    return pa.DictionaryArray.from_arrays(plain.to_numpy(), pa.array(NAMES, pa.string()))


def kind_codes(column: pa.ChunkedArray) -> np.ndarray:
    """(pictures,) int8: the place of each picture's kind in NAMES, of a column that `kind_column` made."""
    parts = [chunk.indices.to_numpy() for chunk in column.chunks]
    return np.concatenate([np.empty(0, np.int8), *parts])


def kinds_of_sentences(sentences: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Find the kinds of sentences that an earlier version wrote without them.

    Args:
        sentences: (pictures,) strings, "" for none.

    Returns:
        (pictures,) names of kinds, "" for none. A sentence that no kind has is of a damaged picture.
    """
    distinct = pc.unique(sentences)
    kinds = pa.array([_kind_of(sentence) for sentence in distinct.to_pylist()], pa.string())
    return kinds.take(pc.index_in(sentences, value_set=distinct))


def _kind_of(sentence: str) -> str:
    if not sentence:
        return ""
    return next((kind for words, kind in SENTENCES if re.match(words, sentence)), ProblemKind.DAMAGED).value

from __future__ import annotations

import collections
import pickle
import time

import pytest

from pictaxa.limits import MAX_PICKLE_DEPTH
from pictaxa.system.pickle_bounds import check_pickle_work

SET = pickle.dumps({"a": {1, 2}, (3, (4, 5)): frozenset([6]), "b": [b"x" * 300, 2**3000, None, 1.5, True]}, protocol=4)


def doubling(begin: bytes, end: bytes, *, times: int = 60) -> bytes:
    """A pickle of a tuple that holds one tuple twice, which holds one twice, and so on: between `begin` and `end`."""
    nested = b"K\x01K\x01\x86q\x00" + b"".join(b"h%c\x86q%c" % (n, n + 1) for n in range(times))
    return b"\x80\x02" + begin + nested + end


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_what_python_pickles_passes(protocol: int):
    """Containers of every kind, values that are named again, and objects that are made by a call."""
    shared = ("a", 1)
    for value in (
        {"l": [shared, shared], "s": {1, 2}, "f": frozenset([shared]), shared: 2.5, "big": -(2**999), "n": None},
        collections.OrderedDict(a=[{}, (), (1, 2, 3, 4)]), collections.Counter("abca"), collections.deque([1]),
        [str(number) for number in range(3000)], b"x" * 10**6, bytearray(10), 3 + 4j,
    ):  # fmt: skip
        check_pickle_work(pickle.dumps(value, protocol=protocol))


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (b"}", b"K\x01s."),  # a key of a dictionary
        (b"}(", b"K\x01u."),  # one of several
        (b"(", b"K\x01d."),  # of one that is made at once
        (b"(", b"\x91."),  # a member of a frozen set
        (b"\x8f(", b"\x90."),  # of a set
        (b"cbuiltins\nset\n(", b"tR."),  # an argument of a call
        (b"", b"Q."),  # what torch looks a storage up by
    ],
)
def test_what_would_hash_for_ever(begin: bytes, end: bytes):
    """2^60 values in half a kilobyte are refused wherever they are hashed, and at once; ten doublings are fine."""
    started = time.perf_counter()
    with pytest.raises(ValueError, match="too long to hash"):
        check_pickle_work(doubling(begin, end))
    assert time.perf_counter() - started < 1
    check_pickle_work(doubling(begin, end, times=10))


def test_what_is_not_hashed_may_be_named_again():
    """As a value of a dictionary it costs nothing."""
    check_pickle_work(doubling(b"}K\x01", b"s."))


def test_depth_is_bounded():
    """Python hashes tuples by recursion: a hundred thousand within each other would end the process."""
    check_pickle_work(b"\x80\x02}K\x01" + b"\x85" * (MAX_PICKLE_DEPTH - 1) + b"K\x01s.")
    with pytest.raises(ValueError, match="more than 100 deep"):
        check_pickle_work(b"\x80\x02}K\x01" + b"\x85" * 100_000 + b"K\x01s.")


def test_long_numbers_cost_by_their_length():
    """Their hash is not kept: a number of a megabyte as the key of a hundred thousand entries."""
    number = pickle.dumps(1 << 8_000_000, protocol=2)[2:-1]
    with pytest.raises(ValueError, match="too long to hash"):
        check_pickle_work(b"\x80\x02}" + number + b"q\x01K\x01s" + b"h\x01K\x01s" * 100_000 + b".")


def test_a_cut_pickle_is_a_value_error():
    """Wherever it ends."""
    check_pickle_work(SET)
    for end in range(len(SET)):
        with pytest.raises(ValueError, match=r"pickle|expected|not enough"):
            check_pickle_work(SET[:end])


@pytest.mark.parametrize("data", [b"", b"\x80\x02\x86.", b"ss.", b"(s.", b"(.", b"N1.", b"h\x05.", b"0."])
def test_a_pickle_that_takes_what_is_not_there(data: bytes):
    """From an empty stack, from behind a mark, from what was never remembered."""
    with pytest.raises(ValueError, match="pickle"):
        check_pickle_work(data)

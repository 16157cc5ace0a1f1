"""Finds near duplicates: resized, re-encoded, brighter, slightly cropped, mirrored. Not in quadratic time.

Pictures are compared by their sketches (sketches.py). Cropping moves a sketch, so each picture is kept in several
crops, and asked for as it is and mirrored.

1. Candidates: sketches whose cosine is at least CANDIDATE, found by locality-sensitive hashing (Charikar 2002):
   in each of a few tables a sketch's key is the signs of random projections, as many as make a bucket hold about one;
   keys that differ in the projections nearest to zero are looked up as well (multi-probe, Lv et al. 2007).
2. Proof: the crop is fitted to the other picture in small steps, and finer sketches, of the whole view and of its inner
   part (frames are alike though their pictures are not), must agree to ALIKE. Among pictures that all resemble each
   other (digits, scans, one studio) that says little: there a pair must stand out from each one's other neighbours too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F

from .sketches import CROPS, THUMB, VIEW, crop_views, mirror_signs, sketch

COARSE, FINE = 8, 12  # cosine coefficients of each axis
COARSE_WEIGHT, FINE_WEIGHT = 0.5, 1.0  # powers of the frequency
CANDIDATE = 0.93  # cosine of coarse sketches
ALIKE = 0.93  # of fine ones
TABLES, PROBES = 6, 2
CROWDED = 512  # entries of a bucket that are looked at: more are a crowd in which nothing stands out
SAMPLE = 20_000  # pictures that say where the middle is
NEIGHBOURS = 12  # of a picture that are looked at; in a crowd, the last of them says how near others are
ASKED, FEW = 256, 40  # others that say how near pictures usually are; so few pictures are no crowd
STANDS_OUT = 0.25  # of that distance
ROUGHLY, SURELY = 0.75, 0.97  # between these two likenesses a crop is fitted
FITTED = 4  # candidates of a row, at most
BLOCK = 4096  # pictures or pairs worked on at a time


@dataclass(frozen=True)
class Pair:
    """Two rows that are alike, how much (a cosine), and whether one is the other's mirror image."""

    first: int
    second: int
    likeness: float
    mirrored: bool


# Called with (what is done, how often it was done, how often in all).
Told = Callable[[str, int, int], None]


def tell_nobody(stage: str, done: int, total: int) -> None:
    """Say nothing."""


def find_alike(thumbs: np.ndarray, told: Told = tell_nobody) -> list[Pair]:
    """Pairs of alike pictures among (N, 64, 64) uint8 thumbnails, each once, surest first.

    Equal ones are better told apart before: of very many the time grows with the square.
    """
    kept = torch.cat([_kept_sketches(part) for part in _blocks(thumbs)] or [torch.empty(0, 1, 1)])  # (N, crops, D)
    filled = np.flatnonzero((kept[:, 0].norm(dim=1) > 0.5).numpy())  # others have nothing in them
    if len(filled) < len(thumbs):
        pairs = find_alike(thumbs[filled], told) if len(filled) > 1 else []
        return [replace(pair, first=int(filled[pair.first]), second=int(filled[pair.second])) for pair in pairs]
    if len(thumbs) < 2:
        return []
    plain = _candidates(kept[:, 0], kept, told=told, first=0)
    mirrored = _candidates(kept[:, 0] * mirror_signs(COARSE), kept, told=told, first=TABLES)
    is_mirrored = np.repeat([False, True], [len(plain), len(mirrored)])
    return _proved(thumbs, np.concatenate([plain, mirrored]), is_mirrored, told=told)


def _blocks(thumbs: np.ndarray) -> Iterator[torch.Tensor]:
    for start in range(0, len(thumbs), BLOCK):
        yield torch.from_numpy(np.ascontiguousarray(thumbs[start : start + BLOCK])).float()


def _kept_sketches(thumbs: torch.Tensor) -> torch.Tensor:
    """(N, 64, 64) -> (N, crops, D): what each picture is found by."""
    views = (crop_views(thumbs, crop[None]) for crop in CROPS)
    return torch.stack([sketch(view, count=COARSE, power=COARSE_WEIGHT) for view in views], dim=1)


def _candidates(asked: torch.Tensor, kept: torch.Tensor, *, told: Told, first: int) -> np.ndarray:
    """(M, D) and (N, crops, D) of length one -> (n, 3) int64: row asked for, row found, crop that was alike.

    For each pair of rows the crop that is most alike, and no row with itself. `first` tables were asked before.
    """
    rows, crops, width = kept.shape
    flat = kept.reshape(-1, width)
    bits = int(np.ceil(np.log2(rows))) + 4
    draws = torch.Generator().manual_seed(0)
    found: list[np.ndarray] = []
    for table in range(TABLES):
        told("near duplicates, looking up", first + table, 2 * TABLES)
        planes = torch.randn(width, bits, generator=draws)
        # Halves of the pictures, not of the space: where all resemble each other the space's halves tell nothing.
        middle = (kept[:: max(1, rows // SAMPLE), 0] @ planes).median(dim=0).values
        kept_keys = _keys(flat @ planes - middle)
        order = np.argsort(kept_keys, kind="stable")
        ordered = kept_keys[order]
        projected = asked @ planes - middle
        weakest = projected.abs().topk(PROBES, dim=1, largest=False).indices
        for probe in range(1 << PROBES):
            keys = _keys(projected)
            for i in range(PROBES):
                if probe >> i & 1:
                    keys ^= 1 << weakest[:, i].numpy()
            found.append(_matches(keys, ordered, order, asked=asked, flat=flat, crops=crops))
    matches = np.concatenate(found)
    likeness = _cosines(asked, flat, matches[:, 0], matches[:, 1] * crops + matches[:, 2])
    order = np.lexsort((-likeness, matches[:, 1], matches[:, 0]))
    matches = matches[order]
    best = np.ones(len(matches), dtype=bool)
    best[1:] = (matches[1:, :2] != matches[:-1, :2]).any(axis=1)
    return _nearest(matches[best], likeness[order][best])


def _nearest(matches: np.ndarray, likeness: np.ndarray) -> np.ndarray:
    """For each row asked for, the few that are most alike."""
    order = np.lexsort((-likeness, matches[:, 0]))
    rows = matches[order, 0]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows, "left")
    return matches[order[rank < NEIGHBOURS]]


def _keys(projected: torch.Tensor) -> np.ndarray:
    """(n, bits) -> (n,) int64: a bit for each projection above zero."""
    keys: np.ndarray = ((projected > 0) << torch.arange(projected.shape[1])).sum(dim=1).numpy()
    return keys


def _matches(
    keys: np.ndarray, ordered: np.ndarray, order: np.ndarray, *, asked: torch.Tensor, flat: torch.Tensor, crops: int
) -> np.ndarray:
    """(n, 3) of what lies in the buckets of these keys and is alike."""
    low, high = np.searchsorted(ordered, keys, "left"), np.searchsorted(ordered, keys, "right")
    counts = np.minimum(high - low, CROWDED)
    alike = []
    ends = np.cumsum(counts)
    start = 0
    while start < len(keys):  # some rows at a time, as buckets may be large
        stop = max(start + 1, int(np.searchsorted(ends, (ends[start - 1] if start else 0) + 64 * BLOCK, "right")))
        part = counts[start:stop]
        rows = np.repeat(np.arange(start, stop), part)
        within = np.arange(part.sum()) - np.repeat(np.cumsum(part) - part, part)
        entries = order[np.repeat(low[start:stop], part) + within]
        other = entries // crops != rows
        rows, entries = rows[other], entries[other]
        near = _cosines(asked, flat, rows, entries) >= CANDIDATE
        alike.append(np.stack([rows[near], entries[near] // crops, entries[near] % crops], axis=1))
        start = stop
    return np.concatenate(alike)


def _cosines(asked: torch.Tensor, flat: torch.Tensor, rows: np.ndarray, entries: np.ndarray) -> np.ndarray:
    parts = [
        (asked[rows[start : start + 16 * BLOCK]] * flat[entries[start : start + 16 * BLOCK]]).sum(dim=1)
        for start in range(0, len(rows), 16 * BLOCK)
    ]
    cosines: np.ndarray = torch.cat([torch.empty(0), *parts]).numpy()
    return cosines


# Steps in which a crop is fitted: in part kept, across and down, then half as large.
STEPS = torch.tensor([(z, x, y) for z in (-1, 0, 1) for x in (-1, 0, 1) for y in (-1, 0, 1)]) * 0.025


def _likeness(thumbs: np.ndarray, pairs: np.ndarray, mirrored: np.ndarray, *, fitted: bool, told: Told) -> np.ndarray:
    """(n, 3) candidates -> (n,) how alike they are, with the crop as it is or fitted."""
    best = np.empty(len(pairs), dtype=np.float32)
    for start in range(0, len(pairs), BLOCK // 4):
        told("near duplicates, fitting" if fitted else "near duplicates, comparing", start, len(pairs))
        part = slice(start, start + BLOCK // 4)
        asked = torch.from_numpy(thumbs[pairs[part, 0]]).float()
        found = torch.from_numpy(thumbs[pairs[part, 1]]).float()
        flips = torch.from_numpy(mirrored[part])[:, None, None]
        views = F.avg_pool2d(torch.where(flips, asked.flip(-1), asked)[:, None], THUMB // VIEW)[:, 0]
        crops = CROPS[pairs[part, 2]]
        scores = _agreement(views, crop_views(found, crops))
        for size in (1.0, 0.5) if fitted else ():
            tried = crops[:, None] + STEPS * size  # (n, 27, 3)
            agreed = torch.stack([_agreement(views, crop_views(found, tried[:, k])) for k in range(len(STEPS))], dim=1)
            scores, place = agreed.max(dim=1)
            crops = tried[torch.arange(len(tried)), place]
        best[part] = scores.numpy()
    return best


INNER = 4  # pixels that are left out on each side of a view


def _agreement(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """(n, 32, 32) twice -> (n,) cosine of their fine sketches, of the whole or of the inner part, whichever is less."""
    inner = slice(INNER, VIEW - INNER)
    cosines = [
        (sketch(a, count=FINE, power=FINE_WEIGHT) * sketch(b, count=FINE, power=FINE_WEIGHT)).sum(dim=1)
        for a, b in ((one, other), (one[:, inner, inner], other[:, inner, inner]))
    ]
    return torch.minimum(*cosines)


def _usual_distances(thumbs: np.ndarray) -> np.ndarray:
    """(N,) how near a twentieth of all pictures are to each, by some of them; far, where there are few at all."""
    usual = np.full(len(thumbs), 2.0)
    if len(thumbs) < FEW:
        return usual
    some = np.sort(np.random.default_rng(0).permutation(len(thumbs))[:ASKED])
    known = _fine(torch.from_numpy(thumbs[some]).float())
    for start, part in zip(range(0, len(thumbs), BLOCK), _blocks(thumbs), strict=True):
        distances = 1 - (_fine(part) @ known.T).numpy()
        distances[distances < 1e-6] = 2.0  # itself
        usual[start : start + len(part)] = np.quantile(distances, 0.05, axis=1)
    return usual


def _fine(thumbs: torch.Tensor) -> torch.Tensor:
    return sketch(F.avg_pool2d(thumbs[:, None], THUMB // VIEW)[:, 0], count=FINE, power=FINE_WEIGHT)


def _proved(thumbs: np.ndarray, pairs: np.ndarray, mirrored: np.ndarray, *, told: Told) -> list[Pair]:
    """Of the candidates those that are alike; only the nearest few of each row are fitted, which takes most time."""
    roughly = _likeness(thumbs, pairs, mirrored, fitted=False, told=told)
    order = np.lexsort((-roughly, pairs[:, 0]))
    rows = pairs[order, 0]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows, "left")
    crowd = np.full(len(thumbs), 2.0)  # the distance within which a row has NEIGHBOURS others
    last = rank == NEIGHBOURS - 1
    crowd[rows[last]] = 1 - roughly[order[last]]
    near = order[(rank < FITTED) & (roughly[order] >= ROUGHLY)]
    pairs, mirrored, likeness = pairs[near], mirrored[near], roughly[near]
    unsure = likeness < SURELY
    likeness[unsure] = _likeness(thumbs, pairs[unsure], mirrored[unsure], fitted=True, told=told)
    crowd = np.minimum(crowd, _usual_distances(thumbs))
    furthest = np.minimum(1 - ALIKE, STANDS_OUT * np.minimum(crowd[pairs[:, 0]], crowd[pairs[:, 1]]))
    best: dict[tuple[int, int], Pair] = {}
    for i in np.flatnonzero(1 - likeness <= furthest):
        first, second = sorted(pairs[i, :2].tolist())
        pair = Pair(first, second, float(likeness[i]), bool(mirrored[i]))
        if (first, second) not in best or best[first, second].likeness < pair.likeness:
            best[first, second] = pair
    return sorted(best.values(), key=lambda pair: -pair.likeness)

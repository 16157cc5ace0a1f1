"""Finds likely wrong labels, and pictures unlike their class or any class, from the predictions of a model."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..data.index import Index
from ..system.progress import say
from .findings import Doubt, Finding

NEIGHBOURS = 10
GOOD_JUDGE = 0.7  # of the labels it must agree with: by a worse one most doubts are its own mistakes
FAR = 5.0  # deviations above the typical distance, both robust


def suspect_order(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, K) held-out probabilities, (n,) labels -> indices, most suspicious first, and a mask of suspected labels.

    Confident learning (Northcutt et al. 2021): a class is confidently another's where its probability reaches the mean
    that the class' own pictures have; the mask (n,) is of those whose likeliest confident class is not their label. The
    order is by how much more likely another class is than the label.
    """
    classes = probabilities.shape[1]
    own = probabilities[np.arange(len(labels)), labels]
    thresholds = np.array([own[labels == k].mean() if (labels == k).any() else 1.0 for k in range(classes)])
    confident = np.where(probabilities >= thresholds, probabilities, -1.0)
    suspected = (confident.max(axis=1) > 0) & (confident.argmax(axis=1) != labels)
    others = probabilities.copy()
    others[np.arange(len(labels)), labels] = -1.0
    return np.argsort(own - others.max(axis=1), kind="stable"), suspected


def doubt_labels(index: Index, rows: np.ndarray, probabilities: np.ndarray) -> Iterator[Finding]:
    """A finding of the rows (n,) whose labels are most likely wrong by (n, K) out-of-sample probabilities."""
    labels = index.labels[rows]
    agrees = float((probabilities.argmax(axis=1) == labels).mean())
    if agrees < GOOD_JUDGE:
        say(f"note      no label is suspected: the model agrees with only {agrees:.1%} of them; use a better one")
        return
    order, suspected = suspect_order(probabilities, labels)
    chosen = [int(i) for i in order if suspected[i]]
    if chosen:
        notes = {
            int(rows[i]): f"{index.classes[probabilities[i].argmax()]} {probabilities[i].max():.0%}, "
            f"its label {probabilities[i, labels[i]]:.0%}"
            for i in chosen
        }
        few = ", ".join(f"{index.name(row)} ({note})" for row, note in list(notes.items())[:3])
        yield Finding(
            "label",
            f"{len(chosen)} of {len(rows)} pictures, by a model that agrees with {agrees:.1%} of the labels: {few}",
            rows=tuple(notes), notes=notes, doubts={int(rows[i]): _doubt(probabilities[i], labels[i]) for i in chosen},
        )  # fmt: skip


def _doubt(shares: np.ndarray, label: int) -> Doubt:
    """What a model says against a label, of the (K,) probabilities of its picture."""
    others = shares.copy()
    others[label] = -1.0
    return Doubt(int(others.argmax()), float(others.max()), float(shares[label]))


def doubt_pictures(index: Index, rows: np.ndarray, vectors: np.ndarray) -> Iterator[Finding]:
    """Findings of the rows (n,) whose (n, D) vectors are far from their class' others, or from all pictures."""
    from sklearn.neighbors import NearestNeighbors  # loaded only for this

    labels = index.labels[rows]
    unit = vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-12)

    def distances(chosen: np.ndarray) -> np.ndarray:
        """Of each to its nearest others."""
        count = min(NEIGHBOURS, len(chosen) - 1)
        if count < 1:
            return np.zeros(len(chosen))
        found = NearestNeighbors(n_neighbors=count + 1).fit(unit[chosen]).kneighbors(unit[chosen])[0]
        mean: np.ndarray = found[:, 1:].mean(axis=1)
        return mean

    away = np.zeros(len(rows))
    for label in range(len(index.classes)):
        own = np.flatnonzero(labels == label)
        away[own] = _deviations(distances(own))
    yield from _far(index, rows, away, kind="outlier")
    yield from _far(index, rows, _deviations(distances(np.arange(len(rows)))), kind="out_of_distribution")


def _deviations(values: np.ndarray) -> np.ndarray:
    """How many robust standard deviations above the median."""
    middle = np.median(values) if len(values) else 0.0
    spread = 1.4826 * np.median(np.abs(values - middle)) if len(values) else 0.0
    return (values - middle) / (spread + 1e-9)


def _far(index: Index, rows: np.ndarray, away: np.ndarray, *, kind: str) -> Iterator[Finding]:
    order = np.argsort(-away, kind="stable")
    chosen = tuple(int(rows[i]) for i in order if away[i] > FAR)
    if chosen:
        names = ", ".join(index.name(row) for row in chosen[:3])
        yield Finding(kind, f"{len(chosen)} of {len(rows)} pictures: {names}", rows=chosen)

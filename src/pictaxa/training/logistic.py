"""Multinomial logistic regression with an L2 penalty at one strength: the problem, its scale, and L-BFGS on it.

The loss is convex: from any start L-BFGS (Liu & Nocedal 1989) comes to the same weights. Vectors are brought to mean
zero and variance one, and the weights are looked for along the directions in which the vectors vary, each at the length
that its curvature asks for: L-BFGS then needs some ten steps instead of a hundred.

Where there are too many vectors for the memory the gradient is summed block by block. Mini-batches would need a rate,
and a Gram matrix fits squares and not probabilities.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..errors import WeightsError

BLOCK = 8192  # vectors at a time
MAX_CHOSEN_ON = 20_000  # vectors that directions are found on, and that stay in memory
MAX_ROTATED = 2048  # numbers in a vector up to which directions are looked for: it costs their third power
MIN_VARIANCE = 1e-9  # of the largest: directions with less are rounding
MAX_SINGLE = 300_000_000  # numbers times classes up to which one thread is faster than two
FINAL_STEPS = 200  # of L-BFGS, at most
FINAL_PRECISION = 1e-9  # the part of the loss that its last step brings
TOLERANCE = 1e-6  # of the loss's gradient


@dataclass(frozen=True)
class HeadProblem:
    """What a head is to tell apart.

    Example:
        problem = HeadProblem([vectors], labels, classes=5, groups=np.arange(len(labels)))
        head = solve_head(problem)
    """

    views: Sequence[np.ndarray]  # each (n, width) float32: every picture's vector, one view or several of it
    labels: np.ndarray  # (n,) int64
    classes: int
    groups: np.ndarray  # (n,) int64: pictures with one number are alike and stay on one side
    class_weights: np.ndarray | None = None  # (classes,) float32
    label_smoothing: float = 0.0
    seed: int = 0
    device: torch.device = torch.device("cpu")  # noqa: RUF009  # a torch.device can't be changed, so one for all is safe

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return int(self.views[0].shape[1])

    def part(self, places: np.ndarray) -> HeadProblem:
        """The same of some pictures, (m,) int64 places."""
        views = [np.asarray(view[places]) for view in self.views]
        return replace(self, views=views, labels=self.labels[places], groups=self.groups[places])

    def drawn(self) -> np.ndarray | None:
        """Places (m,) of the pictures that choices are made on, drawn at random of very many; None for all of them."""
        count, most = len(self.labels), MAX_CHOSEN_ON // len(self.views)
        if count <= most:
            return None
        return np.sort(np.random.default_rng([self.seed, 1]).choice(count, size=most, replace=False))

    def blocks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Vectors (m, width) as they are and labels (m,), block by block, of all views."""
        for view in self.views:
            for first in range(0, len(view), BLOCK):
                yield np.asarray(view[first : first + BLOCK]), self.labels[first : first + BLOCK]


@dataclass(frozen=True)
class Scaling:
    """How vectors are brought to one scale, and the directions in which they then vary."""

    mean: np.ndarray  # (width,) float32
    scale: np.ndarray  # (width,) float32
    directions: torch.Tensor | None  # (width, count) float32, a direction in each column; None: those of the numbers
    variances: torch.Tensor  # (count,) float32: of the scaled vectors along each

    @classmethod
    def of(cls, problem: HeadProblem) -> Scaling:
        """Measure a problem's vectors, all of them; the directions are found on 20,000 at most.

        Example:
            scaling = Scaling.of(problem)
            scaled = (vectors - scaling.mean) * scaling.scale  # (n, width), mean 0 and variance 1
        """
        mean, scale = standardise(problem.views)
        if problem.width > MAX_ROTATED:
            return cls(mean, scale, None, torch.ones(problem.width, device=problem.device))
        places = problem.drawn()
        part = problem if places is None else problem.part(places)
        scaled = (torch.from_numpy((block - mean) * scale).to(problem.device) for block, _ in part.blocks())
        if places is None and len(part.labels) * len(part.views) < problem.width:
            directions, variances = _directions_of_few(torch.cat(list(scaled)))
        else:
            directions, variances = _directions_of_many(scaled, width=problem.width)
        return cls(mean, scale, directions.float().to(problem.device), variances.float().to(problem.device))


def _directions_of_few(vectors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of (n, width) vectors, fewer than they have numbers: the at most n directions in which they vary at all.

    The penalised weights lie in no other: whatever of them stood across all vectors would cost and tell nothing.
    """
    vectors = vectors.double().cpu()
    variances, coordinates = _eigen(vectors @ vectors.T / len(vectors))  # (n,), (n, n)
    varying = variances > MIN_VARIANCE * variances.max()
    variances, coordinates = variances[varying], coordinates[:, varying]
    return vectors.T @ coordinates / torch.sqrt(variances * len(vectors)), variances


def _directions_of_many(blocks: Iterable[torch.Tensor], *, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Of blocks (m, width) of vectors: all `width` directions, (width, width), and the variances, (width,)."""
    total, count = torch.zeros(width, width), 0
    for block in blocks:
        total += (block.T @ block).cpu()
        count += len(block)
    variances, directions = _eigen(total.double() / count)
    return directions, variances.clamp_min(0)


def _eigen(symmetric: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Eigenvalues (n,) and vectors, the columns of (n, n), of a float64 matrix on the CPU.

    LAPACK's divide and conquer, which torch takes, now and then does not converge where many values are equal; the
    older QR iteration, ten times slower, does.
    """
    from scipy.linalg import eigh  # loaded only for this

    try:
        values, vectors = torch.linalg.eigh(symmetric)
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]  # documented, not in the stub
        values, vectors = (torch.from_numpy(found) for found in eigh(symmetric.numpy(), driver="ev"))
    return values, vectors


def _blocks_of(views: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """Vectors (m, width), block by block, of all views; of a memory map none is read before it is looked at."""
    return (view[first : first + BLOCK] for view in views for first in range(0, len(view), BLOCK))


def standardise(views: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (n, width) -> float32 mean and scale, each (width,): (vectors - mean) * scale has variance one.

    Numbers that hardly vary are not enlarged to the others' size: they are mostly noise.
    """
    count = sum(len(view) for view in views)
    blocks = list(_blocks_of(views))
    mean = sum(block.sum(axis=0, dtype=np.float64) for block in blocks) / count
    deviation = np.sqrt(sum(((block - mean) ** 2).sum(axis=0) for block in blocks) / count)
    typical = np.sqrt((deviation**2).mean()) + 1e-12
    return mean.astype(np.float32), (1 / np.maximum(deviation, typical / 4)).astype(np.float32)


def check_finite(views: Sequence[np.ndarray]) -> None:
    """Refuse vectors with NaN or infinity in them.

    Args:
        views: each (n, width) float32.

    Raises:
        WeightsError: some have; it says how many.

    Example:
        check_finite([np.ones((8, 1280), np.float32)])
    """
    bad = sum(int((~np.isfinite(block).all(axis=1)).sum()) for block in _blocks_of(views))
    if bad:
        found = f"NaN or infinity for {bad} of {sum(map(len, views))} pictures"
        raise WeightsError("finite numbers from the backbone", found=found, fix="Use other weights.")


def solve_at(
    problem: HeadProblem, scaling: Scaling, penalty: float, *, steps: int, precision: float = FINAL_PRECISION
) -> np.ndarray:
    """Find the weights of the least penalised loss, from nothing.

    Args:
        problem: what to tell apart.
        scaling: of its vectors.
        penalty: times half of the sum of squared weights, biases apart, is added to the mean cross-entropy; above 0.
        steps: of L-BFGS, at most.
        precision: the part of the loss that its last step brings.

    Returns:
        (classes, width + 1) float32 weights for scaled vectors, the biases last.

    Example:
        weight = solve_at(problem, Scaling.of(problem), 0.1, steps=FINAL_STEPS)
    """
    return Solver(problem, scaling, slice(None)).solve(penalty, steps=steps, precision=precision)


class Solver:
    """The loss of a problem's vectors, or of a part of them, and L-BFGS from where it last ended.

    Weights are (classes, width + 1), the biases last. Where the vectors fit into the memory they are scaled and turned
    into their directions once; where not, each block is scaled whenever it is read, and the weights are turned instead.
    """

    def __init__(self, problem: HeadProblem, scaling: Scaling, places: np.ndarray | slice) -> None:
        self.problem, self.scaling, self.places = problem, scaling, places
        device = problem.device
        self.mean, self.scale = (torch.from_numpy(value).to(device) for value in (scaling.mean, scaling.scale))
        self.labels = torch.from_numpy(problem.labels[places]).to(device)
        weights = np.ones(problem.classes, np.float32) if problem.class_weights is None else problem.class_weights
        self.class_weights = torch.from_numpy(weights).to(device)
        self.total = float(self.class_weights[self.labels].sum(dtype=torch.float64)) * len(problem.views)
        pictures = len(self.labels) * len(problem.views)
        self.kept: list[tuple[torch.Tensor, torch.Tensor]] | None = None
        if pictures * problem.width <= MAX_CHOSEN_ON * MAX_ROTATED:
            self.kept = [(self._turned(vectors), labels) for vectors, labels in self._read()]
        # Waking a second thread takes longer than a small problem's whole step.
        self.single = device.type == "cpu" and pictures * problem.width * problem.classes <= MAX_SINGLE
        self.point = torch.zeros(problem.classes, len(scaling.variances) + 1, device=device)  # along the directions

    def _turned(self, vectors: torch.Tensor) -> torch.Tensor:
        """(m, width) -> (m, count) along the directions."""
        return vectors if self.scaling.directions is None else vectors @ self.scaling.directions

    def _across(self, point: torch.Tensor) -> torch.Tensor:
        """Weights along the directions, (classes, count + 1) -> for scaled vectors, (classes, width + 1)."""
        directions = self.scaling.directions
        if directions is None:
            return point
        return torch.cat([point[:, :-1] @ directions.T, point[:, -1:]], dim=1)

    def _read(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Scaled vectors (m, width) and labels (m,), block by block."""
        for view in self.problem.views:
            own = view if isinstance(self.places, slice) else view[self.places]
            for first in range(0, len(self.labels), BLOCK):
                block = torch.from_numpy(np.array(own[first : first + BLOCK])).to(self.problem.device)
                yield (block - self.mean).mul_(self.scale), self.labels[first : first + BLOCK]

    def loss(self, point: torch.Tensor, penalty: float) -> tuple[float, torch.Tensor]:
        """Of weights along the directions, and its gradient."""
        if self.kept is not None:
            total, gradient = self._sum(point, self.kept)
        else:
            total, gradient = self._sum(self._across(point), self._read())
            gradient = torch.cat([self._turned(gradient[:, :-1]), gradient[:, -1:]], dim=1)
        gradient /= self.total
        gradient[:, :-1] += penalty * point[:, :-1]
        return total / self.total + penalty / 2 * float((point[:, :-1] ** 2).sum()), gradient

    def _sum(
        self, weight: torch.Tensor, blocks: Iterable[tuple[torch.Tensor, torch.Tensor]]
    ) -> tuple[float, torch.Tensor]:
        """The cross-entropy over all blocks, weighed and smoothed as torch's own has it, and its gradient."""
        even = self.problem.label_smoothing / self.problem.classes  # of the target, for every class
        sure = 1 - self.problem.label_smoothing  # of it, for the picture's own
        gradient = torch.zeros_like(weight)
        total = 0.0
        for vectors, labels in blocks:
            logs = torch.addmm(weight[:, -1], vectors, weight[:, :-1].T).log_softmax(dim=1)  # (m, classes)
            own = sure * self.class_weights[labels]  # (m,)
            total -= float((own * logs.gather(1, labels[:, None])[:, 0]).sum(dtype=torch.float64))
            total -= even * float((logs @ self.class_weights).sum(dtype=torch.float64))
            miss = logs.exp_().mul_((own + even * self.class_weights.sum())[:, None])
            miss.sub_(even * self.class_weights).scatter_add_(1, labels[:, None], -own[:, None])
            gradient[:, :-1].addmm_(miss.T, vectors)
            gradient[:, -1] += miss.sum(dim=0)
        return total, gradient

    def solve(self, penalty: float, *, steps: int, precision: float) -> np.ndarray:
        """The weights for scaled vectors, (classes, width + 1) float32, of the least loss.

        `precision` is the part of the loss that a step must bring; `steps` are the most.
        """
        from scipy.optimize import minimize  # loaded only for this
        from threadpoolctl import threadpool_limits

        classes = self.problem.classes
        curvature = (1 - 1 / classes) / classes  # of the loss, per unit of variance, where nothing is learnt yet
        lengths = torch.sqrt(curvature * self.scaling.variances + penalty)
        lengths = torch.cat([lengths, lengths.new_full((1,), curvature**0.5)])  # the bias's; there may be no directions

        def evaluate(flat: np.ndarray) -> tuple[float, np.ndarray]:
            point = torch.from_numpy(flat.astype(np.float32)).view_as(self.point).to(self.point.device)
            loss, gradient = self.loss(point / lengths, penalty)
            return loss, (gradient / lengths).double().cpu().numpy().ravel()

        threads = torch.get_num_threads()
        torch.set_num_threads(1 if self.single else threads)
        try:
            start = (self.point * lengths).double().cpu().numpy().ravel()
            options = {"maxiter": steps, "gtol": TOLERANCE, "ftol": precision}
            with threadpool_limits(1, user_api="blas"):  # scipy's sums of vectors, whose threads would wait for torch's
                found = minimize(evaluate, start, jac=True, method="L-BFGS-B", options=options)
        finally:
            torch.set_num_threads(threads)
        point = torch.from_numpy(found.x.astype(np.float32)).view_as(self.point).to(self.point.device)
        self.point = point / lengths
        return self._across(self.point).cpu().numpy()

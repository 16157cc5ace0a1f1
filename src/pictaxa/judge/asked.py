"""What a person asks of predictions (calibrated, abstaining, sets) -> the Answering that a Predictor takes.

Mostly it stands in what the run keeps. Only where it has to be computed, scikit-learn and SciPy are loaded, which take
as long as a prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeVar

from ..errors import ConfigError, DataError, RunError
from ..inference.answering import RAW, Answering
from ..inference.loading import load
from ..inference.none_of_these import Likeness, likeness_of
from ..runs.exported import Export, is_export, open_export
from ..runs.folder import Run, open_run
from ..runs.judgement import Abstaining, Judgement, SetRule, judgement_in, read_judgement, rounded
from ..runs.names import JUDGEMENT, METRICS, PREDICTIONS, VECTORS
from ..runs.vectors import read_vectors, vectors_in
from ..system.progress import warn

Novelty = Literal["auto", "yes", "no"]
Rule = TypeVar("Rule", Abstaining, SetRule)


def answering_of(
    path: str | Path,
    *,
    raw: bool = False,
    abstain: float | None = None,
    sets: float | None = None,
    per_class: bool = False,
    none_of_these: Novelty = "auto",
) -> Answering:
    """How a run's predictions are to be made.

    Args:
        path: the run's folder.
        raw: with the model's own probabilities.
        abstain: share of the answers given that are to be right, above 0 and below 1; None: every picture has one.
        sets: share of the sets that are to have the true class, above 0 and below 1; None: no sets.
        per_class: whether that holds for the pictures of each class.
        none_of_these: whether pictures unlike those of training are told; "auto": where the run keeps what that needs,
            which "yes" makes where it doesn't.

    Returns:
        The Answering, which tells what its rules come to on the validation pictures. A run without validation
        predictions has the model's own probabilities, which is said.

    Raises:
        ConfigError: a share out of its range, what excludes each other, no threshold vouches for `abstain`, or the
            validation pictures are too few for `none_of_these`.
        RunError: the run's validation predictions are damaged, or missing and needed.

    Example:
        predictor = load("runs/photos-resnet18-1", answering=answering_of("runs/photos-resnet18-1", abstain=0.95))
    """
    _check(raw=raw, abstain=abstain, sets=sets, per_class=per_class)
    if is_export(path):
        export = open_export(path)
        return _of_export(export, raw=raw, abstain=abstain, sets=sets, per_class=per_class, none_of_these=none_of_these)
    run = open_run(path)
    likeness = _likeness(run, none_of_these)
    plain = replace(RAW, likeness=likeness)
    if raw:
        return plain
    judgement = _judgement(run, needed=abstain is not None or sets is not None)
    if judgement is None:
        return plain
    threshold, least, told = None, None, []
    if abstain is not None:
        answers = _abstaining(run, judgement, abstain)
        threshold = answers.threshold
        told.append(abstaining_line(answers))
    if sets is not None:
        rule = _set_rule(run, judgement, sets, per_class=per_class)
        least = rule.least
        told += set_lines(rule, run.classes)
    return Answering(judgement.temperature, threshold=threshold, least=least, likeness=likeness, told=tuple(told))


def _of_export(
    export: Export, *, raw: bool, abstain: float | None, sets: float | None, per_class: bool, none_of_these: Novelty
) -> Answering:
    """The same by the files of an exported folder, which has the shares that its run was judged for."""
    names, likeness = export.document.files, None
    if none_of_these != "no" and VECTORS in names:
        likeness = likeness_of(vectors_in(export.file(VECTORS)))
    judgement = judgement_in(export.file(JUDGEMENT), classes=export.document.classes) if JUDGEMENT in names else None
    rules: list[Abstaining] = [] if judgement is None else [one for one in judgement.abstaining if one.threshold]
    makers: list[SetRule] = [] if judgement is None else [one for one in judgement.sets if one.per_class == per_class]
    answers = _kept(rules, abstain, flag="--abstain", export=export)
    maker = _kept(makers, sets, flag="--sets", export=export)
    if none_of_these == "yes" and likeness is None:
        raise ConfigError(
            "vectors of the training pictures in the exported folder", found=f"none in {str(export.path)!r}",
            fix="Export the run again after pictaxa predict RUN --none-of-these yes; int8 has none.",
        )  # fmt: skip
    told = [] if answers is None else [abstaining_line(answers)]
    told += [] if maker is None else set_lines(maker, export.document.classes)
    return Answering(
        1.0 if raw else export.document.temperature, threshold=None if answers is None else answers.threshold,
        least=None if maker is None else maker.least, likeness=likeness, told=tuple(told),
    )  # fmt: skip


def _kept(rules: Sequence[Rule], wanted: float | None, *, flag: str, export: Export) -> Rule | None:
    """The rule for a share, of those that are kept."""
    if wanted is None:
        return None
    rule = next((rule for rule in rules if rule.wanted == wanted), None)
    if rule is None:
        known = ", ".join(f"{rule.wanted:g}" for rule in rules) or "no share"
        raise ConfigError(
            f"{flag} with a share that {str(export.path)!r} has a rule for ({known})", found=f"{wanted:g}",
            fix="Use one of these, or the run itself, which finds a rule for any.",
        )  # fmt: skip
    return rule


def temperature_of(run: Run) -> float:
    """The temperature by which a run's predictions are calibrated; 1, which is said, where it has none."""
    judgement = _judgement(run, needed=False)
    return 1.0 if judgement is None else judgement.temperature


def _likeness(run: Run, asked: Novelty) -> Likeness | None:
    """What tells pictures of none of the classes; None where that is not asked, or nothing is kept for it."""
    if asked == "no":
        return None
    there = (run.path / VECTORS).exists()
    vectors = read_vectors(run)
    if vectors is None and (there or asked == "yes"):  # a damaged file is made again
        from ..inference.own_vectors import make_vectors  # with the caches, which a prediction does without

        try:
            vectors = make_vectors(load(run.path))
        except DataError as error:  # the training pictures are gone
            if asked == "yes":
                raise
            warn(f"note      pictures of none of the classes are not told: {error}")
    likeness = None if vectors is None else likeness_of(vectors)
    if likeness is None and asked == "yes":
        raise ConfigError(
            "enough validation pictures to tell what is like none of the classes (19 or more)",
            found=f"too few in {str(run.path)!r}",
            fix="Leave out --none-of-these, or train with more validation pictures.",
        )
    return likeness


def _check(*, raw: bool, abstain: float | None, sets: float | None, per_class: bool) -> None:
    for flag, share in (("--abstain", abstain), ("--sets", sets)):
        if share is not None and not 0 < share < 1:
            raise ConfigError(
                f"{flag} above 0 and below 1", found=f"{share:g}", fix=f"Use {flag} 0.95 for 95%, for example."
            )
        if share is not None and raw:
            raise ConfigError(
                f"either {flag} or --raw",
                found="both",
                fix="Leave out --raw: its threshold is of calibrated probabilities.",
            )
    if per_class and sets is None:
        raise ConfigError("--sets with --per-class", found="--per-class alone", fix="Add --sets 0.95, for example.")


def _judgement(run: Run, *, needed: bool) -> Judgement | None:
    """The run's judgement; None for a run that never had what it is made of."""
    kept = read_judgement(run)
    if kept is not None:
        return kept
    from .judging import make_judgement

    try:
        return make_judgement(run)
    except RunError:
        if needed or all((run.path / name).exists() for name in (PREDICTIONS, METRICS)):
            raise
    warn("note      this run has no validation predictions: its probabilities are the model's own, not calibrated")
    return None


def _abstaining(run: Run, judgement: Judgement, wanted: float) -> Abstaining:
    rule = next((rule for rule in judgement.abstaining if rule.wanted == wanted), None)
    if rule is None:
        from .abstain import choose_threshold
        from .calibrate import cross_calibrated, deal_folds
        from .judging import validated

        predictions, units = validated(run)
        shares = cross_calibrated(predictions.probabilities, predictions.labels, deal_folds(units))
        right = shares.argmax(axis=1) == predictions.labels
        rule = rounded(choose_threshold(shares.max(axis=1), right, units, wanted=wanted))
    if rule.threshold is None:
        accuracy = judgement.figures.accuracy
        raise ConfigError(
            f"validation pictures that vouch for {wanted:.0%} right answers",
            found=f"{accuracy.pictures} pictures with an accuracy of {accuracy.value:.1%}, which do so at no threshold",
            fix="Ask for less, such as --abstain 0.8, or train with more validation pictures.",
        )
    return rule


def _set_rule(run: Run, judgement: Judgement, wanted: float, *, per_class: bool) -> SetRule:
    kept = (rule for rule in judgement.sets if rule.wanted == wanted and rule.per_class == per_class)
    rule = next(kept, None)
    if rule is None:
        from .calibrate import cross_calibrated, deal_folds
        from .judging import validated
        from .sets import make_sets

        predictions, units = validated(run)
        fold_of = deal_folds(units)
        shares = cross_calibrated(predictions.probabilities, predictions.labels, fold_of)
        rule = make_sets(shares, predictions.labels, units, wanted=wanted, per_class=per_class, fold_of=fold_of)
    return rule


def abstaining_line(rule: Abstaining) -> str:
    """What a rule of abstaining came to on the validation pictures, in a line."""
    share, right = rule.coverage, rule.accuracy
    assert rule.threshold is not None
    return (
        f"abstain   below {rule.threshold:.1%}: {share.percent} of {share.pictures} validation pictures get an "
        f"answer, {right.percent} of these are right"
    )


def set_lines(rule: SetRule, classes: tuple[str, ...]) -> list[str]:
    """What a rule of sets came to on the validation pictures, in a line, and a second one where it can't hold."""
    found, size = rule.coverage, rule.size
    lines = [
        f"sets      {found.percent} of {found.pictures} validation pictures have their class in the set; "
        f"{size.value:.2f} classes on average, {rule.empty.value:.1%} empty"
    ]
    always = [name for name, least in zip(classes, rule.least, strict=False) if least == 0]
    if always and not rule.per_class:
        lines.append("note      there are too few validation pictures for this share: every class is in every set")
    elif always:
        some = ", ".join(always[:3]) + (" ..." if len(always) > 3 else "")
        lines.append(f"note      too few validation pictures of {len(always)} classes, which are in every set: {some}")
    return lines

"""Commands for a data set before training: inspect, preview, data convert, cache."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ...errors import ConfigError
from ...system.printing import print_line, print_lines
from ..arguments import CacheArguments, ConvertDataArguments, InspectArguments, PreviewArguments
from ..exit_codes import EXIT_FOUND, check_place, write_json

if TYPE_CHECKING:  # loaded when they are needed
    from ...inspection.findings import Finding
    from ...inspection.inspect import Inspection


def inspect(arguments: InspectArguments, started: float) -> int:
    """Say what is wrong with a data set."""
    from ...data.cache_folder import default_cache_root
    from ...inspection import inspect as looking
    from ...inspection.manifest import check_manifest_place, write_manifest
    from ...inspection.review import apply_review, read_review, review_line
    from ...system.device import usable_cores

    # Wrong words and places are told before the work.
    if arguments.strict == ():
        raise ConfigError(
            "kinds of findings after --strict",
            found="none",
            fix="Use --strict all, or for example --strict leak unreadable.",
        )
    looking.strict_failures([], arguments.strict or ())
    for flag in ("html", "json", "review", "fix"):
        check_place(getattr(arguments, flag), f"--{flag}")
    check_manifest_place(arguments.fix, arguments.data)
    if arguments.review is not None and arguments.run is None and arguments.folds is None:
        raise ConfigError("--review beside --run or --folds", found="neither", fix="Add --run RUN, or --folds 5.")
    if arguments.reviewed is not None and arguments.fix is None:
        raise ConfigError("--reviewed beside --fix", found="no --fix", fix="Add --fix good.csv, for example.")
    review = None if arguments.reviewed is None else read_review(arguments.reviewed)
    if arguments.folds is not None and arguments.folds < 2:
        raise ConfigError("--folds of 2 or more", found=str(arguments.folds), fix="For example, use --folds 5.")
    inspection = looking.inspect_data(
        arguments.data,
        arguments.reading,
        root=arguments.cache or default_cache_root(),
        threads=arguments.threads or usable_cores(),
        size=arguments.size,
        asked=arguments.decoding,
    )
    if arguments.run is not None or arguments.folds is not None:
        inspection.findings.extend(_doubts(inspection, arguments))
    print_lines(looking.inspection_lines(inspection))
    write_json(arguments.json, looking.as_json(inspection))
    if arguments.html is not None:
        from ...reporting.inspection_page import write_inspection

        print_line(f"page      {write_inspection(inspection, arguments.html)}")
    if arguments.review is not None:
        from ...reporting.review_page import write_review

        print_line(f"review    {write_review(inspection, arguments.review, data=arguments.data)}")
    if arguments.fix is not None:
        if review is not None:
            print_line(review_line(apply_review(inspection.index, review)))
        kept, dropped = write_manifest(inspection, arguments.fix, review=review)
        print_line(f"manifest  {arguments.fix}: {kept} rows, {dropped} left out; train on it instead of the folder")
    failures = looking.strict_failures(inspection.findings, arguments.strict or ())
    if failures:
        print_line(f"pictaxa: found problems that --strict does not allow: {', '.join(failures)}", file=sys.stderr)
        return EXIT_FOUND
    return 0


def _doubts(inspection: Inspection, arguments: InspectArguments) -> list[Finding]:
    from ...config.by_name import training_like, with_words
    from ...judge.label_errors import doubts

    epochs, minutes = arguments.fold_epochs, arguments.fold_minutes
    config = with_words(training_like(arguments), {"minutes": minutes} if epochs is None else {"epochs": epochs})
    return doubts(inspection, config, run=arguments.run, folds=arguments.folds)


def preview(arguments: PreviewArguments, started: float) -> int:
    """Draw pictures and what training will see of them, or plain samples, or print a batch in numbers."""
    if arguments.grid and arguments.batch:
        raise ConfigError("--grid or --batch", found="both", fix="Use one after the other.")
    if not arguments.grid and (arguments.class_ or arguments.split):
        flag = "--class" if arguments.class_ else "--split"
        raise ConfigError(f"--grid beside {flag}", found=f"{flag} alone", fix=f"Use --grid 3x4 {flag} ...")
    if arguments.batch:
        return _batch(arguments)
    check_place(arguments.out, "--out", makes_folder=True)
    if arguments.grid:
        return _grid(arguments)
    from ...reporting.preview import draw_preview

    path, operations = draw_preview(
        arguments.data,
        arguments.out,
        augmentation=arguments.augmentation,
        pictures=arguments.pictures,
        reading=arguments.reading,
        asked=arguments.decoding,
        seed=arguments.seed,
    )
    print_line(f"preview   {path}: first column: what prediction sees; other columns: what training sees")
    if operations:
        print_line(f"          {operations}: each operation of the policy separately, from mild to full strength")
    return 0


def _grid(arguments: PreviewArguments) -> int:
    """Plain samples with their labels."""
    from ...reporting.samples import Wanted, draw_samples, read_grid

    rows, columns = read_grid(arguments.grid)
    wanted = Wanted(rows=rows, columns=columns, class_name=arguments.class_, split=arguments.split, seed=arguments.seed)
    path, count = draw_samples(
        arguments.data, arguments.out, wanted=wanted, reading=arguments.reading, asked=arguments.decoding
    )
    fewer = f" (there are no more for {arguments.grid})" if count < rows * columns else ""
    print_line(f"grid      {path}: {count} pictures{fewer}; others with --seed {arguments.seed + 1}")
    return 0


def _batch(arguments: PreviewArguments) -> int:
    """A training batch in numbers."""
    from ...reporting.batch import make_batch

    batch = make_batch(
        arguments.data,
        augmentation=arguments.augmentation,
        pictures=arguments.pictures,
        batch_size=arguments.batch_size,
        reading=arguments.reading,
        asked=arguments.decoding,
        seed=arguments.seed,
    )
    print_lines(batch.lines())
    return 0


def convert(arguments: ConvertDataArguments, started: float) -> int:
    """Convert a data set to another layout."""
    if arguments.per_file < 1:
        raise ConfigError(
            "--per-file 1 or more", found=str(arguments.per_file), fix="Use --per-file 1000, for example."
        )
    from ...data.converting import convert_data

    converted = convert_data(
        arguments.data, arguments.out, to=arguments.to, reading=arguments.reading, per_file=arguments.per_file
    )
    print_lines(f"left out  {path!r}: {problem}" for path, problem in converted.problems[:5])
    if len(converted.problems) > 5:
        print_line(f"left out  {len(converted.problems) - 5} more")
    print_line(f"written   {converted.written} pictures as {arguments.to}: {arguments.out}")
    return 0


def cache(arguments: CacheArguments, started: float) -> int:
    """List what is in the cache, and clean it."""
    from ...data.cache_folder import default_cache_root
    from ...data.keeping import cache_lines

    print_lines(cache_lines(arguments.cache or default_cache_root(), clean=arguments.clean))
    return 0

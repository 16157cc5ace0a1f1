"""The commands that show why: explain and nearest."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ...errors import ConfigError
from ...system.printing import print_line, print_lines
from ..exit_codes import EXIT_MISTAKE, check_place, write_json
from ..explaining import ExplainArguments, NearestArguments

if TYPE_CHECKING:  # loaded when it is needed
    from ...explaining.pictures import Asked
    from ...inference.predictor import Predictor
    from ..inputs import Named


def explain(arguments: ExplainArguments, started: float) -> int:
    """Draw what speaks for a run's answers, or check how well a method shows it."""
    check_place(arguments.json, "--json")
    if arguments.check == bool(arguments.files):
        raise ConfigError(
            "pictures to explain, or --check", found="both" if arguments.check else "neither",
            fix="Give files and folders, or --check alone.",
        )  # fmt: skip
    from ...explaining.pictures import Asked
    from ...inference.loading import load
    from ...judge.asked import answering_of

    asked = Asked(arguments.class_, arguments.top, arguments.method)
    if arguments.out.suffix.lower() == ".png" and not arguments.check:
        check_place(arguments.out, "--out", makes_folder=True)
    predictor = load(arguments.run, device=arguments.device, answering=answering_of(arguments.run))
    return _check(arguments, predictor) if arguments.check else _draw(arguments, asked, predictor)


def _draw(arguments: ExplainArguments, asked: Asked, predictor: Predictor) -> int:
    from ...explaining.pictures import explain_pictures
    from ...explaining.sheet import draw_all
    from ..inputs import pictures_of

    found = explain_pictures(predictor, pictures_of(arguments.files), asked)
    documents, bad = [], 0
    for explanation, path in draw_all(found, arguments.out):  # a line for each picture shows how far it is
        documents.append(explanation.as_json() | ({} if path is None else {"drawn": str(path)}))
        bad += bool(explanation.prediction.problem)
        print_lines(explanation.lines())
    read = len(documents) - bad
    if read:
        print_line(f"drawn     {arguments.out}: {read} of {read + bad} pictures by {asked.method}")
    if bad:
        print_line(f"{bad} of {read + bad} files could not be read", file=sys.stderr)
    if not documents:
        raise ConfigError("pictures to explain", found="none in what was given", fix="Give other files or folders.")
    document = {"run": str(arguments.run), "method": asked.method, "pictures": documents}
    write_json(arguments.json, document)
    return 0 if read else EXIT_MISTAKE


def _check(arguments: ExplainArguments, predictor: Predictor) -> int:
    from ...explaining.checking import check_lines, check_method

    checked = check_method(predictor, arguments.method, pictures=arguments.pictures, seed=arguments.seed)
    print_lines(check_lines(checked))
    write_json(arguments.json, checked.as_json())
    return 0


def nearest(arguments: NearestArguments, started: float) -> int:
    """Show the training pictures that are most like others, or a map of the validation pictures."""
    check_place(arguments.json, "--json")
    for place, flag in ((arguments.grid, "--grid"), (arguments.map, "--map")):
        if place is not None:
            check_place(place, flag, makes_folder=True)
    if not arguments.files and arguments.map is None:
        raise ConfigError("pictures, or --map", found="neither", fix="Give files and folders, or --map map.png alone.")
    from ...inference.loading import load
    from ...judge.asked import answering_of
    from ..inputs import pictures_of

    pictures = pictures_of(arguments.files)
    predictor = load(arguments.run, device=arguments.device, answering=answering_of(arguments.run))
    status = _find_nearest(arguments, predictor, pictures) if arguments.files else 0
    if arguments.map is not None:
        from ...explaining.picture_map import draw_map

        print_line(f"map       {draw_map(predictor, arguments.map)}")
    return status


def _find_nearest(arguments: NearestArguments, predictor: Predictor, pictures: Iterable[Named]) -> int:
    from ...explaining.nearest import NearestGrid, find_nearest
    from ...inference.predictor import tell_nobody

    grid = None if arguments.grid is None else NearestGrid(predictor, arguments.grid)
    documents, read = [], 0
    look = tell_nobody if grid is None else grid.look
    for found in find_nearest(predictor, pictures, count=arguments.count, look=look):
        print_lines(found.lines())
        documents.append(found.as_json())
        read += bool(found.neighbours)
        if grid is not None:
            grid.write(found)
    if not documents:
        raise ConfigError("pictures to compare", found="none in what was given", fix="Give other files or folders.")
    if grid is not None:
        print_line(f"grid      {grid.draw()}")
    if read < len(documents):
        print_line(f"{len(documents) - read} of {len(documents)} files could not be read", file=sys.stderr)
    write_json(arguments.json, {"run": str(arguments.run), "pictures": documents})
    return 0 if read else EXIT_MISTAKE

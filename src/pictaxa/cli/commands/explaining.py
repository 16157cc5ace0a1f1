"""The command that shows why: explain."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ...errors import ConfigError
from ...system.printing import print_line, print_lines
from ..exit_codes import EXIT_MISTAKE, check_place, write_json
from ..explaining import ExplainArguments

if TYPE_CHECKING:  # loaded when it is needed
    from ...explaining.pictures import Asked
    from ...inference.predictor import Predictor


def explain(arguments: ExplainArguments, started: float) -> int:
    """Draw what speaks for a run's answers, or check how well a method shows it."""
    check_place(arguments.json, "--json")
    if arguments.check == bool(arguments.files):
        raise ConfigError(
            "pictures to explain, or --check", found="both" if arguments.check else "neither",
            fix="Give files and folders, or --check alone.",
        )  # fmt: skip
    from ...explaining.pictures import Asked
    from ...inference.predictor import load
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

"""Commands that ship a run: export."""

from __future__ import annotations

from dataclasses import asdict

from ...system.printing import print_lines
from ..exit_codes import check_place, write_json
from ..shipping import ExportArguments


def export(arguments: ExportArguments, started: float) -> int:
    """Write a run in another format, checked."""
    from ...exporting.export import ExportConfig, export_lines, export_run
    from ...judge.asked import temperature_of
    from ...runs.folder import open_run

    check_place(arguments.json, "--json")
    config = ExportConfig(
        arguments.format, quantize=arguments.quantize, batch=arguments.pictures_at_once,
        output="logits" if arguments.logits else "probabilities", allow_loss=arguments.allow_loss / 100,
        seed=arguments.seed,
    )  # fmt: skip
    temperature_of(open_run(arguments.run))  # judged now, if it has not been
    export = export_run(arguments.run, config, out=arguments.out)
    print_lines(export_lines(export))
    write_json(arguments.json, asdict(export.document))
    return 0

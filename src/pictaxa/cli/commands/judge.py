"""The command that judges several runs: compare."""

from __future__ import annotations

from ...errors import ConfigError
from ...system.files import require_suffix
from ...system.printing import print_line, print_lines
from ..exit_codes import check_place, write_json
from ..judging import CompareArguments


def compare(arguments: CompareArguments, started: float) -> int:
    """Compare runs on the same pictures."""
    if arguments.split and arguments.on is None:
        raise ConfigError("--on DATA beside --split", found="--split alone", fix="Use --on DATA --split test.")
    check_place(arguments.json, "--json")
    for flag, path, suffixes in (("--plot", arguments.plot, (".png", ".svg")), ("--grid", arguments.grid, (".png",))):
        check_place(path, flag, makes_folder=True)
        if path is not None:
            require_suffix(path, *suffixes, flag=flag)
    from ...judge.compare import compare_runs, draw_comparison, draw_differences
    from ...judge.comparison import as_json, comparison_lines

    comparison = compare_runs(
        arguments.runs, arguments.on, reading=arguments.reading, split=arguments.split, device=arguments.device
    )
    print_lines(comparison_lines(comparison))
    if arguments.plot is not None:
        print_line(f"plot      {draw_comparison(comparison, arguments.plot)}")
    if arguments.grid is not None:
        print_line(f"grid      {draw_differences(comparison, arguments.grid)}")
    write_json(arguments.json, as_json(comparison))
    return 0

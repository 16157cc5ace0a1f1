"""Commands for models, weights and training plans: models, recipes, weights, plan, probe, embed."""

from __future__ import annotations

from dataclasses import asdict

from ...errors import ConfigError
from ...system.files import require_suffix
from ...system.printing import print_line, print_lines
from ..arguments import (
    ConvertArguments,
    ListWeightsArguments,
    ModelsArguments,
    RecipesArguments,
)
from ..exit_codes import check_place, write_json
from ..looking import EmbedArguments, PlanArguments, ProbeArguments


def models(arguments: ModelsArguments, started: float) -> int:
    """List the zoo, one of its networks layer by layer, or several side by side."""
    from ...models import catalogue, drawings

    for flag, path in (("--diagram", arguments.diagram), ("--block", arguments.block)):
        check_place(path, flag)
        if path is not None:
            require_suffix(path, ".svg", ".png", flag=flag)
    if arguments.compare:
        return _compare(arguments)
    if not arguments.names:
        if arguments.diagram or arguments.block:
            raise ConfigError("one model to draw", found="none named", fix="Write pictaxa models NAME --diagram FILE.")
        print_lines(catalogue.list_lines())
        return 0
    if len(arguments.names) > 1 and (arguments.block is None or arguments.diagram is not None):
        raise ConfigError(
            "one model", found=" ".join(arguments.names),
            fix="Write pictaxa models --compare A B, or pictaxa models A B --block FILE.svg.",
        )  # fmt: skip
    summaries = [
        catalogue.read_entry(
            name,
            size=arguments.size,
            channels=arguments.channels,
            classes=arguments.classes,
            options=arguments.model_options,
        )
        for name in arguments.names
    ]
    if len(summaries) == 1:
        print_lines(catalogue.layer_lines(summaries[0], depth=arguments.depth))
    if arguments.diagram is not None:
        print_line(f"diagram       {drawings.draw_entry(summaries[0], arguments.diagram, dark=arguments.dark)}")
    if arguments.block is not None:
        print_line(f"block         {drawings.draw_block_of(summaries, arguments.block, dark=arguments.dark)}")
    return 0


def _compare(arguments: ModelsArguments) -> int:
    from ...models import catalogue, drawings

    names = (*arguments.names, *arguments.compare)
    if names != (drawings.ALL,) or arguments.diagram is None:
        print_lines(
            catalogue.compare_lines(names, size=arguments.size, channels=arguments.channels, classes=arguments.classes)
        )
    if arguments.diagram is not None:
        path, left_out = drawings.draw_compared(names, arguments.diagram, dark=arguments.dark)
        print_line(f"diagram       {path}")
        if left_out and names != (drawings.ALL,):
            print_line(f"left out      {', '.join(left_out)}: no accuracy is published with weights")
    return 0


def recipes(arguments: RecipesArguments, started: float) -> int:
    """List the well-known set-ups, or one with its settings."""
    from ...config.recipes import RECIPES, find_recipe, recipe_lines

    if arguments.name is not None:
        lines = recipe_lines(arguments.name, find_recipe(arguments.name))
    else:
        width = max(map(len, RECIPES))
        lines = [f"{name:{width}}  {recipe.data:12.12}  {recipe.what}" for name, recipe in RECIPES.items()]
    print_lines(lines)
    return 0


def list_weights(arguments: ListWeightsArguments, started: float) -> int:
    """List published weights."""
    from ...weights.published import list_lines

    print_lines(list_lines())
    return 0


def convert_weights(arguments: ConvertArguments, started: float) -> int:
    """Bring another library's checkpoint into our names."""
    from ...inference.loading import checked_weights
    from ...weights.convert import convert

    lines = convert(
        checked_weights(arguments.file),
        arguments.out,
        model=arguments.model,
        source=arguments.source,
        normalization=arguments.normalization,
        channels=arguments.channels,
        model_options=arguments.model_options,
        classes=arguments.classes,
        prefix=arguments.prefix,
    )
    print_lines(lines)
    return 0


def plan(arguments: PlanArguments, started: float) -> int:
    """Compare the ways to train on a set of pictures."""
    from ...config.by_name import training_like
    from ...training.planner import plan_lines, plan_training

    check_place(arguments.json, "--json")
    if arguments.time_to is not None and not 0 < arguments.time_to < 1:
        raise ConfigError(
            "--time-to above 0 and below 1",
            found=f"{arguments.time_to:g}",
            fix="For example, use 0.95 for an accuracy of 95%.",
        )
    plan = plan_training(training_like(arguments))
    print_lines(plan_lines(plan, target=arguments.time_to))
    write_json(arguments.json, asdict(plan))
    return 0


def probe(arguments: ProbeArguments, started: float) -> int:
    """Estimate how well a backbone suits a data set."""
    from ...config.by_name import training_like
    from ...judge.probe import probe_data, probe_lines

    check_place(arguments.json, "--json")
    probe = probe_data(training_like(arguments))
    print_lines(probe_lines(probe))
    write_json(arguments.json, asdict(probe))
    return 0


def embed(arguments: EmbedArguments, started: float) -> int:
    """Write what a backbone makes of each picture."""
    from ...config.by_name import training_like
    from ...judge.embedding import embed_data

    check_place(arguments.out, "--out")
    require_suffix(arguments.out, ".npz", flag="--out")
    check_place(arguments.json, "--json")
    embedding = embed_data(training_like(arguments))
    embedding.save(arguments.out)
    count, width = embedding.vectors.shape
    print_line(f"vectors   {arguments.out}: {count} pictures, {width} numbers each, by {embedding.model}")
    write_json(
        arguments.json, {"pictures": count, "width": width, "model": embedding.model, "weights": embedding.weights}
    )
    return 0

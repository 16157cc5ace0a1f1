"""The commands: their arguments and functions. Each imports what it needs only when run, so that help is instant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .. import arguments, judging, looking
from ..explaining import ExplainArguments, NearestArguments
from ..parse import Fill
from ..shipping import ExportArguments
from ..teaching import (
    BlocksArguments,
    ConvolutionArguments,
    FieldArguments,
    FormulasArguments,
    LookArguments,
    SizeArguments,
)
from ..training import COMMON, EXAMPLE, settings_beside
from . import data, docs, explaining, judge, models, runs, ship, teaching


@dataclass(frozen=True)
class Command:
    """What a command takes, as parse.py makes it of words, and what is done with it."""

    takes: type[Any]
    run: Callable[[Any, float], int]  # with the time at which the program began; gives the exit status
    common: tuple[str, ...] = ()  # settings that --help shows; all where none are named
    example: str = ""
    fill: Fill | None = None  # settings from elsewhere


# By name; one of two words is within its first.
COMMANDS: dict[str, Command] = {
    "train": Command(arguments.TrainArguments, runs.train, COMMON, EXAMPLE, settings_beside),
    "evaluate": Command(arguments.EvaluateArguments, runs.evaluate, example="pictaxa evaluate RUN more-photos"),
    "predict": Command(
        arguments.PredictArguments, runs.predict, example="pictaxa predict RUN a.jpg photos --top 2 --abstain 0.95"
    ),
    "compare": Command(
        judging.CompareArguments, judge.compare, example="pictaxa compare runs/head runs/tuned --plot cost.png"
    ),
    "explain": Command(
        ExplainArguments, explaining.explain, example="pictaxa explain RUN a.jpg photos --top 2 --out explained"
    ),
    "nearest": Command(
        NearestArguments, explaining.nearest, example="pictaxa nearest RUN a.jpg photos --grid nearest.png"
    ),
    "report": Command(arguments.ReportArguments, runs.report),
    "export": Command(ExportArguments, ship.export, example="pictaxa export RUN --format onnx"),
    "curves": Command(arguments.CurvesArguments, runs.curves, example="pictaxa curves runs/* --out curves.png"),
    "preview": Command(arguments.PreviewArguments, data.preview, example="pictaxa preview photos --policy strong"),
    "probe": Command(looking.ProbeArguments, models.probe, example="pictaxa probe photos"),
    "embed": Command(looking.EmbedArguments, models.embed, example="pictaxa embed photos --out vectors.npz"),
    "plan": Command(looking.PlanArguments, models.plan, example="pictaxa plan photos --minutes 10"),
    "inspect": Command(arguments.InspectArguments, data.inspect, example="pictaxa inspect photos --html found.html"),
    "data convert": Command(
        arguments.ConvertDataArguments, data.convert, example="pictaxa data convert photos shards --to shards"
    ),
    "cache": Command(arguments.CacheArguments, data.cache, example="pictaxa cache --clean gone"),
    "classes": Command(arguments.ClassesArguments, runs.classes, example="pictaxa classes RUN --rename tulips=tulip"),
    "models": Command(arguments.ModelsArguments, models.models, example="pictaxa models resnet18 --diagram a.svg"),
    "recipes": Command(arguments.RecipesArguments, models.recipes, example="pictaxa recipes cifar-resnet20"),
    "look": Command(LookArguments, teaching.look, example="pictaxa look RUN photo.jpg --out look.png"),
    "formulas": Command(FormulasArguments, teaching.formulas),
    "formulas size": Command(
        SizeArguments, teaching.size, example="pictaxa formulas size 224 --kernel 7 --stride 2 --padding 3"
    ),
    "formulas field": Command(FieldArguments, teaching.field, example="pictaxa formulas field 7/2 3/2 3 3"),
    "formulas conv": Command(
        ConvolutionArguments, teaching.convolution, example="pictaxa formulas conv 256 256 --kernel 3 --size 14"
    ),
    "formulas blocks": Command(BlocksArguments, teaching.blocks, example="pictaxa formulas blocks"),
    "docs": Command(arguments.DocsArguments, docs.docs, example="pictaxa docs from-keras --language zh"),
    "weights list": Command(arguments.ListWeightsArguments, models.list_weights),
    "weights convert": Command(
        arguments.ConvertArguments, models.convert_weights,
        example="pictaxa weights convert a.pth --source torchvision --model resnet18 --out a.safetensors",
    ),
}  # fmt: skip

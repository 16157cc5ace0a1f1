"""The commands. Each imports its part only when it is called, so that help is instant."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import ConfigError
from .parsing import parse, take_flag

if TYPE_CHECKING:  # loaded when they are needed
    from .arguments import InspectArguments
    from .inspection.findings import Finding
    from .inspection.inspect import Inspection

EXIT_FOUND = 1  # inspect --strict
EXIT_MISTAKE = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def _train(words: list[str], started: float) -> int:
    resume, words = take_flag(words, "--resume")
    config_file, words = take_flag(words, "--config")
    if resume is not None and words:
        raise ConfigError(
            "--resume RUN alone", found=" ".join(words), fix="A run goes on with its own settings: leave the rest out."
        )
    if "--help" in words or "-h" in words:
        print("Also: --resume RUN goes on with a run that was cut off;")
        print("      --config FILE starts from a saved config.json or a YAML file (flags given beside it win).\n")
    from .config import TrainConfig
    from .settings import read_config_file, with_words

    default = None if config_file is None else read_config_file(Path(config_file))
    if default is not None and any(word.startswith(("--epochs", "--minutes")) for word in words):
        default = with_words(default, {"epochs": None, "minutes": None})  # the length given beside the file wins
    config = None if resume is not None else parse(TrainConfig, words, "train", default=default)
    from .training.loop import Interrupted, resume_run, train_run

    try:
        if config is None:
            assert resume is not None
            run = resume_run(Path(resume))
        else:
            run = train_run(config, started=started)
    except Interrupted as stop:
        print(f"\nstopped; everything is kept. Go on with:  pictaxa train --resume {stop.run.path}", flush=True)
        return EXIT_INTERRUPTED
    print(f"next      pictaxa report {run.path}")
    print(f"          pictaxa predict {run.path} FILES-OR-FOLDERS")
    return 0


def _evaluate(words: list[str], started: float) -> int:
    from .arguments import EvaluateArguments

    arguments = parse(EvaluateArguments, words, "evaluate")
    from .evaluation import evaluate_run, evaluation_lines

    evaluation = evaluate_run(arguments.run, arguments.data, reading=arguments.reading, device=arguments.device)
    for path, problem in evaluation.set_aside:
        print(f"set aside {path!r}: {problem}")
    for line in evaluation_lines(evaluation):
        print(line)
    _write_json(arguments.json, evaluation.metrics)
    return 0


def _write_json(path: Path | None, document: object) -> None:
    if path is None:
        return
    import json

    try:
        path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError("a place to write", found=f"{str(path)!r}: {error.strerror}", fix="Change --json.") from None


def _predict(words: list[str], started: float) -> int:
    from .arguments import PredictArguments

    arguments = parse(PredictArguments, words, "predict")
    if arguments.top is not None and arguments.top < 1:
        raise ConfigError("--top from 1 on", found=str(arguments.top), fix="Raise it.")
    from .answers import TableWriter, open_writer, write_all
    from .predict import load

    predictor = load(arguments.run, device=arguments.device)
    stream = predictor.stream(arguments.files)
    if arguments.out is None:
        table = TableWriter(sys.stdout, predictor.classes, top=arguments.top)
        read, bad = write_all(stream, [table])
    else:
        with open_writer(arguments.out, predictor.classes, top=arguments.top) as writer:
            read, bad = write_all(stream, [writer])
        print(f"{read + bad} rows in {arguments.out}")
    if bad:
        print(f"{bad} of {read + bad} files could not be read; each has its reason in its row", file=sys.stderr)
    if read + bad == 0:
        raise ConfigError("pictures to predict", found="none in the given folders", fix="Give files or folders.")
    return 0 if read else EXIT_MISTAKE


def _report(words: list[str], started: float) -> int:
    from .arguments import ReportArguments

    arguments = parse(ReportArguments, words, "report")
    from .reporting.page import write_report

    print(f"report    {write_report(arguments.run)}")
    return 0


def _preview(words: list[str], started: float) -> int:
    from .arguments import PreviewArguments

    arguments = parse(PreviewArguments, words, "preview")
    from .preview import draw_preview

    path = draw_preview(
        arguments.data,
        arguments.out,
        augmentation=arguments.augmentation,
        pictures=arguments.pictures,
        reading=arguments.reading,
        seed=arguments.seed,
    )
    print(f"preview   {path}: first column what prediction sees, the others what training sees")
    return 0


def _probe(words: list[str], started: float) -> int:
    from .arguments import ProbeArguments

    arguments = parse(ProbeArguments, words, "probe")
    from dataclasses import asdict

    from .config import TrainConfig, TransferConfig
    from .probing import probe_data, probe_lines

    probe = probe_data(
        TrainConfig(
            data=arguments.data,
            model=arguments.model,
            model_options=arguments.model_options,
            cache=arguments.cache,
            seed=arguments.seed,
            transfer=TransferConfig(weights=arguments.weights, source=arguments.source, input=arguments.input),
            reading=arguments.reading,
            pictures=arguments.pictures,
            machine=arguments.machine,
        )
    )
    for line in probe_lines(probe):
        print(line)
    _write_json(arguments.json, asdict(probe))
    return 0


def _inspect(words: list[str], started: float) -> int:
    from .arguments import InspectArguments

    arguments = parse(InspectArguments, words, "inspect")
    from .data.cache import default_cache_root
    from .device import usable_cores
    from .inspection import inspect as looking

    looking.strict_failures([], arguments.strict)  # wrong words are told before the work
    inspection = looking.inspect_data(
        arguments.data,
        arguments.reading,
        root=arguments.cache or default_cache_root(),
        threads=arguments.threads or usable_cores(),
        size=arguments.size,
    )
    if arguments.run is not None or arguments.folds is not None:
        inspection.findings.extend(_doubts(inspection, arguments))
    for line in looking.inspection_lines(inspection):
        print(line)
    _write_json(arguments.json, looking.as_json(inspection))
    if arguments.html is not None:
        from .reporting.inspection_page import write_inspection

        print(f"page      {write_inspection(inspection, arguments.html)}")
    if arguments.fix is not None:
        kept, dropped = looking.write_manifest(inspection, arguments.fix)
        print(f"manifest  {arguments.fix}: {kept} rows, {dropped} left out; train on it instead of the folder")
    failures = looking.strict_failures(inspection.findings, arguments.strict)
    if failures:
        print(f"pictaxa: found what --strict forbids: {', '.join(failures)}", file=sys.stderr)
        return EXIT_FOUND
    return 0


def _data(words: list[str], started: float) -> int:
    if words[:1] in (["-h"], ["--help"]):
        print("pictaxa data convert SRC DST --to folders|parquet|shards   as follows\n")
        words = ["convert", "--help"]
    if words[:1] != ["convert"]:
        raise ConfigError(
            "pictaxa data convert ...",
            found=words[0] if words else "nothing after data",
            fix="See pictaxa data --help.",
        )
    from .arguments import ConvertDataArguments

    arguments = parse(ConvertDataArguments, words[1:], "data convert")
    if arguments.per_file < 1:
        raise ConfigError("--per-file from 1 on", found=str(arguments.per_file), fix="Raise it.")
    from .data.converting import convert_data

    converted = convert_data(
        arguments.data, arguments.out, to=arguments.to, reading=arguments.reading, per_file=arguments.per_file
    )
    for path, problem in converted.problems[:5]:
        print(f"left out  {path!r}: {problem}")
    if len(converted.problems) > 5:
        print(f"left out  {len(converted.problems) - 5} more")
    print(f"written   {converted.written} pictures as {arguments.to}: {arguments.out}")
    return 0


def _cache(words: list[str], started: float) -> int:
    from .arguments import CacheArguments

    arguments = parse(CacheArguments, words, "cache")
    from .data.cache import default_cache_root
    from .data.keeping import cache_lines

    for line in cache_lines(arguments.cache or default_cache_root(), clean=arguments.clean):
        print(line)
    return 0


def _doubts(inspection: Inspection, arguments: InspectArguments) -> list[Finding]:
    from .config import MachineConfig, PicturesConfig, ScheduleConfig, TrainConfig
    from .doubting import doubt_by_folds, doubt_by_run

    config = TrainConfig(
        data=arguments.data,
        reading=arguments.reading,
        cache=arguments.cache,
        pictures=PicturesConfig(size=arguments.size),
        schedule=ScheduleConfig(minutes=arguments.fold_minutes),
        machine=MachineConfig(threads=arguments.threads),
    )
    found = [] if arguments.run is None else list(doubt_by_run(inspection, config, arguments.run))
    return found + ([] if arguments.folds is None else list(doubt_by_folds(inspection, config, arguments.folds)))


def _classes(words: list[str], started: float) -> int:
    from .arguments import ClassesArguments

    arguments = parse(ClassesArguments, words, "classes")
    if not arguments.rename and not arguments.merge:
        from .run import open_run

        for label, name in enumerate(open_run(arguments.run).classes):
            print(f"{label:5}  {name}")
        return 0
    from .relabelling import relabel_run, relabelling_lines

    run, plan = relabel_run(arguments.run, arguments.out, rename=arguments.rename, merge=arguments.merge)
    for line in relabelling_lines(run, plan):
        print(line)
    return 0


def _models(words: list[str], started: float) -> int:
    from .arguments import ModelsArguments

    arguments = parse(ModelsArguments, words, "models")
    from . import catalogue

    if arguments.compare:
        names = (arguments.name, *arguments.compare) if arguments.name else arguments.compare
        lines = catalogue.compare_lines(
            names, size=arguments.size, channels=arguments.channels, classes=arguments.classes
        )
    elif arguments.name is None:
        lines = catalogue.list_lines()
    else:
        summary, options = catalogue.read_entry(
            arguments.name,
            size=arguments.size,
            channels=arguments.channels,
            classes=arguments.classes,
            options=arguments.model_options,
        )
        lines = catalogue.layer_lines(summary)
    for line in lines:
        print(line, flush=True)
    if arguments.diagram is not None:
        if arguments.name is None or arguments.compare:
            raise ConfigError("one model to draw", found="none named", fix="Write pictaxa models NAME --diagram FILE.")
        print(f"diagram       {catalogue.draw(summary, options, classes=arguments.classes, path=arguments.diagram)}")
    return 0


def _weights(words: list[str], started: float) -> int:
    if words and words[0] in ("-h", "--help"):
        print("pictaxa weights list      published weights, for --weights imagenet")
        print("pictaxa weights convert   as follows\n")
        words = ["convert", "--help"]
    if words == ["list"]:
        from .weights.published import list_lines

        for line in list_lines():
            print(line)
        return 0
    if not words or words[0] != "convert":
        raise ConfigError(
            "pictaxa weights convert ... or list", found=words[0] if words else "nothing after weights",
            fix="See pictaxa weights --help.",
        )  # fmt: skip
    from .arguments import ConvertArguments

    arguments = parse(ConvertArguments, words[1:], "weights convert")
    from .weights.convert import convert

    lines = convert(
        arguments.file,
        arguments.out,
        model=arguments.model,
        source=arguments.source,
        feeding=arguments.input,
        channels=arguments.channels,
        model_options=arguments.model_options,
        classes=arguments.classes,
    )
    for line in lines:
        print(line)
    return 0


COMMANDS: dict[str, Callable[[list[str], float], int]] = {
    "train": _train,
    "evaluate": _evaluate,
    "predict": _predict,
    "report": _report,
    "preview": _preview,
    "probe": _probe,
    "inspect": _inspect,
    "data": _data,
    "cache": _cache,
    "classes": _classes,
    "models": _models,
    "weights": _weights,
}

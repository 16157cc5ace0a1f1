"""`pictaxa export`: a run -> a folder with its network in another format, and everything that its answers need."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..config.by_name import read_config_file
from ..config.exporting import Kind, Output, Precision
from ..errors import ConfigError, RunError, as_word
from ..inference.exported import inputs_of, open_answers
from ..inference.exported_predictor import machine_name
from ..inference.loading import load
from ..inference.predictor import Predictor
from ..models.zoo import ZOO
from ..runs.derived import digests
from ..runs.exported import CARD, EXPORT, EXPORTS, PROGRAM, Checked, Export, is_export, write_export
from ..runs.folder import Run
from ..runs.judgement import Judgement, read_judgement
from ..runs.names import CLASSES, JUDGEMENT, MODEL, PICTURES, PROBE, VECTORS
from ..runs.vectors import read_vectors
from ..runs.versions import versions
from ..system.files import make_folder, replacing
from ..system.progress import say
from .card import card_of
from .check import Comparison, compare, require_equal, speeds
from .formats import FORMATS, TRACED, Order, write_network
from .network import network_of
from .sample import Sample, sample_of

CHECKED = 200  # validation pictures
CALIBRATED = 256  # training pictures, of which int8 learns the range of each map
CALIBRATION_BATCH = 16
PROGRAMS = {"onnx": "predict_onnx.py"}  # beside this module: what answers without pictaxa


@dataclass(frozen=True)
class ExportConfig:
    """How a run is exported.

    Args:
        kind: the format, one of FORMATS.
        quantize: the precision of its numbers.
        batch: how many pictures the network takes at once; None for any number.
        output: "probabilities", calibrated; or "logits".
        allow_loss: how much of the accuracy may be lost, from 0 to 1.
        seed: decides which pictures are drawn.
    """

    kind: Kind
    quantize: Precision = "float32"
    batch: int | None = None
    output: Output = "probabilities"
    allow_loss: float = 0.005
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in FORMATS:
            raise ConfigError(f"--format {', '.join(FORMATS)}", found=repr(self.kind), fix="Use --format onnx.")
        known = FORMATS[self.kind].precisions
        if self.quantize not in known:
            raise ConfigError(
                f"--quantize {', '.join(known)} for {self.kind}", found=repr(self.quantize),
                fix="Choose one of these, or another --format.",
            )  # fmt: skip
        if self.batch is not None and self.batch < 1:
            raise ConfigError("--batch dynamic, or 1 or more", found=str(self.batch), fix="Use --batch dynamic.")
        if not 0 <= self.allow_loss <= 1:
            raise ConfigError("--allow-loss of 0 to 100 points", found=f"{100 * self.allow_loss:g}", fix="Use 0.5.")


def export_run(path: str | Path, config: ExportConfig, *, out: str | Path | None = None) -> Export:
    """Export a run, and compare what was written with the run before it gets its name.

    Args:
        path: folder of a finished run.
        config: format, precision and the like.
        out: the folder to make; by default RUN/export/FORMAT, with the precision where it is not float32. An exported
            folder that is there is replaced.

    Returns:
        The exported folder.

    Raises:
        RunError: the run is not finished or damaged, or the export does not answer as it does: nothing is left then.
        MissingExtraError: a library of the format is not installed.
        ConfigError: at `out` there is something else.

    Example:
        export_run("runs/photos-efficientnet_lite0-1", ExportConfig("onnx"))
    """
    predictor = load(path, device="cpu")
    run = predictor.run
    name = config.kind if config.quantize == "float32" else f"{config.kind}-{config.quantize}"
    folder = run.path / EXPORTS / name if out is None else Path(out)
    _check_place(folder)
    judgement = read_judgement(run)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    make_folder(partial)
    try:
        export = _write(predictor, config, partial, judgement=judgement)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Export(folder, export.document)


def _check_place(folder: Path) -> None:
    """What is there is replaced only if it is an export, or nothing."""
    if folder.exists() and not is_export(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError("a new folder for --out", found=f"something at {str(folder)!r}", fix="Choose another name.")


def _write(predictor: Predictor, config: ExportConfig, folder: Path, *, judgement: Judgement | None) -> Export:
    run, form = predictor.run, FORMATS[config.kind]
    temperature = 1.0 if judgement is None else judgement.temperature
    threads = predictor.plan.threads
    squares, aspects, _ = run.probe()
    validation = sample_of(run, split="val", count=CHECKED, seed=config.seed, threads=threads)
    say(f"export    {form.what}{'' if config.quantize == 'float32' else f', in {config.quantize}'}")
    write_network(
        config.kind,
        Order(
            network_of(run, temperature=temperature, output=config.output),
            torch.from_numpy(_example(run, config.batch)),
            config.batch,
            config.quantize,
            _calibration(run, config, threads=threads) if config.quantize == "int8" else (),
            folder / form.file,
        ),
    )
    sample = _with_probe(validation, squares, aspects)
    logits = predictor.logits(sample.squares, sample.aspects)
    answers = _answers(logits[len(validation) :], temperature, config.output)
    with replacing(folder / PROBE) as file:
        np.savez(file, squares=squares, aspects=aspects, answers=answers)
    if judgement is not None:
        shutil.copyfile(run.path / JUDGEMENT, folder / JUDGEMENT)
    if config.quantize != "int8" and read_vectors(run) is not None:
        shutil.copyfile(run.path / VECTORS, folder / VECTORS)
    document = _document(run, config, temperature=temperature)
    # What checks it reads it as whoever uses it will: from the folder, every file compared with the list.
    export = write_export(folder, {**document, "checked": None})
    after = open_answers(export, threads=threads)
    comparison = compare(after, sample, logits, temperature=temperature, output=config.output)
    require_equal(comparison, precision=config.quantize, allow_loss=config.allow_loss, where=form.what)
    before, now = speeds(predictor.outputs, after, sample)
    checked = _checked(run, comparison, validation, folder=folder, file=form.file, speeds=(before, now))
    (folder / CARD).write_text(card_of(run, export.document, checked, judgement), encoding="utf-8")
    if config.kind in PROGRAMS:
        shutil.copyfile(Path(__file__).with_name(PROGRAMS[config.kind]), folder / PROGRAM)
    return write_export(folder, {**document, "checked": checked})


def _example(run: Run, batch: int | None) -> np.ndarray:
    """Pictures that the network is traced with."""
    squares, aspects, _ = run.probe()
    count = batch or TRACED
    places = np.arange(count) % len(squares)
    return inputs_of(squares[places], aspects[places], geometry=run.geometry)


def _calibration(run: Run, config: ExportConfig, *, threads: int) -> list[np.ndarray]:
    sample = sample_of(run, split="train", count=CALIBRATED, seed=config.seed, threads=threads)
    size = config.batch or CALIBRATION_BATCH
    count = len(sample) - len(sample) % size
    if not count:
        raise RunError(
            "training pictures to find the ranges of int8", found=f"{len(sample)} that can be read",
            fix="Put them back where the run was trained from, or export without --quantize int8.",
        )  # fmt: skip
    pictures = inputs_of(sample.squares[:count], sample.aspects[:count], geometry=run.geometry)
    return list(pictures.reshape(-1, size, *pictures.shape[1:]))


def _with_probe(sample: Sample, squares: np.ndarray, aspects: np.ndarray) -> Sample:
    """Validation pictures, and behind them the probe, whose labels nobody knows."""
    return Sample(
        np.concatenate([sample.squares, squares]), np.concatenate([sample.aspects, aspects]),
        np.concatenate([sample.labels, np.full(len(squares), -1)]), sample.gone,
    )  # fmt: skip


def _answers(logits: np.ndarray, temperature: float, output: Output) -> np.ndarray:
    if output == "logits":
        return logits.astype(np.float32)
    scaled = torch.from_numpy(logits).double() / temperature
    answers: np.ndarray = scaled.softmax(dim=1).float().numpy()
    return answers


def _document(run: Run, config: ExportConfig, *, temperature: float) -> dict[str, object]:
    chosen = run.chosen
    return {
        "kind": config.kind, "network": FORMATS[config.kind].file, "output": config.output,
        "precision": config.quantize, "batch": config.batch, "model": chosen.model,
        "model_options": chosen.model_options, "classes": run.classes, "geometry": run.geometry,
        "temperature": temperature, "run": run.path.resolve().name, "weights": weights_in_words(run),
        "made_from": digests(run, (MODEL, CLASSES, PICTURES)), "versions": versions(),
    }  # fmt: skip


def weights_in_words(run: Run) -> str:
    """Where a run's weights began, with their licence.

    Args:
        run: the run.

    Returns:
        A sentence.
    """
    config = read_config_file(run.existing("config.json"))
    began, model = str(config.transfer.weights or "none"), run.chosen.model
    if began == "none":
        return "Trained from random weights on the owner's pictures."
    published = ZOO[model].published if model in ZOO else None
    if began == "imagenet" and published is not None:
        origin = published.package or published.source
        return f"Began from ImageNet weights of {origin}, licence {published.licence}; ImageNet's own terms apply too."
    return f"Began from {Path(began).name}, whose licence its owner knows."


def _checked(
    run: Run, comparison: Comparison, validation: Sample, *, folder: Path, file: str, speeds: tuple[float, float]
) -> Checked:
    before, after = comparison.right
    stem = file.partition(".")[0]
    size = sum(path.stat().st_size for path in folder.glob(f"{stem}.*"))
    return Checked(
        pictures=len(validation), largest_difference=comparison.largest_difference, agreement=comparison.agreement,
        right_before=int(before.sum()), right_after=int(after.sum()), p_value=comparison.p_value,
        worse_classes=comparison.worse_classes(run.classes), megabytes=size / 1e6,
        megabytes_before=run.model_path.stat().st_size / 1e6, pictures_per_second=speeds[1],
        pictures_per_second_before=speeds[0], machine=machine_name(),
    )  # fmt: skip


def export_lines(export: Export) -> list[str]:
    """What an export came to, as text.

    Args:
        export: what `export_run` returned.

    Returns:
        Lines of text.
    """
    checked = export.document.checked
    assert checked is not None
    lines = [f"folder    {as_word(export.path)}: {', '.join(sorted({*export.document.files, EXPORT}))}"]
    lines.append(
        f"checked   {checked.pictures} validation pictures and the probe: probabilities within "
        f"{checked.largest_difference:.2g} of the run's, the same answer for {checked.agreement:.1%}"
    )
    if checked.pictures:
        lines.append(
            f"accuracy  {checked.right_before / checked.pictures:.1%} by the run, "
            f"{checked.right_after / checked.pictures:.1%} by the export (McNemar's test: p = {checked.p_value:.2g})"
        )
    for name, share in list(checked.worse_classes.items())[:5]:
        lines.append(f"          {name}: {100 * share:.1f} points less")
    lines.append(f"size      {checked.megabytes:.1f} MB, the run's weights {checked.megabytes_before:.1f} MB")
    lines.append(
        f"speed     {checked.pictures_per_second:.0f} pictures/s, torch {checked.pictures_per_second_before:.0f} "
        "(decoded pictures, alternating, on this machine)"
    )
    return lines

"""The arguments of the commands that have no config of their own, with their help."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Literal

from ..config.data import AugmentConfig, DecodingConfig, PicturesConfig, ReadingConfig
from ..config.exporting import RuntimeName
from ..config.learning import Normalization, Source
from ..config.training import TrainConfig


@dataclass(frozen=True)
class TrainArguments:
    """Train a classifier on a data set. By default it starts from weights that fit the pictures and takes five minutes
    on a laptop.
    """

    training: TrainConfig
    _: KW_ONLY
    config: Path | None = None
    """Take the settings from a run's config.json or a YAML file; flags override them."""
    resume: Path | None = None
    """Continue an interrupted run with its own settings."""


@dataclass(frozen=True)
class EvaluateArguments:
    """Evaluate a trained run on its own validation pictures, or on other labelled pictures."""

    run: Path
    """Run folder."""
    data: Path | None = None
    """Labelled data set in any layout. Default: the run's own validation pictures."""
    _: KW_ONLY
    split: Literal["", "train", "val", "test"] = ""
    """Which pictures of the data set. test: judges its test pictures, which nothing else does; each time is counted in
    the run folder, since what is chosen by them looks better than it is. Default: val, else train."""
    slices: bool = False
    """Also judge parts of the pictures: by brightness, sharpness, size, aspect, folder, group, and the camera and month
    of EXIF, with the worst one and whether it is more than chance."""
    pictures: int | None = None
    """Judge only this many pictures, drawn by the seed, each class in its proportion. Default: all."""
    seed: int = 0
    """Random seed of which pictures are judged."""
    device: str = "auto"
    """cpu, cuda, mps or auto."""
    json: Path | None = None
    """Also write all figures to this file."""
    grid: Path | None = None
    """Also draw pictures with their answers to this .png file, right in green and wrong in red; a random 24 of more."""
    reading: ReadingConfig = field(default_factory=ReadingConfig)


@dataclass(frozen=True)
class PredictArguments:
    """Classify pictures. A file that can't be read gets a row with the reason; the others are not affected."""

    run: Path
    """Run folder, or one that pictaxa export has written."""
    files: tuple[Path, ...]
    """Pictures, and folders, zip and tar files of pictures; @list.txt for a file with one path per line, - to read such
    lines from standard input. After --, names may begin with a hyphen."""
    _: KW_ONLY
    out: Path | None = None
    """Write to this .csv or .jsonl file instead of the screen; .jsonl is for programs."""
    csv: Literal["spreadsheet", "plain"] = "spreadsheet"
    """How a .csv is written. spreadsheet: with a byte order mark, by which Excel knows Chinese, and an apostrophe
    before a name that begins like a formula (= + - @), as a file's name could do harm there; plain: for programs."""
    top: int | None = None
    """Number of classes to show per picture. Default: all."""
    abstain: float | None = None
    """Give an answer only where the run is so sure that this share of its answers is right, such as 0.95; else the
    answer is unsure. The threshold is chosen on the validation pictures, and what it comes to there is said."""
    sets: float | None = None
    """Also give each picture the set of classes that may be meant: this share of the sets, such as 0.95, has the true
    class. A set without any class says that none is as probable as true classes usually are."""
    per_class: bool = False
    """Keep to the share of --sets in each class, rather than in all pictures together."""
    raw: bool = False
    """Give the model's own probabilities instead of calibrated ones; the answers are the same."""
    none_of_these: Literal["auto", "yes", "no"] = "auto"
    """Whether the answer is "none of these" for a picture that is less like the training pictures than 95% of the
    validation pictures are; its probabilities are given all the same. auto: where the run keeps the vectors that this
    needs, as every new run does; yes: compute them if it doesn't."""
    grid: Path | None = None
    """Also draw the pictures with their answers to this .png file; a random 24 of more, and one alone with a bar for
    each class. Where the folder of a picture is called like a class, right is green and wrong is red; for labels in
    tables and arrays use pictaxa evaluate RUN DATA --grid."""
    runtime: RuntimeName = "auto"
    """What computes: torch; onnx, openvino or program, which the run must have been exported to (pictaxa export RUN);
    auto: the fastest of these in float32 that is installed, by the check after its export on this machine, else
    torch."""
    device: str = "auto"
    """cpu, cuda, mps or auto."""


@dataclass(frozen=True)
class ReportArguments:
    """Write one self-contained HTML page about a run: curves, confusion matrix, correct and wrong predictions."""

    run: Path
    """Run folder."""


@dataclass(frozen=True)
class CurvesArguments:
    """Draw loss and accuracy of several trainings on one plot, each labelled by the settings in which it differs from
    the others. Trainings that still go on have the epochs so far.
    """

    runs: tuple[Path, ...]
    """Run folders."""
    _: KW_ONLY
    out: Path = Path("curves.png")
    """The PNG to write."""
    over: Literal["epochs", "minutes", "steps"] = "epochs"
    """What the curves go over."""


@dataclass(frozen=True)
class InspectArguments:
    """Find problems in a data set: unreadable files, duplicates and near duplicates (with several labels, in several
    splits), odd sizes, dark, blurred and empty pictures, grey ones among colour, class imbalance. The data set is not
    changed.
    """

    data: Path
    """Labelled data set in any layout."""
    _: KW_ONLY
    html: Path | None = None
    """Write a page with the pictures to this file."""
    json: Path | None = None
    """Write all findings to this file."""
    review: Path | None = None
    """With --run or --folds: write the doubtful labels as a page to this .html file, to look at them one by one, decide
    by keyboard, and save a file for --reviewed."""
    reviewed: Path | None = None
    """With --fix: a file saved by the page of --review, whose labels the manifest gets."""
    fix: Path | None = None
    """Write a manifest (.csv) without the bad rows, to train on."""
    strict: tuple[str, ...] | None = None
    """Kinds of findings to treat as errors (exit status 1), such as leak contradiction unreadable, or all. The kind is
    shown in brackets after each finding."""
    run: Path | None = None
    """A run trained on these classes, to also find likely wrong labels, outliers and pictures of no class."""
    folds: int | None = None
    """Number of cross-validation trainings, to also find likely wrong labels without a run."""
    fold_minutes: float = 2.0
    """Minutes to train each of the --folds."""
    fold_epochs: int | None = None
    """Epochs to train each of the --folds, instead of minutes; gives the same result on any machine."""
    size: int | None = None
    """Input size that you will train at, pixels; much smaller pictures are reported."""
    cache: Path | None = None
    """Folder for decoded pictures. Default: PICTAXA_CACHE, or pictaxa in the user's cache folder."""
    threads: int | None = None
    """CPU threads. Default: all cores that this process may use."""
    reading: ReadingConfig = field(default_factory=ReadingConfig)
    decoding: DecodingConfig = field(default_factory=DecodingConfig)


@dataclass(frozen=True)
class ConvertDataArguments:
    """Write a data set in another layout into a new folder; the source is not changed."""

    data: Path
    """Labelled data set in any layout."""
    out: Path
    """A new folder, outside that of the pictures; files are numbered 0000000.jpg, ..."""
    _: KW_ONLY
    to: Literal["folders", "parquet", "shards"]
    """folders: one per class; parquet: as on the Hugging Face hub; shards: tar files in the WebDataset layout."""
    per_file: int = 10_000
    """Largest number of pictures in a parquet file or shard."""
    reading: ReadingConfig = field(default_factory=ReadingConfig)


@dataclass(frozen=True, kw_only=True)
class CacheArguments:
    """List what is in the cache folder and how much space it takes; --clean removes it."""

    cache: Path | None = None
    """The folder. Default: PICTAXA_CACHE, or pictaxa in the user's cache folder."""
    clean: Literal["", "gone", "all"] = ""
    """gone: decoded data sets that no longer exist, all features and inspection results; all: everything."""


@dataclass(frozen=True)
class ClassesArguments:
    """Rename and merge the classes of a run without retraining: a new run is written, the old one is kept.

    Without --rename and --merge the classes are listed. To add classes, train on their pictures: pictaxa train DATA
    --weights RUN adds each new class and keeps what was learned about the others.
    """

    run: Path
    """Run folder."""
    _: KW_ONLY
    rename: tuple[str, ...] = ()
    """Old and new names, such as tulips=tulip."""
    merge: tuple[str, ...] = ()
    """Classes to merge and the new name, such as daisy,dandelion=composite."""
    out: Path | None = None
    """Folder of the new run. Default: RUN-classes-1, and so on."""


@dataclass(frozen=True)
class ModelsArguments:
    """List the architectures; show one layer by layer, draw it, or compare several."""

    names: tuple[str, ...] = ()
    """Architecture to show, or several for --block; timm/NAME is any timm model. Default: list all."""
    _: KW_ONLY
    size: int | None = None
    """Input size, pixels per side. Default: the model's own."""
    channels: int | None = None
    """1 for grey, 3 for colour. Default: the model's own."""
    classes: int = 1000
    """Number of classes."""
    model_options: tuple[str, ...] = ()
    """The architecture's own options, such as padding=same."""
    depth: int | None = None
    """Show only the network's own parts (1), theirs (2), and so on. Default: every step of the forward pass."""
    diagram: Path | None = None
    """Draw the network to this .svg or .png file; with --compare, published accuracy against cost."""
    block: Path | None = None
    """Draw one block of each named architecture, side by side, to this .svg or .png file."""
    dark: bool = False
    """Draw light on dark."""
    compare: tuple[str, ...] = ()
    """Architectures to compare: parameters, multiply-adds, depth, receptive field, measured speed. With --diagram, all
    stands for all whose accuracy is published."""


@dataclass(frozen=True)
class ConvertArguments:
    """Convert a checkpoint from torchvision, timm, Keras or Google's ViT to pictaxa's names and layout."""

    file: Path
    """The checkpoint: .pth, .safetensors, .h5, .weights.h5, .keras or .npz."""
    _: KW_ONLY
    source: Source
    """Library that the file comes from; it is never guessed."""
    model: str
    """Architecture that it is for (pictaxa models lists them)."""
    out: Path
    """The .safetensors file to write."""
    normalization: Normalization | None = None
    """Input normalization it was trained with: 0-1, 0-255 and -1-1 are ranges; caffe: BGR minus a mean colour;
    rgb-mean: RGB minus the same colour; imagenet: minus ImageNet's mean, divided by its std; lite: (x - 127) / 128 of 0
    to 255. A Keras file needs it."""
    classes: Path | None = None
    """JSON file with the index of each class name, like Keras' class_indices, or a list of names."""
    model_options: tuple[str, ...] = ()
    """The architecture's own options, such as padding=same."""
    prefix: str = ""
    """What the names of the intended network begin with, if the file has several that fit, such as teacher."""
    channels: Literal[1, 3] = 3
    """1 for grey pictures, 3 for colour."""


@dataclass(frozen=True)
class ListWeightsArguments:
    """List the published weights for --weights imagenet: publisher, accuracy, licence and source."""


@dataclass(frozen=True)
class RecipesArguments:
    """List well-known training set-ups for pictaxa train DATA --recipe NAME."""

    name: str | None = None
    """Recipe to show with all its settings. Default: list all."""


@dataclass(frozen=True)
class DocsArguments:
    """Show a page of the documentation, which is installed with the package, or list the pages: in the language of
    --language, or that of the system.
    """

    page: str | None = None
    """Page to show, such as data or from-keras. Default: list all."""


@dataclass(frozen=True)
class DemoArguments:
    """Train on handwritten digits, evaluate, predict and report, in under a minute."""

    folder: Path = Path("runs/demo")
    """Folder for the digits and the run."""


@dataclass(frozen=True)
class PreviewArguments:
    """Draw a few pictures as prediction sees them and with augmentation; and each operation of the policy separately,
    from mild to full strength, in OUT-operations.png. --grid draws plain samples with their labels instead, --batch
    prints the shape, range and labels of a training batch.
    """

    data: Path
    """Data set in any layout."""
    _: KW_ONLY
    out: Path = Path("preview.png")
    """The PNG to write."""
    grid: str = ""
    """Rows x columns, such as 3x4: draw so many different pictures as they are, each with its label."""
    class_: str = ""
    """The only class that the --grid shows. Default: all, in turns."""
    split: Literal["", "train", "val", "test"] = ""
    """The only split that the --grid shows. Default: all pictures."""
    batch: bool = False
    """Print a batch as the model gets it in training: shape, type, range, mean, labels. Nothing is drawn."""
    batch_size: int = 32
    """Pictures of the --batch."""
    seed: int = 0
    """Random seed of the pictures and the augmentation."""
    augmentation: AugmentConfig = field(default_factory=AugmentConfig)
    reading: ReadingConfig = field(default_factory=ReadingConfig)
    pictures: PicturesConfig = field(default_factory=PicturesConfig)
    decoding: DecodingConfig = field(default_factory=DecodingConfig)

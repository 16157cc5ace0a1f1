"""The arguments of explain and nearest."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class ExplainArguments:
    """Show why: draw what in each picture speaks for the run's answer, or for any class, as heat over the upright
    picture. What the network did not see, such as the ends of a panorama, is dark.
    """

    run: Path
    """Run folder."""
    files: tuple[Path, ...] = ()
    """Pictures, and folders, zip and tar files of pictures; @list.txt and - as for pictaxa predict."""
    _: KW_ONLY
    out: Path = Path("explained")
    """The folder to write a PNG for each picture into; or one .png file with a row for each picture."""
    class_: tuple[str, ...] = ()
    """Classes to explain, side by side. Default: the most probable ones."""
    top: int = 1
    """How many of the most probable classes to explain."""
    method: Literal[
        "grad-cam", "grad-cam++", "score-cam", "eigen-cam", "integrated-gradients", "occlusion", "attention-rollout"
    ] = "grad-cam"
    """How. grad-cam: the last map of the network, each channel by its gradient; fast. grad-cam++: the same, where the
    object is there several times. score-cam: channels as masks over the picture; a hundred passes each. eigen-cam: what
    the map has most of, whatever the class. integrated-gradients and occlusion: what pixels and patches do to the
    class's logit; slow, and need the explain extra. attention-rollout: what a transformer's class token attends to,
    whatever the class."""
    check: bool = False
    """Check the method on this run instead: how fast the probability falls when the hottest cells of validation
    pictures are taken away, and rises when they are put in, against cells in random order and from the middle
    outwards."""
    pictures: int = 32
    """Number of validation pictures for --check."""
    seed: int = 0
    """Decides which."""
    json: Path | None = None
    """Also write where the heat is (its centre, and the box of its hottest fifth, in parts of the picture) or the
    figures of --check to this file."""
    device: str = "auto"
    """cpu, cuda, mps or auto."""


@dataclass(frozen=True)
class NearestArguments:
    """Show what a picture looks like to the network: the training pictures that are most like it, with their labels; or
    a map of the validation pictures.
    """

    run: Path
    """Run folder."""
    files: tuple[Path, ...] = ()
    """Pictures, and folders, zip and tar files of pictures; @list.txt and - as for pictaxa predict."""
    _: KW_ONLY
    count: int = 5
    """How many training pictures for each."""
    grid: Path | None = None
    """Also draw the first pictures, each beside those that are most like it, to this .png file: green for a label that
    is the answer, red for another."""
    map: Path | None = None
    """Draw the validation pictures to this .png file, those that are alike near each other (t-SNE); the frame is the
    class."""
    json: Path | None = None
    """Also write the training pictures with labels and similarities to this file."""
    device: str = "auto"
    """cpu, cuda, mps or auto."""

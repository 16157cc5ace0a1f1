"""The command line: picks the command, its exit status, and prints errors."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import __version__
from ..errors import PictaxaError, UsageError, close_matches, machine_error
from ..system.language import LANGUAGES, Language, language, speaking
from ..system.printing import print_line, print_lines, show_everything
from .exit_codes import EXIT_INTERRUPTED, EXIT_MISTAKE, FILES_FOLLOW

if TYPE_CHECKING:  # loaded when they are needed
    from .arguments import DemoArguments
    from .commands import Command

HELP = f"""\
pictaxa {__version__}: a folder of pictures in, a classifier out that its owner can trust, explain and ship.

usage: pictaxa COMMAND ...          pictaxa help COMMAND explains a command

  train DATA        train a classifier on a folder with one sub-folder of pictures per class
  evaluate RUN      accuracy with its interval, per-class figures
  compare RUN RUN   which trained run is better on the same pictures, and at what cost
  predict RUN FILE  classify files and folders with a trained run
  explain RUN FILE  draw what in a picture speaks for the answer
  nearest RUN FILE  find the training pictures that are most like a picture
  report RUN        write one self-contained HTML page about a run
  export RUN        write its network for another runtime (ONNX, OpenVINO, torch), checked
  curves RUN RUN    draw loss and accuracy of several runs on one plot
  preview DATA      draw pictures as training will see them
  inspect DATA      find problems in a data set before training
  probe DATA        in half a minute: accuracy to expect, hard pictures, whether more would help
  embed DATA        write a feature vector of each picture, for search and clustering
  plan DATA         compare ways to train on this machine: speed, epochs, memory, accuracy to expect
  data convert      convert a data set to folders, parquet or shards
  cache             list and clean the cache
  classes RUN       rename and merge a run's classes
  models            list, show, draw and compare architectures
  look              draw a network's kernels, maps, attention and receptive fields
  formulas          output sizes, receptive fields and costs, with the working shown
  recipes           well-known training set-ups: pictaxa train DATA --recipe NAME
  weights list      list published weights; weights convert: import from torchvision, timm, Keras, Google's ViT
  docs PAGE         read the documentation; without a page, list it
  demo              train, evaluate, predict and report on handwritten digits, in under a minute

--quiet, anywhere, turns off progress messages; NO_COLOR=1 turns off colours
--language zh, anywhere, or a system set to Chinese: messages and help in Chinese; --language en: in English
pictaxa --install-completion sets up shell completion of commands, flags and values

a first tour with your own photos, one folder per class:

  pictaxa inspect photos --html found.html
  pictaxa probe photos
  pictaxa train photos
  pictaxa report runs/photos-efficientnet_lite0-1
  pictaxa predict runs/photos-efficientnet_lite0-1 holiday.jpg more-photos/
"""


QUIET, LANGUAGE = "--quiet", "--language"  # anywhere among the words, before --


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and print what it says and what went wrong.

    Args:
        arguments: the words after `pictaxa`; by default those that the program was started with.

    Returns:
        The exit status: 0, 1 for what --strict forbids, 2 for a user's mistake, 130 after Ctrl-C.

    Raises:
        SystemExit: after the help of a command.

    Example:
        main(["train", "photos", "--minutes", "10"])
    """
    started = time.monotonic()
    show_everything()
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        wanted = _take_language(words)
    except UsageError as mistake:
        print_line(f"pictaxa: {mistake}", file=sys.stderr)
        return EXIT_MISTAKE
    with speaking(wanted):
        status = _run(words, started)
    if arguments is None and status == EXIT_INTERRUPTED:
        # How to go on is said and the threads are being ended: one more Ctrl-C would only add a traceback to it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return status


def _take_language(words: list[str]) -> Language:
    """The language that the words ask for, which are taken out of them; else that of the system."""
    for number, word in enumerate(words[: [*words, FILES_FOLLOW].index(FILES_FOLLOW)]):
        flag, equals, value = word.partition("=")
        if flag == LANGUAGE:
            value = value if equals else next(iter(words[number + 1 :]), "")
            del words[number : number + (1 if equals else 2)]
            for known in LANGUAGES:
                if value == known:
                    return known
            raise UsageError(
                f"{LANGUAGE} {value} is no language of messages.", fix="Use --language zh or --language en."
            )
    return language()


def _run(words: list[str], started: float) -> int:
    try:
        return _dispatch(words, started)
    except KeyboardInterrupt:
        print_line("", file=sys.stderr)
        print_line("pictaxa: interrupted; decoded pictures are kept, and no file is left incomplete", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output (such as `head`) has what it wanted.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        mistake = error if isinstance(error, PictaxaError) else machine_error(error)
        if mistake is None:
            raise
        print_line(f"pictaxa: {mistake}", file=sys.stderr)
        return EXIT_MISTAKE


def _dispatch(words: list[str], started: float) -> int:
    if QUIET in words[: [*words, FILES_FOLLOW].index(FILES_FOLLOW)]:
        from ..system.progress import silence

        words.remove(QUIET)
        with silence():
            return _dispatch(words, started)
    if not words or words[0] in ("-h", "--help") or words == ["help"]:
        print_lines(HELP.removesuffix("\n").split("\n"))
        return 0
    if words[0] == "help":
        words = [*words[1:], "--help"]
    if words[0] == "--install-completion":
        from .completion import install_completion

        path = install_completion({name: command.takes for name, command in commands().items()})
        print_line(f"completion  {path}; it takes effect in a new shell")
        return 0
    if words[0] == "--version":
        print(f"pictaxa {__version__}")
        return 0
    known = commands()
    name = next((name for name in (" ".join(words[:2]), words[0]) if name in known), None)
    if name is None:
        raise _no_command(words)
    from .parse import parse

    command, rest = known[name], words[name.count(" ") + 1 :]
    taken = parse(command.takes, rest, name, common=command.common, example=command.example, fill=command.fill)
    return command.run(taken, started)


def commands() -> dict[str, Command]:
    """All commands by name; loaded when one is asked for, as what they take needs every setting."""
    from .arguments import DemoArguments
    from .commands import COMMANDS, Command

    return {**COMMANDS, "demo": Command(DemoArguments, _demo)}  # the demo runs the others


def _demo(arguments: DemoArguments, started: float) -> int:
    from .demo import run_demo

    return run_demo(arguments.folder, main)


def _no_command(words: list[str]) -> UsageError:
    """What is wrong with words that begin with no command, and what to do."""
    known = commands()
    within = [name for name in known if name.startswith(f"{words[0]} ")]
    if within:
        fix = f"Use pictaxa {' or pictaxa '.join(within)}, followed by its arguments."
        return UsageError(f"There is no command pictaxa {' '.join(words[:2])}.", fix=fix)
    return UsageError(f"There is no command {words[0]!r}.", fix=close_matches(words[0], known))

"""Command line: ``sk-dcedenoise`` or ``python -m sk_dcedenoise``, one file per command."""

import argparse
import sys

from sk_dcedenoise import __version__
from sk_dcedenoise.cli import _demo, _denoise, _fit, _info, _map, _phantom, _train

_COMMANDS = {
    "demo": _demo,
    "phantom": _phantom,
    "denoise": _denoise,
    "fit": _fit,
    "map": _map,
    "train": _train,
    "info": _info,
}


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence, raised instead of printed."""

    def error(self, message):
        raise ValueError(f"{message}: see {self.prog} --help.")


def main(argv=None):
    """Run a command.

    Parameters
    ----------
    argv : sequence of str, default=None
        Arguments; None takes those of the process.

    Returns
    -------
    status : int
        0 after success; 2 after an error, which is one sentence on standard error; 130 where the
        user interrupted. After an error or an interrupt nothing has been written.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    try:
        args = _make_parser().parse_args(argv)
        args.run(args)
    except (ValueError, OSError, ImportError, MemoryError, RuntimeError) as error:
        if "--traceback" in argv:
            raise
        print(f"sk-dcedenoise: {_sentence(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("sk-dcedenoise: interrupted, nothing was written.", file=sys.stderr)
        return 130
    return 0


def _make_parser():
    parser = _Parser(
        prog="sk-dcedenoise",
        description="Denoise DCE-MRI concentration curves and fit kinetic models.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command in _COMMANDS.items():
        sub = commands.add_parser(
            name,
            help=command.__doc__.splitlines()[0],
            description=command.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(sub)
        sub.add_argument("--traceback", action="store_true", help="say where an error comes from")
        sub.set_defaults(run=command.run)
    return parser


def _sentence(error):
    """An error in one line, with its kind where it says nothing itself."""
    return " ".join(str(error).split()) or f"{type(error).__name__}."

"""The executable ``fleet``."""

# PYTHON_ARGCOMPLETE_OK
from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from dimos_ros.cli.errors import EXIT_CODES, CommandError, ExitCode
from dimos_ros.cli.fleet_client import DEFAULT_COORDINATOR, DEFAULT_TIMEOUT
from dimos_ros.cli.output import Output
from dimos_ros.cli.verbs import VERBS
from dimos_ros.exceptions import DimosError
from dimos_ros.naming.wording import shown

DESCRIPTION = "List, restart, unload, load and call the modules of a running fleet; plan and draw blueprints."


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; return its exit code, which is an ExitCode, or 130 for Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="fleet",
        description=DESCRIPTION,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_verbs(parser)
    try:
        from argcomplete import autocomplete
    except ImportError:
        pass
    else:
        autocomplete(parser)
    return run(parser, parser.parse_args(argv), "fleet")


def add_verbs(parser: argparse.ArgumentParser) -> None:
    """Add every verb to a parser, each with the common options."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print the result as JSON, for programs")
    common.add_argument(
        "--coordinator",
        default=DEFAULT_COORDINATOR,
        metavar="NAME",
        help="full node name of the fleet's coordinator (default: %(default)s)",
    )
    common.add_argument(
        "--timeout",
        type=_seconds,
        default=DEFAULT_TIMEOUT,
        metavar="S",
        help="seconds to wait for the reply of the coordinator or of a module (default: %(default)g)",
    )
    verbs = parser.add_subparsers(title="verbs", dest="verb", metavar="VERB")
    for name, verb in VERBS.items():
        summary = (verb.__doc__ or "").partition("\n")[0]
        added = verbs.add_parser(name, help=summary, description=summary, parents=[common])
        verb.add_arguments(added)


def run(parser: argparse.ArgumentParser, arguments: argparse.Namespace, program: str) -> int:
    """Run the parsed verb and print an error to stderr; return the exit code."""
    if arguments.verb is None:
        parser.print_help()
        return ExitCode.OK
    output = Output(as_json=arguments.json, request_id=getattr(arguments, "request_id", ""))
    try:
        VERBS[arguments.verb].run(arguments, output)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of the output, such as `head`, has ended. Python would print an error when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except DimosError as error:
        output.failure(program, str(error))
        return error.code if isinstance(error, CommandError) else ExitCode.REFUSED
    return ExitCode.OK


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"takes a number of seconds above 0, not {shown(text)}")
    return value


if __name__ == "__main__":
    sys.exit(main())

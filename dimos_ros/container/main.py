# PYTHON_ARGCOMPLETE_OK
"""The executable ``container``: a component container for Python nodes."""

from __future__ import annotations

import argparse
import atexit
import contextlib
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from rclpy.context import Context
from rclpy.utilities import remove_ros_args

from dimos_ros.container.component_manager import ComponentManager
from dimos_ros.container.container_node import ContainerNode
from dimos_ros.container.executors import KINDS
from dimos_ros.container.load_record import LoadRecord
from dimos_ros.container.process_manager import ProcessManager
from dimos_ros.exceptions import DimosError
from dimos_ros.processes.malloc import limit_arenas
from dimos_ros.processes.stop_signals import StopSignals
from dimos_ros.transport.profiles import use_transport

DEFAULT_NAME = "ComponentManager"
"""The node name that people know from the C++ containers; ``-r __node:=`` gives another."""

CLOSE_SECONDS = 2.0
EXIT_SECONDS = 1.0


def parser() -> argparse.ArgumentParser:
    """The command line, without what follows ``--ros-args``."""
    parser = argparse.ArgumentParser(
        prog="container",
        description="Hosts Python nodes that are loaded over composition_interfaces: ros2 component load, "
        "ComposableNodeContainer, LoadComposableNodes.",
        epilog=f"After --ros-args: -r __node:=NAME (default {DEFAULT_NAME}), -r __ns:=/NAMESPACE, "
        "-p allowed_packages:=[my_pkg], -p thread_num:=N, --log-level LEVEL.",
    )
    parser.add_argument(
        "--executor",
        "--executor-type",
        choices=KINDS,
        default="events",
        help="events: least latency and CPU (default; single where rclpy's is not sound); "
        "multi: a node's callback groups run side by side",
    )
    parser.add_argument(
        "--isolated",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="an executor thread for each node, so that one that blocks delays no other",
    )
    parser.add_argument(
        "--processes",
        action="store_true",
        help="a forked process for each node, so that one that crashes ends no other",
    )
    parser.add_argument(
        "--respawn", action="store_true", help="with --processes: load a node again whose process ended unasked"
    )
    parser.add_argument("--threads", type=_positive, metavar="N", help="threads of a multi executor (default: cores)")
    parser.add_argument(
        "--restore",
        metavar="FILE",
        type=Path,
        help="keep in FILE what is loaded, and load it again after a crash; a container that was stopped starts empty",
    )
    # What component_container_isolated calls it.
    parser.add_argument(
        "--use_multi_threaded_executor", action="store_const", dest="executor", const="multi", help=argparse.SUPPRESS
    )
    return parser


def main() -> NoReturn:
    """Run until SIGINT or SIGTERM; then destroy the nodes and exit with 0."""
    limit_arenas()
    # Before anything takes time: a launch that is stopped early is no failure either.
    _leave(run(sys.argv, StopSignals().wait))


def run(arguments: Sequence[str], wait: Callable[[], object]) -> int:
    """Be the container that the command line asks for until ``wait`` returns; the exit code."""
    context = Context()
    try:
        options = _parse(remove_ros_args(list(arguments))[1:])
        use_transport(sends_images=False)
        given = _ros_arguments(arguments)
        # What the context has is for every node in it, also for those that hosted nodes make beside themselves.
        context.init(args=["container", "--ros-args", *_log_arguments(given)])
    except Exception as error:
        print(f"container: {error}", file=sys.stderr)
        return 2
    try:
        record = LoadRecord(options.restore) if options.restore is not None else None
        manager = _manager(context, options, _without_name(given))
    except (DimosError, OSError, ValueError) as error:
        print(f"container: {error}", file=sys.stderr)
        return 1
    try:
        node = ContainerNode(context, DEFAULT_NAME, "", manager, record, arguments=["--ros-args", *given])
    except Exception as error:
        print(f"container: {error}", file=sys.stderr)
        manager.close(CLOSE_SECONDS)
        return 2
    try:
        wait()
    finally:
        manager.close(CLOSE_SECONDS)
        node.close()
        context.try_shutdown()
        if record is not None:
            record.close()
    return 0


def _manager(context: Context, options: argparse.Namespace, forwarded: list[str]) -> ComponentManager | ProcessManager:
    if options.processes:
        return ProcessManager(
            context,
            executor=options.executor,
            threads=options.threads,
            # Log levels are of a process, and so each gets them.
            context_arguments=["--ros-args", *_log_arguments(forwarded)],
            container_arguments=forwarded,
            respawn=options.respawn,
        )
    return ComponentManager(
        context,
        executor=options.executor,
        isolated=options.isolated,
        threads=options.threads,
        container_arguments=forwarded,
    )


def _parse(arguments: list[str]) -> argparse.Namespace:
    arguments_parser = parser()
    with contextlib.suppress(ImportError):
        import argcomplete

        argcomplete.autocomplete(arguments_parser)
    return arguments_parser.parse_args(arguments)


def _ros_arguments(arguments: Sequence[str]) -> list[str]:
    """What follows ``--ros-args``, up to ``--`` if that ends it."""
    kept: list[str] = []
    inside = False
    for argument in arguments[1:]:
        if argument in ("--ros-args", "--"):
            inside = argument == "--ros-args"
        elif inside:
            kept.append(argument)
    return kept


def _without_name(arguments: Sequence[str]) -> list[str]:
    """What a node gets that asks for the container's arguments: without what names the container."""
    kept: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument in ("-r", "--remap"):
            rule = next(rest, "")
            if not rule.startswith(("__node:=", "__name:=", "__ns:=")):
                kept += ["-r", rule]
        else:
            kept.append(argument)
    return kept


def _log_arguments(arguments: Sequence[str]) -> list[str]:
    kept: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument in ("--log-level", "--log-config-file"):
            kept += [argument, next(rest, "")]
        elif argument.startswith(("--enable-", "--disable-")):
            kept.append(argument)
    return kept


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of threads; give 1 or more")
    return number


def _leave(code: int) -> NoReturn:
    """End the process. Not as usual: a thread of a node that hangs would keep it, and those that wait in C
    would crash it while the interpreter is taken down."""
    ending = threading.Thread(target=atexit._run_exitfuncs, daemon=True)
    ending.start()
    ending.join(EXIT_SECONDS)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)

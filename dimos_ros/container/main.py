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
"""The default node name, which is that of the C++ containers; ``-r __node:=`` gives another."""

CLOSE_SECONDS = 2.0
EXIT_SECONDS = 1.0


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line, up to ``--ros-args``."""
    parser = argparse.ArgumentParser(
        prog="container",
        description="Run a component container for Python nodes. Load nodes into it with ros2 component load, or in a "
        "launch file with ComposableNodeContainer or LoadComposableNodes.",
        epilog=f"After --ros-args: -r __node:=NAME (default {DEFAULT_NAME}), -r __ns:=/NAMESPACE, "
        "-p allowed_packages:=[my_pkg], -p thread_num:=N, --log-level LEVEL.",
    )
    parser.add_argument(
        "--executor",
        "--executor-type",
        choices=KINDS,
        default="events",
        help="how callbacks run. events (the default): with the least latency and CPU time; where this rclpy's events "
        "executor has known faults, single is used instead. single: in one thread. multi: in several threads, so that "
        "the callback groups of a node run at the same time",
    )
    parser.add_argument(
        "--isolated",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="give each node an executor and a thread of its own, so that a node that blocks does not delay others "
        "(the default)",
    )
    parser.add_argument(
        "--processes",
        action="store_true",
        help="run each node in a process of its own, so that a node that crashes does not end other nodes",
    )
    parser.add_argument(
        "--respawn",
        action="store_true",
        help="with --processes: load a node again when its process ends without being asked to",
    )
    parser.add_argument(
        "--threads",
        type=_positive,
        metavar="N",
        help="number of threads of a multi executor (default: one thread per core)",
    )
    parser.add_argument(
        "--restore",
        metavar="FILE",
        type=Path,
        help="record the loaded nodes in FILE. After a crash, the next container with the same FILE loads them again; "
        "after a normal end it starts empty",
    )
    # component_container_isolated has this option under this name.
    parser.add_argument(
        "--use_multi_threaded_executor", action="store_const", dest="executor", const="multi", help=argparse.SUPPRESS
    )
    return parser


def main() -> NoReturn:
    """Run the container until SIGINT or SIGTERM, then destroy the nodes and exit with 0."""
    limit_arenas()
    # Signals are caught before anything that takes time, so that a stop during the start also exits with 0.
    _leave(run(sys.argv, StopSignals().wait))


def run(arguments: Sequence[str], wait: Callable[[], object]) -> int:
    """Run the container of a command line until ``wait`` returns, and return the exit code."""
    context = Context()
    try:
        options = _parse(remove_ros_args(list(arguments))[1:])
        use_transport(sends_images=False)
        given = _ros_arguments(arguments)
        # The context's arguments apply to every node in it, also to nodes that the loaded nodes create.
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
            # Log levels apply to one process, so each process gets them.
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
    options = arguments_parser.parse_args(arguments)
    if options.respawn and not options.processes:
        arguments_parser.error("--respawn works with --processes: without it, a crash ends the container itself")
    return options


def _ros_arguments(arguments: Sequence[str]) -> list[str]:
    """Return the arguments after ``--ros-args``, up to ``--`` if it follows."""
    kept: list[str] = []
    inside = False
    for argument in arguments[1:]:
        if argument in ("--ros-args", "--"):
            inside = argument == "--ros-args"
        elif inside:
            kept.append(argument)
    return kept


def _without_name(arguments: Sequence[str]) -> list[str]:
    """Return the arguments that a node with ``forward_global_arguments`` gets: all but the container's name."""
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
    """End the process with ``os._exit`` after the exit handlers have run.

    ``sys.exit`` would wait for threads of nodes that hang. Threads that wait in C code would crash the process while
    the interpreter ends.
    """
    ending = threading.Thread(target=atexit._run_exitfuncs, daemon=True)
    ending.start()
    ending.join(EXIT_SECONDS)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)

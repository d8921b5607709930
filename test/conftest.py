"""Fixtures that tests share: a ROS domain per test, waiting for conditions, coordinators, containers."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.domain import free_domain
from dimos_ros.transport.leftovers import remove_segments
from dimos_ros.transport.profiles import SHARED_MEMORY

SEGMENTS = pytest.StashKey[set[str]]()
"""Segments of shared memory that exist when the tests start."""

HANG_SECONDS = 400
"""Seconds until a test counts as hanging: several times the slowest test's duration on a slow machine."""


FAST = (
    "test_announcement.py",
    "test_blueprint.py",
    "test_blueprint_without_ros.py",
    "test_ci.py",
    "test_cli_text.py",
    "test_container_lookup.py",
    "test_container_options.py",
    "test_conversion.py",
    "test_environment.py",
    "test_fleet_file.py",
    "test_images.py",
    "test_launch_arguments.py",
    "test_manifest.py",
    "test_module.py",
    "test_names.py",
    "test_params_file.py",
    "test_plan.py",
    "test_public_names.py",
    "test_release.py",
    "test_rooms.py",
    "test_selection.py",
    "test_source.py",
    "test_stop_signals.py",
    # One test of each room that needs processes and ROS.
    "test_calls_service.py::test_a_callback_that_blocks_delays_no_other",
    "test_container_manager.py::test_run_gives_what_the_function_gives_in_the_nodes_thread",
    "test_coordinator.py::test_two_robots_from_the_same_classes_do_not_meet",
    "test_processes.py::test_children_answer_side_by_side_and_keep_the_order_of_notices",
    "test_restart.py::test_references_to_a_restarted_module_work_again_by_themselves",
)
"""Files and tests that together take less than half a minute: ``pytest -m fast``, ``make fast``."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--container",
        metavar="NAME",
        help="full node name of a running container for the conformance tests, which must be able to load "
        "test/container_nodes.py; by default the tests start a container of this package",
    )
    parser.addoption(
        "--container-arguments",
        default="",
        help="arguments of the container that the conformance tests start, such as '--processes' or '--executor multi'",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "ros2: needs the ros2 command line tools and launch")
    config.addinivalue_line("markers", "fast: one of the tests that take less than half a minute together")


@pytest.hookimpl(tryfirst=True)  # before -m looks for markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    has_ros2 = shutil.which("ros2")
    for item in items:
        if item.path.name in FAST or f"{item.path.name}::{getattr(item, 'originalname', item.name)}" in FAST:
            item.add_marker("fast")
        if item.get_closest_marker("ros2") and not has_ros2:
            item.add_marker(pytest.mark.skip(reason="needs the ros2 command line tools, which are not on the PATH"))


def pytest_sessionstart(session: pytest.Session) -> None:
    session.config.stash[SEGMENTS] = _segments()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove the shared memory that killed processes left, once all workers are done."""
    if not hasattr(session.config, "workerinput"):
        remove_segments(_segments() - session.config.stash[SEGMENTS])


@pytest.hookimpl(wrapper=True, tryfirst=True)  # so that this section comes after all others
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Name the tests that passed only when they were run again: a green run hides that they are unreliable."""
    result = yield
    stats = terminalreporter.stats
    failed = {report.nodeid for kind in ("failed", "error") for report in stats.get(kind, [])}
    unreliable = sorted({report.nodeid for report in stats.get("rerun", [])} - failed)
    if unreliable:
        title = f"UNRELIABLE: {len(unreliable)} passed only when run again"
        terminalreporter.section(title, "!", yellow=True, bold=True)
        for nodeid in unreliable:
            terminalreporter.line(nodeid, yellow=True)
    return result


def _segments() -> set[str]:
    return {path.name.removesuffix("_el") for path in SHARED_MEMORY.glob("fast*_el") if "_port" not in path.name}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Iterator[None]:
    """Print the tracebacks of a test that hangs and end its worker, so that the other tests go on."""
    faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@contextlib.contextmanager
def own_domain() -> Iterator[int]:
    """A ROS domain that no other test on this machine uses meanwhile."""
    with free_domain() as number:
        try:
            yield number
        finally:
            # A participant is there until the last that refers to it is: the next test would meet it.
            gc.collect()


@pytest.fixture
def domain(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A ROS domain of the test's own, in the environment of all that it starts."""
    with own_domain() as number:
        monkeypatch.setenv("ROS_DOMAIN_ID", str(number))
        monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        yield number


@pytest.fixture
def context(domain: int) -> Iterator[Any]:
    """An initialized rclpy context on the test's domain."""
    rclpy = pytest.importorskip("rclpy", reason="needs rclpy")
    context = rclpy.Context()
    context.init(domain_id=domain)
    try:
        yield context
    finally:
        context.try_shutdown()


@pytest.fixture
def wait_for() -> Callable[..., Any]:
    """A function that waits for a condition and returns its true value: ``wait_for(lambda: x.ready, timeout=5)``."""
    return wait_until


def wait_until(condition: Callable[[], Any], timeout: float = 15.0, what: str = "") -> Any:
    """Return the first true value of ``condition()``. Fail the test after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"not so within {timeout:g} s: {what or condition}; last value {value!r}")
        time.sleep(0.005)


@pytest.fixture
def build(domain: int) -> Iterator[Callable[..., Any]]:
    """A function that builds coordinators. They are stopped at the end and must leave no process."""
    from dimos_ros import ModuleCoordinator

    built: list[ModuleCoordinator] = []

    def build_one(*arguments: Any, **options: Any) -> ModuleCoordinator:
        built.append(ModuleCoordinator.build(*arguments, **options))
        return built[-1]

    yield build_one
    running = [coordinator for coordinator in built if not coordinator._stopped]
    pids = [record.container.pid for each in running for record in each.records() if record.container]
    for coordinator in built:
        coordinator.stop()
    assert not [pid for pid in pids if process_exists(pid)]


@pytest.fixture(scope="module")
def container(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    """A running container for all tests of a file: its name and its domain, None for the environment's domain."""
    given = request.config.getoption("--container")
    if given:
        yield given, None
        return
    pytest.importorskip("rclpy", reason="needs rclpy")
    from container_client import ContainerProcess

    arguments = request.config.getoption("--container-arguments").split()
    ros = ("--ros-args", "-r", "chatter:=of_the_container", "-p", "period:=0.125", "-p", "unload_timeout:=1.5")
    with own_domain() as number:
        folder = tmp_path_factory.mktemp("container")
        with ContainerProcess(folder, *arguments, *ros, domain=number) as process:
            yield process.name, number


@pytest.fixture(scope="module")
def container_client(container: tuple[str, Any]) -> Iterator[Any]:
    from container_client import ContainerClient

    name, number = container
    with ContainerClient(name, number) as client:
        yield client


@pytest.fixture
def client(container_client: Any) -> Iterator[Any]:
    """A client of the container, which has no nodes before and after the test."""
    container_client.unload_all()
    yield container_client
    container_client.unload_all()


@pytest.fixture
def ours(request: pytest.FixtureRequest) -> None:
    """Skip a test that must start a container itself, if ``--container`` names another container to test."""
    if request.config.getoption("--container"):
        pytest.skip("this test starts its own container, but --container names another one")


@pytest.fixture
def fresh_client(domain: int, tmp_path: Path, ours: None) -> Iterator[Any]:
    """A client of a new container, which has not loaded any node."""
    from container_client import ContainerClient, ContainerProcess

    with ContainerProcess(tmp_path) as process, ContainerClient(process.name) as client:
        client.process = process
        yield client


def fault_for_new_node(domain: int, fault: Callable[[Any], object], tries: int = 6, seconds: float = 8.0) -> object:
    """Return the fault that every new node finds in the graph; None as soon as one new node finds no fault.

    ``fault(node)`` returns what is left over or missing, or None. Nodes that have run for a while may remember
    endpoints that are gone. An endpoint that is really left over is seen by every new node.
    """
    import rclpy

    found = None
    for _ in range(tries):
        context = rclpy.Context()
        context.init(domain_id=domain)
        node = rclpy.create_node("observer", context=context)
        try:
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                found = fault(node)
                if found is None:
                    return None
                time.sleep(0.05)
        finally:
            node.destroy_node()
            context.try_shutdown()
    return found


@pytest.fixture
def project_path() -> Path:
    """The root folder of the repository."""
    return Path(__file__).resolve().parent.parent


def process_exists(pid: int) -> bool:
    """Return whether a process runs. A zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def environment_with(**changes: str) -> dict[str, str]:
    """Return the environment variables of this process with changes."""
    return {**os.environ, **changes}

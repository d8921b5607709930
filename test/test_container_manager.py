"""The component manager of a container: requests to nodes, reports of errors, and taking nodes down."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

rclpy = pytest.importorskip("rclpy", reason="needs rclpy")

from managers import Modular, Plain, loaded, request
from managers import make as make
from managers import manager as manager
from rclpy.node import Node
from rclpy.parameter import Parameter

from dimos_ros.container.component_manager import ComponentManager
from dimos_ros.exceptions import (
    ClassNotFoundError,
    DimosError,
    InstanceNotFoundError,
    LoadRefusedError,
    RequestTimeoutError,
)


class Raising(Node):
    """A node whose timer raises."""

    def __init__(self) -> None:
        super().__init__("raising")
        self.timer = self.create_timer(0.01, self.on_timer)

    def on_timer(self) -> None:
        self.timer.cancel()
        raise ValueError("wheel came off")


# ---------------------------------------------------------------------------------------------------- requests


def test_run_gives_what_the_function_gives_in_the_nodes_thread(make: Callable[..., ComponentManager]) -> None:
    manager = make()
    unique_id = loaded(manager, Plain)
    node = manager.node(unique_id)
    assert manager.run(unique_id, lambda n: (n, threading.get_ident()), 5.0) == (node, node.thread)


def test_run_raises_the_error_of_the_function(make: Callable[..., ComponentManager]) -> None:
    manager = make()
    unique_id = loaded(manager, Plain)
    with pytest.raises(ZeroDivisionError):
        manager.run(unique_id, lambda n: 1 / 0, 5.0)
    with pytest.raises(TimeoutError, match="its own"):
        manager.run(unique_id, lambda n: (_ for _ in ()).throw(TimeoutError("its own")), 5.0)
    assert manager.run(unique_id, lambda n: 1, 5.0) == 1


def test_run_ends_after_its_timeout_and_says_why_the_node_is_busy(make: Callable[..., ComponentManager]) -> None:
    manager = make()
    unique_id = loaded(manager, Plain)
    release = threading.Event()
    try:
        with pytest.raises(RequestTimeoutError, match=r"/plain did not answer within 0.1 s: busy with a request"):
            manager.run(unique_id, lambda n: release.wait(10.0), 0.1)
    finally:
        release.set()
    assert manager.run(unique_id, lambda n: 2, 5.0) == 2


def test_a_function_that_did_not_begin_in_time_is_not_run_later(make: Callable[..., ComponentManager]) -> None:
    manager = make()
    unique_id = loaded(manager, Plain)
    release = threading.Event()
    done: list[int] = []
    with pytest.raises(RequestTimeoutError):
        manager.run(unique_id, lambda n: release.wait(10.0), 0.05)
    with pytest.raises(RequestTimeoutError):
        manager.run(unique_id, lambda n: done.append(1), 0.05)
    release.set()
    assert manager.run(unique_id, lambda n: done, 5.0) == []


def test_requests_for_a_missing_node_say_so(make: Callable[..., ComponentManager]) -> None:
    manager = make()
    loaded(manager, Plain)
    for ask in (lambda: manager.run(9, lambda n: 1, 1.0), lambda: manager.errors(9)):
        with pytest.raises(InstanceNotFoundError, match="No node found with unique_id: 9; this container has 1 /plain"):
            ask()


def test_preload_imports_and_says_why_it_cannot(make: Callable[..., ComponentManager]) -> None:
    manager = make()
    manager.preload(__name__, f"{__name__}:Plain")
    with pytest.raises(ClassNotFoundError, match="Plian"):
        manager.preload(__name__, f"{__name__}:Plian")


# ------------------------------------------------------------------------------------------------------- host


class Host:
    """A host that keeps the reports of a module."""

    directory = None

    def __init__(self, unique_id: int) -> None:
        self.unique_id = unique_id
        self.told: list[tuple[str, Any]] = []

    def error(self, where: str, error: BaseException) -> None:
        self.told.append((where, error))

    def state(self, label: str) -> None:
        self.told.append(("state", label))

    def finish(self, summary: str) -> None: ...


def test_errors_of_any_node_are_reported_to_the_host_and_counted(
    make: Callable[..., ComponentManager], wait_for: Any
) -> None:
    hosts: list[Host] = []

    def host(unique_id: int) -> Host:
        hosts.append(Host(unique_id))
        return hosts[-1]

    manager = make(host_factory=host)
    unique_id = loaded(manager, Raising, node_namespace="/r", node_name="n")
    wait_for(lambda: hosts[0].told)
    assert hosts[0].unique_id == unique_id
    where, error = hosts[0].told[0]
    assert where == "Raising.on_timer (timer, 0.01 s)"
    assert str(error) == "wheel came off"
    assert manager.errors(unique_id) == (1, "Raising.on_timer (timer, 0.01 s): ValueError: wheel came off")


def test_a_module_finds_its_host(make: Callable[..., ComponentManager], wait_for: Any) -> None:
    hosts: list[Host] = []

    def host(unique_id: int) -> Host:
        hosts.append(Host(unique_id))
        return hosts[-1]

    manager = make(host_factory=host)
    unique_id = loaded(manager, Modular)
    manager.run(unique_id, lambda n: n.trigger_configure(), 5.0)
    assert ("state", "inactive") in hosts[0].told


def test_rclpy_is_ok_while_a_manager_runs_and_the_default_context_is_restored(
    make: Callable[..., ComponentManager],
) -> None:
    assert not rclpy.ok()
    manager = make()
    assert rclpy.ok()
    unique_id = loaded(manager, Plain)
    manager.run(unique_id, lambda n: rclpy.shutdown(), 5.0)
    assert rclpy.ok()
    assert "rclpy.shutdown()" in manager.errors(unique_id)[1]
    manager.close()
    assert not rclpy.ok()


def test_a_default_context_of_the_program_is_left_alone(make: Callable[..., ComponentManager], domain: int) -> None:
    rclpy.init(args=[])
    try:
        before = rclpy.get_default_context()
        make().close()
        assert rclpy.get_default_context() is before
        assert rclpy.ok()
    finally:
        rclpy.try_shutdown()


# ------------------------------------------------------------------------------------------------------ close


def test_close_takes_all_nodes_down_and_refuses_later_loads(
    manager: ComponentManager, context: Any, wait_for: Any
) -> None:
    for i in range(3):
        loaded(manager, Plain, node_name=f"n{i}")
    observer = Node("observer", context=context)
    wait_for(lambda: observer.count_publishers("/out") == 3)
    manager.close()
    assert manager.list() == []
    wait_for(lambda: observer.count_publishers("/out") == 0)
    with pytest.raises(LoadRefusedError, match="closing"):
        manager.load(request(Plain))


class Sleeper(Node):
    """A node whose constructor takes half a minute."""

    def __init__(self) -> None:
        super().__init__("sleeper")
        for _ in range(3000):
            time.sleep(0.01)


def test_close_ends_a_constructor_that_runs(make: Callable[..., ComponentManager], wait_for: Any) -> None:
    manager = make()
    errors: list[Exception] = []

    def load() -> None:
        try:
            manager.load(request(Sleeper))
        except DimosError as error:
            errors.append(error)

    threading.Thread(target=load, daemon=True).start()
    observer = manager.context
    wait_for(lambda: manager.register.taken().get("/sleeper"))
    start = time.monotonic()
    manager.close()
    wait_for(lambda: errors)
    assert time.monotonic() - start < 3.0
    assert observer.ok()


def test_parameters_of_a_request_win_over_parameters_of_the_class(make: Callable[..., ComponentManager]) -> None:
    manager = make()
    unique_id = loaded(
        manager, Overriding, parameters=[Parameter("speed", value=2.0).to_parameter_msg()], node_name="other"
    )
    node = manager.node(unique_id)
    assert node.get_parameter("speed").value == 2.0
    assert node.get_parameter("gain").value == 0.5


class Overriding(Node):
    """A class that passes options of its own to ``Node.__init__``."""

    def __init__(self) -> None:
        super().__init__(
            "overriding",
            parameter_overrides=[Parameter("speed", value=1.0), Parameter("gain", value=0.5)],
            automatically_declare_parameters_from_overrides=True,
        )

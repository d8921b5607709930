"""A module's class body, and the node that is made from it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, Literal, Protocol

import pytest

rclpy = pytest.importorskip("rclpy", reason="needs rclpy")

from lifecycle_msgs.msg import State
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import Int32, String
from std_srvs.srv import Trigger

from dimos_ros import BlueprintError, DeclarationError, In, Module, Out, QoS, param, rpc
from dimos_ros.declaration import reserved
from dimos_ros.ros.internals import lifecycle_state


class Localizer(Module):
    @rpc
    def where(self) -> float:
        """The place of the robot."""
        return 1.0


class Clearable(Protocol):
    def clear(self) -> int: ...


class Worker(Module):
    """Counts words."""

    words: In[String]
    counts: Out[Int32]
    latched: In[String] = In(qos="latched")
    resolution: float = param(0.1, minimum=0.01, maximum=1.0, description="metres a cell")
    names: list[str] = []
    mode: Literal["fast", "good"] = "fast"
    title: str | None = None
    blob: bytes = b"\x00\xff"
    localizer: Localizer | None
    cleared: Clearable | None = None

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.seen: list[str] = []
        self.steps: list[str] = []

    def on_configure(self, state: Any) -> None:
        self.steps.append("configure")

    def on_activate(self, state: Any) -> TransitionCallbackReturn:
        self.steps.append("activate")
        self.counts.publish(Int32(data=-1))
        return super().on_activate(state)

    def handle_words(self, message: String) -> None:
        if message.data == "bad":
            raise ValueError("a bad word")
        self.seen.append(message.data)
        self.counts.publish(Int32(data=len(self.seen)))

    def handle_latched(self, message: String) -> None:
        self.seen.append(f"latched {message.data}")


@pytest.fixture
def spin(context: Any) -> Iterator[Callable[[Node], None]]:
    """Spin nodes in a thread."""
    executor = SingleThreadedExecutor(context=context)
    thread = threading.Thread(target=executor.spin)
    thread.start()
    nodes: list[Node] = []

    def add(node: Node) -> None:
        nodes.append(node)
        executor.add_node(node)

    yield add
    executor.shutdown()
    thread.join()
    for node in nodes:
        node.destroy_node()


def test_a_module_is_a_managed_node_of_the_name_its_class_gives(context: Any) -> None:
    worker = Worker(context=context)
    assert isinstance(worker, LifecycleNode)
    assert worker.get_fully_qualified_name() == "/worker"
    worker.destroy_node()


def test_streams_carry_messages_while_the_module_is_active_only(
    context: Any, spin: Callable[[Node], None], wait_for: Callable[..., Any]
) -> None:
    worker, peer = Worker(context=context, namespace="robot1"), Node("peer", namespace="robot1", context=context)
    got: list[int] = []
    peer.create_subscription(Int32, "counts", lambda message: got.append(message.data), 10)
    words = peer.create_publisher(String, "words", 10)
    latched = peer.create_publisher(String, "latched", QoS(latched=True, depth=1).profile())
    spin(worker)
    spin(peer)
    assert words.get_subscription_count() == 0
    assert worker.words.publisher_count == 0, "an unconfigured module has no subscription"
    worker.trigger_configure()
    assert worker.words.topic == "/robot1/words"
    wait_for(lambda: words.get_subscription_count() == 1 and worker.counts.subscription_count == 1)
    latched.publish(String(data="early"))
    words.publish(String(data="lost"))
    wait_for(lambda: worker.latched._waiting)
    worker.trigger_activate()
    assert worker.is_active
    words.publish(String(data="heard"))
    wait_for(lambda: got == [-1, 2])
    assert worker.seen == ["latched early", "heard"]
    assert worker.words.latest.data == "heard"
    worker.trigger_deactivate()
    worker.counts.publish(Int32(data=99))
    assert not worker.is_active
    worker.trigger_cleanup()
    wait_for(lambda: words.get_subscription_count() == 0)
    worker.trigger_configure()
    worker.trigger_activate()
    wait_for(lambda: words.get_subscription_count() == 1 and worker.counts.subscription_count == 1)
    words.publish(String(data="again"))
    wait_for(lambda: "again" in worker.seen)
    assert worker.words.publisher_count == 1
    peer.create_publisher(String, "words", 10)
    wait_for(lambda: worker.words.publisher_count == 2)
    assert 99 not in got


def test_a_handler_that_raises_is_counted_and_the_next_message_is_handled(
    context: Any, spin: Callable[[Node], None], wait_for: Callable[..., Any]
) -> None:
    worker, peer = Worker(context=context), Node("peer", context=context)
    words = peer.create_publisher(String, "words", 10)
    spin(worker)
    worker.trigger_configure()
    worker.trigger_activate()
    wait_for(lambda: words.get_subscription_count() == 1)
    words.publish(String(data="bad"))
    words.publish(String(data="good"))
    wait_for(lambda: worker.seen == ["good"])
    assert worker._host.errors == 1
    assert worker._host.last_error == "handle_words: ValueError: a bad word"
    peer.destroy_node()


def test_a_callback_that_raises_leaves_the_module_unconfigured_with_its_error(context: Any) -> None:
    class Broken(Module):
        out: Out[String]

        def on_activate(self, state: Any) -> None:
            raise RuntimeError("no camera")

    broken = Broken(context=context)
    assert broken.trigger_configure() == TransitionCallbackReturn.SUCCESS
    assert broken.trigger_activate() == TransitionCallbackReturn.ERROR
    assert lifecycle_state(broken)[0] == State.PRIMARY_STATE_UNCONFIGURED
    assert not broken.is_active
    assert broken._host.last_error == "on_activate: RuntimeError: no camera"
    assert broken.out._publisher is None
    broken.destroy_node()


def test_a_module_uses_its_streams_only_on_an_instance() -> None:
    with pytest.raises(RuntimeError, match="use it on an instance of the module, not on the class"):
        _ = Out().topic


def test_parameters_are_live_and_checked(context: Any) -> None:
    overrides = [Parameter("resolution", value=0.05), Parameter("names", Parameter.Type.STRING_ARRAY, ["a", "b"])]
    worker = Worker(context=context, parameter_overrides=overrides)
    assert (worker.resolution, worker.names, worker.mode, worker.title) == (0.05, ["a", "b"], "fast", None)
    assert worker.blob == b"\x00\xff"
    (result,) = worker.set_parameters([Parameter("resolution", value=0.5)])
    assert result.successful
    assert worker.resolution == 0.5
    for name, value in (("resolution", 2.0), ("resolution", "fine"), ("mode", "bad")):
        (result,) = worker.set_parameters([Parameter(name, value=value)])
        assert not result.successful, name
    assert (worker.resolution, worker.mode) == (0.5, "fast")
    worker.resolution, worker.title, worker.names, worker.blob = 0.25, "t", [], b"xyz"
    assert worker.get_parameter("resolution").value == 0.25
    assert worker.get_parameter("title").value == "t"
    assert (worker.title, worker.names, worker.blob) == ("t", [], b"xyz")
    with pytest.raises(BlueprintError, match=r"takes 0\.01 to 1\.0, not 7"):
        worker.resolution = 7
    described = worker.describe_parameter("resolution")
    assert described.description == "metres a cell"
    assert described.floating_point_range[0].to_value == 1.0
    worker.destroy_node()


def test_an_empty_list_given_from_outside_keeps_its_type(context: Any) -> None:
    class Listed(Module):
        names: list[str] = ["x"]

    listed = Listed(context=context, parameter_overrides=[Parameter("names", Parameter.Type.BYTE_ARRAY, [])])
    assert listed.names == []
    listed.names = ["y"]
    assert listed.get_parameter("names").value == ["y"]
    listed.destroy_node()


def test_a_required_parameter_and_reference_are_asked_for(context: Any) -> None:
    class Needy(Module):
        port: int
        localizer: Localizer

    with pytest.raises(BlueprintError, match="parameter 'port' \\(int\\) must be set"):
        Needy(context=context)
    with pytest.raises(BlueprintError, match="reference 'localizer' \\(Localizer\\) must be set"):
        Needy(context=context, parameter_overrides=[Parameter("port", value=3)])


def test_a_reference_is_a_parameter_that_names_a_node(context: Any) -> None:
    worker = Worker(context=context, parameter_overrides=[Parameter("localizer", value="/robot1/localizer")])
    assert worker.localizer is not None
    assert worker.cleared is None
    assert worker.get_parameter("localizer").value == "/robot1/localizer"
    worker.destroy_node()


def test_declarations_are_inherited_and_can_be_overridden() -> None:
    class Fine(Worker):
        resolution = 0.01
        words = In(qos=QoS(depth=3))
        counts: Out[String]

    own, inherited = Fine.interface(), Worker.interface()
    assert own.parameters["resolution"].default == 0.01
    assert own.parameters["resolution"].maximum == 1.0
    assert own.streams["words"].qos.depth == 3
    assert own.streams["counts"].message_type == "std_msgs/msg/String"
    assert inherited.streams["counts"].message_type == "std_msgs/msg/Int32"
    assert inherited.parameters["resolution"].default == 0.1
    with pytest.raises(BlueprintError, match="'resolution' takes float, not str"):
        type("Wrong", (Worker,), {"resolution": "fine"})
    with pytest.raises(DeclarationError, match=r"Hiding\.words hides the stream 'words'"):
        type("Hiding", (Worker,), {"words": 3})


@pytest.mark.parametrize("name", ["context", "clients", "handle", "publishers", "is_active", "use_sim_time"])
def test_a_name_that_would_hide_something_of_the_node_is_refused(name: str) -> None:
    with pytest.raises(DeclarationError, match=f"Hiding.{name} cannot be declared"):
        type("Hiding", (Module,), {"__annotations__": {name: In[String]}})


@pytest.mark.parametrize(("service", "name"), [(None, "get_parameters"), (None, "finish"), (Trigger, "get_state")])
def test_a_call_that_would_hide_something_of_the_node_is_refused(service: Any, name: str) -> None:
    def method(self: Any) -> None: ...

    method.__name__ = name
    with pytest.raises(DeclarationError, match=rf"Hiding.{name}\(\) cannot be a call"):
        type("Hiding", (Module,), {name: rpc(service)(method) if service else rpc(method)})


def test_the_list_of_reserved_names_has_all_that_this_rclpy_has() -> None:
    public = {name for name in dir(LifecycleNode) if not name.startswith("_")}
    assert public <= reserved.RCLPY_NODE


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ("In[int]", "int is not a ROS message type"),
        ("In", "In needs its message type"),
        ("dict[str, int]", "is not a stream, parameter or reference"),
        ("In['nonsense']", "is not a ROS message type"),
    ],
)
def test_a_declaration_that_cannot_work_is_refused_when_the_class_is_made(annotation: str, message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        type("Wrong", (Module,), {"__annotations__": {"thing": annotation}, "__module__": __name__})


def test_a_handler_without_a_stream_is_refused() -> None:
    with pytest.raises(DeclarationError, match=r"handle_word\(\) handles no stream.*declared inputs: words"):
        type("Wrong", (Worker,), {"handle_word": lambda self, message: None})


def test_a_class_defined_further_down_can_be_referred_to() -> None:
    class First(Module):
        later: Later | None

    class Later(Module):
        pass

    globals()["Later"] = Later
    try:
        assert First.interface().references["later"].target is Later
    finally:
        del globals()["Later"]


def test_describe_shows_every_declaration() -> None:
    text = Worker.describe()
    for part in ("Counts words.", "in        words", "std_msgs/msg/String", "metres a cell", "Localizer or none"):
        assert part in text
    assert "The place of the robot." in Localizer.describe()


def test_the_interface_is_printed_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    from dimos_ros.module.__main__ import main

    assert main(["dimos_ros.module:Module"]) == 0
    assert "frame_prefix" in capsys.readouterr().out
    assert main(["dimos_ros.module:Modul"]) == 1
    assert "has no 'Modul'; it has Module" in capsys.readouterr().err
    assert main(["dimos_ros.module:param"]) == 1
    assert "is not a Module subclass" in capsys.readouterr().err


def test_frames_take_the_prefix(context: Any) -> None:
    worker = Worker(context=context, parameter_overrides=[Parameter("frame_prefix", value="robot1/")])
    assert worker.frame("base_link") == "robot1/base_link"
    worker.destroy_node()

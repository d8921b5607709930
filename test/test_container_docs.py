"""The page about the container: its class, registration and commands, used as a reader uses them."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from container_client import ContainerClient, ContainerProcess, register
from std_msgs.msg import String

from dimos_ros.container.load_options import EXTRA_ARGUMENTS
from dimos_ros.container.main import DEFAULT_NAME, parser

TEXT = (Path(__file__).resolve().parent.parent / "docs" / "CONTAINER.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = [line[2:] for kind, block in BLOCKS if kind == "console" for line in block.splitlines()]
LOADS = [command for command in COMMANDS if command.startswith("ros2 component load")]


def block(containing: str) -> str:
    """Return the page's only block of Python that contains a text."""
    (found,) = [text for kind, text in BLOCKS if kind == "python" and containing in text]
    return found


@pytest.fixture
def my_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the page's package."""
    folder = tmp_path / "site"
    (folder / "my_nodes").mkdir(parents=True)
    (folder / "my_nodes" / "__init__.py").touch()
    (folder / "my_nodes" / "greeter.py").write_text(block("class Greeter(Node)"))
    call = ast.parse(block("entry_points=")).body[0].value
    given = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    groups = {group: dict(entry.split(" = ") for entry in entries) for group, entries in given["entry_points"].items()}
    register(folder, given["name"], **groups)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
    return folder


@pytest.fixture
def client(domain: int, my_nodes: Path, tmp_path: Path) -> Iterator[ContainerClient]:
    with (
        ContainerProcess(tmp_path / "process", name=f"/{DEFAULT_NAME}") as process,
        ContainerClient(process.name) as client,
    ):
        yield client


@pytest.mark.parametrize("command", LOADS)
def test_the_plain_node_of_the_page_loads_as_it_says(client: ContainerClient, command: str, wait_for: Any) -> None:
    *_, package, plugin = shlex.split(command)
    parameters = {"greeting": "good morning"}
    client.loaded(plugin, package=package, node_namespace="/robot1", parameters=parameters)
    with client.heard(String, "/robot1/greetings") as messages:
        wait_for(lambda: messages)
    assert messages[0].data == "good morning"


def test_the_short_plugin_name_will_do(client: ContainerClient) -> None:
    assert client.loaded("Greeter", package="my_nodes").full_node_name == "/greeter"


def test_every_option_and_extra_argument_is_on_the_page() -> None:
    for action in parser()._actions:
        if action.help != "==SUPPRESS==" and action.dest != "help":
            assert f"`{action.option_strings[0]}" in TEXT, action.option_strings
    for name in EXTRA_ARGUMENTS:
        assert f"`{name}`" in TEXT, name


@pytest.mark.ros2
def test_the_commands_of_the_page_work_in_their_order(my_nodes: Path, domain: int, wait_for: Any) -> None:
    start, *others = COMMANDS
    process = subprocess.Popen(shlex.split(start), start_new_session=True)
    try:
        client = ContainerClient(f"/{DEFAULT_NAME}")
        for command in others:
            verb = command.split()[2]
            arguments = shlex.split(command)
            arguments[3:3] = ["--no-daemon", "--spin-time", "2"]
            expected = {"load": "Loaded component", "list": "/greeter", "unload": "Unloaded component"}[verb]

            def works(arguments: list[str] = arguments, expected: str = expected) -> bool:
                return expected in subprocess.run(arguments, capture_output=True, text=True, check=False).stdout

            wait_for(works, timeout=60.0, what=command)
        assert list(client.list().values()) == ["/greeter"]
        client.close()
    finally:
        os.killpg(process.pid, 2)
        process.wait(15.0)


@pytest.mark.ros2
def test_the_launch_file_of_the_page_works(my_nodes: Path, domain: int, tmp_path: Path, wait_for: Any) -> None:
    file = tmp_path / "page.launch.py"
    file.write_text(block("ComposableNodeContainer("))
    environment = {**os.environ, "ROS_LOG_DIR": str(tmp_path)}
    process = subprocess.Popen(["ros2", "launch", str(file)], env=environment, start_new_session=True)
    try:
        client = ContainerClient("/nodes")
        wait_for(lambda: set(client.list().values()) == {"/robot1/greeter", "/robot2/greeter"}, timeout=60.0)
        assert client.parameters("/robot2/greeter", "greeting") == ["hello from /robot2"]
        client.close()
    finally:
        os.killpg(process.pid, 2)
        process.wait(15.0)


def test_the_synopsis_is_that_of_the_command_line() -> None:
    program = "from dimos_ros.container.main import main; main()"
    shown = subprocess.run([sys.executable, "-c", program, "--help"], capture_output=True, text=True, check=True)
    (synopsis,) = re.findall(r"^    container (.*?)\n\n", TEXT, re.MULTILINE | re.DOTALL)
    for option in re.findall(r"--[a-z]+", synopsis.replace("[no-]", "")):
        if option != "--ros":
            assert option in shown.stdout

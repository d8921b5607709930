"""Building the package: what colcon users and packagers rely on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dimos_ros

ROOT = Path(__file__).resolve().parent.parent
PATH_VARIABLES = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH")
SOURCES = ("setup.py", "setup.cfg", "package.xml", "resource", "interfaces", "launch", "config", "dimos_ros")

needs_rosidl = pytest.mark.skipif(
    not shutil.which("cmake") or not os.environ.get("AMENT_PREFIX_PATH"),
    reason="builds interfaces: needs CMake and a sourced ROS 2 (make shell)",
)


def entries(value: str | None) -> list[str]:
    return [entry for entry in (value or "").split(os.pathsep) if entry]


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment of a ROS 2 in which this package is not built yet."""
    result = dict(os.environ)
    built = [p for p in entries(result.get("AMENT_PREFIX_PATH")) if Path(p, "share", "dimos_ros").is_dir()]
    # A merged colcon workspace: its build directory is beside its install directory.
    hidden = [*built, *(str(Path(prefix).parent / "build") for prefix in built)]
    for name in PATH_VARIABLES:
        kept = [e for e in entries(result.get(name)) if not any(Path(e).is_relative_to(h) for h in hidden)]
        result[name] = os.pathsep.join(kept)
    result["CMAKE_BUILD_PARALLEL_LEVEL"] = "2"
    return result


class Workspace:
    """A colcon workspace with a copy of the repository in src/."""

    def __init__(self, path: Path, environment: dict[str, str]) -> None:
        self.path = path
        self.source = path / "src" / "dimos_ros"
        self.environment = environment
        self.source.mkdir(parents=True)
        for name in SOURCES:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, self.source / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif (ROOT / name).exists():
                shutil.copy(ROOT / name, self.source / name)
        # Enough to see all that matters, in a third of the time.
        for file in [*self.source.glob("interfaces/msg/*.msg"), *self.source.glob("interfaces/srv/*.srv")]:
            if file.stem not in ("Call", "RestartModule"):
                file.unlink()

    def build(self, *options: str) -> str:
        return self.colcon("build", *options)

    def colcon(self, verb: str, *options: str) -> str:
        command = [sys.executable, "-m", "colcon", verb, "--event-handlers", "console_direct+", *options]
        completed = subprocess.run(command, cwd=self.path, env=self.environment, capture_output=True, text=True)
        assert completed.returncode == 0, completed.stdout + completed.stderr
        return completed.stdout

    def run(self, command: str) -> str:
        """What a command prints in a shell that has sourced the workspace."""
        lines = f". {self.path}/install/local_setup.sh && {command}"
        completed = subprocess.run(["sh", "-c", lines], cwd="/", env=self.environment, capture_output=True, text=True)
        assert completed.returncode == 0, completed.stdout + completed.stderr
        return completed.stdout.strip()

    def request_fields(self) -> list[str]:
        code = (
            "from dimos_interfaces.srv import RestartModule as service;"
            "from rclpy.type_support import check_for_type_support as check;"
            "check(service); print(*service.Request.get_fields_and_field_types())"
        )
        return self.run(f"{sys.executable} -c '{code}'").split()

    def add_field(self, name: str) -> None:
        file = self.source / "interfaces" / "srv" / "RestartModule.srv"
        file.write_text(f"string {name}\n{file.read_text()}")

    def version(self) -> str:
        return self.run(f"{sys.executable} -c 'import dimos_ros; print(dimos_ros.__version__)'")

    def location(self, module: str) -> Path:
        return Path(self.run(f"{sys.executable} -c 'import {module}; print({module}.__file__)'")).resolve()


@pytest.fixture
def workspace(tmp_path: Path, environment: dict[str, str]) -> Workspace:
    return Workspace(tmp_path / "ws", environment)


@needs_rosidl
def test_symlink_install_follows_edits_and_survives_a_change_of_mode(workspace: Workspace) -> None:
    workspace.build("--symlink-install")
    assert "node_namespace" in workspace.request_fields()
    assert workspace.location("dimos_ros").is_relative_to(workspace.source)
    assert workspace.version() == dimos_ros.__version__

    workspace.add_field("first_edit")
    workspace.build("--symlink-install")
    assert "first_edit" in workspace.request_fields()

    workspace.add_field("second_edit")
    workspace.build()
    assert "second_edit" in workspace.request_fields()
    assert workspace.location("dimos_ros").is_relative_to(workspace.path / "install")
    assert workspace.version() == dimos_ros.__version__


@needs_rosidl
def test_plain_build_gives_a_complete_workspace_and_restores_a_deleted_install(workspace: Workspace) -> None:
    workspace.build()
    prefix = workspace.path / "install" / "dimos_ros"
    index = prefix / "share" / "ament_index" / "resource_index"
    assert "srv/RestartModule.srv" in (index / "rosidl_interfaces" / "dimos_interfaces").read_text().split()
    assert (index / "packages" / "dimos_interfaces").is_file()
    assert (index / "packages" / "dimos_ros").is_file()
    assert {file.name for file in (prefix / "lib" / "dimos_ros").iterdir()} == {"container", "coordinator", "fleet"}
    assert (prefix / "share" / "dimos_interfaces" / "cmake" / "dimos_interfacesConfig.cmake").is_file()
    if shutil.which("ros2"):
        assert "string node_namespace" in workspace.run("ros2 interface show dimos_interfaces/srv/RestartModule")

    for name in ("test/conftest.py", "test/test_names.py", "bench/domain.py"):
        (workspace.source / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, workspace.source / name)
    assert " passed in " in workspace.colcon("test", "--return-code-on-test-failure")

    shutil.rmtree(workspace.path / "install")
    workspace.build()
    assert "node_namespace" in workspace.request_fields()

    services = workspace.source / "interfaces" / "srv"
    (services / "Call.srv").rename(services / "Ask.srv")
    workspace.build()
    assert "node_namespace" in workspace.request_fields()
    assert not (prefix / "share" / "dimos_interfaces" / "srv" / "Call.srv").exists()
    assert workspace.run(f"{sys.executable} -c 'import dimos_interfaces.srv as srv; print(srv.Ask.__name__)'") == "Ask"


@needs_rosidl
@pytest.mark.parametrize(
    ("absent", "sentence"),
    [
        ("cmake", "found no cmake on the PATH: install CMake"),
        ("c++", "found no C++ compiler on the PATH: install one"),
        ("make", "found neither make nor ninja on the PATH"),
        ("rosidl", "found no ROS package ament_cmake (AMENT_PREFIX_PATH is empty): source a ROS 2"),
    ],
)
def test_what_is_missing_is_named_without_a_traceback(
    absent: str, sentence: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in {"cmake", "cc", "c++", "make"} - {absent}:
        (programs / name).symlink_to("/bin/true")
    environment["PATH"] = str(programs)
    for name in ("CC", "CXX", "CMAKE_GENERATOR"):
        environment.pop(name, None)
    if absent == "rosidl":
        for name in ("AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH"):
            environment[name] = ""
    source = Workspace(tmp_path, environment).source
    command = [
        sys.executable,
        "setup.py",
        "build",
        "--build-base",
        tmp_path / "b",
        "install",
        "--prefix",
        tmp_path / "p",
    ]
    completed = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True)
    assert completed.returncode == 1
    assert f"error: dimos_interfaces cannot be built: {sentence}" in completed.stderr
    assert "Traceback" not in completed.stderr


@needs_rosidl
def test_an_interface_that_does_not_compile_shows_where(workspace: Workspace) -> None:
    workspace.add_field("BadName")
    command = [sys.executable, "setup.py", "build", "--build-base", workspace.path / "b", "install"]
    command += ["--prefix", workspace.path / "p"]
    completed = subprocess.run(command, cwd=workspace.source, env=workspace.environment, capture_output=True, text=True)
    assert completed.returncode == 1
    assert "BadName" in completed.stderr
    assert "Traceback" not in completed.stderr.splitlines()[0]

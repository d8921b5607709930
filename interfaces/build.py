"""Builds `dimos_interfaces` for setup.py: CMake into the prefix that Python code is installed to.

Custom services need CMake, and colcon does not look for a package inside a package. So the commands
`install` and `develop` of setup.py call `build()`. Nothing that runs later imports this file.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
NEEDED_PACKAGES = ("ament_cmake", "rosidl_default_generators", "builtin_interfaces")
# colcon runs setup.py with these on the PYTHONPATH, the first of which changes `sys.prefix`. The Python
# that CMake asks about headers and libraries must be the one that is really there.
COLCON_SHIMS = ("prefix_override", "colcon_distutils_commands")
LINES_OF_A_FAILURE = 30


class BuildError(Exception):
    """Error of a build of the interfaces. The message names what is missing and how to get it."""


def package_prefix(name: str, prefixes: Iterable[str]) -> str | None:
    """Return the first prefix that contains the ROS package, in the order of CMake; None if no prefix does."""
    for prefix in prefixes:
        if (Path(prefix) / "share" / name / "cmake" / f"{name}Config.cmake").is_file():
            return prefix
    return None


def search_prefixes(environment: Mapping[str, str]) -> list[str]:
    """Return the paths where CMake looks for packages: sourced ones first, then those of programs on the PATH."""
    sourced = [
        entry
        for name in ("CMAKE_PREFIX_PATH", "AMENT_PREFIX_PATH")
        for entry in environment.get(name, "").split(os.pathsep)
    ]
    programs = [str(Path(entry).parent) for entry in environment.get("PATH", "").split(os.pathsep) if entry]
    return list(dict.fromkeys(entry for entry in [*sourced, sys.base_prefix, *programs] if entry))


def missing_tool(environment: Mapping[str, str]) -> str | None:
    """Return a sentence about the first missing tool and how to install it; None if nothing is missing."""

    def program(*names: str) -> str | None:
        # CC and CXX may hold a command with arguments, such as "ccache g++".
        words = [name.split()[0] for name in names if name.strip()]
        return next(filter(None, (shutil.which(word, path=environment.get("PATH")) for word in words)), None)

    if not program("cmake"):
        return "found no cmake on the PATH: install CMake (on Debian and Ubuntu: apt install cmake)"
    if not program(environment.get("CC", ""), "cc", "gcc", "clang"):
        return "found no C compiler on the PATH: install one (on Debian and Ubuntu: apt install build-essential)"
    if not program(environment.get("CXX", ""), "c++", "g++", "clang++"):
        return "found no C++ compiler on the PATH: install one (on Debian and Ubuntu: apt install build-essential)"
    if not environment.get("CMAKE_GENERATOR") and not program("make", "gmake", "ninja"):
        return "found neither make nor ninja on the PATH: install one (on Debian and Ubuntu: apt install make)"
    prefixes = search_prefixes(environment)
    for name in NEEDED_PACKAGES:
        if package_prefix(name, prefixes) is None:
            sourced = environment.get("AMENT_PREFIX_PATH") or "empty"
            distro = environment.get("ROS_DISTRO", "<distro>")
            return (
                f"found no ROS package {name} (AMENT_PREFIX_PATH is {sourced}): source a ROS 2 that has it, "
                f"after installing it where it is missing (apt install ros-{distro}-{name.replace('_', '-')})"
            )
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        return (
            f"found no Python.h for {sys.executable}: install Python's headers "
            "(on Debian and Ubuntu: apt install python3-dev)"
        )
    if importlib.util.find_spec("numpy") is None:
        return f"found no numpy for {sys.executable}: install it (on Debian and Ubuntu: apt install python3-numpy)"
    return None


def cmake_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for CMake: without colcon's shims, and with the prefixes of all sourced packages."""
    result = dict(environment)
    paths = result.pop("PYTHONPATH", "").split(os.pathsep)
    kept = [entry for entry in paths if entry and Path(entry).name not in COLCON_SHIMS]
    if kept:
        result["PYTHONPATH"] = os.pathsep.join(kept)
    prefixes = [result.get("CMAKE_PREFIX_PATH", ""), result.get("AMENT_PREFIX_PATH", "")]
    entries = dict.fromkeys(entry for entry in os.pathsep.join(prefixes).split(os.pathsep) if entry)
    if entries:
        result["CMAKE_PREFIX_PATH"] = os.pathsep.join(entries)
    return result


def configuration(prefix: Path, environment: Mapping[str, str]) -> str:
    """Return the inputs of CMake's cache as text. If the text changes, the build tree has to be made anew."""
    prefixes = search_prefixes(environment)
    return json.dumps(
        {
            "prefix": str(prefix),
            "source": str(SOURCE),
            "python": sys.executable,
            "version": sys.version,
            "packages": {name: package_prefix(name, prefixes) for name in NEEDED_PACKAGES},
            "compilers": [environment.get("CC", ""), environment.get("CXX", "")],
            # For an interface that was removed, the generators leave parts that do not link.
            "interfaces": [file.name for kind in ("msg", "srv") for file in sorted(SOURCE.glob(f"{kind}/*.{kind}"))],
            "cmake": hashlib.sha256((SOURCE / "CMakeLists.txt").read_bytes()).hexdigest(),
            "recipe": hashlib.sha256(Path(__file__).read_bytes()).hexdigest(),
        },
        indent=1,
    )


def build(
    prefix: Path, tree: Path, *, destdir: Path | None = None, environment: Mapping[str, str] | None = None
) -> None:
    """Build and install `dimos_interfaces` under `prefix`, keeping CMake's files in `tree`.

    Only what changed is compiled again. Files that an earlier run installed and this one does not are
    removed. `destdir` is for packagers: files go to `destdir/prefix` and are meant for `prefix`.
    Raises BuildError.
    """
    environment = os.environ if environment is None else environment
    lacking = missing_tool(environment)
    if lacking:
        raise BuildError(f"dimos_interfaces cannot be built: {lacking}")

    stamp = tree / "dimos_ros_configuration.json"
    unfinished = tree / "dimos_ros_unfinished"
    wanted = configuration(prefix, environment)
    manifest = tree / "install_manifest.txt"
    before = manifest.read_text().splitlines() if manifest.is_file() else []
    # A run that was killed may have left half an object file that looks newer than its source.
    if unfinished.exists() or not stamp.is_file() or stamp.read_text() != wanted:
        shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True, exist_ok=True)
    unfinished.touch()

    env = cmake_environment(environment)
    if not stamp.is_file():
        generator = [] if env.get("CMAKE_GENERATOR") or shutil.which("make", path=env.get("PATH")) else ["-G", "Ninja"]
        _cmake(
            "configure",
            [
                *("-S", str(SOURCE), "-B", str(tree), *generator),
                f"-DCMAKE_INSTALL_PREFIX={prefix}",
                f"-DPython3_EXECUTABLE={sys.executable}",
                "-DBUILD_TESTING=OFF",
            ],
            tree,
            env,
        )
        stamp.write_text(wanted)
    jobs = env.get("CMAKE_BUILD_PARALLEL_LEVEL") or str(os.cpu_count() or 1)
    _cmake("compile", ["--build", str(tree), "-j", jobs], tree, env)

    if destdir is not None:
        env["DESTDIR"] = str(destdir)
    _cmake("install", ["--install", str(tree)], tree, env)
    for stale in set(before) - set(manifest.read_text().splitlines()):
        if destdir is None and Path(stale).is_relative_to(prefix):
            Path(stale).unlink(missing_ok=True)
    unfinished.unlink()


def _cmake(step: str, arguments: list[str], tree: Path, environment: Mapping[str, str]) -> None:
    log = tree / f"dimos_ros_{step}.log"
    with log.open("wb") as output:
        completed = subprocess.run(
            ["cmake", *arguments], stdout=output, stderr=subprocess.STDOUT, env=dict(environment), check=False
        )
    if completed.returncode:
        # The build tool stopped by itself, so the files that it leaves are complete.
        (tree / "dimos_ros_unfinished").unlink(missing_ok=True)
        lines = log.read_text(errors="replace").splitlines()
        errors = [line for line in lines if "error" in line.lower()][:5]
        shown = "\n".join([*errors, "  ...", *lines[-LINES_OF_A_FAILURE:]])
        raise BuildError(f"dimos_interfaces did not {step}; the whole output is in {log}, and ends so:\n{shown}")

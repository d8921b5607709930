"""Sets up what dimos_ros runs in, and runs things in it. Standard library only, no root needed.

    tools/environment setup            make or bring up to date, nothing else
    tools/environment env              print the lines that a shell sources
    tools/environment run COMMAND...   run a command in it
    tools/environment shell            open a shell in it
    tools/environment clean            remove everything that set-up made

Where a ROS 2 is sourced (ROS_DISTRO set, `ros2` on the PATH), it is used. Else a real one comes from
wheels into a virtual environment: DISTRO=jazzy (the default) or DISTRO=kilted. Either way, interface
packages that it lacks are built as an underlay, and this package is built on top by colcon.

Each step is kept with a stamp of what it was made from. A step whose stamp is missing or different is
done from scratch, so one that was interrupted, at whatever point, is simply done again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WHEELS = ("jazzy", "kilted")
# The wheels were built in a container, and their CMake files name its Python.
BUILDER_PATHS = (
    (re.compile(r"/opt/python/cp\d+-cp\d+/include/python3\.\d+"), "include"),
    (re.compile(r"/opt/python/cp\d+-cp\d+/lib/python3\.\d+/site-packages"), "purelib"),
)
PATH_VARIABLES = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH", "PKG_CONFIG_PATH")
# What a shell has of its own, or what only concerns building.
NOT_EXPORTED = re.compile(r"^(_|PWD|OLDPWD|SHLVL|PS1|COLCON.*|AMENT_CURRENT_PREFIX|MAKE.*|MFLAGS)$")
LINES_OF_A_FAILURE = 25


class SetupError(Exception):
    """Set-up cannot go on; the message says what was being done and what would help."""


# ---------------------------------------------------------------------------------------------- what goes where


@dataclass(frozen=True)
class Layout:
    """Where one environment is: a ROS distribution, from wheels or (`sourced`) as the shell has it."""

    root: Path
    distro: str
    sourced: bool

    @property
    def venv(self) -> Path:
        if self.sourced:
            return self.root / f".venv-{self.distro}-sourced"
        return self.root / (".venv" if self.distro == WHEELS[0] else f".venv-{self.distro}")

    @property
    def build(self) -> Path:
        return self.root / ".build" / (f"{self.distro}-sourced" if self.sourced else self.distro)

    @property
    def requirements(self) -> list[Path]:
        names = ["sourced.txt"] if self.sourced else ["python.txt", f"{self.distro}.txt"]
        return [self.root / "requirements" / name for name in names]

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"


def choose(root: Path, environment: Mapping[str, str]) -> Layout:
    """The environment that is asked for by DISTRO, or by what is sourced, or by default. Raises SetupError."""
    asked = environment.get("DISTRO", "")
    present = environment.get("ROS_DISTRO", "")
    if present and asked in ("", present) and shutil.which("ros2", path=environment.get("PATH")):
        return Layout(root, present, sourced=True)
    distro = asked or (present if present in WHEELS else WHEELS[0])
    if distro not in WHEELS:
        raise SetupError(
            f"no wheels of ROS 2 {distro!r}: there are some of {' and '.join(WHEELS)}; "
            f"for another, source a ROS 2 {distro} and run make again without DISTRO"
        )
    return Layout(root, distro, sourced=False)


def fingerprint(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def contents(paths: Iterable[Path]) -> list[tuple[str, str]]:
    """Path and hash of each file, directories being gone through."""
    result = []
    for path in paths:
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in inside:
            if file.is_file() and "__pycache__" not in file.parts:
                result.append((str(file), hashlib.sha256(file.read_bytes()).hexdigest()))
    return result


# ------------------------------------------------------------------------------------------------- environments


def prepend(value: str, *entries: object) -> str:
    """A path variable with the entries in front, each named once."""
    kept = [entry for entry in value.split(os.pathsep) if entry]
    return os.pathsep.join(dict.fromkeys([*map(str, entries), *kept]))


def without_ros(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment less any ROS 2 that is sourced in it, so that two distributions do not mix."""
    result = dict(environment)
    prefixes = [entry for entry in environment.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if entry]
    for name in PATH_VARIABLES:
        if name in result:
            entries = [
                entry
                for entry in result[name].split(os.pathsep)
                if entry and not any(entry == prefix or entry.startswith(f"{prefix}/") for prefix in prefixes)
            ]
            result[name] = os.pathsep.join(entries)
            if not entries:
                del result[name]
    result.pop("RMW_IMPLEMENTATION", None)
    return result


def without(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The environment less the entries of path variables that are in the folder."""
    result = dict(environment)
    for name in PATH_VARIABLES:
        entries = result.get(name, "").split(os.pathsep)
        kept = [entry for entry in entries if not Path(entry).is_relative_to(folder)]
        if kept != entries:
            result[name] = os.pathsep.join(kept)
    return result


def base_environment(layout: Layout, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of the ROS 2 itself, without the underlay and this package."""
    # Somebody who has sourced what `env` prints gets the same again.
    result = without(environment, layout.root / ".build")
    result = result if layout.sourced else without_ros(result)
    venv = layout.venv
    result.pop("PYTHONHOME", None)
    result["VIRTUAL_ENV"] = str(venv)
    result["PATH"] = prepend(result.get("PATH", ""), venv / "bin")
    # One machine's robots stay on it, unless somebody says otherwise.
    result.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    if not layout.sourced:
        libraries = sorted(venv.glob("lib/python*/site-packages/ros_*.libs"))
        result["AMENT_PREFIX_PATH"] = str(venv)
        result["CMAKE_PREFIX_PATH"] = str(venv)
        result["LD_LIBRARY_PATH"] = prepend(result.get("LD_LIBRARY_PATH", ""), venv / "lib", *libraries)
        result["ROS_DISTRO"] = layout.distro
        result["ROS_VERSION"] = "2"
        result["ROS_PYTHON_VERSION"] = "3"
        # Else a .pth file of the wheels starts Python a second time, to set LD_LIBRARY_PATH.
        result["_ROS_WHEELS_BOOTSTRAP_COMPLETE"] = "1"
    return result


def sourced(environment: Mapping[str, str], *scripts: Path) -> dict[str, str]:
    """The environment after sourcing those of the scripts that are there, in that order."""
    there = [script for script in scripts if script.is_file()]
    if not there:
        return dict(environment)
    lines = "".join(f". {shlex.quote(str(script))} >&2\n" for script in there)
    dump = "import os, sys, json; json.dump(dict(os.environ), sys.stdout)"
    lines += f"exec {shlex.quote(sys.executable)} -IS -c {shlex.quote(dump)}"
    completed = subprocess.run(["sh", "-c", lines], env=dict(environment), stdout=subprocess.PIPE, check=True)
    return dict(json.loads(completed.stdout))


def whole_environment(layout: Layout, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment in which the package's executables and modules work."""
    result = sourced(
        base_environment(layout, environment),
        layout.build / "underlay" / "install" / "local_setup.sh",
        layout.build / "package" / "install" / "local_setup.sh",
    )
    executables = layout.build / "package" / "install" / "lib" / "dimos_ros"
    result["PATH"] = prepend(result.get("PATH", ""), layout.venv / "bin", executables)
    return {name: value for name, value in result.items() if name in environment or not NOT_EXPORTED.match(name)}


def lines_to_source(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """What a POSIX shell has to evaluate to get from the one environment to the other."""
    changed = {n: v for n, v in after.items() if before.get(n) != v and not NOT_EXPORTED.match(n)}
    gone = [n for n in before if n not in after and not NOT_EXPORTED.match(n)]
    lines = [f"unset {name}" for name in sorted(gone)]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in sorted(changed.items())]
    return "".join(line + "\n" for line in lines)


# -------------------------------------------------------------------------------------------------------- steps


@dataclass(frozen=True)
class Step:
    """One step of set-up: done when its stamp holds its key and the paths it makes are there.

    The action is told whether an earlier run of the step was interrupted, and so may have left anything.
    """

    title: str
    key: str
    stamp: Path
    started: Path
    makes: tuple[Path, ...]
    action: Callable[[bool], None]

    def is_done(self) -> bool:
        with contextlib.suppress(OSError):
            return self.stamp.read_text() == self.key and all(path.exists() for path in self.makes)
        return False

    def run(self) -> None:
        say(f"{self.title} ...")
        start = time.monotonic()
        interrupted = self.started.exists()
        self.stamp.unlink(missing_ok=True)
        self.started.parent.mkdir(parents=True, exist_ok=True)
        self.started.touch()
        self.action(interrupted)
        self.stamp.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.stamp.with_name(self.stamp.name + ".new")
        temporary.write_text(self.key)
        temporary.replace(self.stamp)
        self.started.unlink()
        say(f"  done in {time.monotonic() - start:.1f} s")


def say(text: str) -> None:
    print(f"[set-up] {text}", file=sys.stderr, flush=True)


def short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


class Runner:
    """Runs the programs of set-up: output to a log file, its last line shown on a terminal."""

    def __init__(self, logs: Path, lock: int) -> None:
        self.logs = logs
        # Programs that outlive a killed set-up keep the lock until they, too, are done.
        self.lock = lock

    def __call__(
        self, name: str, command: Sequence[object], environment: Mapping[str, str], *, advice: str, cwd: Path = ROOT
    ) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=cwd,
                pass_fds=[self.lock],
            )
            try:
                with ticker(log):
                    process.wait()
            except BaseException:
                process.terminate()
                process.wait()
                raise
        if process.returncode:
            lines = log.read_text(errors="replace").splitlines()
            shown = "\n".join(f"    {line}" for line in lines[-LINES_OF_A_FAILURE:])
            raise SetupError(
                f"{name} failed, with exit code {process.returncode}; "
                f"the last lines of {short(log)}:\n{shown}\n{advice}"
            )


@contextlib.contextmanager
def ticker(log: Path) -> Iterator[None]:
    """Shows on a terminal what the program with this log is doing."""
    if not sys.stderr.isatty():
        yield
        return
    done = threading.Event()
    start = time.monotonic()

    def show() -> None:
        while not done.wait(0.5):
            width = shutil.get_terminal_size().columns - 12
            with log.open("rb") as stream:
                stream.seek(max(0, log.stat().st_size - 1000))
                lines = stream.read().decode(errors="replace").split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "")
            sys.stderr.write(f"\r\033[K  {time.monotonic() - start:5.0f} s {last[:width]}")
            sys.stderr.flush()

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        sys.stderr.write("\r\033[K")
        sys.stderr.flush()


# ------------------------------------------------------------------------------------------------ what steps do


def base_python() -> str:
    """The Python that this one, possibly of a virtual environment, comes from."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def make_venv(layout: Layout, run: Runner, environment: Mapping[str, str]) -> None:
    """A new virtual environment with all requirements; what was there goes, as it may be half of one."""
    remove(layout.venv)
    bare = {name: value for name, value in environment.items() if name not in ("PYTHONHOME", "VIRTUAL_ENV")}
    if not layout.sourced:
        bare = without_ros(bare)
    bare["_ROS_WHEELS_BOOTSTRAP_COMPLETE"] = "1"
    option = ["--system-site-packages"] if layout.sourced else []
    advice = "On Debian and Ubuntu: apt install python3-venv. Another Python: make PYTHON=/path/to/python3.12"
    run("venv", [base_python(), "-m", "venv", *option, layout.venv], bare, advice=advice)
    pip = [layout.python, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--prefer-binary"]
    advice = "pip needs a package index: check the network, or PIP_INDEX_URL and PIP_FIND_LINKS, and run make again."
    run("pip", [*pip, "-r", layout.requirements[-1]], bare, advice=advice)


def patch_wheels(layout: Layout) -> None:
    """Make the CMake files of the wheels name this Python instead of that of the machine they were built on."""
    code = "import sysconfig, json; print(json.dumps([sysconfig.get_path(n) for n in ('include', 'purelib')]))"
    output = subprocess.run([layout.python, "-Ic", code], stdout=subprocess.PIPE, check=True).stdout
    here = dict(zip(("include", "purelib"), json.loads(output), strict=True))
    for file in layout.venv.glob("share/*/cmake/*"):
        if not file.is_file():
            continue
        text = patched = file.read_text(encoding="utf-8", errors="surrogateescape")
        for pattern, name in BUILDER_PATHS:
            patched = pattern.sub(here[name].replace("\\", r"\\"), patched)
        if patched != text:
            # The file may be a hard link into a cache that others share: another one takes its place.
            temporary = file.with_name(file.name + ".new")
            temporary.write_text(patched, encoding="utf-8", errors="surrogateescape")
            temporary.replace(file)


def lacking(layout: Layout, environment: Mapping[str, str]) -> list[Path]:
    """The packages of the underlay that the ROS 2 in this environment does not have."""
    prefixes = [Path(entry) for entry in environment.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if entry]
    packages = sorted(path.parent for path in (layout.root / "underlay").glob("*/package.xml"))
    return [
        package
        for package in packages
        if not any((prefix / "share" / package.name / "package.xml").is_file() for prefix in prefixes)
    ]


def colcon(folder: Path, run: Runner, environment: Mapping[str, str], python: Path, paths: Iterable[Path]) -> None:
    """Build packages with colcon, everything that it makes being in the folder."""
    command = [
        *(python, "-m", "colcon", "--log-base", folder / "log", "build", "--merge-install", "--symlink-install"),
        *("--build-base", folder / "build", "--install-base", folder / "install"),
        *("--event-handlers", "console_direct+", "--paths", *paths),
    ]
    run(folder.name, command, environment, advice="With what is said to be missing installed, run make again.")


def build_underlay(layout: Layout, run: Runner, environment: Mapping[str, str], packages: Sequence[Path]) -> None:
    folder = layout.build / "underlay"
    remove(folder)
    folder.mkdir(parents=True)
    colcon(folder, run, environment, layout.python, packages)


def build_package(
    layout: Layout, run: Runner, environment: Mapping[str, str], base_key: str, interrupted: bool
) -> None:
    """Build this package, from scratch where what it stands on is another or anything may be half done."""
    folder = layout.build / "package"
    stands_on = folder / "stands_on"
    if interrupted or not stands_on.is_file() or stands_on.read_text() != base_key:
        remove(folder)
        folder.mkdir(parents=True)
        stands_on.write_text(base_key)
    colcon(folder, run, environment, layout.python, [layout.root])


def steps(layout: Layout, run: Runner, environment: Mapping[str, str]) -> Iterator[Step]:
    """The steps of set-up in order, each to be done before the next is asked for."""
    venv, started = layout.venv, layout.build / "started"
    # A Python that is named must be the one; else the one that is there already is good.
    there = layout.python.exists() and not environment.get("PYTHON")
    python = os.path.realpath(layout.python) if there else base_python()
    key = fingerprint("venv 1", contents(layout.requirements), python, venv)
    what = "test tools for the sourced ROS 2" if layout.sourced else f"ROS 2 {layout.distro} from wheels (minutes)"
    yield Step(
        f"{short(venv)}: {what}, Python {sys.version.split()[0]}",
        key,
        venv / ".stamp-requirements",
        started / "requirements",
        (layout.python,),
        lambda _: make_venv(layout, run, environment),
    )
    if not layout.sourced:
        yield Step(
            f"{short(venv)}: pointing the wheels' CMake files to this Python",
            key,
            venv / ".stamp-patch",
            started / "patch",
            (),
            lambda _: patch_wheels(layout),
        )
    base = base_environment(layout, environment)
    missing = lacking(layout, base)
    key = fingerprint("underlay 1", key, contents(missing), base.get("AMENT_PREFIX_PATH"))
    underlay, package = layout.build / "underlay", layout.build / "package"
    if missing:
        yield Step(
            f"{short(underlay)}: building {' and '.join(path.name for path in missing)}, which this ROS 2 lacks",
            key,
            underlay / ".stamp",
            started / "underlay",
            (underlay / "install" / "local_setup.sh", underlay / "build"),
            lambda _: build_underlay(layout, run, base, missing),
        )
    else:
        remove(underlay)
    root = layout.root
    made_of = [root / name for name in ("setup.py", "setup.cfg", "package.xml", "resource", "interfaces")]
    # The files themselves are linked, so only their names matter.
    linked = sorted(str(path) for folder in ("launch", "config") for path in (root / folder).glob("*"))
    yield Step(
        f"{short(package)}: building dimos_interfaces and dimos_ros",
        fingerprint("package 1", key, contents(made_of), linked),
        package / ".stamp",
        started / "package",
        (package / "install" / "local_setup.sh", package / "build" / "dimos_ros"),
        lambda interrupted: build_package(
            layout, run, sourced(base, underlay / "install" / "local_setup.sh"), key, interrupted
        ),
    )


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[int]:
    """Holds the lock of set-up, waiting for a set-up that another process is at."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another set-up of this environment to end ...")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def missing_program(environment: Mapping[str, str]) -> str | None:
    """A sentence on the first program that set-up lacks, and how to get it; None when all are there."""
    wanted = (
        ("CMake", "cmake", ("cmake",)),
        ("a C++ compiler", "build-essential", (environment.get("CXX", "").split(" ")[0], "c++", "g++", "clang++")),
        ("a C compiler", "build-essential", (environment.get("CC", "").split(" ")[0], "cc", "gcc", "clang")),
        ("make", "make", ("make", "gmake")),
    )
    for what, package, programs in wanted:
        if not any(shutil.which(program, path=environment.get("PATH")) for program in programs if program):
            found = f"found no {what.removeprefix('a ')} on the PATH"
            return f"{found}: install {what} (Debian and Ubuntu: apt install {package})"
    return None


def set_up(layout: Layout, environment: Mapping[str, str]) -> None:
    """Bring the environment up to date, doing only what is not done. Raises SetupError."""
    with only_one(layout.build) as lock:
        run = Runner(layout.build / "log", lock)
        begun = time.monotonic()
        did = False
        for step in steps(layout, run, environment):
            if step.is_done():
                continue
            if not did:
                lack = missing_program(environment)
                if lack:
                    raise SetupError(lack)
                if layout.sourced:
                    say(f"using the sourced ROS 2 {layout.distro}")
                did = True
            step.run()
        if did:
            say(f"ready after {time.monotonic() - begun:.1f} s")


# ----------------------------------------------------------------------------------------------------- commands


def open_shell(layout: Layout, environment: Mapping[str, str]) -> None:
    """Become a shell in the environment; a bash gets it after its own start-up files, which may undo some."""
    shell = environment.get("SHELL") or "/bin/sh"
    arguments = [shell]
    if Path(shell).name == "bash":
        rc = layout.build / "bashrc"
        lines = lines_to_source(os.environ, environment)
        prompt = f'PS1="(dimos_ros {layout.distro}) $PS1"\n'
        rc.write_text("[ -f ~/.bashrc ] && . ~/.bashrc\n" + lines + prompt)
        arguments = [shell, "--rcfile", str(rc)]
    say(f"a shell with ROS 2 {layout.distro} and dimos_ros; leave it with exit")
    os.execvpe(shell, arguments, dict(environment))


def clean(root: Path) -> None:
    for path in [
        root / ".build",
        *root.glob(".venv*"),
        *(root / f".{name}_cache" for name in ("mypy", "ruff", "pytest")),
    ]:
        if path.exists():
            say(f"removing {short(path)}")
            remove(path)


def main(arguments: Sequence[str]) -> int:
    command, words = (arguments[0], list(arguments[1:])) if arguments else ("", [])
    if words[:1] == ["--"]:
        del words[0]
    if command not in ("setup", "env", "run", "shell", "clean") or (command == "run") != bool(words):
        print(__doc__, file=sys.stderr)
        return 2
    if command == "clean":
        clean(ROOT)
        return 0
    try:
        layout = choose(ROOT, os.environ)
        set_up(layout, os.environ)
    except SetupError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted; the next make goes on from here")
        return 130
    if command == "setup":
        return 0
    environment = whole_environment(layout, os.environ)
    if command == "env":
        sys.stdout.write(lines_to_source(os.environ, environment))
    elif command == "shell":
        open_shell(layout, environment)
    else:
        try:
            os.execvpe(words[0], words, environment)
        except FileNotFoundError:
            say(f"error: found no program {words[0]!r} on the PATH of the environment")
            return 127
    return 0


def terminated(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, terminated)
    sys.exit(main(sys.argv[1:]))

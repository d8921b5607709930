"""The command ``python -m bench [NAME ...] [--quick]``."""

from __future__ import annotations

import argparse
import compileall
import importlib.util
import sys
import time
from pathlib import Path

from rich.console import Console

from bench import machine, report
from bench.scale import FULL, QUICK, TINY
from bench.suite import NAMES, benchmark, select

RESULTS = Path(__file__).parent / "results"


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write. Return 2 for an unknown name, 1 if a benchmark could not run, and else 0."""
    parser = argparse.ArgumentParser("python -m bench", description="Measure this package beside its rivals.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"benchmarks to run; default: all of {', '.join(NAMES)}"
    )
    parser.add_argument("--quick", action="store_true", help="repeat less, to finish in under two minutes")
    parser.add_argument("--tiny", action="store_true", help="measure everything once, to see that it works")
    parser.add_argument(
        "--results", type=Path, help="folder for JSON files and plots (default: bench/results; none if quick or tiny)"
    )
    parser.add_argument("--markdown", type=Path, help="file for the tables, in the form of docs/PERFORMANCE.md")
    given = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 200)
    try:
        names = select(given.names)
    except LookupError as error:
        console.print(str(error))
        return 2
    scale = TINY if given.tiny else QUICK if given.quick else FULL
    folder = given.results or (RESULTS if scale is FULL else None)
    described = machine.describe()
    # Compile first, as an installation does. Otherwise, each process that starts compiles what it imports.
    for package in ("bench", "dimos_ros"):
        compileall.compile_dir(Path(importlib.util.find_spec(package).origin).parent, quiet=2)
    console.print(machine.text(described))
    status, results, started = 0, [], time.monotonic()
    for name in names:
        begun = time.monotonic()
        try:
            result = benchmark(name)(scale)
        except Exception as error:
            console.print(f"{name} could not be run: {type(error).__name__}: {error}", style="red")
            status = 1
            continue
        results.append(result)
        report.show(console, result)
        if folder is not None and result.comparisons:
            report.write(folder, result, described)
            _draw(console, folder, result)
        console.print(f"  {name}: {time.monotonic() - begun:.0f} s", style="dim")
    if given.markdown is not None:
        given.markdown.write_text(report.markdown([r for r in results if r.comparisons], described))
    console.print(f"{len(results)} of {len(names)} benchmarks in {time.monotonic() - started:.0f} s")
    return status


def _draw(console: Console, folder: Path, result: object) -> None:
    from bench.plots import draw

    try:
        draw(folder, result)  # type: ignore[arg-type]
    except ImportError as error:
        console.print(f"  no plot: {error}", style="dim")


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Build the API reference, one page with the public names of dimos_ros, from their docstrings. Needs pdoc and rclpy.

make docs
python tools/api_reference.py FOLDER
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

import pdoc
import pdoc.render

import dimos_ros


def build(folder: Path) -> Path:
    """Write the reference into a folder and return its page. Each warning of the generator is raised."""
    for name in dimos_ros.__all__:
        getattr(dimos_ros, name)  # pdoc documents what is loaded already
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)  # in the repository's root, pdoc warns of two packages that are one
    pdoc.render.configure(docformat="restructuredtext", search=False, show_source=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pdoc.pdoc("dimos_ros", r"!dimos_ros\..*", output_directory=folder)
    return folder / "dimos_ros.html"


def main() -> None:
    """Build the reference in the folder that the command line names."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    print(build(Path(sys.argv[1]).resolve()))


if __name__ == "__main__":
    main()

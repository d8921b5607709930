"""The executable ``coordinator``."""

from __future__ import annotations

import gc
import sys

from dimos_ros.coordinator import PRELOAD
from dimos_ros.processes.server_process import ForkServer


def main(arguments: list[str] | None = None) -> int:
    """Run a fleet until it is interrupted or its job is finished; return the exit code.

    It takes ROS arguments like any node: ``--ros-args -p blueprint:=my_pkg.robots:scout -p robots:=a,b``. The exit
    code is 0 after an orderly end, 1 if the fleet did not start, 2 for wrong parameters or a wrong blueprint.
    """
    # The fork server imports its modules while this process imports ROS.
    server = ForkServer(PRELOAD)
    gc.disable()  # imports leave hardly any garbage, but the collector takes a sixth of their time
    from dimos_ros.coordinator.run_fleet import run

    gc.enable()
    return run(server, sys.argv[1:] if arguments is None else arguments)


if __name__ == "__main__":
    sys.exit(main())

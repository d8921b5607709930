"""The start of the fork server's process. This file has few imports, since the start of a fleet waits for it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

_SERVER = """
import json, sys
sys.path[:] = json.loads(sys.argv[2])
from dimos_ros.processes.fork_server import main
main(int(sys.argv[1]), sys.argv[3])
"""


class ForkServer:
    """The fork server's process, seen from its parent.

    The constructor returns at once, and the fork server imports its modules while the parent goes on. ``preload``
    is the import path of the function that does these imports; see :func:`dimos_ros.processes.fork_server.main`.
    """

    def __init__(self, preload: str) -> None:
        self.preload = preload
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _SERVER, str(theirs.fileno()), json.dumps(import_path()), preload],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                # Ctrl-C in a terminal must reach the parent alone, which then ends its children in order.
                start_new_session=True,
            )
        self.connection = ours

    def again(self) -> ForkServer:
        """Start a new fork server in place of one that has died, and return it."""
        self.process.poll()  # so that the dead process does not stay a zombie
        return ForkServer(self.preload)


def import_path() -> list[str]:
    """Return ``sys.path`` for a process with any working directory.

    It includes the current directory, as it does with ``python -m``.
    """
    here = str(Path.cwd())
    return list(dict.fromkeys([entry or here for entry in sys.path] + [here]))

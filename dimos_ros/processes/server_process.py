"""Starting the fork server's process. Kept apart, with few imports, since a fleet's start waits for it."""

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
    """The fork server's process. Starting it is quick, and it gets ready while others do something else.

    ``preload`` is the import path of the function that imports what its forks need; see
    :func:`dimos_ros.processes.fork_server.main`.
    """

    def __init__(self, preload: str) -> None:
        self.preload = preload
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _SERVER, str(theirs.fileno()), json.dumps(import_path()), preload],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                # A terminal's Ctrl-C is for the parent, which then ends its children in order.
                start_new_session=True,
            )
        self.connection = ours

    def again(self) -> ForkServer:
        """A new one in place of one that died."""
        self.process.poll()  # so that it does not stay a zombie
        return ForkServer(self.preload)


def import_path() -> list[str]:
    """``sys.path`` as it can be used from anywhere; where a program was started counts, as with ``python -m``."""
    here = str(Path.cwd())
    return list(dict.fromkeys([entry or here for entry in sys.path] + [here]))

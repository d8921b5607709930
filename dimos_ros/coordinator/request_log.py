"""Log lines that start with the id of their request, such as ``#3f9a2c restart robot1 Mapper``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from dimos_ros.exceptions import DimosError
from dimos_ros.processes.request_id import current_request_id, new_request_id, request


class RequestLog:
    """Log of a coordinator's requests. ``say(text)`` writes a line."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def say(self, text: str) -> None:
        """Log a line, with the id of the request that the running task works for."""
        number = current_request_id()
        self._say(f"#{number} {text}" if number else text)

    @contextlib.contextmanager
    def request(self, asked: str) -> Iterator[Callable[[str], str]]:
        """Log a request and its outcome.

        The body gets a function: it logs the sentence that it is called with, and returns it. An error of the body
        is logged and raised. The body runs under the id of the current request, or under a new one if there is none.
        """
        with request(current_request_id() or new_request_id()):
            try:
                self.say(asked)
                yield self._done
            except DimosError as error:
                self.say(f"refused: {error}")
                raise
            except BaseException as error:
                self.say(f"given up: {type(error).__name__}: {error}")
                raise

    def _done(self, sentence: str) -> str:
        self.say(sentence)
        return sentence

"""Log lines that start with the id of their request, such as ``#3f9a2c restart robot1 Mapper``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from dimos_ros.exceptions import DimosError
from dimos_ros.processes.request_id import current_request_id, new_request_id, request


class RequestLog:
    """The log of a coordinator's requests; ``say`` writes a line."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def say(self, text: str) -> None:
        """Log a line, with the id of the request that the running task works for."""
        number = current_request_id()
        self._say(f"#{number} {text}" if number else text)

    @contextlib.contextmanager
    def request(self, asked: str) -> Iterator[Callable[[str], str]]:
        """Log what was asked, and what came of it: an error, or the sentence that the body gives to the function
        that it gets, which returns it.

        The body runs for the current request, or if there is none, for a new one.
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

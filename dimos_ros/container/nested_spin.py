"""``rclpy.spin_once`` and its kin inside of a hosted node's code.

They spin rclpy's one global executor. In a container many nodes do that at the same time, in constructors
that wait for a service's answer above all, and some in callbacks, while another executor has the node.
"""

from __future__ import annotations

import threading
from typing import Any

from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from dimos_ros.ros.internals import replace_global_executor, restore_global_executor


class _BorrowingExecutor(SingleThreadedExecutor):
    """Gives a node back to the executor that it had before."""

    def __init__(self, context: Context) -> None:
        super().__init__(context=context)
        self._former: dict[Node, Any] = {}

    def add_node(self, node: Node) -> bool:
        """As in the base class."""
        if node not in self._former:
            self._former[node] = node.executor if node.executor is not self else None
        return super().add_node(node)

    def remove_node(self, node: Node) -> None:
        """As in the base class."""
        super().remove_node(node)
        former = self._former.pop(node, None)
        if former is not None:
            former.add_node(node)


class NestedSpin:
    """While installed, each thread has a global executor of its own."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._threads = threading.local()
        self._original: Any = None

    def install(self) -> None:
        """Take the place of rclpy's global executor."""
        self._original = replace_global_executor(self._executor_of_thread)

    def remove(self) -> None:
        """Give it back."""
        restore_global_executor(self._executor_of_thread, self._original)

    def _executor_of_thread(self) -> Any:
        if getattr(self._threads, "executor", None) is None:
            self._threads.executor = _BorrowingExecutor(self._context)
        return self._threads.executor

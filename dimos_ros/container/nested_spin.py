"""rclpy's spin functions, such as ``rclpy.spin_once``, inside a hosted node's code.

They spin rclpy's only global executor. In a container many nodes may call them at the same time. Most do in a
constructor that waits for a service's answer; some do in a callback, while another executor has the node.
"""

from __future__ import annotations

import threading
from typing import Any

from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from dimos_ros.ros.internals import replace_global_executor, restore_global_executor


class _BorrowingExecutor(SingleThreadedExecutor):
    """An executor that borrows a node, and gives it back to the executor that had it before."""

    def __init__(self, context: Context) -> None:
        super().__init__(context=context)
        self._former: dict[Node, Any] = {}

    def add_node(self, node: Node) -> bool:
        """Borrow a node. Return whether it was added."""
        if node not in self._former:
            self._former[node] = node.executor if node.executor is not self else None
        return super().add_node(node)

    def remove_node(self, node: Node) -> None:
        """Give a node back to the executor that had it before."""
        super().remove_node(node)
        former = self._former.pop(node, None)
        if former is not None:
            former.add_node(node)


class NestedSpin:
    """The replacement of rclpy's global executor by one executor per thread, while it is installed."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._threads = threading.local()
        self._original: Any = None

    def install(self) -> None:
        """Replace rclpy's global executor."""
        self._original = replace_global_executor(self._executor_of_thread)

    def remove(self) -> None:
        """Restore rclpy's global executor."""
        restore_global_executor(self._executor_of_thread, self._original)

    def _executor_of_thread(self) -> Any:
        if getattr(self._threads, "executor", None) is None:
            self._threads.executor = _BorrowingExecutor(self._context)
        return self._threads.executor

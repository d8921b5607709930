"""The names that the author of a module imports: Module, In, Out, QoS, rpc and param."""

from dimos_ros.declaration.parameters import param
from dimos_ros.declaration.qos import QoS
from dimos_ros.declaration.rpc import rpc
from dimos_ros.declaration.streams import In, Out
from dimos_ros.module.module import Module

__all__ = ["In", "Module", "Out", "QoS", "param", "rpc"]

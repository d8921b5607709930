"""What a module's author imports: Module, In, Out, QoS, rpc and param."""

from dimos_ros.module.module import Module
from dimos_ros.module.parameters import param
from dimos_ros.module.qos import QoS
from dimos_ros.module.rpc import rpc
from dimos_ros.module.streams import In, Out

__all__ = ["In", "Module", "Out", "QoS", "param", "rpc"]

"""Planning a load request that was sent to the coordinator instead of a container."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from dimos_ros.blueprint.class_path import base_paths
from dimos_ros.blueprint.instance import Instance, container_of
from dimos_ros.blueprint.plan import Plan
from dimos_ros.declaration.declared import Declared, summary_of
from dimos_ros.exceptions import BlueprintError
from dimos_ros.loading.load_request import LoadRequest
from dimos_ros.naming.instance_key import InstanceKey
from dimos_ros.naming.names import absolute, node_name_of, normalize_namespace


def plan_load_request(request: LoadRequest, node_class: type, running: Iterable[Instance]) -> Plan:
    """Plan one load request for ``node_class``, a Module or a plain rclpy node.

    Raises BlueprintError if an instance already runs under its full name.
    """
    name = request.node_name or node_name_of(node_class.__name__)
    key = InstanceKey(normalize_namespace(request.node_namespace), name)
    if any(instance.key == key for instance in running):
        raise BlueprintError(f"{key.full_node_name} is running already; unload it first or give another node name")
    return Plan(
        (
            Instance(
                class_name=node_class.__name__,
                bases=base_paths(node_class),
                summary=summary_of(node_class),
                container=container_of(key, dedicated=bool(getattr(node_class, "dedicated", False))),
                request=replace(request, node_name=key.name, node_namespace=absolute(key.namespace)),
                streams=(),
                reference_names=(),
                calls=tuple(node_class.interface().calls) if issubclass(node_class, Declared) else (),
            ),
        )
    )

"""A load request that somebody makes to the coordinator, as an instance of its fleet. Imports the class."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from dimos_ros.blueprint.instance_key import InstanceKey
from dimos_ros.blueprint.load_request import LoadRequest
from dimos_ros.blueprint.names import absolute, join, node_name_of, normalize_namespace
from dimos_ros.blueprint.plan import Instance, Plan
from dimos_ros.container.class_lookup import ClassLookup
from dimos_ros.exceptions import BlueprintError
from dimos_ros.module.import_path import path_of
from dimos_ros.module.module import Module


def plan_request(request: LoadRequest, running: Iterable[Instance]) -> Plan:
    """The plan of one request. Raises ClassNotFoundError, BlueprintError where its full name is taken."""
    cls = ClassLookup().find(request.package_name, request.plugin_name)
    key = InstanceKey(normalize_namespace(request.node_namespace), request.node_name or node_name_of(cls.__name__))
    if any(instance.key == key for instance in running):
        raise BlueprintError(f"{key.full_node_name} runs already; unload it first or give another node name")
    named = replace(request, node_name=key.name, node_namespace=absolute(key.namespace))
    ancestors = [base for base in cls.__mro__ if issubclass(base, Module) and base is not Module]
    group = absolute(join(key.namespace, f"{key.name}_container" if getattr(cls, "dedicated", False) else "container"))
    return Plan(
        (
            Instance(
                key=key,
                class_name=cls.__name__,
                class_path=path_of(cls),
                bases=tuple(path_of(base) for base in ancestors) or (path_of(cls),),
                summary=(cls.__doc__ or "").strip().partition("\n")[0],
                process_group=group,
                request=named,
                streams=(),
                references={},
                calls=tuple(cls.interface().calls) if issubclass(cls, Module) else (),
                stage=0,
            ),
        )
    )

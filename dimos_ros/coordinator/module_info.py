"""Records as messages of the type ``ModuleInfo``."""

from __future__ import annotations

from dimos_interfaces.msg import ModuleInfo

from dimos_ros.coordinator.records import Record


def module_info(record: Record) -> ModuleInfo:
    """Return the message of a record."""
    instance = record.instance
    return ModuleInfo(
        node_namespace=instance.key.namespace,
        class_name=instance.class_name,
        node_name=instance.key.name,
        full_node_name=instance.key.full_node_name,
        state=record.state,
        health=record.health,
        container=record.container.name if record.container else "",
        process_id=record.container.pid if record.container else 0,
        restarts=record.restarts,
        uptime=record.uptime,
        last_error=record.last_error,
        class_path=instance.class_path,
        unique_id=record.unique_id,
    )

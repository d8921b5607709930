"""Names that a module's declarations must not have.

Among them are the public attributes of rclpy's managed node, of Jazzy and Kilted together. They are listed here, so
that a class is judged the same where rclpy is missing. A test compares the list with the rclpy that is installed.
"""

from __future__ import annotations

_RCLPY_NODE = """
    PARAM_REL_TOL ParameterInput add_managed_entity add_on_set_parameters_callback
    add_post_set_parameters_callback add_pre_set_parameters_callback add_waitable clients context count_clients
    count_publishers count_services count_subscribers create_client create_guard_condition
    create_lifecycle_publisher create_publisher create_rate create_service create_subscription create_timer
    declare_parameter declare_parameters default_callback_group describe_parameter describe_parameters
    destroy_client destroy_guard_condition destroy_lifecycle_publisher destroy_node destroy_publisher
    destroy_rate destroy_service destroy_subscription destroy_timer executor get_client_names_and_types_by_node
    get_clock get_fully_qualified_name get_fully_qualified_node_names get_logger get_name get_namespace
    get_node_names get_node_names_and_namespaces get_node_names_and_namespaces_with_enclaves get_parameter
    get_parameter_or get_parameter_type get_parameter_types get_parameters get_parameters_by_prefix
    get_publisher_names_and_types_by_node get_publishers_info_by_topic get_service_names_and_types
    get_service_names_and_types_by_node get_subscriber_names_and_types_by_node get_subscriptions_info_by_topic
    get_topic_names_and_types guards handle has_parameter list_parameters on_activate on_cleanup on_configure
    on_deactivate on_error on_shutdown publishers remove_on_set_parameters_callback
    remove_post_set_parameters_callback remove_pre_set_parameters_callback remove_waitable resolve_service_name
    resolve_topic_name services set_descriptor set_parameters set_parameters_atomically subscriptions timers
    trigger_activate trigger_cleanup trigger_configure trigger_deactivate trigger_shutdown undeclare_parameter
    wait_for_node waitables
"""
RCLPY_NODE = frozenset(_RCLPY_NODE.split())

MODULE = frozenset({"blueprint", "describe", "finish", "frame", "interface", "is_active"})
"""Public attributes that Module itself adds."""

_NODE_SERVICES = """
    call change_state describe_parameters get_available_states get_available_transitions get_logger_levels
    get_parameter_types get_parameters get_state get_transition_graph get_type_description list_parameters
    set_logger_levels set_parameters set_parameters_atomically
"""
NODE_SERVICES = frozenset(_NODE_SERVICES.split())
"""Services that every module has below its node name: those of a managed node, and ``call``."""

ARGUMENTS = frozenset({"name", "use_sim_time", "tf", "tf_static"})
"""``name`` is an argument of Module.blueprint(); every ROS node or module has the others already."""


def reason(name: str) -> str | None:
    """Return why ``name`` cannot be declared; None if it can."""
    if name in RCLPY_NODE:
        return "it would hide an attribute of rclpy's node"
    if name in MODULE:
        return "it would hide an attribute of Module"
    if name in ARGUMENTS:
        return "every module has it already"
    return None


def reason_of_call(name: str, is_service: bool) -> str | None:
    """Return why a method called ``name`` cannot be an ``@rpc``; None if it can."""
    if is_service and name in NODE_SERVICES:
        return f"every module has a service ~/{name} already"
    return None if name in ARGUMENTS else reason(name)

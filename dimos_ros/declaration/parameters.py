"""Parameters of a module: declared in the class body, read and set on the instance."""

from __future__ import annotations

import enum
import types
import typing
from dataclasses import replace
from typing import Any

from dimos_ros.declaration.interface import REQUIRED, Parameter
from dimos_ros.exceptions import DeclarationError

_SCALARS = {bool: "bool", int: "int", float: "float", str: "str", bytes: "bytes"}


class ParameterDefault:
    """A default with options, as :func:`param` puts it into the class body until the class is made."""

    def __init__(self, default: Any, options: dict[str, Any]) -> None:
        self.default = default
        self.options = options


def param(
    default: Any = REQUIRED,
    *,
    description: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    step: float | None = None,
    choices: tuple[Any, ...] | list[Any] = (),
    read_only: bool = False,
) -> Any:
    """Declare a parameter with more than a default value.

    ``resolution: float = param(0.1, minimum=0.01, description="metres a cell")``. Bounds and ``step`` become the
    range of the ROS parameter: ``ros2 param describe`` shows it, and a value outside is refused. A parameter
    without a default must be set by the blueprint.
    """
    return ParameterDefault(
        default,
        {
            "description": description,
            "minimum": minimum,
            "maximum": maximum,
            "step": step,
            "choices": tuple(choices),
            "read_only": read_only,
        },
    )


class LiveParameter:
    """The attribute of a declared parameter: reading it gives the node's value, assigning sets it."""

    def __init__(self, parameter: Parameter) -> None:
        self.parameter = parameter

    def __get__(self, module: Any, owner: type) -> Any:
        if module is None:
            return self.parameter.default
        try:
            return module._parameter_values[self.parameter.name]
        except (AttributeError, KeyError):
            raise AttributeError(
                f"{owner.__name__}.{self.parameter.name} has no value before Module.__init__ has run"
            ) from None

    def __set__(self, module: Any, value: Any) -> None:
        module._set_parameter(self.parameter, value)


def parameter_of(name: str, annotation: Any, default: Any, owner: str) -> Parameter | None:
    """Return the parameter that ``name: annotation = default`` declares; None if a parameter cannot have that type.

    Raises DeclarationError for an enum or a mixed Literal, BlueprintError for a default that does not fit.
    """
    optional, annotation = split_optional(annotation)
    options: dict[str, Any] = {}
    if isinstance(default, ParameterDefault):
        default, options = default.default, dict(default.options)
    kind = _SCALARS.get(annotation) if isinstance(annotation, type) else None
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if kind is None and origin is typing.Literal:
        kinds = {_SCALARS.get(type(value)) for value in arguments}
        if len(kinds) != 1 or None in kinds:
            raise DeclarationError(
                f"{owner}.{name}: the values of a Literal must all be of one type: bool, int, float, str or bytes"
            )
        kind = typing.cast(str, kinds.pop())
        options["choices"] = arguments
    of_one_type = origin is list or (origin is tuple and arguments[1:] == (Ellipsis,))
    if kind is None and of_one_type and arguments[0] in _SCALARS and arguments[0] is not bytes:
        kind = f"{_SCALARS[arguments[0]]}[]"
    if kind is None:
        if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
            raise DeclarationError(f"{owner}.{name}: a ROS parameter cannot be an enum; use Literal[...] of its values")
        return None
    if default is REQUIRED and optional:
        default = None
    return with_default(Parameter(name, kind, REQUIRED, optional=optional, **options), default, owner)


def with_default(parameter: Parameter, default: Any, owner: str) -> Parameter:
    """Return the parameter with another default, which may be a :func:`param`.

    Raises BlueprintError if the default does not fit.
    """
    if isinstance(default, ParameterDefault):
        given = {name: value for name, value in default.options.items() if value not in ("", None, (), False)}
        parameter, default = replace(parameter, **given), default.default
    if default is REQUIRED:
        return replace(parameter, default=REQUIRED)
    return replace(parameter, default=parameter.check(default, owner))


def split_optional(annotation: Any) -> tuple[bool, Any]:
    """Return whether ``annotation`` is ``X | None``, and X; for another annotation, False and itself."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        members = [a for a in typing.get_args(annotation) if a is not type(None)]
        if len(members) == 1 and len(members) < len(typing.get_args(annotation)):
            return True, members[0]
    return False, annotation

"""``Declared``: the part of a module class that is data. Blueprints use it alone, so they need no ROS."""

from __future__ import annotations

from typing import Any, ClassVar

from dimos_ros.declaration import class_body
from dimos_ros.declaration.interface import Interface, Parameter
from dimos_ros.declaration.parameters import LiveParameter
from dimos_ros.declaration.rpc import methods_of


class Declared:
    """Base of every class whose body declares streams, parameters, references and calls.

    Raises DeclarationError when a class body declares something that cannot work.
    """

    dedicated: ClassVar[bool] = False
    """Whether each instance gets a container, and so a process, of its own."""

    _declarations: ClassVar[dict[str, Any]] = {}
    _interface: ClassVar[Interface | None] = None

    _is_base: ClassVar[bool] = True

    def __init_subclass__(cls, *, is_base: bool = False, **options: Any) -> None:
        """Read the class body. ``is_base`` marks a class that declares what all modules have and is not a module."""
        super().__init_subclass__(**options)
        cls._is_base = is_base
        inherited: dict[str, Any] = {}
        for base in reversed(cls.__mro__[1:]):
            inherited.update(base.__dict__.get("_declarations", {}))
        own = class_body.read_class_body(cls)
        own.update(class_body.redefined(cls, inherited, own))
        cls._declarations = {**inherited, **own}
        cls._interface = None
        for declared in own.values():
            _put_parameter(cls, declared)
        # Check now if all names are defined, so that a wrong class is an error where it is written.
        if not any(isinstance(declared, class_body.Unresolved) for declared in cls._declarations.values()):
            cls.interface()

    @classmethod
    def interface(cls) -> Interface:
        """Return what the class and its bases declare.

        Raises DeclarationError for an annotation that still names something undefined.
        """
        if cls.__dict__.get("_interface") is None:
            found = cls._declarations
            for name, declared in list(found.items()):
                if isinstance(declared, class_body.Unresolved):
                    found[name] = class_body.resolve(cls, name, declared)
                    _put_parameter(cls, found[name])
            interface = class_body.interface_of(found, methods_of(cls), cls.__name__)
            class_body.check_handlers(cls, interface.streams)
            cls._interface = interface
        assert cls._interface is not None
        return cls._interface

    @classmethod
    def describe(cls) -> str:
        """Return the interface as text for people: streams, parameters, references, calls."""
        return cls.interface().as_text(f"{cls.__name__} ({cls.__module__}:{cls.__qualname__})", summary_of(cls))


def ancestors_of(cls: type) -> list[type[Declared]]:
    """Return a class and the module classes above it, nearest first, without bases such as Module."""
    return [base for base in cls.__mro__ if issubclass(base, Declared) and not base._is_base]


def summary_of(cls: type) -> str:
    """Return the first line of a class's docstring."""
    return (cls.__doc__ or "").strip().partition("\n")[0].strip()


def _put_parameter(cls: type, declared: Any) -> None:
    if isinstance(declared, Parameter):
        setattr(cls, declared.name, LiveParameter(declared))

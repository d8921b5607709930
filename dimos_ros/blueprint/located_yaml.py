"""YAML in which every key and value knows its line, so that an error can give the place."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dimos_ros.exceptions import BlueprintError, DimosError
from dimos_ros.naming.import_path import LONGEST_PATH
from dimos_ros.naming.wording import LONGEST_LIST, listed, shortened, shown

MOST_NODES = 100_000
"""A file with more values, aliases counted each time, is an attack or a mistake."""


class Key(str):
    """The text of a mapping's key, with its line."""

    line: int = 0


@dataclass(frozen=True)
class Located:
    """A value and its place. Mappings are ``dict[Key, Located]``, sequences ``list[Located]``."""

    value: Any
    line: int
    file: str
    error: type[BlueprintError]

    def fault(self, text: str, line: int | None = None) -> BlueprintError:
        """Return the error to raise for a fault here, or on another line of the same file."""
        return self.error(f"{self.file}:{self.line if line is None else line}: {text}")

    @contextlib.contextmanager
    def blamed(self, line: int | None = None) -> Iterator[None]:
        """Add this place to every error of this package that is raised inside."""
        try:
            yield
        except DimosError as error:
            if str(error).startswith(f"{self.file}:"):
                raise  # it has its place already
            raise self.fault(str(error), line) from error

    def plain(self) -> Any:
        """Return the value without places."""
        if isinstance(self.value, dict):
            return {str(key): item.plain() for key, item in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value

    def mapping(self, what: str, known: Iterable[str] | None = None) -> dict[Key, Located]:
        """Return the value if it is a mapping whose keys are all among ``known``; ``what`` names it in the error."""
        if not isinstance(self.value, dict):
            raise self.fault(f"{what} must be a mapping, not {_described(self)}")
        names = None if known is None else tuple(known)
        for key in self.value:
            if names is not None and key not in names:
                raise self.fault(f"{what} has no {shown(str(key))}; it has {listed(names, like=key)}", key.line)
        return self.value

    def sequence(self, what: str) -> list[Located]:
        """Return the value if it is a list; ``what`` names it in the error."""
        if not isinstance(self.value, list):
            raise self.fault(f"{what} must be a list, not {_described(self)}")
        return self.value

    def text(self, what: str) -> str:
        """Return the value if it is text and not empty; ``what`` names it in the error."""
        if not isinstance(self.value, str) or not self.value:
            quote = "; put it in quotes" if isinstance(self.value, (bool, int, float)) else ""
            raise self.fault(f"{what} must be text, not {_described(self)}{quote}")
        return self.value

    def flag(self, what: str) -> bool:
        """Return the value if it is true or false; ``what`` names it in the error."""
        if not isinstance(self.value, bool):
            raise self.fault(f"{what} must be true or false, not {_described(self)}")
        return self.value


def read(path: str, error: type[BlueprintError]) -> Located:
    """Read a YAML file of one document. Raises ``error`` with ``file:line`` for any fault in it."""
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = Path(path).read_bytes()[: fault.start].count(b"\n") + 1
        raise error(f"{path}:{line}: this is not UTF-8 text") from None
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or str(fault)
        raise error(f"{shortened(path, LONGEST_PATH)}: the file cannot be read: {reason}") from None
    return parse(text, path, error)


def parse(text: str, path: str, error: type[BlueprintError]) -> Located:
    """Read YAML from text at hand, which errors call ``path``; see :func:`read`."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            raise error(f"{path}:1: the file is empty")
        return _Reader(loader, path, error).located(node)
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        begun = (
            f"{fault.context} that begins on line {fault.context_mark.line + 1}"
            if fault.context_mark
            else fault.context
        )
        why = shortened(", ".join(part for part in (begun, fault.problem) if part), LONGEST_LIST)
        raise error(f"{path}:{mark.line + 1 if mark else 1}: this is not YAML: {why}") from None
    except yaml.reader.ReaderError as fault:
        line = text.count("\n", 0, int(fault.position)) + 1
        raise error(f"{path}:{line}: this is not YAML: {fault.reason}") from None
    except RecursionError:
        raise error(f"{path}:1: the YAML is nested too deeply") from None
    except ValueError as fault:
        if isinstance(fault, BlueprintError):
            raise
        raise error(f"{path}:1: this is not YAML: {fault}") from None


class _Loader(yaml.SafeLoader):
    """A SafeLoader that reads ``1e-3`` as a number, as ROS does."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+\Z"), list("-+0123456789")
)


class _Reader:
    """A walk through the nodes of one document."""

    def __init__(self, loader: _Loader, path: str, error: type[BlueprintError]) -> None:
        self._loader, self._path, self._error = loader, path, error
        self._count = 0

    def located(self, node: yaml.Node) -> Located:
        self._count += 1
        line = node.start_mark.line + 1
        if self._count > MOST_NODES:
            raise self._error(
                f"{self._path}:{line}: the file has more than {MOST_NODES} values; aliases of aliases count each time"
            )
        return Located(self._value(node), line, self._path, self._error)

    def _value(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            return [self.located(item) for item in node.value]
        if not isinstance(node, yaml.MappingNode) or node.tag != "tag:yaml.org,2002:map":
            return self._loader.construct_object(node)
        self._check_keys(node)
        self._loader.flatten_mapping(node)
        result = {}
        for key_node, value_node in node.value:
            key = Key(key_node.value)
            key.line = key_node.start_mark.line + 1
            result[key] = self.located(value_node)
        return result

    def _check_keys(self, node: yaml.MappingNode) -> None:
        seen: dict[str, int] = {}
        for key_node, _ in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            # A key ``on`` or ``1`` is text, as ROS reads it.
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._error(f"{self._path}:{line}: a key must be text, not a {key_node.id}")
            if key_node.value in seen:
                raise self._error(
                    f"{self._path}:{line}: {shown(key_node.value)} is given twice, first on line {seen[key_node.value]}"
                )
            seen[key_node.value] = line


def _described(located: Located) -> str:
    if located.value is None:
        return "nothing"
    if isinstance(located.value, dict):
        return "a mapping"
    return "a list" if isinstance(located.value, list) else f"{type(located.value).__name__} {shown(located.value)}"

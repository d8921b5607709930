"""Selection of an instance by namespace, class and node name. Where several fit, it does not take the first."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from dimos_ros.coordinator.selection import fitting, select, select_namespace
from dimos_ros.exceptions import AmbiguousInstanceError, InstanceNotFoundError, InvalidNameError
from dimos_ros.naming.instance_key import InstanceKey


@dataclass(frozen=True)
class Running:
    """Instance with only the properties that selection reads."""

    key: InstanceKey
    class_name: str
    bases: tuple[str, ...]

    def __str__(self) -> str:
        return str(self.key)


def running(path: str, class_name: str) -> Running:
    return Running(InstanceKey.parse(path), class_name, (f"pkg.mod:{class_name}", "pkg.mod:Base"))


RUNNING = [
    running("robot1/mapper", "Mapper"),
    running("robot2/mapper", "Mapper"),
    running("robot2/front", "Camera"),
    running("robot2/rear", "Camera"),
    running("fleet/robot3/planner", "Planner"),
    running("fleet_map", "FleetMap"),
]


@pytest.mark.parametrize("namespace", ["robot1", "/robot1", "/robot1/", "robot1/"])
def test_all_spellings_of_a_namespace_are_one(namespace: str) -> None:
    assert str(select(RUNNING, namespace, "Mapper")) == "robot1/mapper"


def test_the_root_is_the_global_namespace_and_not_any() -> None:
    assert str(select(RUNNING, "/", "FleetMap")) == "fleet_map"
    with pytest.raises(InstanceNotFoundError, match=r"no Mapper under '/'; it runs under .*robot1"):
        select(RUNNING, "/", "Mapper")


@pytest.mark.parametrize("namespace", ["", None])
def test_no_namespace_means_the_only_one_and_never_the_first(namespace: str | None) -> None:
    assert str(select(RUNNING, namespace, "Planner")) == "fleet/robot3/planner"
    with pytest.raises(AmbiguousInstanceError, match="robot1/mapper, robot2/mapper; give the namespace"):
        select(RUNNING, namespace, "Mapper")


def test_two_of_a_class_in_a_namespace_need_the_node_name() -> None:
    with pytest.raises(AmbiguousInstanceError, match="robot2/front, robot2/rear; give the node name"):
        select(RUNNING, "robot2", "Camera")
    assert str(select(RUNNING, "robot2", "Camera", "rear")) == "robot2/rear"
    assert str(select(RUNNING, "robot2", "", "rear")) == "robot2/rear"
    with pytest.raises(InstanceNotFoundError, match="no Camera named 'reer' runs; there are robot2/rear, robot2/front"):
        select(RUNNING, "robot2", "Camera", "reer")


def test_a_class_may_be_named_by_import_path_also_that_of_a_base() -> None:
    assert str(select(RUNNING, "robot1", "pkg.mod:Mapper")) == "robot1/mapper"
    assert str(select(RUNNING, "robot1", "pkg.mod:Base")) == "robot1/mapper"
    with pytest.raises(InstanceNotFoundError):
        select(RUNNING, "robot1", "other.mod:Mapper")


def test_a_node_name_serves_where_no_class_has_that_name() -> None:
    assert str(select(RUNNING, "robot1", "mapper")) == "robot1/mapper"
    assert str(select(RUNNING, "", "rear")) == "robot2/rear"
    with pytest.raises(AmbiguousInstanceError, match="several fit mapper: robot1/mapper, robot2/mapper; give the name"):
        select(RUNNING, "", "mapper")
    with pytest.raises(InstanceNotFoundError, match="no mapper under '/'; it runs under robot1, robot2"):
        select(RUNNING, "/", "mapper")
    more = [*RUNNING, running("robot1/other", "mapper")]
    assert str(select(more, "robot1", "mapper")) == "robot1/other"
    with pytest.raises(InstanceNotFoundError, match="no mapper under 'robot2'; it runs under robot1"):
        select(more, "robot2", "mapper")
    with pytest.raises(InstanceNotFoundError, match="no front named 'mapper' runs; classes that do: "):
        select(RUNNING, "robot2", "front", "mapper")


def test_all_that_fit_are_found_by_the_same_rules() -> None:
    assert [str(one) for one in fitting(RUNNING, None, "Mapper")] == ["robot1/mapper", "robot2/mapper"]
    assert [str(one) for one in fitting(RUNNING, "robot2", "Camera")] == ["robot2/front", "robot2/rear"]
    assert [str(one) for one in fitting(RUNNING, "", "", "mapper")] == ["robot1/mapper", "robot2/mapper"]
    assert len(fitting(RUNNING, "", "pkg.mod:Base")) == len(RUNNING)


def test_unknown_names_are_answered_with_those_that_run_nearest_first() -> None:
    with pytest.raises(InstanceNotFoundError, match="no Maper runs; classes that do: Mapper, "):
        select(RUNNING, "robot1", "Maper")
    with pytest.raises(InstanceNotFoundError, match=r"no refr runs; .*; node names: rear, "):
        select(RUNNING, "robot2", "refr")
    with pytest.raises(InstanceNotFoundError, match="no Mapper under 'robo2'; it runs under robot2, robot1"):
        select(RUNNING, "robo2", "Mapper")
    with pytest.raises(InstanceNotFoundError, match="neither a class nor a node name"):
        select(RUNNING, "robot1", "")
    with pytest.raises(InstanceNotFoundError, match="classes that do: none"):
        select([], "robot1", "Mapper")


@pytest.mark.parametrize("namespace", ["1bot", "a__b", "robot 1", "机器人", "x" * 10_000, "//", "a//b"])
def test_absurd_namespaces_are_refused_in_a_short_sentence(namespace: str) -> None:
    with pytest.raises((InvalidNameError, InstanceNotFoundError)) as caught:
        select(RUNNING, namespace, "Mapper")
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("name", ["", "Картограф", "M" * 10_000, "__class__", "Mapper; rm", "a\nb", "\x1b[31m"])
def test_absurd_classes_are_refused_in_a_short_sentence(name: str) -> None:
    with pytest.raises(InstanceNotFoundError) as caught:
        select(RUNNING, "robot1", name)
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


def test_a_namespace_includes_those_below_it_and_no_other_of_a_like_name() -> None:
    assert [str(one) for one in select_namespace(RUNNING, "/fleet/")[1]] == ["fleet/robot3/planner"]
    assert len(select_namespace(RUNNING, "/")[1]) == len(RUNNING)
    more = [*RUNNING, running("robot11/mapper", "Mapper")]
    assert [str(one) for one in select_namespace(more, "robot1")[1]] == ["robot1/mapper"]
    with pytest.raises(AmbiguousInstanceError, match="several namespaces run: /, fleet/robot3, robot1, robot2"):
        select_namespace(RUNNING, "")
    with pytest.raises(InstanceNotFoundError, match="nothing runs under 'robot5'; namespaces that do: robot"):
        select_namespace(RUNNING, "robot5")
    with pytest.raises(InstanceNotFoundError, match="nothing runs"):
        select_namespace([], None)


def test_a_large_fleet_is_not_listed_whole_in_an_error() -> None:
    fleet = [running(f"r{number}/mapper{number}", f"Mapper{number}") for number in range(1000)]
    for asked in (["", "Map"], ["", "", "Map"], ["", ""], ["", "pkg.mod:Base"]):
        with pytest.raises(LookupError, match=r"and \d+ more") as caught:
            select(fleet, *asked)
        assert len(str(caught.value)) < 1000
    with pytest.raises(AmbiguousInstanceError, match=r"and \d+ more"):
        select_namespace(fleet, "")


def test_an_import_path_that_does_not_run_is_answered_with_import_paths() -> None:
    with pytest.raises(InstanceNotFoundError, match=r"^no pkg.mod:Maper runs; import paths that do: pkg.mod:Mapper, "):
        select(RUNNING, "robot1", "pkg.mod:Maper")


def test_a_namespace_without_class_and_name_lists_what_runs_there_or_says_that_nothing_does() -> None:
    with pytest.raises(InstanceNotFoundError, match="robot2/front") as caught:
        select(RUNNING, "robot2")
    assert "robot1" not in str(caught.value)
    with pytest.raises(InstanceNotFoundError, match="nothing runs under 'robot9'"):
        select(RUNNING, "robot9")

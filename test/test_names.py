"""ROS naming rules: they agree with the installed rclpy, and an identity has one spelling."""

from __future__ import annotations

import random

import pytest

from dimos_ros import InstanceKey, InvalidNameError
from dimos_ros.naming import names

ODD = [
    *(
        "a",
        "A",
        "_",
        "_a",
        "a_",
        "a1",
        "1a",
        "a__b",
        "__",
        "a b",
        "a-b",
        "a.b",
        "a\n",
        "",
        " ",
        "a~",
        "~",
        "{a}",
        "a{b}",
    ),
    *(
        "$(a)",
        "a" * 200,
        "\x00",
        "a\x00",
        "ä",
        "机",
        "\N{FULLWIDTH LATIN SMALL LETTER A}",
        "a\N{ARABIC-INDIC DIGIT ONE}",
    ),
    "\ud800",
]


@pytest.mark.parametrize(
    ("class_name", "node_name"),
    [
        ("ScanReplay", "scan_replay"),
        ("Mapper", "mapper"),
        ("HTTPServer", "http_server"),
        ("Camera2D", "camera2_d"),
        ("PX4Bridge", "px4_bridge"),
        ("_Hidden", "hidden"),
        ("Already_Snake", "already_snake"),
        ("lower", "lower"),
        ("GPS", "gps"),
        ("X", "x"),
    ],
)
def test_a_class_name_gives_a_readable_node_name(class_name: str, node_name: str) -> None:
    assert names.node_name_of(class_name) == node_name
    assert names.check_node_name(node_name) == node_name


def accepted(check: object, *arguments: object) -> bool:
    try:
        check(*arguments)  # type: ignore[operator]
    except (ValueError, TypeError, rclpy_refusal()):
        return False
    return True


def rclpy_refusal() -> type[Exception]:
    return pytest.importorskip("rclpy.exceptions").NameValidationException


def candidates() -> list[str]:
    draw = random.Random(7)
    alphabet = ["a", "B", "_", "1", "/", "~", "é", " ", "bot"]
    return ODD + ["".join(draw.choices(alphabet, k=draw.randint(0, 8))) for _ in range(3000)]


def test_node_names_are_judged_as_rclpy_does() -> None:
    validate = pytest.importorskip("rclpy.validate_node_name").validate_node_name
    for name in candidates():
        if accepted(names.check_node_name, name):
            assert accepted(validate, name), repr(name)
        elif "__" not in name and "\x00" not in name:  # ROS's rules forbid the first; C ends a text at the second
            assert not accepted(validate, name), repr(name)


def test_namespaces_and_topics_are_judged_as_rclpy_does() -> None:
    validate_namespace = pytest.importorskip("rclpy.validate_namespace").validate_namespace
    validate_topic = pytest.importorskip("rclpy.validate_full_topic_name").validate_full_topic_name
    for name in candidates():
        if accepted(names.normalize_namespace, name):
            assert accepted(validate_namespace, f"/{names.normalize_namespace(name)}"), repr(name)
        if "__" in name or "\x00" in name:
            continue
        absolute = f"/{name}"
        assert accepted(names.check_topic, absolute, "x") == accepted(validate_topic, absolute), repr(name)


def test_the_longest_name_that_is_accepted_makes_a_node(context: object) -> None:
    lifecycle = pytest.importorskip("rclpy.lifecycle")
    longest = next(n for n in range(247, 0, -1) if accepted(names.check_node_name, "n" * n))
    node = lifecycle.LifecycleNode("n" * longest + "_container", context=context)
    assert node.get_name().endswith("_container")
    node.destroy_node()


@pytest.mark.parametrize(
    ("written", "normal"),
    [("", ""), ("/", ""), ("a", "a"), ("/a", "a"), ("/a/", "a"), ("a/b/", "a/b"), ("_a/B1", "_a/B1")],
)
def test_a_namespace_has_one_spelling(written: str, normal: str) -> None:
    assert names.normalize_namespace(written) == normal


@pytest.mark.parametrize(
    "wrong",
    ["//", "/a//", "a//b", "a b", "a/1b", "a__b", "a/__b", "~", "~/a", "ä", 5, None, b"a", ["a"], "x" * 10_000],
)
def test_a_wrong_namespace_is_refused_in_a_short_sentence(wrong: object) -> None:
    with pytest.raises(InvalidNameError) as caught:
        names.normalize_namespace(wrong)  # type: ignore[arg-type]
    assert 10 < len(str(caught.value)) < 300


def test_a_refusal_says_what_would_do() -> None:
    with pytest.raises(InvalidNameError, match=r"'robot 1' is not a ROS namespace: .*; 'robot_1' would do"):
        names.check_prefix("robot 1")
    with pytest.raises(InvalidNameError, match=r"'1bot' starts with a digit; 'r1bot' would do"):
        names.check_prefix("1bot")
    with pytest.raises(InvalidNameError, match="two underscores in a row; 'a_b' would do"):
        names.check_node_name("a__b")
    with pytest.raises(InvalidNameError, match="outside of ASCII"):
        names.check_node_name("机器人")


def test_what_a_refusal_suggests_is_accepted() -> None:
    for name in candidates():
        with_suggestion = names._suggestion(name)
        if with_suggestion:
            suggested = with_suggestion.split("'")[1]
            assert names.normalize_namespace(suggested) == suggested


def test_an_instance_key_is_one_value_however_it_is_spelled() -> None:
    assert InstanceKey("/robot1/", "mapper") == InstanceKey("robot1", "mapper") == InstanceKey.parse("/robot1/mapper")
    assert len({InstanceKey("/", "mapper"), InstanceKey("", "mapper"), InstanceKey.parse("mapper")}) == 1
    assert str(InstanceKey("fleet/robot1", "mapper")) == "fleet/robot1/mapper"
    assert InstanceKey("", "mapper").full_node_name == "/mapper"
    assert sorted([InstanceKey("b", "a"), InstanceKey("", "z"), InstanceKey("a", "b")])[0] == InstanceKey("", "z")


@pytest.mark.parametrize("wrong", ["", "/", "a/", "a b", "a/b c", "//a", "ä/b", "a/ä"])
def test_a_wrong_identity_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidNameError):
        InstanceKey.parse(wrong)


def test_enclosing_namespaces_end_with_the_global_one() -> None:
    assert names.enclosing("a/b/c") == ["a/b/c", "a/b", "a", ""]
    assert names.enclosing("") == [""]

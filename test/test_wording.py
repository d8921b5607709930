"""Lists and values in messages: cut where they are long, and with the most likely spelling first."""

from __future__ import annotations

from dimos_ros.naming.wording import by_likeness, count, listed, shortened, shown


def test_the_most_likely_spelling_comes_first_and_each_name_once() -> None:
    assert by_likeness("mappr", ["zoo", "mapper", "camera", "mapper"]) == ["mapper", "camera", "zoo"]
    assert listed(["zoo", "camera", "mapper"], like="mappr") == "mapper, camera, zoo"


def test_a_list_without_a_word_to_compare_keeps_its_order() -> None:
    assert listed(["b", "a"]) == "b, a"
    assert listed([]) == listed([], like="x") == "none"


def test_a_long_list_is_cut_at_a_name_and_says_how_many_are_left_out() -> None:
    names = [f"robot{number:03d}" for number in range(1000)]
    text = listed(names)
    assert len(text) < 520
    shown_names, _, more = text.partition(" and ")
    count_shown = len(shown_names.split(", "))
    assert names[:count_shown] == shown_names.split(", ")
    assert more == f"{1000 - count_shown} more"
    assert listed(["x" * 1000, "y"]).endswith("(1000 characters) and 1 more")


def test_a_long_value_is_cut_and_a_huge_number_is_described() -> None:
    assert shown("a" * 100, 5) == "'aaaa…"
    assert shown(5) == "5"
    assert shown(10**10_000) == "an integer of 33220 bits"
    assert shortened("a" * 100, 5) == "aaaaa… (100 characters)"


def test_one_thing_has_no_plural() -> None:
    assert (count(1, "module"), count(0, "module")) == ("1 module", "0 modules")

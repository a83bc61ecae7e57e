"""What is a number and a truth value, in every plugin as in the core."""

from typing import Any

import pytest

from pacer_core import read_integer, read_number, read_truth


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (7, 7),
        (7.0, 7),
        ("7", 7),
        ("+7", 7),
        ("-0", 0),
        ("007", 7),
        (" 7\t\r\n", 7),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        (2**63, None),
        (float(2**60), None),
        (7.5, None),
        (float("nan"), None),
        (float("inf"), None),
        (True, None),
        (None, None),
        ("", None),
        ("7.0", None),
        ("7e1", None),
        ("1_000", None),
        ("1 000", None),
        ("--7", None),
        ("0x7", None),
        ("\u0667", None),
        ("\xa07", None),
        ("\uff17", None),
        ("9" * 100_000, None),
        (b"7", None),
        ([7], None),
    ],
)
def test_a_whole_number_is_one_of_json_or_of_xml_schema(value: Any, number: int | None) -> None:
    found = read_integer(value)
    assert (found, type(found)) == (number, type(number))


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (7, 7.0),
        (0.5, 0.5),
        ("7", 7.0),
        ("+.5", 0.5),
        ("5.", 5.0),
        ("-1.5e-3", -0.0015),
        ("1E5", 1e5),
        ("007.50", 7.5),
        (" 1\n", 1.0),
        ("1e-999", 0.0),
        ("INF", None),
        ("-INF", None),
        ("NaN", None),
        ("nan", None),
        ("infinity", None),
        ("1e999", None),
        (10**400, None),
        (float("inf"), None),
        (True, None),
        (None, None),
        ("", None),
        (".", None),
        ("1_000.0", None),
        ("1,5", None),
        ("1e", None),
        ("0x1p3", None),
        ("\u0661", None),
        ("\xa01", None),
        ("1" * 100_000 + "x", None),
    ],
)
def test_a_number_is_a_finite_one_of_json_or_of_xml_schema(value: Any, number: float | None) -> None:
    assert read_number(value) == number


@pytest.mark.parametrize(
    ("value", "truth"),
    [
        (True, True),
        (False, False),
        (1, True),
        (0, False),
        (1.0, True),
        ("1", True),
        ("0", False),
        ("true", True),
        (" False ", False),
        (2, None),
        (-1, None),
        (0.5, None),
        ("yes", None),
        ("", None),
        ("1.0", None),
        ("\u0661", None),
        (None, None),
        ([], None),
    ],
)
def test_zero_and_one_are_truth_values_as_their_texts_are(value: Any, truth: bool | None) -> None:
    assert read_truth(value) is truth

"""A file that is no YAML, no text, or spelt otherwise: it is told in words that help."""

import pytest

from pacer_core.config import Code, check
from tests.support import Site
from tests.unit.config_problems.parcel_post import FINE, found


def test_a_file_that_is_not_there_is_a_problem(site: Site) -> None:
    _, problems = check(site.folder / "none.yaml")
    assert [(one.code, one.message) for one in problems] == [
        (
            Code.UNREADABLE_FILE,
            "cannot be read: No such file or directory; name another file with --config, or in PACER_CONFIG; \
`pacer init` writes a first one",
        )
    ]


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("brokers:\n\tmain: {}\n", "2:1", "this is a tab"),
        (
            "brokers:\n  main: {host: a\nqueues:\n",
            "3:7",
            "a comma is missing before this, or the '}' of line 2",
        ),
        ("consumers:\n  - {queues: [a b: c}\n", "2:21", "or the ']' of line 2"),
        (
            "brokers:\n  main:\n    host: a\n   port: 3\n",
            "4:4",
            "as the other lines of the block that begins in line 2",
        ),
        ("password: p4ss: word\n", "1:15", "a text with ': ' wants quotes"),
        ('host: "a\nport: 3\n', "1:7", "the quotes that begin in line 1 have no end"),
    ],
)
def test_what_is_no_yaml_is_told_with_what_to_look_for(post: Site, text: str, place: str, hint: str) -> None:
    (problem,) = found(post, text)
    assert problem.startswith(f"{place}: error: ")
    assert hint in problem
    assert "p4ss" not in problem


def test_a_word_where_keys_belong_is_told_so_in_the_words_of_yaml(post: Site) -> None:
    (problem,) = found(post, FINE.replace("[scale]}", "[scale], notYet: 2d}"))
    assert problem == "10:71: error: 'notYet' should be a mapping of keys to values [wrong-type]"


def test_a_file_that_is_no_text_is_a_problem(site: Site) -> None:
    (site.folder / "pacer.yaml").write_bytes(b"\xff\xfa\x00bro")
    _, problems = check(site.folder / "pacer.yaml")
    assert [one.code for one in problems] == [Code.SYNTAX]


def test_two_duplicate_keys_are_two_problems(post: Site) -> None:
    text = FINE.replace("{name: post}", "{name: post, name: a, type: topic, type: fanout}")
    assert [one.split(":")[1] for one in found(post, text)] == ["18", "40"]


def test_mistakes_of_an_entry_that_holds_nothing_but_merges_are_told(post: Site) -> None:
    text = FINE.replace("- {name: post}", "- &post {name: post, tpye: topic}\n  - {<<: *post}")
    assert [one.partition(": error: ")[::2] for one in found(post, text)] == [
        ("4:24", "unknown key 'tpye' (did you mean 'type'?) [unknown-key]"),
        ("5:5", "exchange 'post' is there twice [duplicate-name]"),
        ("5:5", "unknown key 'tpye' (did you mean 'type'?) [unknown-key]"),
    ]


def test_aliases_that_multiply_are_refused_at_once(post: Site) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (problem,) = found(post, "\n".join(lines) + "\n" + FINE)
    assert "aliases make more than" in problem


def test_a_text_of_latin_1_is_told_where_it_is_none(site: Site) -> None:
    (site.folder / "pacer.yaml").write_bytes("# für\nbrokers: {}\n".encode("latin-1"))
    (problem,) = check(site.folder / "pacer.yaml")[1]
    assert (problem.line, problem.column, problem.code) == (1, 4, Code.SYNTAX)
    assert "save the file as UTF-8" in problem.message


def test_a_byte_order_mark_and_line_ends_of_windows_are_no_problem(post: Site) -> None:
    file = post.folder / "pacer.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + FINE.replace("\n", "\r\n").encode())
    assert check(file)[1] == []


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("vhost", "vHost"),
        ("virtualHost", "vHost"),
        ("v_host", "vHost"),
        ("user", "username"),
        ("HOST", "host"),
    ],
)
def test_a_key_in_other_words_or_another_case_is_suggested(post: Site, written: str, meant: str) -> None:
    (problem,) = found(post, FINE.replace("memory", f"amqp, {written}: a"))
    assert f"unknown key '{written}' (did you mean '{meant}'?)" in problem


def test_a_choice_in_another_case_is_suggested(post: Site) -> None:
    (problem,) = found(post, FINE.replace("memory", "AMQP"))
    assert "(did you mean 'amqp'?)" in problem

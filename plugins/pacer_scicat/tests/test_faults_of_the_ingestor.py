"""The faults of SciCat's own ingestor, each with the tests that show it to be none of PACER's.

Faults are of scicat-ingestor 26.6 (2026-07), seen when it was run or read in its source. What is here is an
index, which two tests keep true: of the tests that it names, and of the table that people read.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
from attrs import frozen

from plugins.pacer_scicat.tests.support import Facility

PLUGINS = Path(__file__).parents[2]
PAGE = PLUGINS.parent / "docs/how-to/files-into-scicat.md"


@frozen
class Fault:
    """What goes wrong there, and the tests here: ``plugin/module::test``; ``row`` begins one of the table."""

    what: str
    tests: tuple[str, ...]
    row: str = ""


def _of(plugin: str, module: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{plugin}/{module}::{name}" for name in names)


THROUGH, TOPICS, READING = (
    ("pacer_kafka", f"test_{module}") for module in ("through_rabbitmq", "topics", "reading")
)
FILES, ONCE, CLIENT, SCHEMAS, SAMPLES, MIGRATE, HERE = (
    ("pacer_scicat", f"test_{module}")
    for module in (
        *("nexus_files", "written_once", "client", "schemas", "samples", "migrate"),
        "faults_of_the_ingestor",
    )
)
FAULTS: Mapping[str, Fault] = {
    "password-in-log": Fault(
        "the options of Kafka's client are logged at INFO, sasl.password among them",
        _of(*THROUGH, "test_a_password_is_used_and_never_shown"),
        "passwords of Kafka",
    ),
    "default-message-file": Fault(
        "message_to_file, which is the default, ends the daemon with the first message",
        _of(*FILES, "test_sidecars_are_written_in_a_folder_that_is_made"),
        "with the defaults of its configuration",
    ),
    "default-commit": Fault(
        "individual_message_commit, which is the default, ends the daemon with the first file that is done",
        _of(*TOPICS, "test_what_comes_in_is_published_in_its_order_and_committed"),
    ),
    "last-commit-waits": Fault(
        "the last message is committed when the next one comes",
        _of(*TOPICS, "test_what_comes_in_is_published_in_its_order_and_committed"),
    ),
    "commit-passes-failure": Fault(
        "a file that fails is dropped, and a later commit passes over it",
        _of(*TOPICS, "test_nothing_is_committed_that_the_broker_has_not_confirmed")
        + _of(*FILES, "test_a_file_that_its_writer_holds_is_waited_for"),
        "a file whose ingestion fails",
    ),
    "null-value": Fault(
        "a message without a value ends the daemon",
        _of(*TOPICS, "test_bad_messages_hold_nobody_up")
        + _of(*READING, "test_what_cannot_be_read_is_dead_with_its_bytes_and_the_reason"),
    ),
    "failed-writer": Fault(
        "a message of a writer that has failed is passed over, and the log says that it could not be read",
        _of(*READING, "test_a_failed_writer_s_message_is_dead_and_could_be_handled_all_the_same")
        + _of(*FILES, "test_a_writer_that_has_failed_makes_the_message_dead"),
    ),
    "same-job-twice": Fault(
        "the second message of a job takes the place of the first in the count of processes",
        _of(*ONCE, "test_eight_workers_on_one_file_leave_one_of_each"),
    ),
    "rebalance-when-full": Fault(
        "while all processes are busy nothing is polled: after five minutes the group rebalances",
        _of(*TOPICS, "test_while_the_queue_is_long_nothing_is_read_and_the_group_does_not_change"),
        "Kafka is not polled",
    ),
    "no-orderly-end": Fault(
        "SIGTERM is not handled, and processes are not awaited",
        _of(*TOPICS, "test_a_service_that_is_told_to_stop_while_the_broker_is_away_commits_nothing_of_that")
        + _of(*THROUGH, "test_what_cannot_be_read_lies_in_the_dead_queue_with_its_reason"),
    ),
    "one-bad-schema": Fault(
        "one schema that cannot be read fails every file",
        _of(*FILES, "test_a_bad_schema_is_reported_and_stops_no_other")
        + _of(*SCHEMAS, "test_a_schema_that_runs_away_is_reported_and_stops_no_other"),
        "a bad schema file",
    ),
    "fallback-unused": Fault(
        "the fallback schema is loaded and never used",
        _of(*FILES, "test_a_file_without_a_schema_takes_the_fallback"),
        "the fallback schema",
    ),
    "unknown-operator": Fault(
        "an operator that is not known does nothing, in silence",
        _of(*SCHEMAS, "test_every_mistake_has_its_line_and_column"),
        "an operator that is not known",
    ),
    "published-field": Fault(
        "a schema that sets isPublished collides with an argument of the constructor",
        _of(*HERE, "test_a_schema_may_say_whether_a_dataset_is_published"),
    ),
    "hash-folder": Fault(
        "the folder of the hash file is not made: with the defaults the run fails where it is missing",
        _of(*FILES, "test_sidecars_are_written_in_a_folder_that_is_made"),
        "a missing folder",
    ),
    "hash-not-computed": Fault(
        "save_file_hash without compute_file_hash ends the run",
        _of(*FILES, "test_options_that_do_not_go_together_are_refused"),
    ),
    "relative-paths": Fault(
        "relative paths, which are the default, end the run where a schema has a variable source_folder",
        _of(*FILES, "test_paths_are_relative_or_absolute_and_both_are_found_again"),
        "relative paths fail",
    ),
    "one-hash": Fault(
        "blake2b is the only algorithm of hashes",
        _of(*FILES, "test_any_hash_of_hashlib_will_do_and_so_will_none"),
        "`blake2b` alone",
    ),
    "size-null": Fault(
        "without compute_file_stats the size of a file is null, which SciCat refuses",
        _of(*FILES, "test_any_hash_of_hashlib_will_do_and_so_will_none"),
    ),
    "empty-list-exists": Fault(
        "an empty list is taken for a dataset that exists, by default: a new file is skipped with success",
        _of(
            *FILES,
            "test_without_a_match_an_empty_list_means_that_it_is_not_there",
            "test_a_dataset_of_the_same_job_under_another_pid_is_found_where_that_is_asked_for",
        ),
        "a search that finds nothing",
    ),
    "partial-for-ever": Fault(
        "a dataset whose origdatablock is missing stays so: the next run skips it with success",
        _of(
            *ONCE,
            "test_a_dataset_without_its_files_gets_them",
            "test_a_message_that_was_killed_on_its_way_is_made_whole",
        ),
        "a dataset whose files",
    ),
    "doubled-totals": Fault(
        "sizes and counts are given with the dataset and added once more with its block",
        _of(*FILES, "test_a_file_becomes_a_dataset_with_its_file"),
        "sizes and numbers",
    ),
    "timeout-zero": Fault(
        "the timeout is 0 by default, with which every request fails",
        _of(*CLIENT, "test_options_that_do_not_go_together_are_refused")
        + _of(*MIGRATE, "test_every_difference_is_explained_with_its_line"),
        "a time-out of 0",
    ),
    "status-hidden": Fault(
        "an error whose body is no JSON hides its status",
        ("pacer_http/test_http::test_a_status_that_is_not_expected_says_what_happens_to_the_message",),
    ),
    "no-renewal": Fault(
        "a token that has ended is not renewed",
        _of(*CLIENT, "test_a_token_that_has_ended_is_renewed_once"),
        "a token that ends",
    ),
    "sample-id-list": Fault(
        "the sample of a file is sent as a list, which SciCat refuses",
        _of("pacer_scicat", "test_nexus", "test_a_sample_that_the_file_names_is_attached_as_one_text"),
        "a sample is a list",
    ),
    "sample-without-name": Fault(
        "a sample is created without the name that SciCat needs",
        _of(*SAMPLES, "test_a_sample_is_created_once"),
    ),
}


@cache
def _tests_in(file: Path) -> frozenset[str]:
    return frozenset(_functions(ast.parse(file.read_text())))


def _functions(tree: ast.Module) -> Iterator[str]:
    """Give the tests of a module that the usual run takes, or leaves for the long one; none is skipped."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            marks = " ".join(ast.unparse(mark) for mark in node.decorator_list)
            if "skip" not in marks and "xfail" not in marks:
                yield node.name


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_every_fault_has_its_tests(fault: Fault) -> None:
    assert fault.tests
    for named in fault.tests:
        place, _, name = named.partition("::")
        plugin, module = place.split("/")
        assert name in _tests_in(PLUGINS / plugin / "tests" / f"{module}.py"), named


def test_the_table_that_people_read_tells_of_these() -> None:
    _, _, table = PAGE.read_text().partition("| there | here |\n|---|---|\n")
    rows = [line.split("|")[1].strip() for line in table.partition("\n\n")[0].splitlines()]
    told = [fault.row for fault in FAULTS.values() if fault.row]
    assert len(rows) == len(told) == 16
    assert [row for row in rows if not any(row.startswith(one) for one in told)] == []


def _with_field(text: str, name: str, value: str, kind: str) -> str:
    field = f"  more: {{field_type: high_level, machine_name: {name}, value: {value}, type: {kind}}}\n"
    return text + field


def test_a_schema_may_say_whether_a_dataset_is_published(facility: Facility) -> None:
    text = facility.schema().read_text()
    facility.schema(_with_field(text, "isPublished", "'true'", "boolean"))
    facility.send(facility.file())
    assert facility.dataset["isPublished"] is True

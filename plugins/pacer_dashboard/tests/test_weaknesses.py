"""The weaknesses of ICAT-PACER's dashboard, W1 to W22, each with the tests that show it is not here."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
INDEX: dict[str, tuple[str, tuple[str, ...]]] = {
    "W1": ("partitions overlap in most months", ("months_are_aligned_in_whichever_month",)),
    "W2": (
        "rows in the default partition keep a month from being made",
        ("rows_of_a_month_that_is_not_there",),
    ),
    "W3": ("the filter for days asks every partition", ("a_filter_for_days_asks_the_month",)),
    "W4": (
        "no index serves the search or the filter of roles",
        ("searches_identifiers_and_roles_are_served",),
    ),
    "W5": ("everything is kept for ever, people's data too", ("successes_go_first_then_payloads",)),
    "W6": (
        "pages shift while rows arrive, and each counts all rows",
        ("pages_follow_each_other_without_a_gap", "pages_go_back_and_forth_without_gaps"),
    ),
    "W7": ("the last day is left out", ("the_last_day_that_is_asked_for_is_included",)),
    "W8": ("a database that is away loses the record", ("a_database_is_away_where_it_may_take",)),
    "W9": ("a record that comes again is another row", ("records_in_any_order_and_twice",)),
    "W10": (
        "nothing tells of retries, the dead, queues and workers",
        ("a_message_shows_its_whole_life", "a_pacer_that_does_not_answer_is_said"),
    ),
    "W11": (
        "who may act reads and changes any message by its number",
        ("relatives_are_shown_as_far_as", "nothing_is_done_to_what_is_hidden"),
    ),
    "W12": (
        "who has no group gets every row, and filters tell of what is masked",
        (
            "nobody_and_a_role_without_rules",
            "a_search_for_what_only_hidden",
            "what_is_hidden_changes_no_answer",
        ),
    ),
    "W13": (
        "empty lists give everything, and groups are crossed",
        ("a_rule_that_does_not_say_what", "rules_are_judged_one_by_one"),
    ),
    "W14": ("a change of roles takes a day", ("a_change_of_anything_about_a_role_holds",)),
    "W15": ("what a broker supplies becomes script", ("nothing_that_a_message_says_breaks", "inline_code")),
    "W16": (
        "the stream asks nobody, and the key is in the repository",
        ("the_live_stream_tells_of_what_is_seen", "what_is_not_safe_is_refused"),
    ),
    "W17": (
        "what was not sent is said to have been",
        ("what_no_queue_takes_has_failed", "where_the_broker_does_not_take_it"),
    ),
    "W18": (
        "no route, edit, reason, audit, lineage or rate that would hold",
        (
            "a_message_is_sent_again_as_it_was",
            "an_edited_payload_is_sent",
            "all_that_a_filter_finds_is_sent_again",
        ),
    ),
    "W19": (
        "a dry run sends, unknown is missing, and half of what lacks is not found",
        (
            "both_kinds_of_lack_are_found",
            "what_the_search_does_not_say_is_unknown",
            "a_dry_run_sends_and_writes",
        ),
    ),
    "W20": ("public datasets are named several times", ("each_public_dataset_is_named_once",)),
    "W21": (
        "the status is a constant, and pages need the internet",
        ("it_says_whether_it_lives", "the_policy_lets_in_what_the_package_brings", "axe_finds_nothing"),
    ),
    "W22": (
        "no permalink, address of a filter, export or API",
        ("what_is_filtered_stands_in_the_address", "an_export_has_all", "each_page_has_its_operations"),
    ),
}
"""By its number what is wrong there, and parts of the names of tests."""


def test_each_weakness_has_tests_that_are_there() -> None:
    source = "\n".join(one.read_text() for one in HERE.rglob("test_*.py") if one != Path(__file__))
    names = re.findall(r"^(?:async )?def (test_\w+)", source, re.MULTILINE)
    assert [*INDEX] == [f"W{number}" for number in range(1, 23)]
    for number, (_, parts) in INDEX.items():
        for part in parts:
            assert len([name for name in names if part in name]) == 1, (number, part)

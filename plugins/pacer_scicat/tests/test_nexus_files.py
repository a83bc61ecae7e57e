"""The consumer type ``nexus-files``: a finished file becomes a dataset with its files."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import h5py
import pytest

from pacer_core import Outcome
from pacer_scicat.files.listing import hash_of
from pacer_scicat.files.options import Defaults, NexusFilesOptions, PidOptions, Sidecars
from plugins.pacer_scicat.tests.support import JOB, PID, SCHEMA, Facility


def test_a_file_becomes_a_dataset_with_its_file(facility: Facility) -> None:
    file = facility.file()
    delivery = facility.send(file)

    assert delivery.outcome is Outcome.ACKED, delivery.error
    assert facility.is_whole()
    dataset = facility.dataset
    assert (dataset["pid"], dataset["datasetName"], dataset["ownerGroup"]) == (PID, "a run", "443503")
    assert dataset["creationTime"] == "2026-11-20T09:11:12.123Z"
    assert dataset["scientificMetadata"]["temperature"] == {
        "value": 20.5,
        "unit": "degC",
        "type": "float",
        "human_name": "Temperature",
        "valueSI": 293.65,
        "unitSI": "K",
    }
    (item,) = facility.files
    digest = hashlib.blake2b(file.read_bytes()).hexdigest()
    assert (item["path"], item["size"], item["chk"]) == ("run1.nxs", file.stat().st_size, digest)
    assert delivery.facts["scicat"] == {"pid": PID, "schema": "11111111-2222-3333-4444-555555555555"}


def test_the_account_can_read_what_it_creates(facility: Facility) -> None:
    facility.send(facility.file())
    assert facility.dataset["accessGroups"] == ["datasetingestor"]
    assert facility.client.held(PID).state == "seen"


@pytest.mark.parametrize("paths", ["relative", "absolute"])
def test_paths_are_relative_or_absolute_and_both_are_found_again(facility: Facility, paths: str) -> None:
    file = facility.file()
    options = facility.options(paths=paths)
    facility.send(file, options=options)
    assert [one["path"] for one in facility.files] == [str(file) if paths == "absolute" else "run1.nxs"]
    other = facility.options(paths="absolute" if paths == "relative" else "relative")
    assert facility.send(file, options=other).outcome is Outcome.ACKED
    assert facility.is_whole()


@pytest.mark.parametrize("algorithm", ["sha256", "md5", "blake2s", None])
def test_any_hash_of_hashlib_will_do_and_so_will_none(facility: Facility, algorithm: str | None) -> None:
    file = facility.file()
    facility.send(file, options=facility.options(hash=algorithm))
    wanted = None if algorithm is None else hashlib.new(algorithm, file.read_bytes()).hexdigest()
    assert facility.files[0].get("chk") == wanted


def test_sidecars_are_written_in_a_folder_that_is_made(facility: Facility) -> None:
    file = facility.file()
    options = facility.options(sidecars=Sidecars(hash=True, message=True))
    assert facility.send(file, options=options).outcome is Outcome.ACKED
    folder = file.parent.parent / "ingestor"
    assert (folder / "run1.b2b").read_text() == hashlib.blake2b(file.read_bytes()).hexdigest()
    assert json.loads((folder / "run1.message.json").read_text())["job_id"] == JOB
    assert [one["path"] for one in facility.files] == ["run1.nxs", str(folder / "run1.b2b")]
    assert facility.is_whole()


def test_a_pipe_and_a_link_in_the_place_of_a_sidecar_hold_nobody_up_and_lead_nowhere(
    facility: Facility, tmp_path: Path
) -> None:
    file = facility.file()
    folder = file.parent.parent / "ingestor"
    folder.mkdir()
    os.mkfifo(folder / "run1.b2b")
    (tmp_path / "elsewhere").write_text("as it was")
    (folder / "run1.message.json").symlink_to(tmp_path / "elsewhere")
    options = facility.options(sidecars=Sidecars(hash=True, message=True))
    assert facility.send(file, options=options).outcome is Outcome.ACKED
    assert (folder / "run1.b2b").is_file()
    assert (tmp_path / "elsewhere").read_text() == "as it was"


def test_a_file_that_changes_while_it_is_hashed_comes_again(
    facility: Facility, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = facility.file()

    def slow(descriptor: int, size: int, algorithm: str) -> str:
        with file.open("ab") as still:
            still.write(b"more")
        return hash_of(descriptor, size, algorithm)

    monkeypatch.setattr("pacer_scicat.files.record.hash_of", slow)
    delivery = facility.send(file, twice=False)
    assert delivery.outcome is Outcome.RETRIED
    assert "written to still" in str(delivery.error)
    assert facility.scicat.store.datasets == {}


def test_sidecars_stay_below_the_roots(facility: Facility) -> None:
    options = facility.options(sidecars=Sidecars(hash=True, folder="../../../../elsewhere"))
    delivery = facility.send(facility.file(), options=options)
    assert delivery.outcome is Outcome.DEAD
    assert "outside the allowed roots" in str(delivery.error)
    assert facility.scicat.store.datasets == {}


# --- pids ---


def test_a_pid_is_generated_from_the_job_and_the_same_each_time(facility: Facility) -> None:
    options = facility.options(pid=PidOptions("generated", "10.5072"))
    facility.send(facility.file("coda/1/raw/a.nxs"), options=options)
    pid = facility.dataset["pid"]
    assert pid.startswith("10.5072/")
    facility.send(facility.file("coda/1/raw/a.nxs"), options=options)
    assert facility.is_whole()


def test_the_backend_may_make_the_pid_and_the_dataset_is_found_by_its_job(facility: Facility) -> None:
    options = facility.options(pid=PidOptions("server"))
    for _ in range(2):
        assert facility.send(facility.file(), options=options).outcome is Outcome.ACKED
    assert facility.is_whole()
    assert facility.dataset["pid"] != PID


def test_without_a_match_an_empty_list_means_that_it_is_not_there(facility: Facility) -> None:
    """Upstream's check takes the answer 200 for a match, and skips every new file."""
    options = facility.options(pid=PidOptions("server"))
    facility.send(facility.file(), options=options)
    other = "11111111-8a1c-11ef-9b1b-0242ac120002"
    file = facility.file("coda/1/raw/2.nxs", **{"/entry/entry_identifier_uuid": other})
    facility.send(file, message={"file_name": str(file), "job_id": other}, options=options)
    assert len(facility.scicat.store.datasets) == 2


@pytest.mark.parametrize("policy", ["given", "generated"])
def test_a_dataset_of_the_same_job_under_another_pid_is_found_where_that_is_asked_for(
    facility: Facility, policy: Any
) -> None:
    """An ingestor with ``generate_dataset_pid`` has given it a random one."""
    facility.send(facility.file(), options=facility.options(pid=PidOptions("server")))
    pid = facility.dataset["pid"]
    options = facility.options(pid=PidOptions(policy), look_up="metadata")
    delivery = facility.send(facility.file("coda/2.nxs"), options=options)
    assert delivery.outcome is Outcome.ACKED, delivery.error
    assert facility.dataset["pid"] == delivery.facts["scicat"]["pid"] == pid
    assert [one["path"] for one in facility.files] == ["run1.nxs", str(facility.data / "coda/2.nxs")]
    other = "11111111-8a1c-11ef-9b1b-0242ac120002"  # and an empty list means that it is not there
    file = facility.file("coda/3.nxs", **{"/entry/entry_identifier_uuid": other})
    facility.send(file, message={"file_name": str(file), "job_id": other}, options=options)
    assert len(facility.scicat.store.datasets) == 2


def test_a_dataset_that_could_not_be_found_again_is_not_created(facility: Facility) -> None:
    options = facility.options(pid=PidOptions("server"), metadata_key="run_id")
    delivery = facility.send(facility.file(), options=options)
    assert delivery.outcome is Outcome.DEAD
    assert "found again" in str(delivery.bad_fields[0])
    assert facility.scicat.store.datasets == {}


# --- files that are not as they should be ---


def test_a_file_that_is_not_there_is_waited_for(facility: Facility) -> None:
    delivery = facility.send(facility.data / "coda/none.nxs")
    assert [one.kind for one in delivery.failures] == ["not-yet"]


WRITER = """
import sys, h5py
with h5py.File(sys.argv[1], "r+"):
    print("open", flush=True)
    sys.stdin.read()
"""


def test_a_file_that_its_writer_holds_is_waited_for(facility: Facility) -> None:
    file = facility.file()
    command = [sys.executable, "-c", WRITER, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdout.readline()
        delivery = facility.send(file)
        writer.stdin.close()
    assert delivery.outcome is Outcome.RETRIED
    assert "writer still holds it" in str(delivery.error)
    assert facility.send(file, after=delivery).outcome is Outcome.ACKED
    assert facility.is_whole()


def test_a_file_that_is_cut_in_the_middle_is_waited_for(facility: Facility) -> None:
    file = facility.file()
    os.truncate(file, file.stat().st_size // 2)
    delivery = facility.send(file)
    assert delivery.outcome is Outcome.RETRIED
    assert "cut off" in str(delivery.error)


def test_a_file_that_is_no_hdf5_is_waited_for(facility: Facility) -> None:
    file = facility.data / "coda.nxs"
    file.write_text("nothing of the kind")
    assert "no HDF5 file" in str(facility.send(file).error)


def test_a_file_without_any_group_lacks_what_a_dataset_needs(facility: Facility) -> None:
    file = facility.data / "coda.nxs"
    with h5py.File(file, "w"):
        pass
    delivery = facility.send(file)
    assert delivery.outcome is Outcome.DEAD
    assert {one.path for one in delivery.bad_fields} >= {"pid", "datasetName", "creationTime"}


def test_a_large_sparse_file_is_stored_with_its_size(facility: Facility) -> None:
    file = facility.file()
    with h5py.File(file, "r+") as held:
        held.create_dataset("/entry/detector", shape=(2**31,), dtype="u1", chunks=(2**20,))
        held["/entry/detector"][-1] = 1
    with file.open("r+b") as sparse:
        sparse.truncate(2 * 2**30)
    delivery = facility.send(file, options=facility.options(hash=None))
    assert delivery.outcome is Outcome.ACKED, delivery.error
    assert facility.dataset["size"] == 2 * 2**30


@pytest.mark.parametrize("way", ["outside", "link", "kernel", "null"])
def test_a_file_outside_of_the_roots_is_not_read(facility: Facility, way: str, tmp_path: Path) -> None:
    secret = facility.file("../secret.nxs")
    link = facility.data / "coda.nxs"
    link.symlink_to(secret)
    path = {"outside": str(secret), "link": str(link), "kernel": "/proc/self/mem", "null": "/a\0b"}[way]
    delivery = facility.send(path)
    assert delivery.outcome is Outcome.DEAD
    assert facility.scicat.store.datasets == {}


def test_values_of_other_files_are_not_read(facility: Facility) -> None:
    secret = facility.root / "secret.h5"
    with h5py.File(secret, "w") as held:
        held["title"] = "secret"
    file = facility.file(**{"/entry/title": None})
    with h5py.File(file, "r+") as held:
        held["/entry/title"] = h5py.ExternalLink(str(secret), "/title")
    delivery = facility.send(file)
    assert delivery.outcome is Outcome.DEAD
    assert "leads into another file" in str(delivery.bad_fields[0])


def test_a_file_name_with_odd_letters_is_stored_as_it_is(facility: Facility) -> None:
    file = facility.file("coda/1/raw/r ü%41\"'<x>.nxs")
    assert facility.send(file).outcome is Outcome.ACKED
    assert facility.files[0]["path"] == file.name


def test_a_writer_that_has_failed_makes_the_message_dead(facility: Facility) -> None:
    message = {"file_name": str(facility.file()), "error_encountered": True, "message": "disk full"}
    delivery = facility.send("", message=message)
    assert delivery.outcome is Outcome.DEAD
    assert "disk full" in str(delivery.error)


def test_all_fields_of_wrdn_and_more_are_taken(facility: Facility) -> None:
    file = facility.file()
    message = {
        "service_id": "writer-1",
        "job_id": JOB,
        "error_encountered": False,
        "file_name": str(file),
        "metadata": '{"hdf_structure": "{}"}',
        "message": None,
        "something": {"new": [1]},
    }
    assert facility.send("", message=message).outcome is Outcome.ACKED


def test_a_relative_path_counts_from_the_base_folder(facility: Facility) -> None:
    facility.file()
    options = facility.options(base_folder=str(facility.data))
    assert facility.send("coda/1/raw/run1.nxs", options=options).outcome is Outcome.ACKED
    assert facility.send("coda/1/raw/run1.nxs").outcome is Outcome.DEAD


# --- schemas ---


def test_a_file_without_a_schema_takes_the_fallback(facility: Facility) -> None:
    facility.schema(SCHEMA.replace("filename:contains:coda", "filename:starts_with:/nowhere"))
    delivery = facility.send(facility.file())
    assert delivery.outcome is Outcome.DEAD
    assert "none of 1 schemas" in str(delivery.error)
    assert (
        facility.send(facility.file(), options=facility.options(fallback_schema="coda")).outcome
        is Outcome.ACKED
    )


def test_a_bad_schema_is_reported_and_stops_no_other(
    facility: Facility, caplog: pytest.LogCaptureFixture
) -> None:
    bad = facility.schema("id: 1\nname: [", "bad.imsc.yml")
    assert facility.send(facility.file()).outcome is Outcome.ACKED
    assert f"{bad}:2:8: error:" in caplog.text


def test_a_variable_that_fails_is_in_the_log_and_in_the_record(
    facility: Facility, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = facility.send(facility.file(**{"/entry/sample/temperature": None}), twice=False)
    assert delivery.outcome is Outcome.ACKED
    assert "nothing is at /entry/sample/temperature" in caplog.text
    assert set(delivery.facts["scicat"]["failed"]) == {"temperature", "scientificMetadata.temperature"}
    assert delivery.counts == {"failed_variables": 2}
    assert "temperature" not in facility.dataset["scientificMetadata"]


def test_a_mandatory_field_without_a_value_makes_the_message_dead_and_says_why(facility: Facility) -> None:
    delivery = facility.send(facility.file(**{"/entry/title": None}))
    assert delivery.outcome is Outcome.DEAD
    assert [str(one) for one in delivery.bad_fields] == ["datasetName: <title>: nothing is at /entry/title"]


def test_defaults_fill_what_the_schema_does_not_give(facility: Facility) -> None:
    file = facility.file(**{"/entry/experiment_identifier": None})
    assert facility.send(file).outcome is Outcome.DEAD
    options = facility.options(defaults=Defaults("ess", ("swap",)))
    assert facility.send(file, options=options).outcome is Outcome.ACKED
    assert (facility.dataset["ownerGroup"], facility.dataset["accessGroups"]) == (
        "ess",
        ["swap", "datasetingestor"],
    )


def test_schemas_are_read_again_when_they_have_changed(facility: Facility) -> None:
    facility.send(facility.file())
    facility.schema(SCHEMA.replace('"ESS:CODA"', '"ESS:ELSEWHERE"'))
    other = facility.file("coda/2.nxs", **{"/entry/entry_identifier_uuid": "2"})
    facility.send(other)
    assert facility.scicat.store.datasets["20.500.12269/2"]["creationLocation"] == "ESS:ELSEWHERE"


def test_what_the_proposal_has_to_give_is_waited_for(facility: Facility) -> None:
    text = SCHEMA.replace(
        "  names: {source: VALUE, operator: join_with_space, value: <team>, value_type: string}",
        "  names: {source: SC, url: proposals/<proposal_id>, field: pi_lastname, value_type: string}",
    )
    facility.schema(text)
    file = facility.file()
    delivery = facility.send(file)
    assert [one.kind for one in delivery.failures] == ["not-yet"]
    facility.scicat.store.proposals["443503"] = {
        "proposalId": "443503", "ownerGroup": "datasetingestor", "pi_lastname": "Pi"
    }  # fmt: skip
    assert facility.send(file).outcome is Outcome.ACKED
    assert facility.dataset["owner"] == "Pi"


def test_options_that_do_not_go_together_are_refused() -> None:
    given: dict[str, Any] = {"schemas": "/etc/schemas", "allowed_roots": ("/data",)}
    wrongs: list[dict[str, Any]] = [
        {"hash": "crc"},
        {"allowed_roots": ()},
        {"schemas": "here"},
        {"hash": None, "sidecars": Sidecars(hash=True)},
    ]
    for wrong in wrongs:
        with pytest.raises(ValueError):  # noqa: PT011 - the words are the options' own
            NexusFilesOptions(**{**given, **wrong})


def test_nothing_about_people_is_logged_above_debug(
    facility: Facility, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        facility.send(facility.file(**{"/entry/title": None}))
        facility.send(facility.file())
    assert "Ann" not in caplog.text
    assert timedelta(0) == facility.options().patience

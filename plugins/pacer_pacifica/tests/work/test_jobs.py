"""Jobs on their way through the tasks: the cases that Pacifica's own tests have, and then others."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pacer_core import Outcome
from pacer_http import HttpClient
from pacer_http.testing import DRIPS, LATE, Fault
from pacer_pacifica.archive import PACIFICA_ARCHIVE
from pacer_pacifica.bundles.limits import Limits
from pacer_pacifica.ends.metadata import PACIFICA_METADATA
from pacer_pacifica.ends.policy import PACIFICA_POLICY, PolicyOptions, PolicyService, Rule, Rules
from pacer_pacifica.jobs import FAILED, MOVE, OK, UPLOAD
from pacer_pacifica.testing import PacificaServices
from pacer_pacifica.work import upload
from pacer_pacifica.work.options import BundlesOptions
from plugins.pacer_pacifica.tests.work.site import Site
from plugins.pacer_pacifica.tests.work.support import CONTENTS, TERMS, bundle, file_row, member, rows, zstd

DONE = (OK, "ingest metadata", 100.0)

CASES: dict[str, tuple[bytes, tuple[str, str, float]]] = {
    "good": (bundle(), DONE),
    "good-metadata-last": (bundle(first=False), DONE),
    "bad-tarfile": (bytes(range(1, 255)) * 60, (FAILED, "open tar", 0.0)),
    "bad-json": (bundle(metadata=b"{not json"), (FAILED, "load metadata", 0.0)),
    "bad-project": (
        bundle(metadata=rows(terms={**TERMS, "project": "12"})), (FAILED, "Policy Validation", 0.0),
    ),
    "bad-hashsum": (bundle(metadata=rows(hashsum="deadbeef")), (FAILED, "ingest files", 0.0)),
    "wrong-hashsum": (bundle(metadata=rows(hashsum="0" * 40)), (FAILED, "ingest files", 0.0)),
    "bad-mimetype": (bundle(metadata=rows(mimetype="lame-mime-type")), (FAILED, "ingest metadata", 0.0)),
    "absent": (bundle({}, rows({"data/x": b"x"})), (FAILED, "ingest files", 0.0)),
    "undeclared": (bundle(metadata=rows({"data/a.txt": b"first\n"})), (FAILED, "ingest files", 0.0)),
    "gzip": (bundle(mode="w:gz"), (FAILED, "open tar", 0.0)),
    "hostile": (bundle(more=[(member("../x", b"x"), b"x")]), (FAILED, "open tar", 0.0)),
    "hostile-metadata": (bundle({}, rows({"../x": b""})), (FAILED, "load metadata", 0.0)),
}  # fmt: skip


@pytest.mark.parametrize("on_disk", [False, True], ids=["http", "folder"])
@pytest.mark.parametrize("name", CASES)
def test_a_job_ends_in_the_state_task_and_percent_that_pacifica_gives(
    name: str, on_disk: bool, site: Site, pacifica: PacificaServices
) -> None:
    if on_disk:
        site.archive_on_disk()
    data, expected = CASES[name]
    job = site.upload(data)
    delivery = site.work(job, twice=True)
    assert site.end(job) == expected, site.jobs.get(job.id).exception
    well = expected[0] == OK
    assert delivery.outcome is (Outcome.ACKED if well else Outcome.DEAD)
    assert site.jobs.get(job.id).complete
    assert bool(site.jobs.get(job.id).exception) is not well
    archived = site.stored() if on_disk else pacifica.archive
    assert sorted(archived.values()) == (sorted(CONTENTS.values()) if well else [])
    assert (site.spool / job.name).exists() is not well
    assert list(pacifica.transactions) == ([job.id] if well else [])
    assert not list((site.archive / "staging").glob("*")) if on_disk else True


def moves(folder: Path, **changes: Any) -> bytes:
    (folder / "foo.txt").write_text("foo\n")
    row = file_row("data/foo.txt", b"foo\n", source=str(folder / "foo.txt"), **changes)
    return json.dumps([*rows({}), row]).encode()


@pytest.mark.parametrize("on_disk", [False, True], ids=["http", "folder"])
def test_files_are_moved_from_where_they_are(
    on_disk: bool, site: Site, pacifica: PacificaServices, tmp_path: Path
) -> None:
    source = tmp_path / "data"
    source.mkdir()
    if on_disk:
        site.archive_on_disk((str(source),))
    else:
        site.archive_over_http(move_from=(str(source),))
    job = site.upload(moves(source), kind=MOVE)
    assert site.work(job, twice=True).outcome is Outcome.ACKED
    assert site.end(job) == DONE
    assert list((site.stored() if on_disk else pacifica.archive).values()) == [b"foo\n"]
    assert not (source / "foo.txt").exists()


@pytest.mark.parametrize("on_disk", [False, True], ids=["http", "folder"])
@pytest.mark.parametrize("what", ["missing", "outside", "size", "hash", "link"])
def test_a_move_of_a_file_that_may_not_be_or_is_not_what_is_declared_fails_and_moves_nothing(
    what: str, on_disk: bool, site: Site, pacifica: PacificaServices, tmp_path: Path
) -> None:
    source, other = tmp_path / "data", tmp_path / "other"
    source.mkdir()
    other.mkdir()
    every: dict[str, dict[str, Any]] = {"size": {"size": 5}, "hash": {"hashsum": "0" * 40}}
    changes = every.get(what, {})
    if on_disk:
        site.archive_on_disk((str(source),))
    else:
        site.archive_over_http(move_from=(str(source),))
    if what == "link" and not on_disk:
        pytest.skip("links at the archive's host are the archive's")
    document = moves(other if what in ("outside", "link") else source, **changes)
    if what == "missing":
        (source / "foo.txt").unlink()
    if what == "link":
        (source / "foo.txt").symlink_to(other / "foo.txt")
        document = document.replace(str(other).encode(), str(source).encode())
    job = site.upload(document, kind=MOVE)
    site.work(job)
    assert site.end(job) == (FAILED, "move files", 0.0)
    assert (site.stored() if on_disk else pacifica.archive) == {}
    assert (other if what in ("outside", "link") else source).joinpath("foo.txt").exists() is (
        what != "missing"
    )


def test_one_file_that_is_not_what_is_declared_keeps_all_from_being_moved_over_http(
    site: Site, pacifica: PacificaServices, tmp_path: Path
) -> None:
    site.archive_over_http(move_from=(str(tmp_path),))
    document = [*rows({})]
    for name, digest in (("good", hashlib.sha1(b"good").hexdigest()), ("wrong", "0" * 40)):
        (tmp_path / name).write_text(name)
        content, source = name.encode(), str(tmp_path / name)
        document.append(file_row(f"data/{name}", content, source=source, hashsum=digest))
    job = site.upload(json.dumps(document).encode(), kind=MOVE)
    site.work(job)
    assert site.end(job) == (FAILED, "move files", 0.0)
    assert (pacifica.archive, (tmp_path / "good").exists()) == ({}, True)
    assert not [request for request in pacifica.requests if request.method == "PATCH"]


def test_files_that_only_the_archive_sees_are_moved_where_that_is_said(
    site: Site, pacifica: PacificaServices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = site.upload(moves(tmp_path), kind=MOVE)
    there = Path.is_dir
    monkeypatch.setattr(Path, "is_dir", lambda self: self != tmp_path and there(self))  # not mounted here
    site.archive_over_http(move_from=(str(tmp_path),))
    waiting = site.work(job)
    assert "moveUnseen" in site.jobs.get(job.id).waits_for
    site.archive_over_http(move_from=(str(tmp_path),), move_unseen=True)
    assert site.work(job, after=waiting).error is None
    assert (site.end(job), pacifica.archive) == (DONE, {1: b"foo\n"})
    assert "GET" in [request.method for request in pacifica.requests if request.path == "/archive/1"]


def test_a_move_that_is_no_array_fails_and_is_not_stuck(site: Site) -> None:
    job = site.upload(b'{"a": 1}', kind=MOVE)
    site.work(job)
    assert site.end(job) == (FAILED, "load metadata", 0.0)
    assert site.jobs.get(job.id).complete


def test_the_policy_says_why_and_the_uploader_is_told(site: Site) -> None:
    job = site.upload(bundle(metadata=rows(terms={**TERMS, "project": "12"})))
    site.work(job)
    assert "Invalid values for project" in site.jobs.get(job.id).exception
    assert "Traceback" not in site.jobs.get(job.id).exception


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [
        (Rule(projects=("1234*",)), True),
        (Rule(projects=("9*",)), False),
        (Rule(users=("ann",), submitters=("10",), instruments=("54", "55")), True),
        (Rule(users=("bob",)), False),
        (Rule(submitters=("{user}",)), False),
    ],
)
def test_rules_of_the_configuration_are_a_policy(rule: Rule, allowed: bool, site: Site) -> None:
    site.integrations[PACIFICA_POLICY] = Rules((rule,))
    job = site.upload(bundle())
    site.work(job)
    assert site.end(job) == (DONE if allowed else (FAILED, "Policy Validation", 0.0))


def test_a_submitter_has_to_be_the_user_where_a_rule_says_so(site: Site) -> None:
    site.integrations[PACIFICA_POLICY] = Rules((Rule(submitters=("{user}",)),))
    job = site.upload(bundle(), user="10")
    site.work(job)
    assert site.end(job) == DONE


def test_there_is_no_policy_of_nothing() -> None:
    with pytest.raises(ValueError, match="either 'url'"):
        PolicyOptions()


@pytest.mark.parametrize("fault", [LATE, DRIPS], ids=["says nothing", "byte by byte"])
def test_a_policy_that_is_slow_delays_its_job_and_no_other(
    fault: Fault, site: Site, pacifica: PacificaServices
) -> None:
    with HttpClient(
        "the policy", f"{pacifica.url}/policy/ingest", timeout=timedelta(milliseconds=300), delays=()
    ) as http:
        site.integrations[PACIFICA_POLICY] = PolicyService(http)
        pacifica.fail(fault, to="POST")
        slow, other = site.upload(bundle()), site.upload(bundle())
        delivery = site.work(slow)
        assert delivery.outcome is Outcome.RETRIED
        now = site.jobs.get(slow.id)
        assert (now.state, now.task, now.complete) == (OK, "Policy Validation", False)
        assert "was not answered within 0.3 s" in now.waits_for
        site.work(other)
        assert site.end(other) == DONE
        site.work(slow, after=delivery)
        assert site.end(slow) == DONE
    assert set(pacifica.puts.values()) == {1}


@pytest.mark.parametrize("service", ["uniqueid", "policy", "archive", "metadata"])
def test_a_service_that_is_away_delays_a_job_and_says_so(
    service: Any, site: Site, pacifica: PacificaServices
) -> None:
    job = site.upload(bundle())
    pacifica.misbehave(service, status=503, times=1000)
    delivery = site.work(job)
    assert delivery.outcome is Outcome.RETRIED
    now = site.jobs.get(job.id)
    assert (now.state, now.complete) == (OK, False)
    assert "503" in now.waits_for
    pacifica.behave()
    assert site.work(job, after=delivery).outcome is Outcome.ACKED
    assert site.end(job) == DONE
    assert set(pacifica.puts.values()) == {1}


def test_a_job_whose_message_is_given_up_has_failed(site: Site, pacifica: PacificaServices) -> None:
    from attrs import evolve

    from pacer_core.testing import settled_context
    from pacer_pacifica.messages import BUNDLES
    from pacer_pacifica.work.settled import note_dead

    job = site.upload(bundle())
    pacifica.misbehave("policy", status=503, times=1000)
    dead = evolve(site.work(job), outcome=Outcome.DEAD)
    note_dead(dead, settled_context(BUNDLES, folder=site.folder / "s", integrations=site.integrations))
    state, task, _ = site.end(job)
    assert (state, task, site.jobs.get(job.id).complete) == (FAILED, "Policy Validation", True)
    assert site.jobs.get(job.id).exception.startswith("given up: ")


def test_a_failed_job_is_tried_again_with_the_numbers_and_the_files_that_it_has(
    site: Site, pacifica: PacificaServices
) -> None:
    job = site.upload(bundle())
    pacifica.facility.projects = {"1234a"}
    pacifica.misbehave("metadata", status=400, method="PUT")
    assert site.work(job).outcome is Outcome.DEAD
    failed = site.jobs.get(job.id)
    assert site.end(job) == (FAILED, "ingest metadata", 0.0)
    assert "with the numbers 1 to 3, may be in the archive still" in failed.exception
    site.jobs.retry(job.id)
    assert site.work(job).outcome is Outcome.ACKED
    assert site.end(job) == DONE
    assert pacifica.puts == {1: 1, 2: 1, 3: 1}
    assert sum(request.path.endswith("/getid") for request in pacifica.requests) == 1


@pytest.mark.parametrize("on_disk", [False, True], ids=["http", "folder"])
def test_files_of_a_failed_job_are_taken_away_where_the_option_says_so(
    on_disk: bool, site: Site, pacifica: PacificaServices
) -> None:
    if on_disk:
        site.archive_on_disk()
    job = site.upload(bundle())
    pacifica.misbehave("metadata", status=400, method="PUT")
    site.work(job, options=BundlesOptions(failed_files="remove"))
    assert "3 of its files were taken out of the archive again" in site.jobs.get(job.id).exception
    assert (site.stored() if on_disk else pacifica.archive) == {}
    assert not [path for path in site.archive.rglob("*") if path.is_file()]
    site.jobs.retry(job.id)
    site.work(job)
    assert site.end(job) == DONE
    assert sorted((site.stored() if on_disk else pacifica.archive).values()) == sorted(CONTENTS.values())


def test_content_that_another_job_has_stays_when_a_failed_one_is_taken_away(
    site: Site, pacifica: PacificaServices
) -> None:
    site.archive_on_disk()
    first, second = site.upload(bundle()), site.upload(bundle())
    site.work(first)
    pacifica.misbehave("metadata", status=400, method="PUT")
    site.work(second, options=BundlesOptions(failed_files="remove"))
    assert "3 are left, which other jobs have" in site.jobs.get(second.id).exception
    assert sorted(site.stored().values()) == sorted(CONTENTS.values())


def test_the_same_content_is_stored_once_however_often_it_comes(site: Site) -> None:
    site.archive_on_disk()
    jobs = [site.upload(bundle()) for _ in range(3)]
    for job in jobs:
        site.work(job)
    assert len(site.stored()) == 9
    objects = [path for path in (site.archive / "objects").rglob("*") if path.is_file()]
    assert sorted(path.name for path in objects) == sorted(
        hashlib.sha256(content).hexdigest() for content in CONTENTS.values()
    )
    assert {path.stat().st_nlink for path in objects} == {4}
    assert {path.stat().st_mode & 0o777 for path in objects} == {0o444}


def test_a_lost_answer_of_the_metadata_service_is_no_failure(site: Site, pacifica: PacificaServices) -> None:
    job = site.upload(bundle())
    pacifica.misbehave("metadata", status=500, method="PUT", carried_out=True)
    assert site.work(job).outcome is Outcome.ACKED
    assert site.end(job) == DONE


def test_a_transaction_of_somebody_else_under_the_same_number_is_no_success(
    site: Site, pacifica: PacificaServices
) -> None:
    job = site.upload(bundle())
    pacifica.transactions[job.id] = []
    site.work(job)
    assert site.end(job) == (FAILED, "ingest metadata", 0.0)


def test_a_cancelled_job_is_left_alone(site: Site, pacifica: PacificaServices) -> None:
    job = site.upload(bundle())
    site.jobs.cancel(job.id, "ann")
    assert site.work(job).outcome is Outcome.ACKED
    assert site.jobs.get(job.id).status == "cancelled"
    assert pacifica.archive == {}


def test_a_message_of_an_earlier_attempt_has_nothing_to_do(site: Site, pacifica: PacificaServices) -> None:
    job = site.upload(bundle(metadata=b"x"))
    site.work(job)
    from pacer_core.testing import deliver
    from pacer_pacifica.messages import BUNDLES, message_of
    from plugins.pacer_pacifica.tests.work.site import consumer

    body, _ = message_of(site.jobs.get(job.id))
    site.jobs.retry(job.id)
    assert deliver(consumer(BUNDLES), body, integrations=site.integrations).outcome is Outcome.ACKED
    assert site.jobs.get(job.id).status == "waiting"


@pytest.mark.parametrize("name", ["jobs.sqlite", "../x", "/etc/passwd", "", "a.bundle"])
def test_a_message_names_nothing_else_in_the_spool(name: str, site: Site) -> None:
    from pacer_core.testing import deliver
    from pacer_pacifica.messages import BUNDLES
    from plugins.pacer_pacifica.tests.work.site import consumer

    job = site.upload(bundle())
    body = json.dumps({"job_id": job.id, "attempt": 1, "name": name, "user": "x", "size": 3})
    delivery = deliver(consumer(BUNDLES), body, integrations=site.integrations)
    assert delivery.outcome is Outcome.DEAD
    assert (site.spool / "jobs.sqlite").exists()


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_compressed_bundle_goes_the_same_way(
    compression: Any, site: Site, pacifica: PacificaServices
) -> None:
    job = site.upload(bundle(mode="w:gz") if compression == "gzip" else zstd().compress(bundle()))
    options = BundlesOptions(limits=Limits(compressions=(compression,)))
    assert site.work(job, options=options, twice=True).outcome is Outcome.ACKED
    assert site.end(job) == DONE
    assert sorted(pacifica.archive.values()) == sorted(CONTENTS.values())
    assert not list(site.spool.glob("*.bundle*"))


def test_a_spool_that_is_not_mounted_delays_a_job(site: Site) -> None:
    job = site.upload(bundle())
    site.spool.rename(site.folder / "elsewhere")
    # The database is open, and moved with it; what is asked for is the bundle.
    assert site.work(job).outcome is Outcome.RETRIED
    (site.folder / "elsewhere").rename(site.spool)
    assert site.work(job).outcome is Outcome.ACKED


def test_a_job_without_pacificas_metadata_service_ends_as_well(
    site: Site, pacifica: PacificaServices
) -> None:
    site.integrations[PACIFICA_METADATA] = None
    job = site.upload(bundle())
    assert site.work(job).outcome is Outcome.ACKED
    assert site.end(job) == DONE
    assert pacifica.transactions == {}


def test_nothing_is_stored_before_every_hash_is_checked(site: Site, pacifica: PacificaServices) -> None:
    said = rows()
    said[-1]["hashsum"] = "0" * 40
    for on_disk in (False, True):
        if on_disk:
            site.archive_on_disk()
        job = site.upload(bundle(metadata=said))
        site.work(job)
        assert site.end(job) == (FAILED, "ingest files", 0.0)
        assert "is declared" in site.jobs.get(job.id).exception
    assert pacifica.archive == {}
    assert site.stored() == {}
    assert not any(request.method == "PUT" for request in pacifica.requests)


def test_every_archive_says_where_it_keeps_the_files_of_a_job(site: Site) -> None:
    assert site.integrations[PACIFICA_ARCHIVE].folder_of(7) == "/pacifica/7"
    site.archive_on_disk()
    assert site.integrations[PACIFICA_ARCHIVE].folder_of(7) == str(site.archive / "jobs" / "7")


def test_a_compressed_bundle_that_failed_is_decompressed_again_when_it_is_tried_again(
    site: Site, pacifica: PacificaServices
) -> None:
    job = site.upload(bundle(mode="w:gz"))
    options = BundlesOptions(limits=Limits(compressions=("gzip",)))
    pacifica.facility.projects = {"another"}
    site.work(job, options=options)
    assert site.end(job) == (FAILED, "Policy Validation", 0.0)
    assert [path.name for path in site.spool.glob("*.bundle*")] == [job.name]
    pacifica.facility.projects = {"1234a"}
    site.jobs.retry(job.id)
    site.work(job, options=options)
    assert site.end(job) == DONE


def test_what_is_held_of_small_bundles_is_small(site: Site) -> None:
    text = {"destinationTable": "TransactionKeyValue", "key": "k", "value": "x" * 600_000}
    for data in (bundle(metadata=[*rows(), text]), bundle()):
        site.work(site.upload(data))
    held = [len(one.index.metadata or b"") for one in upload._UPLOADS._held.values()]
    assert 0 < max(held) < 600_000
    kept: list[object] = list(upload._METADATA._held)
    assert not any(isinstance(one, bytes) and len(one) >= 600_000 for one in kept)


@pytest.mark.parametrize("kind", [UPLOAD, MOVE])
def test_a_number_that_is_given_a_second_time_overwrites_nothing(
    kind: str, site: Site, pacifica: PacificaServices, tmp_path: Path
) -> None:
    pacifica.archive[1] = b"of another job, before the numbers began anew"
    site.archive_over_http(move_from=(str(tmp_path),))
    job = site.upload(bundle() if kind == UPLOAD else moves(tmp_path), kind=kind)
    site.work(job)
    assert "another file under the number 1" in site.jobs.get(job.id).exception
    assert pacifica.archive == {1: b"of another job, before the numbers began anew"}
    site.jobs.retry(job.id)
    site.work(job)
    assert site.end(job) == DONE
    assert pacifica.archive[1] == b"of another job, before the numbers began anew"

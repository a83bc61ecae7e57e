"""A file becomes a record: schema, variables, dataset and files. Nothing is written to SciCat here."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import attrs
from attrs import frozen

from pacer_core import BadField, NotYet, PacerError, Reject, Retry
from pacer_icat import FileRefusedError, Roots, is_of_the_path, opened
from pacer_scicat.client import Scicat
from pacer_scicat.files.listing import DataFile, hash_of, sidecar_folder, version_of, write_sidecars
from pacer_scicat.files.message import NexusFile
from pacer_scicat.files.options import NexusFilesOptions
from pacer_scicat.files.pids import with_pid
from pacer_scicat.schemas.dataset import Built, build
from pacer_scicat.schemas.extensions import VariableError, extensions
from pacer_scicat.schemas.folder import SchemaFolder, choose
from pacer_scicat.schemas.model import Schema
from pacer_scicat.schemas.templates import Value
from pacer_scicat.schemas.values import File, Filled, fill
from pacer_scicat.writing import Record, readable

folder_of = lru_cache(maxsize=16)(SchemaFolder)
"""The schemas of a folder, kept for the process."""


@frozen
class Prepared:
    """What becomes of one file: the schema that was chosen, its variables, and the record."""

    schema: Schema
    variables: Filled
    built: Built
    record: Record

    def failures(self) -> dict[str, str]:
        """Give the variables and fields without a value, with the reason of each."""
        failed = {**self.variables.failed, **self.built.failed}
        return {name: str(error)[:200] for name, error in failed.items()}


def prepare(
    message: NexusFile,
    options: NexusFilesOptions,
    scicat: Scicat,
    *,
    run_id: str | None = None,
    facts: dict[str, Any] | None = None,
    sidecars: bool = True,
) -> Prepared:
    """Read a file and make its record.

    ``run_id`` is what ``<ingestor_run_id>`` stands for. In ``facts`` the file's hash is remembered. With
    ``sidecars`` what belongs beside the file is written.

    Raises
    ------
    Retry
        Where its writer still holds the file, or a disk is in trouble.
    NotYet
        Where the file is not there, or what a mandatory field needs is not in SciCat yet.
    Reject
        Where its writer says that it is not well, it may not be read, no schema fits, or a mandatory field
        has no value.
    """
    if message.error_encountered:
        raise Reject(f"the writer says that the file is not well: {message.message or 'without a reason'}")
    path, roots = path_of(message, options), Roots(options.allowed_roots)
    try:
        with opened(path, roots) as (descriptor, status):
            return _prepared(
                path, descriptor, status, message, options, scicat, run_id, facts, roots, sidecars
            )
    except FileNotFoundError:
        raise NotYet(f"{os.path.basename(path)} is not there") from None
    except FileRefusedError as error:
        raise Reject("the file may not be read", fields=[BadField("file_name", str(error))]) from None
    except OSError as error:
        if is_of_the_path(error):
            raise Reject(
                "the file", fields=[BadField("file_name", f"leads nowhere ({error.strerror})")]
            ) from None
        raise Retry(f"{os.path.basename(path)} cannot be read: {error.strerror}") from None


def path_of(message: NexusFile, options: NexusFilesOptions) -> str:
    """Give the path of a message's file, in its normal form.

    Raises
    ------
    Reject
        Where it counts from nowhere.
    """
    path: str = message.file_name
    if not os.path.isabs(path):
        if options.base_folder is None:
            raise Reject(
                "the file",
                fields=[BadField("file_name", "is a relative path, and the options name no baseFolder")],
            )
        path = posixpath.join(options.base_folder, path)
    return posixpath.normpath(path)


def _prepared(
    path: str,
    descriptor: int,
    status: os.stat_result,
    message: NexusFile,
    options: NexusFilesOptions,
    scicat: Scicat,
    run_id: str | None,
    facts: dict[str, Any] | None,
    roots: Roots,
    sidecars: bool,
) -> Prepared:
    # Imported here: HDF5 is for workers, and commands need not wait for it.
    from pacer_scicat.files.nexus import open_nexus

    schema = _schema(path, options)
    known = extensions()
    with open_nexus(descriptor, os.path.basename(path)) as file:
        variables = fill(schema, known, _built_in(path, schema, options, run_id), file=file, catalogue=scicat)
        built = build(schema, variables, known, options.defaults.fields)
        sample = _sample(schema, file, scicat)
    if sample is not None:
        built = _with_sample(built, sample)
    job = message.job_id or _text(variables, options.metadata_key) or path
    built = attrs.evolve(built, fields=with_pid(built.fields, options.pid, job))
    _check(schema, built, options)
    data = DataFile(path, status, _hash(descriptor, status, options, facts))
    others = write_sidecars(data, attrs.asdict(message), options, roots) if sidecars else []
    fields = readable(built.fields, scicat)
    folder, relative = str(fields["sourceFolder"]), options.paths == "relative"
    record = Record(
        fields,
        [one.item(folder, relative=relative) for one in (data, *others)],
        options.hash,
        _known_by(fields, options),
        is_looked_for=options.look_up == "metadata",
    )
    return Prepared(schema, variables, built, record)


def _schema(path: str, options: NexusFilesOptions) -> Schema:
    try:
        schemas = folder_of(Path(options.schemas)).schemas()
    except PacerError as error:
        raise Retry(str(error)) from None
    schema = choose(schemas, path, options.fallback_schema)
    if schema is None:
        named = options.fallback_schema is not None
        fallback = "the fallbackSchema is none of them" if named else "no fallbackSchema is named"
        raise Reject(
            f"none of {len(schemas)} schemas in {options.schemas} selects {os.path.basename(path)}, "
            f"and {fallback}"
        )
    return schema


def _built_in(
    path: str, schema: Schema, options: NexusFilesOptions, run_id: str | None
) -> Mapping[str, Value]:
    texts = {
        "ingestor_run_id": run_id or str(uuid4()),
        "data_file_path": path,
        "data_file_name": posixpath.basename(path),
        "now": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "ingestor_files_directory": sidecar_folder(path, options.sidecars),
        "ingestor_metadata_schema_id": schema.id,
    }
    return {name: Value(text, "string", source="built in") for name, text in texts.items()}


def _text(variables: Filled, name: str | None) -> str | None:
    found = variables.values.get(name) if name is not None else None
    return str(found.value) if found is not None and found.value not in (None, "") else None


def _known_by(fields: Mapping[str, Any], options: NexusFilesOptions) -> tuple[str, Any] | None:
    key = options.metadata_key
    held = (fields.get("scientificMetadata") or {}).get(key) if key is not None else None
    return None if key is None or held is None else (key, held["value"])


def _sample(schema: Schema, file: File, scicat: Scicat) -> str | VariableError | None:
    """Give the id of the sample that the file names, where the schema asks for it."""
    if not schema.sample.wanted:
        return None
    try:
        name, _ = file.read(schema.sample.name_path, several=False)
        proposal, _ = file.read(schema.sample.proposal_path, several=False)
    except VariableError as error:
        return error
    found = scicat.samples_with(str(name), str(proposal))
    return str(found[0]["sampleId"]) if found else VariableError("SciCat has no such sample", awaited=True)


def _with_sample(built: Built, sample: str | VariableError) -> Built:
    if isinstance(sample, VariableError):
        return attrs.evolve(built, failed={**built.failed, "sampleId": sample})
    return attrs.evolve(built, fields={**built.fields, "sampleId": sample})


def _check(schema: Schema, built: Built, options: NexusFilesOptions) -> None:
    missing = built.missing()
    if options.pid.policy == "given" and "pid" not in built.fields:
        missing["pid"] = built.failed.get("pid", VariableError("no field of the schema gives it"))
    by_metadata = options.pid.policy == "server" or options.look_up == "metadata"
    if by_metadata and _known_by(built.fields, options) is None:
        missing["scientificMetadata"] = VariableError(
            f"has no {options.metadata_key!r}, by which the dataset is found again"
        )
    if not missing:
        return
    what = f"the dataset lacks what schema {schema.name!r} has to give"
    if any(error.awaited for error in missing.values()):
        raise NotYet(f"{what}: " + "; ".join(f"{name}: {error}" for name, error in missing.items()))
    raise Reject(what, fields=[BadField(name, str(error)) for name, error in missing.items()])


def _hash(
    descriptor: int, status: os.stat_result, options: NexusFilesOptions, facts: dict[str, Any] | None
) -> str | None:
    """Hash a file, once for all sights of its message."""
    if options.hash is None:
        return None
    version = f"{options.hash} {version_of(status)}"
    known = (facts or {}).get("scicat_hash")
    if isinstance(known, list) and known[0] == version:
        return str(known[1])
    digest = hash_of(descriptor, status.st_size, options.hash)
    if version_of(os.fstat(descriptor)) != version_of(status):
        raise Retry("the file was changed while it was hashed: it is written to still")
    if facts is not None:
        facts["scicat_hash"] = [version, digest]
    return digest

"""Twenty configurations of ICAT-PACER, and what becomes of each."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from pacer_core import Foreign, PacerError
from pacer_migrate.icat_pacer import migrate, recognises
from pacer_migrate.read import read
from pacer_migrate.tree import plain
from pacer_migrate.write import write
from tests.support import Site

FOLDER = Path(__file__).parent / "configurations"
FILES = sorted(FOLDER.glob("*.yaml"))
SECRETS = re.compile(r"carrots|peas|potatoes|parsnips|leeks|turnips|beans|onions|radishes|12345678")
ZONE = "'timeZone' is not accepted"
LEFT = {
    "01-the-example": [ZONE],
    "05-wrong-types": [
        "'logLevel'", "'enabled'", "'maxMBytes'", "'exchanges'", "item 1 of", "unknown exchange",
        "'workers'", "'limit'", "'port'", "'url' is missing", "'authenticator'", "'username'", "'password'",
    ],
    "06-a-class-of-the-facility": [
        "unknown consumer type 'parcel-tracking'", "unknown consumer type 'alba-extras-users'",
    ],
    "14-another-broker": ["protocol"],
    "18-internal-consumers-alone": [],
    "19-industry-and-embargo": [ZONE],
    "20-empty-sections": ["'consumers' is missing"],
}  # fmt: skip
"""By file, what `config check` still says."""


def name(file: Path) -> str:
    return file.stem


def foreign(file: Path) -> Foreign:
    return Foreign(file, file.read_bytes().decode().replace("\r\n", "\n"))


def said(text: str) -> list[str]:
    """Give the comments of a text whose quoted values hold no #."""
    return [match[1].strip() for line in text.splitlines() if (match := re.search(r"(?:^|\s)#\s*(.*)", line))]


each = pytest.mark.parametrize("file", FILES, ids=name)


def test_there_are_twenty() -> None:
    assert len(FILES) == 20


@each
def test_what_is_written_is_what_config_check_lets_pass_or_says(file: Path, site: Site) -> None:
    new, folder = site.folder / "pacer.yaml", site.folder / "secrets"
    options = "--json", "--from", "icat-pacer", "--secrets", folder
    done = site.pacer("config", "migrate", file, "-o", new, *options)
    assert not SECRETS.search(new.read_text() + done.both)
    assert all(one.stat().st_mode & 0o777 == 0o600 for one in folder.glob("*"))
    problems = json.loads(done.out)["problems"]
    errors = [one for one in problems if ": error: " in one]
    wanted = LEFT.get(file.stem, [])
    assert done.code == bool(wanted), errors
    unexpected = [one for one in errors if not any(words in one for words in wanted)]
    missing = [words for words in wanted if not any(words in one for one in errors)]
    assert (unexpected, missing) == ([], [])


@each
def test_every_comment_is_kept(file: Path) -> None:
    old = [one for one in said(foreign(file).text) if '"' not in one]  # in quotes
    new = Counter(said(migrate(foreign(file)).text))
    assert Counter(old) - new == Counter()


@each
def test_every_change_is_told_with_the_line_that_it_was_in(file: Path) -> None:
    lines = foreign(file).text.splitlines()
    for note in migrate(foreign(file)).notes:
        assert 0 <= note.line <= len(lines)
        assert note.text
        assert not SECRETS.search(note.text)


@each
def test_what_is_read_and_written_again_means_the_same(file: Path) -> None:
    tree, _ = read(foreign(file))
    before = plain(tree)
    yaml = YAML(typ="safe", pure=True)
    assert yaml.load(write(tree)) == before


def test_files_of_icat_pacer_are_recognised_with_their_mistakes() -> None:
    assert [name(file) for file in FILES if not recognises(foreign(file))] == []
    assert recognises(Foreign(Path("x"), "consumers:\n - className: A\n   module: b\n\tqueues: [\n"))
    assert not recognises(Foreign(Path("x"), "consumers: [{type: users}]\n"))
    assert not recognises(Foreign(Path("x"), "[rabbit]\nhost = h\n"))


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{after}: &{after} [{','.join([f'*{before}'] * 10)}]\n"
    for before, after in ("ab", "bc", "cd", "de", "ef")
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1\nb: 2", "old.yaml:2:"),
        ("", "is empty"),
        ("- a\n- b", "old.yaml:1:1: is no mapping"),
        ("a: &a [*a]", "no end of values"),
        (BOMB, "no end of values"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_with_its_place(text: str, words: str) -> None:
    with pytest.raises(PacerError, match=re.escape(words)):
        migrate(Foreign(Path("old.yaml"), text))


def test_the_example_becomes_what_a_person_would_write(site: Site) -> None:
    site.pacer(
        "config", "migrate", FILES[0], "-o", site.folder / "pacer.yaml", "--secrets", site.folder / "secrets"
    )
    expected = FOLDER / "expected" / "01-the-example.yaml"
    assert (site.folder / "pacer.yaml").read_text() == expected.read_text()


def test_values_mean_what_they_meant_in_yaml_1_1(site: Site) -> None:
    text = migrate(foreign(FOLDER / "07-yaml-one-point-one.yaml")).text
    data = YAML(typ="safe", pure=True).load(text.replace("!secret ", ""))
    assert data["logging"] == {"logLevel": "INFO", "console": {"enabled": True}, "file": {"enabled": False}}
    assert data["queues"] == [
        {"name": "on", "exchange": "on-line", "routingKey": "1e3", "declare": "passive"}
    ]
    assert data["brokers"]["main"]["port"] == 0o13050
    assert data["consumers"][0]["retries"] == {"limit": 10, "delay": "1min"}


def test_a_password_is_what_was_written_whatever_yaml_makes_of_it() -> None:
    secrets = migrate(foreign(FOLDER / "07-yaml-one-point-one.yaml")).secrets
    assert {key: one.reveal() for key, one in secrets.items()} == {
        "broker-password": "0123",
        "icat-password": "yes",
    }


def test_an_account_in_a_url_is_taken_out_of_it() -> None:
    made = migrate(foreign(FOLDER / "10-the-log-in-elasticsearch.yaml"))
    data = YAML(typ="safe", pure=True).load(made.text.replace("!secret ", ""))
    assert data["logging"]["elastic"] == {
        "url": "https://elastic.example.org:9200",
        "username": "logger",
        "password": "elastic-log-password",
        "environment": "production",
        "index": "logs-pacer",
    }
    assert made.secrets["elastic-log-password"].reveal() == "onions!"
    assert data["logging"]["file"] == {
        "enabled": True, "maxMBytes": 100, "path": "logs/icat-pacer.log", "rotate": False,
    }  # fmt: skip


def test_one_consumer_does_the_work_of_two_and_has_the_ends_of_both() -> None:
    data = YAML(typ="safe", pure=True).load(migrate(foreign(FILES[0])).text.replace("!secret ", ""))
    found = {one["type"]: one for one in data["consumers"]}
    assert found["datasets"]["integrations"] == ["dashboard", "icat", "icatPlus"]
    assert [one["name"] for one in data["queues"]] == [
        "uos-sync-users", "uos-sync-proposals", "icat-investigation-ops", "icat-dataset-ingest",
        "icat-internal-statistics", "icat-internal-dataset-links",
    ]  # fmt: skip


def test_consumers_index_datasets_themselves_where_an_index_was_configured() -> None:
    data = YAML(typ="safe", pure=True).load(
        migrate(foreign(FOLDER / "11-indexing.yaml")).text.replace("!secret ", "")
    )
    assert [one["type"] for one in data["consumers"]] == [
        "datasets", "dataset-links", "dataset-statistics", "dataset-index",
    ]  # fmt: skip
    assert all(one["integrations"] == ["icat", "elastic"] for one in data["consumers"])
    assert data["integrations"]["elastic"]["index"] == "datasets_alba"
    assert data["consumers"][0]["options"] == {
        "requireSampleType": False, "listFiles": True, "mustExist": False, "statFiles": True,
    }  # fmt: skip


def test_a_class_of_the_facility_needs_a_plugin() -> None:
    made = migrate(foreign(FOLDER / "06-a-class-of-the-facility.yaml"))
    assert [(one.consumer_type, one.was) for one in made.unknown] == [
        ("parcel-tracking", "ParcelTrackingConsumer of alba_extras.parcels"),
        ("alba-extras-users", "UsersConsumer of alba_extras.users"),
    ]


def test_a_plugin_is_begun_for_the_classes_of_the_facility(site: Site) -> None:
    old, new = FOLDER / "06-a-class-of-the-facility.yaml", site.folder / "pacer.yaml"
    done = site.pacer("config", "migrate", old, "-o", new)
    assert "facility-pacer: begun for parcel-tracking, alba-extras-users" in done.err
    text = (site.folder / "facility-pacer/src/facility_pacer/parcel_tracking.py").read_text()
    assert "It was ParcelTrackingConsumer of alba_extras.parcels" in text
    again = site.pacer("config", "migrate", old, "-o", new, "--force")
    assert "facility-pacer is there already: it has to bring parcel-tracking" in again.err


def test_two_consumers_of_one_type_get_names() -> None:
    data = YAML(typ="safe", pure=True).load(
        migrate(foreign(FOLDER / "17-twice.yaml")).text.replace("!secret ", "")
    )
    assert [one.get("name") for one in data["consumers"]] == [None, "datasets-bl13"]
    assert [one["options"]["maxDatafiles"] for one in data["consumers"]] == [10, 10]
    assert data["brokers"]["main"]["host"] == "rabbit"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers()
    | st.text(max_size=8) | st.sampled_from(["spawn", "amqp", "direct"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["enabled", "className", "module", "queues", "integrations", "name", "exchange", "main", "server",
             "icat", "dataset", "dashboard", "file", "recipients", "forwardingRules", "elastic", "maxMBytes"]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip
SECTIONS = ["logging", "exchanges", "queues", "consumers", "brokers", "ingestionSettings", "integrations"]


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.sampled_from(SECTIONS), VALUES, min_size=1))
def test_whatever_a_file_holds_something_that_is_yaml_comes_out(data: dict[str, object]) -> None:
    made = migrate(Foreign(Path("old.yaml"), json.dumps(data)))
    YAML(typ="safe", pure=True).load(made.text.replace("!secret ", ""))

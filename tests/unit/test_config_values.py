"""What a configuration may say, and what comes out of it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacer_core.config import Config, Problem, check, load
from pacer_core.config.sections import camel, parse_duration
from tests.support import Site

POST = """
    from attrs import frozen
    from contextlib import contextmanager
    from datetime import timedelta
    from enum import Enum
    from typing import Literal
    from pacer_core import ConsumerType, IntegrationType, Key, Secret, hookimpl, task

    class Ink(Enum):
        BLACK = "black"
        BLUE = "blue"

    @frozen
    class ScaleOptions:
        url: str = ""
        token: Secret | None = None
        time_out: timedelta = timedelta(seconds=5)
        max_weight: float = 20.0
        express_only: bool = False
        units: Literal["kg", "lb"] = "kg"
        labels: dict[str, str] = {}
        shelves: tuple[int, ...] = ()

    @frozen
    class StampOptions:
        ink: Ink = Ink.BLACK

    @contextmanager
    def open_scale(options):
        yield options

    SCALE = IntegrationType(name="scale", options=ScaleOptions, open=open_scale)
    LORRY = IntegrationType(name="lorry", options=StampOptions, open=open_scale)

    @task(needs=[SCALE])
    def weigh(parcel, ctx): pass

    @task(after=["weigh"], options=StampOptions)
    def stamp(parcel, ctx): pass

    @task(needs=[SCALE, LORRY], optional=True)
    def load(parcel, ctx): pass

    @task(after=["turn"])
    def twist(parcel, ctx): pass

    @task(after=["twist"])
    def turn(parcel, ctx): pass

    @task(after=["nobody_there"])
    def lonely(parcel, ctx): pass

    @hookimpl
    def pacer_consumers():
        yield ConsumerType(name="parcels", message=None, tasks=[load, stamp, weigh])
        yield ConsumerType(name="circle", message=None, tasks=[twist, turn])
        yield ConsumerType(name="alone", message=None, tasks=[lonely])
        yield ConsumerType(name="keyed", message=None, tasks=[], key=Key("street", of=lambda m, c: "a"))

    @hookimpl
    def pacer_integrations():
        return [SCALE, LORRY]
"""
BASE = """\
brokers:
  main: {{protocol: memory}}
queues:
  - {{name: parcels}}
integrations:
{integrations}
consumers:
{consumers}
"""
ONE = "  - {type: parcels, queues: [parcels], integrations: [scale]}"


@pytest.fixture
def post(site: Site) -> Site:
    site.install("parcel-post", POST)
    return site


def configured(post: Site, integrations: str = "  scale: {}", consumers: str = ONE) -> Config:
    return load(post.write(BASE.format(integrations=integrations, consumers=consumers)))


def problems(post: Site, integrations: str = "  scale: {}", consumers: str = ONE) -> list[Problem]:
    return check(post.write(BASE.format(integrations=integrations, consumers=consumers)))[1]


def scale(post: Site, options: str) -> Any:
    (plan,) = configured(post, f"  scale: {{{options}}}").consumers
    return plan.integrations["scale"].options


@given(st.from_regex(r"[a-z]+(_[a-z]+)*", fullmatch=True))
def test_every_key_is_its_attribute_in_camel_case(name: str) -> None:
    assert camel(name)[0] == name[0]
    assert camel(name).lower() == name.replace("_", "")


@given(st.integers(0, 10**6), st.sampled_from(["ms", "s", "min", "h", "d"]), st.sampled_from(["", " "]))
def test_a_duration_is_a_number_and_a_unit(number: int, unit: str, blank: str) -> None:
    length = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86400}[unit]
    assert parse_duration(f"{number}{blank}{unit}") == timedelta(seconds=number * length)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30), ("0.5", 0.5), ("1.5h", 5400), ("0", 0), ("'500ms'", 0.5), ("7d", 604800)],
)
def test_durations_are_read(post: Site, text: str, seconds: float) -> None:
    assert scale(post, f"timeOut: {text}").time_out == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    ["soon", "5 weeks", "-3", "'-3s'", "1h30min", "true", "[5]", ".nan", ".inf", "1e300", "''", "9e9d"],
)
def test_what_is_no_duration_is_a_problem(post: Site, text: str) -> None:
    (problem,) = problems(post, f"  scale: {{timeOut: {text}}}")
    assert (problem.line, problem.column) == (6, 20)


@pytest.mark.parametrize("text", ["0", "500ms", "1500ms"])
def test_a_heartbeat_is_of_whole_seconds(post: Site, text: str) -> None:
    file = post.write(
        f"""\
        brokers: {{main: {{heartbeat: {text}}}}}
        queues: [{{name: a}}]
        consumers: [{{type: forward, queues: [a]}}]
        """,
        "beats.yaml",
    )
    assert (
        "'heartbeat' is not accepted: give one second or more"
        in post.pacer("config", "check", "-c", file).both
    )


def test_values_become_what_their_options_class_says(post: Site) -> None:
    options = scale(
        post, "maxWeight: 3, expressOnly: true, units: lb, labels: {red: urgent}, shelves: [1, 2], token: t0p"
    )
    assert (options.max_weight, options.express_only, options.units) == (3.0, True, "lb")
    assert (options.labels, options.shelves) == ({"red": "urgent"}, (1, 2))
    assert options.token.reveal() == "t0p"


@pytest.mark.parametrize(
    "options",
    [
        "units: st",
        "expressOnly: 'yes'",
        "maxWeight: heavy",
        "shelves: 3",
        "shelves: [a]",
        "labels: [a]",
        "token: 7",
    ],
)
def test_values_of_another_kind_are_problems(post: Site, options: str) -> None:
    assert len(problems(post, f"  scale: {{{options}}}")) == 1


def test_env_and_file_stand_for_any_scalar(post: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"U": "http://a", "W": "3.5", "X": "True", "T": "30s", "L": "lb", "N": "4"}.items():
        monkeypatch.setenv(f"PACER_TEST_{name}", value)
    post.write("hunter22\n", "token")
    options = scale(
        post,
        "url: !env PACER_TEST_U, maxWeight: !env PACER_TEST_W, expressOnly: !env PACER_TEST_X, "
        "timeOut: !env PACER_TEST_T, units: !env PACER_TEST_L, shelves: [!env PACER_TEST_N], "
        "token: !file token",
    )
    assert (options.url, options.max_weight, options.express_only) == ("http://a", 3.5, True)
    assert (options.time_out, options.units, options.shelves) == (timedelta(seconds=30), "lb", (4,))
    assert options.token.reveal() == "hunter22", "a file's last line end is no part of the secret"


def test_a_file_is_looked_for_beside_the_configuration(
    post: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.write("hunter23", "token")
    monkeypatch.chdir(tmp_path)
    assert scale(post, "token: !file token").token.reveal() == "hunter23"
    assert scale(post, f"token: !file {post.folder / 'token'}").token.reveal() == "hunter23"


@pytest.mark.parametrize("value", ["!file .", "!file ''", "!env ''", "!file token", "!env PACER_TEST_NONE"])
def test_a_secret_that_is_not_there_is_one_problem(post: Site, value: str) -> None:
    (post.folder / "token").write_bytes(b"\xff\xff")
    (problem,) = problems(post, f"  scale: {{token: {value}}}")
    assert (problem.line, problem.column) == (6, 18)
    assert problem.code.value in ("unset-variable", "unreadable-file")


@pytest.mark.parametrize("value", ["!env [A, B]", "!file {a: b}"])
def test_a_tag_on_what_is_no_scalar_is_a_problem(post: Site, value: str) -> None:
    (problem,) = problems(post, f"  scale: {{url: {value}}}")
    assert (problem.line, problem.column) == (6, 16)


def test_an_instance_has_a_name_and_a_type(post: Site) -> None:
    both = "  scale: {url: a}\n  scale-test: {type: scale, url: b}"
    consumers = (
        "  - {type: parcels, queues: [parcels], integrations: [{scale: scale-test}]}\n"
        "  - {type: parcels, name: two, queues: [parcels], enabled: false, integrations: [scale]}"
    )
    (plan,) = configured(post, both, consumers).consumers
    assert plan.integrations["scale"].name == "scale-test"
    assert plan.integrations["scale"].options.url == "b"


def test_an_instance_can_be_named_without_its_type(post: Site) -> None:
    one = ONE.replace("[scale]", "[scale-test]")
    (plan,) = configured(post, "  scale-test: {type: scale, url: b}", one).consumers
    assert plan.integrations["scale"].options.url == "b"


def test_an_instance_of_another_type_is_a_problem(post: Site) -> None:
    (problem,) = problems(
        post, "  scale-test: {type: lorry}", ONE.replace("[scale]", "[{scale: scale-test}]")
    )
    assert "'scale-test' is of type 'lorry', not 'scale'" in problem.message


def test_tasks_run_whose_integrations_are_enabled_in_the_order_of_after(post: Site) -> None:
    (plan,) = configured(post).consumers
    assert [task.name for task in plan.pipeline.tasks] == ["weigh", "stamp"]
    both = ONE.replace("[scale]", "[scale, lorry]")
    (plan,) = configured(post, "  scale: {}\n  lorry: {ink: blue}", both).consumers
    assert [task.name for task in plan.pipeline.tasks] == ["load", "weigh", "stamp"]


def test_options_of_a_task_are_its_own(post: Site) -> None:
    consumers = ONE.replace("[scale]", "[scale], taskOptions: {stamp: {ink: blue}}")
    (plan,) = configured(post, consumers=consumers).consumers
    assert plan.pipeline.task_options["stamp"].ink.value == "blue"
    (plan,) = configured(post).consumers
    assert plan.pipeline.task_options["stamp"].ink.value == "black"


def test_tasks_that_wait_for_each_other_are_a_problem(post: Site) -> None:
    (problem,) = problems(post, consumers="  - {type: circle, queues: [parcels]}")
    assert "tasks wait for each other" in problem.message
    assert "twist" in problem.message
    assert (problem.line, problem.column) == (8, 12)


def test_a_task_that_waits_for_nobody_is_a_problem(post: Site) -> None:
    (problem,) = problems(post, consumers="  - {type: alone, queues: [parcels]}")
    assert "'lonely' comes after 'nobody_there', which no installed plugin provides" in problem.message


def test_one_queue_is_read_by_one_consumer(post: Site) -> None:
    (problem,) = problems(
        post, consumers=f"{ONE}\n{ONE.replace('type: parcels', 'type: parcels, name: two')}"
    )
    assert "queue 'parcels' is read by consumer 'parcels' already" in problem.message
    assert (problem.line, problem.column) == (9, 41)


def test_a_consumer_that_is_switched_off_reads_no_queue(post: Site) -> None:
    off = ONE.replace("type: parcels", "type: parcels, name: two, enabled: false")
    assert len(configured(post, consumers=f"{ONE}\n{off}").consumers) == 1


def test_a_key_space_lives_in_one_process(post: Site) -> None:
    found = problems(post, consumers="  - {type: keyed, queues: [parcels], workers: 2}")
    (problem,) = (one for one in found if "key space" in one.message)
    assert "'workers'" in problem.message
    assert (problem.line, problem.column) == (8, 47)


def test_a_value_can_be_merged_from_elsewhere(post: Site) -> None:
    assert (
        configured(
            post,
            "  scale: &scale {url: a, units: lb}\n  other: {<<: *scale, type: scale, units: kg}",
            ONE.replace("[scale]", "[other]"),
        )
        .consumers[0]
        .integrations["scale"]
        .options.url
        == "a"
    )


def test_a_mistake_in_a_merged_value_is_a_problem(post: Site) -> None:
    found = problems(
        post, "  scale: &scale {url: a, units: lb, colour: red}\n  other: {<<: *scale, type: scale}"
    )
    assert {problem.line for problem in found} == {6, 7}


def test_a_value_that_contains_itself_is_a_problem(post: Site) -> None:
    (problem,) = problems(post, "  scale: &scale {url: *scale}")
    assert problem.severity == "error"


@pytest.mark.parametrize(
    "raw",
    [b"p4ss", b"p4ss\n", b"p4ss\r\n", b"\xef\xbb\xbfp4ss\r\n", "p4ss\r\n".encode("utf-16")],
    ids=["bare", "unix", "windows", "with a mark", "utf-16"],
)
def test_a_secret_is_read_without_what_editors_put_around_it(
    post: Site, monkeypatch: pytest.MonkeyPatch, raw: bytes
) -> None:
    (post.folder / "token").write_bytes(raw)
    assert scale(post, "token: !file token").token.reveal() == "p4ss"
    if raw.isascii() or raw.startswith(b"\xef"):
        monkeypatch.setenv("PACER_TEST_TOKEN", raw.decode())
        assert scale(post, "token: !env PACER_TEST_TOKEN").token.reveal() == "p4ss"


@pytest.mark.parametrize("options", [{"port": 226720}, {"connect_timeout": timedelta(0)}, {"pool_size": 0}])
def test_options_of_plugins_have_ranges_too(options: dict[str, Any]) -> None:
    from pacer_core.plugins import load as load_plugins

    visa = load_plugins().integrations.get("visa")
    if visa is None:
        pytest.skip("VISA's plugin is not installed")
    with pytest.raises(ValueError, match=next(iter(options))):
        visa.options(host="a", username="b", password="c", time_zone="UTC", **options)

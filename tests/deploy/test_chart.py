"""The Helm chart: what it renders is what Kubernetes takes, and what the image and PACER need."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pacer_core.config import check
from tests.deploy import dockerfile
from tests.deploy.chart import CHART, ROOT, Documents, RefusedError, build, by_kind, loaded, render, values
from tests.deploy.programs import program

DASHBOARD: dict[str, Any] = {
    "dashboard": {
        "enabled": True,
        "allowedHosts": ["dashboard.example.org", "pacer.example.org"],
        "rootPath": "/pacer-dashboard",
        "trustedProxies": ["10.0.0.0/8"],
        "env": [{"name": "TIME_ZONE", "value": "Europe/Madrid"}],
        "podAnnotations": {"who": "data team"},
        "ingress": {
            "enabled": True,
            "className": "nginx",
            "annotations": {"nginx.ingress.kubernetes.io/proxy-read-timeout": "3600"},
            "tls": [{"secretName": "tls", "hosts": ["dashboard.example.org"]}],
        },
    }
}
EVERYTHING: dict[str, Any] = {
    **DASHBOARD,
    "image": {"tag": "abc"},
    "imagePullSecrets": [{"name": "registry"}],
    "env": [
        {"name": "RABBIT_HOST", "value": "rabbit"},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "pacer", "key": "token"}}},
    ],
    "secrets": [{"name": "one", "keys": ["broker-password"]}, {"name": "other", "keys": ["icat-password"]}],
    "ports": [{"name": "bundles", "port": 8051}],
    "volumes": [{"name": "data", "nfs": {"server": "nfs.example.org", "path": "/data"}}],
    "volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": True}],
    "podAnnotations": {"who": "data team"},
    "podLabels": {"team": "data"},
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "dedicated", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "supplementalGroups": [4000],
    "networkPolicy": {
        "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    },
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "keda": {
        "enabled": True,
        "queues": [{"name": "mail", "messages": 1000}],
        "secret": {"name": "rabbit"},
    },
}
NOTHING: dict[str, Any] = {
    "secrets": [],
    "podDisruptionBudget": {"enabled": False},
    "networkPolicy": {"enabled": False},
}
NO_BROKER: dict[str, Any] = {
    **NOTHING, "dashboard": {"enabled": True, "allowedHosts": ["dashboard.example.org"], "broker": False},
}  # fmt: skip
CASES = {"default": {}, "everything": EVERYTHING, "least": NO_BROKER}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"dashboard": {"enabled": True}}, "dashboard.allowedHosts names no host"),
    ({"config": "queues: []"}, "config has no `health: {host: 0.0.0.0, port: 9807}`"),
    ({"keda": {"enabled": True, "secret": {"name": "x"}}}, "keda.queues names no queue"),
    (
        {"keda": {"enabled": True, "queues": [{"name": "q", "messages": 1}]}},
        "keda.secret.name: the secret that holds RabbitMQ's address",
    ),
]
SLIPS: list[dict[str, Any]] = [
    {"dashboard": {"rootPath": "pacer"}},
    {"dashboard": {"database": {"pasword": {}}}},
    {"replica": 3},
    {"keda": {"queue": []}},
    {"secrets": ["pacer"]},
    {"health": {"port": "x"}},
]
VERSIONS = ("1.27", "1.37")
"""Of Kubernetes: the oldest that the chart takes, and the newest with schemas."""
OWN = {"ServiceMonitor", "ScaledObject", "TriggerAuthentication"}
"""Kinds that others bring into a cluster: their schemas are not Kubernetes' own."""


@pytest.fixture(scope="module")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the program that renders the chart."""
    return build(tmp_path_factory.mktemp("render"))


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> dict[str, Any]:
    return CASES[request.param]


def container(documents: Documents) -> dict[str, Any]:
    (found,) = documents["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def test_kubernetes_takes_what_it_renders(renderer: Path, case: dict[str, Any], tmp_path: Path) -> None:
    documents, _ = render(renderer, case)
    for kind in documents.keys() - OWN:
        (tmp_path / f"{kind}.yaml").write_text(json.dumps(documents[kind]))
    files = sorted(str(one) for one in tmp_path.glob("*.yaml"))
    for version in VERSIONS:
        command = [program("kubernetes-validate", "kubernetes-validate"), "-k", version, "--strict", *files]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_what_it_renders_by_default(renderer: Path) -> None:
    documents, notes = render(renderer)
    assert documents.keys() == {
        *("ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount"),
    }
    assert documents["Deployment"]["spec"]["replicas"] == 2
    assert "deployment/test-pacer -- pacer doctor" in notes


def test_all_that_can_be_switched_on_is(renderer: Path) -> None:
    documents, _ = render(renderer, EVERYTHING)
    assert documents.keys() >= OWN
    pod = documents["Deployment"]["spec"]["template"]["spec"]
    for key in ("imagePullSecrets", "nodeSelector", "tolerations", "affinity"):
        assert pod[key] == EVERYTHING[key]
    assert pod["securityContext"]["supplementalGroups"] == [4000]
    assert pod["volumes"][-1] == EVERYTHING["volumes"][0]
    assert container(documents)["volumeMounts"][-1] == EVERYTHING["volumeMounts"][0]
    assert container(documents)["env"] == EVERYTHING["env"]
    assert container(documents)["image"] == "pacer:abc"
    policy = documents["NetworkPolicy"]["spec"]
    assert policy["ingress"][0]["from"][:1] == EVERYTHING["networkPolicy"]["from"]
    assert [one["port"] for one in policy["ingress"][0]["ports"]] == [9807, 8051]
    assert [one["name"] for one in documents["Service"]["spec"]["ports"]] == ["health", "bundles"]


def test_all_that_can_be_switched_off_is(renderer: Path) -> None:
    documents, _ = render(renderer, NOTHING)
    assert documents.keys() == {"ConfigMap", "Deployment", "Service", "ServiceAccount"}


def test_an_autoscaler_has_the_number_of_pods_for_itself(renderer: Path) -> None:
    documents, _ = render(renderer, EVERYTHING)
    assert "replicas" not in documents["Deployment"]["spec"]
    scaled = documents["ScaledObject"]["spec"]
    assert scaled["scaleTargetRef"]["name"] == documents["Deployment"]["metadata"]["name"]
    (trigger,) = scaled["triggers"]
    assert trigger["metadata"] == {
        "protocol": "amqp", "queueName": "mail", "mode": "QueueLength", "value": "1000",
    }  # fmt: skip
    assert trigger["authenticationRef"]["name"] == documents["TriggerAuthentication"]["metadata"]["name"]
    (secret,) = documents["TriggerAuthentication"]["spec"]["secretTargetRef"]
    assert secret == {"parameter": "host", "name": "rabbit", "key": "amqp-url"}


def test_prometheus_finds_the_port_of_the_service(renderer: Path) -> None:
    documents, _ = render(renderer, EVERYTHING)
    monitor = documents["ServiceMonitor"]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] in [one["name"] for one in documents["Service"]["spec"]["ports"]]
    labels = documents["Service"]["metadata"]["labels"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_everything_that_selects_pods_finds_these(renderer: Path) -> None:
    documents, _ = render(renderer, EVERYTHING)
    labels = documents["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert labels["team"] == "data"
    for selector in (
        documents["Deployment"]["spec"]["selector"]["matchLabels"],
        documents["Service"]["spec"]["selector"],
        documents["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        documents["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector
        assert selector.items() <= labels.items()


def test_the_pod_is_that_of_the_image(renderer: Path) -> None:
    documents, _ = render(renderer)
    image = dockerfile.read(ROOT / "deploy" / "Dockerfile")[-1]
    security = documents["Deployment"]["spec"]["template"]["spec"]["securityContext"]
    assert f"{security['runAsUser']}:{security['runAsGroup']}" == image.says["USER"]
    assert container(documents)["args"] == image.command("CMD")
    mounts = {one["mountPath"] for one in container(documents)["volumeMounts"]}
    assert {str(Path(image.env["PACER_CONFIG"]).parent), image.says["VOLUME"], "/tmp"} == mounts
    assert container(documents)["securityContext"]["readOnlyRootFilesystem"] is True


def test_its_configuration_with_its_secrets_is_one_that_pacer_takes(renderer: Path, tmp_path: Path) -> None:
    documents, _ = render(renderer)
    (volume,) = (
        one["projected"]
        for one in documents["Deployment"]["spec"]["template"]["spec"]["volumes"]
        if one["name"] == "config"
    )
    (tmp_path / "pacer.yaml").write_text(documents["ConfigMap"]["data"]["pacer.yaml"])
    for source in volume["sources"]:
        for item in source.get("secret", {}).get("items", ()):
            path = tmp_path / item["path"]
            path.parent.mkdir(exist_ok=True)
            path.write_text("a-long-and-random-password")
    config, problems = check(tmp_path / "pacer.yaml")
    assert [one for one in problems if one.severity == "error"] == []
    assert config is not None
    (port,) = (one["containerPort"] for one in container(documents)["ports"])
    assert (config.health.host, config.health.port) == ("0.0.0.0", port)
    grace = documents["Deployment"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace > config.processes.shutdown_grace.total_seconds()


def test_no_variable_of_the_pages_stands_twice(renderer: Path) -> None:
    def variables(**said: str) -> list[dict[str, str]]:
        return [{"name": name, "value": value} for name, value in said.items()]

    more = variables(POSTGRES_PASSWORD="of PACER", TIME_ZONE="of PACER")
    own = variables(TIME_ZONE="UTC", PACER_DASHBOARD_PACERS="http://x:9807")
    changes = {**EVERYTHING, "env": [*EVERYTHING["env"], *more]}
    changes["dashboard"] = {**DASHBOARD["dashboard"], "env": own}
    documents, _ = render(renderer, changes)
    (pages,) = documents["Deployment dashboard"]["spec"]["template"]["spec"]["containers"]
    names = [one["name"] for one in pages["env"]]
    assert sorted(names) == sorted({*names})
    assert {"RABBIT_HOST", "TOKEN"} <= {*names}
    assert all(one in pages["env"] for one in own)
    assert not [one for one in pages["env"] if one.get("value") == "of PACER"]


def test_a_single_pod_does_not_keep_its_node_from_being_emptied(renderer: Path) -> None:
    documents, _ = render(renderer, {"replicas": 1})
    assert "PodDisruptionBudget" not in documents
    documents, _ = render(renderer, {"replicas": 1, "keda": {**EVERYTHING["keda"], "minReplicas": 3}})
    assert "PodDisruptionBudget" in documents


@pytest.mark.parametrize("release", ["x" * 53, f"{'x' * 46}-{'y' * 6}", "pacer" + "x" * 48, "a"])
def test_names_are_as_long_as_kubernetes_takes_them(renderer: Path, release: str) -> None:
    documents, _ = render(renderer, DASHBOARD, release)
    for one in documents.values():
        name = one["metadata"]["name"]
        assert len(name) <= 63
        assert "pacer" in name
        assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name)


def test_another_configuration_means_other_pods(renderer: Path) -> None:
    def annotations(config: str) -> dict[str, str]:
        documents, _ = render(renderer, {"config": config})
        found: dict[str, str] = documents["Deployment"]["spec"]["template"]["metadata"]["annotations"]
        return found

    assert annotations("health: {port: 1}\n") != annotations("health: {port: 2}\n")


def test_the_dashboard_is_pages_with_an_address_of_their_own(renderer: Path) -> None:
    documents, _ = render(renderer, EVERYTHING)
    ours = {kind: one for kind, one in documents.items() if kind.endswith(" dashboard")}
    assert {kind.partition(" ")[0] for kind in ours} == {
        *("Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy", "Ingress"),
    }
    pod = ours["Deployment dashboard"]["spec"]["template"]
    labels = pod["metadata"]["labels"]
    for selector in (
        ours["Deployment dashboard"]["spec"]["selector"]["matchLabels"],
        ours["Service dashboard"]["spec"]["selector"],
        ours["PodDisruptionBudget dashboard"]["spec"]["selector"]["matchLabels"],
        ours["NetworkPolicy dashboard"]["spec"]["podSelector"]["matchLabels"],
        documents["NetworkPolicy"]["spec"]["ingress"][0]["from"][-1]["podSelector"]["matchLabels"],
    ):
        assert selector
        assert selector.items() <= labels.items()
    workers = documents["Deployment"]["spec"]["template"]["metadata"]["labels"]
    for selector in (documents["Deployment"]["spec"]["selector"]["matchLabels"],
                     documents["Service"]["spec"]["selector"]):  # fmt: skip
        assert not selector.items() <= labels.items()  # nobody takes pages for a worker
    assert not ours["Service dashboard"]["spec"]["selector"].items() <= workers.items()
    rules = ours["Ingress dashboard"]["spec"]["rules"]
    assert [one["host"] for one in rules] == DASHBOARD["dashboard"]["allowedHosts"]
    (path,) = rules[0]["http"]["paths"]
    service = ours["Service dashboard"]
    assert path["backend"]["service"]["name"] == service["metadata"]["name"]
    assert path["backend"]["service"]["port"]["name"] == service["spec"]["ports"][0]["name"]
    assert path["path"] == "/pacer-dashboard"


def test_the_dashboard_starts_with_what_it_is_given_and_answers_its_probes(renderer: Path) -> None:
    from pacer_dashboard.access.configuration import access_settings
    from pacer_dashboard.commands.serving import serve
    from pacer_dashboard.place import from_environment

    documents, _ = render(renderer, EVERYTHING)
    spec = documents["Deployment dashboard"]["spec"]["template"]["spec"]
    (made,), (pages,) = spec["initContainers"], spec["containers"]
    assert made["args"] == ["dashboard", "migrate"]
    environment = {one["name"]: one.get("value", "x" * 30 + "of-secret-random-signs") for one in pages["env"]}
    settings = access_settings(environment, embedded=False)
    assert settings["PACER_PROBLEMS"] == ()
    assert settings["FORCE_SCRIPT_NAME"] == "/pacer-dashboard"
    assert from_environment(environment).url == "postgresql://pacer@postgresql.pacer.svc:5432/dashboard"
    assert environment["TIME_ZONE"] == "Europe/Madrid"
    pods = documents["Service pods"]
    name, (port,) = pods["metadata"]["name"], pods["spec"]["ports"]
    assert environment["PACER_DASHBOARD_PACERS"] == f"dns+http://{name}:{port['port']}"
    assert (pods["spec"]["clusterIP"], pods["spec"]["publishNotReadyAddresses"]) == ("None", True)
    assert pods["spec"]["selector"] == documents["Service"]["spec"]["selector"]
    scraped = documents["ServiceMonitor"]["spec"]["selector"]["matchLabels"]
    assert not scraped.items() <= pods["metadata"]["labels"].items()  # each pod once
    assert {one["name"] for one in EVERYTHING["env"]} <= environment.keys()
    assert {one["name"] for one in made["env"]} <= environment.keys()
    for name in ("POSTGRES_PASSWORD", "SECRET_KEY"):
        (one,) = (variable for variable in pages["env"] if variable["name"] == name)
        assert one["valueFrom"]["secretKeyRef"]["name"] == "pacer-dashboard"
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = pages[probe]["httpGet"]
        assert asked["port"] == pages["ports"][0]["name"]
        assert asked["httpHeaders"] == [{"name": "Host", "value": settings["ALLOWED_HOSTS"][0]}]
        assert asked["path"] == ("/ready" if probe == "readinessProbe" else "/status")
    known = {option for one in serve.params for option in one.opts}
    assert {one for one in pages["args"] if one.startswith("--")} <= known
    for container_ in (made, pages):
        assert container_["securityContext"]["readOnlyRootFilesystem"] is True
    mounted = {one["name"] for one in pages["volumeMounts"]}
    assert mounted == {one["name"] for one in spec["volumes"]} == {"config", "state", "tmp"}


def test_a_dashboard_without_a_broker_has_none_of_pacers_secrets(renderer: Path) -> None:
    documents, _ = render(renderer, NO_BROKER)
    spec = documents["Deployment dashboard"]["spec"]["template"]["spec"]
    assert {one["name"] for one in spec["volumes"]} == {"state", "tmp"}
    environment = {one["name"]: one.get("value") for one in spec["containers"][0]["env"]}
    assert environment["PACER_CONFIG"] == ""
    assert not {"Ingress dashboard", "NetworkPolicy dashboard"} & documents.keys()


@pytest.mark.parametrize(("changes", "said"), REFUSED)
def test_what_could_not_work_is_refused(renderer: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(RefusedError) as refused:
        render(renderer, changes)
    assert said in str(refused.value)


def test_its_values_are_those_of_its_schema(case: dict[str, Any]) -> None:
    schema = loaded((CHART / "values.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(values(case), schema, jsonschema.Draft7Validator)
    assert schema["properties"].keys() - {"global"} == values().keys()


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_in_the_values_is_refused(slip: dict[str, Any]) -> None:
    schema = loaded((CHART / "values.schema.json").read_text())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(values(slip), schema, jsonschema.Draft7Validator)


def test_its_version_is_the_cores() -> None:
    import pacer_core

    chart = loaded((CHART / "Chart.yaml").read_text())
    assert chart["version"].replace("-", "") == chart["appVersion"] == pacer_core.__version__


@pytest.fixture
def helm() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Give helm on the chart with values: the one that ``PACER_HELM`` names, or that is on the path."""
    found = os.environ.get("PACER_HELM") or shutil.which("helm")
    if found is None:
        pytest.skip("no helm on the path or in PACER_HELM: Go's templates alone rendered the chart")

    def run(*command: str, changes: dict[str, Any], folder: Path) -> subprocess.CompletedProcess[str]:
        (folder / "values.json").write_text(json.dumps(changes))
        arguments = [found, *command, str(CHART), "-n", "facility", "-f", str(folder / "values.json")]
        return subprocess.run(arguments, capture_output=True, text=True)

    return run


@pytest.mark.parametrize("version", VERSIONS)
def test_helm_says_the_same(
    renderer: Path, case: dict[str, Any], version: str, helm: Any, tmp_path: Path
) -> None:
    lint = helm("lint", "--strict", f"--kube-version={version}.0", changes=case, folder=tmp_path)
    assert lint.returncode == 0, lint.stdout + lint.stderr
    done = helm("template", f"--kube-version={version}.0", "test", changes=case, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert by_kind(done.stdout) == render(renderer, case)[0]


@pytest.mark.parametrize("slip", [*SLIPS, *(changes for changes, _ in REFUSED)], ids=str)
def test_helm_refuses_what_is_refused_here(slip: dict[str, Any], helm: Any, tmp_path: Path) -> None:
    done = helm("template", f"--kube-version={VERSIONS[0]}.0", "test", changes=slip, folder=tmp_path)
    assert done.returncode != 0
    said = [said for changes, said in REFUSED if changes == slip] or ["don't meet the specifications"]
    assert said[0] in done.stderr


def test_helm_refuses_an_older_kubernetes(helm: Any, tmp_path: Path) -> None:
    done = helm("template", "--kube-version=1.26.0", "test", changes={}, folder=tmp_path)
    assert "requires kubeVersion" in done.stderr

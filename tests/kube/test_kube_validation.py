"""Built-in kinds: what is defaulted, what is refused and in which words."""

from __future__ import annotations

from typing import Any

import pytest
from kube_api import Api
from kube_manifests import CONFIG_MAPS, DEPLOYMENTS, PODS, SERVICES, config_map, deployment, pod, service


def test_a_pod_gets_the_defaults_of_the_real_server(api: Api) -> None:
    spec = api.post(PODS, pod()).body["spec"]
    wanted = {
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "terminationGracePeriodSeconds": 30,
        "schedulerName": "default-scheduler",
        "serviceAccountName": "default",
        "securityContext": {},
    }
    assert {name: spec[name] for name in wanted} == wanted
    assert spec["containers"][0]["terminationMessagePath"] == "/dev/termination-log"


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("registry:5000/nginx", "Always"),
        ("nginx:1.27", "IfNotPresent"),
        ("nginx@sha256:" + "0" * 64, "IfNotPresent"),
    ],
)
def test_the_pull_policy_follows_from_the_tag(api: Api, image: str, policy: str) -> None:
    created = api.post(PODS, pod(containers=[{"name": "main", "image": image}])).body
    assert created["spec"]["containers"][0]["imagePullPolicy"] == policy


def test_a_deployment_gets_a_rolling_update(api: Api) -> None:
    spec = api.post(DEPLOYMENTS, deployment()).body["spec"]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
    assert (spec["replicas"], spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (1, 10, 600)


WRONG: list[tuple[str, dict[str, Any], str, str]] = [
    (PODS, pod(containers=[]), "spec.containers", "Required value"),
    (PODS, pod(restartPolicy="Sometimes"), "spec.restartPolicy", "Unsupported value"),
    (PODS, pod(containers=[{"name": "Main", "image": "x"}]), "spec.containers[0].name", "RFC 1123 label"),
    (PODS, pod(containers=[{"name": "a"}]), "spec.containers[0].image", "Required value"),
    (PODS, pod("Web"), "metadata.name", "RFC 1123 subdomain"),
    (DEPLOYMENTS, deployment(replicas=-1), "spec.replicas", "greater than or equal to 0"),
    (
        DEPLOYMENTS,
        deployment(selector={"matchLabels": {"app": "x"}}),
        "spec.template.metadata.labels",
        "does not match",
    ),
    (SERVICES, service(ports=[]), "spec.ports", "Required value"),
    (SERVICES, service(ports=[{"port": 70000}]), "spec.ports[0].port", "less than or equal to 65535"),
    (SERVICES, service(externalTrafficPolicy="Local"), "spec.externalTrafficPolicy", "externally-accessible"),
    (SERVICES, service(ports=[{"port": 80}, {"port": 81}]), "spec.ports[0].name", "Required value"),
]


@pytest.mark.parametrize(("path", "manifest", "field", "says"), WRONG)
def test_what_is_invalid_is_refused_with_its_field(
    api: Api, path: str, manifest: dict[str, Any], field: str, says: str
) -> None:
    reply = api.post(path, manifest)
    assert (reply.code, reply.body["reason"]) == (422, "Invalid")
    assert says in reply.causes[field]


def test_all_that_is_wrong_is_told_at_once(api: Api) -> None:
    reply = api.post(PODS, pod("Web", restartPolicy="No", containers=[{"name": "a"}]))
    assert reply.causes.keys() == {"metadata.name", "spec.restartPolicy", "spec.containers[0].image"}


def test_a_wrong_type_is_a_bad_request(api: Api) -> None:
    reply = api.post(DEPLOYMENTS, deployment(replicas="three"))
    assert (reply.code, reply.body["reason"]) == (400, "BadRequest")
    assert "cannot unmarshal string into Go struct field Deployment.spec.replicas" in reply.body["message"]


def test_a_label_must_be_text(api: Api) -> None:
    manifest = config_map()
    manifest["metadata"]["labels"] = {"global": True}
    reply = api.post(CONFIG_MAPS, manifest)
    assert reply.code == 400
    assert "cannot unmarshal bool" in reply.body["message"]


def test_strict_validation_refuses_unknown_fields(api: Api) -> None:
    reply = api.post(f"{PODS}?fieldValidation=Strict", pod(colour="red"))
    assert reply.code == 400
    assert reply.body["message"] == (
        'Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.colour"'
    )


def test_otherwise_unknown_fields_are_dropped_with_a_warning(api: Api) -> None:
    reply = api.post(PODS, pod(colour="red"))
    assert (reply.code, "colour" in reply.body["spec"]) == (201, False)
    assert reply.headers["warning"] == '299 - "unknown field \\"spec.colour\\""'


def test_or_silently_if_the_client_says_so(api: Api) -> None:
    assert "warning" not in api.post(f"{PODS}?fieldValidation=Ignore", pod(colour="red")).headers


def test_a_strict_patch_refuses_unknown_fields(api: Api) -> None:
    api.post(PODS, pod())
    reply = api.patch(f"{PODS}/web?fieldValidation=Strict", {"spec": {"colour": "red"}})
    assert reply.code == 422
    assert 'strict decoding error: unknown field "spec.colour"' in reply.body["message"]


@pytest.mark.parametrize(
    ("path", "manifest", "patch"),
    [
        (PODS, pod(), {"spec": {"restartPolicy": "Never"}}),
        (DEPLOYMENTS, deployment(), {"spec": {"selector": {"matchLabels": {"more": "so"}}}}),
        (SERVICES, service(), {"spec": {"clusterIP": "10.96.77.77", "clusterIPs": ["10.96.77.77"]}}),
    ],
)
def test_what_may_not_change_does_not(api: Api, path: str, manifest: dict[str, Any], patch: dict[str, Any]) -> None:
    api.post(path, manifest)
    assert api.patch(f"{path}/web", patch).code == 422


def test_a_quantity_may_be_a_number(api: Api) -> None:
    container = {"name": "main", "image": "x", "resources": {"limits": {"cpu": 1}}}
    resources = api.post(PODS, pod(containers=[container])).body["spec"]["containers"][0]["resources"]
    assert resources == {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}


def test_text_of_a_secret_becomes_data(api: Api) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "b"}}
    created = api.post("/api/v1/namespaces/default/secrets", secret).body
    assert (created["data"], created["type"], "stringData" in created) == ({"a": "Yg=="}, "Opaque", False)


@pytest.mark.parametrize("text", ["!!", "YQ", "not base64 at all"])
def test_a_secret_holds_base64(api: Api, text: str) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"key": text}}
    reply = api.post("/api/v1/namespaces/default/secrets", secret)
    assert (reply.code, "illegal base64 data" in reply.body["message"]) == (400, True)


@pytest.mark.parametrize("key", ["a b", "a/b", "", "..", "x" * 254])
def test_keys_of_config_maps_and_secrets_are_names_of_files(api: Api, key: str) -> None:
    reply = api.post(CONFIG_MAPS, {**config_map(), "data": {key: "text"}})
    assert (reply.code, list(reply.causes)) == (422, [f"data[{key}]"])
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {key: "text"}}
    assert api.post("/api/v1/namespaces/default/secrets", secret).code == 422


@pytest.mark.parametrize("body", ["[" * 5000, '{"metadata":{"name":"d"},"data":' + "[" * 5000 + "]" * 5000 + "}"])
@pytest.mark.parametrize("kind", ["application/json", "application/yaml"])
def test_what_is_nested_without_end_is_refused(api: Api, body: str, kind: str) -> None:
    assert api.ask("POST", CONFIG_MAPS, raw=body, kind=kind).code == 400


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("{x: 2020-01-01}", {"x": "2020-01-01"}),
        ("{x: 2020-01-01T00:00:00Z}", {"x": "2020-01-01T00:00:00Z"}),
        ("{2: a, true: b}", {"2": "a", "true": "b"}),
    ],
)
def test_applied_yaml_is_read_as_json(api: Api, text: str, data: dict[str, str]) -> None:
    body = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings}}\ndata: {text}\n"
    reply = api.ask("PATCH", f"{CONFIG_MAPS}/settings?fieldManager=me", raw=body, kind="application/apply-patch+yaml")
    assert (reply.code, reply.body.get("data")) == (201, data)


@pytest.mark.parametrize("text", ["data: !!set {a}", "data: !!binary aGk=", "data: &a {x: *a}", "? [a]\n: b"])
def test_applied_yaml_that_is_no_json_is_refused(api: Api, text: str) -> None:
    body = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings}}\n{text}\n"
    reply = api.ask("PATCH", f"{CONFIG_MAPS}/settings?fieldManager=me", raw=body, kind="application/apply-patch+yaml")
    assert reply.code == 400


@pytest.mark.parametrize("seconds", ["abc", "1.5", "1s"])
def test_the_time_of_a_watch_is_a_number(api: Api, seconds: str) -> None:
    assert api.get(f"{CONFIG_MAPS}?watch=true&timeoutSeconds={seconds}").code == 400

"""Who is let in, what is told about the server, and that the rest is refused properly."""

from __future__ import annotations

import ssl
import threading

import pytest
from kube_api import APPLY, Api
from kube_manifests import CONFIG_MAPS, PODS, config_map
from kube_world import TOKEN, Running

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


@pytest.mark.parametrize("token", [None, "wrong"])
def test_nobody_comes_in_without_the_token(running: Running, token: str | None) -> None:
    reply = running.api(token).get("/api/v1/pods")
    assert (reply.code, reply.body["kind"], reply.body["reason"]) == (401, "Status", "Unauthorized")


def test_a_certificate_of_the_authority_is_as_good(running: Running) -> None:
    context = running.context()
    context.load_cert_chain(running.pairs["client"].cert, running.pairs["client"].key)
    assert Api(running.port, context, None).get("/api/v1/pods").code == 200


def test_a_certificate_of_another_authority_is_not(running: Running, tmp_path_factory: pytest.TempPathFactory) -> None:
    from kube_certificates import authority_and

    stranger = authority_and(tmp_path_factory.mktemp("other"), "client")["client"]
    context = running.context()
    context.load_cert_chain(stranger.cert, stranger.key)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Api(running.port, context, None).get("/api/v1/pods")


@pytest.mark.parametrize("header", [{"Impersonate_User": "bob"}, {"Impersonate_Uid": "1"}, {"Impersonate_Group": "g"}])
def test_nobody_is_answered_as_somebody_else(api: Api, header: dict[str, str]) -> None:
    reply = api.get("/api/v1/pods", **header)
    assert (reply.code, reply.body["reason"]) == (403, "Forbidden")
    assert "cannot impersonate others" in reply.body["message"]


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz", "/version", "/version/"])
def test_health_and_version_are_open(running: Running, path: str) -> None:
    assert running.api(None).get(path).code == 200


def test_discovery_tells_the_same_in_both_ways(widgets: Api) -> None:
    classic = {group["name"] for group in widgets.get("/apis").body["groups"]}
    aggregated = widgets.get("/apis", Accept=AGGREGATED)
    assert aggregated.headers["content-type"].startswith("application/json;g=apidiscovery.k8s.io;v=v2")
    assert {item["metadata"]["name"] for item in aggregated.body["items"]} == classic
    assert classic >= {"apps", "apiextensions.k8s.io", "discovery.k8s.io", "coordination.k8s.io", "lab.example"}


def test_a_document_of_openapi_has_everything_it_refers_to(widgets: Api) -> None:
    for path, where in widgets.get("/openapi/v3").body["paths"].items():
        document = widgets.get(where["serverRelativeURL"]).body
        known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
        assert references(document) <= known, path


def test_the_second_openapi_has_no_paths(api: Api) -> None:
    assert api.get("/openapi/v2").body["paths"] == {}
    asked = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    reply = api.get("/openapi/v2", Accept=asked)
    assert reply.headers["content-type"] == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
    assert reply.body == "\x0a\x032.0\x12\x10\x0a\x0aKubernetes\x12\x02v1\x42\x00"


def references(part: object) -> set[str]:
    if isinstance(part, dict):
        own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
        return own.union(*map(references, part.values()))
    return set().union(*map(references, part)) if isinstance(part, list) else set()


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/apis/batch/v1/jobs", 404),
        ("GET", "/apis/nothing.example", 404),
        ("GET", "/nothing", 404),
        ("GET", f"{PODS}/web/portforward", 404),
        ("POST", "/apis/authentication.k8s.io/v1/tokenreviews", 404),
        ("POST", f"{CONFIG_MAPS}/settings", 405),
        ("POST", "/api/v1/configmaps", 405),
        ("PUT", CONFIG_MAPS, 405),
        ("DELETE", "/version", 405),
    ],
)
def test_what_is_not_served_is_refused_with_a_status(api: Api, method: str, path: str, code: int) -> None:
    reply = api.ask(method, path, {} if method in ("POST", "PUT") else None)
    assert reply.code == code
    assert reply.body["kind"] == "Status"
    assert ("details" in reply.body) == (code == 404)


@pytest.mark.parametrize("kind", ["application/cbor", "application/xml", "text/plain"])
def test_bodies_in_other_languages_are_refused(api: Api, kind: str) -> None:
    assert api.ask("POST", CONFIG_MAPS, config_map(), kind).code == 415


def test_custom_resources_have_no_strategic_merge(widgets: Api) -> None:
    reply = widgets.patch("/apis/lab.example/v1/widgets/one", {}, "application/strategic-merge-patch+json")
    assert (reply.code, reply.body["reason"]) == (415, "UnsupportedMediaType")


def test_who_reads_only_protobuf_is_told(api: Api) -> None:
    assert api.get(CONFIG_MAPS, Accept="application/vnd.kubernetes.protobuf").code == 406
    both = "application/vnd.kubernetes.protobuf,application/json"
    assert api.get(CONFIG_MAPS, Accept=both).code == 200


def test_yaml_is_read_where_clients_send_it(running: Running) -> None:
    import http.client

    connection = http.client.HTTPSConnection("127.0.0.1", running.port, context=running.context())
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": APPLY}
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  a: '1'\n"
    connection.request("PATCH", f"{CONFIG_MAPS}/settings?fieldManager=me", text, headers)
    assert connection.getresponse().status == 201


def test_many_clients_at_once_are_all_heard(running: Running) -> None:
    """One event reaches every watch; every writer gets its own version."""
    heard: list[str] = []

    def watch() -> None:
        with running.api().watching(f"{CONFIG_MAPS}?watch=true") as events:
            heard.append(next(events)["object"]["metadata"]["name"])

    threads = [threading.Thread(target=watch) for _ in range(30)]
    for thread in threads:
        thread.start()
    running.api().post(CONFIG_MAPS, config_map())
    for thread in threads:
        thread.join(10)
    assert heard == ["settings"] * 30

"""Evidence is shown and handed on: of a Secret it keeps names and public certificates, nothing else."""

from __future__ import annotations

from typing import Any

from bgplab.judge.evidence import RecordedCluster, Recorder
from bgplab.lab.cluster import CONFIG_MAP, SECRET

KEY = "cHJpdmF0ZQ=="
CA = {"kind": "Secret", "metadata": {"name": "cilium-ca"}, "data": {"ca.crt": "cHVibGlj", "ca.key": KEY}}
CONFIG = {"kind": "ConfigMap", "metadata": {"name": "cilium-config"}, "data": {"cluster-id": "1"}}


class Held:
    name = "west"

    def get(self, kind: Any, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        return {"cilium-ca": CA, "cilium-config": CONFIG}.get(name)

    def list(self, kind: Any, namespace: str | None = None, *, labels: str = "", fields: str = "") -> list[Any]:
        return [CA]


def test_a_secrets_values_are_left_out_but_for_public_certificates() -> None:
    recorder = Recorder()
    cluster = RecordedCluster(Held(), recorder)  # type: ignore[arg-type]
    seen = cluster.get(SECRET, "cilium-ca", "kube-system")
    cluster.list(SECRET, "kube-system")
    assert seen is not None
    assert seen["data"]["ca.key"] == KEY  # who asks gets it; what is kept has it not
    assert KEY not in str(recorder.entries)
    assert [entry.get("object") or entry["items"][0] for entry in recorder.entries] == [
        {**CA, "data": {"ca.crt": "cHVibGlj", "ca.key": "(left out)"}}
    ] * 2


def test_other_objects_are_kept_whole_and_what_is_missing_is_kept_as_missing() -> None:
    recorder = Recorder()
    cluster = RecordedCluster(Held(), recorder)  # type: ignore[arg-type]
    cluster.get(CONFIG_MAP, "cilium-config", "kube-system")
    cluster.get(SECRET, "nothing", "kube-system")
    assert [entry["object"] for entry in recorder.entries] == [CONFIG, None]

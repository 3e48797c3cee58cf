"""An in-process Kubernetes API server: objects, watches, patches, validation and streams, without a cluster behind it.

It knows nothing of labs and imports nothing of this project's other rooms. Everybody talks to it over HTTPS.
"""

from bgplab.backends.embedded.kube.runtime import PodRuntime
from bgplab.backends.embedded.kube.server import KubeServer, ServerSettings

__all__ = ["KubeServer", "PodRuntime", "ServerSettings"]

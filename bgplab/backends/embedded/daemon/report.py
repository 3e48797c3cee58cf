"""What the daemon tells its launcher while it starts: JSON lines on an inherited pipe."""

from __future__ import annotations

import json
import os
from typing import Any


class Report:
    """`phase` as work goes on, then exactly one of `ready` or `failed`. A launcher that has gone is no fault."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def phase(self, text: str) -> None:
        self._say({"phase": text})

    def ready(self, **facts: Any) -> None:
        self._say({"ready": facts})
        os.close(self._descriptor)

    def failed(self, reason: str, exit_status: int) -> None:
        self._say({"failed": reason, "exit_status": exit_status})
        os.close(self._descriptor)

    def _say(self, message: dict[str, Any]) -> None:
        try:
            os.write(self._descriptor, json.dumps(message).encode() + b"\n")
        except OSError:
            return

"""What the server asks of whoever runs the pods."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

Output = Callable[[bytes], Awaitable[None]]
Sizes = asyncio.Queue[tuple[int, int]]


class PodRuntime(Protocol):
    """A kubelet's part behind exec and log. Raises LookupError when the pod or container does not run here."""

    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str | None,
        argv: list[str],
        tty: bool,
        stdin: asyncio.StreamReader | None,
        stdout: Output,
        stderr: Output,
        resize: Sizes | None,
    ) -> int:
        """Run argv in a container and return its exit status when its output is written.

        stdin: None when the client gave none; ends with EOF. resize: (columns, rows), only with a tty.
        Cancelled when the client goes away: the process should go then, too.
        """
        ...

    def logs(
        self, namespace: str, pod: str, container: str | None, *, follow: bool, tail: int | None, previous: bool
    ) -> AsyncIterator[bytes]:
        """What a container wrote, in pieces of any length; tail: the last lines only; follow: until it ends;
        previous: before it was last started.

        Each line has the time of its writing before it: RFC 3339, UTC, with nine digits of the second, and a blank.
        """
        ...

"""How a command asks a cluster: with a short patience, and a word when it takes longer."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar

from rich.console import Console

from nodehealth.kube import connect, errors
from nodehealth.kube.client import Client

A = TypeVar("A")

MANAGER: Final = "nodemend"
PATIENCE: Final = timedelta(seconds=10)
"""How long one request may take, tries included."""
_SILENCE: Final = 2.0


def ask(
    question: Callable[[Client], Awaitable[A]], kubeconfig: Path | None, context: str | None
) -> A:
    """Ask a cluster something.

    Raises:
        nodehealth.kube.errors.KubeError: says in one sentence what is in the way.
    """
    return asyncio.run(_asked(question, kubeconfig, context))


async def _asked(
    question: Callable[[Client], Awaitable[A]], kubeconfig: Path | None, context: str | None
) -> A:
    async with connect.connect(kubeconfig, context=context, manager=MANAGER) as door:
        client = Client(door.transport, manager=MANAGER, deadline=PATIENCE)
        answer = asyncio.ensure_future(question(client))
        try:
            await asyncio.wait({answer}, timeout=_SILENCE)
            if not answer.done():
                with Console(stderr=True).status("asks the API server …"):
                    await asyncio.wait({answer})
            return await answer
        except errors.ForbiddenError as refused:
            raise errors.ForbiddenError(f"you may not do this: {refused}") from refused
        except errors.UnavailableError as away:
            message = f"the API server does not answer: {away}"
            raise errors.UnavailableError(message) from away
        finally:
            answer.cancel()

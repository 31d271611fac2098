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
"""How long we wait for the first sign of life."""
_SILENCE: Final = 2.0
_RIGHTS: Final = "the ClusterRole and the Role nodemend-operator hold the rights for all commands"
_CREDENTIALS: Final = "the token or certificate of the kubeconfig is wrong or has run out"
_WHERE: Final = "which one is asked, $KUBECONFIG, --kubeconfig and --context say"


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
    async with connect.connect(kubeconfig, context=context, manager=MANAGER) as client:
        answer = asyncio.ensure_future(_answer(question, client))
        try:
            await asyncio.wait({answer}, timeout=_SILENCE)
            if not answer.done():
                with Console(stderr=True).status("waits for an answer …"):
                    await asyncio.wait({answer})
            return await answer
        except errors.UnauthorizedError as unknown:
            message = f"the API server does not know you: {unknown}; {_CREDENTIALS}"
            raise errors.UnauthorizedError(message) from unknown
        except errors.ForbiddenError as refused:
            raise errors.ForbiddenError(f"you may not do this: {refused}; {_RIGHTS}") from refused
        except errors.UnavailableError as away:
            message = f"the API server does not answer: {away}; {_WHERE}"
            raise errors.UnavailableError(message) from away
        finally:
            answer.cancel()


async def _answer(question: Callable[[Client], Awaitable[A]], client: Client) -> A:
    """See first whether anybody is there: who is there may take its time for the answer."""
    try:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            await client.version()
    except TimeoutError as silent:
        message = f"no answer within {PATIENCE.seconds} s"
        raise errors.UnavailableError(message) from silent
    except errors.ForbiddenError:
        pass  # an answer all the same; what may be asked is seen next
    return await question(client)

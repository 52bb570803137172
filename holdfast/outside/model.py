"""The language model somewhere else: any OpenAI-compatible service, asked within limits, never waited for."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from holdfast.db import refuse_inside_transaction
from holdfast.log import log

if TYPE_CHECKING:
    from collections.abc import Callable

    from openai import AsyncOpenAI

    from holdfast.settings import Settings

BUDGET = 8.0  # seconds in all; companion.md section 9
CONNECT = 2.0  # seconds
QUEUE = 0.5  # seconds that a call waits for a free place
AT_ONCE = 16
LARGEST = 256 * 1024  # bytes
FAILURES = 5  # in a row open the breaker
PAUSE = 60.0  # seconds that it stays open, then one trial
KEY_PROBLEMS = {400, 401, 402, 403, 404}
WORDS = 400  # tokens that an answer may have


class NoAnswer(Exception):
    """Why there is none, in a word for the log. The caller answers from its own texts."""


class Breaker:
    """Stops asking a service that fails: after FAILURES in a row nobody asks for PAUSE seconds, then one does."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._closed_at = 0.0

    def admit(self) -> None:
        """Raises NoAnswer. The one who tries after the pause holds the others off for another pause."""
        if self._failures < FAILURES:
            return
        if self._clock() < self._closed_at:
            raise NoAnswer("breaker")
        self._closed_at = self._clock() + PAUSE

    def note(self, *, failed: bool) -> None:
        self._failures = self._failures + 1 if failed else 0
        if failed and self._failures >= FAILURES:
            self._closed_at = self._clock() + PAUSE


class Model:
    """One per process. `configured` is false without an address: the companion is complete without it."""

    def __init__(self, settings: Settings) -> None:
        self._url, self._key, self._name = settings.model_url, settings.model_key, settings.model_name
        # Only where the flag is known: other services refuse a field that they do not know.
        self._wishes: dict[str, Any] = {"store": False} if "api.openai.com" in settings.model_url else {}
        self._client: AsyncOpenAI | None = None
        self._places = asyncio.Semaphore(AT_ONCE)
        self._breaker = Breaker()

    @property
    def configured(self) -> bool:
        return bool(self._url)

    async def complete(self, messages: list[dict[str, str]]) -> str:
        """The model's text, not checked yet. Raises NoAnswer, after BUDGET at the latest."""
        refuse_inside_transaction()
        self._breaker.admit()
        try:
            async with asyncio.timeout(QUEUE):
                await self._places.acquire()
        except TimeoutError:
            raise NoAnswer("queue") from None
        try:
            async with asyncio.timeout(BUDGET):
                text = await self._ask(messages)
        except Exception as error:
            self._breaker.note(failed=True)
            raise self._reason(error) from None
        finally:
            self._places.release()
        self._breaker.note(failed=False)
        return text

    async def close(self) -> None:
        if self._client:
            await self._client.close()

    async def _ask(self, messages: list[dict[str, str]]) -> str:
        from openai import APIConnectionError, APITimeoutError

        try:
            return await self._send(messages)
        except APITimeoutError:
            raise
        except APIConnectionError as error:
            if not _never_connected(error):
                raise
        return await self._send(messages)

    async def _send(self, messages: list[dict[str, str]]) -> str:
        completions = self._connected().chat.completions.with_streaming_response
        async with completions.create(model=self._name, messages=messages, max_tokens=WORDS, temperature=0.4, **self._wishes) as response:  # type: ignore[arg-type]
            body = b""
            async for piece in response.iter_bytes():
                body += piece
                if len(body) > LARGEST:
                    raise NoAnswer("too large")
        return _text_of(body)

    def _connected(self) -> AsyncOpenAI:
        """Imported here: a server without a model pays neither the time nor the memory."""
        if self._client is None:
            import httpx2
            from openai import AsyncOpenAI

            timeout = httpx2.Timeout(BUDGET, connect=CONNECT)
            # A redirect would carry the person's words to a host that nobody configured.
            http = httpx2.AsyncClient(timeout=timeout, follow_redirects=False, trust_env=False)
            self._client = AsyncOpenAI(base_url=self._url, api_key=self._key or "none", max_retries=0, timeout=timeout, http_client=http)
        return self._client

    def _reason(self, error: Exception) -> NoAnswer:
        status = getattr(error, "status_code", None)
        reason = str(error) if isinstance(error, NoAnswer) else type(error).__name__
        # Key, address or model name are wrong: only the operator can mend that, so it is said as loudly as a log can.
        level = log.error if status in KEY_PROBLEMS else log.warning
        level("model_failed", provider="model", code=status, reason=reason)
        return NoAnswer(reason)


def _never_connected(error: Exception) -> bool:
    import httpx2

    return isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout)


def _text_of(body: bytes) -> str:
    """Raises NoAnswer for anything but one finished text: HTML, null, a refusal, a content filter."""
    import msgspec

    try:
        choice: Any = msgspec.json.decode(body)["choices"][0]
        message = choice["message"]
        text = message["content"]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, IndexError, TypeError):
        raise NoAnswer("not a completion") from None
    if message.get("refusal") or choice.get("finish_reason") not in ("stop", None):
        raise NoAnswer("unfinished or refused")
    if not isinstance(text, str) or not text.strip():
        raise NoAnswer("empty")
    return text.strip()

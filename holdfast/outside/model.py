"""The language model somewhere else: any OpenAI-compatible service, asked within limits, never waited for."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from holdfast.db import refuse_inside_transaction
from holdfast.log import log

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from openai import AsyncAPIResponse, AsyncOpenAI

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
CHARACTERS = 4  # to a token, about, where the service does not count


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


class Said(NamedTuple):
    """A text of the model, not checked yet, and what it cost."""

    text: str
    tokens: int


class Model:
    """One per process. `configured` is false without an address: the companion is complete without it."""

    def __init__(self, settings: Settings) -> None:
        self._url, self._key, self._name = settings.model_url, settings.model_key, settings.model_name
        # Only where the flag is known: other services refuse a field that they do not know.
        self._wishes: dict[str, Any] = {"store": False} if "api.openai.com" in settings.model_url else {}
        self._client: AsyncOpenAI | None = None
        self._places = asyncio.Semaphore(AT_ONCE)
        self.breaker = Breaker()

    @property
    def configured(self) -> bool:
        return bool(self._url)

    @asynccontextmanager
    async def sitting(self) -> AsyncIterator[Sitting]:
        """A place at the service for one message: all that is asked in it shares BUDGET. Raises NoAnswer when there is none in time."""
        refuse_inside_transaction()
        until = asyncio.get_running_loop().time() + BUDGET
        try:
            async with asyncio.timeout(QUEUE):
                await self._places.acquire()
        except TimeoutError:
            raise NoAnswer("queue") from None
        try:
            yield Sitting(self, until)
        finally:
            self._places.release()

    async def complete(self, messages: list[dict[str, str]]) -> str:
        """One question alone. Raises NoAnswer."""
        async with self.sitting() as sitting:
            return await sitting.complete(messages)

    async def close(self) -> None:
        if self._client:
            await self._client.close()

    @asynccontextmanager
    async def opened(self, messages: list[dict[str, str]], **more: Any) -> AsyncIterator[AsyncAPIResponse[Any]]:
        """An answer whose body is still to come. A connection that was never made is tried once more."""
        completions = self._connected().chat.completions.with_streaming_response
        asked = {"model": self._name, "messages": messages, "max_tokens": WORDS, "temperature": 0.4, **self._wishes, **more}
        async with AsyncExitStack() as stack:
            try:
                response = await stack.enter_async_context(completions.create(**asked))
            except Exception as error:
                if not _never_connected(error):
                    raise
                response = await stack.enter_async_context(completions.create(**asked))
            yield response

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

    def failed(self, error: Exception) -> NoAnswer:
        """The breaker and the log hear of it; the caller raises what comes back."""
        self.breaker.note(failed=True)
        status = getattr(error, "status_code", None)
        reason = str(error) if isinstance(error, NoAnswer) else type(error).__name__
        # Key, address or model name are wrong: only the operator can mend that, so it is said as loudly as a log can.
        if status in KEY_PROBLEMS:
            log.error("model_refuses_us", provider="model", code=status, reason=reason, rule_id="model-key")
        else:
            log.warning("model_failed", provider="model", code=status, reason=reason)
        return NoAnswer(reason)


class Sitting:
    """What may be asked for one message, and what it has cost so far."""

    def __init__(self, model: Model, until: float) -> None:
        self._model, self._until = model, until
        self.calls = self.tokens = 0

    async def complete(self, messages: list[dict[str, str]]) -> str:
        """The model's text, not checked yet. Raises NoAnswer, at the end of the budget at the latest."""
        self._model.breaker.admit()
        self.calls += 1
        try:
            async with asyncio.timeout_at(self._until), self._model.opened(messages) as response:
                said = _text_of(b"".join([piece async for piece in _limited(response)]))
        except Exception as error:
            raise self._model.failed(error) from None
        self._model.breaker.note(failed=False)
        self.tokens += said.tokens or _guessed(messages, said.text)
        return said.text

    async def stream(self, messages: list[dict[str, str]]) -> AsyncIterator[str]:
        """The text in pieces as they come, not checked yet. Raises NoAnswer, also when it breaks off."""
        self._model.breaker.admit()
        self.calls += 1
        text, source = "", self._pieces(messages)
        try:
            while (piece := await self._in_time(source)) is not None:
                text += piece
                yield piece
        except Exception as error:
            raise self._model.failed(error) from None
        finally:
            await source.aclose()
            self.tokens += _guessed(messages, text)
        self._model.breaker.note(failed=False)

    async def _in_time(self, source: AsyncGenerator[str, None]) -> str | None:
        """One piece. The limit holds for the waiting alone: around a `yield` it would strike whoever reads."""
        async with asyncio.timeout_at(self._until):
            return await anext(source, None)

    async def _pieces(self, messages: list[dict[str, str]]) -> AsyncGenerator[str, None]:
        async with self._model.opened(messages, stream=True) as response:
            async for piece in _pieces_of(response):
                yield piece


def _never_connected(error: Exception) -> bool:
    import httpx2
    from openai import APIConnectionError, APITimeoutError

    return isinstance(error, APIConnectionError | APITimeoutError) and isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout)


def _guessed(messages: list[dict[str, str]], text: str) -> int:
    """For a service that does not say what it counted."""
    return (sum(len(message["content"]) for message in messages) + len(text)) // CHARACTERS


async def _limited(response: AsyncAPIResponse[Any]) -> AsyncIterator[bytes]:
    seen = 0
    async for piece in response.iter_bytes():
        seen += len(piece)
        if seen > LARGEST:
            raise NoAnswer("too large")
        yield piece


def _text_of(body: bytes) -> Said:
    """Raises NoAnswer for anything but one finished text: HTML, null, a refusal, a content filter."""
    import msgspec

    try:
        answer: Any = msgspec.json.decode(body)
        choice = answer["choices"][0]
        message = choice["message"]
        text = message["content"]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, IndexError, TypeError):
        raise NoAnswer("not a completion") from None
    if message.get("refusal") or choice.get("finish_reason") not in ("stop", None):
        raise NoAnswer("unfinished or refused")
    if not isinstance(text, str) or not text.strip():
        raise NoAnswer("empty")
    usage = answer.get("usage") if isinstance(answer.get("usage"), dict) else {}
    tokens = usage.get("total_tokens")
    return Said(text.strip(), tokens if isinstance(tokens, int) and 0 < tokens < LARGEST else 0)


async def _pieces_of(response: AsyncAPIResponse[Any]) -> AsyncIterator[str]:
    """Raises NoAnswer unless the text comes to its own end."""
    held, finished = b"", False
    async for piece in _limited(response):
        *lines, held = (held + piece).split(b"\n")
        for line in lines:
            if not line.startswith(b"data:") or b"[DONE]" in line:
                continue
            text, ends = _piece_of(line[5:])
            finished = finished or ends
            if text:
                yield text
    if not finished:
        raise NoAnswer("broken off")


def _piece_of(line: bytes) -> tuple[str, bool]:
    """The words of one event, and whether the text ends with it. Raises NoAnswer."""
    import msgspec

    try:
        choices: Any = msgspec.json.decode(line)["choices"]
        choice = choices[0] if choices else {"delta": {}}
        said = choice.get("delta") or {}
        text, reason = said.get("content") or "", choice.get("finish_reason")
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, IndexError, TypeError, AttributeError):
        raise NoAnswer("not a completion") from None
    if said.get("refusal") or reason not in ("stop", None) or not isinstance(text, str):
        raise NoAnswer("unfinished or refused")
    return text, reason == "stop"

"""What an operator decides; everything else is a constant beside its use."""

import os
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from socket import inet_aton
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

PREFIX = "HOLDFAST_"
LOOPBACK = {"127.0.0.1", "::1", "localhost"}
LISTS = ("origins", "trusted_proxies", "sms_countries", "apprise_channels", "on_call", "link_keys", "vault_keys")
VAULT_KEY = 32  # characters of a secret in hexadecimal digits with 128 bits
UNREACHABLE = "The database cannot be reached. HOLDFAST_DATABASE_URL names where it should be."


class Refused(Exception):
    """Why a process does not start, as a sentence for its operator."""


class WrongSettings(Refused):
    """Names each setting that is wrong, never its value: it may be a secret."""


class Settings(Struct, frozen=True, kw_only=True):
    """Read once, at start, from HOLDFAST_* in the environment and in `.env`; the environment wins."""

    data_dir: Annotated[Path, Meta(description="Folder of the SQLite database and its copies.")] = Path("var")
    database_url: Annotated[str, Meta(description="postgresql://user:password@host/name. Empty: SQLite in the data folder.")] = ""
    smtp_url: Annotated[str, Meta(description="smtp://user:password@host:587 (STARTTLS) or smtps://host:465. Empty: no e-mail is sent.")] = ""
    mail_from: Annotated[str, Meta(description="Sender address of every e-mail, for instance Care line <care@example.org>.")] = ""
    sms_url: Annotated[
        str, Meta(description="Twilio-shaped service, https://ACCOUNT:SECRET@host/2010-04-01/Accounts/ACCOUNT/Messages.json. Empty: no SMS is sent.")
    ] = ""
    sms_from: Annotated[str, Meta(description="Number or sender id of every SMS.")] = ""
    sms_countries: Annotated[tuple[str, ...], Meta(description="Countries that SMS may go to, as UA,DE. Empty: any.")] = ()
    sms_price: Annotated[float, Meta(ge=0, description="What one part of an SMS costs, in any currency; for cap_money_day.")] = 0.0
    apprise_channels: Annotated[
        tuple[str, ...],
        Meta(description="Further channels as name=Apprise address with {to} for the person's, for instance ntfy=ntfys://ntfy.example.org/{to}."),
    ] = ()
    senders: Annotated[Literal["live", "sandbox"], Meta(description="sandbox stores every message instead of sending it.")] = "live"
    pool_email: Annotated[int, Meta(ge=1, description="E-mails on their way at once.")] = 8
    pool_sms: Annotated[int, Meta(ge=1, description="SMS on their way at once.")] = 8
    lease: Annotated[int, Meta(ge=3, description="Seconds for which one worker holds a message; longer than send_limit.")] = 30
    send_limit: Annotated[int, Meta(ge=1, description="Seconds for one send from end to end.")] = 20
    poll: Annotated[float, Meta(gt=0, description="Seconds between a worker's looks at what is due.")] = 0.5
    fallback_after: Annotated[int, Meta(ge=1, description="Seconds without acceptance after which a person's next channel is started.")] = 15
    grace_max: Annotated[int, Meta(ge=1, description="Longest window, in seconds, in which a press can be taken back before anybody is told.")] = 30
    invite_ttl: Annotated[int, Meta(ge=60, description="Seconds for which an invitation can be answered.")] = 172800
    cap_sms_10_minutes: Annotated[int, Meta(ge=0, description="SMS to one number in ten minutes.")] = 3
    cap_sms_day: Annotated[int, Meta(ge=0, description="SMS to one number in a day.")] = 10
    cap_user_day: Annotated[int, Meta(ge=0, description="SMS for one user in a day.")] = 20
    cap_hour: Annotated[int, Meta(ge=0, description="SMS in an hour, for everybody.")] = 1000
    cap_money_day: Annotated[float, Meta(ge=0, description="Money for SMS in a day, in the currency of sms_price. 0: no limit.")] = 0.0
    on_call: Annotated[
        tuple[str, ...], Meta(description="Staff who are paged, as USERNAME or USERNAME:+49..., separated by commas. Empty: all staff.")
    ] = ()
    link_keys: Annotated[
        tuple[str, ...],
        Meta(description="Secrets that sign the links in messages: the first signs, all are valid. Empty: one is made and kept in the data folder."),
    ] = ()
    vault_keys: Annotated[
        tuple[str, ...],
        Meta(
            description="Secrets of 32 characters or more that guard what people tell the companion: the first seals, all open. "
            "Empty: those of vault_key_file; in development one is made and kept in the data folder."
        ),
    ] = ()
    vault_key_file: Annotated[
        str, Meta(description="File that holds these secrets instead, one a line: apart from the data folder and from every backup of it.")
    ] = ""
    operator_page_url: Annotated[
        str,
        Meta(
            description="Where the operator is paged: smtp(s)://...?to=, http(s):// for a JSON webhook, ntfy(s)://host/topic, or an Apprise address."
        ),
    ] = ""
    deadman_url: Annotated[str, Meta(description="Fetched every 30 s while all is well.")] = ""
    metrics_port: Annotated[int, Meta(ge=0, le=65535, description="Port on 127.0.0.1 for Prometheus, served by the watchdog. 0: none.")] = 0
    model_url: Annotated[str, Meta(description="Base address of an OpenAI-compatible service. Empty: built-in answers only.")] = ""
    model_key: Annotated[str, Meta(description="Key of that service.")] = ""
    model_name: Annotated[str, Meta(description="Model that is asked for.")] = ""
    model_consent: Annotated[
        Literal["ask", "not_required"],
        Meta(description="not_required only where the model runs on your own machines; else each person is asked first."),
    ] = "ask"
    model_calls_user_day: Annotated[
        int, Meta(ge=0, description="Calls to the model for one user in a day; above it the built-in guidance answers.")
    ] = 200
    model_calls_day: Annotated[int, Meta(ge=0, description="Calls to the model in a day, for everybody.")] = 5000
    public_url: Annotated[str, Meta(description="Address under which people reach the server, for instance https://help.example.org.")] = ""
    origins: Annotated[
        tuple[str, ...], Meta(description="Origins of other web clients, separated by commas. The server's own is always allowed.")
    ] = ()
    trusted_proxies: Annotated[tuple[str, ...], Meta(description="Addresses whose X-Forwarded-* headers are believed, separated by commas.")] = ()
    token_in_query: Annotated[bool, Meta(description="Whether a WebSocket may carry its token as ?token=, which proxies tend to log.")] = True
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="The least serious event that is written.")] = "info"

    @property
    def production(self) -> bool:
        return bool(self.public_url)

    @property
    def vault_secrets(self) -> tuple[str, ...]:
        """The operator's own; empty where the data folder keeps one."""
        if self.vault_keys or not self.vault_key_file:
            return self.vault_keys
        lines = Path(self.vault_key_file).read_text(encoding="utf-8").splitlines()
        return tuple(line.strip() for line in lines if line.strip())

    @property
    def address(self) -> str:
        """Where the links in messages lead."""
        return self.public_url.rstrip("/") or "http://127.0.0.1:8000"

    @property
    def postgres(self) -> bool:
        return bool(self.database_url)


def from_environment(environment: Mapping[str, str] = os.environ, dotenv: Path = Path(".env")) -> Settings:
    """Raises WrongSettings."""
    named = {name: value for name, value in _named(environment, dotenv).items() if name in Settings.__struct_fields__}
    lists = {name: _listed(named[name]) for name in LISTS if name in named}
    try:
        settings = msgspec.convert(named | lists, Settings, strict=False, dec_hook=lambda kind, value: kind(value))
    except msgspec.ValidationError as wrong:
        name = str(wrong).rpartition("$.")[2].strip("`")
        raise WrongSettings(f"{PREFIX}{name.upper()} has no usable value.") from None
    _check(settings)
    return settings


def without_effect(environment: Mapping[str, str] = os.environ, dotenv: Path = Path(".env")) -> list[str]:
    """What is set but not known to this version: a typo must not look like a decision. HOLDFAST_TEST_* belongs to the tests."""
    unknown = _named(environment, dotenv).keys() - set(Settings.__struct_fields__)
    return sorted(PREFIX + name.upper() for name in unknown if not name.startswith("test_"))


def _named(environment: Mapping[str, str], dotenv: Path) -> dict[str, str]:
    given = _dotenv(dotenv) | dict(environment)
    return {name.removeprefix(PREFIX).lower(): value for name, value in given.items() if name.startswith(PREFIX)}


def _check(settings: Settings) -> None:
    problems = []
    if settings.postgres and urlsplit(settings.database_url).scheme not in ("postgresql", "postgres"):
        problems.append("HOLDFAST_DATABASE_URL must begin with postgresql://.")
    if settings.smtp_url:
        mail = urlsplit(settings.smtp_url)
        if mail.scheme not in ("smtp", "smtps") or not mail.hostname:
            problems.append("HOLDFAST_SMTP_URL must look like smtp://user:password@host:587 or smtps://host:465.")
        if not is_sender(settings.mail_from):
            problems.append("HOLDFAST_MAIL_FROM is needed beside HOLDFAST_SMTP_URL, as Care line <care@example.org>.")
    if settings.sms_url and not _is_private(settings.sms_url):
        problems.append("HOLDFAST_SMS_URL must begin with https://, unless it is on this machine.")
    if settings.sms_url and not settings.sms_from:
        problems.append("HOLDFAST_SMS_FROM is needed beside HOLDFAST_SMS_URL.")
    if settings.lease <= settings.send_limit + 1:
        problems.append("HOLDFAST_LEASE must be longer than HOLDFAST_SEND_LIMIT by more than a second: no send may outlive its lease.")
    if settings.model_url and not settings.model_name:
        problems.append("HOLDFAST_MODEL_NAME is needed beside HOLDFAST_MODEL_URL.")
    if settings.model_url and not _may_hear_people(settings.model_url):
        problems.append(
            "HOLDFAST_MODEL_URL must begin with https://, or with http:// and a private address; link-local and metadata addresses are refused."
        )
    problems += _check_vault(settings)
    if settings.production:
        problems += _check_production(settings)
    if problems:
        raise WrongSettings(" ".join(problems))


def _check_production(settings: Settings) -> list[str]:
    """A public address without TLS would carry tokens in clear; without named proxies all the world shares one throttle."""
    public = urlsplit(settings.public_url)
    if public.scheme not in ("http", "https") or not public.hostname:
        return ["HOLDFAST_PUBLIC_URL must look like https://help.example.org."]
    if public.hostname in LOOPBACK:
        return []
    problems = []
    if public.scheme != "https":
        problems.append("HOLDFAST_PUBLIC_URL must begin with https://.")
    if not settings.trusted_proxies:
        problems.append("HOLDFAST_TRUSTED_PROXIES must name the proxy that ends TLS.")
    if "*" in settings.trusted_proxies:
        problems.append("HOLDFAST_TRUSTED_PROXIES must name addresses, not *.")
    if not settings.vault_keys and not settings.vault_key_file:
        problems.append("HOLDFAST_VAULT_KEYS or HOLDFAST_VAULT_KEY_FILE must give the key of the vault: one beside the database would leave with it.")
    return problems


def _check_vault(settings: Settings) -> list[str]:
    try:
        secrets = settings.vault_secrets
    except (OSError, ValueError):
        return ["HOLDFAST_VAULT_KEY_FILE cannot be read."]
    if any(len(secret) < VAULT_KEY for secret in secrets) or (settings.vault_key_file and not secrets):
        return [f"Each key of the vault needs {VAULT_KEY} characters or more; `openssl rand -hex 32` makes one."]
    return []


def _is_private(url: str) -> bool:
    where = urlsplit(url)
    return where.scheme == "https" or (where.scheme == "http" and where.hostname in LOOPBACK)


def _may_hear_people(url: str) -> bool:
    """In clear only inside the operator's own network (an address, a name without a dot), never where a cloud keeps its secrets: security.md N5."""
    from holdfast.outside.web import forbidden

    try:
        where = urlsplit(url)
        host = where.hostname or ""
        address = _address(host)
    except ValueError:
        return False
    if not host or (address and forbidden(str(address))):
        return False
    near = host in LOOPBACK or address.is_private if address else "." not in host and host != "metadata"
    return where.scheme == "https" or (where.scheme == "http" and near)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """Also as one number or in hexadecimal digits, as the system reads it; None for a name."""
    try:
        found = ip_address(host.partition("%")[0])
    except ValueError:
        try:
            return IPv4Address(inet_aton(host))
        except OSError:
            return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def is_sender(address: str) -> bool:
    """An address, with or without a name before it: a wrong one would spoil every message, not one."""
    from email.errors import MessageError
    from email.headerregistry import Address
    from email.utils import parseaddr

    try:
        return bool(Address(addr_spec=parseaddr(address)[1]).domain.encode("idna"))
    except (ValueError, IndexError, MessageError):
        return False


def _listed(value: str) -> list[str]:
    return [part.strip().rstrip("/") for part in value.split(",") if part.strip()]


def _dotenv(path: Path) -> dict[str, str]:
    """NAME=value lines; blank lines and # comments are passed over, one pair of quotes is taken off."""
    if not path.is_file():
        return {}
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("'\"") for name, _, value in pairs}

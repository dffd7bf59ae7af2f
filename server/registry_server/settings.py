"""What the server is told from outside, read once at start."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from registry_core.errors import Invalid

UPLOAD_GRACE_SECONDS = 48 * 3600
"""For how long bytes that an account uploaded may be named in a commit without being sent again."""


@dataclass(frozen=True)
class Settings:
    """All settings of one server. Built by `from_environment`, or by hand in tests."""

    data: Path
    secret_key: str  # signs upload addresses
    public_url: str | None = None  # how clients reach us; None means: as the request's Host header says
    trusted_proxies: int = 0  # how many proxies before us may set X-Forwarded-*
    threads: int = 400
    multipart_bytes: int = 1 << 30  # files above this size are sent in parts, where the client can
    part_bytes: int = 64 << 20

    @property
    def catalog_path(self) -> Path:
        return self.data / "catalog.sqlite3"

    @property
    def blobs_path(self) -> Path:
        return self.data / "blobs"

    @property
    def admin_token_path(self) -> Path:
        return self.data / "admin-token"


def from_environment(data: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings for the data folder `data`, which is made when it is not there.

    Raises Invalid for a value that makes no sense.
    """
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Invalid(
            f"The data folder {data} cannot be made: {error.strerror}.", hint="Name another with --data."
        ) from error
    return Settings(
        data=data.resolve(),
        secret_key=environment.get("REGISTRY_SECRET_KEY") or _kept_secret(data / "secret-key"),
        public_url=_url(environment.get("REGISTRY_PUBLIC_URL")),
        trusted_proxies=_count(environment, "REGISTRY_TRUSTED_PROXIES", 0),
        threads=max(1, _count(environment, "REGISTRY_THREADS", 400)),
    )


def write_private(path: Path, text: str, *, keep: bool = False) -> None:
    """Write a file that only its owner may read, complete or not at all; `keep` leaves one that is there already."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        if keep:
            with contextlib.suppress(FileExistsError):
                os.link(temporary, path)  # unlike a rename, a link does not take the place of what is there
        else:
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _kept_secret(path: Path) -> str:
    """The secret of this data folder, made at the first start; several servers on one folder share it."""
    if not path.exists():
        # A server and an admin command may both start on an empty folder: whoever comes second takes the first one's.
        write_private(path, secrets.token_urlsafe(32) + "\n", keep=True)
    return path.read_text().strip()


def _url(text: str | None) -> str | None:
    if text and not text.startswith(("http://", "https://")):
        raise Invalid(f"REGISTRY_PUBLIC_URL is {text!r}, which is not an http address.")
    return text.rstrip("/") if text else None


def _count(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isdecimal():
        raise Invalid(f"{name} is {text!r}, which is not a whole number.")
    return int(text)

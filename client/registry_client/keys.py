"""The keys that somebody signs with, on this computer.

~/.config/model-commons/keys/NAME.pem   the private part, PKCS8, for its owner's eyes only
~/.config/model-commons/keys/NAME.pub   the public part, SubjectPublicKeyInfo
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from pathlib import Path

from registry_client.config import connection, login_path
from registry_client.remote import Remote
from registry_client.writing import rewrite
from registry_core.errors import AlreadyExists, Invalid, NotFound
from registry_core.records import PublicKey
from registry_core.signing import key_id, new_key

DEFAULT_NAME = "default"

# An Ed25519 key in DER has one form: these twelve bytes, and the key (RFC 8410).
_PREFIX = bytes.fromhex("302a300506032b6570032100")
_NAME = re.compile("[a-z0-9][a-z0-9_-]{0,63}")


def new(name: str = DEFAULT_NAME, *, environ: Mapping[str, str] | None = None) -> PublicKey:
    """Make a key and keep it; its public part. Raises AlreadyExists, and Invalid without the extra `sign`."""
    private, public = _files(name, environ)
    if private.exists():
        raise AlreadyExists(f"There is a key {name!r} already.", hint="Choose another --name; keys are never replaced.")
    pair = new_key()
    private.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    rewrite(private, pair.private_pem.decode(), private=True)
    body = base64.b64encode(_PREFIX + bytes.fromhex(pair.public)).decode()
    rewrite(public, f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
    return show(name, environ=environ)


def listed(*, environ: Mapping[str, str] | None = None) -> list[PublicKey]:
    """The public parts of all keys, by name."""
    folder = _folder(environ)
    names = sorted(path.stem for path in folder.glob("*.pub")) if folder.is_dir() else []
    return [show(name, environ=environ) for name in names]


def show(name: str = DEFAULT_NAME, *, environ: Mapping[str, str] | None = None) -> PublicKey:
    """The public part of a key. Raises NotFound."""
    _, path = _files(name, environ)
    public = _public_of(_text(path, name), path)
    return PublicKey(key_id(public), public, name, account=None, created_at=None)


def private_pem(name: str = DEFAULT_NAME, *, environ: Mapping[str, str] | None = None) -> bytes:
    """The private part of a key. Raises NotFound."""
    path, _ = _files(name, environ)
    return _text(path, name).encode()


def register(name: str = DEFAULT_NAME, *, endpoint: str | None = None, token: str | None = None) -> PublicKey:
    """Tell the server that signatures of this key are yours; it gets the public part only."""
    key = show(name)
    to = connection(endpoint, token)
    with Remote(to.endpoint, to.token) as remote:
        return remote.register_key(key.public, key.name)


def _folder(environ: Mapping[str, str] | None) -> Path:
    return login_path(os.environ if environ is None else environ).parent / "keys"


def _files(name: str, environ: Mapping[str, str] | None) -> tuple[Path, Path]:
    if not _NAME.fullmatch(name):
        raise Invalid(f"{name[:80]!r} is not a name for a key.", hint="Use lower-case letters, digits, - and _.")
    folder = _folder(environ)
    return folder / f"{name}.pem", folder / f"{name}.pub"


def _text(path: Path, name: str) -> str:
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError as error:
        raise NotFound(f"There is no key {name!r} here.", hint=f"Make one: registry keys new --name {name}") from error
    except (OSError, ValueError) as error:
        raise Invalid(f"The key {path} cannot be read.") from error


def _public_of(pem: str, path: Path) -> str:
    body = "".join(line for line in pem.splitlines() if not line.startswith("-----"))
    try:
        der = base64.b64decode(body, validate=True)
    except ValueError:
        der = b""
    if not der.startswith(_PREFIX) or len(der) != len(_PREFIX) + 32:
        raise Invalid(f"{path} holds no Ed25519 public key.", hint="Make another key with `registry keys new`.")
    return der[len(_PREFIX) :].hex()

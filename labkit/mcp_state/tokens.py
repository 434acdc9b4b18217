"""Who asks over HTTP: a token for each agent, of which the server keeps a digest, the owner's name and the agent's.

    <sha256 of the token> <owner> <agent>       a line of the file

Two agents of one owner have two tokens: one can be taken back without the other. A line that is deleted is a token that
is refused at once, and whoever listens with it hears no hint any more, although the stream stays open. This is no
authorization server (OAuth): it issues by hand, and tokens do not end by themselves.
"""

import hashlib
import os
import secrets
from pathlib import Path

from filelock import FileLock
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings

from labkit.files import write_atomically
from labkit.mcp_state.states import NAME

PATIENCE = 10
"""Seconds that `issue` waits for others who do the same."""


def issue(path: Path, owner: str, agent: str) -> str:
    """A new token, whose digest is added to the file; nobody can read it from there. ValueError for other names.

    Under a lock: of those who read the file, add a line and write it at once, one would lose the other's.
    """
    for name in (owner, agent):
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name: 1 to 64 of a-z, 0-9, - and _")
    token = secrets.token_urlsafe(32)
    with FileLock(path.with_name(f".{path.name}.lock"), timeout=PATIENCE):
        known = path.read_bytes() if path.exists() else b""
        if known and not known.endswith(b"\n"):
            known += b"\n"  # an editor has left it out, and two lines would be one
        write_atomically(path, known + f"{_digest(token)} {owner} {agent}\n".encode())
        os.chmod(path, 0o600)
    return token


class TokenFile:
    """Verifies tokens by the file, which is read at each request: a class has few."""

    def __init__(self, path: Path) -> None:
        """OSError if there is no such file."""
        self._path = path
        path.read_bytes()

    async def verify_token(self, token: str) -> AccessToken | None:
        """Whose it is; None if it is nobody's, as everyone's is while the file cannot be read."""
        try:
            lines = self._path.read_text("utf-8", errors="replace").splitlines()
        except OSError:
            return None
        for line in lines:
            digest, owner, agent = [*line.split(), "", "", ""][:3]
            if secrets.compare_digest(digest.encode(), _digest(token).encode()) and NAME.fullmatch(owner):
                return AccessToken(token=token, client_id=agent, subject=owner, scopes=[])
        return None


def settings(url: str) -> AuthSettings:
    """For MCPServer, which demands an issuer's URL: it is told to nobody, as there is no issuer to be asked."""
    return AuthSettings(issuer_url=url, resource_server_url=None)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()

"""Settings of a backend, with the checks that need neither a model nor a network."""

import importlib.util
import re
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from privcam_vlm.vlm_errors import Unusable

OFF, TRANSFORMERS, OPENAI = "", "transformers", "openai"
KINDS = (OFF, TRANSFORMERS, OPENAI)
# A key in a parameter would stand in process lists, launch files and bags of parameter events.
KEY_VARIABLE = "PRIVCAM_VLM_KEY"
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_PACKAGES = {TRANSFORMERS: ("torch", "transformers", "PIL"), OPENAI: ("openai",)}


@dataclass(frozen=True)
class Settings:
    """Which model is asked, where, and how often. The names are those of the node's parameters.

    vlm: one of KINDS but OFF. vlm_model: a folder or a hub id, or the name at the server. vlm_url: of the server.
    vlm_period_s: between two queries. vlm_budget_s: for one. vlm_adapter: file that maps z to the model, or empty.
    Raises Unusable, naming the parameter, for what cannot work.
    """

    vlm: str
    vlm_model: str
    vlm_url: str = ""
    vlm_period_s: float = 2.0
    vlm_budget_s: float = 10.0
    vlm_adapter: str = ""

    def __post_init__(self) -> None:
        if self.vlm not in _PACKAGES:
            raise Unusable(f"vlm: {self.vlm!r} is not one of {', '.join(_PACKAGES)}")
        if not self.vlm_model:
            raise Unusable(f"vlm_model: is empty; name the model that vlm {self.vlm} is to ask")
        if self.vlm == OPENAI:
            require_private(self.vlm_url)
            if self.vlm_adapter:
                raise Unusable("vlm_adapter: z cannot be given to a server; leave it empty or use vlm transformers")
        else:
            if self.vlm_url:
                raise Unusable("vlm_url: vlm transformers asks no server; leave it empty or use vlm openai")
            if self.folder is None and _HUB_ID.fullmatch(self.vlm_model) is None:
                raise Unusable(f"vlm_model: {self.vlm_model!r} is neither a folder that is there nor the id of a model")
        for package in _PACKAGES[self.vlm]:
            if importlib.util.find_spec(package) is None:
                raise Unusable(
                    f"vlm: {self.vlm} needs the package {package}; "
                    "install requirements/generative.txt into the environment of privcam"
                )

    @property
    def folder(self) -> Path | None:
        """The folder of the model; None where it comes from the hub."""
        path = Path(self.vlm_model).expanduser()
        return path if path.is_dir() else None

    @property
    def model_id(self) -> str:
        """Name of the model in reports. Of a folder only the last part is named."""
        name = self.folder.resolve().name if self.vlm == TRANSFORMERS and self.folder else self.vlm_model
        return f"{self.vlm}:{name}"


def is_plain(url: str) -> bool:
    """Return whether data to this URL is sent unencrypted."""
    return urlsplit(url).scheme == "http"


def require_private(url: str) -> None:
    """Raise Unusable unless data to this URL is encrypted or stays on this host: https, or http to the loopback.

    The data shows no person's appearance, but the environment and the events in it are still not public.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port  # raises where it is none
    except ValueError as error:
        raise Unusable(f"vlm_url: {url!r} is no URL: {error}") from error
    if parts.username is not None or parts.password is not None:
        raise Unusable(f"vlm_url: holds a name or a password; put the key into the variable {KEY_VARIABLE}")
    if parts.scheme not in ("http", "https") or not host:
        raise Unusable(f"vlm_url: {url!r} is not of the form http://127.0.0.1:8000/v1 or https://host/v1")
    if parts.query or parts.fragment:
        raise Unusable(f"vlm_url: {url!r} has more than host and path")
    if parts.scheme == "http" and not _is_loopback(host):
        raise Unusable(f"vlm_url: {url!r} goes to another host in plain text; use https, or a tunnel to the loopback")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False

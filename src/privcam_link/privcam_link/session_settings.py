"""Settings of the Zenoh session of one end of the link: endpoints, certificates and access rules."""

from datetime import datetime, timezone
from pathlib import Path

from privcam_link.access_control import camera_access, cloud_access, loopback_access, tls_settings
from privcam_link.credentials import Credentials, Role, load
from privcam_link.endpoints import check_endpoint, connect_settings, listen_settings

# The diagnostics warn of a certificate with fewer days left than this.
WARN_DAYS = 30.0


def camera_end(camera_id: str, endpoints: str, credentials: str = "") -> tuple[dict[str, str], Credentials | None]:
    """Return the settings of a camera's session, and its credentials if it has any.

    endpoints: of one or more clouds, separated by blanks. credentials: folder, or empty on the loopback.
    Raises ValueError for an endpoint that may not be used, and for credentials that cannot be used.
    """
    if not endpoints.split():
        raise ValueError(f"endpoint: {endpoints!r} names no cloud; give one, or several separated by blanks")
    known = load(Path(credentials), role=Role.CAMERA, camera_id=camera_id) if credentials else None
    settings = connect_settings(
        [check_endpoint(text, secured=known is not None, connects=True) for text in endpoints.split()]
    )
    if known is None:
        return {**settings, **loopback_access(camera_id)}, None
    return {**settings, **tls_settings(known), **camera_access(known)}, known


def cloud_end(endpoint: str, credentials: str = "") -> tuple[dict[str, str], Credentials | None]:
    """Return the settings of a cloud's session, and its credentials if it has any; see `camera_end`."""
    known = load(Path(credentials), role=Role.CLOUD) if credentials else None
    settings = listen_settings(check_endpoint(endpoint, secured=known is not None))
    if known is None:
        return {**settings, **loopback_access()}, None
    return {**settings, **tls_settings(known), **cloud_access(known)}, known


def days_left(credentials: Credentials) -> float:
    """Return the days until a certificate ends, from now; negative once it has."""
    return credentials.days_left(datetime.now(timezone.utc))


def certificate_warning(credentials: Credentials | None) -> str:
    """Return a warning if a certificate ends soon or has ended, otherwise an empty text."""
    if credentials is None:
        return ""
    days = days_left(credentials)
    if days >= WARN_DAYS:
        return ""
    state = f"ends in {days:.0f} days" if days > 0 else "has ended"
    renew = f"privcam keys renew {credentials.identity.name}"
    return f"certificate {credentials.name} {state}: run `{renew}` and copy the folder"

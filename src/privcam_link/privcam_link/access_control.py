"""Access rules of both ends of the link as Zenoh settings: peers, keys, message kinds and sizes.

Each function returns {name of a setting: JSON5 text} for `zenoh.Config.insert_json5`. Everything without a rule is
denied. A camera publishes on its own key and subscribes to nothing; a cloud and a viewer subscribe and query and never
put. Both ends enforce the rules in both directions, so one compromised end alone cannot break them.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from privcam_link.cdr import MAX_OMEGA_BYTES
from privcam_link.credentials import Credentials, Role
from privcam_link.wire import ALL_CAMERAS, BACKLOG, key_expression

Settings = dict[str, str]

# An attachment is a few hundred bytes of ASCII; `wire` rejects a longer one than this.
MAX_ATTACHMENT_BYTES = 1024
MAX_PUT_BYTES = MAX_OMEGA_BYTES + MAX_ATTACHMENT_BYTES
# A query is a key and parameters. Zenoh counts body and attachment, which a query has not.
MAX_QUERY_BYTES = 0
# Memory that Zenoh buffers for one message before it applies the rules; a longer message is dropped without a log line.
# Twice the allowed size, so that a message slightly over the limit is still denied with the name of the peer.
MAX_MESSAGE_BYTES = 2 * MAX_PUT_BYTES

# Message kinds that a camera sends, and that it receives. A declaration includes its withdrawal. Only a cloud may query
# the backlog, which has a key of its own, because an acknowledgement lets the edge delete.
_CAMERA_SENDS = ("put", "reply", "declare_queryable", "liveliness_token")
_CAMERA_RECEIVES = ("declare_subscriber", "query", "declare_liveliness_subscriber", "liveliness_query")
_BACKLOG_REPLIES = ("reply", "declare_queryable")
_BACKLOG_QUERIES = ("query",)
_ALL_BACKLOGS = ALL_CAMERAS + BACKLOG
_SIZE_LIMITS = {"put": MAX_PUT_BYTES, "reply": MAX_PUT_BYTES, "query": MAX_QUERY_BYTES, "delete": 0}

Rule = dict[str, Any]


def tls_settings(credentials: Credentials) -> Settings:
    """Return the settings for TLS with certificates on both sides, and no other protocol.

    The connecting side checks that the certificate is of this authority, for a server, and for the address that it
    connected to; the listening side requires a certificate of this authority. A connection ends when either
    certificate expires.
    """
    # When Zenoh connects it also trusts the public web authorities. They issue no name like `cloud.hq.1`; the access
    # rules go by that name, so a peer with such a certificate is denied.
    side = "listen" if credentials.role is Role.CLOUD else "connect"
    tls: dict[str, str | bool] = {
        "root_ca_certificate": str(credentials.ca),
        f"{side}_certificate": str(credentials.certificate),
        f"{side}_private_key": str(credentials.key),
        "enable_mtls": True,
        "verify_name_on_connect": True,
        "close_link_on_expiration": True,
    }
    settings = {f"transport/link/tls/{name}": json.dumps(value) for name, value in tls.items()}
    return {"transport/link/protocols": '["tls"]', **settings}


def camera_access(credentials: Credentials) -> Settings:
    """Return the access rules of a camera: to and from the clouds of its list.

    Raises ValueError for the credentials of a cloud or a viewer.
    """
    if credentials.camera_id is None:
        raise ValueError(f"{credentials.folder}: is for {credentials.name}, which is no camera")
    clouds = credentials.allowed_names(Role.CLOUD)
    rules = _camera_rules(key_expression(credentials.camera_id))
    return _settings(rules, {"clouds": {"cert_common_names": clouds}}, {"clouds": list(rules)})


def cloud_access(credentials: Credentials) -> Settings:
    """Return the access rules of a cloud: from each camera of its list that camera's Ω; to viewers the Ω of all.

    Raises ValueError for the credentials of a camera or a viewer.
    """
    if credentials.role is not Role.CLOUD:
        raise ValueError(f"{credentials.folder}: is for {credentials.name}, which is no cloud")
    rules = {
        "to a camera": _allow("egress", _CAMERA_RECEIVES, ALL_CAMERAS),
        "fetch": _allow("egress", _BACKLOG_QUERIES, _ALL_BACKLOGS),
        "from a viewer": _allow("ingress", _CAMERA_RECEIVES, ALL_CAMERAS),
        "to a viewer": _allow("egress", _CAMERA_SENDS, ALL_CAMERAS),
    }
    subjects: dict[str, Rule] = {}
    policies: dict[str, list[str]] = {}
    for name in credentials.allowed:
        if name.role is Role.CAMERA:
            key = key_expression(name.name)
            rules[f"from {name}"] = _allow("ingress", _CAMERA_SENDS, key)
            rules[f"back from {name}"] = _allow("ingress", _BACKLOG_REPLIES, key + BACKLOG)
            policies[str(name)] = [f"from {name}", f"back from {name}", "to a camera", "fetch"]
        elif name.role is Role.VIEWER:
            policies[str(name)] = ["from a viewer", "to a viewer"]
        subjects[str(name)] = {"cert_common_names": [str(name)]}
    return _settings(rules, subjects, policies)


def viewer_access(credentials: Credentials) -> Settings:
    """Return the access rules of a viewer: its queries to the clouds of its list, and Ω from them.

    Raises ValueError for the credentials of a camera or a cloud.
    """
    if credentials.role is not Role.VIEWER:
        raise ValueError(f"{credentials.folder}: is for {credentials.name}, which is no viewer")
    rules = {
        "to a cloud": _allow("egress", _CAMERA_RECEIVES, ALL_CAMERAS),
        "from a cloud": _allow("ingress", _CAMERA_SENDS, ALL_CAMERAS),
    }
    clouds = credentials.allowed_names(Role.CLOUD)
    return _settings(rules, {"clouds": {"cert_common_names": clouds}}, {"clouds": list(rules)})


def loopback_access(camera_id: str | None = None) -> Settings:
    """Return the access rules of a session without certificates, on this host: the same keys, for every process.

    camera_id: of the session's camera, None for the session of a cloud.
    """
    if camera_id is not None:
        rules = _camera_rules(key_expression(camera_id))
    else:
        # Without certificates peers cannot be identified: each may be a camera or a viewer.
        rules = {
            "to a camera": _allow("egress", _CAMERA_RECEIVES, ALL_CAMERAS),
            "fetch": _allow("egress", _BACKLOG_QUERIES, _ALL_BACKLOGS),
            "from a camera": _allow("ingress", _CAMERA_SENDS, ALL_CAMERAS),
            "back from a camera": _allow("ingress", _BACKLOG_REPLIES, _ALL_BACKLOGS),
            "from a viewer": _allow("ingress", _CAMERA_RECEIVES, ALL_CAMERAS),
            "to a viewer": _allow("egress", _CAMERA_SENDS, ALL_CAMERAS),
        }
    return {
        "transport/link/protocols": '["tcp"]',
        **_settings(rules, {"anybody here": {"link_protocols": ["tcp"]}}, {"anybody here": list(rules)}),
    }


def _camera_rules(key: str) -> dict[str, Rule]:
    return {
        "say": _allow("egress", _CAMERA_SENDS, key),
        # A cloud declares and queries for all cameras at once. A narrower rule would deny that, because a rule must
        # contain the whole key expression of a message. This rule lets nothing more out: `say` limits what is sent.
        "hear": _allow("ingress", _CAMERA_RECEIVES, ALL_CAMERAS),
        "give back": _allow("egress", _BACKLOG_REPLIES, key + BACKLOG),
        "be asked": _allow("ingress", _BACKLOG_QUERIES, key + BACKLOG),
    }


def _allow(flow: str, messages: Sequence[str], key: str) -> Rule:
    return {"permission": "allow", "flows": [flow], "messages": messages, "key_exprs": [key]}


def _settings(
    rules: Mapping[str, Rule], subjects: Mapping[str, Rule], policies: Mapping[str, Sequence[str]]
) -> Settings:
    """Return the settings for named rules and subjects; policies: {subject: its rules}."""
    access = {
        "enabled": True,
        "default_permission": "deny",
        "rules": [{"id": name, **rule} for name, rule in rules.items()],
        "subjects": [{"id": name, **subject} for name, subject in subjects.items()],
        "policies": [{"subjects": [name], "rules": used} for name, used in policies.items()],
    }
    sizes = [
        {"id": f"size of a {message}", "messages": [message], "key_exprs": ["**"], "size_limit": limit}
        for message, limit in _SIZE_LIMITS.items()
    ]
    return {
        "access_control": json.dumps(access),
        "low_pass_filter": json.dumps(sizes),
        "transport/link/rx/max_message_size": str(MAX_MESSAGE_BYTES),
    }

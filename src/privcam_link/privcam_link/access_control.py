"""What Zenoh lets through at either end of the link, as settings: who may connect, on which keys, how large.

Each function returns {name of a setting: JSON5 text} for `zenoh.Config.insert_json5`. Denied is what is not named here:
a camera speaks on its own key and listens nowhere, a cloud and a viewer listen and ask and never put. Both ends hold
to it in both directions, so that it takes two broken ends to get anything else across.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from privcam_link.cdr import MAX_OMEGA_BYTES
from privcam_link.credentials import Credentials, Role
from privcam_link.wire import ALL_CAMERAS, BACKLOG, key_expression

Settings = dict[str, str]

# An attachment is a few hundred bytes of ASCII; `wire` reads no more than this of it.
MAX_ATTACHMENT_BYTES = 1024
MAX_PUT_BYTES = MAX_OMEGA_BYTES + MAX_ATTACHMENT_BYTES
# A query is its key and a digest; neither travels in what Zenoh counts, which is a body and an attachment.
MAX_QUERY_BYTES = 0
# What Zenoh collects of one message before it looks at it, and throws away without a word when it gets longer: memory
# that a connection can claim. It is twice what may pass, so that what is merely too large is still refused by name.
MAX_MESSAGE_BYTES = 2 * MAX_PUT_BYTES

# What a camera says, and what is said to a camera. Withdrawing a declaration goes with declaring it. Beside that a
# cloud alone asks for a backlog, on a key below, because it tells the edge what to forget.
_SPEAKING = ("put", "reply", "declare_queryable", "liveliness_token")
_LISTENING = ("declare_subscriber", "query", "declare_liveliness_subscriber", "liveliness_query")
_GIVING_BACK, _FETCHING = ("reply", "declare_queryable"), ("query",)
_ALL_BACKLOGS = ALL_CAMERAS + BACKLOG
_FILTERED_BY_SIZE = {"put": MAX_PUT_BYTES, "reply": MAX_PUT_BYTES, "query": MAX_QUERY_BYTES, "delete": 0}

Rule = dict[str, Any]


def tls_settings(credentials: Credentials) -> Settings:
    """Return the settings for TLS with certificates on both sides, and for nothing but TLS.

    Whoever connects checks that the certificate is a cloud's, is of this authority and holds the address it connected
    to; whoever listens asks for a certificate of this authority. A link ends when either certificate does.
    """
    # Zenoh trusts the public authorities of the web beside ours when it connects. They give nobody a name like
    # `cloud.hq.1`, so the access rules, which go by that name, keep out whoever comes with such a certificate.
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
    """Return what the session of a camera lets through: to and from the clouds of its list.

    Raises ValueError for the credentials of a cloud or a viewer.
    """
    if credentials.camera_id is None:
        raise ValueError(f"{credentials.folder}: is for {credentials.name}, which is no camera")
    clouds = credentials.allowed_names(Role.CLOUD)
    rules = _camera_rules(key_expression(credentials.camera_id))
    return _settings(rules, {"clouds": {"cert_common_names": clouds}}, {"clouds": list(rules)})


def cloud_access(credentials: Credentials) -> Settings:
    """Return what the session of a cloud lets through: from each camera of its list that camera's Ω, to viewers all.

    Raises ValueError for the credentials of a camera or a viewer.
    """
    if credentials.role is not Role.CLOUD:
        raise ValueError(f"{credentials.folder}: is for {credentials.name}, which is no cloud")
    rules = {
        "to a camera": _allow("egress", _LISTENING, ALL_CAMERAS),
        "fetch": _allow("egress", _FETCHING, _ALL_BACKLOGS),
        "from a viewer": _allow("ingress", _LISTENING, ALL_CAMERAS),
        "to a viewer": _allow("egress", _SPEAKING, ALL_CAMERAS),
    }
    subjects: dict[str, Rule] = {}
    policies: dict[str, list[str]] = {}
    for name in credentials.allowed:
        if name.role is Role.CAMERA:
            key = key_expression(name.name)
            rules[f"from {name}"] = _allow("ingress", _SPEAKING, key)
            rules[f"back from {name}"] = _allow("ingress", _GIVING_BACK, key + BACKLOG)
            policies[str(name)] = [f"from {name}", f"back from {name}", "to a camera", "fetch"]
        elif name.role is Role.VIEWER:
            policies[str(name)] = ["from a viewer", "to a viewer"]
        subjects[str(name)] = {"cert_common_names": [str(name)]}
    return _settings(rules, subjects, policies)


def viewer_access(credentials: Credentials) -> Settings:
    """Return what the session of a viewer lets through: its questions to the clouds of its list, Ω from them.

    Raises ValueError for the credentials of a camera or a cloud.
    """
    if credentials.role is not Role.VIEWER:
        raise ValueError(f"{credentials.folder}: is for {credentials.name}, which is no viewer")
    rules = {
        "to a cloud": _allow("egress", _LISTENING, ALL_CAMERAS),
        "from a cloud": _allow("ingress", _SPEAKING, ALL_CAMERAS),
    }
    clouds = credentials.allowed_names(Role.CLOUD)
    return _settings(rules, {"clouds": {"cert_common_names": clouds}}, {"clouds": list(rules)})


def loopback_access(camera_id: str | None = None) -> Settings:
    """Return what a session without certificates lets through on this host: the same keys, and anybody may connect.

    camera_id: whose session it is, None for the session of a cloud.
    """
    if camera_id is not None:
        rules = _camera_rules(key_expression(camera_id))
    else:
        # Nobody here can be told from anybody else, so who connects may be a camera or a viewer.
        rules = {
            "to a camera": _allow("egress", _LISTENING, ALL_CAMERAS),
            "fetch": _allow("egress", _FETCHING, _ALL_BACKLOGS),
            "from a camera": _allow("ingress", _SPEAKING, ALL_CAMERAS),
            "back from a camera": _allow("ingress", _GIVING_BACK, _ALL_BACKLOGS),
            "from a viewer": _allow("ingress", _LISTENING, ALL_CAMERAS),
            "to a viewer": _allow("egress", _SPEAKING, ALL_CAMERAS),
        }
    return {
        "transport/link/protocols": '["tcp"]',
        **_settings(rules, {"anybody here": {"link_protocols": ["tcp"]}}, {"anybody here": list(rules)}),
    }


def _camera_rules(key: str) -> dict[str, Rule]:
    return {
        "say": _allow("egress", _SPEAKING, key),
        # A cloud declares and asks for all cameras at once. A narrower rule would refuse that, because a rule has to
        # hold the whole key expression of a message; a wider one lets nothing more out, `say` sees to that.
        "hear": _allow("ingress", _LISTENING, ALL_CAMERAS),
        "give back": _allow("egress", _GIVING_BACK, key + BACKLOG),
        "be asked": _allow("ingress", _FETCHING, key + BACKLOG),
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
        for message, limit in _FILTERED_BY_SIZE.items()
    ]
    return {
        "access_control": json.dumps(access),
        "low_pass_filter": json.dumps(sizes),
        "transport/link/rx/max_message_size": str(MAX_MESSAGE_BYTES),
    }

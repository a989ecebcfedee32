"""`./privcam keys`: the certificates with which edge, cloud and viewers know each other.

Exit code: 0 done, 1 not (the message says why), 2 wrong use.
"""

import argparse
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path

from privcam_core.storage import private_folder, state_folder
from privcam_link.certificates.authority import Authority, KeysError, alone, create, general_name
from privcam_link.certificates.issue_log import Entry, Event
from privcam_link.credentials import CA_FILE, CommonName, InvalidCredentials, Role, keys_folder, load

DONE, NOT_DONE = 0, 1
CA_YEARS, LEAF_DAYS, RENEW_WITHIN_DAYS = 10.0, 365.0, 30.0


def main(argv: Sequence[str]) -> int:
    """Run the command; return the exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    command: Callable[[argparse.Namespace], int] = options.run
    if options.run is _renew and bool(options.name) == options.all:
        parser.error("renew: give either NAME or --all")
    try:
        options.authority = (options.authority or state_folder() / "authority").absolute()
        options.keys = (options.keys or keys_folder()).absolute()
        if options.keys.is_relative_to(options.authority) or options.authority.is_relative_to(options.keys):
            raise KeysError(
                "--keys, --authority: one lies in the other; the authority must not be copied with the keys"
            )
        if options.run is _list:
            return command(options)
        if options.run is not _init and not (options.authority / CA_FILE).exists():
            raise KeysError(f"{options.authority}: there is no authority; make one with ./privcam keys init")
        with alone(options.authority):
            return command(options)
    except (KeysError, ValueError, OSError) as error:
        _say(str(error))
        return NOT_DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="privcam keys", description="Make, renew and revoke the certificates of cameras, clouds and viewers."
    )
    parser.add_argument(
        "--authority", type=Path, help="folder of the authority (default authority in the state folder)"
    )
    parser.add_argument(
        "--keys", type=Path, help="where the folders to copy are made (default keys in the state folder)"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    init = commands.add_parser("init", help="make the authority, once for an installation")
    init.add_argument("--years", type=_positive, default=CA_YEARS, help=f"valid for (default {CA_YEARS:g})")
    init.set_defaults(run=_init)

    add = commands.add_parser("add", help="make the folder of a new camera, cloud or viewer")
    add.add_argument("role", choices=[role.value for role in Role])
    add.add_argument("name", help="of a camera: its camera_id. Names are unique: 1 to 48 of a-z, 0-9 and _")
    add.add_argument(
        "--address", action="append", default=[], metavar="HOST", help="of a cloud: where others reach it (repeatable)"
    )
    add.add_argument("--days", type=_positive, default=LEAF_DAYS, help=f"valid for (default {LEAF_DAYS:g})")
    add.set_defaults(run=_add)

    show = commands.add_parser("list", help="who has a certificate, and for how long")
    show.set_defaults(run=_list)

    renew = commands.add_parser("renew", help="make a new certificate and key under the same name")
    renew.add_argument("name", nargs="?", help="whose")
    renew.add_argument("--all", action="store_true", help="of everybody whose certificate ends soon")
    renew.add_argument(
        "--within",
        type=float,
        default=RENEW_WITHIN_DAYS,
        metavar="DAYS",
        help=f"with --all: what soon is (default {RENEW_WITHIN_DAYS:g})",
    )
    renew.add_argument("--days", type=_positive, default=LEAF_DAYS, help=f"valid for (default {LEAF_DAYS:g})")
    renew.set_defaults(run=_renew)

    revoke = commands.add_parser("revoke", help="refuse a certificate from now on, although it has not expired")
    revoke.add_argument("name", help="whose")
    revoke.add_argument("--reissue", action="store_true", help="make the next generation of it at once")
    revoke.add_argument("--days", type=_positive, default=LEAF_DAYS, help="with --reissue: valid for")
    revoke.set_defaults(run=_revoke)
    return parser


def _init(options: argparse.Namespace) -> int:
    create(options.authority, options.years * 365.25)
    _say(
        f"made the authority in {options.authority}; everyone with this folder can issue certificates: copy it to no "
        "edge and no cloud, and keep a backup of it off the network"
    )
    return DONE


def _add(options: argparse.Namespace) -> int:
    authority = Authority(options.authority, options.keys)
    role = Role(options.role)
    for address in options.address:
        general_name(address)
    if (role is Role.CLOUD) != bool(options.address):
        raise KeysError("--address: a cloud needs one or more, the host names or IP addresses of it; others have none")
    last = authority.record.last(options.name)
    if last is not None and last.event is not Event.REVOKED:
        raise KeysError(f"{options.name} has {last.common_name} already; use ./privcam keys renew or revoke")
    if authority.folder_of(options.name).exists():
        raise KeysError(f"{authority.folder_of(options.name)}: exists and is not overwritten; move it away first")
    identity = CommonName(role, options.name, _next_generation(authority, options.name))
    authority.issue(identity, options.address, options.days)
    return _finish(authority, [identity])


def _list(options: argparse.Namespace) -> int:
    authority = Authority(options.authority, options.keys)
    now = datetime.now(timezone.utc)
    current = set(authority.record.current())
    print(f"{'name':32} {'days left':>9}  {'serial':40}  state")
    for entry in [*authority.record.current(), *(e for e in authority.record.entries if e.event is Event.REVOKED)]:
        state = _state(authority, entry, now) if entry in current else f"revoked {entry.time[:10]}"
        print(f"{entry.common_name:32} {entry.days_left(now):9.1f}  {entry.serial:>40}  {state}")
    return DONE


def _renew(options: argparse.Namespace) -> int:
    authority = Authority(options.authority, options.keys)
    now = datetime.now(timezone.utc)
    if options.all:
        due = [entry for entry in authority.record.current() if entry.days_left(now) <= options.within]
        if not due:
            _say(f"no certificate ends within {options.within:g} days")
    else:
        due = [_current(authority, options.name)]
    for entry in due:
        authority.issue(entry.identity, entry.addresses, options.days)
    return _finish(authority, [entry.identity for entry in due])


def _revoke(options: argparse.Namespace) -> int:
    authority = Authority(options.authority, options.keys)
    last = authority.record.last(options.name)
    if last is None:
        raise KeysError(f"{options.name}: was never issued; ./privcam keys list shows the names")
    # Asked for again, perhaps after a crash: what follows from it is done again, the record has it already.
    if last.event is not Event.REVOKED:
        authority.revoke(last)
    _put_away(authority.folder_of(options.name), options.authority / "revoked" / last.common_name)
    issued = []
    if options.reissue:
        issued.append(CommonName(last.identity.role, options.name, _next_generation(authority, options.name)))
        authority.issue(issued[0], last.addresses, options.days)
    _say(
        f"{last.common_name} is revoked. It is refused where the folders below have been copied and the node restarted"
    )
    return _finish(authority, issued)


def _finish(authority: Authority, issued: Sequence[CommonName]) -> int:
    """Tell everybody who may talk to whom, and the operator which folders have to be copied."""
    changed, missing = authority.distribute()
    for identity in sorted({*issued, *changed}, key=str):
        folder = authority.folder_of(identity.name)
        print(f"copy {folder} to the machine of {identity.role.value} {identity.name} and restart it there")
    for identity in missing:
        _say(
            f"{identity}: its folder {authority.folder_of(identity.name)} is not here and could not be brought up to "
            f"date; run ./privcam keys renew {identity.name}"
        )
    return NOT_DONE if missing else DONE


def _current(authority: Authority, name: str) -> Entry:
    entry = authority.record.find(name)
    if entry is None:
        there = ", ".join(entry.identity.name for entry in authority.record.current()) or "none"
        raise KeysError(f"{name}: has no certificate; there are: {there}")
    return entry


def _next_generation(authority: Authority, name: str) -> int:
    return 1 + max(_generations(authority.record.entries, name), default=0)


def _generations(entries: Iterable[Entry], name: str) -> list[int]:
    return [entry.identity.generation for entry in entries if entry.identity.name == name]


def _state(authority: Authority, entry: Entry, now: datetime) -> str:
    folder = authority.folder_of(entry.identity.name)
    if not folder.exists():
        return f"its folder is not here: {folder}"
    try:
        load(folder, role=entry.identity.role, now=now)
    except InvalidCredentials as error:
        return str(error)
    return "ends soon, renew it" if entry.days_left(now) <= RENEW_WITHIN_DAYS else "valid"


def _put_away(folder: Path, where: Path) -> None:
    """Move the folder of a revoked certificate, which is not to be copied to anybody any more."""
    if not folder.exists() or where.exists():
        return
    private_folder(where.parent)
    shutil.move(folder, where)


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 36525:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and below 36525")
    return value


def _say(text: str) -> None:
    print(f"[keys] {text}", file=sys.stderr, flush=True)

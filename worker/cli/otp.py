"""otp: send a one-time password by hand, and show the state of one."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

import click

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import BadInput, Otp, OtpKind, OtpState
from kavenegar_campaigns.errors import OutcomeUnknown
from kavenegar_campaigns.rules.arguments import MAX_ID
from kavenegar_campaigns.rules.phone import mask_number
from kavenegar_worker import otp, wiring
from kavenegar_worker.cli import options, output
from kavenegar_worker.cli.exits import Exit
from kavenegar_worker.settings.parsers import lasting

NOT_SENT = frozenset({OtpState.REFUSED, OtpState.UNKNOWN, OtpState.EXPIRED})
"""States in which a one-time password may not have been sent."""


@click.group(name="otp")
def otp_() -> None:
    """Send a one-time password, or show the state of one.

    It is a code in a template of the panel, sent by SMS or by a call.
    """


def _parse_duration(_: click.Context, parameter: click.Parameter, typed: str | None) -> timedelta | None:
    try:
        return None if typed is None else lasting(typed)
    except ValueError as why:
        raise BadInput(f"{parameter.opts[0]}: {typed!r} is not {why}") from None


@otp_.command()
@click.argument("number")
@click.option("--template", required=True, help="The name of the template in the panel.")
@click.option("--token", help="The code; by default it is asked for, or read from standard input.")
@click.option("--token2", help="No spaces, like the code itself.")
@click.option("--token3", help="No spaces.")
@click.option("--token10", help="At most 5 spaces.")
@click.option("--token20", help="At most 8 spaces.")
@click.option("--call", is_flag=True, help="Send it by a call instead of an SMS; all tokens are digits.")
@click.option("--call-after", callback=_parse_duration, metavar="30s", help="Call if the SMS is not delivered by then.")
@click.option(
    "--lifetime", callback=_parse_duration, default="2m", show_default=True, help="How long the code may still be sent."
)
@click.option("--key", help="Your own key: sending again under the same key sends nothing.")
@click.option("--tag", help="A tag that exists in the panel.")
@options.as_json
@click.pass_context
def send(ctx: click.Context, /, *, token: str | None, call: bool, as_json: bool, **request: Any) -> None:
    """Send a code to NUMBER: a mobile, a landline (which is called), or one abroad with 00 and its country.

    A command line stays in the shell's history, and everybody on this machine can see it while the command runs: leave
    --token out and type the code when asked, or give it on standard input.

    Exit code 1: it was refused, has expired, or may not have been sent.
    """
    kind = OtpKind.CALL if call else OtpKind.SMS
    try:
        found = otp.send(token=_read_code() if token is None else token, kind=kind, **request)
    except OutcomeUnknown as why:
        click.echo(f"campaigns: {why}", err=True)
        ctx.exit(Exit.NO)
    _print_otp(ctx, found, as_json=as_json)


def _read_code() -> str:
    """Read the code from a prompt that does not show it, or from standard input."""
    if sys.stdin.isatty():
        typed: str = click.prompt("code", hide_input=True, err=True)
        return typed
    return sys.stdin.readline().rstrip("\r\n")


@otp_.command()
@click.argument("otp_id", metavar="[ID]", required=False, type=click.IntRange(1, MAX_ID))
@click.option("--key", help="The key of the one-time password, in place of its ID.")
@options.as_json
@click.pass_context
def show(ctx: click.Context, otp_id: int | None, key: str | None, as_json: bool) -> None:
    """Show the state of a one-time password, and of the call that followed it.

    The code is never shown. Exit code 1: as for `campaigns otp send`.
    """
    with wiring.engine().connect() as connection:
        found = campaigns.otp_state(connection, otp_id, key=key)
    _print_otp(ctx, found, as_json=as_json)


def _print_otp(ctx: click.Context, found: Otp, *, as_json: bool) -> None:
    output.print_json(_otp_as_json(found)) if as_json else output.print_facts(_otp_facts(found))
    if found.state in NOT_SENT:
        ctx.exit(Exit.NO)


def _otp_as_json(found: Otp) -> dict[str, object]:
    """Return the row for a program, with its number masked."""
    return {**{name: getattr(found, name) for name in Otp.__slots__}, "number": mask_number(found.number)}


def _otp_facts(found: Otp) -> list[tuple[str, object]]:
    refused = None if found.refused_code is None else f"{found.refused_code}: {found.advice}"
    called = None if found.call_id is None else f"{found.call_id} ({found.call_state})"
    return [
        ("one-time password", str(found.id)),
        ("state", found.state.value),
        ("refused", refused),
        ("kind", found.kind.value),
        ("number", mask_number(found.number)),
        ("template", found.template),
        ("tag", found.tag),
        ("key", found.key),
        ("gateway's id", None if found.gateway_id is None else str(found.gateway_id)),
        ("cost", None if found.cost_rial is None else f"{found.cost_rial:,} rial"),
        ("ordered", found.created_at),
        ("sent", found.sent_at),
        ("settled", found.settled_at),
        ("expires", found.expires_at if found.state is OtpState.WAITING else None),
        ("followed", None if found.parent_id is None else str(found.parent_id)),
        ("call", called),
    ]

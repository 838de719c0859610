"""The command `kavenegar-sandbox`: read the options, run the sandbox in the foreground."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import orjson

from kavenegar_sandbox.journal import BadJournal
from kavenegar_sandbox.knob_values import BadKnob
from kavenegar_sandbox.knobs import Knobs
from kavenegar_sandbox.server import Options, run


def main(arguments: list[str] | None = None) -> int:
    """Run the sandbox until SIGTERM or Ctrl-C.

    Returns the exit code: 0 after a clean stop, 2 when the start fails (the reason goes to standard error).
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        run(parse_options(_parser().parse_args(arguments)))
    except (BadKnob, BadJournal, OSError) as why:
        sys.stderr.write(f"sandbox: {why}\n")
        return 2
    return 0


def parse_options(arguments: argparse.Namespace) -> Options:
    """Turn parsed command-line arguments into Options.

    Raises:
        BadKnob: a knob that does not exist, a wrong value, or a --config file that is not a JSON object.
        OSError: the --config file cannot be read.
    """
    return Options(
        host=arguments.host,
        port=arguments.port,
        api_key=arguments.api_key,
        other_keys=tuple(arguments.other_key),
        admin_token=arguments.admin_token,
        credit_rial=arguments.credit,
        knobs=_knobs(arguments.config, arguments.delivery, arguments.knob),
        journal=arguments.journal,
        ready_file=arguments.ready_file,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kavenegar-sandbox", description="Kavenegar's REST service on this machine, for development and tests."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free port")
    parser.add_argument("--api-key", default="sandbox", help="the valid API key")
    parser.add_argument(
        "--other-key", action="append", default=[], metavar="KEY", help="the key of one more account; may be repeated"
    )
    parser.add_argument(
        "--admin-token", default="", help="the admin API then requires it in the header X-Sandbox-Token"
    )
    parser.add_argument("--credit", type=int, default=10_000_000_000, metavar="RIAL", help="starting credit")
    parser.add_argument("--config", type=Path, metavar="FILE", help="a JSON object of knobs")
    parser.add_argument("--delivery", metavar="SPAN", help="time from start to final status, like 2s..15s")
    parser.add_argument(
        "--knob", action="append", default=[], metavar="NAME=VALUE", help="one knob, its value in JSON; may be repeated"
    )
    parser.add_argument("--journal", type=Path, metavar="FILE", help="keep messages, credit and clock across restarts")
    parser.add_argument("--ready-file", type=Path, metavar="FILE", help="receives the base URL once the server listens")
    return parser


def _knobs(config: Path | None, delivery: str | None, assignments: list[str]) -> Knobs:
    """Start from the defaults, then apply the file, then --delivery, then each --knob."""
    changes: dict[str, object] = {} if config is None else _object(config)
    if delivery is not None:
        changes["delivery_s"] = delivery
    for assignment in assignments:
        name, _, value = assignment.partition("=")
        changes[name] = _json_or_word(value)
    return Knobs().turned(changes)


def _object(config: Path) -> dict[str, object]:
    try:
        value = orjson.loads(config.read_bytes())
    except orjson.JSONDecodeError as why:
        raise BadKnob(f"{config} is not JSON: {why}") from why
    if not isinstance(value, dict):
        raise BadKnob(f"{config} is not a JSON object")
    return value


def _json_or_word(value: str) -> object:
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


if __name__ == "__main__":
    sys.exit(main())

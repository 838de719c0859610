"""sandbox: a gateway to try things on, in the foreground."""

from __future__ import annotations

import click

from campaigns import BadInput


@click.command(
    add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def sandbox(context: click.Context, options: tuple[str, ...]) -> None:
    """Run a gateway to try things on.

    Its options are those of `kavenegar-sandbox`; `campaigns sandbox --help` lists them.
    """
    try:
        from kavenegar_sandbox import __main__ as gateway  # noqa: PLC0415 - a package of its own
    except ModuleNotFoundError as why:
        raise BadInput(
            f"the sandbox gateway is not installed here (no module {why.name}): "
            "`pip install ./sandbox` in the project's folder installs it"
        ) from why
    context.exit(gateway.main(list(options)))

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

    Its options are those of `python -m worker.sandbox`; `campaigns sandbox --help` lists them.
    """
    try:
        from worker.sandbox import __main__ as gateway  # noqa: PLC0415 - aiohttp comes with the extra `embedded`
    except ModuleNotFoundError as why:
        raise BadInput(
            f"the package {why.name} is not installed: install the project with its extra `embedded`"
        ) from why
    context.exit(gateway.main(list(options)))

"""Check the protocol's model: every variant must come out as expected. Called by `scripts/model`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Final

from tests.model import spin, traces
from tests.model.spin import Checked, Seen
from tests.model.variants import VARIANTS, Variant

AT_ONCE: Final = 2
_ROW: Final = "{:<10} {:<33} {:<14} {:<14} {:>10} {:>7} {:>6}"


def main(arguments: Sequence[str]) -> int:
    """0: all came out as expected. 1: a surprise. 2: spin or gcc is missing, or there is no such variant."""
    asked = _asked(arguments)
    if not spin.is_installed():
        print(spin.MISSING, file=sys.stderr)
        return 2
    if asked.traces or asked.list:
        return _trace() if asked.traces else _list()
    chosen = [each for each in VARIANTS if (each.name in asked.names if asked.names else asked.long or not each.long)]
    unknown = set(asked.names) - {each.name for each in chosen}
    if unknown:
        print(f"there is no variant {', '.join(sorted(unknown))}; `scripts/model --list` names them", file=sys.stderr)
        return 2
    return _show(chosen) if asked.show else _check(chosen, at_once=1 if asked.long else AT_ONCE)


def _asked(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/model", description=__doc__)
    parser.add_argument("names", nargs="*", help="of variants; without any, all but the long ones")
    parser.add_argument("--long", action="store_true", help="also those that take many minutes or much memory")
    parser.add_argument("--show", action="store_true", help="print a shortest counterexample of each variant named")
    parser.add_argument("--list", action="store_true", help="name the variants and what they say")
    parser.add_argument("--traces", action="store_true", help="write anew the random runs that tests/model replays")
    return parser.parse_args(arguments)


def _list() -> int:
    for each in VARIANTS:
        print(f"{each.kind:<10} {each.name:<33} {each.says}")
        print(f"{'':<44} {' '.join(each.defines)}")
    return 0


def _show(chosen: Iterable[Variant]) -> int:
    for each in chosen:
        print(f"── {each.name}: {each.says}\n")
        print("\n".join(spin.shortest(each.defines) or ["no counterexample"]), end="\n\n")
    return 0


def _trace() -> int:
    for path in traces.write():
        print(path)
    return 0


def _check(chosen: Sequence[Variant], *, at_once: int) -> int:
    print(_ROW.format("kind", "variant", "expected", "seen", "states", "s", "MB"))
    surprises = 0
    with ThreadPoolExecutor(at_once) as pool:
        running = {
            pool.submit(spin.check, each.defines, whole=each.expected is Seen.HOLDS, long=each.long): each
            for each in chosen
        }
        for done in as_completed(running):
            surprises += _print_row(running[done], done.result())
    print(f"{len(chosen)} variants, {surprises} surprises")
    return 1 if surprises else 0


def _print_row(variant: Variant, found: Checked) -> bool:
    """Print a row of the table. Returns whether the result is a surprise."""
    surprise = found.seen is not variant.expected
    row = (variant.expected, found.seen, f"{found.states:,}", f"{found.seconds:.1f}", f"{found.megabytes:.0f}")
    print(_ROW.format(variant.kind, variant.name, *row) + ("  ← surprise" if surprise else ""), flush=True)
    if found.seen is Seen.UNFINISHED:
        print(found.says)
    return surprise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

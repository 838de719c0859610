#!/usr/bin/env bash
# libfaketime 3.0.1 (PyPI): the wheel is tagged for every platform and holds machine code for one.
#
# Guess, written down first: a package around a C library either ships wheels per platform, or compiles where it is
# installed; a wheel tagged py3-none-any holds no machine code.
# Seen: the one wheel, `py3-none-any` and `Root-Is-Purelib: true`, holds libfaketime.so.1 for x86-64 Linux. On ARM, or
# on macOS, pip installs it without a word, and what fails is the program that preloads the library. The version before
# (2.0.0) was a source archive that compiled on the machine.
# What it means for users: make the dependency conditional on `sys_platform` and `platform_machine`, and try the library
# before relying on it.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check download --no-deps --only-binary :all: \
    --dest "$folder" libfaketime==3.0.1

"$folder/venv/bin/python" - "$folder" <<'PY'
import struct
import sys
import zipfile
from pathlib import Path

(path,) = Path(sys.argv[1]).glob("*.whl")
with zipfile.ZipFile(path) as wheel:
    (says,) = (name for name in wheel.namelist() if name.endswith(".dist-info/WHEEL"))
    (library,) = (name for name in wheel.namelist() if name.endswith(".so.1"))
    tags = [line for line in wheel.read(says).decode().splitlines() if line.startswith(("Tag", "Root"))]
    head = wheel.read(library)[:20]

machine = struct.unpack_from("<H", head, 18)[0]
print(path.name, tags, Path(library).name, f"ELF machine {machine}")
assert path.name == "libfaketime-3.0.1-py3-none-any.whl"
assert tags == ["Root-Is-Purelib: true", "Tag: py3-none-any"]
assert head[:4] == b"\x7fELF", "no longer machine code"
assert machine == 62, "no longer x86-64 (62 in the ELF specification)"
PY
# Output on 2026-11-29:
# libfaketime-3.0.1-py3-none-any.whl ['Root-Is-Purelib: true', 'Tag: py3-none-any'] libfaketime.so.1 ELF machine 62

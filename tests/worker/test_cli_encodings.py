"""Words on a command line and in variables, under locales that are not UTF-8."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kavenegar_campaigns.errors import BadInput
from kavenegar_worker.settings import load
from kavenegar_worker.settings.parsers import decoded

PROJECT = Path(__file__).resolve().parents[2]
TEXT = "سلام {name} عزیز، سفارش شما آماده است"
ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
UTF_8 = {"LC_ALL": "C.UTF-8"}


def estimate(file: Path, text: bytes, column: bytes, locale: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    arguments: list[str | bytes | Path] = ["estimate", file, "--text", text, "--column", column, "--json"]
    return subprocess.run(
        [sys.executable, "-m", "kavenegar_worker.cli", *arguments],
        env={"PATH": os.environ["PATH"], "CAMPAIGNS_HOME": str(file.parent / "home"), **locale},
        cwd=PROJECT,
        capture_output=True,
        check=False,
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "مشتریان.csv"
    path.write_text("name,همراه\nسارا,09121234567\n", encoding="utf-8")
    return path


def test_a_persian_text_is_the_same_under_a_locale_that_is_not_utf_8(file: Path) -> None:
    usual, other = (estimate(file, TEXT.encode(), "همراه".encode(), locale) for locale in (UTF_8, ASCII))
    assert usual.returncode == 0, usual.stderr
    assert (other.returncode, other.stdout) == (0, usual.stdout), other.stderr
    assert "سلام سارا عزیز" in other.stdout.decode()


@pytest.mark.parametrize(("locale", "named"), [(ASCII, "ascii"), (UTF_8, "utf-8")])
def test_what_is_neither_utf_8_nor_of_the_locale_is_called_that(file: Path, locale: dict[str, str], named: str) -> None:
    said = estimate(file, "سلام".encode("cp1256"), "همراه".encode(), locale)
    assert said.returncode == 2
    assert f"'--text' is not text in UTF-8, nor in {named}, the encoding of this locale: set LC_ALL=C.UTF-8" in (
        said.stderr.decode()
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1256", "cp1252", "utf-8"])
def test_words_typed_in_utf_8_are_read_whatever_the_locale_says(encoding: str) -> None:
    for words in (TEXT, "لغو\nسطر", "plain", "é", ""):
        assert decoded(words.encode().decode(encoding, "surrogateescape"), encoding=encoding) == words


@pytest.mark.parametrize(("encoding", "words"), [("cp1256", "سلام دوست"), ("latin-1", "café\nolé")])
def test_words_in_the_encoding_of_the_locale_are_read_in_it(encoding: str, words: str) -> None:
    assert decoded(words, encoding=encoding) == words


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_bytes_that_are_in_no_encoding_are_refused(encoding: str) -> None:
    with pytest.raises(ValueError, match=f"nor in {encoding}"):
        decoded(b"\xd3\xe1\x81".decode(encoding, "surrogateescape"), encoding=encoding)


def test_a_variable_is_read_like_an_argument() -> None:
    as_ascii = "لغو,پایان".encode().decode("ascii", "surrogateescape")
    assert load({"OPT_OUT_WORDS": as_ascii}).opt_out_words == ("لغو", "پایان")
    with pytest.raises(BadInput, match="OPT_OUT_WORDS: its value is not text in UTF-8"):
        load({"OPT_OUT_WORDS": "لغو".encode("cp1256").decode("utf-8", "surrogateescape")})

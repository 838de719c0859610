"""Errors cross processes: through pickle, copy, multiprocessing, and Celery's result backends."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest
from celery import Celery
from celery.backends.base import Backend

from kavenegar_campaigns.errors import (
    BadInput,
    CampaignsError,
    GatewayDown,
    OutcomeUnknown,
    Refused,
)


def _tree(root: type[CampaignsError]) -> Iterator[type[CampaignsError]]:
    yield root
    for each in root.__subclasses__():
        yield from _tree(each)


def _every_class() -> list[type[CampaignsError]]:
    """Every error of ours."""
    return [each for each in _tree(CampaignsError) if each.__module__.startswith(("kavenegar_", "campaigns_"))]


_VALUES: dict[str, Any] = {"what": "the sentence", "row": 7, "retry_after_s": 2.5, "code": 418} | {
    "sqlstate": "40001",
    "primary_message": "could not",
    "retryable": True,
}


def _made(kind: type[CampaignsError]) -> CampaignsError:
    """An error with every argument that its class takes, an attribute that was set later, and a note."""
    _self, *takes = inspect.signature(kind.__init__).parameters.values()
    takes = [each for each in takes if each.name in _VALUES]
    error = kind(**{each.name: _VALUES[each.name] for each in takes}) if takes else kind("the sentence")
    error.code = 402  # type: ignore[attr-defined]  # as the client does for an answer that is unclear
    error.add_note("seen on the way")
    return error


def _is_same(found: BaseException, error: CampaignsError) -> bool:
    same = (type(found), str(found), found.args, vars(found))
    return same == (type(error), str(error), error.args, vars(error))


def _raise(error: CampaignsError) -> None:
    raise error


@pytest.mark.parametrize("kind", _every_class())
def test_every_error_is_the_same_after_pickle_and_copy(kind: type[CampaignsError]) -> None:
    error = _made(kind)
    ways: list[Callable[[Any], Any]] = [copy.copy, copy.deepcopy]
    ways += [
        lambda given, protocol=protocol: pickle.loads(pickle.dumps(given, protocol))  # noqa: S301
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ]

    assert all(_is_same(way(error), error) for way in ways)
    assert "the sentence" in str(error)


@pytest.mark.parametrize("serializer", ["json", "pickle"])
@pytest.mark.parametrize("kind", _every_class())
def test_every_error_of_a_task_is_raised_again_from_a_result_backend(
    kind: type[CampaignsError], serializer: str
) -> None:
    error = _made(kind)
    with Celery("a shop", set_as_current=False) as app:
        backend = Backend(app, serializer=serializer, accept=[serializer])
        _, _, stored = backend._encode(backend.prepare_exception(error))
        found = backend.exception_to_python(backend.decode(stored))

    assert type(found) is kind
    assert str(found) == str(error)
    assert getattr(found, "row", None) == getattr(error, "row", None)
    assert getattr(found, "retry_after_s", None) == getattr(error, "retry_after_s", None)


def test_errors_come_out_of_a_process_pool_as_they_were_raised_in_it() -> None:
    raised = [
        BadInput("no number", row=3),
        GatewayDown("no connection", retry_after_s=1.5),
        Refused("refused", code=418),
        OutcomeUnknown("no answer"),
    ]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        found = [pool.submit(_raise, error).exception() for error in raised]

    assert [(type(each), str(each)) for each in found] == [(type(each), str(each)) for each in raised]
    assert [getattr(each, "row", None) for each in found] == [3, None, None, None]
    assert [getattr(each, "code", None) for each in found] == [None, None, 418, None]


def test_the_sentence_of_an_error_is_its_text_whatever_else_it_carries() -> None:
    assert str(BadInput("no number", row=3)) == "row 3: no number"
    assert str(BadInput("no number")) == "no number"
    assert BadInput("no number").args == ("no number",)
    assert str(GatewayDown("no connection", retry_after_s=1.5)) == "no connection"
    assert str(Refused("refused", code=418)) == "refused"

"""What an error tracker such as Sentry shows of a task that fails: the variables of every frame of its traceback."""

from __future__ import annotations

from typing import Any

import pytest

from kavenegar_campaigns.errors import BadInput
from kavenegar_worker import tasks
from tests.frameworks.public_calls import NUMBER, TEXT, leaks


@pytest.mark.parametrize(("other", "kind"), [({}, BadInput), ({"unknown": NUMBER}, TypeError)])
def test_no_frame_of_ours_shows_the_arguments_of_a_task_that_failed(
    other: dict[str, Any], kind: type[Exception]
) -> None:
    with pytest.raises(kind) as raised:
        tasks.create(recipients=f"/{NUMBER}.csv", text_file="text.txt", key=f"order:{NUMBER}", name=TEXT, **other)

    assert leaks(raised.value) == []

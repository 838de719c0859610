"""Every method of the gateway that we use, as a function: records come back, or an error of the tree is raised.

    Answer                                         a send                    a read, or a cancellation
    ─────────────────────────────────────────────────────────────────────────────────────────────────
    envelope, 200                                  rows                      rows
    envelope, another code                         codes.py                  codes.py
    nothing left us (refused, name, TLS)           GatewayDown               GatewayDown
    left, no whole answer (time, reset, cut)       OutcomeUnknown            GatewayDown
    no envelope, whatever the HTTP status          OutcomeUnknown            GatewayDown
    envelope, 200, no readable row                 OutcomeUnknown            no rows

A bare 403, 413 or 429 is somebody on the way, not the gateway's code. It says that the request was stopped there, but
not who stopped it or when, so a send stays unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from urllib.parse import quote, urlsplit

from campaigns.kavenegar import codes, envelope, faults, form, methods, records
from campaigns.kavenegar.envelope import Row
from campaigns.kavenegar.faults import Fault
from campaigns.kavenegar.methods import Method
from campaigns.kavenegar.transport import InTime, Reply, Transport, prepare

Record = TypeVar("Record")
Parameters = Mapping[str, str | int | None]


class Client:
    """One account at one gateway; safe to share between threads, and made anew after a fork.

    Args:
        api_key: never shown again: not in a repr, a log, or the text or the chain of an error.
        base_url: scheme and host of the gateway.
        deadline_s: seconds for one whole call.
        connect_timeout_s: seconds of these for making a connection.
        pool_size: connections kept alive; as many as there are threads.

    Every method raises `GatewayDown`, `Throttled` or `Refused` as its table row says; sends raise `OutcomeUnknown`
    too. A ValueError is our own defect: a request that the gateway's documentation forbids.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str = "https://api.kavenegar.com",
        *,
        deadline_s: float = 30.0,
        connect_timeout_s: float = 5.0,
        pool_size: int = 32,
    ) -> None:
        self._base_url = _checked_base_url(base_url)
        if not api_key or not api_key.isascii() or not api_key.isprintable() or " " in api_key:
            raise ValueError("the API key is empty or holds a character that no key has")
        root = f"{self._base_url}/v1/{quote(api_key, safe='')}"
        self._requests = {method: prepare(f"{root}/{method.path}.json") for method in methods.METHODS}
        self._transport = Transport(
            self._base_url, deadline_s=deadline_s, connect_timeout_s=connect_timeout_s, pool_size=pool_size
        )

    def __repr__(self) -> str:
        return f"<Client of {self._base_url}>"

    def close(self) -> None:
        self._transport.close()

    # ── sends ──

    def send(
        self,
        receptors: Sequence[str],
        message: str,
        *,
        sender: str | None,
        localids: Sequence[int] | None,
        date: int | None = None,
        hide: bool = False,
        tag: str | None = None,
        in_time: InTime | None = None,
    ) -> list[records.SentMessage]:
        """One text to at most 200 receptors. `date` is unix time, None for now; a `tag` must exist in the panel.

        Rows come in any order and may be fewer: match them by (receptor, sender, message). A localid the account has
        used before brings back the old row and sends nothing. Source: kavenegar-rest, sms/send.
        """
        _check_batch(methods.SEND, receptors, localids)
        return self._sent(
            methods.SEND,
            {
                "receptor": form.comma_list(receptors),
                "message": message,
                "sender": sender,
                "localid": None if localids is None else form.comma_list(localids),
                "date": date,
                "hide": 1 if hide else None,
                "tag": tag,
            },
            in_time,
        )

    def sendarray(
        self,
        receptors: Sequence[str],
        messages: Sequence[str],
        senders: Sequence[str],
        localids: Sequence[int] | None,
        *,
        date: int | None = None,
        hide: bool = False,
        tag: str | None = None,
        in_time: InTime | None = None,
    ) -> list[records.SentMessage]:
        """To each of at most 200 receptors a text and a sender of its own; the rest as in `send`.

        Source: kavenegar-rest, sms/sendarray.
        """
        if not len(receptors) == len(messages) == len(senders):
            raise ValueError("receptors, messages and senders differ in length")
        _check_batch(methods.SENDARRAY, receptors, localids)
        return self._sent(
            methods.SENDARRAY,
            {
                "receptor": form.json_array(receptors),
                "message": form.json_array(messages),
                "sender": form.json_array(senders),
                "localmessageids": None if localids is None else form.json_array(localids),
                "date": date,
                "hide": 1 if hide else None,
                "tag": tag,
            },
            in_time,
        )

    # ── what became of them ──

    def status(self, messageids: Sequence[int]) -> list[records.MessageStatus]:
        """Of at most 500 messages, within 48 hours of sending. Source: kavenegar-rest, sms/status."""
        return self._ask(methods.STATUS, records.MessageStatus.read, {"messageid": _ids(methods.STATUS, messageids)})

    def statuslocalmessageid(self, localids: Sequence[int]) -> list[records.LocalStatus]:
        """Of at most 500 of our own ids, within 12 hours. Source: kavenegar-rest, sms/statuslocalmessageid."""
        method = methods.STATUSLOCALMESSAGEID
        return self._ask(method, records.LocalStatus.read, {"localid": _ids(method, localids)})

    def select(self, messageids: Sequence[int]) -> list[records.SentMessage]:
        """At most 500 whole messages; 407 unless our IP address is registered. Source: kavenegar-rest, sms/select."""
        return self._ask(methods.SELECT, records.SentMessage.read, {"messageid": _ids(methods.SELECT, messageids)})

    def cancel(self, messageids: Sequence[int]) -> list[records.Cancelled]:
        """Take back at most 200 scheduled messages. May be repeated freely. Source: kavenegar-rest, sms/cancel."""
        return self._ask(methods.CANCEL, records.Cancelled.read, {"messageid": _ids(methods.CANCEL, messageids)})

    def countoutbox(self, start: int, end: int | None = None, status: int | None = None) -> records.OutboxCount:
        """What was sent in a span of unix times: a day at most, begun at most three days ago. An empty span counts 0.

        Source: kavenegar-rest, sms/countoutbox.
        """
        counts = self._ask(
            methods.COUNTOUTBOX, records.OutboxCount.read, {"startdate": start, "enddate": end, "status": status}
        )
        return counts[0] if counts else records.OutboxCount(0, 0, 0, start, end or start)

    # ── the account ──

    def account_info(self) -> records.Account:
        return self._ask_one(methods.ACCOUNT_INFO, records.Account.read)

    def account_config(self) -> records.AccountConfig:
        """Read only: the same method with any parameter would write."""
        return self._ask_one(methods.ACCOUNT_CONFIG, records.AccountConfig.read)

    def getdate(self) -> records.ServerDate:
        return self._ask_one(methods.GETDATE, records.ServerDate.read)

    # ── one call ──

    def _sent(self, method: Method, parameters: Parameters, in_time: InTime | None) -> list[records.SentMessage]:
        sent = self._ask(method, records.SentMessage.read, parameters, in_time)
        if not sent:
            raise faults.unusable(method, "accepted, without a readable row")
        return sent

    def _ask_one(self, method: Method, read: Callable[[Row], Record]) -> Record:
        found = self._ask(method, read, {})
        if not found:
            raise faults.unusable(method, "answered, without a readable row")
        return found[0]

    def _ask(
        self,
        method: Method,
        read: Callable[[Row], Record],
        parameters: Parameters,
        in_time: InTime | None = None,
    ) -> list[Record]:
        body = form.encode(parameters)
        try:
            reply = self._transport.post(self._requests[method], body, in_time)
        except Fault as fault:
            raise faults.without_answer(method, fault) from fault
        return records.readable(read, _rows(method, reply))


def _rows(method: Method, reply: Reply) -> list[Row]:
    answer = envelope.read(reply.body)
    if answer is None:
        raise faults.unusable(method, f"HTTP {reply.http_status} without the gateway's envelope")
    row = codes.meaning(answer.code)
    verdict = row.for_call(sends=method.sends)
    if verdict == "ok":
        return answer.rows
    if verdict == "empty":
        return []
    raise faults.refusal(method, verdict, row, answer)


def _check_batch(method: Method, receptors: Sequence[str], localids: Sequence[int] | None) -> None:
    """What would cost money or lose the way back to a message if it left us."""
    method.check_size(len(receptors))
    if len(set(receptors)) < len(receptors):
        raise ValueError("a receptor stands twice in one batch: its rows could not be told apart")
    if localids is None:
        return
    if len(localids) != len(receptors):
        raise ValueError("receptors and localids differ in length")
    if len(set(localids)) < len(localids) or min(localids) <= 0:
        raise ValueError("localids must be positive and each its own")


def _ids(method: Method, ids: Sequence[int]) -> str:
    method.check_size(len(ids))
    return form.comma_list(ids)


def _checked_base_url(base_url: str) -> str:
    """Scheme and host. What no URL can be built from is found here, before the key is a part of it."""
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("the gateway's base URL must begin with https:// (or http://) and name a host")
    if parts.path.strip("/") or parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError("the gateway's base URL is scheme and host only, as in https://api.kavenegar.com")
    parts.hostname.encode("idna")
    base_url = f"{parts.scheme}://{parts.netloc}"
    prepare(base_url)
    return base_url

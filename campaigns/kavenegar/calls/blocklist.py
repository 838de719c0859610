"""The block list of a line: the methods."""

from __future__ import annotations

from collections.abc import Sequence

from campaigns.kavenegar import call, form, limits, methods
from campaigns.kavenegar.call import Calls, Parameters
from campaigns.kavenegar.envelope import Envelope
from campaigns.kavenegar.methods import Method
from campaigns.kavenegar.pace import Lane
from campaigns.kavenegar.records.blocklist import BlockedPage, BlockedStatus


class BlocklistCalls(Calls):
    """A line's block list. All four may be repeated freely."""

    def blocked_list(
        self,
        linenumber: str,
        *,
        blockreason: int | None = None,
        start: int | None = None,
        page: int = 1,
        lane: Lane = Lane.HOUSEKEEPING,
    ) -> BlockedPage:
        """A page of 200 numbers blocked since `start` (unix time; today's if it is None), for one reason or for any.

        The reasons stand in `codes.BLOCK_REASONS`. Source: kavenegar-rest, blockedlist.
        """
        limits.single("linenumber", linenumber)
        limits.block_reason(blockreason)
        limits.page(page)
        parameters = {"linenumber": linenumber, "blockreason": blockreason, "startdate": start, "pagenumber": page}
        return self.perform(call.of(methods.BLOCKED_LIST, parameters, BlockedPage.read), lane=lane)

    def blocked_add(
        self, linenumber: str, receptors: Sequence[str], *, lane: Lane = Lane.HOUSEKEEPING
    ) -> list[BlockedStatus]:
        """Block at most 200 numbers. Source: kavenegar-rest, blocked-add."""
        method = methods.BLOCKED_ADD
        request = call.of(method, _numbers(method, linenumber, receptors), call.rows(BlockedStatus.read))
        return self.perform(request, lane=lane)

    def blocked_exists(
        self, linenumber: str, receptors: Sequence[str], *, lane: Lane = Lane.HOUSEKEEPING
    ) -> list[BlockedStatus]:
        """Which of at most 200 numbers are blocked. Source: kavenegar-rest, blocked-exists."""
        method = methods.BLOCKED_EXISTS
        request = call.of(method, _numbers(method, linenumber, receptors), call.rows(BlockedStatus.read))
        return self.perform(request, lane=lane)

    def blocked_remove(self, linenumber: str, receptors: Sequence[str], *, lane: Lane = Lane.HOUSEKEEPING) -> str:
        """Unblock at most 50 numbers; what the gateway says it did, for a person to read.

        It leaves those alone that neither the panel nor the API blocked. Source: kavenegar-rest, blocked-remove.
        """
        method = methods.BLOCKED_REMOVE
        return self.perform(call.of(method, _numbers(method, linenumber, receptors), _said), lane=lane)


def _numbers(method: Method, linenumber: str, receptors: Sequence[str]) -> Parameters:
    limits.single("linenumber", linenumber)
    method.check_size(len(receptors))
    return {"linenumber": linenumber, "receptor": form.comma_list(receptors)}


def _said(answer: Envelope) -> str:
    return next((str(row["message"]) for row in answer.rows if row.get("message")), "")

"""The status of messages: sms/status, sms/statuslocalmessageid, sms/statusbyreceptor."""

from __future__ import annotations

from kavenegar_sandbox.account import Account
from kavenegar_sandbox.columns import parse_localid
from kavenegar_sandbox.methods.outbox import DAY_S, answer_rows, check_range
from kavenegar_sandbox.parameters import UNSET, format_number, parse_date, parse_message_ids, parse_number, split_list
from kavenegar_sandbox.protocol import STATUS_TEXT, UNKNOWN, Answer, Call, Refusal, Row
from kavenegar_sandbox.rows import arrange_rows


def status(account: Account, call: Call) -> Answer:
    """sms/status: the status of messages by message id; 100 for an unknown id, or a message older than 48 hours.

    Raises Refusal(400 or 414). Source: kavenegar-rest, sms/status.
    """
    ids = parse_message_ids(call.params["messageid"])
    if len(ids) > account.knobs.status_limit:
        raise Refusal(414)
    account.counters.count_rows(call.method, len(ids))
    now = account.clock.now()
    return Answer(entries=arrange_rows(account, [_status_row(account, messageid, now) for messageid in ids]))


def _status_row(account: Account, messageid: int, now: float) -> Row:
    row = account.ledger.row(messageid)
    status = UNKNOWN if row is None else account.status(row, now)
    return {"messageid": messageid, "status": status, "statustext": STATUS_TEXT[status]}


def status_by_localid(account: Account, call: Call) -> Answer:
    """sms/statuslocalmessageid: the status of messages by the caller's own ids, for 12 hours.

    An id that was never sent, or earlier, has status 100, and message id 0 or none (the knob `unknown_localid`).
    Localids are returned as strings, as in the specification's sample. SMS and calls share one space of localids.

    Raises Refusal(414). Source: kavenegar-rest, StatusByLocalid.
    """
    ids = split_list(call.params["localid"])
    if len(ids) > account.knobs.localid_status_limit:
        raise Refusal(414)
    account.counters.count_rows(call.method, len(ids))
    now = account.clock.now()
    return Answer(entries=arrange_rows(account, [_localid_row(account, each, now) for each in ids]))


def _localid_row(account: Account, asked: str, now: float) -> Row:
    ledger, window_s = account.ledger, account.knobs.localid_window_s
    row = ledger.localids.row(parse_localid(asked))
    if row is None or now - ledger.starts_at[row] > window_s:
        unknown = {"localid": asked, "status": UNKNOWN, "statustext": STATUS_TEXT[UNKNOWN]}
        return unknown if account.knobs.unknown_localid == "absent" else {"messageid": 0, **unknown}
    status = account.status(row, now)
    return {
        "messageid": ledger.messageid(row),
        "localid": asked,
        "status": status,
        "statustext": STATUS_TEXT[status],
    }


def status_by_receptor(account: Account, call: Call) -> Answer:
    """sms/statusbyreceptor: the messages to one receptor within a day, with their status.

    Without an end, the range is the day after the start. It may lie any time ago: the specification sets no limit here.

    Raises Refusal(411 or 417). Source: kavenegar-rest, sms/statusbyreceptor.
    """
    receptor = parse_number(call.params["receptor"], lenient=account.knobs.lenient_numbers)
    if receptor is None:
        raise Refusal(411)
    start, enddate = parse_date(call.params["startdate"]), call.params.get("enddate", "")
    start, end = check_range(start, start + DAY_S if enddate in UNSET else parse_date(enddate))
    dates, now = account.ledger.starts_at, account.clock.now()
    rows = (row for row in account.ledger.rows_to(receptor) if start <= dates[row] < end + 1)
    return answer_rows(account, [_receptor_row(account, row, now) for row in rows])


def _receptor_row(account: Account, row: int, now: float) -> Row:
    status = account.true_status(row, now)
    return {
        "messageid": account.ledger.messageid(row),
        "receptor": format_number(account.ledger.receptors[row]),
        "status": status,
        "statustext": STATUS_TEXT[status],
    }

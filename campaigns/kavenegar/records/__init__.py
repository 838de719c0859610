"""What comes back, as records. The names are the gateway's own.

    reading     a value of a row, however loosely it was written
    messages    messages we sent: their rows, their statuses, their counts
    inbound     messages people sent us
    blocklist   numbers a line does not reach
    paged       what an answer says about its pages
    account     the account, its settings, the gateway's clock

The service is loose with types: numbers come as text, costs as 120.0, ids of ours as text, `statustext` not at all.
Each reader takes what can be understood. A row that cannot is left out, and the caller sees it as missing. What a row
holds beside the fields of its record stays in `extra`. No repr shows a text or a person's number.
"""

"""Whom we do not write to: suppressed and lifted by hand, and the gateway's block lists synchronised both ways.

    by_hand  suppress, lift, look up
    gateway  a line's block list, synchronised and asked
    visit    one turn at a line
    export   everybody, as a file

The parts are imported one by one: whoever only suppresses needs no gateway.
"""

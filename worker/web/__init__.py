"""The HTTP service that the gateway calls back: status changes, and messages that came in.

    reading    what a call says, in whatever form it comes
    allowance  how many calls a second are taken
    desk       where it is written down
    answering  who is answered what
    seldom     what the log says about calls that were turned away: a line a minute
    server     HTTP, with bounds for whoever is on the other side

It answers 200 once what it was told stands in the database, and needs neither the gateway nor its API key.
"""

from worker.web.allowance import Allowance
from worker.web.answering import application
from worker.web.desk import Desk
from worker.web.reading import MOST_BYTES
from worker.web.server import listening

__all__ = ["MOST_BYTES", "Allowance", "Desk", "application", "listening"]

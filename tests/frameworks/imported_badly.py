"""A module whose import changes the process, as no module of ours does: the test of the test."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading

from celery import Celery

logging.basicConfig()
logging.getLogger("sqlalchemy.engine").setLevel(logging.INFO)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.environ["BROKER_URL"] = "memory://"
socket.setdefaulttimeout(1)
threading.Thread(target=threading.Event().wait, name="ours", daemon=True).start()
app = Celery("ours")
app.set_current()

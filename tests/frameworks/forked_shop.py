"""A shop on Flask that gunicorn loads before it forks, and a Celery app of the shop's own: both use us at import."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from flask import Flask, jsonify
from sqlalchemy import Engine, create_engine

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.context import make_engine
from kavenegar_worker import otp

OURS = os.environ["SHOP_ENGINE"] == "ours"
engine: Engine = (make_engine if OURS else create_engine)(os.environ["DATABASE_URL"])


def _use_before_the_fork() -> None:
    """Do at import what leaves connections open: queries at the same time, and a one-time password."""
    for connection in [engine.connect() for _ in range(4)]:
        campaigns.newest(connection)
        connection.close()
    otp.send(number="09120000000", template="verify", token="481516")


_use_before_the_fork()
app = Flask("forked_shop")
celery = Celery("forked_shop", broker=os.environ["BROKER_URL"], backend=os.environ["BROKER_URL"])
celery.conf.task_default_queue = "shop"


def look(campaign: int) -> dict[str, Any]:
    """Read a campaign, and send a one-time password to a number that follows from it."""
    with engine.begin() as connection:
        found = campaigns.get(connection, campaign)
    number = f"0912{campaign:07d}"
    sent = otp.send(number=number, template="verify", token="481516")
    return {"pid": os.getpid(), "right": found.id == campaign and sent.number == number and sent.state == "accepted"}


@app.get("/campaigns/<int:campaign>")
def _view(campaign: int) -> Any:
    try:
        return jsonify(look(campaign))
    except campaigns.BadInput as why:
        return jsonify({"pid": os.getpid(), "refused": str(why)}), 400


@celery.task(name="shop.look")
def _look_task(campaign: int) -> dict[str, Any]:
    return look(campaign)

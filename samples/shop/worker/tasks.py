"""The shop's tasks."""

import kavenegar_campaigns as sms
from celery import shared_task
from django.db import connection, transaction
from django.utils.timezone import localdate

from campaigns.models import Reply
from campaigns.nightly import remind


@shared_task
def remind_of_today():
    """Run the nightly campaign. Two beats, or a task that comes twice, do no harm: the day is its key."""
    remind(localdate())


@shared_task
def take_reply(message_id):
    """Keep an inbound message (INBOX_TASK). It comes again until it is acknowledged, and counts once."""
    with transaction.atomic():
        if sms.acknowledge(connection, message_id):
            message = sms.get_inbound(connection, message_id)
            Reply.objects.create(mobile=message.number, text=message.text)

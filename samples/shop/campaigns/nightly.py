"""The nightly campaign: orders of the day that were not paid for."""

import kavenegar_campaigns as sms
from django.conf import settings
from django.db import connection, transaction

from orders.models import Order

REMINDER = "{name} عزیز، سفارش شما هنوز پرداخت نشده است."


def remind(day):
    """Remind once a day, however often this runs. Returns the campaign's id, or None on a day without such orders."""
    key = f"unpaid-{day}"
    unpaid = Order.objects.filter(paid=False, created_at__date=day)
    with transaction.atomic():
        found = sms.by_key(connection, key)
        if found or not unpaid.exists():
            return found and found.id
        campaign = sms.create(
            connection, recipients=unpaid.values("mobile", "name"), text=REMINDER, sender=settings.SMS_SENDER, key=key
        )
        sms.start(connection, campaign)
    return campaign

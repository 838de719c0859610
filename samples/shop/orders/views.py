"""Orders over HTTP."""

import kavenegar_campaigns as sms
from django.conf import settings
from django.db import connection, transaction
from django.forms import modelform_factory
from django.http import JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from orders.models import Order

CONFIRMATION = "{name} عزیز، سفارش {order} ثبت شد."
OrderForm = modelform_factory(Order, fields=["mobile", "name", "product"])


@csrf_exempt  # customers are not logged in: there is no session to abuse
@require_POST
def place(request):
    """Take an order and confirm it by SMS: both, or neither."""
    form = OrderForm(request.POST)
    if not form.is_valid():
        return JsonResponse(form.errors, status=400)
    with transaction.atomic():
        order = form.save()
        campaign = sms.create(
            connection,
            recipients=[(order.mobile, {"name": order.name, "order": order.pk})],
            text=CONFIRMATION,
            sender=settings.SMS_SENDER,
            key=f"order-{order.pk}",
        )
        sms.start(connection, campaign)
    return JsonResponse({"order": order.pk, "campaign": campaign}, status=201)

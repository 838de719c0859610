"""Marketing campaigns over HTTP."""

import kavenegar_campaigns as sms
from django.conf import settings
from django.contrib.auth.decorators import permission_required
from django.db import connection, transaction
from django.http import JsonResponse
from django.views.decorators.http import require_POST


@require_POST
@permission_required("orders.view_order", raise_exception=True)
def upload(request):
    """Send a text to the recipients of a CSV or a workbook. Wrong rows are kept with their reasons."""
    file = request.FILES["file"]
    with transaction.atomic():
        campaign = sms.create(
            connection, recipients=file, text=request.POST["text"], sender=settings.SMS_SENDER, name=file.name
        )
        started = sms.start(connection, campaign)
    return JsonResponse({"campaign": campaign, "messages": started.messages, "rejects": started.rejects}, status=201)

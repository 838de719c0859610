"""The shop's pages."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.contrib import admin
from django.db import connection, transaction
from django.http import HttpRequest, JsonResponse
from django.urls import path

import kavenegar_campaigns as campaigns
from tests.frameworks.django_project.campaigns.models import Order


def place_order(number: str) -> int:
    """An order and the campaign that confirms it: both, or neither."""
    with transaction.atomic():
        order = Order.objects.create(number=number)
        people, key = [(number, {"name": "سارا"})], f"order-{order.pk}"
        campaign = campaigns.create(connection, recipients=people, text="سلام {name}", sender="10004346", key=key)
        campaigns.start(connection, campaign)
    return campaign


def order(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"campaign": place_order(request.GET["number"])})


def order_and_fail(request: HttpRequest) -> JsonResponse:
    place_order(request.GET["number"])
    raise RuntimeError("the page cannot be shown")


async def order_async(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"campaign": await sync_to_async(place_order)(request.GET["number"])})


def whole_request(request: HttpRequest) -> JsonResponse:
    """A page without `atomic`, which only works with ATOMIC_REQUESTS."""
    Order.objects.create(number=request.GET["number"])
    number = request.GET["number"]
    return JsonResponse({"campaign": campaigns.create(connection, recipients=[number], text="x", sender="10004346")})


urlpatterns = [
    path("order", order),
    path("order-and-fail", order_and_fail),
    path("order-async", order_async),
    path("whole-request", whole_request),
    path("admin/", admin.site.urls),
]

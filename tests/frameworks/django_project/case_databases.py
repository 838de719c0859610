"""Campaigns in another of the shop's databases, and in the clones of Django's parallel tests."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.db import connection, connections, transaction
from django.test import TestCase

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.api import admin, connection_of
from tests.frameworks.django_project.campaigns.models import Order

ALIAS = settings.CAMPAIGNS_DATABASE


class Chosen(TestCase):
    """The database that CAMPAIGNS_DATABASE names."""

    databases = frozenset(settings.DATABASES)

    def test_campaigns_are_created_and_rolled_back_there(self) -> None:
        with pytest.raises(ZeroDivisionError), transaction.atomic(using=ALIAS):
            Order.objects.using(ALIAS).create(number="1")
            campaigns.create(connections[ALIAS], recipients=["09121234567"], text="x", sender="10004346")
            1 / 0  # noqa: B018 - whatever fails
        assert campaigns.newest(connections[ALIAS]) == []

    def test_the_test_database_is_at_home(self) -> None:
        assert admin.read_place(connection_of(connections[ALIAS])) is admin.Place.HOME  # type: ignore[arg-type]

    def test_no_other_database_gets_our_tables(self) -> None:
        if ALIAS == "default":
            self.skipTest("there is one database")
        if connection.vendor != "postgresql":
            with pytest.raises(campaigns.BadInput, match="Django's database 'default' is sqlite"):
                campaigns.newest(connection)
            return
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regnamespace('sms') IS NULL")
            assert cursor.fetchone() == (True,)


class AgainOne(Chosen):
    """More classes, for more processes."""


class AgainTwo(Chosen):
    """More classes, for more processes."""

"""A test database that is kept from run to run."""

from __future__ import annotations

from django.db import connection, transaction
from django.test import TransactionTestCase

import kavenegar_campaigns as campaigns
from kavenegar_campaigns import testing


class Kept(TransactionTestCase):
    """What one run committed is gone in the next."""

    available_apps = None

    def _fixture_teardown(self) -> None:
        """Leave everything behind, as a run that is killed does."""

    def test_the_database_is_empty_and_is_left_full(self) -> None:
        assert campaigns.newest(connection) == []
        with transaction.atomic():
            campaign = campaigns.create(connection, recipients=["09121234567"], text="x", sender="10004346")
            campaigns.start(connection, campaign)
        assert len(testing.outbox(connection).messages) == 1

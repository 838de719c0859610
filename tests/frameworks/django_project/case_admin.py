"""The shop's staff looks at campaigns in Django's admin."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection, transaction
from django.test import TestCase, TransactionTestCase
from django.test.utils import CaptureQueriesContext

import kavenegar_campaigns as campaigns
from kavenegar_campaigns.django.models import Campaign
from tests.frameworks.django_project.campaigns.models import Order
from tests.frameworks.django_project.urls import place_order

LIST = "/admin/kavenegar_campaigns/campaign/"
TEXT = "a text that nobody of the staff has to read"


class ReadOnly(TestCase):
    """What the admin shows, and to whom."""

    @classmethod
    def setUpTestData(cls) -> None:
        cls.running = place_order("09121234567")
        cls.draft = campaigns.create(
            connection,
            recipients=["09121234568", "09121234569", "12"],
            text=TEXT,
            sender="10004346",
            name="autumn sale",
        )
        cls.chief = User.objects.create_superuser("chief")
        cls.clerk = User.objects.create_user("clerk", is_staff=True)

    def setUp(self) -> None:
        self.client.force_login(self.chief)

    def page(self, path: str = "") -> str:
        answer = self.client.get(LIST + path)
        assert answer.status_code == 200, answer.status_code
        return answer.content.decode()

    def test_the_list_says_how_far_each_is_and_why_it_waits(self) -> None:
        shown = self.page()

        assert "autumn sale" in shown
        assert campaigns.why_waiting(connection, self.draft).sentence.split("`")[0] in shown
        assert "0 %" in shown

    def test_the_page_of_one_counts_its_messages_by_state(self) -> None:
        shown = self.page(f"{self.draft}/change/")

        assert "2 pending" in shown
        assert "autumn sale" in shown

    def test_a_finished_campaign_is_wholly_sent(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE sms.campaigns SET state = 'finished', started_at = now(), finished_at = now()")

        assert self.page().count("100 %") == 4

    def test_no_page_shows_a_number_or_a_text(self) -> None:
        shown = self.page() + self.page(f"{self.draft}/change/") + self.page(f"{self.draft}/history/")

        assert TEXT not in shown
        assert "سلام" not in shown
        assert "0912123456" not in shown

    def test_the_list_costs_as_many_statements_for_many_campaigns_as_for_few(self) -> None:
        with CaptureQueriesContext(connection) as few:
            self.page()
        for number in range(15):
            place_order(f"0912999{number:04}")
        with CaptureQueriesContext(connection) as many:
            shown = self.page()

        assert shown.count("field-why_it_waits") == 17
        assert len(many) == len(few)
        assert not [each["sql"] for each in many if "messages" in each["sql"] and "count" in each["sql"].lower()]

    def test_search_and_filters_work(self) -> None:
        assert "autumn sale" in self.page("?q=autumn")
        assert "autumn sale" not in self.page("?state__exact=running")

    def test_nobody_adds_changes_or_deletes(self) -> None:
        for path in ("add/", f"{self.draft}/delete/"):
            assert self.client.get(LIST + path).status_code == 403
        assert self.client.post(f"{LIST}{self.draft}/change/", {"name": "other"}).status_code == 403
        assert "Save" not in self.page(f"{self.draft}/change/")
        assert campaigns.get(connection, self.draft).name == "autumn sale"

    def test_staff_needs_the_permission_to_view(self) -> None:
        self.client.force_login(self.clerk)
        assert self.client.get(LIST).status_code == 403

        of_ours = ContentType.objects.get_for_model(Campaign)
        found = Permission.objects.filter(content_type=of_ours)
        assert [each.codename for each in found] == ["view_campaign"]
        self.clerk.user_permissions.set(found)
        assert self.client.get(LIST).status_code == 200

    def test_a_page_that_is_not_there_is_a_404_or_a_way_back(self) -> None:
        assert self.client.get(f"{LIST}999/change/").status_code in {302, 404}


class OwnTables(TransactionTestCase):
    """Django's commands leave our tables alone."""

    def test_flush_and_makemigrations_touch_nothing_of_ours(self) -> None:
        call_command("makemigrations", "--check", "--dry-run", verbosity=0)
        call_command("flush", "--noinput", verbosity=0)
        with transaction.atomic():
            place_order("09121234567")
        assert len(campaigns.newest(connection)) == 1

    def test_the_model_reads_what_the_functions_write(self) -> None:
        with transaction.atomic():
            campaign = place_order("09121234567")
        found = Campaign.objects.get(pk=campaign)

        assert (found.state, found.messages, str(found), found.client_key) == (
            "running",
            1,
            f"campaign {campaign}",
            f"order-{Order.objects.get().pk}",
        )
        with pytest.raises(campaigns.NotFound):
            campaigns.get(connection, campaign + 1)

"""Marketing campaigns, the nightly campaign, and replies."""

from io import StringIO

from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection
from django.test import TestCase
from django.utils.timezone import localdate
from kavenegar_campaigns import testing

from campaigns.models import Reply
from campaigns.nightly import remind
from orders.models import Order
from worker.tasks import take_reply

CSV = "mobile,name\n09121234567,سارا\n09121234568,علی\n12,نادرست\n"


def sent():
    """The numbers and texts that would have left."""
    return [(each.number, each.text) for each in testing.outbox(connection).messages]


class Uploading(TestCase):
    """A file of recipients."""

    def upload(self):
        """Upload the file as whoever is logged in."""
        file = SimpleUploadedFile("customers.csv", CSV.encode())
        return self.client.post("/campaigns", {"file": file, "text": "سلام {name}"})

    def test_a_file_becomes_a_campaign_and_its_wrong_rows_are_counted(self):
        self.client.force_login(User.objects.create_superuser("boss"))

        answer = self.upload().json()

        self.assertEqual((answer["messages"], answer["rejects"]), (2, 1))
        self.assertEqual(sent(), [("09121234567", "سلام سارا"), ("09121234568", "سلام علی")])

    def test_only_staff_may_upload(self):
        self.assertEqual(self.upload().status_code, 403)
        self.assertEqual(sent(), [])


class TheNightlyCampaign(TestCase):
    """Orders of the day that were not paid for."""

    def test_it_is_created_once_a_day_however_often_it_runs(self):
        day = localdate(Order.objects.create(mobile="09121234567", name="سارا", product="کتاب").created_at)
        Order.objects.create(mobile="09121234568", name="علی", product="کتاب", paid=True)
        first = remind(day)
        Order.objects.create(mobile="09121234569", name="مینا", product="کتاب")

        call_command("remind", day=day, stdout=StringIO())

        self.assertEqual(remind(day), first)
        self.assertEqual(sent(), [("09121234567", "سارا عزیز، سفارش شما هنوز پرداخت نشده است.")])

    def test_a_day_without_orders_has_none(self):
        self.assertIsNone(remind(localdate()))


class Replies(TestCase):
    """Inbound messages."""

    def test_a_reply_is_kept_once_however_often_its_task_comes(self):
        message = testing.receive(connection, number="09121234567", text="کی می‌رسد؟")
        take_reply(message)
        take_reply(message)

        self.assertEqual([(each.mobile, each.text) for each in Reply.objects.all()], [("09121234567", "کی می‌رسد؟")])

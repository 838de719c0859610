"""Orders, and the SMS that would confirm them."""

from django.conf import settings
from django.db import connection
from django.test import TestCase
from kavenegar_campaigns import testing

from orders.models import Order

ORDER = {"mobile": "09121234567", "name": "سارا", "product": "کتاب"}


class PlacingAnOrder(TestCase):
    """Nothing leaves, also where workers run: the test database refuses it."""

    def test_an_order_is_confirmed_by_sms(self):
        answer = self.client.post("/orders", ORDER)

        self.assertEqual(answer.status_code, 201)
        order = Order.objects.get()
        [message] = testing.outbox(connection).messages
        self.assertEqual((message.number, message.sender), ("09121234567", settings.SMS_SENDER))
        self.assertEqual(message.text, f"سارا عزیز، سفارش {order.pk} ثبت شد.")

    def test_an_order_that_nobody_can_be_told_about_is_refused_whole(self):
        answer = self.client.post("/orders", ORDER | {"mobile": "12"})

        self.assertEqual((answer.status_code, answer.json()["title"]), (400, "Bad input"))
        self.assertFalse(Order.objects.exists())

    def test_an_order_without_a_name_is_refused(self):
        self.assertEqual(self.client.post("/orders", ORDER | {"name": ""}).json().keys(), {"name"})
        self.assertEqual(testing.outbox(connection).messages, [])

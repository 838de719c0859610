"""What the shop sells."""

from __future__ import annotations

from django.db import models


class Order(models.Model):
    """An order; a number is ordered once."""

    number = models.TextField(unique=True)

    class Meta:
        app_label = "campaigns"

"""What customers order."""

from django.db import models


class Order(models.Model):
    """An order, and whom to tell about it."""

    mobile = models.CharField(max_length=20)
    name = models.CharField(max_length=100)
    product = models.CharField(max_length=100)
    paid = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return f"order {self.pk}"

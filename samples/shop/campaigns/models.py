"""What customers answer."""

from django.db import models


class Reply(models.Model):
    """An inbound message, as the shop keeps it."""

    mobile = models.CharField(max_length=20)
    text = models.TextField()
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "replies"

    def __str__(self):
        return f"reply {self.pk}"

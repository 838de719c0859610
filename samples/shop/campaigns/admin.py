"""Replies in the admin."""

from django.contrib import admin

from campaigns.models import Reply

admin.site.register(Reply, list_display=["id", "text", "received_at"])

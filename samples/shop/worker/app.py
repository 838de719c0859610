"""The shop's Celery app. kavenegar_campaigns has another, on another broker, and neither knows of the other."""

import os

from celery import Celery
from celery.schedules import crontab

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")

app = Celery("shop", include=["worker.tasks"])
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_schedule = {"remind": {"task": "worker.tasks.remind_of_today", "schedule": crontab(hour=21, minute=0)}}

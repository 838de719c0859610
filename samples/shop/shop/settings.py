"""The shop's settings, out of the environment. `.env.example` has all of its variables."""

import os
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = os.environ["SECRET_KEY"]
DEBUG = os.environ.get("DEBUG") == "1"
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "127.0.0.1,localhost").split(",")
ROOT_URLCONF = "shop.urls"
STATIC_URL = "static/"
TIME_ZONE = "Asia/Tehran"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "kavenegar_campaigns.django",  # manage.py campaigns, the admin, and tests that send nothing
    "orders",
    "campaigns",  # the shop's own app of this name
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "kavenegar_campaigns.web_errors.DjangoMiddleware",  # BadInput becomes 400, KeyConflict 409, …
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# One database: an order and the campaign that confirms it are one transaction.
_address = conninfo_to_dict(os.environ["DATABASE_URL"])
DATABASES = {
    "default": {"ENGINE": "django.db.backends.postgresql", "NAME": _address.pop("dbname"), "OPTIONS": _address}
}

# The shop's own Celery has a broker of its own. That of kavenegar_campaigns is CAMPAIGNS_BROKER_URL: not read here.
CELERY_BROKER_URL = os.environ["SHOP_BROKER_URL"]
CELERY_TIMEZONE = TIME_ZONE

SMS_SENDER = os.environ["KAVENEGAR_SENDER"]

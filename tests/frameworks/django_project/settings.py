"""The shop's settings. SHOP_DATABASE_URL is its database; SHOP_OPTIONS adds to DATABASES, as JSON."""

from __future__ import annotations

import json
import os

from sqlalchemy import make_url

_url = make_url(os.environ["SHOP_DATABASE_URL"])
_database = {
    "ENGINE": "django.db.backends.postgresql",
    "NAME": _url.database,
    "USER": _url.username,
    "PASSWORD": _url.password or "",
    "HOST": _url.host or _url.query.get("host", ""),
    "PORT": _url.port or _url.query.get("port", ""),
} | json.loads(os.environ.get("SHOP_OPTIONS", "{}"))
_other = os.environ.get("SHOP_OTHER_NAME")
DATABASES = {"default": _database}
if _other == "sqlite":
    DATABASES["other"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
elif _other:
    DATABASES["other"] = _database | {"NAME": _other}
if os.environ.get("SHOP_SWAPPED"):
    DATABASES = {"default": DATABASES["other"], "other": DATABASES["default"]}
CAMPAIGNS_DATABASE = os.environ.get("SHOP_CAMPAIGNS_DATABASE", "default")
SECRET_KEY = "of tests"
USE_TZ = True
TIME_ZONE = "Asia/Tehran"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tests.frameworks.django_project.urls"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "kavenegar_campaigns.django",
    "tests.frameworks.django_project.campaigns",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
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
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

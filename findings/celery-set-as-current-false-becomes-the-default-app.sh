#!/usr/bin/env bash
# celery 5.7.0 and Django 5.2.19 (PyPI): an app made with `set_as_current=False` becomes the default app of the process, and
# its tasks become tasks of every other app.
#
# Guess, written down first: an app made with `set_as_current=False` stays out of the way. `@shared_task`, `current_app` and
# every other app behave as if it did not exist, and only its own worker knows its tasks.
# Seen: 1. where DJANGO_SETTINGS_MODULE is set, the fixup for Django calls `app.set_default()` in the constructor of the first
# app that is made, whatever `set_as_current` says. In every thread but the one that made the shop's own app (a web server's
# threads, for one) `@shared_task` then publishes to the broker of that first app, without an error.
# 2. `@app.task` has `shared=True` by default: the task is registered in every app of the process, so that the shop's worker
# runs it. Both are in the source (celery.fixups.django, celery.app.base.Celery.task); the first is in no documentation.
# What it means for users: a library that brings a Celery app of its own moves the tasks of the shop that imports it.
# We make our app with `fixups=[]` and our tasks with `shared=False` (worker/isolation.py; tests/worker/test_two_apps.py).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --quiet --disable-pip-version-check install celery==5.7.0 django==5.2.19

cat > "$folder/both.py" <<'PY'
import threading

from celery import Celery, shared_task

theirs = Celery("a library", broker="memory://library", set_as_current=False)


@theirs.task(name="library.task")
def task():
    pass


shop = Celery("shop", broker="memory://shop")


@shared_task(name="shop.pack")
def pack():
    pass


found = {"this thread": pack.app.main}
other = threading.Thread(target=lambda: found.update({"another thread": pack.app.main}))
other.start()
other.join()
for where, app in found.items():
    print(f"in {where} a shared task of the shop belongs to: {app}")
print(f"the shop's worker runs library.task: {'library.task' in shop.tasks}")
PY
cd "$folder"
seen=$(
  echo "without DJANGO_SETTINGS_MODULE:"
  env -u DJANGO_SETTINGS_MODULE venv/bin/python both.py
  echo "with DJANGO_SETTINGS_MODULE:"
  DJANGO_SETTINGS_MODULE=django.conf.global_settings venv/bin/python both.py
)
echo "$seen"
# Output on 2026-11-29, and what makes this fail where it changes:
diff - <(echo "$seen") <<'SEEN'
without DJANGO_SETTINGS_MODULE:
in this thread a shared task of the shop belongs to: shop
in another thread a shared task of the shop belongs to: default
the shop's worker runs library.task: True
with DJANGO_SETTINGS_MODULE:
in this thread a shared task of the shop belongs to: shop
in another thread a shared task of the shop belongs to: a library
the shop's worker runs library.task: True
SEEN

"""djangorestframework-simplejwt as its users run it, for the benchmark `gate`: a Django project in one file.

    simplejwt_peer.py setup                   make its tables and one user
    simplejwt_peer.py links COUNT             print COUNT one-time tokens of that user
    simplejwt_peer.py sessions COUNT          print COUNT refresh tokens of that user
    simplejwt_peer.py use CALLERS < links     use each up, with CALLERS threads in two processes; print how many a second
    gunicorn simplejwt_peer:application       TokenRefreshView, with rotation and blacklist

PEER_PORT names PostgreSQL's port on 127.0.0.1. Needs django, djangorestframework-simplejwt, psycopg[binary], gunicorn.
"""

import multiprocessing
import os
import sys
import threading
import time
from datetime import timedelta

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="simplejwt-peer-0123456789abcdefghijklmnopqrstuvwxyz",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__ if __name__ != "__main__" else "simplejwt_peer",
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "rest_framework",
        "rest_framework_simplejwt",
        "rest_framework_simplejwt.token_blacklist",
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "postgres",
            "USER": "gatepost",
            "HOST": "127.0.0.1",
            "PORT": os.environ.get("PEER_PORT", "5432"),
            "CONN_MAX_AGE": None,
        }
    },
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    SIMPLE_JWT={
        "ACCESS_TOKEN_LIFETIME": timedelta(minutes=60),
        "REFRESH_TOKEN_LIFETIME": timedelta(days=7),
        "ROTATE_REFRESH_TOKENS": True,
        "BLACKLIST_AFTER_ROTATION": True,
    },
)
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connections  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken  # noqa: E402
from rest_framework_simplejwt.tokens import BlacklistMixin, RefreshToken, Token  # noqa: E402
from rest_framework_simplejwt.utils import datetime_from_epoch  # noqa: E402
from rest_framework_simplejwt.views import TokenRefreshView  # noqa: E402

urlpatterns = [path("api/token/refresh/", TokenRefreshView.as_view())]
application = get_wsgi_application()
User = get_user_model()


class ActivateToken(BlacklistMixin, Token):
    token_type = "activate"
    lifetime = timedelta(minutes=30)


def make(kind, count):
    """As `for_user` does, in one statement."""
    user = User.objects.get(username="peer")
    tokens = []
    for _ in range(count):
        token = kind()
        token["user_id"] = str(user.id)
        tokens.append(token)
    OutstandingToken.objects.bulk_create(
        OutstandingToken(
            user=user,
            jti=token["jti"],
            token=str(token),
            created_at=token.current_time,
            expires_at=datetime_from_epoch(token["exp"]),
        )
        for token in tokens
    )
    sys.stdout.writelines(f"{token}\n" for token in tokens)


def use(raw):
    """`verify_token` of the Python services: check the blacklist, blacklist, load the user."""
    token = ActivateToken(raw)
    token.blacklist()
    User.objects.get(id=token["user_id"])


def caller(links, line):
    next(iter(User.objects.all()))
    line.wait()
    for link in links:
        use(link)
    connections.close_all()


def process(links, callers, line):
    connections.close_all()
    threads = [threading.Thread(target=caller, args=(links[nth::callers], line)) for nth in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def use_all(callers):
    links = [line.strip() for line in sys.stdin]
    context = multiprocessing.get_context("fork")
    connections.close_all()
    line = context.Barrier(callers + 1)
    half = callers // 2
    processes = [
        context.Process(target=process, args=(links[nth::2], count, line))
        for nth, count in enumerate([half, callers - half])
    ]
    for one in processes:
        one.start()
    line.wait()
    began = time.monotonic()
    for one in processes:
        one.join()
    took = time.monotonic() - began
    assert all(one.exitcode == 0 for one in processes)
    print(len(links) / took)


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    if command == "setup":
        call_command("migrate", verbosity=0)
        User.objects.create_user("peer")
    elif command == "links":
        make(ActivateToken, int(arguments[0]))
    elif command == "sessions":
        make(RefreshToken, int(arguments[0]))
    elif command == "use":
        use_all(int(arguments[0]))

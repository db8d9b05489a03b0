"""A Django project's accounts, for the tests beside them.

    django_accounts.py URL SCHEMA

takes lines of JSON, `[COMMAND, ARGUMENT...]`, and answers each with one. The project is Django's own `auth` on the PostgreSQL of URL, with its tables in SCHEMA (and gone with it).
"""
import json
import os
import sys
from datetime import timedelta
from urllib.parse import unquote, urlsplit

import django
from django.conf import settings
from django.contrib.auth import hashers



# Compiled without optimisation, Gatepost takes too long at the real costs; those are in golden.txt.
class PBKDF2(hashers.PBKDF2PasswordHasher):
    iterations = 100_000


class PBKDF2SHA1(hashers.PBKDF2SHA1PasswordHasher):
    iterations = 20_000


class Argon2(hashers.Argon2PasswordHasher):
    memory_cost, parallelism = 1024, 2


class Scrypt(hashers.ScryptPasswordHasher):
    work_factor = 2**10


class BCryptSHA256(hashers.BCryptSHA256PasswordHasher):
    rounds = 5


class BCrypt(hashers.BCryptPasswordHasher):
    rounds = 5


url, schema = sys.argv[1:]
parts = urlsplit(url)
KINDS = "PBKDF2 PBKDF2SHA1 Argon2 Scrypt BCryptSHA256 BCrypt".split()
SECRET = os.environ.get("DJANGO_SECRET", "django-insecure-test-secret-key-0123456789abcdefghijklmnopqrstuv")
settings.configure(
    SECRET_KEY=SECRET,
    USE_TZ=True,
    TIME_ZONE="UTC",
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "rest_framework",
        "rest_framework_simplejwt",
        "rest_framework_simplejwt.token_blacklist",
    ],
    SIMPLE_JWT={"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True},
    PASSWORD_HASHERS=[f"__main__.{kind}" for kind in KINDS] + ["django.contrib.auth.hashers.MD5PasswordHasher"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": parts.path.lstrip("/"),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": parts.hostname or "",
            "PORT": parts.port or "",
            "OPTIONS": {"options": f"-c search_path={schema}"},
        }
    },
)
django.setup()

from django.contrib.auth import authenticate, get_user_model  # noqa: E402
from django.contrib.auth.hashers import make_password  # noqa: E402
from django.contrib.auth.tokens import default_token_generator  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.utils.encoding import force_bytes  # noqa: E402
from django.utils.http import urlsafe_base64_encode  # noqa: E402
from django.utils.timezone import now  # noqa: E402
from rest_framework_simplejwt.exceptions import TokenError  # noqa: E402
from rest_framework_simplejwt.tokens import BlacklistMixin, RefreshToken, Token  # noqa: E402

User = get_user_model()


# The Python services' own.
class ActivateToken(BlacklistMixin, Token):
    token_type = "activate"
    lifetime = timedelta(minutes=30)


class ChangePasswordToken(BlacklistMixin, Token):
    token_type = "change_password"
    lifetime = timedelta(minutes=30)


TOKENS = {kind.token_type: kind for kind in (ActivateToken, ChangePasswordToken, RefreshToken)}


def make():
    """Schema and tables."""
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
    call_command("migrate", verbosity=0)


def drop():
    with connection.cursor() as cursor:
        cursor.execute(f'DROP SCHEMA "{schema}" CASCADE')


def add(accounts):
    """`[{"email", "password", "kind"?, "active"?, "login"?, ...}]`; their ids."""
    ids = []
    for account in json.loads(accounts):
        if "stored" in account:
            stored = account["stored"]
        else:
            stored = make_password(account["password"], hasher=account.get("kind", "default"))
        user = User(
            username=account.get("username", account["email"]),
            email=account["email"],
            first_name=account.get("first_name", ""),
            password=stored,
            is_active=account.get("active", True),
            last_login=now() if account.get("login") else None,
        )
        user.save()
        ids.append(user.pk)
    return ids


def show(email):
    user = User.objects.get(email__iexact=email)
    return {
        "id": user.pk,
        "password": user.password,
        "active": user.is_active,
        "logged_in": user.last_login is not None,
        "first_name": user.first_name,
    }


def can(email, password):
    """Whether Django itself lets this password in."""
    user = User.objects.get(email__iexact=email)
    return authenticate(username=user.username, password=password) is not None


def set_password(email, password):
    user = User.objects.get(email__iexact=email)
    user.set_password(password)
    user.save()


def shut_out(email):
    User.objects.filter(email__iexact=email).update(is_active=False)


def link(email):
    """What stands in a link of Django's own letters."""
    user = User.objects.get(email__iexact=email)
    return {"uid": urlsafe_base64_encode(force_bytes(user.pk)), "token": default_token_generator.make_token(user)}


def jwt(kind, email):
    """What stands in a link of the Python services' letters; or what an app holds."""
    return str(TOKENS[kind].for_user(User.objects.get(email__iexact=email)))


def use(kind, token):
    """As the Python services use one: whom it is for, or why it is none."""
    try:
        token = TOKENS[kind](token)
        token.blacklist()
    except TokenError as error:
        return str(error)
    return token["user_id"]


def sql(text):
    """For what no form of Django's would let through; one row, if there is one."""
    with connection.cursor() as cursor:
        cursor.execute(text)
        return cursor.fetchone() if cursor.description else None


COMMANDS = {f.__name__: f for f in (make, drop, add, show, can, set_password, shut_out, link, jwt, use, sql)}
for line in sys.stdin:
    command, *arguments = json.loads(line)
    print(json.dumps(COMMANDS[command](*arguments)), flush=True)

"""A Django project with simplejwt, for tests beside it: project.py DATABASE_URL USERS SIMPLE_JWT COMMAND [...]

DATABASE_URL is postgres://... or sqlite:///PATH. USERS is `int` (Django's own user), `uuid` (people.Person, who logs in by e-mail) or `code` (people.Member, who besides has another key than tokens say). SIMPLE_JWT is JSON; names that end in
_LIFETIME, and LEEWAY, are seconds. Commands: `create NAME PASSWORD ...` makes the database, its tables and users and
prints each one's id; `add ID NAME PASSWORD` makes one more by that id, a Django's own user without an address; `serve PORT` serves until it is killed; `drop` drops the database.
"""

import json
import logging
import os
import sys
from datetime import timedelta
from urllib.parse import unquote, urlsplit

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
url, users, simple_jwt, command, *rest = sys.argv[1:]
parts = urlsplit(url)
if parts.scheme == "sqlite":
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": parts.path}
else:
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or 5432),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
    }


def administer(statement):
    if parts.scheme == "sqlite":
        return
    import psycopg

    with psycopg.connect(
        host=database["HOST"], port=database["PORT"], user=database["USER"], password=database["PASSWORD"] or None,
        dbname="postgres", autocommit=True,
    ) as connection:
        connection.execute(statement)


import django  # noqa: E402
from django.conf import settings  # noqa: E402

logging.disable(logging.CRITICAL)
given = json.loads(simple_jwt)
for name in given:
    if name.endswith("_LIFETIME"):
        given[name] = timedelta(seconds=given[name])
settings.configure(
    DEBUG=False,
    SECRET_KEY=given.pop("SECRET_KEY"),
    ROOT_URLCONF="routes",
    ALLOWED_HOSTS=["*"],
    DATABASES={"default": database},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "people", "rest_framework",
                    "rest_framework_simplejwt", "rest_framework_simplejwt.token_blacklist"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    AUTH_USER_MODEL={"int": "auth.User", "uuid": "people.Person", "code": "people.Member"}[users],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    # Cheap, so that tests are quick; of the kind that Django uses.
    PASSWORD_HASHERS=["people.cheap.Cheap"],
    LOGGING_CONFIG=None,
    SIMPLE_JWT=given,
)

if command == "create":
    administer(f'CREATE DATABASE "{database["NAME"]}"')
    django.setup()
    from django.contrib.auth import get_user_model
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    for name, password in zip(rest[::2], rest[1::2]):
        if users == "int":
            user = get_user_model().objects.create_user(name, name, password)
        else:
            user = get_user_model()(email=name)
            user.set_password(password)
            user.save()
        print("user", getattr(user, given.get("USER_ID_FIELD", "pk")), flush=True)
elif command == "add":
    django.setup()
    from django.contrib.auth import get_user_model

    user = get_user_model()(pk=rest[0], **{get_user_model().USERNAME_FIELD: rest[1]})
    user.set_password(rest[2])
    user.save()
    print("user", user.pk, flush=True)
elif command == "drop":
    administer(f'DROP DATABASE IF EXISTS "{database["NAME"]}" WITH (FORCE)')
elif command == "serve":
    django.setup()
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

    from django.core.wsgi import get_wsgi_application

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True
        request_queue_size = 256

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_):
            pass

        def get_environ(self):
            environ = super().get_environ()
            # The reference server makes one up; real ones don't.
            if self.headers.get("content-type") is None:
                environ["CONTENT_TYPE"] = ""
            return environ

    server = Server(("127.0.0.1", int(rest[0])), Quiet)
    server.set_app(get_wsgi_application())
    print("ready", flush=True)
    server.serve_forever()

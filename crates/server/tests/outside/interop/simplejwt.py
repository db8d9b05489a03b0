"""Verifies access tokens with djangorestframework-simplejwt and JWK_URL: a token a line in, a verdict a line out.

    python simplejwt.py JWKS_URL ALGORITHM ISSUER
"""

import sys

import django
from django.conf import settings

url, algorithm, issuer = sys.argv[1:]
settings.configure(
    SECRET_KEY="of the Django project alone: nothing is signed with it",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework_simplejwt"],
    SIMPLE_JWT={
        "ALGORITHM": algorithm,
        "SIGNING_KEY": "",
        "JWK_URL": url,
        "ISSUER": issuer,
        "AUDIENCE": issuer,
    },
)
django.setup()

from rest_framework_simplejwt.authentication import JWTStatelessUserAuthentication  # noqa: E402
from rest_framework_simplejwt.exceptions import InvalidToken  # noqa: E402
from rest_framework_simplejwt.state import token_backend  # noqa: E402

# It asks again for a key that it does not know at most twice a minute, unless it is told otherwise.
token_backend.jwks_client.cooldown_duration = 0
who = JWTStatelessUserAuthentication()
for line in sys.stdin:
    try:
        user = who.get_user(who.get_validated_token(line.strip().encode()))
        print("good", user.id, flush=True)
    except InvalidToken as error:
        print("bad", error.detail["messages"][0]["message"], flush=True)

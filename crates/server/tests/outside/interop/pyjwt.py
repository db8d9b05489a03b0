"""Verifies access tokens with PyJWT, by the published keys: a token a line in, a verdict a line out.

    python pyjwt.py JWKS_URL ALGORITHM ISSUER
"""

import sys

import jwt

url, algorithm, issuer = sys.argv[1:]
keys = jwt.PyJWKClient(url)
# It asks again for a key that it does not know at most twice a minute, unless it is told otherwise.
keys.cooldown_duration = 0


def verdict(token):
    key = keys.get_signing_key_from_jwt(token)
    claims = jwt.decode(
        token,
        key.key,
        algorithms=[algorithm],
        issuer=issuer,
        audience=issuer,
        options={"require": ["exp", "iat", "sub", "jti"]},
    )
    assert claims["token_type"] == "access", claims
    return "good " + claims["sub"]


for line in sys.stdin:
    try:
        print(verdict(line.strip()), flush=True)
    except jwt.exceptions.PyJWTError as error:
        print("bad", type(error).__name__, flush=True)

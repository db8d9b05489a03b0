"""Checks Gatepost's access tokens in a Python program: the signature here, then Redis, then Gatepost.

Most checks cost one look into Redis. What Redis does not know for sure, Gatepost is asked about, and when nobody can
say, nobody is let in. Needs PyJWT (with cryptography for JWKS) and redis: pip install 'PyJWT[crypto]' redis

    gate = Gate("https://id.example.com", "redis://:secret@cache:6379/0", algorithm="EdDSA")
    claims = gate.check(token)          # None: refuse with 401; Unavailable: 503

As a program it reads a token a line and says of each what it found, and who said so.
"""

import hashlib
import hmac
import json
import os
import sys
import urllib.error
import urllib.request

import jwt
import redis

PATIENCE = 0.2  # seconds; a Redis beside us takes less than a thousandth


class Unavailable(Exception):
    """Neither Redis nor Gatepost can say: answer 503, and let nobody in."""


class Gate:
    def __init__(self, url, redis_url, algorithm="HS256", secret=None, issuer="gatepost", audience="gatepost"):
        self.url, self.algorithm, self.issuer, self.audience = url, algorithm, issuer, audience
        self.who_said_so = ""
        self.redis = redis.Redis.from_url(
            redis_url, decode_responses=True, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, retry=None
        )
        if algorithm == "HS256":
            # HKDF-SHA256, as docs/tokens.md gives it. Whoever has the secret can also make tokens: prefer JWKS.
            extracted = hmac.digest(b"gatepost tokens 1", secret.encode(), "sha256")
            self.key = hmac.digest(extracted, b"hs256\0access\x01", "sha256")
        else:
            self.keys = jwt.PyJWKClient(f"{url}/.well-known/jwks.json", lifespan=300)

    def check(self, token):
        """The claims of a good access token, or None."""
        self.who_said_so = "signature"
        try:
            claims = self.signed(token)
        except jwt.PyJWKClientConnectionError as error:
            raise Unavailable from error
        except jwt.PyJWTError:
            return None
        verdict = self.look(claims)
        self.who_said_so = "redis"
        if verdict is None:
            self.who_said_so = "gatepost"
            verdict = self.ask(token)
        return claims if verdict else None

    def signed(self, token):
        # The algorithm is ours to choose, never the token's.
        key = self.key if self.algorithm == "HS256" else self.keys.get_signing_key_from_jwt(token).key
        checked = jwt.decode_complete(
            token,
            key,
            algorithms=[self.algorithm],
            issuer=self.issuer,
            audience=self.audience,
            options={"require": ["exp", "iat", "jti", "sub", "iss", "aud"]},
        )
        if checked["header"].get("typ") != "at+jwt":
            raise jwt.InvalidTokenError("no access token")
        return checked["payload"]

    def look(self, claims):
        """True: good. False: dead. None: Redis does not know, whatever the reason."""
        if "gen" not in claims:
            return None
        user = hashlib.sha256(claims["sub"].encode()).hexdigest()
        keys = ["gatepost:fresh", f"gatepost:token:{claims['jti']}", f"gatepost:user:{user}"]
        if "sid" in claims:
            keys.append(f"gatepost:session:{claims['sid']}")
        try:
            fresh, token, lowest, *session = self.redis.mget(keys)
        except redis.RedisError:
            return None
        # What is dead stays dead, whoever says so.
        if token == "revoked" or session == ["ended"] or (lowest is not None and claims["gen"] < int(lowest)):
            return False
        # Good is only what all of them say.
        known = fresh is not None and token == fresh and lowest is not None and session in ([], ["good"])
        return True if known else None

    def ask(self, token):
        request = urllib.request.Request(
            f"{self.url}/api/auth/verify",
            json.dumps({"token": token}).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return json.load(answer)["active"]
        except (OSError, ValueError, KeyError) as error:
            raise Unavailable from error


def main():
    environment = os.environ
    gate = Gate(
        environment["GATEPOST_URL"],
        environment["REDIS_URL"],
        environment.get("GATEPOST_ALGORITHM", "HS256"),
        environment.get("GATEPOST_SECRET"),
    )
    for line in sys.stdin:
        try:
            verdict = "good" if gate.check(line.strip()) else "refused"
        except Unavailable:
            verdict = "unavailable"
        print(verdict, gate.who_said_so, flush=True)


if __name__ == "__main__":
    main()

"""What djangorestframework-simplejwt itself says: writes golden.json beside this file.

    pip install 'djangorestframework-simplejwt[crypto]==5.5.1' && python golden.py

Times are far from now in both directions, so that the answers stay the same for years.
"""
import base64, hashlib, hmac, json, os, subprocess, sys
from datetime import timedelta

KEY = "django-insecure-test-secret-key-0123456789abcdefghijklmnopqrstuv"
BORN, DEAD, ALIVE = 1_700_000_000, 1_700_000_100, 4_000_000_000
VARIANTS = {
    "default": {},
    "hs512": {"ALGORITHM": "HS512"},
    "audience": {"AUDIENCE": "shop"},
    "audiences": {"AUDIENCE": ["shop", "forum"], "ISSUER": "https://id.example.com"},
    "renamed": {"USER_ID_CLAIM": "uid", "JTI_CLAIM": "id", "TOKEN_TYPE_CLAIM": "kind"},
    "untyped": {"TOKEN_TYPE_CLAIM": None, "JTI_CLAIM": None},
    "revoke": {"CHECK_REVOKE_TOKEN": True},
}


def b64(data):
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else data.encode()).rstrip(b"=").decode()


def sign(payload, header=None, alg="HS256", key=KEY):
    header = header if header is not None else {"alg": alg, "typ": "JWT"}
    text = payload if isinstance(payload, str) else json.dumps(payload, separators=(",", ":"))
    message = b64(json.dumps(header, separators=(",", ":"))) + "." + b64(text)
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[alg]
    return message + "." + b64(hmac.new(key.encode(), message.encode(), digest).digest())


def cases(variant):
    alg = VARIANTS[variant].get("ALGORITHM", "HS256")
    base = {"token_type": "access", "exp": ALIVE, "iat": BORN, "jti": "0123456789abcdef0123456789abcdef", "user_id": "42"}
    if variant == "renamed":
        base = {"kind": "access", "exp": ALIVE, "iat": BORN, "id": "0123456789abcdef0123456789abcdef", "uid": "42"}
    if variant == "audience":
        base["aud"] = "shop"
    if variant == "audiences":
        base["aud"], base["iss"] = ["forum"], "https://id.example.com"
    yield "good", sign(base, alg=alg)

    def change(name, **claims):
        changed = {**base, **claims}
        return name, sign({k: v for k, v in changed.items() if v is not ...}, alg=alg)

    for claim in list(base):
        yield change(f"no {claim}", **{claim: ...})
    yield change("expired", exp=DEAD)
    yield change("expired and of another type", exp=DEAD, token_type="refresh")
    for value in (ALIVE + 0.5, DEAD + 0.5, str(ALIVE), str(DEAD), 10**18, -1, 0, None, [ALIVE], {}):
        yield change(f"exp {value!r}", exp=value)
    for value in (float(BORN), str(BORN), ALIVE, None, "soon", [BORN]):
        yield change(f"iat {value!r}", iat=value)
    for value in (BORN, ALIVE, str(BORN), None, "soon"):
        yield change(f"nbf {value!r}", nbf=value)
    for claim in ("jti", "sub", "iss"):
        for value in (5, None, "text", ["a"]):
            yield change(f"{claim} {value!r}", **{claim: value})
    for value in ("shop", "forum", "blog", ["blog", "shop"], ["blog"], [], [1, "shop"], 5, None):
        yield change(f"aud {value!r}", aud=value)
    for value in ("refresh", "sliding", "Access", "", 5, None):
        yield change(f"type {value!r}", token_type=value)
    for value in (42, "é", "имя", "a\u007fb\n\"\\/", None, "👍"):
        yield change(f"user {value!r}", user_id=value)
    if variant not in ("default", "hs512"):
        return  # the rest does not depend on the settings
    yield change("more", zone="Europe/Kyiv", list=[1, {"b": True}], nothing=None)
    for extra in ({"kid": "any"}, {"kid": 5}, {"kid": None}, {"crit": ["exp"]}, {"crit": []}, {"crit": None}, {"b64": False},
                  {"b64": True}, {"jku": "https://evil.test"}, {"typ": None}, {"typ": "at+jwt"}, {"alg": "none"},
                  {"alg": "HS384" if alg == "HS256" else "HS256"}, {"alg": alg.lower()}, {"alg": "RS256"}):
        yield f"header {extra}", sign(base, {"alg": alg, "typ": "JWT", **extra}, alg=alg)
    yield "no alg", sign(base, {"typ": "JWT"}, alg=alg)
    yield "unsigned", sign(base, {"alg": "none", "typ": "JWT"}, alg=alg).rsplit(".", 1)[0] + "."
    yield "another key", sign(base, alg=alg, key=KEY + "x")
    for payload in ("", "[]", "null", "5", '"text"', "{", '{"exp":1e400}'):
        yield f"payload {payload}", sign(payload, alg=alg)
    good = sign(base, alg=alg)
    for name, raw in (("empty", ""), ("dots", ".."), ("one part", "abc"), ("two parts", good.rsplit(".", 1)[0]),
                      ("four parts", good + ".abc"), ("cut", good[:-4]), ("no header", good[good.index(".") :])):
        yield name, raw


def verdict(kind, raw):
    from rest_framework_simplejwt.exceptions import TokenError
    from rest_framework_simplejwt import tokens
    classes = {"access": tokens.AccessToken, "refresh": tokens.RefreshToken, "sliding": tokens.SlidingToken}
    try:
        token = classes[kind](raw)
    except TokenError as error:
        return str(error)
    except Exception as error:  # Django would answer 500
        return "crash: " + type(error).__name__
    try:
        again = str(token)
    except TypeError:
        return "ok, and can't be written again"
    return "ok" if again == raw else "ok: " + again


def answer(variant):
    from django.conf import settings
    import django
    settings.configure(SECRET_KEY=KEY, INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
                       SIMPLE_JWT=VARIANTS[variant], USE_TZ=True)
    django.setup()
    from rest_framework_simplejwt import __version__
    from rest_framework_simplejwt.tokens import RefreshToken, SlidingToken, Token
    from rest_framework_simplejwt.utils import get_md5_hash_password

    class Activate(Token):
        token_type, lifetime = "activate", timedelta(minutes=30)

    class User:
        id, is_active, password = 42, True, "pbkdf2_sha256$1000000$abc$def"

    out = {"version": __version__, "checks": [], "made": {}}
    for name, raw in cases(variant):
        out["checks"].append([name, raw, verdict("access", raw), verdict("refresh", raw)])
    refresh = RefreshToken.for_user(User())
    refresh["name"] = "Zoë"
    made = {"refresh": refresh, "access": refresh.access_token, "activate": Activate.for_user(User()),
            "sliding": SlidingToken.for_user(User())}
    out["made"] = {name: list(token.payload) for name, token in made.items()}
    out["password"] = get_md5_hash_password(User.password)
    return out


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(answer(sys.argv[1])))
    else:
        golden = {v: json.loads(subprocess.check_output([sys.executable, __file__, v])) for v in VARIANTS}
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden.json"), "w") as file:
            for place, (name, made) in enumerate(golden.items()):
                checks = ",\n".join(json.dumps(check) for check in made.pop("checks"))
                made = json.dumps(made)[:-1]
                file.write("{" if place == 0 else ",\n")
                file.write(f'"{name}": {made}, "checks": [\n{checks}]}}')
            file.write("}\n")

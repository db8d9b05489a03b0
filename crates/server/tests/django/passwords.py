"""Password strings as the real Django writes them, for src/accounts/stored_hash/golden.txt.

    pip install 'django==5.2.*' argon2-cffi bcrypt
    python passwords.py > ../../src/accounts/stored_hash/golden.txt
"""
import django
from django.conf import settings

KINDS = "PBKDF2 PBKDF2SHA1 Argon2 BCryptSHA256 BCrypt Scrypt MD5".split()
settings.configure(
    PASSWORD_HASHERS=[f"django.contrib.auth.hashers.{kind}PasswordHasher" for kind in KINDS]
)
django.setup()

from django.contrib.auth import hashers  # noqa: E402

PASSWORDS = ["correct horse", "ключ от квартиры", "🐎 батарея", "$dollar$ and \\", "x" * 71, "я" * 40, "y" * 200]


class Cheap:
    """The same kinds at costs that a test can afford."""

    class Argon2(hashers.Argon2PasswordHasher):
        time_cost, memory_cost, parallelism = 1, 64, 2

    class BCrypt(hashers.BCryptPasswordHasher):
        rounds = 4

    class BCryptSHA256(hashers.BCryptSHA256PasswordHasher):
        rounds = 4

    class Scrypt(hashers.ScryptPasswordHasher):
        work_factor = 2**8


def line(password, encoded):
    print(f"{password}\t{encoded}")


print(f"# Made by tests/django/passwords.py with Django {django.__version__}: a password, a tab, what Django stores.")
for password in PASSWORDS:
    fits = len(password.encode()) <= 72
    for name in ("pbkdf2_sha256", "pbkdf2_sha1"):
        hasher = hashers.get_hasher(name)
        line(password, hasher.encode(password, hasher.salt(), iterations=7))
    for hasher in (Cheap.Argon2(), Cheap.BCryptSHA256(), Cheap.Scrypt(), hashers.MD5PasswordHasher()):
        line(password, hasher.encode(password, hasher.salt()))
    if fits:
        # Newer releases of the bcrypt package refuse what older ones cut.
        line(password, Cheap.BCrypt().encode(password, Cheap.BCrypt().salt()))
    else:
        cut = password.encode()[:72].decode()
        line(password, Cheap.BCrypt().encode(cut, Cheap.BCrypt().salt()))

# What a new project stores, at its real cost.
for kind in ("pbkdf2_sha256", "argon2", "scrypt", "bcrypt_sha256"):
    hasher = hashers.get_hasher(kind)
    line("correct horse", hasher.encode("correct horse", hasher.salt()))

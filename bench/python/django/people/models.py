import uuid

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models


class Account(AbstractBaseUser):
    """Who logs in by e-mail."""

    email = models.EmailField(unique=True)
    is_active = models.BooleanField(default=True)
    date_joined = models.DateTimeField(auto_now_add=True)

    objects = BaseUserManager()
    USERNAME_FIELD = "email"

    class Meta:
        abstract = True


class Person(Account):
    """Who is called by a UUID."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)


class Member(Account):
    """Who is counted inside and called by a UUID outside: for USER_ID_FIELD."""

    code = models.UUIDField(unique=True, default=uuid.uuid4)

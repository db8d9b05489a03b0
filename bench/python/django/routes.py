from datetime import timedelta

from django.contrib.auth import get_user_model
from django.http import JsonResponse
from django.urls import path
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework_simplejwt import views
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import AccessToken, BlacklistMixin, RefreshToken, SlidingToken, Token


class ActivateToken(BlacklistMixin, Token):
    token_type = "activate"
    lifetime = timedelta(minutes=30)


KINDS = {"access": AccessToken, "refresh": RefreshToken, "sliding": SlidingToken, "activate": ActivateToken}


@api_view(["GET"])
@authentication_classes([JWTAuthentication])
@permission_classes([IsAuthenticated])
def me(request):
    return Response({"id": str(getattr(request.user, api_settings.USER_ID_FIELD))})


def users(request):
    """Whom the request names as tokens do."""
    return get_user_model().objects.filter(**{api_settings.USER_ID_FIELD: request.GET["user"]})


def mint(request, kind, count):
    """Tokens as a view of the project would make them."""
    user = users(request).get()
    return JsonResponse({"tokens": [str(KINDS[kind].for_user(user)) for _ in range(count)]})


def use(request, kind):
    """As the Python services use a one-time token."""
    try:
        token = KINDS[kind](request.GET["token"])
        token.blacklist()
    except TokenError as error:
        return JsonResponse({"detail": str(error)}, status=400)
    return JsonResponse({"user_id": token[api_settings.USER_ID_CLAIM]})


def switch(request, on):
    users(request).update(is_active=bool(on))
    return JsonResponse({})


urlpatterns = [
    path("api/token/", views.TokenObtainPairView.as_view()),
    path("api/token/refresh/", views.TokenRefreshView.as_view()),
    path("api/token/verify/", views.TokenVerifyView.as_view()),
    path("api/token/blacklist/", views.TokenBlacklistView.as_view()),
    path("api/sliding/", views.TokenObtainSlidingView.as_view()),
    path("api/sliding/refresh/", views.TokenRefreshSlidingView.as_view()),
    path("me/", me),
    path("mint/<str:kind>/<int:count>/", mint),
    path("use/<str:kind>/", use),
    path("switch/<int:on>/", switch),
]

"""What a reader may ask of Label Studio: what reading takes, and nothing else.

Community knows no roles. Whoever is logged in may move their own account into another
organisation, read the webhooks' secrets, change the reading form, delete tasks, have the server
fetch any address. So everything is refused but what the pages of the label stream and of the
Data Manager need. Service users and administrators are let through.
"""

from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from jwt_auth.auth import TokenAuthenticationPhaseout
from rest_framework.exceptions import AuthenticationFailed
from tasks.models import Annotation, Task

from overread_wall import places

SERVICE_DOMAIN = "@overread.invalid"
ACT_AS = "X-Overread-Act-As"
"""Header with which a service user is treated as a reader, to try what readers may do."""

_LOOK = frozenset({"GET", "HEAD", "OPTIONS"})
_WRITE = _LOOK | {"POST", "PATCH", "DELETE"}
_ADD = _LOOK | {"POST"}
_REFUSAL = "Readers may not ask for this: Overread sets up, fills and keeps the worklists."

READING: Mapping[str, frozenset[str]] = {
    # the pages and what they consist of
    "main": _LOOK,
    "projects:project-index": _LOOK,
    "data_manager:project-data": _LOOK,
    "user-login": _ADD,
    "user-account": _LOOK,
    "logout": _ADD,
    "core.utils.static_serve.serve": _LOOK,
    "django.views.static.serve": _LOOK,
    "version": _LOOK,
    "api-version": _LOOK,
    "health": _LOOK,
    "feature_flags": _LOOK,
    "heidi_tips": _LOOK,
    "collect_metrics": _ADD,
    # who one is
    "user-list": _LOOK,
    "current-user-whoami": _LOOK,
    "current-user-token": _LOOK,
    "current-user-hotkeys": _LOOK | {"PATCH"},
    "product-tour": _LOOK | {"PATCH"},
    "jwt_auth:api-jwt-settings": _LOOK,
    # the worklist
    "projects:api:project-list": _LOOK,
    "projects:api:project-counts-list": _LOOK,
    "projects:api:project-detail": _LOOK,
    "projects:api:label-stream-history": _LOOK,
    "projects:api:project-next": _LOOK,
    "data_manager:dm-columns": _LOOK,
    "data_manager:dm-project": _LOOK,
    "data_manager:dm-actions": _LOOK,
    "data_manager:api:view-list": _LOOK,
    "data_manager:api:view-detail": _LOOK,
    "labels_manager:api-labels:label_link-list": _LOOK,
    "ml:api:ml-list": _LOOK,
    # the reading
    "tasks:api:task-list": _LOOK,
    "tasks:api:task-detail": _LOOK,
    "tasks:api:task-annotations": _ADD,
    "tasks:api:task-drafts": _ADD,
    "tasks:api:task-annotations-drafts": _ADD,
    "tasks:api-annotations:annotation-detail": _WRITE - {"POST"},
    "tasks:api-annotations:annotation-convert-to-draft": _ADD,  # "Cancel skip"
    "tasks:api-drafts:draft-detail": _WRITE - {"POST"},
}
"""Name of a route to the methods that a reader may use on it."""

DRAFTS = ("tasks:api:task-drafts", "tasks:api:task-annotations-drafts")
"""Routes to drafts, by their task."""


class Door:
    """Django middleware.

    Parameters
    ----------
    get_response : callable
        The rest of Label Studio.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        places.watch()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Let a request through as far as its view.

        Parameters
        ----------
        request : HttpRequest
            What is asked.

        Returns
        -------
        HttpResponse
            The answer.
        """
        return self._get_response(request)

    def process_view(
        self,
        request: HttpRequest,
        view: object,
        arguments: object,
        keywords: Mapping[str, Any],
    ) -> HttpResponse | None:
        """Refuse what readers may not ask.

        Parameters
        ----------
        request : HttpRequest
            What is asked, its route resolved.
        view, arguments : object
            What Django would call.
        keywords : mapping
            The route's parameters.

        Returns
        -------
        HttpResponse or None
            None to go on.
        """
        readers = [user for user in _askers(request) if _is_reader(user, request)]
        if not readers:
            return None
        if not _is_reading(request):
            return JsonResponse({"detail": _REFUSAL}, status=403)
        if not all(_is_at_home(user, request, keywords) for user in readers):
            return JsonResponse({"detail": "Not found."}, status=404)
        return None


def _is_reading(request: HttpRequest) -> bool:
    route = request.resolver_match.view_name
    if route == "data_manager:dm-actions" and request.method == "POST":
        return bool(request.GET.getlist("id") == ["next_task"])
    return request.method in READING.get(route, frozenset())


def _is_at_home(user: Any, request: HttpRequest, keywords: Mapping[str, Any]) -> bool:  # noqa: ANN401
    """Return whether a draft is of the own organisation; Label Studio never asks for that."""
    if request.resolver_match.view_name not in DRAFTS:
        return True
    tasks = Task.objects.filter(project__organization_id=user.active_organization_id)
    annotation = keywords.get("annotation_id")
    if annotation is not None and not _is_of(annotation, keywords["pk"]):
        return False
    return bool(tasks.filter(pk=keywords["pk"]).exists())


def _is_of(annotation: int, task: int) -> bool:
    return bool(Annotation.objects.filter(pk=annotation, task_id=task).exists())


def _askers(request: HttpRequest) -> list[Any]:
    """Return as whom Label Studio may take a request: by its session, and by its token."""
    askers = [request.user] if request.user.is_authenticated else []
    try:
        by_token = TokenAuthenticationPhaseout().authenticate(request)
    except AuthenticationFailed:
        return askers  # the view says so
    return askers if by_token is None else [*askers, by_token[0]]


def _is_reader(user: Any, request: HttpRequest) -> bool:  # noqa: ANN401 - Label Studio's
    if request.headers.get(ACT_AS) == "reader":
        return True
    return not (user.is_superuser or user.email.endswith(SERVICE_DOMAIN))

"""Base classes of the API's views; an app's api adds serializer, queryset and calls of services."""

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import Model, QuerySet
from django.http.response import HttpResponseBase
from rest_framework import exceptions, mixins
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.viewsets import GenericViewSet

from evcharging.api import idempotency
from evcharging.api.addresses import name_in_address
from evcharging.api.models import IdempotencyKey, Scope
from evcharging.api.problems import Conflict, InvalidParameters
from evcharging.db.history import HasHistory
from evcharging.db.unique_rows import AlreadyExists


class ApiViewSet(GenericViewSet):
    """Authentication, scopes, throttling, problem details, Idempotency-Key on POST, and no unknown parameters.

    `queryset` is of the model whose permissions staff need. `write_scope`: the scope that a token needs to write;
    `staff_verb`: the permission's verb, where it is not that of the method (@action takes both). `parameters`: query
    parameters of the view beside those of its filters and pages.
    """

    http_method_names = ["get", "post", "patch", "delete", "head"]
    queryset: QuerySet
    write_scope: Scope = Scope.MANAGE
    staff_verb: str = ""
    parameters: tuple[str, ...] = ()
    orderings: ClassVar[dict[str, str]] = {"id": "id"}
    tie_breaker: str = "id"
    lookup_value_converter: str = "int"
    filterset_class: Any = None

    _claimed: IdempotencyKey | None = None

    @property
    def idempotency_id(self) -> UUID | None:
        """An id that the request shares with its repetitions, or None without an Idempotency-Key."""
        return None if self._claimed is None else self._claimed.pk

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        method = str(request.method)
        if method.lower() not in (self.action_map or {}) and method != "HEAD":
            raise exceptions.MethodNotAllowed(method)
        self._refuse_unknown_parameters(request)
        if request.method == "POST":
            self._claimed = idempotency.claim(request)

    def finalize_response(  # type: ignore[override]
        self, request: Request, response: HttpResponseBase, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        response = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[arg-type]
        if self._claimed is not None:
            idempotency.keep(self._claimed, response)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    def _refuse_unknown_parameters(self, request: Request) -> None:
        known = set(self.parameters)
        if self.action == "list":
            known.update(self.paginator.parameters)  # type: ignore[union-attr]
            known.update(self.filterset_class.base_filters if self.filterset_class else ())
        errors = {}
        for name, values in request.query_params.lists():
            if name not in known:
                errors[name] = ["There is no such parameter."]
            elif len(values) > 1:
                errors[name] = ["Given more than once."]
            elif values == [""]:  # an unset variable in a script must not select everything
                errors[name] = ["Given without a value."]
        if errors:
            raise InvalidParameters(errors)


class ListViewSet(mixins.ListModelMixin, ApiViewSet):
    """A list."""

    def read_rows(self, queryset: QuerySet, *, limit: int) -> list[Any]:
        """Return the first rows of a queryset that is in order."""
        return list(queryset[:limit])


class ReadViewSet(mixins.RetrieveModelMixin, ListViewSet):
    """A list, and each of its rows."""


class EditViewSet(ReadViewSet):
    """A list, each of its rows by a name, and create, change and delete by services.

    `serializer_class` is of a new row and of answers, `change_serializer_class` has the members that can be changed.
    """

    serializer_class: type[Serializer]
    change_serializer_class: type[Serializer]

    def create_row(self, values: dict[str, Any]) -> Model:
        """Return the new row, as it is answered.

        :raises AlreadyExists:
        """
        raise NotImplementedError

    def change_row(self, row: Any, values: dict[str, Any]) -> Model:
        """Return the changed row, as it is answered."""
        raise NotImplementedError

    def delete_row(self, row: Any) -> None:
        """:raises HasHistory:"""
        raise NotImplementedError

    def create(self, request: Request) -> Response:
        try:
            row = self.create_row(valid(self.serializer_class, request))
        except AlreadyExists as error:
            raise Conflict(f"{error}.", problem_type="exists") from None
        location = f"{request.path}{name_in_address(getattr(row, self.lookup_field))}/"
        return Response(self.serializer_class(row).data, status=201, headers={"Location": location})

    def partial_update(self, request: Request, **kwargs: str) -> Response:
        """Change what is given, and nothing else."""
        row = self.get_object()
        values = valid(self.change_serializer_class, request, partial=True)
        return Response(self.serializer_class(self.change_row(row, values)).data)

    def destroy(self, request: Request, **kwargs: str) -> Response:
        try:
            self.delete_row(self.get_object())
        except HasHistory as error:
            raise Conflict(f"{error}.", problem_type="has-history") from None
        return Response(status=204)


def valid(serializer_class: type[Serializer], request: Request, *, partial: bool = False) -> dict[str, Any]:
    """Validate the body and return its values.

    :raises ValidationError:
    """
    serializer = serializer_class(data=request.data, partial=partial)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)

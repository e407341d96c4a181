"""A protocol version that nobody speaks: what of the domain and of a connection is the version's own shows by it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evcharging.gateway.dialect import Dialect
from evcharging.gateway.ocpp16.dialect import OCPP16
from evcharging.gateway.ocpp16.operations import Ocpp16Operations
from stations.dialects import Frame, FrameProblem, Reading, Unsayable, Verdict
from stations.operations import ChangeConfiguration, Operation, RawFrame, Reset

VERSION = "ocpp9.9"


class OtherOperations(Ocpp16Operations):
    """Says Reset as Restart and ChangeConfiguration as SetVariable, and nothing else."""

    version = VERSION
    title = "OCPP 9.9"

    def frame(self, operation: Operation | RawFrame) -> Frame:
        if isinstance(operation, Reset):
            return Frame("Restart", {"now": operation.is_immediate})
        if isinstance(operation, ChangeConfiguration):
            return Frame("SetVariable", {"name": operation.key, "to": operation.value})
        if isinstance(operation, RawFrame) and operation.version == VERSION:
            return Frame(operation.action, dict(operation.payload))
        raise Unsayable(f"{self.title} has no words for it")

    def problem(self, frame: Frame) -> FrameProblem | None:
        return None

    def reading(self, action: str, status: str, response: Any) -> Reading:
        return Reading(Verdict.SCHEDULED, status == "Later", {"told": response})

    def secret_member(self, frame: Frame) -> str | None:
        return "to" if frame.payload.get("name") == "AuthorizationKey" else None

    def operation_of(self, action: str) -> type[Operation] | None:
        return {"Restart": Reset, "SetVariable": ChangeConfiguration}.get(action)

    def without_secrets(self, action: str, response: Any) -> Any:
        return response

    def operation(self, action: str, payload: Mapping[str, Any]) -> Operation | None:
        return None


OTHER_OPERATIONS = OtherOperations()
OTHER: Dialect = replace(
    OCPP16, operations=OTHER_OPERATIONS, aliases=(), commands=frozenset(), response_error=lambda action, payload: None
)

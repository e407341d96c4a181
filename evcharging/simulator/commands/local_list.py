"""SendLocalList and GetLocalListVersion."""

from typing import Any

from ocpp.routing import on
from ocpp.v16 import call_result
from ocpp.v16.enums import Action, UpdateStatus

from evcharging.simulator.commands.handlers import CommandHandlers


class LocalListHandlers(CommandHandlers):
    """The local authorization list."""

    @on(Action.get_local_list_version)
    def get_local_list_version(self, **_: Any) -> call_result.GetLocalListVersion:
        """OCPP 1.6 §5.10; -1 while LocalAuthListEnabled is false."""
        is_enabled = self.station.configuration.boolean("LocalAuthListEnabled")
        return call_result.GetLocalListVersion(self.station.local_list.version if is_enabled else -1)

    @on(Action.send_local_list)
    def send_local_list(
        self,
        list_version: int,
        update_type: str,
        local_authorization_list: list[dict[str, Any]] | None = None,
        **_: Any,
    ) -> call_result.SendLocalList:
        if not self.station.configuration.boolean("LocalAuthListEnabled"):
            return call_result.SendLocalList(UpdateStatus.not_supported)
        status = self.station.local_list.update(list_version, update_type, local_authorization_list or [])
        return call_result.SendLocalList(UpdateStatus(status))

"""GetConfiguration, ChangeConfiguration, ClearCache and DataTransfer."""

from dataclasses import asdict
from typing import Any

from ocpp.exceptions import OccurenceConstraintViolationError
from ocpp.routing import on
from ocpp.v16 import call_result
from ocpp.v16.datatypes import KeyValue
from ocpp.v16.enums import Action, ClearCacheStatus, ConfigurationStatus, DataTransferStatus

from evcharging.simulator.commands.handlers import CommandHandlers
from evcharging.simulator.configuration import MAX_KEYS
from evcharging.simulator.hardware import VENDOR


class ConfigurationHandlers(CommandHandlers):
    """Configuration keys, the authorization cache and vendor messages."""

    @on(Action.get_configuration)
    def get_configuration(self, key: list[str] | None = None, **_: Any) -> call_result.GetConfiguration:
        """OCPP 1.6 §5.8; more than GetConfigurationMaxKeys names are answered with a CALLERROR."""
        names = key or []
        if len(names) > MAX_KEYS:
            raise OccurenceConstraintViolationError(f"at most {MAX_KEYS} keys may be asked for at once")
        keys, unknown = self.station.configuration.find(names)
        entries = [asdict(KeyValue(known.name, known.is_readonly, known.value)) for known in keys]
        return call_result.GetConfiguration(entries or None, unknown or None)

    @on(Action.change_configuration)
    def change_configuration(self, key: str, value: str, **_: Any) -> call_result.ChangeConfiguration:
        """OCPP 1.6 §5.3; a new AuthorizationKey makes the station reconnect with it (security white paper)."""
        status = self.station.configuration.change(key, value)
        if status == "Accepted" and self.station.configuration.canonical_name(key) == "AuthorizationKey":
            self.station.state.password = value
            self.station.state.save()
            self.after_answer(lambda: self.station.reconnect(is_boot=False))
        return call_result.ChangeConfiguration(ConfigurationStatus(status))

    @on(Action.clear_cache)
    def clear_cache(self, **_: Any) -> call_result.ClearCache:
        if not self.station.configuration.boolean("AuthorizationCacheEnabled"):
            return call_result.ClearCache(ClearCacheStatus.rejected)
        self.station.cache.clear()
        return call_result.ClearCache(ClearCacheStatus.accepted)

    @on(Action.data_transfer)
    def data_transfer(
        self, vendor_id: str, message_id: str = "", data: str | None = None, **_: Any
    ) -> call_result.DataTransfer:
        """OCPP 1.6 §5.6; the only message known is Echo."""
        if vendor_id != VENDOR:
            return call_result.DataTransfer(DataTransferStatus.unknown_vendor_id)
        if message_id != "Echo":
            return call_result.DataTransfer(DataTransferStatus.unknown_message_id)
        return call_result.DataTransfer(DataTransferStatus.accepted, data)

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
    """The keys, and what is kept beside them."""

    @on(Action.get_configuration)
    def get_configuration(self, key: list[str] | None = None, **_: Any) -> call_result.GetConfiguration:
        """OCPP 1.6 §5.8; who asks for more than GetConfigurationMaxKeys must ask several times."""
        names = key or []
        if len(names) > MAX_KEYS:
            raise OccurenceConstraintViolationError(f"at most {MAX_KEYS} keys may be asked for at once")
        keys, unknown = self.station.configuration.shown(names)
        entries = [asdict(KeyValue(known.name, known.is_readonly, known.value)) for known in keys]
        return call_result.GetConfiguration(entries or None, unknown or None)

    @on(Action.change_configuration)
    def change_configuration(self, key: str, value: str, **_: Any) -> call_result.ChangeConfiguration:
        """OCPP 1.6 §5.3; a new AuthorizationKey is used at once, on a new connection (security white paper)."""
        status = self.station.configuration.change(key, value)
        if status == "Accepted" and self.station.configuration.name_of(key) == "AuthorizationKey":
            self.station.memory.password = value
            self.station.memory.save()
            self.after_answer(lambda: self.station.reconnect(is_boot=False))
        return call_result.ChangeConfiguration(ConfigurationStatus(status))

    @on(Action.clear_cache)
    def clear_cache(self, **_: Any) -> call_result.ClearCache:
        if not self.station.configuration.flag("AuthorizationCacheEnabled"):
            return call_result.ClearCache(ClearCacheStatus.rejected)
        self.station.cache.clear()
        return call_result.ClearCache(ClearCacheStatus.accepted)

    @on(Action.data_transfer)
    def data_transfer(
        self, vendor_id: str, message_id: str = "", data: str | None = None, **_: Any
    ) -> call_result.DataTransfer:
        """OCPP 1.6 §5.6; the one message that it understands is Echo."""
        if vendor_id != VENDOR:
            return call_result.DataTransfer(DataTransferStatus.unknown_vendor_id)
        if message_id != "Echo":
            return call_result.DataTransfer(DataTransferStatus.unknown_message_id)
        return call_result.DataTransfer(DataTransferStatus.accepted, data)

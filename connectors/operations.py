"""Operations on connectors."""

from stations.operations import Operation, operation


@operation
class ChangeAvailability(Operation, frozen=True):
    """`connector_id` 0 is the station with all its connectors; `availability` as in connectors.models.Availability."""

    name = "change_availability"
    source = "OCPP 1.6 §5.2"
    purpose = "Take a connector, or the whole station, into or out of service."
    effect_within_s = 7 * 86_400
    without_effect = "the status never showed it"

    connector_id: int
    availability: str


@operation
class UnlockConnector(Operation, frozen=True):
    name = "unlock_connector"
    source = "OCPP 1.6 §5.18"
    purpose = "Unlock a cable."
    is_repeatable = False

    connector_id: int

"""Operations on transactions, reservations and charging profiles."""

from stations.operations import Arguments, Instant, Operation, operation


class Period(Arguments, frozen=True):
    """A limit from `starts_s` on, in seconds of its schedule; `limit` in the schedule's unit."""

    starts_s: int
    limit: int | float
    phases: int | None = None


class Schedule(Arguments, frozen=True):
    """Limits over time, in W or A (`unit`)."""

    unit: str
    periods: list[Period]
    duration_s: int | None = None
    starts_at: Instant | None = None
    min_rate: int | float | None = None


class Profile(Arguments, frozen=True):
    """A charging profile (OCPP 1.6 §7.8); purpose, kind and recurrency as in transactions.models."""

    profile_id: int
    purpose: str
    kind: str
    stack_level: int
    schedule: Schedule
    recurrency: str | None = None
    valid_from: Instant | None = None
    valid_to: Instant | None = None
    transaction_ref: str | None = None


@operation
class StartCharging(Operation, frozen=True):
    """Without a `connector_id` the station chooses."""

    name = "start_charging"
    source = "OCPP 1.6 §5.11"
    purpose = "Start charging from here."
    is_repeatable = False
    is_for_many = False
    effect_within_s = 300
    without_effect = "no transaction followed"

    id_tag: str
    connector_id: int | None = None
    profile: Profile | None = None


@operation
class StopCharging(Operation, frozen=True):
    """`transaction_ref`: the station's word for the transaction."""

    name = "stop_charging"
    source = "OCPP 1.6 §5.12"
    purpose = "Stop a transaction from here."
    effect_within_s = 300
    without_effect = "the transaction was not stopped"

    transaction_ref: str


@operation
class Reserve(Operation, frozen=True):
    """`connector_id` 0 is any connector."""

    name = "reserve"
    source = "OCPP 1.6 §5.13"
    purpose = "Keep a connector for a tag."

    reservation_id: int
    connector_id: int
    id_tag: str
    expires_at: Instant
    group_id_tag: str | None = None


@operation
class CancelReservation(Operation, frozen=True):
    name = "cancel_reservation"
    source = "OCPP 1.6 §5.1"
    purpose = "Give up a reservation."

    reservation_id: int


@operation
class SetChargingProfile(Operation, frozen=True):
    """`connector_id` 0 is the whole station."""

    name = "set_charging_profile"
    source = "OCPP 1.6 §5.16"
    purpose = "Limit power or current over time."

    connector_id: int
    profile: Profile


@operation
class ClearChargingProfiles(Operation, frozen=True):
    """Those that everything given fits; nothing given: all."""

    name = "clear_charging_profiles"
    source = "OCPP 1.6 §5.5"
    purpose = "Remove charging profiles."

    profile_id: int | None = None
    connector_id: int | None = None
    purpose_of_profile: str | None = None
    stack_level: int | None = None


@operation
class ReadCompositeSchedule(Operation, frozen=True):
    """The limits of the next `duration_s` seconds, in `unit` (W or A)."""

    name = "read_composite_schedule"
    source = "OCPP 1.6 §5.7"
    purpose = "Read the limits that result from all charging profiles."

    connector_id: int
    duration_s: int
    unit: str | None = None

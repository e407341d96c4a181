"""Everything that writes stations and their records."""

from stations.services.connection import (
    Admission,
    ConnectedStation,
    Credentials,
    connect_station,
    current_epochs,
    disconnect_station,
    owns_station,
    reload_station,
    touch_stations,
)
from stations.services.enrolment import (
    accept_stations,
    hold_stations,
    import_station,
    reject_stations,
    set_station_password,
    station_saved,
)
from stations.services.reports import (
    DeviationCount,
    DeviationKey,
    record_boot,
    record_certificate_request,
    record_data_transfer,
    record_deviations,
    record_notice,
)
from stations.services.strangers import (
    RefusalCount,
    RefusalKey,
    accept_refused_identity,
    forget_strangers,
    record_refusals,
)

__all__ = [
    "Admission",
    "ConnectedStation",
    "Credentials",
    "DeviationCount",
    "DeviationKey",
    "RefusalCount",
    "RefusalKey",
    "accept_refused_identity",
    "accept_stations",
    "connect_station",
    "current_epochs",
    "disconnect_station",
    "forget_strangers",
    "hold_stations",
    "import_station",
    "owns_station",
    "record_boot",
    "record_certificate_request",
    "record_data_transfer",
    "record_deviations",
    "record_notice",
    "record_refusals",
    "reject_stations",
    "reload_station",
    "set_station_password",
    "station_saved",
    "touch_stations",
]

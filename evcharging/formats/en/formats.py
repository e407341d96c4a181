"""How the back office writes times, in place of Django's English ("noon"): the way the log and OCPP write them."""

DATE_FORMAT, DATETIME_FORMAT, TIME_FORMAT = "Y-m-d", "Y-m-d H:i:s", "H:i:s"
SHORT_DATE_FORMAT, SHORT_DATETIME_FORMAT = DATE_FORMAT, DATETIME_FORMAT

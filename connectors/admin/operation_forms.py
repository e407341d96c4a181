"""Forms of the operations on connectors, offered on stations' pages."""

from django import forms

from connectors.models import Availability
from connectors.operations import ChangeAvailability, UnlockConnector
from stations.admin.operation_forms import OperationForm, operation_form


@operation_form
class ChangeAvailabilityForm(OperationForm):
    operation, title, group = ChangeAvailability, "Change availability", "Connectors"
    explanation = "One that charges follows when its transaction has ended. It is done when the status shows it."
    connector_id = forms.IntegerField(
        label="Connector", min_value=0, initial=0, help_text="0: the station with all its connectors."
    )
    availability = forms.ChoiceField(label="Availability", choices=Availability.choices)


@operation_form
class UnlockConnectorForm(OperationForm):
    operation, title, group, is_for_many = UnlockConnector, "Unlock a cable", "Connectors", False
    explanation = "A transaction on it ends first."
    connector_id = forms.IntegerField(label="Connector", min_value=1, initial=1)

"""Forms of the operations that are the station's own matter; upper apps register theirs."""

from stations.admin.operation_forms import core, files, security
from stations.admin.operation_forms.base import OPERATION_FORMS, OperationForm, choices, operation_form
from stations.admin.operation_forms.core import AnyJSONForm

__all__ = ["OPERATION_FORMS", "AnyJSONForm", "OperationForm", "choices", "core", "files", "operation_form", "security"]

"""Forms of the operations that are the station's own matter; upper apps register theirs."""

from stations.admin.operations import core, files, security
from stations.admin.operations.base import OPERATION_FORMS, OperationForm, choices, operation_form
from stations.admin.operations.core import AnyJSONForm

__all__ = ["OPERATION_FORMS", "AnyJSONForm", "OperationForm", "choices", "core", "files", "operation_form", "security"]

"""Operations on certificates (security white paper)."""

from django import forms

from stations.admin.operation_forms.base import OperationForm, choices, operation_form
from stations.file_operations import (
    CENTRAL_SYSTEM_ROOT,
    MANUFACTURER_ROOT,
    DeleteCertificate,
    DeliverCertificate,
    InstallCertificate,
    ListCertificates,
)

USES = [
    (CENTRAL_SYSTEM_ROOT, "CentralSystemRootCertificate"),
    (MANUFACTURER_ROOT, "ManufacturerRootCertificate"),
]


@operation_form
class InstallCertificateForm(OperationForm):
    operation, title, group = InstallCertificate, "Install a root certificate", "Security"
    use = forms.ChoiceField(label="For", choices=USES)
    certificate = forms.CharField(label="Certificate (PEM)", max_length=5500, widget=forms.Textarea)


@operation_form
class ListCertificatesForm(OperationForm):
    operation, title, group = ListCertificates, "List root certificates", "Security"
    use = forms.ChoiceField(label="For", choices=USES)


@operation_form
class DeleteCertificateForm(OperationForm):
    operation, title, group, is_dangerous = DeleteCertificate, "Remove a root certificate", "Security", True
    explanation = "The hashes are those that the list of certificates shows."
    hash_algorithm = forms.ChoiceField(label="Hash", choices=choices("SHA256", "SHA384", "SHA512"))
    issuer_name_hash = forms.CharField(label="Issuer name hash", max_length=128)
    issuer_key_hash = forms.CharField(label="Issuer key hash", max_length=128)
    serial_number = forms.CharField(label="Serial number", max_length=40)


@operation_form
class DeliverCertificateForm(OperationForm):
    operation, title, group = DeliverCertificate, "Bring a signed certificate", "Security"
    is_for_many = False
    explanation = "For the request that the station sent (SignCertificate)."
    chain = forms.CharField(label="Certificate chain (PEM)", max_length=10000, widget=forms.Textarea)

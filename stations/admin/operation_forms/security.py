"""Operations on certificates (security white paper)."""

from typing import Any

from django import forms

from stations.admin.operation_forms.base import OperationForm, choices, operation_form

USES = choices("CentralSystemRootCertificate", "ManufacturerRootCertificate")


@operation_form
class InstallCertificateForm(OperationForm):
    action, title, group = "InstallCertificate", "Install a root certificate", "Security"
    certificateType = forms.ChoiceField(label="For", choices=USES)  # noqa: N815 - OCPP's names
    certificate = forms.CharField(label="Certificate (PEM)", max_length=5500, widget=forms.Textarea)


@operation_form
class GetInstalledCertificateIdsForm(OperationForm):
    action, title, group = "GetInstalledCertificateIds", "List root certificates", "Security"
    certificateType = forms.ChoiceField(label="For", choices=USES)  # noqa: N815


@operation_form
class DeleteCertificateForm(OperationForm):
    action, title, group, is_dangerous = "DeleteCertificate", "Remove a root certificate", "Security", True
    explanation = "The hashes are those that the list of certificates shows."
    hashAlgorithm = forms.ChoiceField(label="Hash", choices=choices("SHA256", "SHA384", "SHA512"))  # noqa: N815
    issuerNameHash = forms.CharField(label="Issuer name hash", max_length=128)  # noqa: N815
    issuerKeyHash = forms.CharField(label="Issuer key hash", max_length=128)  # noqa: N815
    serialNumber = forms.CharField(label="Serial number", max_length=40)  # noqa: N815

    def payload(self) -> dict[str, Any]:
        return {"certificateHashData": super().payload()}


@operation_form
class CertificateSignedForm(OperationForm):
    action, title, group = "CertificateSigned", "Bring a signed certificate", "Security"
    is_for_many = False
    explanation = "For the request that the station sent (SignCertificate)."
    certificateChain = forms.CharField(  # noqa: N815
        label="Certificate chain (PEM)", max_length=10000, widget=forms.Textarea
    )

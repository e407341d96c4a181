"""InstallCertificate, GetInstalledCertificateIds, DeleteCertificate and CertificateSigned (security white paper)."""

from typing import Any

from ocpp.routing import on
from ocpp.v16 import call_result
from ocpp.v16.enums import (
    Action,
    CertificateSignedStatus,
    CertificateStatus,
    DeleteCertificateStatus,
    GetInstalledCertificateStatus,
)

from evcharging.simulator.certificates import CertificateHash
from evcharging.simulator.commands.handlers import CommandHandlers


class CertificateHandlers(CommandHandlers):
    """The certificate store."""

    @on(Action.install_certificate)
    def install_certificate(self, certificate_type: str, certificate: str, **_: Any) -> call_result.InstallCertificate:
        status = self.station.certificates.install(certificate_type, certificate)
        return call_result.InstallCertificate(CertificateStatus(status))

    @on(Action.get_installed_certificate_ids)
    def get_installed_certificate_ids(self, certificate_type: str, **_: Any) -> call_result.GetInstalledCertificateIds:
        names = self.station.certificates.installed(certificate_type)
        if not names:
            return call_result.GetInstalledCertificateIds(GetInstalledCertificateStatus.not_found)
        data = [name._asdict() for name in names]
        return call_result.GetInstalledCertificateIds(GetInstalledCertificateStatus.accepted, data)

    @on(Action.delete_certificate)
    def delete_certificate(self, certificate_hash_data: dict[str, str], **_: Any) -> call_result.DeleteCertificate:
        status = self.station.certificates.delete(CertificateHash(**certificate_hash_data))
        return call_result.DeleteCertificate(DeleteCertificateStatus(status))

    @on(Action.certificate_signed)
    def certificate_signed(self, certificate_chain: str, **_: Any) -> call_result.CertificateSigned:
        status = self.station.certificates.accept_signed(certificate_chain)
        return call_result.CertificateSigned(CertificateSignedStatus(status))

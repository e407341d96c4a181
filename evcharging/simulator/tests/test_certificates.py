"""The certificate store, and the signing of the station's own certificate."""

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.support.certificates import Authority, certificate_of, pem
from tests.support.csms import Csms

pytestmark = pytest.mark.usefixtures("station")


async def test_certificates_are_installed_listed_and_deleted(csms: Csms, authority: Authority) -> None:
    use = {"certificateType": "CentralSystemRootCertificate"}
    assert await csms.command("GetInstalledCertificateIds", use) == {"status": "NotFound"}
    installed = await csms.command("InstallCertificate", use | {"certificate": pem(authority[1])})
    assert installed == {"status": "Accepted"}
    (name,) = (await csms.command("GetInstalledCertificateIds", use))["certificateHashData"]
    assert name["serialNumber"] == f"{authority[1].serial_number:x}"
    other = {"certificateType": "ManufacturerRootCertificate"}
    assert await csms.command("GetInstalledCertificateIds", other) == {"status": "NotFound"}
    assert await csms.command("DeleteCertificate", {"certificateHashData": name}) == {"status": "Accepted"}
    assert await csms.command("DeleteCertificate", {"certificateHashData": name}) == {"status": "NotFound"}
    bad = await csms.command("InstallCertificate", use | {"certificate": "none"})
    assert bad == {"status": "Rejected"}


async def test_signed_certificate_must_be_of_the_own_key(csms: Csms, authority: Authority) -> None:
    await csms.command("ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"})
    request = x509.load_pem_x509_csr((await csms.call("SignCertificate"))["csr"].encode())
    assert request.is_signature_valid
    assert request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "SIM-0001"
    foreign = await csms.command("CertificateSigned", {"certificateChain": pem(authority[1])})
    assert foreign == {"status": "Rejected"}
    own = certificate_of(request.public_key(), authority[0])
    assert await csms.command("CertificateSigned", {"certificateChain": pem(own)}) == {"status": "Accepted"}

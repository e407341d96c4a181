"""Identities and id tags of simulated stations, by number."""


def identity_of(number: int) -> str:
    return f"SIM-{number:04d}"


def id_tag_of(number: int) -> str:
    return f"SIM-TAG-{number:04d}"

"""Certificates for the log's nodes, of an authority that is made for one run."""

from collections.abc import Sequence
from pathlib import Path

import trustme

from cea_exchange.cluster.log_nodes.local import Certificates


def certificates_new(folder: Path, hosts: Sequence[str]) -> list[Certificates]:
    """Make a folder with a certificate for each node, and return them in that order.

    Parameters
    ----------
    hosts
        The address at which each node is found.
    """
    folder.mkdir()
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    found = []
    for number, host in enumerate(hosts, 1):
        own = authority.issue_cert(host, f"log-{number}")
        certificate, key = folder / f"log-{number}.pem", folder / f"log-{number}.key"
        own.cert_chain_pems[0].write_to_path(certificate)
        own.private_key_pem.write_to_path(key)
        key.chmod(0o600)
        found.append(Certificates(folder / "ca.pem", certificate, key))
    return found

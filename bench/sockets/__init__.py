"""Clients and servers that a venue is measured with, through its sockets or at its doors."""

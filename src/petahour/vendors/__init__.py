"""What accelerators this host has, as its vendors' tools report them, and how a process is confined to some."""

from __future__ import annotations

from petahour.vendors.device import Device, Probe, ProbeNote, Vendor
from petahour.vendors.host import host_cpus
from petahour.vendors.inventory import VENDORS, Found, Inventory, probe_all
from petahour.vendors.launch import launch_environment

__all__ = [
    "VENDORS",
    "Device",
    "Found",
    "Inventory",
    "Probe",
    "ProbeNote",
    "Vendor",
    "host_cpus",
    "launch_environment",
    "probe_all",
]

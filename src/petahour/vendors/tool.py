"""A vendor whose devices are found by running its command-line tool and parsing what it prints."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass

from petahour.model.errors import ValidationError
from petahour.vendors.device import Device, Probe, ProbeNote
from petahour.vendors.running import run_tool


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolVendor:
    """Fills the Vendor protocol. ``commands`` run in order and ``parse`` reads all they printed together.

    The first command must succeed; a later one only adds readings, so its failure is a note and no more.
    """

    slug: str
    tool: str
    commands: tuple[tuple[str, ...], ...]
    parse: Callable[[str], tuple[Device, ...]]

    def probe(self, timeout_ms: int) -> Probe:
        path = shutil.which(self.tool)
        if path is None:
            return Probe()
        devices: tuple[Device, ...] = ()
        readable: list[str] = []
        notes: list[ProbeNote] = []
        for command in self.commands:
            output = run_tool((path, *command[1:]), timeout_ms)
            trouble = output.failure
            if not trouble:
                try:
                    devices = self.parse("\n".join([*readable, output.text]))
                    readable.append(output.text)
                except ValidationError as error:
                    trouble = f"printed what cannot be read: {error}"
            if trouble:
                notes.append(self._note(f"{' '.join(command)} {trouble}"))
                if not readable:
                    break
        return Probe(devices=devices, notes=tuple(notes))

    def _note(self, what: str) -> ProbeNote:
        return ProbeNote(vendor=self.slug, tool=self.tool, what=what)

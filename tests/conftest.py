"""What holds for every test."""

from __future__ import annotations

import signal

# A shell starts background jobs with SIGINT ignored, and programs inherit that: tests that press Ctrl-C would then
# test the shell.
signal.signal(signal.SIGINT, signal.default_int_handler)

"""The public Python client of a Petahour control plane.

>>> from petahour.client import Client, JobRequest
>>> with Client("http://127.0.0.1:7420", "ph_...") as client:
...     job = client.submit(JobRequest(command=("python", "train.py"), types=("a100-80g-sxm",)))
...     done = client.wait(job.id)
"""

from __future__ import annotations

from petahour.client.client import Client
from petahour.client.config import Profile, load_profile, resolve_profile, save_profile
from petahour.client.errors import ApiError, ProtocolError, WaitTimeoutError
from petahour.client.jobfile import load_job_file
from petahour.client.quotes import Quote, QuoteRequest
from petahour.client.requests import JobRequest
from petahour.model.errors import PetahourError, UnavailableError

__all__ = [
    "ApiError",
    "Client",
    "JobRequest",
    "PetahourError",
    "Profile",
    "ProtocolError",
    "Quote",
    "QuoteRequest",
    "UnavailableError",
    "WaitTimeoutError",
    "load_job_file",
    "load_profile",
    "resolve_profile",
    "save_profile",
]

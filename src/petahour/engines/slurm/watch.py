"""The watch: a thread that hands in, looks at what Slurm and the gangs' files say, and ends what must end.

It is the only one that talks to Slurm, so that no caller of the engine ever waits for slurmctld.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from petahour.engines.protocol import Phase, Report
from petahour.engines.slurm.gang import Gang
from petahour.engines.slurm.gang_files import GangFiles
from petahour.engines.slurm.gres import discover
from petahour.engines.slurm.reading import SlurmJob
from petahour.engines.slurm.roster import SURE, Roster
from petahour.engines.slurm.script import allocation_of
from petahour.engines.slurm.settings import Mode, SlurmSettings
from petahour.engines.slurm.transport import RefusedError, Transport
from petahour.engines.slurm.verdict import Seen, judge, trustworthy
from petahour.model.allocations import EndKind
from petahour.model.errors import UnavailableError

log = logging.getLogger("petahour.slurm")

SOON_S = 0.25  # between questions while something starts or stops
IDLE_S = 5.0  # between questions while nothing runs
SWITCHES_S = 300.0  # between questions for the topology, which changes when Slurm is configured anew
SHARE = 0.2  # of the time at most goes into asking Slurm
MAX_BACKOFF_S = 5.0
HAND_IN_AT_ONCE = 50
AGAIN_S = 10.0  # after which an end that was not obeyed is ordered again


class Watch:
    """Rounds over the roster, in a thread of their own once started."""

    def __init__(
        self,
        *,
        roster: Roster,
        files: GangFiles,
        transport: Transport,
        settings: SlurmSettings,
        engine: str,
        clock_ms: Callable[[], int],
    ) -> None:
        self._roster = roster
        self._files = files
        self._transport = transport
        self._settings = settings
        self._engine = engine
        self._clock_ms = clock_ms
        self._ask_at_s = self._nodes_at_s = self._switches_at_s = 0.0
        self._switches: Mapping[str, str] = {}
        self._orders: list[tuple[str, str]] = []
        self._away = False
        self._backoff_s = SOON_S
        self._woken, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="slurm-watch", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Something is to be done now."""
        self._woken.set()

    def close(self) -> None:
        """End the thread after the round under way."""
        self._closing.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join()

    def order(self, node: str, reason: str) -> None:
        """Drain a node of Slurm's, or with an empty reason resume it."""
        with self._roster.lock:
            if (node, reason) not in self._orders:
                self._orders.append((node, reason))
        self.wake()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._woken.clear()
            try:
                self.round()
            except Exception:
                log.exception("a round over Slurm's jobs failed; it is tried again")
                self._put_off()
            now_s = time.monotonic()
            self._woken.wait(max(0.01, min(self._ask_at_s, self._nodes_at_s) - now_s))

    def round(self) -> None:
        """Ask, hand in, order ends, look, tell."""
        now_s = time.monotonic()
        try:
            if now_s >= self._nodes_at_s:
                self._ask_nodes()
            asked = now_s >= self._ask_at_s
            if asked:
                self._ask_jobs(now_s)
            if not self._away:
                self._hand_in()
                self._drain()
            if asked:
                self._order_ends()
            if self._away:
                self._away, self._backoff_s = False, SOON_S
                log.warning("Slurm answers again")
        except UnavailableError as error:
            if not self._away:
                log.warning("Slurm does not answer: %s", error.rule)
            self._away = True
            self._put_off()
        self._look()
        self._tell()

    def _put_off(self) -> None:
        self._ask_at_s = self._nodes_at_s = time.monotonic() + self._backoff_s
        self._backoff_s = min(2 * self._backoff_s, MAX_BACKOFF_S)

    # -- ask -----------------------------------------------------------------------------------------------

    def _ask_jobs(self, now_s: float) -> None:
        """One question for all jobs."""
        jobs = self._transport.jobs()
        with self._roster.lock:
            if jobs is not None:
                self._roster.take(self._ours(jobs), now_s, self._files.claimant)
            unsettled = any(gang.unsettled for gang in self._roster.gangs.values())
            busy = self._roster.gangs or self._roster.strangers or not self._roster.answered
            pause_s = SOON_S if unsettled else self._settings.poll_ms / 1_000 if busy else IDLE_S
        took_s = time.monotonic() - now_s
        self._ask_at_s = now_s + max(pause_s, took_s / SHARE)

    def _ours(self, jobs: Iterable[SlurmJob]) -> dict[str, list[SlurmJob]]:
        found: dict[str, list[SlurmJob]] = defaultdict(list)
        for job in jobs:
            allocation = allocation_of(self._files.instance, job.comment)
            if allocation is not None:
                found[allocation].append(job)
        return found

    def _ask_nodes(self) -> None:
        began_s = time.monotonic()
        if began_s >= self._switches_at_s:
            self._switches = self._transport.switches()
            self._switches_at_s = began_s + SWITCHES_S
        discovery = discover(self._transport.nodes(), self._settings, self._engine, self._switches)
        took_s = time.monotonic() - began_s
        self._nodes_at_s = began_s + max(self._settings.nodes_poll_ms / 1_000, took_s / SHARE)
        with self._roster.lock:
            before = self._roster.discovery
            if before == discovery:
                return
            self._roster.discovery = discovery
        new = set(discovery.unmapped) - set(before.unmapped if before else ())
        if new:
            log.warning("GRES without a type in slurm.toml, left out: %s", ", ".join(sorted(new)))
        self._wake_all()

    # -- hand in and order -----------------------------------------------------------------------------------

    def _hand_in(self) -> None:
        """Submit what waits for it; what an earlier process may have handed in only after Slurm was asked for it."""
        chosen = self._to_hand_in()
        try:
            for allocation, gang in chosen:
                self._submit(allocation, gang)
        finally:
            with self._roster.lock:
                for _, gang in chosen:
                    gang.sending = False

    def _submit(self, allocation: str, gang: Gang) -> None:
        submission = gang.submission
        if submission is None:
            return
        try:
            job = self._transport.submit(submission)
        except RefusedError as error:
            with self._roster.lock:
                gang.refused = error.rule
                self._roster.hinted.add(allocation)
            return
        except UnavailableError:
            with self._roster.lock:
                gang.lookup, gang.missed = True, 0  # Slurm may have taken it without being able to say so
            raise
        self._files.submitted(allocation, job, self._clock_ms())
        with self._roster.lock:
            gang.job_id, gang.handed_in_s, gang.missed = job, time.monotonic(), 0
        self._ask_at_s = min(self._ask_at_s, time.monotonic() + SOON_S / 2)

    def _to_hand_in(self) -> list[tuple[str, Gang]]:
        chosen = []
        with self._roster.lock:
            for allocation, gang in self._roster.gangs.items():
                unknown = gang.lookup and gang.missed < SURE
                vanished = gang.handed_in_s is not None and gang.missed >= SURE
                waits = gang.submission is not None and gang.job is None and not gang.refused and not gang.stop_asked
                if not waits or unknown or gang.over or (gang.handed_in_s is not None and not vanished):
                    continue
                if self._files.claimant(allocation) is None:
                    if vanished:
                        log.warning(
                            "%s: Slurm lost job %s before it began; handing it in again", allocation, gang.job_id
                        )
                    gang.sending = True
                    chosen.append((allocation, gang))
                if len(chosen) == HAND_IN_AT_ONCE:
                    self._ask_at_s = 0.0 if self._ask_at_s else self._ask_at_s
                    self._woken.set()
                    break
        return chosen

    def _order_ends(self) -> None:
        """One order for all jobs that are to end; it is only given just after Slurm has said what it has."""
        now_s = time.monotonic()
        with self._roster.lock:
            ends, self._roster.cancels = self._roster.cancels, set()
            for gang in self._roster.gangs.values():
                job = gang.job
                if job is None or not job.live:
                    continue
                self._give_up(gang, job)
                overdue = gang.kill_at_s is not None and now_s >= gang.kill_at_s
                if (job.pending and (gang.stop_asked or gang.given_up)) or overdue:
                    gang.kill_at_s = now_s + AGAIN_S
                    ends.add(job.id)
        if ends:
            self._transport.cancel(sorted(ends))
            self._ask_at_s = min(self._ask_at_s, now_s + SOON_S)

    def _give_up(self, gang: Gang, job: SlurmJob) -> None:
        """A job that Slurm does not start holds accelerators that others could use."""
        waited_ms = self._clock_ms() - job.submit_s * 1_000
        limit_ms = self._settings.pending_limit_ms
        # A controller that was restarted may call a job pending that runs; its ranks know better.
        waits = job.pending and not gang.begun and not gang.stop_asked
        if self._settings.mode is Mode.PLACED and waits and waited_ms > limit_ms:
            gang.given_up = f"Slurm did not start it within {limit_ms // 1_000} s ({job.reason or 'no reason given'})"

    def _drain(self) -> None:
        while True:
            with self._roster.lock:
                if not self._orders:
                    return
                node, reason = self._orders[0]
            if reason:
                self._transport.drain(node, reason)
            else:
                self._transport.resume(node)
            with self._roster.lock:
                del self._orders[0]
                self._nodes_at_s = 0.0

    # -- look and tell ---------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Read the files of gangs of which there is a hint, or whose start is awaited."""
        with self._roster.lock:
            hinted, self._roster.hinted = self._roster.hinted, set()
            for allocation, gang in self._roster.gangs.items():
                awaited = gang.unsettled and gang.job is not None and not gang.job.pending
                if not gang.over and (allocation in hinted or awaited or gang.ranks == 0):
                    self._judge(allocation, gang)

    def _judge(self, allocation: str, gang: Gang) -> None:
        if gang.ranks == 0:
            if self._roster.answered and allocation not in self._roster.strangers and _over(gang):
                message = "never started"
                gang.report = Report(
                    allocation=allocation, phase=Phase.ENDED, end_kind=EndKind.STOPPED, message=message
                )
            return
        states = []
        for rank in range(gang.ranks):
            state = gang.ended.get(rank) or self._files.rank(allocation, rank)
            if state.ended:
                gang.ended[rank] = state
            states.append(state)
        never_sent = gang.stop_asked and gang.handed_in_s is None and gang.job is None and not gang.sending
        seen = Seen(
            allocation=allocation,
            ranks=tuple(states),
            job=gang.job,
            gone=(gang.missed >= SURE and gang.job is None) or (never_sent and not gang.lookup),
            claimed=self._files.claimant(allocation) is not None,
            stop_asked=gang.stop_asked,
            refused=gang.refused,
            given_up=gang.given_up,
        )
        if seen.gone and not seen.claimed and not seen.stop_asked and not seen.refused:
            return  # handed in again, or not handed in yet
        gang.report = trustworthy(judge(seen, self._clock_ms()), gang.job)
        if gang.report.end_kind is EndKind.LOST and seen.claimed:
            self._files.fence(allocation, "SIGKILL", 0)

    def _tell(self) -> None:
        with self._roster.lock:
            news = self._roster.news()
        if news:
            self._wake_all()

    def _wake_all(self) -> None:
        with self._roster.lock:
            wakers = list(self._roster.wakers)
        for wake in wakers:
            wake()


def _over(gang: Gang) -> bool:
    return gang.job is None or not gang.job.live

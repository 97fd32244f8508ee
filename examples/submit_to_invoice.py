"""From submit to invoice: a gang of two ranks on rehearsed A100s, its output, its usage, its invoice.

petahour up --fleet fleet.toml ... && petahour login ...
python examples/submit_to_invoice.py
"""

from datetime import UTC, datetime

from petahour.client import Client, JobRequest, resolve_profile


def main() -> None:
    profile = resolve_profile()
    with Client(profile.url, profile.key) as client:
        client.create_tenant("nova", currency="CNY", title="Nova Models")
        client.topup("nova", "500.00", currency="CNY", key="payment-1")
        request = JobRequest(
            tenant="nova",
            name="greeting",
            command=("sh", "-c", 'echo "rank $RANK of $WORLD_SIZE on $CUDA_VISIBLE_DEVICES"'),
            types=("a100-80g-sxm",),
            accelerators_per_node=2,
            walltime="1m",
        )
        job = client.submit(request, idempotency_key="greeting-1")
        done = client.wait(job.id, timeout_s=60)
        print(f"{done.name} {done.state} after {done.attempt} attempt")
        for rank in range(2):
            print(client.log(job.id, rank=rank).text, end="")
        usage = client.usage("nova")
        billed = [record for record in usage.records if record.billed_ams]
        print(f"usage records with billed time: {len(billed)}, rehearsal: {all(one.rehearsal for one in billed)}")
        invoice = client.invoice("nova", datetime.now(UTC).strftime("%Y-%m"))
        lines = sum(line.amount_micros for line in invoice.rehearsal_lines)
        print(f"rehearsed lines sum to their total: {lines == invoice.rehearsal_total_micros > 0}")
        print(f"payable: {invoice.total_micros} micro-{invoice.currency}")
        print(f"conserved: {client.conservation().ok}, audited: {client.audit().ok}")


if __name__ == "__main__":
    main()

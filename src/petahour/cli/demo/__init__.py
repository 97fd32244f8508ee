"""The demonstration: a control plane of its own, two tenants, and every turn a job can take."""

"""Reports for the operator, each a pure function from what the store sums to one table."""

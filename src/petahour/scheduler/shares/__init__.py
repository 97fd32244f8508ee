"""Shares: how much of each type's time every job should have, and who therefore runs in the next round."""

"""Engines start, watch and stop processes. They decide nothing and know no money."""

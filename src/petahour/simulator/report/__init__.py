"""Reports: what a replay did, as figures, tables, plots, files and one page."""

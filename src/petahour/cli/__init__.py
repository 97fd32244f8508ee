"""The command line; with the server the only assembler of parts."""

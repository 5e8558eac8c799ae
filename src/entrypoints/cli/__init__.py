"""The command line. One module a group of commands; what is slow to import is imported inside the commands, so that
`--help` answers at once."""

"""How the process in which Schemathesis runs is told what to do: by environment variables."""

DATABASE_URL, ROLE, COUNTS = "STEWARD_FUZZ_DATABASE_URL", "STEWARD_FUZZ_ROLE", "STEWARD_FUZZ_COUNTS"

"""What Steward costs beside a bare server and beside an ordinary one (`make bench`)."""

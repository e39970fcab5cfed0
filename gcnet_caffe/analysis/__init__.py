"""From weights and logs to numbers, tables and pictures."""

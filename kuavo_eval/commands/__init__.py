"""One module per `kuavo eval` command: options, help, exit codes; the work is done elsewhere."""

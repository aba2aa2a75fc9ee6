"""`kuavo data check`: reads a dataset's own files, finds what spoils training, shows it."""

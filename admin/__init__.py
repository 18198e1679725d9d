"""The admin API: FastAPI on the registry, the buffer's ledger and the training runs."""

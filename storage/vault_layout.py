"""What lies in a vault's folder."""

DATABASE, SLOTS, WITNESS, LOCK, FILES = "vault.db", "slots.json", "witness", "lock", "files"

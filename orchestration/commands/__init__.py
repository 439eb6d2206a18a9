"""Groups of commands of `tessera`, one module each, and what all commands share (`common`). `orchestration.cli` registers them."""

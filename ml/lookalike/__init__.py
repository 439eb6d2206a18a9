"""Members who resemble a seed: a classifier of seed against everybody else. Who is in a seed belongs in `orchestration`."""

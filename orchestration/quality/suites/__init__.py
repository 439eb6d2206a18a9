"""What must hold between the stages, one module per gate. Only declarations: running them belongs in `quality.suite`."""

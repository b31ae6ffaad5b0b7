"""The door from Python: sweeps, runs and results as values, without the command line."""

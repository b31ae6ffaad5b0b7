"""Runs trained into their folders, whoever asks for them: the command line or Python."""

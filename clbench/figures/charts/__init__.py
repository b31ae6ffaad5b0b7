"""The charts, a module each or a few that share their parts; the gallery finds them here."""

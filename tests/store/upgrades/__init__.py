"""Upgrades of databases that are at work: from every older revision, under load, blocked, killed, without rights."""

"""The shop's own campaigns, which have nothing to do with ours."""

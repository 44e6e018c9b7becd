"""Files of other codebases and of people: OSL JSON, E2E-Spot's lists, CSV; read into one form and written from it."""

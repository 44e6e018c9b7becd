"""Commentary as features: what is said in every second, by a text model that was fitted on the training games."""

"""Action spotting in football video."""

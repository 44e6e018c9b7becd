"""From video to feature files: frames in order, a network over each, one row per time step, and PCA."""

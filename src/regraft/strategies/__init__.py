"""One file per rule that renews a recommender when a period closes, and the close itself."""

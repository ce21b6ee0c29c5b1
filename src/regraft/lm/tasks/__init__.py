"""What a model is trained for and how its score is read."""

"""One file per classical model: features, fits and scores without a language model."""

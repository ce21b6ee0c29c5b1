"""The prequential comparison of contenders on one stream."""

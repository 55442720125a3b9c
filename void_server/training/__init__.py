"""Making weights: in go a folder's name and a seed, out comes a weights folder that the real code loads."""

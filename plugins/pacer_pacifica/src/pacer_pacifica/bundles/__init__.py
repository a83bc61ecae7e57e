"""Bundles of Pacifica's uploaders: read as a stream, refused before anything of them is stored."""

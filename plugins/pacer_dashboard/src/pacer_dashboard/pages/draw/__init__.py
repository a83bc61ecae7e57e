"""Charts as SVG, drawn on the server: no script, no style attribute, and a table with the same figures."""

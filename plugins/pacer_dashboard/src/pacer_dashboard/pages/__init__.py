"""The pages: views, templates, styles, charts; all of it rendered on the server."""

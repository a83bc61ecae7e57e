"""The distribution beside this runs its own tests where it is installed."""

collect_ignore = ["pacer_folder"]

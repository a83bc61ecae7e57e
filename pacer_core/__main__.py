"""``python -m pacer_core``: the command line."""

from pacer_core.cli import main

if __name__ == "__main__":
    main()

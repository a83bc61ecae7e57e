"""Processes and threads: the supervisor, its workers, and what one worker does with the messages it holds."""

"""The process that runs methods: reads commands from its stdin, answers on its stdout, logs to stderr."""

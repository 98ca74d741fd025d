"""What is announced is a class."""

import everwarm

everwarm.register("Point")  # E: type-var / reportArgumentType
everwarm.register()  # E: call-arg / reportCallIssue
everwarm.register(int, str)  # E: call-arg / reportCallIssue

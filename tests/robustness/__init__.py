"""The hostile world: programs that anyone can run against the service, each bounded in count and time."""

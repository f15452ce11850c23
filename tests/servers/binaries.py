"""Where the servers of the tests are. `./dev test` puts them into build/servers; a path in the environment is taken instead."""
import os
import shutil

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PLACES = {  # kind: (variable, path below build/servers, name of the command)
    "redis": ("FLOWCTL_REDIS_SERVER", "redis-server", "redis-server"),
    "valkey": ("FLOWCTL_VALKEY_SERVER", "valkey-server", "valkey-server"),
}


class NotFound(Exception):
    """A test that needs a server fails without one: it is never skipped."""


def find(kind):
    variable, below, command = PLACES[kind]
    if os.environ.get(variable):
        path = os.environ[variable]
        if not os.access(path, os.X_OK):
            raise NotFound(f"{variable} is {path!r}, which can't be run")
        return path
    built = os.path.join(SOURCE, "build", "servers", below)
    path = built if os.access(built, os.X_OK) else shutil.which(command)
    if path is None:
        raise NotFound(f"no {command}: not as {built} (./dev test puts it there), nor in PATH; or name one by {variable}")
    return path

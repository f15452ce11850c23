"""Processes that end with the one that started them, however that ends: a test that is killed leaves nothing behind."""
import ctypes
import os
import signal
import subprocess

LIBC = ctypes.CDLL(None)  # before any fork: a new process must not have to load it
PR_SET_PDEATHSIG = 1


def start(command, prepare=None, **more):
    """Like Popen. To be called by the main thread: the system takes the end of the thread that forked for that of the parent."""
    parent = os.getpid()

    def bind():
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before it was asked to tell
            os._exit(1)
        if prepare is not None:
            prepare()
    return subprocess.Popen(command, preexec_fn=bind, **more)

"""How the processes that this package starts send messages: shared memory that fits images, and peers beyond the
thirty-second.

This room knows the middleware, and nothing of modules. Where a user has set the middleware up, it leaves it alone.
"""
